/**
 * Read Server-Sent Events with fetch, in browsers and Node 20 or newer: POST, headers, real error statuses, and the
 * truth about the end.
 *
 * Rules of this file:
 *
 * 1. A stream has finished only if its dialect's end frame came. A body that ends without it was cut.
 * 2. What came before a failure is delivered before the failure is thrown.
 * 3. Whoever stops reading ends the connection: by `break`, by `return()`, by the signal, by an error.
 * 4. No request is sent twice, unless the caller asked for it.
 */

const LONGEST_TIMER = 2 ** 31 - 1; // milliseconds; setTimeout takes more for 1
const SHORTEST_RETRY = 100; // milliseconds; `retry: 0` is no licence for a storm
const CLOSED = Symbol("closed"); // why a stream was stopped whose reader called return()
const AFTERWARDS = 1000; // milliseconds that a body may take to end after its last frame

// -- errors -----------------------------------------------------------------------------------------

/** What a stream can fail with: `code` says why, `retryable` whether the same request may work later. */
export class SSEError extends Error {
  name = "SSEError"; // in words: a minifier gives classes other names

  constructor(message, { code, retryable = false, cause } = {}) {
    super(message, { cause });
    this.code = code;
    this.retryable = retryable;
  }
}

/** The answer was no stream: its status, its headers and its body, parsed where that is JSON. */
export class HTTPError extends SSEError {
  name = "HTTPError";

  constructor({ status, statusText, headers }, body) {
    const told = body?.error?.message ?? body?.message ?? body?.detail;
    const message = typeof told === "string" ? told : `${status} ${statusText}`.trim();
    super(message, { code: "http_error", retryable: [408, 429, 500, 502, 503, 504].includes(status) });
    Object.assign(this, { status, headers, body });
  }
}

/** The server said that the stream failed. */
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
  #utf8 = new TextDecoder(); // drops one byte order mark
  #line = ""; // what of a line has come
  #afterCR = false;
  #event = "";
  #data = "";
  #id;
  #exceeded = false;

  constructor({ maxBuffer = 16 * 1024 * 1024, lastEventId = "" } = {}) {
    if (!(maxBuffer > 0)) throw new RangeError(`maxBuffer must be positive, got ${maxBuffer}`);
    this.maxBuffer = maxBuffer;
    this.lastEventId = this.#id = lastEventId;
    this.retry = undefined;
  }

  /** The decoder for the connection after this one. */
  next() {
    const decoder = new Decoder(this);
    decoder.retry = this.retry;
    return decoder;
  }

  /** The events that these bytes complete. */
  feed(bytes) {
    const events = [];
    const text = this.#utf8.decode(bytes, { stream: true });
    let start = this.#afterCR && text[0] === "\n" ? 1 : 0;
    if (text) this.#afterCR = text.endsWith("\r");
    let cr = text.indexOf("\r", start);
    let lf = text.indexOf("\n", start);
    while ((cr >= 0 || lf >= 0) && !this.#exceeded) {
      const end = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr;
      this.#take(this.#line + text.slice(start, end), events);
      this.#line = "";
      start = end + (end === cr && lf === cr + 1 ? 2 : 1);
      if (cr >= 0 && cr < start) cr = text.indexOf("\r", start);
      if (lf >= 0 && lf < start) lf = text.indexOf("\n", start);
    }
    this.#line += text.slice(start);
    this.#check(this.#line);
    if (this.#exceeded && !events.length) {
      throw new SSEError(`An event is longer than ${this.maxBuffer} characters.`, { code: "too_large" });
    }
    return events;
  }

  #check(line) {
    // Thrown when nothing is left to deliver: with the events of this feed, or else by the next.
    this.#exceeded ||= line.length + this.#data.length > this.maxBuffer;
  }

  #take(line, events) {
    if (!line) return this.#dispatch(events);
    this.#check(line);
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data += value + "\n";
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
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

const RETRYABLE = ["upstream_error", "upstream_stalled", "shutdown"];

function failure({ message, code, type, retryable = RETRYABLE.includes(code) }) {
  const said = String(message ?? "The stream failed.");
  return new StreamError(said, { code: code ?? type ?? "error", retryable });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value) => typeof value === "object" && value !== null;
const json = ({ data }) => (data.trim() ? JSON.parse(data) : {}); // some gateways keep alive with empty data

// Each dialect has three functions. `ending` gives true for the frame that says "finished", the error for one that
// says "failed". `chunk` tells what an event says: a `delta`, the `finish`, or neither; it may keep something in
// `memory`, one object a stream. `text` is what an event adds to the answer.
const told = {
  ending({ event, data }) {
    if (event === "error") {
      const error = parsed(data);
      return failure(isObject(error) ? error : { message: data });
    }
    return event === "done" && data === "[DONE]";
  },
};

const DIALECTS = {
  plain: {
    ...told,
    chunk({ data }, memory) {
      if (!data) return {}; // kept alive
      // Text is never parsed: a model may well say `{}`. Whether a stream is of text, its first event tells.
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
      return !told.choice && told.text;
    },
  },
  openai: {
    ending({ event, data }) {
      if (event === "error" || data.includes('"error"')) {
        const told = parsed(data) ?? data;
        const error = told.error ?? (event === "error" && told);
        if (error) return failure(isObject(error) ? error : { message: error });
      }
      return data === "[DONE]";
    },
    chunk(event) {
      const choice = json(event).choices?.[0];
      if (!choice?.finish_reason) return { delta: choice };
      // Some services send the last words together with the reason.
      const { role, ...words } = choice.delta ?? {};
      const speaks = Object.values(words).some((word) => word && word.length !== 0);
      return { finish: choice, delta: speaks ? choice : undefined };
    },
    text: (event) => json(event).choices?.find(({ index = 0 }) => index === 0)?.delta?.content,
  },
  "ai-sdk": {
    ending({ data }) {
      const told = /"(error|abort)"/.test(data) && (parsed(data) ?? {});
      if (told.type === "error") return failure({ message: told.errorText });
      if (told.type === "abort") return failure({ message: told.reason ?? "The answer was aborted.", code: "abort" });
      return data === "[DONE]";
    },
    chunk(event) {
      const part = json(event);
      return part.type === "finish" ? { finish: part } : part.type ? { delta: part } : {};
    },
    text(event) {
      const part = json(event);
      return part.type === "text-delta" && part.delta;
    },
  },
};

function checked({ dialect = "plain", timeout = 0 }) {
  if (!(timeout >= 0 && timeout <= LONGEST_TIMER)) {
    throw new RangeError(`timeout must be milliseconds from 0 to ${LONGEST_TIMER}, got ${timeout}`);
  }
  if (Object.hasOwn(DIALECTS, dialect)) return DIALECTS[dialect];
  throw new TypeError(`dialect must be one of ${Object.keys(DIALECTS).join(", ")}, got ${dialect}`);
}

// -- one response -----------------------------------------------------------------------------------

/** The events of a response that you fetched yourself, without its end frame; throws where it does not finish. */
export function readEvents(response, { dialect, timeout, maxBuffer, signal } = {}) {
  return streamEvents(response.url || "about:blank", { dialect, timeout, maxBuffer, signal, fetch: () => response });
}

async function* eventsOf(response, dialect, decoder, options) {
  if (response.status === 204) return; // nothing more will come
  await refuseOthers(response, options);
  const body = new Body(response, options);
  let over = false;
  try {
    for (;;) {
      for (const event of decoder.feed(await body.read())) {
        options.signal.throwIfAborted();
        const ending = dialect.ending(event);
        over = Boolean(ending);
        if (ending === true) return;
        if (ending) throw ending;
        yield event;
      }
      decoder.feed(); // throws, if an event too long came after these
    }
  } finally {
    body.close(over);
  }
}

async function refuseOthers(response, options) {
  const type = response.headers.get("content-type") ?? "";
  if (!response.ok) {
    const text = await textOf(response, options);
    throw new HTTPError(response, (type.includes("json") && parsed(text)) || text);
  }
  if (/^text\/event-stream\s*(;|$)/i.test(type)) return;
  throw new SSEError(`The answer is no event stream but ${type || "of no type"}.`, { code: "not_a_stream" });
}

/** A body's text, or as much of it as comes. */
async function textOf(response, options) {
  const body = new Body(response, options);
  const utf8 = new TextDecoder();
  let text = "";
  try {
    for (;;) text += utf8.decode(await body.read(), { stream: true });
  } catch {
    return text;
  } finally {
    body.close();
  }
}

/** The bytes of a response, patiently, until the signal. */
class Body {
  #reader;
  #timeout;
  #signal;
  #cancel = () => this.#reader.cancel().catch(() => {}); // which ends a read that waits

  constructor(response, { timeout, signal }) {
    this.#reader = (response.body ?? new Blob().stream()).getReader();
    this.#timeout = timeout;
    this.#signal = signal;
    if (signal.aborted) this.#cancel();
    signal.addEventListener("abort", this.#cancel);
  }

  /** The next bytes; throws at the body's end, too. */
  async read() {
    let isLate = false;
    const giveUp = () => {
      isLate = true;
      this.#cancel();
    };
    const timer = this.#timeout && setTimeout(giveUp, this.#timeout);
    try {
      const { done, value } = await this.#reader.read();
      if (isLate) throw new TimeoutError(this.#timeout);
      if (done) throw new TruncatedError();
      return value;
    } catch (error) {
      throw error instanceof SSEError || error?.name === "AbortError" ? error : new TruncatedError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Read no more; a body that is over may end by itself, so that its connection can be used again. */
  async close(over) {
    this.#signal.removeEventListener("abort", this.#cancel);
    if (!over) return this.#cancel();
    const timer = setTimeout(this.#cancel, AFTERWARDS);
    try {
      while (!(await this.#reader.read()).done);
    } catch {
      // All that matters has been read.
    } finally {
      clearTimeout(timer);
    }
  }
}

// -- requests ---------------------------------------------------------------------------------------

/** The events of a request, without the end frame; throws where the stream does not finish. */
export function streamEvents(url, options = {}) {
  const stop = new AbortController();
  const events = stoppable(eventsAgain(connectionsTo(url, options, stop), options, stop), () => stop.abort(CLOSED));
  return Object.assign(events, { dialect: options.dialect }); // for `textDeltas`
}

/** What a generator yields; `return()` stops it at once, even while a `next()` is waiting. */
function stoppable(generator, stop) {
  return {
    next: () => generator.next(),
    async return(value) {
      await stop();
      return generator.return(value);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** What one connection after the other is made with; a wrong option is refused here. */
function connectionsTo(url, options, stop) {
  if (!url) throw new TypeError(`url must be a string or a URL, got ${url}`);
  const { dialect, signal, reconnect, timeout, maxBuffer, lastEventId, fetch, onOpen, onReconnect, ...init } = options;
  const headers = new Headers(init.headers);
  const isData = Array.isArray(init.body) || (isPlain(init.body) && !init.body[Symbol.asyncIterator]);
  const body = isData ? JSON.stringify(init.body) : init.body;
  const method = init.method?.toUpperCase() ?? (body == null ? "GET" : "POST");
  if (!headers.has("accept")) headers.set("accept", "text/event-stream");
  if (isData && !headers.has("content-type")) headers.set("content-type", "application/json");
  const patience = { attempts: reconnect ? Infinity : 0, delay: 1000, maxDelay: 30_000, ...reconnect };
  if (reconnect && !["GET", "HEAD"].includes(method) && !patience.repost) {
    throw new TypeError(`reconnect would send this ${method} again; if it may, say reconnect: { repost: true }`);
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

/** A header's characters are bytes; an EventSource sends the id in UTF-8. */
const latin1 = (text) => new TextEncoder().encode(text).reduce((all, byte) => all + String.fromCharCode(byte), "");

const isPlain = (value) => Object.prototype.toString.call(value) === "[object Object]";

async function* eventsAgain({ dialect, decoder, patience, open }, options, stop) {
  const { signal, timeout, onOpen, onReconnect } = options;
  const reading = { timeout, signal: stop.signal };
  const abort = () => stop.abort(signal.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    for (let attempt = 0; ; ) {
      let response;
      try {
        response = await open(decoder.lastEventId);
        await onOpen?.(response);
        for await (const event of eventsOf(response, dialect, decoder, reading)) {
          attempt = 0;
          yield event;
        }
        return;
      } catch (error) {
        response?.body?.cancel().catch(() => {}); // of what nobody has begun to read
        if (stop.signal.reason === CLOSED) return;
        if (stop.signal.aborted) throw stop.signal.reason;
        if (!error?.retryable || attempt >= patience.attempts) throw error;
        const delay = delayOf(error, decoder.retry ?? patience.delay, attempt++, patience.maxDelay);
        await onReconnect?.({ error, attempt, delay });
        await sleep(delay, stop.signal);
        decoder = decoder.next();
      }
    }
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

async function open(url, init, { fetch = globalThis.fetch, timeout }, signal) {
  const waiting = new AbortController();
  const abort = () => waiting.abort();
  const timer = timeout && setTimeout(abort, timeout);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await fetch(url, { ...init, signal: waiting.signal });
  } catch (error) {
    signal.throwIfAborted();
    if (waiting.signal.aborted) throw new TimeoutError(timeout);
    throw new SSEError("The server cannot be reached.", { code: "network_error", retryable: true, cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** Milliseconds to wait: what the server asks for, doubled for each try that failed, with jitter. */
function delayOf(error, retry, attempt, maxDelay) {
  const first = Math.max(retry, SHORTEST_RETRY);
  const asked = Number(error.headers?.get("retry-after")) * 1000 || 0;
  const delay = Math.min(first * 2 ** attempt, Math.max(maxDelay, first)) * (1 + Math.random() / 4);
  return Math.min(Math.max(delay, asked), LONGEST_TIMER);
}

/** Wait, but no longer than until the signal. */
function sleep(delay, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, signal.aborted ? 0 : delay);
    signal.addEventListener("abort", wake);
  });
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
      onEvent?.(event);
      const { delta, finish } = chunk(event, memory);
      if (finish) last = finish;
      if (delta !== undefined) success?.({ type: "delta", data: delta });
    }
    success?.({ type: "finish", data: last });
  } catch (error) {
    failed = { error };
  }
  try {
    if (failed) fail?.(failed.error);
  } finally {
    complete?.(!failed, failed ? String(failed.error?.message ?? failed.error) : "");
  }
  return !failed;
}

/** The text of the answer, piece by piece; `dialect` is asked for only where the events do not know theirs. */
export function textDeltas(events, { dialect = events.dialect } = {}) {
  return stoppable(textsOf(events, checked({ dialect })), () => events.return?.());
}

async function* textsOf(events, { text }) {
  for await (const event of events) {
    const piece = text(event);
    if (piece) yield piece;
  }
}
