// What OpenAI-compatible services really send, relayed as it is: no word is lost, and no failure reads as a good end.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readEvents, StreamError, textDeltas } from "../../src/sse_bridge/static/fetch-sse.js";
import { collect, made } from "./serving.mjs";

const DONE = "data: [DONE]\n\n";
const frame = (chunk) => `data: ${JSON.stringify(chunk)}\n\n`;
const chunk = (delta, more = {}) => frame({ object: "chat.completion.chunk", choices: [{ index: 0, delta }], ...more });
const text = (content) => chunk({ content });
const textOf = async (body) => collect(textDeltas(readEvents(made(body), { dialect: "openai" })));

for (const [name, choice, said] of [
  ["pieces of text", { delta: { content: [{ type: "text", text: "l" }, { type: "text", text: "o" }] } }, ["lo"]],
  ["thinking beside text", { delta: { content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }, { type: "text", text: "lo" }] } }, ["lo"]],
  ["mere thinking", { delta: { content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }] } }, []],
  ["one piece", { delta: { content: { type: "text", text: "lo" } } }, ["lo"]],
  ["a list of texts", { delta: { content: ["l", "o"] } }, ["lo"]],
  ["a number", { delta: { content: 5 } }, ["5"]],
  ["a text for a delta", { delta: "lo" }, ["lo"]],
  ["a list for a delta", { delta: ["l", "o"] }, ["lo"]],
  ["a piece with a value", { delta: { content: [{ type: "text", text: { value: "lo" } }] } }, ["lo"]],
  ["a piece with content", { delta: { content: [{ type: "text", content: "lo" }] } }, ["lo"]],
  ["a thought", { delta: { content: [{ type: "thought", text: "hm" }, { type: "text", text: "lo" }] } }, ["lo"]],
  ["a text beside a refusal", { delta: { content: "lo", refusal: "no" } }, ["lono"]],
  ["of index null", { index: null, delta: { content: "lo" } }, ["lo"]],
  ["of an index as text", { index: "0", delta: { content: "lo" } }, ["lo"]],
  ["of another choice", { index: 1, delta: { content: "lo" } }, []],
  ["the whole answer again", { message: { content: "Hel" }, finish_reason: "stop" }, []],
  ["the whole answer, which goes on", { delta: {}, message: { content: "Hello" }, finish_reason: "stop" }, ["lo"]],
  ["a refusal", { delta: { content: null, refusal: "no" } }, ["no"]],
  ["a transcript", { delta: { audio: { transcript: "lo" } } }, ["lo"]],
  ["a legacy text", { text: "lo" }, ["lo"]],
]) {
  test(`content that is ${name} is told as text`, async () => {
    const { seen, error } = await textOf(text("Hel") + frame({ choices: [choice] }) + DONE);
    assert.deepEqual([seen, error], [["Hel", ...said], undefined]);
  });
}

for (const [name, failed, expected] of [
  ["an error in a chunk", { choices: [], error: { message: "m", code: 429 } }, ["m", "429", true]],
  ["a status as text", { choices: [], error: { message: "m", code: "503" } }, ["m", "503", true]],
  ["credentials that were refused", { choices: [], error: { message: "m", code: 401 } }, ["m", "401", false]],
  ["an error in a chunk without choices", { choices: null, error: { message: "m", code: "rate_limited" } }, ["m", "rate_limited", true]],
  ["a text for an error", { choices: [], error: "m" }, ["m", "error", false]],
  ["a finish reason error", { choices: [{ delta: {}, finish_reason: "error" }] }, ["The stream failed.", "error", false]],
  ["an error in a choice", { choices: [{ delta: {}, finish_reason: "error", error: { message: "m" } }] }, ["m", "error", false]],
  ["a broken network", { choices: [{ delta: {}, finish_reason: "network_error" }] }, ["The stream failed.", "error", false]],
  ["an error in a delta", { choices: [{ delta: { error: { message: "m", code: 502 } } }] }, ["m", "502", true]],
  ["Groq's error", { choices: [], x_groq: { error: "m" } }, ["m", "error", false]],
  ["MiniMax's error", { base_resp: { status_code: 1004, status_msg: "m" } }, ["m", "1004", false]],
  ["Spark's error", { code: 10013, message: "m" }, ["m", "10013", false]],
  ["an error beside its message", { error: true, message: "m", code: "overloaded" }, ["m", "overloaded", true]],
  ["an error object", { object: "error", message: "m", code: 500 }, ["m", "500", true]],
  ["Anthropic's error", { type: "error", error: { type: "overloaded_error", message: "m" } }, ["m", "overloaded_error", true]],
  ["an escaped key", null, ["m", "error", false]],
]) {
  test(`${name} is a failure, behind the text before it`, async () => {
    const frames = failed ? frame(failed) : 'data: {"\\u0065rror":{"message":"m"}}\n\n';
    const { seen, error } = await textOf(text("Hel") + frames + DONE);
    assert.deepEqual(seen, ["Hel"]);
    assert.ok(error instanceof StreamError, String(error));
    assert.deepEqual([error.message, error.code, error.retryable], expected);
  });
}

for (const quiet of [
  { choices: [], error: null },
  { choices: [{ delta: { content: 'an "error" in a text' } }] },
  { choices: [{ delta: { content: "x" }, finish_reason: null, error: null }] },
]) {
  test(`${JSON.stringify(quiet)} is no failure`, async () => {
    assert.equal((await textOf(text("Hel") + frame(quiet) + DONE)).error, undefined);
  });
}

for (const [name, body] of [
  ["nothing", ""],
  ["a role", chunk({ role: "assistant", content: "" })],
  ["empty chunks", frame({ choices: [] }) + chunk({})],
  ["empty pieces", chunk({ content: [{ type: "text", text: "" }] })],
  ["empty calls", chunk({ function_call: {} }) + chunk({ tool_calls: [{}] }) + chunk({ annotations: {} })],
  ["no reason to finish", frame({ choices: [{ delta: {}, finish_reason: "null" }] })],
  ["an app's own event", 'event: progress\ndata: {"step":1}\n\n'],
]) {
  test(`an end behind ${name} is no answer`, async () => {
    const { error } = await textOf(body + DONE);
    assert.ok(error instanceof StreamError);
    assert.deepEqual([error.code, error.retryable], ["empty_answer", true]);
  });
}

for (const [name, body] of [
  ["a reason to finish", frame({ choices: [{ delta: {}, finish_reason: "content_filter" }] })],
  ["usage", frame({ choices: [], usage: { total_tokens: 1 } })],
  ["a tool call", chunk({ tool_calls: [{ index: 0, function: { name: "f" } }] })],
  ["thinking", chunk({ reasoning_content: "hm" })],
]) {
  test(`an end behind ${name} alone is the end of an answer`, async () => {
    assert.equal((await textOf(body + DONE)).error, undefined);
  });
}

test("events that are no chunks pass, if they have a name of their own", async () => {
  const { seen, error } = await collect(readEvents(made("event: progress\ndata: Searching\n\n" + text("x") + DONE), { dialect: "openai" }));
  assert.deepEqual([seen.length, seen[0].data, error], [2, "Searching", undefined]);
});

test("messages are deltas where there are no others", async () => {
  const message = (content) => frame({ choices: [{ message: { content } }] });
  assert.deepEqual((await textOf(message("ha") + message("ha") + DONE)).seen, ["ha", "ha"]);
});

test("what starts and ends an answer of the AI SDK's is no answer", async () => {
  const parts = ["start", "text-start", "text-end", "finish"].map((type) => frame({ type, id: "1" }));
  const { error } = await collect(readEvents(made(parts.join("") + DONE), { dialect: "ai-sdk" }));
  assert.equal(error.code, "empty_answer");
});

const deep = (open, close) => `${open.repeat(100_000)}1${close.repeat(100_000)}`;
const odd = '{"toString":1,"valueOf":1}'; // of which no text can be made

for (const hostile of [
  '{"choices":5}',
  '{"choices":[null,7,"x"]}',
  '{"choices":[{"delta":7}]}',
  '{"error":{"message":{},"code":[]}}',
  '{"base_resp":null}',
  `{"code":${odd},"message":"m"}`,
  `{"choices":[{"finish_reason":${odd}}]}`,
  `{"choices":[{"index":${odd},"delta":{"content":[{"type":${odd},"text":"x"}]}}]}`,
  `{"choices":[{"delta":{"content":${deep("[", "]")}}}]}`,
  `{"choices":[{"delta":${deep('{"content":', "}")}}]}`,
]) {
  test(`${hostile.slice(0, 80)} makes no undocumented error`, async () => {
    const { error } = await textOf(text("Hel") + `data: ${hostile}\n\n` + DONE);
    assert.ok(error === undefined || error instanceof StreamError, String(error));
  });
}

for (const retryable of ['"no"', "1", "{}", "null"]) {
  test(`a retryable that is ${retryable} is none, and the code tells`, async () => {
    for (const [code, may] of [["overloaded", true], ["odd", false]]) {
      const { error } = await textOf(`data: {"error":{"code":"${code}","retryable":${retryable}}}\n\n`);
      assert.deepEqual([error.code, error.retryable], [code, may]);
    }
  });
}

test("an error of the AI SDK's that is written in escapes is one", async () => {
  const body = frame({ type: "text-delta", delta: "Hel" }) + 'data: {"t\\u0079pe":"\\u0065rror","errorText":"m"}\n\n';
  const { seen, error } = await collect(textDeltas(readEvents(made(body + DONE), { dialect: "ai-sdk" })));
  assert.deepEqual([seen, error?.message], [["Hel"], "m"]);
});

test("a delta of the AI SDK's that is no text adds nothing", async () => {
  const body = ["Hel", { then: 1 }, true, ["x"]].map((delta) => frame({ type: "text-delta", delta })).join("");
  assert.deepEqual((await collect(textDeltas(readEvents(made(body + DONE), { dialect: "ai-sdk" })))).seen, ["Hel"]);
});
