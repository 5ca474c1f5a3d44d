// What is easily forgotten: empty messages, streams nobody has begun to read, warnings.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvents, streamEvents } from "../../src/sse_bridge/static/fetch-sse.js";
import { FRAMES } from "./frames.mjs";
import { begun, collect, made, serve, settle, telling, told } from "./serving.mjs";

test("an empty text/plain refusal, and an empty message, are told by the next best", async (t) => {
  const empty = ["", "text/plain", "500 Internal Server Error"];
  const half = ['{"message":"","detail":"why"}', "application/json", "why"];
  for (const [body, type, wanted] of [empty, half]) {
    const { url } = await serve(t, told(body, { status: 500, headers: { "content-type": type } }));
    assert.equal((await collect(streamEvents(url))).error.message, wanted);
  }
});

test("an abort between readEvents() and its first event ends the connection", async () => {
  const stop = new AbortController();
  const told = telling();
  const events = readEvents(told.response, { signal: stop.signal });
  stop.abort();
  await collect(events);
  assert.equal(told.cancelled, true);
});

test("return() before the first event ends the connection", async () => {
  const told = telling();
  await readEvents(told.response).return();
  assert.equal(told.cancelled, true);
});

test("an abort of the fetch's own signal before readEvents() leaves no unhandled rejection", async (t) => {
  const stop = new AbortController();
  const { url } = await serve(t, begun("data: a\n\n"));
  const response = await fetch(url, { signal: stop.signal });
  stop.abort();
  assert.equal((await collect(readEvents(response, { signal: stop.signal }))).error.name, "AbortError");
  await settle();
});

test("a network error through a fetch that knows the base is one, in Node too", async () => {
  const through = (url, init) => fetch(new URL(url, "http://127.0.0.1:1/"), init);
  assert.equal((await collect(streamEvents("/chat", { fetch: through }))).error.code, "network_error");
});
const DELTA = FRAMES.delta.text + FRAMES.delta.finished;

for (const [name, stream, dialect, count] of [
  ["reasoning first", 'event: reasoning\ndata: {"text":"hm"}\n\n' + DELTA, "plain", 1],
  ["json.dumps' spaces", 'data: {"choices": [{"index": 0}]}\n\n', "plain", 1],
  ["a keep-alive first", "data:\n\n" + DELTA, "delta", 0],
  ["ai-sdk as openai", FRAMES["ai-sdk"].text, "openai", 1],
  ["openai as ai-sdk", FRAMES.openai.text, "ai-sdk", 1],
]) {
  test(`a warning of a wrong dialect: ${name}`, async (t) => {
    const { mock } = t.mock.method(console, "warn", () => {});
    await collect(readEvents(made(stream), { dialect }));
    assert.equal(mock.callCount(), count);
  });
}
