import assert from "node:assert/strict";
import { test } from "node:test";

import { streamEvents } from "../../src/sse_bridge/static/fetch-sse.js";
import { DIALECTS, FRAMES } from "./frames.mjs";
import { collect, cut, dataOf, made, serve, settle, told } from "./serving.mjs";

const LONGEST = 2 ** 31 - 1; // milliseconds that setTimeout takes
const { finished } = FRAMES.plain;
const URL = "http://never.asked/";

/**
 * What a stream makes of these answers, one to each request (an Error is one that fails), while the clock is
 * turned on by just the delays it asks for.
 */
async function again(t, answers, { reconnect = true, jitter = 0, ...options } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(Math, "random", () => jitter);
  const sent = [];
  const told = [];
  const fetch = async (_, init) => {
    sent.push({ ...init, headers: Object.fromEntries(init.headers) });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return typeof answer === "string" ? made(answer) : answer;
  };
  const onReconnect = (why) => {
    told.push(why);
    settle().then(() => wait(why.delay));
  };
  const wait = async (delay) => {
    const before = sent.length;
    t.mock.timers.tick(delay - 1);
    await settle();
    assert.equal(sent.length, before, "not before its time");
    t.mock.timers.tick(2); // a clock has no fractions of a millisecond
  };
  const result = await collect(streamEvents(URL, { fetch, onReconnect, reconnect, ...options }));
  t.mock.timers.reset();
  return { ...result, sent, told, delays: told.map(({ delay }) => delay) };
}

const broken = () => new TypeError("fetch failed");
const refused = (status, headers = {}) => new Response("", { status, headers });
const ids = ({ sent }) => sent.map(({ headers }) => headers["last-event-id"]);

test("without reconnect a cut stream is not asked for again", async (t) => {
  const { url, requests } = await serve(t, told("retry: 100\nid: 1\ndata: a\n\n"));
  for (const reconnect of [undefined, false, null]) {
    assert.equal((await collect(streamEvents(url, { reconnect }))).error.code, "truncated");
  }
  assert.equal(requests.length, 3);
});

test("a stream that was cut goes on after the last id, over a real connection", async (t) => {
  const begun = "retry: 100\nid: 1\ndata: a\n\nid: 2\ndata: lo";
  const { url, requests } = await serve(t, cut(begun), told("data: b\n\n" + finished));
  const result = await collect(streamEvents(url, { reconnect: true }));
  assert.deepEqual([dataOf(result), result.error], [["a", "b"], undefined]);
  assert.equal(result.seen[1].id, "1");
  assert.deepEqual(requests.map(({ headers }) => headers["last-event-id"]), [undefined, "1"]);
});

test("the id that is sent is the last in force, and an empty one is not sent", async (t) => {
  const result = await again(t, ["id: 1\n\n", "data: a\n\n", "id: é你\ndata: b\n\n", "id\ndata: c\n\n", finished]);
  assert.deepEqual(ids(result), [undefined, "1", "1", "Ã©ä½\u00a0", undefined]);
  assert.deepEqual([dataOf(result), result.error], [["a", "b", "c"], undefined]);
});

test("the delay doubles from try to try up to its limit", async (t) => {
  const answers = [...Array.from({ length: 7 }, broken), finished];
  const { delays, error } = await again(t, answers);
  assert.deepEqual(delays, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  assert.equal(error, undefined);
});

test("delay and its limit can be given, and neither makes a storm", async (t) => {
  const answers = () => [broken(), broken(), broken(), finished];
  const { delays } = await again(t, answers(), { reconnect: { delay: 300, maxDelay: 500 } });
  assert.deepEqual(delays, [300, 500, 500]);
  const none = await again(t, answers(), { reconnect: { delay: 0, maxDelay: 0 } });
  assert.deepEqual(none.delays, [100, 100, 100]);
});

test("jitter adds at most a quarter", async (t) => {
  const { delays } = await again(t, [broken(), broken(), finished], { jitter: 0.5 });
  assert.deepEqual(delays, [1125, 2250]);
  const most = await again(t, [broken(), finished], { jitter: 1 - Number.EPSILON });
  assert.equal(most.delays[0], 1250);
});

test("an event starts the doubling anew", async (t) => {
  const { delays, told } = await again(t, [broken(), broken(), "data: a\n\n", broken(), finished]);
  assert.deepEqual(delays, [1000, 2000, 1000, 2000]);
  assert.deepEqual(told.map(({ attempt }) => attempt), [1, 2, 1, 2]);
});

test("retry: is honoured from its line on, for the connections after it too", async (t) => {
  const { delays } = await again(t, ["retry: 5000\n", broken(), "retry: 200\ndata: a\n\n", finished]);
  assert.deepEqual(delays, [5000, 10000, 200]);
});

test("retry: may be longer than the limit of doubling, and then is not doubled", async (t) => {
  assert.deepEqual((await again(t, ["retry: 60000\n", broken(), finished])).delays, [60000, 60000]);
});

test("retry: is clamped, so that none makes a storm", async (t) => {
  for (const [retry, delay] of [["0", 112.5], ["1", 112.5], ["9".repeat(30), LONGEST], ["9".repeat(400), LONGEST]]) {
    assert.deepEqual((await again(t, [`retry: ${retry}\n`, finished], { jitter: 0.5 })).delays, [delay]);
  }
});

test("Retry-After of a refusal is waited for, if it is longer", async (t) => {
  const answers = [refused(503, { "retry-after": "7" }), refused(429, { "retry-after": "1" }), finished];
  assert.deepEqual((await again(t, answers)).delays, [7000, 2000]);
});

test("a Retry-After that is no number of seconds changes nothing", async (t) => {
  for (const value of ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-5", ""]) {
    assert.deepEqual((await again(t, [refused(503, { "retry-after": value }), finished])).delays, [1000]);
  }
  assert.deepEqual((await again(t, [refused(503, { "retry-after": "9".repeat(20) }), finished])).delays, [LONGEST]);
});

for (const status of [408, 429, 500, 502, 503, 504]) {
  test(`a ${status} is tried again`, async (t) => {
    const { sent, error } = await again(t, [refused(status), finished]);
    assert.deepEqual([sent.length, error], [2, undefined]);
  });
}

for (const status of [400, 401, 403, 404, 410, 422, 501]) {
  test(`a ${status} is not tried again`, async (t) => {
    const { sent, error } = await again(t, [refused(status), finished]);
    assert.deepEqual([sent.length, error.status], [1, status]);
  });
}

test("neither what is no stream nor what is too long is tried again", async (t) => {
  assert.equal((await again(t, [new Response("<p>")])).error.code, "not_a_stream");
  assert.equal((await again(t, ["data: much too long\n\n"], { maxBuffer: 8 })).error.code, "too_large");
});

test("a failed stream is tried again only if it says that it may work later", async (t) => {
  const failed = (retryable) => `event: error\ndata: {"message":"m","code":"c","retryable":${retryable}}\n\n`;
  assert.equal((await again(t, [failed(true), "data: a\n\n" + finished])).sent.length, 2);
  const { sent, error } = await again(t, [failed(false)]);
  assert.deepEqual([sent.length, error.message], [1, "m"]);
});

for (const dialect of DIALECTS) {
  test(`${dialect}: a finished stream is never asked for again`, async (t) => {
    const { sent, error } = await again(t, [FRAMES[dialect].text + FRAMES[dialect].finished], { dialect });
    assert.deepEqual([sent.length, error], [1, undefined]);
  });
}

test("204 ends the tries", async (t) => {
  const { sent, error } = await again(t, ["id: 1\ndata: a\n\n", new Response(null, { status: 204 })]);
  assert.deepEqual([sent.length, error], [2, undefined]);
});

test("after so many tries in a row the last error is thrown", async (t) => {
  const { delays, error } = await again(t, [broken(), broken(), "", finished], { reconnect: { attempts: 2 } });
  assert.deepEqual([delays.length, error.code], [2, "truncated"]);
  const { sent } = await again(t, [broken(), finished], { reconnect: { attempts: 0 } });
  assert.equal(sent.length, 1);
});

test("of a request that may be paid for, the tries are counted in all", async (t) => {
  const answers = () => [broken(), "data: a\n\n", "data: b\n\n", "data: c\n\n" + finished];
  const paid = await again(t, answers(), { body: {}, reconnect: { attempts: 2, repost: true } });
  assert.deepEqual([dataOf(paid), paid.error.code, paid.sent.length], [["a", "b"], "truncated", 3]);
  assert.deepEqual([paid.told.map(({ attempt }) => attempt), paid.delays], [[1, 2], [1000, 2000]]);
  const free = await again(t, answers(), { reconnect: { attempts: 1 } });
  assert.deepEqual([dataOf(free), free.error], [["a", "b", "c"], undefined]);
});

test("a reconnect of unknown or impossible options is refused at once", () => {
  for (const reconnect of [{ tries: 1 }, { attempts: -1 }, { delay: NaN }, { maxDelay: "long" }, { repost: "yes" }]) {
    const [[name, value]] = Object.entries(reconnect);
    const message = `reconnect: ${name} is ${value}`;
    assert.throws(() => streamEvents(URL, { reconnect }), { name: "TypeError", message });
  }
});

test("of a wrong dialect is warned once, not with each connection", async (t) => {
  const { mock } = t.mock.method(console, "warn", () => {});
  await again(t, ["event: delta\ndata: {}\n\n", "event: delta\ndata: {}\n\n", finished]);
  assert.equal(mock.callCount(), 1);
});

test("onReconnect is told why, and is waited for", async (t) => {
  const { told } = await again(t, [broken(), "data: a\n\n", finished]);
  assert.deepEqual(told.map(({ error }) => error.code), ["network_error", "truncated"]);
  const onReconnect = async () => {
    throw new Error("no more");
  };
  assert.equal((await again(t, [broken(), finished], { onReconnect })).error.message, "no more");
});

test("onOpen sees each response", async (t) => {
  const statuses = [];
  await again(t, [refused(503), broken(), finished], { onOpen: ({ status }) => void statuses.push(status) });
  assert.deepEqual(statuses, [503, 200]);
});

test("a POST is sent again only by those who ask for it", async (t) => {
  for (const options of [{ body: {} }, { method: "post" }, { method: "DELETE" }]) {
    for (const reconnect of [true, {}, { attempts: 1, repost: false }]) {
      assert.throws(() => streamEvents(URL, { ...options, reconnect }), { name: "TypeError", message: /repost: true/ });
    }
  }
  const { sent } = await again(t, ["id: 1\n\n", finished], { body: { a: 1 }, reconnect: { repost: true } });
  assert.deepEqual(sent.map(({ method, body }) => [method, body]), Array(2).fill(["POST", '{"a":1}']));
  assert.equal(sent[1].headers["last-event-id"], "1");
});

test("an abort while it waits for another try ends the wait", async () => {
  const stop = new AbortController();
  const options = { reconnect: { delay: 2 ** 30 }, fetch: async () => made("data: a\n\n"), signal: stop.signal };
  const onReconnect = () => void setImmediate(() => stop.abort());
  const { seen, error } = await collect(streamEvents(URL, { ...options, onReconnect }));
  assert.deepEqual([seen.length, error.name], [1, "AbortError"]);
});

test("an abort in onReconnect and a return() while it waits end the tries", async () => {
  const stop = new AbortController();
  const options = { reconnect: { delay: 2 ** 30 }, fetch: async () => made("") };
  const aborting = { ...options, signal: stop.signal, onReconnect: () => stop.abort() };
  assert.equal((await collect(streamEvents(URL, aborting))).error.name, "AbortError");
  const events = streamEvents(URL, { ...options, onReconnect: () => void setImmediate(() => events.return()) });
  assert.deepEqual(await events.next(), { value: undefined, done: true });
});

test("many tries leave no listeners behind", async (t) => {
  const warnings = [];
  const warned = (warning) => warnings.push(warning.name);
  process.on("warning", warned);
  t.after(() => process.off("warning", warned));
  const { signal } = new AbortController();
  const refusals = Array.from({ length: 30 }, () => refused(503));
  await again(t, [...Array(30).fill("data: a\n\n"), ...refusals, finished], { signal });
  await settle();
  assert.deepEqual(warnings.filter((name) => name.includes("MaxListeners")), []);
});
