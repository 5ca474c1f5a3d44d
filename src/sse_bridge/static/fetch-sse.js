/**
 * Read Server-Sent Events with fetch: POST, headers, real error statuses, and how the stream really ended. For
 * Chrome 91, Firefox 90, Safari 15, Node 20, React Native, and newer ones.
 *
 * Rules of this file:
 *
 * 1. A stream has finished only if its dialect's end frame came. A body that ends without it was cut off.
 * 2. What came before a failure is delivered before the failure is thrown.
 * 3. The connection ends when the reader stops: by `break`, by `return()`, by the signal, by an error.
 * 4. No request is sent twice, unless the caller asked for it.
 * 5. A page that the user leaves ends its connections: in the browser's back/forward cache they would go on for a
 *    minute.
 * 6. What a stream sends may be of any type and depth. It is parsed before it is inspected, and only `wordOf` turns it
 *    into text: so it can cause no errors but those below.
 */

const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds; setTimeout takes a longer time for 1
const SHORTEST_RETRY = 100; // milliseconds; `retry: 0` must not cause a flood of requests
const CLOSED = Symbol("closed"); // the reason of a stream that was stopped by return()
const AFTERWARDS = 1000; // milliseconds that a body may take to end after its last frame
const LONGEST_REFUSAL = 5000; // milliseconds that the body of an error may take
const LARGEST_REFUSAL = 100_000; // characters that are read of it
const DEEPEST = 99; // levels of JSON that are searched for text; the stack is limited

// -- errors -----------------------------------------------------------------------------------------

/** What a stream can fail with: `code` says why, `retryable` whether the same request may work later. */
export class SSEError extends Error {
  name = "SSEError"; // written out: a minifier renames classes

  constructor(message, { code, retryable = false, cause } = {}) {
    super(message, { cause });
    this.code = code;
    this.retryable = retryable;
  }
}

/** The response was not a stream: its status, its headers and its body, parsed if it is JSON. */
export class HTTPError extends SSEError {
  name = "HTTPError";

  constructor({ ok, status, statusText, headers }, body) {
    const type = headers.get("content-type") ?? "";
    const { error, message, msg, status_msg, detail } = body;
    const said = [error?.message, error, message, msg, status_msg, detail?.message, detail?.[0]?.msg, detail];
    if (type.startsWith("text/plain") && body.length < 500) said.push(body);
    const sentence = said.find((told) => isString(told) && told.trim()) ?? `${status} ${statusText}`.trim();
    super(ok ? `Not an event stream, but ${type || "no type"}: ${sentence}` : sentence, {
      code: ok ? "not_a_stream" : "http_error",
      retryable: [408, 429, 500, 502, 503, 504].includes(status),
    });
    Object.assign(this, { status, headers, body });
  }
}

/** The server reported that the stream failed. */
export class StreamError extends SSEError {
  name = "StreamError";
}

/** The body ended, or the connection broke, without the stream's own end. */
export class TruncatedError extends SSEError {
  name = "TruncatedError";

  constructor(cause) {
    super("The stream was cut before its end.", { code: "truncated", retryable: true, cause });
  }
}

/** No byte came for as long as `timeout` allows. */
export class TimeoutError extends SSEError {
  name = "TimeoutError";

  constructor(timeout) {
    super(`Nothing came for ${timeout} ms.`, { code: "timeout", retryable: true });
  }
}

// -- text/event-stream ------------------------------------------------------------------------------

/** Turns the bytes of an event stream, cut anywhere, into its events, as the WHATWG standard reads them. */
export class Decoder {
  #utf8; // drops one byte order mark
  #line = ""; // the beginning of an unfinished line
  #afterCR = false;
  #event = "";
  #data = "";
  #id;
  #failure; // thrown once all events are delivered: by this feed if it has none, else by the next

  constructor({ maxBuffer = 16 * 1024 * 1024, lastEventId = "", retry, onComment } = {}) {
    if (!(maxBuffer > 0)) throw new RangeError(`maxBuffer must be positive, got ${maxBuffer}`);
    this.maxBuffer = maxBuffer;
    this.lastEventId = this.#id = lastEventId;
    this.retry = retry;
    this.onComment = onComment;
  }

  /** The events that these bytes, or this text, complete. */
  feed(bytes = "") {
    const events = [];
    const text = isString(bytes) ? bytes : (this.#utf8 ??= new TextDecoder()).decode(bytes, { stream: true });
    let start = this.#afterCR && text[0] === "\n" ? 1 : 0;
    if (text) this.#afterCR = text.endsWith("\r");
    let cr = text.indexOf("\r", start);
    let lf = text.indexOf("\n", start);
    while ((cr >= 0 || lf >= 0) && !this.#failure) {
      const end = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr;
      this.#take(this.#line + text.slice(start, end), events);
      this.#line = "";
      start = end + (end === cr && lf === cr + 1 ? 2 : 1);
      if (cr >= 0 && cr < start) cr = text.indexOf("\r", start);
      if (lf >= 0 && lf < start) lf = text.indexOf("\n", start);
    }
    this.#line += text.slice(start);
    this.#check(this.#line);
    if (this.#failure && !events.length) throw this.#failure;
    return events;
  }

  #check(line) {
    if (line.length + this.#data.length > this.maxBuffer) {
      this.#failure ??= new SSEError(`An event is longer than ${this.maxBuffer} characters.`, { code: "too_large" });
    }
  }

  #take(line, events) {
    if (!line) return this.#dispatch(events);
    this.#check(line);
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data += value + "\n";
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = (value + "\n").slice(0, -1); // a slice of `line` keeps its chunk
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    else {
      try {
        this.onComment?.(line);
      } catch (error) {
        this.#failure ??= error;
      }
    }
  }

  #dispatch(events) {
    this.lastEventId = this.#id;
    if (this.#data) {
      events.push({ event: this.#event || "message", data: this.#data.slice(0, -1), id: this.#id });
    }
    this.#event = this.#data = "";
  }
}

// -- dialects ---------------------------------------------------------------------------------------

const RETRYABLE = [
  "upstream_error",
  "upstream_stalled",
  "upstream_timeout",
  "upstream_unreachable",
  "upstream_cut",
  "rate_limited",
  "overloaded",
  "empty_answer",
  "shutdown",
];

/** Whether the same request may succeed later, by the code or the status that a service gives for its failure. */
const mayPass = (code) => RETRYABLE.includes(code) || /^(408|429|5\d\d)$|rate.?limit|overload|unavailable/.test(code);

/** The error that a stream reports; services send text, or objects of many shapes. */
function failure(told) {
  const { message, msg, status_msg, code, status_code, type, retryable } = isObject(told) ? told : { message: told };
  const said = [message, msg, status_msg].find(isString) ?? "The stream failed.";
  const word = [code, status_code, type].map(wordOf).find(Boolean) ?? "error";
  return new StreamError(said, { code: word, retryable: typeof retryable === "boolean" ? retryable : mayPass(word) });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value) => typeof value === "object" && value !== null;
const isString = (value) => typeof value === "string";

/** Text from what should be text, or a number; empty for all else, as turning that into text may throw. */
const wordOf = (value) => (isString(value) || typeof value === "number" ? String(value) : "");

/** The text in a message's content: a text, or a list of typed pieces, of which reasoning is left out. */
function textIn(content, depth = 0) {
  if (!isObject(content) || depth > DEEPEST) return wordOf(content);
  if (Array.isArray(content)) return content.map((piece) => textIn(piece, depth + 1)).join("");
  const { type, text, refusal, content: inner, value } = content;
  return /think|thought|reason/.test(wordOf(type)) ? "" : textIn(text ?? refusal ?? inner ?? value, depth + 1);
}

/** The text in a delta or a message. */
function wordsIn(message) {
  if (!isObject(message) || Array.isArray(message)) return textIn(message);
  return textIn(message.content) + textIn(message.refusal) + textIn(message.audio?.transcript);
}

/** Whether there is anything at all in a choice's value. */
function isSaid(value, depth = 0) {
  if (!isObject(value) || depth > DEEPEST) return wordOf(value) !== "";
  const said = Object.entries(value).filter(([name]) => !["index", "role", "type"].includes(name));
  return said.some(([, inner]) => isSaid(inner, depth + 1));
}

/** The payload of an event that has to be a JSON object; some gateways send empty data as a keep-alive. */
function json({ data }) {
  const told = data.trim() ? parsed(data) : {};
  if (isObject(told)) return told;
  throw new SSEError(`Not a JSON object: ${data.slice(0, 100)}`, { code: "not_json" });
}

// Each dialect has these functions. `ending` returns true for the frame that says "finished", the error for one that
// says "failed". `chunk` returns what an event has: a `delta`, the `finish`, or neither; it may keep something in
// `memory`, one object per stream. `text` is what an event adds to the answer. `says`, in dialects of models only:
// whether an event says anything, since a finished stream without one is no answer.
const told = {
  ending({ event, data }) {
    if (event === "error") return failure(parsed(data) ?? data);
    return event === "done" && data === "[DONE]";
  },
};

const DIALECTS = {
  plain: {
    ...told,
    chunk({ data }, memory) {
      if (!data) return {}; // a keep-alive
      // Text is never parsed: a model may well say `{}`. The first event decides whether a stream is of text.
      memory.isText ??= !isObject(parsed(data));
      return { delta: memory.isText ? data : (parsed(data) ?? data) };
    },
    text: ({ event, data }) => event === "message" && data,
  },
  delta: {
    ...told,
    chunk(event) {
      if (event.event === "finish") return { finish: json(event) };
      return ["delta", "tool_call", "chunk"].includes(event.event) ? { delta: json(event) } : {};
    },
    text(event) {
      const told = event.event === "delta" && json(event);
      return !told.choice && textIn(told.text);
    },
  },
  openai: {
    ending({ event, data }) {
      if (data === "[DONE]") return true;
      const told = parsed(data);
      const error = errorIn(told) ?? (event === "error" && (told ?? data));
      return error ? failure(error) : false;
    },
    chunk(event) {
      const [choice] = choicesOf(json(event));
      if (!isFinished(choice)) return { delta: choice };
      // Some services send the last words together with the reason.
      return { finish: choice, delta: hasWords(choice) ? choice : undefined };
    },
    says({ event, data }) {
      const told = event === "message" && parsed(data);
      return isSaid(told?.usage) || choicesOf(told ?? {}).some((choice) => isFinished(choice) || hasWords(choice));
    },
    text(event, memory) {
      const { delta, message, text } = choicesOf(json(event)).find(({ index }) => !Number(wordOf(index))) ?? {};
      const said = wordsIn(delta) || textIn(text);
      memory.length = (memory.length ?? 0) + said.length;
      return said || wordsIn(message).slice(memory.length); // after deltas, a message is the whole answer again
    },
  },
  "ai-sdk": {
    ending({ data }) {
      const told = parsed(data) ?? {};
      if (told.type === "error") return failure({ message: told.errorText });
      if (told.type === "abort") return failure({ message: told.reason, code: "abort" });
      return data === "[DONE]";
    },
    says: ({ data }) => !/^(start|finish|message-metadata)|-(start|end)$/.test(wordOf(parsed(data)?.type) || "start"),
    chunk(event) {
      const part = json(event);
      return part.type === "finish" ? { finish: part } : part.type ? { delta: part } : {};
    },
    text(event) {
      const part = json(event);
      return part.type === "text-delta" && wordOf(part.delta);
    },
  },
};

const choicesOf = ({ choices }) => (Array.isArray(choices) ? choices.filter(isObject) : []);

/** Whether a choice has more than a role. */
const hasWords = ({ delta, message, text }) => isSaid([delta, message, text]);

const isFinished = (choice) => Boolean(choice?.finish_reason) && choice.finish_reason !== "null";

/** The failure that an event of OpenAI's protocol reports, in one of the many formats of its services. */
function errorIn(told) {
  if (!isObject(told)) return undefined;
  const places = [told, told.x_groq, ...choicesOf(told).flatMap((choice) => [choice, choice.delta])];
  const error = places.find((place) => place?.error)?.error;
  if (error) return isObject(error) ? error : { ...told, message: isString(error) ? error : told.message };
  const failed = choicesOf(told).find(({ finish_reason }) => /^(network_)?error$/i.test(wordOf(finish_reason)));
  const isError = told.object === "error" || told.type === "error" || (!told.choices && isRefusal(told));
  return failed ?? (isRefusal(told.base_resp ?? {}) ? told.base_resp : isError ? told : undefined);
}

/** Whether it has an error number, and a message. */
const isRefusal = ({ code, status_code = code, message, msg, status_msg }) =>
  /^(?!200$)[1-9]\d*$/.test(wordOf(status_code)) && isString(message ?? msg ?? status_msg);

/** Warn if the dialect seems wrong: with a wrong one there would be no text, and no error. */
function compare({ event, data }, dialect = "plain") {
  const isDelta = event === "delta" || event === "reasoning";
  const isOdd = dialect === "delta" ? event === "message" && data : isDelta || Boolean(parsed(data)?.choices) !== (dialect === "openai");
  if (isOdd) console.warn(`fetch-sse: this does not look like the dialect ${dialect}:`, event, data);
}

function checked({ dialect = "plain", timeout = 0 }) {
  if (!(timeout >= 0 && timeout <= LONGEST_TIMER)) {
    throw new RangeError(`timeout must be 0 to ${LONGEST_TIMER} milliseconds, got ${timeout}`);
  }
  if (Object.keys(DIALECTS).includes(dialect)) return DIALECTS[dialect];
  throw new TypeError(`dialect must be one of ${Object.keys(DIALECTS).join(", ")}, got ${dialect}`);
}

// -- one response -----------------------------------------------------------------------------------

/** The events of a response that you fetched yourself, without its end frame; throws if it does not finish. */
export function readEvents(response, options) {
  return streamEvents(response, { ...options, response, reconnect: false });
}

const EMPTY = { code: "empty_answer", retryable: true };

async function* eventsOf(response, dialect, decoder, options) {
  if (response.status === 204) return; // nothing more will come
  await refuseOthers(response, options);
  const reader = readerOf(response);
  const { signal } = options;
  const { leave } = signal;
  signal.leave = () => (leave?.(), close(reader));
  let over = false;
  try {
    for (;;) {
      for (const event of decoder.feed(await read(reader, options))) {
        check(signal);
        const ending = dialect.ending(event);
        over = Boolean(ending);
        if (ending === true && dialect.says && !options.spoke) throw new StreamError("The answer is empty.", EMPTY);
        if (ending === true) return;
        if (ending) throw ending;
        options.spoke ||= dialect.says?.(event);
        yield event;
      }
      decoder.feed(); // throws, if an event too long came after these
    }
  } finally {
    signal.leave = undefined;
    close(reader, over);
  }
}

async function refuseOthers(response, options) {
  const type = response.headers.get("content-type") ?? "";
  if (response.ok && /^text\/event-stream\s*(;|$)/i.test(type)) return;
  const text = await textOf(response, options);
  throw new HTTPError(response, (type.includes("json") && parsed(text)) || text);
}

/** A body's text, or as much of it as comes in a short time. */
async function textOf(response, options) {
  const reader = readerOf(response);
  const timer = setTimeout(close, LONGEST_REFUSAL, reader);
  let utf8;
  let text = "";
  try {
    while (text.length < LARGEST_REFUSAL) {
      const piece = await read(reader, options);
      text += isString(piece) ? piece : (utf8 ??= new TextDecoder()).decode(piece, { stream: true });
    }
  } catch {
    // What came so far is enough.
  }
  clearTimeout(timer);
  close(reader);
  return text;
}

/** The reader of a body; some can only be iterated, and in React Native there is no body, only the text. */
function readerOf(response) {
  const { body } = response;
  if (body?.getReader) return body.getReader();
  const pieces = body?.[Symbol.asyncIterator]?.() ?? textAlone(response);
  let stop;
  const stopped = new Promise((resolve) => (stop = resolve));
  const cancel = async () => (stop({ done: true }), pieces.return?.());
  return { read: () => Promise.race([pieces.next(), stopped]), cancel };
}

async function* textAlone(response) {
  yield await response.text();
}

/** The next bytes; throws at the body's end, too. */
async function read(reader, { timeout, signal }) {
  const { done, value } = await unless(signal, reader.read(), timeout).catch((error) => {
    throw error?.name === "TypeError" ? new TruncatedError(error) : error; // fetch's error for a broken connection
  });
  if (done) throw new TruncatedError();
  return value;
}

/** Stop reading; a body that is over may end by itself, so that its connection can be reused. */
async function close(reader, over) {
  const cancel = () => reader.cancel().catch(() => {});
  if (!over) return cancel();
  const timer = setTimeout(cancel, AFTERWARDS);
  try {
    while (!(await reader.read()).done);
  } catch {
    // All that matters has been read.
  }
  clearTimeout(timer);
}

// -- requests ---------------------------------------------------------------------------------------

/** The events of a request, without the end frame; throws if the stream does not finish. */
export function streamEvents(url, options = {}) {
  const stop = new AbortController();
  const close = () => {
    end(stop, CLOSED);
    discard(options.response);
  };
  const events = stoppable(eventsAgain(connectionsTo(url, options, stop), options, stop), close);
  return Object.assign(events, { dialect: options.dialect }); // for `textDeltas`
}

/** End the connection of a response that nobody has begun to read. */
const discard = (response) => response?.body?.cancel?.().catch(() => {});

/** Stop, keep the reason, as not every AbortSignal can, and disconnect at once: the reader may be busy. */
function end(stop, reason) {
  const { signal } = stop;
  signal.why ??= reason ?? new SSEError("The request was aborted.", { code: "aborted" });
  stop.abort();
  signal.leave?.();
}

function check(signal) {
  if (signal.aborted) throw signal.why;
}

/** What a generator yields; `return()` stops it at once, even while a `next()` is waiting. */
function stoppable(generator, stop) {
  return {
    next: () => generator.next(),
    return: async (value) => {
      await stop();
      return generator.return(value);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

const NEVER_SENT = /^\s*(about|ftp|javascript|mailto|tel|wss?):/i;
const PATIENCE = { attempts: 0, delay: 1000, maxDelay: 30_000, repost: false };

/** What each connection is made with; a wrong option is refused here. */
function connectionsTo(url, options, stop) {
  if (!url || (!options.response && NEVER_SENT.test(url))) throw new TypeError(`url must be one for fetch, got ${url}`);
  const { dialect, signal, reconnect, timeout, maxBuffer, lastEventId, fetch, pagehide, ...others } = options;
  const { onOpen, onReconnect, onComment, response, ...init } = others;
  const headers = new Headers(init.headers);
  const isData = Array.isArray(init.body) || (isPlain(init.body) && !init.body[Symbol.asyncIterator]);
  const body = isData ? JSON.stringify(init.body) : init.body;
  const method = init.method?.toUpperCase() ?? (body == null ? "GET" : "POST");
  if (!headers.has("accept")) headers.set("accept", "text/event-stream");
  if (isData && !headers.has("content-type")) headers.set("content-type", "application/json");
  const patience = { ...PATIENCE, attempts: reconnect ? Infinity : 0, ...reconnect };
  for (const name in patience) {
    if (!(name in PATIENCE && patience[name] >= 0)) throw new TypeError(`reconnect: ${name} is ${patience[name]}`);
  }
  if (reconnect && !["GET", "HEAD"].includes(method) && !patience.repost) {
    throw new TypeError(`reconnect would repeat this ${method}: that needs repost: true`);
  }
  return {
    dialect: checked(options),
    decoder: new Decoder(options),
    patience,
    open: (lastEventId) => {
      const sent = new Headers(headers);
      if (lastEventId) sent.set("last-event-id", latin1(lastEventId));
      return open(url, { cache: "no-store", ...init, method, headers: sent, body }, options, stop.signal);
    },
  };
}

/** The text in UTF-8, each byte as a character, as a header needs it: an EventSource sends the id like that. */
const latin1 = (text) => new TextEncoder().encode(text).reduce((all, byte) => all + String.fromCharCode(byte), "");

const isPlain = (value) => Object.prototype.toString.call(value) === "[object Object]";

async function* eventsAgain({ dialect, decoder, patience, open }, options, stop) {
  const { signal, timeout, onOpen, onReconnect } = options;
  const reading = { timeout, signal: stop.signal };
  const abort = () => end(stop, signal.reason);
  let hidden, shown;
  const hide = () => {
    shown ??= new Promise((resolve) => addEventListener("pageshow", resolve, { once: true }));
    end(stop, (hidden ??= new SSEError("The page was left.", { code: "page_hidden", retryable: true })));
  };
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  if (options.pagehide !== false) globalThis.addEventListener?.("pagehide", hide);
  try {
    let isFirst = true;
    for (let attempt = 0; ; ) {
      let { response } = options; // of `readEvents`
      try {
        response ??= await open(decoder.lastEventId);
        await unless(stop.signal, onOpen?.(response));
        for await (const event of eventsOf(response, dialect, decoder, reading)) {
          if (isFirst) compare(event, options.dialect);
          isFirst = false;
          if (!patience.repost) attempt = 0; // a request that may cost money is not repeated for ever
          yield event;
        }
        return;
      } catch (error) {
        discard(response);
        check(stop.signal);
        if (!error?.retryable || attempt >= patience.attempts) throw error;
        const delay = delayOf(error, decoder.retry ?? patience.delay, attempt++, patience.maxDelay);
        await unless(stop.signal, onReconnect?.({ error, attempt, delay }));
        await sleep(delay, stop.signal);
        decoder = new Decoder(decoder);
      }
    }
  } catch (error) {
    if (error === hidden) await shown;
    if (error !== CLOSED) throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
    globalThis.removeEventListener?.("pagehide", hide);
  }
}

async function open(url, init, { fetch: own, timeout }, signal) {
  const connection = new AbortController();
  check(signal);
  signal.leave = () => connection.abort();
  try {
    return await unless(signal, (own ?? fetch)(url, { ...init, signal: connection.signal }), timeout);
  } catch (error) {
    connection.abort();
    if (error?.name !== "TypeError") throw error; // not from the network, but from the caller's own `fetch`
    if (!own) new Request(url, { ...init, body: init.body && "" }); // throws, if this could never be sent
    throw new SSEError("The server cannot be reached.", { code: "network_error", retryable: true, cause: error });
  }
}

/** Wait for `work`; throws the signal's reason if it aborts first, or a TimeoutError after `timeout`. */
function unless(signal, work, timeout) {
  let abort, timer;
  const other = new Promise((_, reject) => {
    abort = () => reject(signal.why);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    if (timeout) timer = setTimeout(() => reject(new TimeoutError(timeout)), timeout);
  });
  return Promise.race([work, other]).finally(() => {
    signal.removeEventListener("abort", abort);
    clearTimeout(timer);
  });
}

function sleep(delay, signal) {
  let timer;
  const over = new Promise((resolve) => (timer = setTimeout(resolve, delay)));
  return unless(signal, over).finally(() => clearTimeout(timer));
}

/** Milliseconds to wait: what the server asks for, doubled for each try that failed, with jitter. */
function delayOf(error, retry, attempt, maxDelay) {
  const first = Math.max(retry, SHORTEST_RETRY);
  const asked = Number(error.headers?.get("retry-after")) * 1000 || 0;
  const delay = Math.min(first * 2 ** attempt, Math.max(maxDelay, first)) * (1 + Math.random() / 4);
  return Math.min(Math.max(delay, asked), LONGEST_TIMER);
}

// -- what a stream says -----------------------------------------------------------------------------

/** Stream with callbacks: `success` for each delta and the finish, `fail` for an error, `complete` once at the end. */
export async function fetchSSE({ url, onEvent, success, fail, complete, ...options }) {
  const { chunk } = checked(options);
  const events = streamEvents(url, options);
  const memory = {};
  let last = null;
  let failed;
  try {
    for await (const event of events) {
      await onEvent?.(event);
      const { delta, finish } = chunk(event, memory);
      if (finish) last = finish;
      if (delta !== undefined) await success?.({ type: "delta", data: delta });
    }
    await success?.({ type: "finish", data: last });
  } catch (error) {
    failed = { error };
  }
  try {
    if (failed) await fail?.(failed.error);
  } finally {
    await complete?.(!failed, failed ? String(failed.error?.message ?? failed.error) : "");
  }
  return !failed;
}

/** The text of the answer, piece by piece; `dialect` is needed only if the events do not know theirs. */
export function textDeltas(events, { dialect = events.dialect } = {}) {
  return stoppable(textsOf(events, checked({ dialect })), () => events.return?.());
}

async function* textsOf(events, { text }) {
  const memory = {};
  for await (const event of events) {
    const piece = text(event, memory);
    if (piece) yield piece;
  }
}
