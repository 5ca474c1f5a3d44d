// Where it runs: pages that are left, bodies of other libraries, addresses that nothing is sent to; and what it ignores.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Decoder, fetchSSE, readEvents, streamEvents } from "../../src/sse_bridge/static/fetch-sse.js";
import { FRAMES } from "./frames.mjs";
import { begun, bytes, collect, made, serve, told } from "./serving.mjs";

const WHOLE = FRAMES.delta.text + FRAMES.delta.finished;

// -- addresses --------------------------------------------------------------------------------------

for (const url of [
  "ftp://h/x", "mailto:a@b", "javascript:void 0", "about:blank", "ws://h/", "wss://h/", "tel:1",
  " FTP://h/x", "JavaScript:void 0", new URL("mailto:a@b"), "", undefined,
]) {
  test(`an address that nothing can be sent to is a TypeError at once: ${url}`, () => {
    const wanted = { name: "TypeError", message: `url must be one for fetch, got ${url}` };
    assert.throws(() => streamEvents(url, { reconnect: true }), wanted);
  });
}

test("addresses that only look like it are sent", async (t) => {
  const { url } = await serve(t, told(WHOLE));
  for (const end of ["?next=ftp://h", "about:blank", "mailto:a"]) {
    assert.equal((await collect(streamEvents(url + end, { dialect: "delta" }))).error, undefined);
  }
});

// -- comments ---------------------------------------------------------------------------------------

const LINES = ": ping\n:\nevents: x\nretry: soon\nid: a\0b\nretry: 5\nid: 1\ndata: x\n\n";
const IGNORED = [": ping", ":", "events: x", "retry: soon", "id: a\0b"];

test("a decoder shows comments and the lines it ignores", () => {
  const lines = [];
  new Decoder({ onComment: (line) => lines.push(line) }).feed(LINES);
  assert.deepEqual(lines, IGNORED);
});

test("so do streams, over reconnects, and responses of one's own", async (t) => {
  const { url } = await serve(t, told(LINES), told(LINES + "event: done\ndata: [DONE]\n\n"));
  const lines = [];
  const onComment = (line) => lines.push(line);
  await collect(streamEvents(url, { onComment, reconnect: { attempts: 1, delay: 0 } }));
  await collect(readEvents(made(LINES), { onComment }));
  assert.deepEqual(lines, [...IGNORED, ...IGNORED, ...IGNORED]);
});

test("onComment that throws costs no event before it", async () => {
  const onComment = () => {
    throw new Error("its own");
  };
  const { seen, error } = await collect(readEvents(made("data: a\n\n: c\ndata: b\n\n"), { onComment }));
  assert.deepEqual([seen.map(({ data }) => data), error.message], [["a"], "its own"]);
});

// -- other fetches' bodies --------------------------------------------------------------------------

const headers = new Headers({ "content-type": "text/event-stream" });
const response = (more) => ({ ok: true, status: 200, statusText: "OK", headers, ...more });
const through = (...responses) => ({ dialect: "delta", fetch: async () => responses.shift() });

test("a body without cancel() hides no reason", async () => {
  const reader = { read: () => Promise.reject(new Error("the reason")), cancel: async () => {} };
  const { error } = await collect(streamEvents("http://h/", through(response({ body: { getReader: () => reader } }))));
  assert.equal(error.message, "the reason");
});

test("nor does one that is refused", async () => {
  const refused = response({ ok: false, status: 500, body: {}, text: async () => "the reason" });
  const { error } = await collect(streamEvents("http://h/", through(refused)));
  assert.deepEqual([error.status, error.body], [500, "the reason"]);
});

test("a body that is iterated only, as Node's streams are, is read, and left at the end", async () => {
  let left = 0;
  async function* pieces() {
    try {
      for (const piece of [WHOLE.slice(0, 9), WHOLE.slice(9), "more"]) yield bytes(piece);
    } finally {
      left += 1;
    }
  }
  const { seen, error } = await collect(streamEvents("http://h/", through(response({ body: pieces() }))));
  assert.deepEqual([seen.length > 0, error], [true, undefined]);
  await new Promise((turn) => setTimeout(turn));
  assert.equal(left, 1);
});

test("an abort ends a read that waits on a body which is iterated only", async () => {
  const stop = new AbortController();
  let aborted;
  async function* silent() {
    yield bytes(FRAMES.delta.text);
    await new Promise((resolve) => (aborted = resolve));
  }
  const fetch = async (url, { signal }) => {
    signal.addEventListener("abort", () => aborted());
    return response({ body: silent() });
  };
  const events = streamEvents("http://h/", { dialect: "delta", fetch, signal: stop.signal });
  await events.next();
  setTimeout(() => stop.abort());
  assert.equal((await collect(events)).error.name, "AbortError");
});

// -- pages ------------------------------------------------------------------------------------------

/** A page: what is listened for, and how to have it happen. */
function page(t) {
  const target = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener"]) {
    globalThis[name] = target[name].bind(target);
    t.after(() => delete globalThis[name]);
  }
  return { happen: (name) => target.dispatchEvent(new Event(name)) };
}

test("a page that is left ends its connection, and tells when it is shown again", async (t) => {
  const { happen } = page(t);
  const { url, requests } = await serve(t, begun("data: a\n\n"));
  const events = streamEvents(url, { reconnect: true });
  assert.equal((await events.next()).value.data, "a");
  let failed;
  const waiting = events.next().catch((error) => (failed = error));
  happen("pagehide");
  await requests[0].closed;
  assert.equal(failed, undefined);
  happen("pageshow");
  await waiting;
  assert.deepEqual([failed.name, failed.code, failed.retryable], ["SSEError", "page_hidden", true]);
  assert.equal(requests.length, 1);
});

test("a reader that is busy when its page is left ends its connection all the same, and is told when it goes on", async (t) => {
  const { happen } = page(t);
  const { url, requests } = await serve(t, begun("data: a\n\ndata: b\n\n"));
  const events = streamEvents(url);
  await events.next();
  happen("pagehide");
  await requests[0].closed;
  happen("pageshow");
  assert.equal((await events.next().catch((error) => error)).code, "page_hidden");
});

test("so does a signal, also for a response of one's own", async (t) => {
  const { url, requests } = await serve(t, begun("data: a\n\n"));
  for (const read of [(options) => streamEvents(url, options), async (options) => readEvents(await fetch(url), options)]) {
    const stop = new AbortController();
    const events = await read({ signal: stop.signal });
    await events.next();
    stop.abort();
    await requests.at(-1).closed;
  }
});

test("a server's own error of that name is an error like any other", async (t) => {
  const { url } = await serve(t, told('event: error\ndata: {"code":"page_hidden","message":"own"}\n\n'));
  assert.equal((await collect(streamEvents(url))).error.message, "own");
});

test("a stream that is over listens no more", async (t) => {
  const { happen } = page(t);
  const { url } = await serve(t, told("event: done\ndata: [DONE]\n\n"));
  assert.equal((await collect(streamEvents(url))).error, undefined);
  happen("pagehide");
});

test("an option keeps it going", async (t) => {
  const { happen } = page(t);
  let say;
  const { url } = await serve(t, (response) => {
    begun("data: a\n\n")(response);
    say = (text) => response.end(text);
  });
  const events = streamEvents(url, { pagehide: false });
  await events.next();
  happen("pagehide");
  say("event: done\ndata: [DONE]\n\n");
  assert.equal((await events.next()).done, true);
});

test("fetchSSE tells fail", async (t) => {
  const { happen } = page(t);
  const { url } = await serve(t, begun("data: a\n\n"));
  let failed;
  const over = fetchSSE({ url, success: () => setTimeout(happen, 0, "pagehide"), fail: (error) => (failed = error) });
  setTimeout(() => happen("pageshow"), 300);
  assert.equal(await over, false);
  assert.equal(failed.code, "page_hidden");
});
