import assert from "node:assert/strict";
import { test } from "node:test";

import { readEvents, streamEvents, textDeltas } from "../../src/sse_bridge/static/fetch-sse.js";
import { FRAMES } from "./frames.mjs";
import { begun, collect, made, serve, settle, STREAM, telling } from "./serving.mjs";

const { text, finished } = FRAMES.plain;
const OVER = { value: undefined, done: true };

test("a signal that is aborted already lets no request out", async (t) => {
  const { url, requests } = await serve(t, begun());
  const { seen, error } = await collect(streamEvents(url, { signal: AbortSignal.abort() }));
  assert.deepEqual([seen, error.name, requests.length], [[], "AbortError", 0]);
});

test("an abort before the headers ends the request, with the signal's own reason", async (t) => {
  const stop = new AbortController();
  const why = new Error("enough");
  const { url, requests } = await serve(t, () => stop.abort(why));
  const { error } = await collect(streamEvents(url, { signal: stop.signal, reconnect: true }));
  assert.equal(error, why);
  await requests[0].closed;
});

test("an abort in the body ends the connection at once", async (t) => {
  const stop = new AbortController();
  const { url, requests } = await serve(t, begun(text));
  const seen = [];
  await assert.rejects(
    async () => {
      for await (const { data } of streamEvents(url, { signal: stop.signal })) {
        seen.push(data);
        if (seen.length === 2) setImmediate(() => stop.abort());
      }
    },
    { name: "AbortError" },
  );
  assert.deepEqual(seen, ["Hel", "lo 你"]);
  await requests[0].closed;
});

test("after an abort no event comes, even if it has been read already", async (t) => {
  const stop = new AbortController();
  const { url, requests } = await serve(t, begun(text + finished));
  const events = streamEvents(url, { signal: stop.signal });
  assert.equal((await events.next()).value.data, "Hel");
  stop.abort();
  await assert.rejects(events.next(), { name: "AbortError" });
  assert.deepEqual(await events.next(), OVER);
  await requests[0].closed;
});

test("an abort in onOpen ends the connection, however silent the server is", async (t) => {
  const stop = new AbortController();
  const { url, requests } = await serve(t, begun());
  const { error } = await collect(streamEvents(url, { signal: stop.signal, onOpen: () => stop.abort() }));
  assert.equal(error.name, "AbortError");
  await requests[0].closed;
});

test("an abort while a refusal is being read ends it", async (t) => {
  const stop = new AbortController();
  const { url, requests } = await serve(t, (response) => {
    response.writeHead(500).write("Sor");
    setImmediate(() => stop.abort());
  });
  const { error } = await collect(streamEvents(url, { signal: stop.signal }));
  assert.equal(error.name, "AbortError");
  await requests[0].closed;
});

test("a stream that is over leaves nothing on the signal", async (t) => {
  const { signal } = new AbortController();
  const listeners = new Set();
  t.mock.method(signal, "addEventListener", (_, listener) => listeners.add(listener));
  t.mock.method(signal, "removeEventListener", (_, listener) => listeners.delete(listener));
  const { url } = await serve(t, begun(text + finished));
  await collect(streamEvents(url, { signal }));
  assert.equal(listeners.size, 0);
});

test("break ends the connection", async (t) => {
  const { url, requests } = await serve(t, begun(text));
  for await (const { data } of streamEvents(url)) {
    assert.equal(data, "Hel");
    break;
  }
  await requests[0].closed;
});

test("an exception in the loop ends the connection, through textDeltas too", async (t) => {
  const { url, requests } = await serve(t, begun(text));
  for (const events of [streamEvents(url), textDeltas(streamEvents(url))]) {
    await assert.rejects(async () => {
      for await (const event of events) throw new Error(`own: ${event}`);
    }, /own/);
    await requests.at(-1).closed;
  }
});

test("return() before the headers ends the request and the next() that waits", async (t) => {
  let arrived;
  const arrival = new Promise((resolve) => (arrived = resolve));
  const { url, requests } = await serve(t, () => arrived());
  const events = streamEvents(url);
  const waiting = events.next();
  await arrival;
  assert.deepEqual(await events.return(), OVER);
  assert.deepEqual(await waiting, OVER);
  await requests[0].closed;
});

const READERS = {
  streamEvents: async (url) => streamEvents(url),
  readEvents: async (url) => readEvents(await fetch(url)),
  textDeltas: async (url) => textDeltas(streamEvents(url)),
};

for (const [name, read] of Object.entries(READERS)) {
  test(`${name}: return() while a next() waits ends the connection at once`, async (t) => {
    const { url, requests } = await serve(t, begun(text));
    const events = await read(url);
    await events.next();
    await events.next();
    const waiting = events.next();
    assert.deepEqual(await events.return("mine"), { value: "mine", done: true });
    assert.deepEqual(await waiting, OVER);
    assert.deepEqual(await events.next(), OVER);
    await requests[0].closed;
  });
}

test("readEvents ends with its signal, before and while it waits", async () => {
  for (const isEarly of [true, false]) {
    const stop = new AbortController();
    const told = telling();
    if (isEarly) stop.abort();
    const result = collect(readEvents(told.response, { signal: stop.signal }));
    await settle();
    if (!isEarly) stop.abort();
    assert.equal((await result).error.name, "AbortError");
    assert.equal(told.cancelled, true);
  }
});

test("readEvents tells an abort of one's own fetch as one", async (t) => {
  const stop = new AbortController();
  const { url } = await serve(t, begun(text));
  const events = readEvents(await fetch(url, { signal: stop.signal }));
  await events.next();
  await events.next();
  setImmediate(() => stop.abort());
  await assert.rejects(events.next(), { name: "AbortError" });
});

test("readEvents tells the reason that one's own fetch was given", async (t) => {
  const stop = new AbortController();
  const why = new Error("enough");
  const { url } = await serve(t, begun());
  const waiting = collect(readEvents(await fetch(url, { signal: stop.signal })));
  setImmediate(() => stop.abort(why));
  assert.equal((await waiting).error, why);
});

const never = () => new Promise(() => {});
const WAITING = {
  onOpen: { fetch: async () => made(text), onOpen: never },
  onReconnect: { fetch: async () => made(""), onReconnect: never, reconnect: true },
  fetch: { fetch: never },
};

for (const [name, options] of Object.entries(WAITING)) {
  test(`an abort ends a stream whose ${name} never comes back`, async () => {
    const stop = new AbortController();
    const ending = collect(streamEvents("http://never.asked/", { ...options, signal: stop.signal }));
    await settle();
    stop.abort();
    const { seen, error } = await ending;
    assert.deepEqual([seen, error.name], [[], "AbortError"]);
  });

  test(`return() ends a stream whose ${name} never comes back`, async () => {
    const events = streamEvents("http://never.asked/", options);
    const waiting = events.next();
    await settle();
    assert.deepEqual(await events.return(), OVER);
    assert.deepEqual(await waiting, OVER);
  });
}

test("an abort while onOpen waits ends the connection", async (t) => {
  const stop = new AbortController();
  const { url, requests } = await serve(t, begun(text));
  const onOpen = () => {
    setImmediate(() => stop.abort());
    return never();
  };
  assert.equal((await collect(streamEvents(url, { onOpen, signal: stop.signal }))).error.name, "AbortError");
  await requests[0].closed;
});

test("an onOpen that throws leaves no connection behind", async (t) => {
  const { url, requests } = await serve(t, begun(text));
  const onOpen = () => {
    throw new Error("own");
  };
  assert.equal((await collect(streamEvents(url, { onOpen, reconnect: true }))).error.message, "own");
  await requests[0].closed;
});

test("an event too long ends the connection at once", async () => {
  const told = telling();
  told.say("data: much too long");
  assert.equal((await collect(readEvents(told.response, { maxBuffer: 8 }))).error.code, "too_large");
  assert.equal(told.cancelled, true);
});

test("a body that does not end after its end frame is let go", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told = telling();
  told.say(text + finished);
  assert.equal((await collect(readEvents(told.response))).error, undefined);
  t.mock.timers.tick(999);
  await settle();
  assert.equal(told.cancelled, undefined);
  t.mock.timers.tick(1);
  await settle();
  assert.equal(told.cancelled, true);
});

test("a body that ends after its end frame leaves its connection to the next request", async (t) => {
  const { url, requests } = await serve(t, (response, { socket }) => {
    requests.at(-1).port = socket.remotePort;
    response.writeHead(200, STREAM).write(text + finished, () => setImmediate(() => response.end()));
  });
  for (const request of [0, 1]) {
    await collect(streamEvents(url));
    await requests[request].closed;
    await settle();
  }
  assert.equal(requests[0].port, requests[1].port);
});
