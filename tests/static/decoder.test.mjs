import assert from "node:assert/strict";
import { test } from "node:test";

import { Decoder } from "../../src/sse_bridge/static/fetch-sse.js";
import { bytes } from "./serving.mjs";

const read = (chunks, decoder = new Decoder()) => chunks.flatMap((chunk) => decoder.feed(chunk));
const bytewise = (stream) => Array.from(stream, (_, i) => stream.subarray(i, i + 1));
const message = (data, id = "") => ({ event: "message", data, id });
const latin = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Whole, byte by byte, and cut at each place: in two, and with nothing between them. */
function* everyWay(stream) {
  yield [stream];
  yield bytewise(stream);
  for (let cut = 0; cut <= stream.length; cut++) {
    yield [stream.subarray(0, cut), stream.subarray(cut)];
    yield [stream.subarray(0, cut), new Uint8Array(), stream.subarray(cut)];
  }
}

const TABLE = {
  "one space after the colon belongs to the format": ["data:a\n\ndata:  b\t \n\n", ["a", " b\t "]],
  "characters of several bytes": ["data: é你😀\u2028\u0085\n\n", ["é你😀\u2028\u0085"]],
  "only CR LF, LF and CR end a line": ["data: a\v\f\x1c\u2029b\n\n", ["a\v\f\x1c\u2029b"]],
  "line ends may be mixed": ["data: a\rdata: b\ndata: c\r\n\ndata: d\r\rdata: e\r\n\r\n", ["a\nb\nc", "d", "e"]],
  "many line ends are no event": ["\n\r\r\n\n\rdata: a\n\n\n\n", ["a"]],
  "several data lines are joined": ["data: a\ndata\ndata: \n\n", ["a\n\n"]],
  "an empty data line is an event": ["data\n\ndata:\n\n", ["", ""]],
  "a comment is nothing": [": ping\n\n:\n:data: x\ndata: a\n: b\n\n", ["a"]],
  "an unknown name is nothing": ["error: {}\ndata : x\n data: y\nDATA: z\nfoo\ndata: a\n\n", ["a"]],
  "NUL is a character": ["data: a\0b\n\n", ["a\0b"]],
  "an event without its blank line never came": ["data: a\n\ndata: b\n", ["a"]],
  "one byte order mark is dropped": ["\ufeffdata: a\n\n", ["a"]],
  "a second byte order mark is text": ["\ufeff\ufeffdata: a\ndata: b\n\n", ["b"]],
  "a byte order mark later on is text": ["data: \ufeffa\n\n\ufeffdata: b\n\n", ["\ufeffa"]],
  "the characters of a mark are text": ["ï»¿data: a\ndata: b\n\n", ["b"]],
};

for (const [name, [stream, wanted]] of Object.entries(TABLE)) {
  test(`${name}, wherever it is cut`, () => {
    for (const chunks of everyWay(bytes(stream))) {
      assert.deepEqual(read(chunks), wanted.map((data) => message(data)));
    }
  });
}

test("bytes that are no UTF-8 become U+FFFD wherever they are cut", () => {
  const stream = latin("data: \xff\xe4\xbd|\xed\xa0\x80|\xf0\x9f\x98\n\n");
  for (const chunks of everyWay(stream)) {
    assert.deepEqual(read(chunks), [message("\ufffd\ufffd|\ufffd\ufffd\ufffd|\ufffd")]);
  }
});

test("an event's last name counts, and an empty one is none", () => {
  const stream = bytes("event: a\nevent: b\ndata\n\nevent: a\nevent\ndata\n\nevent: a\n\ndata\n\n");
  for (const chunks of everyWay(stream)) {
    assert.deepEqual(read(chunks).map(({ event }) => event), ["b", "message", "message"]);
  }
});

test("an id stays in force until another comes, and one with NUL is ignored", () => {
  const stream = bytes("data\n\nid: 1\ndata\n\ndata\n\nid: 2\n\nid: 3\0\ndata\n\nid\ndata\n\n");
  for (const chunks of everyWay(stream)) {
    assert.deepEqual(read(chunks).map(({ id }) => id), ["", "1", "1", "2", ""]);
  }
});

test("an id counts from its blank line on", () => {
  const decoder = new Decoder();
  decoder.feed(bytes("id: 1\n\nid: 2\n"));
  assert.equal(decoder.lastEventId, "1");
  decoder.feed(bytes("\n"));
  assert.equal(decoder.lastEventId, "2");
});

test("the first id in force can be given", () => {
  assert.deepEqual(new Decoder({ lastEventId: "7" }).feed(bytes("data: a\n\n")), [message("a", "7")]);
});

test("retry counts at the end of its line, and only if it is digits", () => {
  const invalid = ["-1", "+1", "1.5", "1_0", "0x10", "10ms", " 10", "10 ", "1 0", "٣", "", "1e3"];
  for (const value of invalid) {
    const decoder = new Decoder();
    decoder.feed(bytes(`retry: 5\nretry: ${value}\n`));
    assert.equal(decoder.retry, 5, JSON.stringify(value));
  }
  for (const [value, wanted] of [["0", 0], ["007", 7], ["9".repeat(400), Infinity]]) {
    const decoder = new Decoder();
    decoder.feed(bytes(`retry:${value}`));
    assert.equal(decoder.retry, undefined);
    decoder.feed(bytes("\r"));
    assert.equal(decoder.retry, wanted);
  }
});

test("an event comes with the first byte that completes it", () => {
  const decoder = new Decoder();
  assert.deepEqual(decoder.feed(bytes("data: a\r\n\r")), [message("a")]);
  assert.deepEqual(decoder.feed(bytes("\ndata: b\n")), []);
  assert.deepEqual(decoder.feed(bytes("\n")), [message("b")]);
});

test("the next connection's decoder keeps id, retry and limit, and nothing unfinished", () => {
  const decoder = new Decoder({ maxBuffer: 30 });
  decoder.feed(bytes("id: 1\nretry: 5\n\nid: 2\nevent: e\ndata: lost"));
  const next = new Decoder(decoder);
  assert.deepEqual([next.lastEventId, next.retry, next.maxBuffer], ["1", 5, 30]);
  assert.deepEqual(next.feed(bytes("\ufeffdata: a\n\n")), [message("a", "1")]);
});

test("an event longer than the limit is refused at the same place for every cut", () => {
  const stream = bytes("data: 12\n\nid: 9\n\ndata: 3\ndata: 4567\n\ndata: 8\n\n");
  for (const chunks of everyWay(stream)) {
    const decoder = new Decoder({ maxBuffer: 11 });
    const seen = [];
    assert.throws(
      () => {
        for (const chunk of chunks) seen.push(...decoder.feed(chunk));
        decoder.feed(bytes("")); // what came with the last of it has been delivered
      },
      { name: "SSEError", code: "too_large", retryable: false, message: /longer than 11 characters/ },
    );
    assert.deepEqual(seen, [message("12")]);
    assert.equal(decoder.lastEventId, "9");
    assert.throws(() => decoder.feed(bytes("\n\ndata: a\n\n")), { code: "too_large" });
  }
});

test("an event of just the limit passes, whatever its line ends", () => {
  for (const chunks of everyWay(bytes("data: 3\r\ndata: 4567\r\n\r\n"))) {
    assert.deepEqual(read(chunks, new Decoder({ maxBuffer: 12 })), [message("3\n4567")]);
  }
});

test("a line that never ends is refused", () => {
  const decoder = new Decoder({ maxBuffer: 1000 });
  assert.throws(
    () => {
      for (let i = 0; i < 101; i++) decoder.feed(bytes("0123456789"));
    },
    { code: "too_large" },
  );
});

test("comments and blocks without data never add up to the limit", () => {
  const decoder = new Decoder({ maxBuffer: 20 });
  for (let i = 0; i < 100; i++) decoder.feed(bytes(`: ping\n\nid: ${i}\n\n`));
  assert.deepEqual(decoder.feed(bytes("data: a\n\n")), [message("a", "99")]);
});

test("a limit that is none is refused", () => {
  for (const maxBuffer of [0, -1, NaN, "much"]) {
    assert.throws(() => new Decoder({ maxBuffer }), { name: "RangeError", message: /got / });
  }
});

test("an ArrayBuffer is read as its bytes are", () => {
  assert.deepEqual(new Decoder().feed(bytes("data: a\n\n").buffer), [message("a")]);
});
