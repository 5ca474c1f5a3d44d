import assert from "node:assert/strict";
import { test } from "node:test";

import {
  HTTPError,
  readEvents,
  SSEError,
  streamEvents,
  StreamError,
  textDeltas,
  TruncatedError,
} from "../../src/sse_bridge/static/fetch-sse.js";
import { DIALECTS, FRAMES } from "./frames.mjs";
import { begun, bytes, collect, cut, dataOf, made, serve, STREAM, telling, told } from "./serving.mjs";

const textOf = async (response, dialect) => collect(textDeltas(readEvents(response, { dialect }), { dialect }));

for (const dialect of DIALECTS) {
  const { text, finished, failed } = FRAMES[dialect];

  test(`${dialect}: a stream with its end frame finishes, and the frame is not shown`, async () => {
    const { seen, error } = await collect(readEvents(made(text + finished), { dialect }));
    assert.equal(error, undefined);
    assert.ok(seen.length >= 2 && seen.every(({ data }) => data !== "[DONE]"));
  });

  test(`${dialect}: what comes after the end is not read`, async () => {
    const { error, seen } = await textOf(made(text + finished + text + failed), dialect);
    assert.deepEqual([seen, error], [["Hel", "lo 你"], undefined]);
  });

  test(`${dialect}: a failure comes after the text before it, even in one piece`, async () => {
    const { seen, error } = await textOf(made(text + failed), dialect);
    assert.deepEqual(seen, ["Hel", "lo 你"]);
    assert.ok(error instanceof StreamError && error instanceof SSEError);
    assert.equal(error.message, "The model failed.");
    if (dialect !== "ai-sdk") assert.deepEqual([error.code, error.retryable], ["upstream_error", true]);
  });

  test(`${dialect}: a body that ends without its end frame is truncated, wherever it ends`, async () => {
    const stream = bytes(text + finished);
    const last = finished.lastIndexOf("\n\n") - finished.length;
    for (let end = 0; end < stream.length + last + 2; end++) {
      const { error } = await textOf(made(stream.subarray(0, end)), dialect);
      assert.ok(error instanceof TruncatedError, `cut at ${end}`);
      assert.deepEqual([error.code, error.retryable], ["truncated", true]);
    }
  });

  test(`${dialect}: a stream cut at every byte says the same`, async () => {
    const stream = bytes(text + failed);
    const { seen, error } = await textOf(made(...Array.from(stream, (byte) => Uint8Array.of(byte))), dialect);
    assert.deepEqual(seen, ["Hel", "lo 你"]);
    assert.equal(error.name, "StreamError");
  });

  test(`${dialect}: a connection that is reset is truncated after the text`, async (t) => {
    const { url } = await serve(t, cut(text));
    const { seen, error } = await collect(textDeltas(streamEvents(url, { dialect }), { dialect }));
    assert.deepEqual(seen, ["Hel", "lo 你"]);
    assert.ok(error instanceof TruncatedError);
    assert.ok(error.cause instanceof Error);
  });
}

test("an answer that ends in order, but without the end frame, is truncated", async (t) => {
  const { url } = await serve(t, told(FRAMES.plain.text));
  const result = await collect(streamEvents(url));
  assert.deepEqual([dataOf(result), result.error.code], [["Hel", "lo 你"], "truncated"]);
});

test("plain: text that looks like an end or a failure is text", async () => {
  const said = ["[DONE]", "{}", '{"error":{"message":"no"}}', "done", "error"];
  const stream = said.map((data) => `data: ${data}\n\n`).join("");
  const result = await collect(readEvents(made(stream + FRAMES.plain.finished)));
  assert.deepEqual([dataOf(result), result.error], [said, undefined]);
});

test("plain: an event named done is the end only with the end's data", async () => {
  const stream = "event: done\ndata: 3 of 4\n\nevent: other\ndata: [DONE]\n\n" + FRAMES.plain.finished;
  const result = await collect(readEvents(made(stream)));
  assert.deepEqual([dataOf(result), result.error], [["3 of 4", "[DONE]"], undefined]);
});

const FAILURES = {
  "an error in words": ["plain", "event: error\ndata: Sorry, no.\n\n", "Sorry, no.", "error", false],
  "an error without a message": ["plain", 'event: error\ndata: {"code":"odd"}\n\n', "The stream failed.", "odd", false],
  "an error that says nothing": ["plain", "event: error\ndata\n\n", "", "error", false],
  "an error that may not be tried again": [
    "delta",
    'event: error\ndata: {"code":"shutdown","message":"Bye.","retryable":false}\n\n',
    ...["Bye.", "shutdown", false],
  ],
  "a shutdown in openai": [
    "openai",
    'data: {"error":{"message":"Bye.","code":"shutdown"}}\n\n',
    ...["Bye.", "shutdown", true],
  ],
  "an error with a type alone": [
    "openai",
    'data: {"error":{"message":"Busy.","type":"overloaded"}}\n\n',
    ...["Busy.", "overloaded", true],
  ],
  "an error that is a string": ["openai", 'data: {"error":"no such model"}\n\n', "no such model", "error", false],
  "a named error in openai": ["openai", 'event: error\ndata: {"message":"m","code":"c"}\n\n', "m", "c", false],
  "a named error in words in openai": ["openai", "event: error\ndata: words\n\n", "words", "error", false],
  "an abort in ai-sdk": ["ai-sdk", 'data: {"type":"abort"}\n\n', "The stream failed.", "abort", false],
  "an abort with its reason": ["ai-sdk", 'data: {"type":"abort","reason":"quota"}\n\n', "quota", "abort", false],
};

for (const [name, [dialect, frame, message, code, retryable]] of Object.entries(FAILURES)) {
  test(`${name} is told as it came`, async () => {
    const { error } = await collect(readEvents(made(frame), { dialect }));
    assert.ok(error instanceof StreamError);
    assert.deepEqual([error.message, error.code, error.retryable], [message, code, retryable]);
  });
}

test("openai: an answer that speaks of errors has not failed", async () => {
  const said = [
    '{"choices":[{"delta":{"content":"{\\"error\\": 1}"}}]}',
    '{"choices":[{"delta":{"content":"x"}}],"error":null}',
    '{"choices":[{"delta":{"tool_calls":[{"function":{"name":"error","arguments":""}}]}}]}',
  ];
  const stream = said.map((data) => `data: ${data}\n\n`).join("") + "data: [DONE]\n\n";
  const result = await collect(readEvents(made(stream), { dialect: "openai" }));
  assert.deepEqual([dataOf(result), result.error], [said, undefined]);
});

test("ai-sdk: an answer that speaks of errors has not failed", async () => {
  const stream = 'data: {"type":"text-delta","id":"error","delta":"abort"}\n\ndata: [DONE]\n\n';
  const result = await collect(readEvents(made(stream), { dialect: "ai-sdk" }));
  assert.deepEqual([result.seen.length, result.error], [1, undefined]);
});

test("204 is over: nothing came, and nothing failed", async (t) => {
  const { url, requests } = await serve(t, told("", { status: 204, headers: {} }));
  const result = await collect(streamEvents(url, { reconnect: true }));
  assert.deepEqual([result, requests.length], [{ seen: [], error: undefined }, 1]);
});

test("an event too long is told after the events before it", async () => {
  for (const pieces of [["data: ok\n\ndata: much too long"], ["data: ok\n\ndata: much", " too long"]]) {
    const { response, say } = telling();
    const events = readEvents(response, { maxBuffer: 12 });
    pieces.forEach(say);
    assert.equal((await events.next()).value.data, "ok");
    say("\n\n");
    await assert.rejects(events.next(), { code: "too_large", retryable: false });
  }
});

test("an event too long is too long even if the body ends with it", async () => {
  const result = await collect(readEvents(made("data: ok\n\ndata: much too long\n\n"), { maxBuffer: 12 }));
  assert.deepEqual([dataOf(result), result.error.code], [["ok"], "too_large"]);
});

test("a reader who fetched by hand is told what streamEvents tells", async (t) => {
  const headers = { "content-type": "application/json" };
  const { url } = await serve(t, told('{"detail":"no"}', { status: 400, headers }));
  const { error } = await collect(readEvents(await fetch(url)));
  assert.ok(error instanceof HTTPError);
  assert.deepEqual([error.status, error.message], [400, "no"]);
});

test("what a body throws is a cut if it is a TypeError, and passes as it is otherwise", async () => {
  for (const thrown of [new TypeError("terminated"), new RangeError("own"), "own"]) {
    const { response, say, break: fail } = telling();
    const events = readEvents(response);
    say("data: a\n\n");
    assert.equal((await events.next()).value.data, "a");
    fail(thrown);
    const { error } = await collect(events);
    if (thrown instanceof TypeError) assert.deepEqual([error.code, error.cause], ["truncated", thrown]);
    else assert.equal(error, thrown);
  }
});

test("a response without a body is truncated", async () => {
  const { error } = await collect(readEvents(new Response(null, { headers: STREAM })));
  assert.ok(error instanceof TruncatedError, String(error));
});

test("the end frame is the end, even while the body stays open", async (t) => {
  const { url } = await serve(t, begun(FRAMES.plain.text + FRAMES.plain.finished));
  const result = await collect(streamEvents(url));
  assert.deepEqual([dataOf(result), result.error], [["Hel", "lo 你"], undefined]);
});

test("a dialect that is none is refused at once", () => {
  for (const dialect of ["openAI", "toString", null]) {
    assert.throws(() => readEvents(made(""), { dialect }), { name: "TypeError", message: /plain, delta/ });
    assert.throws(() => streamEvents("http://x", { dialect }), TypeError);
  }
});
