import assert from "node:assert/strict";
import { test } from "node:test";

import { fetchSSE } from "../../src/sse_bridge/static/fetch-sse.js";
import { DIALECTS, FRAMES } from "./frames.mjs";
import { begun, cut, made, serve, settle, told } from "./serving.mjs";

/** All calls that fetchSSE makes, in order, for an answer of these frames; `more` may have callbacks of its own. */
async function calls(answer, dialect = "plain", more = {}) {
  const log = [];
  const note = (name) => (...args) => {
    log.push([name, ...args]);
    return more[name]?.(...args);
  };
  const fetch = async () => (typeof answer === "string" ? made(answer) : answer);
  const options = { url: "http://never.asked/", fetch, dialect, ...more };
  for (const name of ["success", "fail", "complete"]) options[name] = note(name);
  const result = await fetchSSE(options).catch((error) => ({ rejected: error }));
  const said = log.filter(([name]) => name === "success").map(([, said]) => said);
  const deltas = said.filter(({ type }) => type === "delta").map(({ data }) => data);
  return { log, names: log.map(([name]) => name), said, deltas, result };
}

const frames = (...payloads) => payloads.map((data) => `data: ${JSON.stringify(data)}\n\n`).join("");
const DONE = "data: [DONE]\n\n";
const PLAIN_DONE = FRAMES.plain.finished;

for (const dialect of DIALECTS) {
  const { text, finished, failed } = FRAMES[dialect];

  test(`${dialect}: a finished stream says its deltas, one finish, and is complete`, async () => {
    const { names, said, log, result } = await calls(text + finished, dialect);
    assert.deepEqual(said.map(({ type }) => type).indexOf("finish"), said.length - 1);
    assert.deepEqual([names.at(-1), names.filter((name) => name !== "success").length], ["complete", 1]);
    assert.deepEqual(log.at(-1), ["complete", true, ""]);
    assert.equal(result, true);
  });

  for (const [kind, end, message] of [
    ["failed", failed, "The model failed."],
    ["truncated", "", "The stream was cut before its end."],
  ]) {
    test(`${dialect}: a ${kind} stream says its deltas, no finish, the error, and is complete`, async () => {
      const { names, said, log, result } = await calls(text + end, dialect);
      assert.ok(said.length >= 2 && said.every(({ type }) => type === "delta"));
      assert.deepEqual(names.slice(said.length), ["fail", "complete"]);
      assert.equal(log.at(-2)[1].message, message);
      assert.deepEqual(log.at(-1), ["complete", false, message]);
      assert.equal(result, false);
    });
  }
}

test("plain: text is said as it is, also where it looks like JSON", async () => {
  const { said } = await calls('data: Hel\n\ndata: {"a": 1}\n\ndata: 5\n\n' + PLAIN_DONE);
  assert.deepEqual(said.map(({ data }) => data), ["Hel", '{"a": 1}', "5", null]);
});

test("plain: a stream of objects is said parsed, and text in it is not lost", async () => {
  const { deltas } = await calls(frames({ a: 1 }, [2], 3) + "data: words\n\n" + PLAIN_DONE);
  assert.deepEqual(deltas, [{ a: 1 }, [2], 3, "words"]);
});

test("plain: what keeps alive is no delta, and says nothing of what the stream is of", async () => {
  const { deltas } = await calls(": ping\n\ndata\n\n" + frames({ a: 1 }) + "data:\n\n" + PLAIN_DONE);
  assert.deepEqual(deltas, [{ a: 1 }]);
});

test("delta: words, tool calls and chunks are deltas; reasoning and usage are left to onEvent", async () => {
  const named = (event, data) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  const call = { index: 0, id: "c", name: "f", arguments: "" };
  const stream =
    named("reasoning", { text: "hm" }) + named("delta", { text: "a" }) + named("tool_call", call) +
    named("chunk", { odd: 1 }) + named("usage", { total_tokens: 3 }) + named("finish", { reason: "stop" });
  const seen = [];
  const { said } = await calls(stream + PLAIN_DONE, "delta", { onEvent: ({ event }) => seen.push(event) });
  assert.deepEqual(said.map(({ data }) => data), [{ text: "a" }, call, { odd: 1 }, { reason: "stop" }]);
  assert.deepEqual(seen, ["reasoning", "delta", "tool_call", "chunk", "usage", "finish"]);
});

test("openai: data is choices[0], and neither usage nor what keeps alive is a delta", async () => {
  const words = { index: 0, delta: { role: "assistant", content: "Hi" }, finish_reason: null };
  const last = { index: 0, delta: {}, finish_reason: "stop" };
  const usage = { choices: [], usage: { total_tokens: 3 } };
  const stream = ": ping\n\ndata:\n\n" + frames({ choices: [words] }, { choices: [last] }, usage, {});
  const { said } = await calls(stream + DONE, "openai");
  assert.deepEqual(said, [{ type: "delta", data: words }, { type: "finish", data: last }]);
});

test("openai: the last words may come with the finish_reason", async () => {
  for (const delta of [{ content: "bye" }, { role: "assistant", tool_calls: [{ index: 0, id: "a" }] }]) {
    const last = { index: 0, delta, finish_reason: "stop" };
    const { said } = await calls(frames({ choices: [last] }) + DONE, "openai");
    assert.deepEqual(said, [{ type: "delta", data: last }, { type: "finish", data: last }]);
  }
});

test("openai: a finish_reason with nothing to say is no delta", async () => {
  for (const delta of [undefined, null, {}, { content: "" }, { role: "assistant", content: null, tool_calls: [] }]) {
    const last = { index: 0, delta, finish_reason: "length" };
    const { deltas, said } = await calls(frames({ choices: [last] }) + DONE, "openai");
    assert.deepEqual([deltas, said.length, said[0].data.finish_reason], [[], 1, "length"]);
  }
});

test("openai: several choices finish once", async () => {
  const end = (index) => ({ choices: [{ index, delta: {}, finish_reason: "stop" }] });
  const { said } = await calls(frames(end(0), end(1)) + DONE, "openai");
  assert.deepEqual(said.map(({ type }) => type), ["finish"]);
});

test("ai-sdk: parts are deltas, the finish part is the finish", async () => {
  const { said } = await calls(FRAMES["ai-sdk"].text + FRAMES["ai-sdk"].finished, "ai-sdk");
  assert.deepEqual(said[2].data, { type: "text-delta", id: "0", delta: "Hel" });
  assert.deepEqual(said.at(-1), { type: "finish", data: { type: "finish" } });
});

test("a stream that ends without a finish of its own finishes with null", async () => {
  for (const [dialect, end] of [["plain", PLAIN_DONE], ["delta", PLAIN_DONE], ["openai", DONE], ["ai-sdk", DONE]]) {
    const { said } = await calls(FRAMES[dialect].text + end, dialect);
    assert.deepEqual(said.at(-1), { type: "finish", data: null });
  }
  assert.deepEqual((await calls(new Response(null, { status: 204 }))).said, [{ type: "finish", data: null }]);
});

test("a payload that is no JSON fails after the deltas before it", async () => {
  const { names, deltas, log } = await calls(FRAMES.openai.text + "data: {oops\n\n" + DONE, "openai");
  assert.deepEqual([deltas.length, names.slice(2)], [2, ["fail", "complete"]]);
  assert.equal(log[2][1].code, "not_json");
});

test("onOpen, onEvent and the rest come in their order", async () => {
  const order = [];
  const add = (name) => () => void order.push(name);
  await calls("data: a\n\n" + PLAIN_DONE, "plain", Object.fromEntries(
    ["onOpen", "onEvent", "success", "fail", "complete"].map((name) => [name, add(name)]),
  ));
  assert.deepEqual(order, ["onOpen", "onEvent", "success", "success", "complete"]);
});

const thrower = () => {
  throw new Error("own");
};
const rejecter = async () => thrower();

for (const name of ["onOpen", "onEvent", "success"]) {
  test(`an ${name} that throws or rejects fails the stream, once, and ends its connection`, async (t) => {
    const { url, requests } = await serve(t, begun(FRAMES.plain.text));
    for (const boom of [thrower, rejecter]) {
      const { log, names } = await calls("", "plain", { url, fetch, [name]: boom });
      const last = log.slice(-2).map(([name, said]) => [name, said.message ?? said]);
      assert.deepEqual(last, [["fail", "own"], ["complete", false]]);
      assert.equal(names.filter((name) => name === "complete").length, 1);
      await requests.at(-1).closed;
    }
  });
}

test("each callback is waited for before the next comes", async () => {
  for (const [end, last] of [[PLAIN_DONE, ["success", "complete"]], ["", ["fail", "complete"]]]) {
    const order = [];
    const slow = (name) => async () => {
      order.push(name);
      await settle();
      order.push(`${name} is over`);
    };
    const callbacks = ["onEvent", "success", "fail", "complete"].map((name) => [name, slow(name)]);
    await calls("data: a\n\n" + end, "plain", Object.fromEntries(callbacks));
    const wanted = ["onEvent", "success", ...last].flatMap((name) => [name, `${name} is over`]);
    assert.deepEqual(order, wanted);
  }
});

test("a success that throws at the finish has failed", async () => {
  const success = ({ type }) => {
    if (type === "finish") throw undefined;
  };
  const { log, result } = await calls(PLAIN_DONE, "plain", { success });
  assert.deepEqual(log.slice(1), [["fail", undefined], ["complete", false, "undefined"]]);
  assert.equal(result, false);
});

test("a fail or a complete that throws or rejects is told by the promise, and complete came once", async () => {
  for (const [name, answer] of [["fail", ""], ["complete", ""], ["complete", PLAIN_DONE]]) {
    for (const boom of [thrower, rejecter]) {
      const { names, result } = await calls(answer, "plain", { [name]: boom });
      assert.equal(names.filter((name) => name === "complete").length, 1);
      assert.equal(result.rejected.message, "own");
    }
  }
});

test("no callback is needed", async () => {
  const fetch = async () => made(FRAMES.plain.text + PLAIN_DONE);
  assert.equal(await fetchSSE({ url: "http://x/", fetch }), true);
  assert.equal(await fetchSSE({ url: "http://x/", fetch: async () => made("") }), false);
});

test("wrong options reject, and call nothing", async () => {
  for (const more of [{ dialect: "no" }, { url: undefined }, { timeout: -1 }, { body: {}, reconnect: true }]) {
    const { log, result } = await calls("", "plain", more);
    assert.deepEqual(log, []);
    assert.match(result.rejected.name, /TypeError|RangeError/);
  }
});

test("a stop from within a callback ends the callbacks but for fail and complete", async () => {
  const stop = new AbortController();
  const more = { signal: stop.signal, success: () => stop.abort() };
  const { names, log } = await calls(FRAMES.plain.text + PLAIN_DONE, "plain", more);
  assert.deepEqual(names, ["success", "fail", "complete"]);
  assert.equal(log[1][1].name, "AbortError");
});

test("complete comes once for a refusal, a cut and a reconnect over real connections", async (t) => {
  const refusal = told('{"detail":"no"}', { status: 400, headers: { "content-type": "application/json" } });
  for (const [answers, wanted] of [
    [[refusal], [false, "no"]],
    [[cut("data: a\n\n")], [false, "The stream was cut before its end."]],
    [[cut("retry: 100\ndata: a\n\n"), told(PLAIN_DONE)], [true, ""]],
  ]) {
    const { url } = await serve(t, ...answers);
    const completed = [];
    const reconnect = answers.length > 1;
    await fetchSSE({ url, reconnect, complete: (...args) => completed.push(args) });
    assert.deepEqual(completed, [wanted]);
  }
});
