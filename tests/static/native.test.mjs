// React Native: a fetch without a body stream, and the AbortController that it has.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter } from "node:path";
import { test } from "node:test";
import { fetchSSE, streamEvents, textDeltas } from "../../src/sse_bridge/static/fetch-sse.js";
import { FRAMES } from "./frames.mjs";
import { collect } from "./serving.mjs";

const packages = process.env.PATH.split(delimiter).map((folder) => `${folder}/../abort-controller`);
const { AbortController } = createRequire(import.meta.url)(packages.find(existsSync));

const WHOLE = FRAMES.delta.text + FRAMES.delta.finished;
const headers = new Headers({ "content-type": "text/event-stream" });
const response = (more) => ({ ok: true, status: 200, statusText: "OK", headers, ...more });

/** React Native's fetch: no body stream, and an AbortSignal that knows no reason. */
function native(t, text, more = {}) {
  const asked = [];
  const own = globalThis.AbortController;
  globalThis.AbortController = AbortController;
  t.after(() => (globalThis.AbortController = own));
  const fetch = async (...call) => {
    asked.push(call);
    return response({ text: async () => text, ...more });
  };
  return { fetch, asked };
}

test("without a body stream the text is read whole and told event by event", async (t) => {
  const { fetch, asked } = native(t, WHOLE);
  const repost = { attempts: 3, delay: 0, repost: true };
  const events = streamEvents("http://h/", { dialect: "delta", fetch, body: {}, reconnect: repost });
  let text = "";
  for await (const piece of textDeltas(events)) text += piece;
  assert.deepEqual([text.length > 0, asked.length], [true, 1]);
});

test("a whole answer without its end is still cut", async (t) => {
  const { fetch } = native(t, FRAMES.delta.text);
  const { seen, error } = await collect(streamEvents("http://h/", { dialect: "delta", fetch }));
  assert.deepEqual([seen.length > 0, error.code], [true, "truncated"]);
});

test("a refusal keeps its words", async (t) => {
  const json = new Headers({ "content-type": "application/json" });
  const { fetch } = native(t, '{"error": {"message": "slow down"}}', { ok: false, status: 429, headers: json });
  const { error } = await collect(streamEvents("http://h/", { fetch }));
  assert.deepEqual([error.status, error.message], [429, "slow down"]);
});

test("an abort there has a reason all the same", async (t) => {
  const { fetch } = native(t, "");
  const stop = new AbortController();
  const events = streamEvents("http://h/", { fetch: () => new Promise(() => {}), signal: stop.signal });
  setTimeout(() => stop.abort());
  assert.equal((await collect(events)).error.code, "aborted");
  assert.equal(await fetchSSE({ url: "http://h/", fetch, signal: stop.signal, fail: () => {} }), false);
});

test("return() ends it there, too", async (t) => {
  native(t, "");
  const events = streamEvents("http://h/", { fetch: () => new Promise(() => {}) });
  const waiting = events.next();
  await events.return();
  assert.deepEqual(await waiting, { done: true, value: undefined });
});
