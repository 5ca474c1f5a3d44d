import assert from "node:assert/strict";
import { test } from "node:test";

import { HTTPError, readEvents, SSEError, streamEvents } from "../../src/sse_bridge/static/fetch-sse.js";
import { collect, serve, settle, telling, told as answer } from "./serving.mjs";

const JSON_TYPE = { "content-type": "application/json" };

async function errorOf(t, body, status, headers = JSON_TYPE) {
  const { url } = await serve(t, answer(body, { status, headers }));
  return (await collect(streamEvents(url))).error;
}

const REFUSALS = {
  "openai's form": ['{"error":{"message":"No key."}}', 401, "No key.", false],
  "a message": ['{"message":"Wait."}', 429, "Wait.", true],
  "a msg": ['{"code":1302,"msg":"Wait."}', 429, "Wait.", true],
  "MiniMax's words": ['{"status_code":1004,"status_msg":"No key."}', 401, "No key.", false],
  "FastAPI's detail": ['{"detail":"Not here."}', 404, "Not here.", false],
  "FastAPI's list of details": ['{"detail":[{"loc":["body"],"msg":"Field required"}]}', 422, "Field required", false],
  "a detail that has a message": ['{"detail":{"message":"Pay."}}', 402, "Pay.", false],
  "a list that tells nothing": ['{"detail":[{"loc":["body"]}]}', 422, "422 Unprocessable Entity", false],
  "an error in words": ['{"error":"no such model"}', 404, "no such model", false],
  "JSON that is none": ["{", 503, "503 Service Unavailable", true],
  "an object that could pass for a text": ['{"error":{"trim":1,"message":{"trim":2}}}', 500, "500 Internal Server Error", true],
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

test("a refusal in a short plain text is told in its words", async (t) => {
  const plain = { "content-type": "text/plain; charset=utf-8" };
  const short = await errorOf(t, "Slow down.", 429, plain);
  assert.deepEqual([short.message, short.body, short.retryable], ["Slow down.", "Slow down.", true]);
  const long = await errorOf(t, "at line 1\n".repeat(50), 500, plain);
  assert.deepEqual([long.message, long.body.length], ["500 Internal Server Error", 500]);
});

for (const type of ["text/html", "application/json", "text/event-stream-not", undefined]) {
  test(`an answer of type ${type} is no stream, and is told as it is`, async (t) => {
    const error = await errorOf(t, "<p>Log in.</p>", 200, type ? { "content-type": type } : {});
    assert.ok(error instanceof HTTPError);
    assert.deepEqual([error.code, error.retryable], ["not_a_stream", false]);
    assert.deepEqual([error.status, error.body], [200, "<p>Log in.</p>"]);
    assert.equal(error.headers.get("content-type"), type ?? null);
    assert.equal(error.message, `Not an event stream, but ${type ?? "no type"}: 200 OK`);
  });
}

test("an answer in JSON that is no stream is parsed, and told in its words", async (t) => {
  const error = await errorOf(t, '{"message":"Queued."}', 202);
  assert.deepEqual([error.code, error.status, error.body], ["not_a_stream", 202, { message: "Queued." }]);
  assert.equal(error.message, "Not an event stream, but application/json: Queued.");
});

test("of a refusal's body no more is read than a reader would", async (t) => {
  const { url, requests } = await serve(t, (response) => {
    response.writeHead(500, { "content-type": "text/html" }).write("x".repeat(400_000));
  });
  const { error } = await collect(streamEvents(url));
  assert.ok(error.body.length >= 100_000 && error.body.length < 400_000, String(error.body.length));
  await requests[0].closed;
});

for (const status of [200, 500]) {
  test(`a ${status} whose body does not end is told after five seconds, with what came`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const told = telling();
    const response = new Response(told.response.body, { status, headers: { "content-type": "text/html" } });
    let error;
    const reading = collect(readEvents(response)).then((end) => ({ error } = end));
    told.say("Sorry");
    await settle();
    t.mock.timers.tick(4999);
    await settle();
    assert.equal(error, undefined);
    t.mock.timers.tick(1);
    await reading;
    assert.deepEqual([error.name, error.status, error.body], ["HTTPError", status, "Sorry"]);
    assert.equal(told.cancelled, true);
  });
}
