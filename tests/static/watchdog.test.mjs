import assert from "node:assert/strict";
import { test } from "node:test";

import { readEvents, streamEvents, TimeoutError } from "../../src/sse_bridge/static/fetch-sse.js";
import { begun, collect, made, serve, settle, telling } from "./serving.mjs";

/** Reads what `told` tells while the clock stands, with the watchdog at 1000 ms. */
function watched(t, told) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const result = {};
  const reading = collect(readEvents(told.response, { timeout: 1000 })).then((end) => Object.assign(result, end));
  const after = async (milliseconds) => {
    await settle();
    t.mock.timers.tick(milliseconds);
    await settle();
  };
  return { result, reading, after };
}

test("a server that says nothing before its headers is given up", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const fetch = (_, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const ending = collect(streamEvents("http://never.asked/", { fetch, timeout: 1000 }));
  t.mock.timers.tick(1000);
  const { error } = await ending;
  assert.ok(error instanceof TimeoutError);
  assert.deepEqual([error.code, error.retryable], ["timeout", true]);
  assert.match(error.message, /1000 ms/);
});

test("a fetch of one's own that heeds no signal is given up, and told so", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let told;
  const fetch = (_, { signal }) => new Promise(() => (told = signal));
  const ending = collect(streamEvents("http://never.asked/", { fetch, timeout: 1000 }));
  await settle();
  assert.equal(told.aborted, false);
  t.mock.timers.tick(1000);
  assert.ok((await ending).error instanceof TimeoutError);
  assert.equal(told.aborted, true);
});

test("a real server that is given up sees the close", async (t) => {
  const { url, requests } = await serve(t, begun("data: a\n\n"));
  const response = await fetch(url);
  assert.equal((await collect(readEvents(response, { timeout: 1 }))).error.code, "timeout");
  await requests[0].closed;
});

test("a server that falls silent in the body is given up, after what it said", async (t) => {
  const told = telling();
  const { result, reading, after } = watched(t, told);
  told.say("data: a\n\n");
  await after(1000);
  await reading;
  assert.deepEqual([result.seen.length, result.error.code, told.cancelled], [1, "timeout", true]);
});

test("a server that falls silent in the middle of a refusal is given up, and has refused", async (t) => {
  const told = telling({ status: 429 });
  const { result, reading, after } = watched(t, told);
  told.say("Slow");
  await after(1000);
  await reading;
  assert.deepEqual([result.error.status, result.error.body, told.cancelled], [429, "Slow", true]);
});

test("each byte winds the watchdog up, a ping's and half an event's too", async (t) => {
  const told = telling();
  const { result, reading, after } = watched(t, told);
  for (const piece of [": ping\n\n", "d", "ata: a\n\n", ":"]) {
    await after(999);
    assert.equal(result.error, undefined);
    told.say(piece);
  }
  await after(999);
  assert.equal(result.error, undefined);
  await after(1);
  await reading;
  assert.deepEqual([result.seen.length, result.error.name], [1, "TimeoutError"]);
  assert.equal(told.cancelled, true);
});

test("the time that the reader takes for itself does not count", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told = telling();
  const events = readEvents(told.response, { timeout: 1000 });
  told.say("data: a\n\n");
  await events.next();
  t.mock.timers.tick(5000);
  told.say("data: b\n\n");
  assert.equal((await events.next()).value.data, "b");
});

test("without a timeout a stream may be silent for ever", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told = telling();
  const events = readEvents(told.response);
  const waiting = events.next();
  await settle();
  t.mock.timers.tick(2 ** 31 - 1);
  await settle();
  told.say("data: late\n\n");
  assert.equal((await waiting).value.data, "late");
});

test("a stream that ended sets no watchdog off", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const response = made("data: a\n\nevent: done\ndata: [DONE]\n\n");
  const result = await collect(readEvents(response, { timeout: 1 }));
  t.mock.timers.tick(10);
  assert.deepEqual([result.seen.length, result.error], [1, undefined]);
});
