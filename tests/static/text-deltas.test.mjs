import assert from "node:assert/strict";
import { test } from "node:test";

import { readEvents, SSEError, streamEvents, textDeltas } from "../../src/sse_bridge/static/fetch-sse.js";
import { DIALECTS, FRAMES } from "./frames.mjs";
import { collect, made, serve, told } from "./serving.mjs";

const textOf = async (stream, dialect) =>
  (await collect(textDeltas(readEvents(made(stream), { dialect })))).seen;

const frames = (...payloads) => payloads.map((data) => `data: ${JSON.stringify(data)}\n\n`).join("");

for (const dialect of DIALECTS) {
  const { text, finished, failed } = FRAMES[dialect];

  test(`${dialect}: the text comes piece by piece`, async () => {
    assert.deepEqual(await textOf(text + finished, dialect), ["Hel", "lo 你"]);
  });

  test(`${dialect}: an error comes after the text`, async () => {
    const { seen, error } = await collect(textDeltas(readEvents(made(text + failed), { dialect })));
    assert.deepEqual([seen, error.name], [["Hel", "lo 你"], "StreamError"]);
  });

  test(`${dialect}: what keeps alive is no text`, async () => {
    assert.deepEqual(await textOf(": ping\n\ndata\n\ndata:\n\n" + text + finished, dialect), ["Hel", "lo 你"]);
  });
}

test("plain: text that looks like JSON or an end is text, other events are none", async () => {
  const stream = "data: {}\n\ndata: [DONE]\n\nevent: note\ndata: no\n\ndata\ndata\n\n";
  assert.deepEqual(await textOf(stream + FRAMES.plain.finished, "plain"), ["{}", "[DONE]", "\n"]);
});

test("delta: only the first choice is the text, and reasoning, calls and usage are none", async () => {
  const stream =
    'event: reasoning\ndata: {"text":"hm"}\n\nevent: delta\ndata: {"text":"a"}\n\n' +
    'event: delta\ndata: {"text":"other","choice":1}\n\n' +
    'event: tool_call\ndata: {"index":0,"arguments":"x"}\n\n' +
    'event: usage\ndata: {"total_tokens":1}\n\nevent: chunk\ndata: {"text":"no"}\n\n' +
    'event: delta\ndata: {"text":"b"}\n\n';
  assert.deepEqual(await textOf(stream + FRAMES.delta.finished, "delta"), ["a", "b"]);
});

test("openai: only the first choice is the text, wherever it stands in the chunk", async () => {
  const choice = (index, content) => ({ index, delta: { content } });
  const stream = frames(
    { choices: [choice(1, "other"), choice(0, "a")] },
    { choices: [choice(1, "other")] },
    { choices: [{ delta: { content: "b" } }] },
    { choices: [{ index: 0, delta: { content: "c" }, finish_reason: "stop" }] },
  );
  assert.deepEqual(await textOf(stream + "data: [DONE]\n\n", "openai"), ["a", "b", "c"]);
});

test("openai: reasoning, roles, tool calls and usage are no text", async () => {
  const role = { role: "assistant", content: "" };
  const deltas = [role, { reasoning_content: "hm" }, { content: null, tool_calls: [] }, {}];
  const chunks = deltas.map((delta) => ({ choices: [{ index: 0, delta }] }));
  const stream = frames(...chunks, { choices: [], usage: {} }, {});
  assert.deepEqual(await textOf(stream + "data: [DONE]\n\n", "openai"), []);
});

test("ai-sdk: reasoning and tools are no text", async () => {
  const stream = frames(
    { type: "reasoning-delta", id: "r", delta: "hm" },
    { type: "tool-input-delta", toolCallId: "t", inputTextDelta: "{" },
    { type: "data-note", data: { delta: "no" } },
    { type: "text-delta", id: "0", delta: "a" },
  );
  assert.deepEqual(await textOf(stream + "data: [DONE]\n\n", "ai-sdk"), ["a"]);
});

for (const [dialect, frame] of [
  ["delta", "event: delta\ndata: "],
  ["openai", "data: "],
  ["ai-sdk", "data: "],
]) {
  test(`${dialect}: a payload that is no JSON object is told after the text, and is not tried again`, async () => {
    for (const payload of ["oops", '{"oops', "null", "5", '"words"']) {
      const stream = `${FRAMES[dialect].text}${frame}${payload}\n\n` + FRAMES[dialect].finished;
      const { seen, error } = await collect(textDeltas(readEvents(made(stream), { dialect })));
      assert.deepEqual(seen, ["Hel", "lo 你"]);
      assert.ok(error instanceof SSEError, String(error));
      assert.deepEqual([error.code, error.retryable], ["not_json", false]);
      assert.ok(error.message.endsWith(payload));
    }
  });
}

/** What is warned of while a stream of this dialect is read as one of that. */
async function warnings(t, stream, dialect) {
  const { mock } = t.mock.method(console, "warn", () => {});
  await textOf(stream, dialect);
  return mock.calls.map((call) => call.arguments);
}

for (const [theirs, ours] of [
  ["delta", "plain"],
  ["delta", "openai"],
  ["delta", "ai-sdk"],
  ["plain", "delta"],
  ["openai", "delta"],
  ["ai-sdk", "delta"],
  ["openai", "plain"],
]) {
  test(`a stream of ${theirs} that is read as ${ours} is warned of, once`, async (t) => {
    const { text, finished } = FRAMES[theirs];
    const [first] = (await collect(readEvents(made(text), { dialect: theirs }))).seen;
    const [told, ...others] = await warnings(t, text + finished, ours);
    assert.ok(told[0].endsWith(`dialect ${ours}:`));
    assert.deepEqual([told.slice(1), others], [[first.event, first.data], []]);
  });
}

test("a stream of the dialect that was said is not warned of", async (t) => {
  for (const dialect of DIALECTS) {
    const { text, finished } = FRAMES[dialect];
    assert.deepEqual(await warnings(t, ": ping\n\n" + text + finished, dialect), []);
  }
  assert.deepEqual(await warnings(t, "event: note\ndata: a\n\n" + FRAMES.plain.finished, "plain"), []);
});

test("the events of a request know their dialect", async (t) => {
  const { url } = await serve(t, told(FRAMES.openai.text + FRAMES.openai.finished));
  const { seen } = await collect(textDeltas(streamEvents(url, { dialect: "openai" })));
  assert.deepEqual(seen, ["Hel", "lo 你"]);
});

test("for any other events the dialect is asked for, and is plain otherwise", async () => {
  const events = [{ event: "message", data: '{"choices":[{"delta":{"content":"a"}}]}', id: "" }];
  async function* generated() {
    yield* events;
  }
  assert.deepEqual((await collect(textDeltas(events, { dialect: "openai" }))).seen, ["a"]);
  assert.deepEqual((await collect(textDeltas(generated(), { dialect: "openai" }))).seen, ["a"]);
  assert.deepEqual((await collect(textDeltas(events))).seen, [events[0].data]);
});

test("leaving the text closes the events of others, too", async () => {
  let isClosed = false;
  async function* generated() {
    try {
      for (;;) yield { event: "message", data: "a", id: "" };
    } finally {
      isClosed = true;
    }
  }
  for await (const piece of textDeltas(generated())) {
    assert.equal(piece, "a");
    break;
  }
  assert.ok(isClosed);
});

test("a dialect that is none is refused at once", () => {
  assert.throws(() => textDeltas([], { dialect: "no" }), TypeError);
});
