import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";

import { HTTPError, SSEError, streamEvents } from "../../src/sse_bridge/static/fetch-sse.js";
import { FRAMES } from "./frames.mjs";
import { collect, dataOf, serve, told } from "./serving.mjs";

const { text, finished } = FRAMES.plain;
const JSON_TYPE = { "content-type": "application/json" };

async function requestOf(t, options) {
  const { url, requests } = await serve(t, told(text + finished));
  const result = await collect(streamEvents(url, options));
  assert.equal(result.error, undefined);
  return requests[0];
}

async function errorOf(t, body, status, headers = JSON_TYPE) {
  const { url } = await serve(t, told(body, { status, headers }));
  return (await collect(streamEvents(url))).error;
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

const REFUSALS = {
  "openai's form": ['{"error":{"message":"No key."}}', 401, "No key.", false],
  "a message": ['{"message":"Wait."}', 429, "Wait.", true],
  "FastAPI's detail": ['{"detail":"Not here."}', 404, "Not here.", false],
  "a detail that is a list": ['{"detail":[{"loc":["body"]}]}', 422, "422 Unprocessable Entity", false],
  "JSON that is none": ["{", 503, "503 Service Unavailable", true],
  "nothing at all": ["", 500, "500 Internal Server Error", true],
};

for (const [name, [body, status, message, retryable]] of Object.entries(REFUSALS)) {
  test(`a refusal with ${name} is an HTTPError`, async (t) => {
    const error = await errorOf(t, body, status);
    assert.ok(error instanceof HTTPError && error instanceof SSEError);
    assert.deepEqual([error.name, error.code], ["HTTPError", "http_error"]);
    assert.deepEqual([error.status, error.message, error.retryable], [status, message, retryable]);
    assert.equal(error.headers.get("content-type"), "application/json");
    let parsed = body;
    try {
      parsed = JSON.parse(body);
    } catch {}
    assert.deepEqual(error.body, parsed);
  });
}

test("a refusal in HTML keeps its text", async (t) => {
  const error = await errorOf(t, "<h1>Bad Gateway</h1>", 502, { "content-type": "text/html" });
  assert.deepEqual([error.body, error.message], ["<h1>Bad Gateway</h1>", "502 Bad Gateway"]);
});

test("a refusal with problem+json is parsed, characters cut or not", async (t) => {
  const error = await errorOf(t, '{"title":"你"}', 403, { "content-type": "application/problem+json" });
  assert.deepEqual(error.body, { title: "你" });
});

test("a refusal whose body is cut is still an HTTPError, with what came", async (t) => {
  const { url } = await serve(t, (response, request) => {
    response.writeHead(503, { "content-length": 100 });
    response.write("Sorry", () => setTimeout(() => request.socket.destroy(), 20));
  });
  const { error } = await collect(streamEvents(url));
  assert.deepEqual([error.name, error.status, error.body], ["HTTPError", 503, "Sorry"]);
});

for (const type of ["text/html", "application/json", "text/event-stream-not", undefined]) {
  test(`an answer of type ${type} is no stream, and its connection ends`, async (t) => {
    const { url, requests } = await serve(t, (response) => {
      response.writeHead(200, type ? { "content-type": type } : {}).write("data: a\n\n");
    });
    const { seen, error } = await collect(streamEvents(url));
    assert.deepEqual([seen, error.code, error.retryable], [[], "not_a_stream", false]);
    assert.ok(error instanceof SSEError && error.message.includes(type ?? "no type"));
    await requests[0].closed;
  });
}

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

test("wrong options are refused at once", () => {
  assert.throws(() => streamEvents(), { name: "TypeError", message: /url/ });
  for (const timeout of [-1, NaN, 2 ** 31, Infinity]) {
    assert.throws(() => streamEvents("http://x", { timeout }), { name: "RangeError", message: /timeout/ });
  }
  assert.throws(() => streamEvents("http://x", { maxBuffer: 0 }), RangeError);
});
