import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";

import { streamEvents } from "../../src/sse_bridge/static/fetch-sse.js";
import { FRAMES } from "./frames.mjs";
import { collect, dataOf, serve, told } from "./serving.mjs";

const { text, finished } = FRAMES.plain;

async function requestOf(t, options) {
  const { url, requests } = await serve(t, told(text + finished));
  const result = await collect(streamEvents(url, options));
  assert.equal(result.error, undefined);
  return requests[0];
}

test("without a body it is a GET that asks for an event stream", async (t) => {
  const { method, headers, body } = await requestOf(t);
  assert.deepEqual([method, headers.accept, body], ["GET", "text/event-stream", ""]);
  assert.equal(headers["last-event-id"], undefined);
  assert.equal(headers["content-type"], undefined);
});

for (const body of [{ prompt: "你好" }, [1, "2"], {}, Object.assign(Object.create(null), { a: 1 })]) {
  test(`${JSON.stringify(body)} is sent as JSON by POST`, async (t) => {
    const request = await requestOf(t, { body });
    assert.deepEqual([request.method, request.headers["content-type"]], ["POST", "application/json"]);
    assert.equal(request.body, JSON.stringify(body));
  });
}

test("a content type and an accept of one's own are kept", async (t) => {
  const given = { "Content-Type": "application/vnd.x+json", Accept: "text/event-stream, */*", "X-Key": "k" };
  for (const headers of [given, Object.entries(given), new Headers(given)]) {
    const request = await requestOf(t, { headers, body: { a: 1 } });
    const { accept, "x-key": key, "content-type": type } = request.headers;
    assert.deepEqual([type, accept, key], [given["Content-Type"], given.Accept, "k"]);
  }
});

test("the caller's headers are not changed", async (t) => {
  const headers = new Headers();
  await requestOf(t, { headers, body: { a: 1 }, lastEventId: "1" });
  assert.deepEqual([...headers], []);
});

test("a string is sent as it is", async (t) => {
  const request = await requestOf(t, { body: '{"a": 1}' });
  assert.deepEqual([request.method, request.body], ["POST", '{"a": 1}']);
  assert.equal(request.headers["content-type"], "text/plain;charset=UTF-8");
});

test("URLSearchParams and bytes are sent as they are", async (t) => {
  const form = await requestOf(t, { body: new URLSearchParams({ a: "1 2" }) });
  assert.deepEqual([form.method, form.body], ["POST", "a=1+2"]);
  assert.match(form.headers["content-type"], /^application\/x-www-form-urlencoded/);
  const raw = await requestOf(t, { body: new TextEncoder().encode("raw") });
  assert.deepEqual([raw.method, raw.body], ["POST", "raw"]);
});

test("FormData keeps its own content type", async (t) => {
  const body = new FormData();
  body.set("name", "value");
  const request = await requestOf(t, { body });
  assert.match(request.headers["content-type"], /^multipart\/form-data; boundary=/);
  assert.match(request.body, /name="name"\r\n\r\nvalue/);
});

test("a stream is sent as it is, an object that is one too", async (t) => {
  const iterable = { [Symbol.asyncIterator]: () => new Blob(["part"]).stream().values() };
  assert.equal((await requestOf(t, { body: iterable, duplex: "half" })).body, "part");
  const request = await requestOf(t, { body: new Blob(["piece"]).stream(), duplex: "half" });
  assert.deepEqual([request.method, request.body], ["POST", "piece"]);
});

test("the method can be given, in any case", async (t) => {
  assert.equal((await requestOf(t, { method: "patch", body: { a: 1 } })).method, "PATCH");
  assert.equal((await requestOf(t, { method: "get", reconnect: true })).method, "GET");
  assert.equal((await requestOf(t, { method: "POST" })).method, "POST");
});

test("a Last-Event-ID from before is sent with the first request", async (t) => {
  assert.equal((await requestOf(t, { lastEventId: "41" })).headers["last-event-id"], "41");
});

test("an id beyond Latin-1 is sent in UTF-8, as an EventSource does", async (t) => {
  const sent = (await requestOf(t, { lastEventId: "é你😀" })).headers["last-event-id"];
  assert.equal(Buffer.from(sent, "latin1").toString(), "é你😀");
});

test("a URL object will do, and another fetch can be given", async (t) => {
  const { url, requests } = await serve(t, told(text + finished));
  const seen = [];
  const through = (target, init) => (seen.push([target, init.cache]), fetch(target, init));
  const target = new URL("path?q=1", url);
  const result = await collect(streamEvents(target, { fetch: through }));
  assert.deepEqual([dataOf(result), requests[0].url], [["Hel", "lo 你"], "/path?q=1"]);
  assert.deepEqual(seen, [[target, "no-store"]]);
});

test("no request is sent before the first event is asked for", async (t) => {
  const { url, requests } = await serve(t, told(text + finished));
  await streamEvents(url).return();
  assert.equal(requests.length, 0);
});

test("onOpen sees the response before its events, and is waited for", async (t) => {
  const { url } = await serve(t, told(text + finished));
  const order = [];
  const onOpen = async ({ status, headers }) => {
    await null;
    order.push([status, headers.get("content-type")]);
  };
  for await (const { data } of streamEvents(url, { onOpen })) order.push(data);
  assert.deepEqual(order, [[200, "text/event-stream; charset=utf-8"], "Hel", "lo 你"]);
});

test("the type of a stream may be written in any case and with parameters", async (t) => {
  for (const type of ["Text/Event-Stream", "text/event-stream ; charset=latin1"]) {
    const { url } = await serve(t, told(text + finished, { headers: { "content-type": type } }));
    assert.deepEqual(dataOf(await collect(streamEvents(url))), ["Hel", "lo 你"]);
  }
});

test("a server that cannot be reached is a network error", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  const { error } = await collect(streamEvents(`http://127.0.0.1:${port}/`));
  assert.deepEqual([error.name, error.code, error.retryable], ["SSEError", "network_error", true]);
  assert.ok(error.cause instanceof TypeError);
});

const IMPOSSIBLE = {
  "an address that is none": ["http://["],
  "an address without a host, where there is no page": ["/chat"],
  "a password in the address": ["http://me:secret@never.asked/"],
  "a method that is none": ["http://never.asked/", { method: "no such" }],
  "a mode that is none": ["http://never.asked/", { mode: "no such" }],
  "a GET with a body": ["http://never.asked/", { method: "GET", body: { a: 1 } }],
};

for (const [name, [url, options]] of Object.entries(IMPOSSIBLE)) {
  test(`${name} is fetch's own TypeError, and is not tried again`, async () => {
    const onReconnect = () => assert.fail("tried again");
    const { error } = await collect(streamEvents(url, { ...options, reconnect: { repost: true }, onReconnect }));
    const { constructor, code } = error;
    assert.deepEqual([constructor, code === "network_error"], [TypeError, false], String(error));
  });
}

test("what another fetch throws passes as it is, but for its TypeErrors", async () => {
  for (const own of [new RangeError("no token"), new Error("no token"), "no token"]) {
    const fetch = () => Promise.reject(own);
    assert.equal((await collect(streamEvents("http://never.asked/", { fetch, reconnect: true }))).error, own);
  }
  const cause = new TypeError("Failed to fetch");
  const { error } = await collect(streamEvents("http://never.asked/", { fetch: () => Promise.reject(cause) }));
  assert.deepEqual([error.code, error.cause], ["network_error", cause]);
});

test("wrong options are refused at once", () => {
  assert.throws(() => streamEvents(), { name: "TypeError", message: /url/ });
  for (const timeout of [-1, NaN, 2 ** 31, Infinity]) {
    assert.throws(() => streamEvents("http://x", { timeout }), { name: "RangeError", message: /timeout/ });
  }
  assert.throws(() => streamEvents("http://x", { maxBuffer: 0 }), RangeError);
});
