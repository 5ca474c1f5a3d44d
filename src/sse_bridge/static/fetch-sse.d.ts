/** Read Server-Sent Events with fetch: POST, headers, real error statuses, and how the stream really ended. */

/** Which frames say "finished" and "failed", and where the text is. */
export type Dialect = "plain" | "delta" | "openai" | "ai-sdk";

/** An event as the WHATWG standard dispatches it. */
export interface ServerSentEvent {
  /** The event's type; `"message"` where the stream names none. */
  event: string;
  data: string;
  /** The last event id in force; empty before the first. */
  id: string;
}

export interface ReadOptions {
  /** Default `"plain"`. */
  dialect?: Dialect;
  /** Milliseconds without a byte, keep-alives included, after which the connection is dead; default 0, never. */
  timeout?: number;
  /** Characters that one event may have; default 16 Mi. */
  maxBuffer?: number;
  /** Ends the connection. */
  signal?: AbortSignal | null | undefined;
  /**
   * Whether the connection ends when the user leaves the page; default true. If the page is shown again, from the
   * browser's back/forward cache, the stream fails with `page_hidden`.
   */
  pagehide?: boolean;
  /** Called with each line that has no effect, such as a comment. */
  onComment?: (line: string) => void;
}

export interface ReconnectOptions {
  /** How many retries in a row may fail; with `repost`, how many there may be in all. Default Infinity. */
  attempts?: number;
  /** Milliseconds before the first retry, unless the stream's `retry:` is set; doubled for each; default 1000. */
  delay?: number;
  /** Milliseconds that the doubled delay does not exceed; default 30000. */
  maxDelay?: number;
  /** Whether a request other than GET or HEAD may be sent again; default false. */
  repost?: boolean;
}

export interface Reconnecting {
  error: SSEError;
  /** The number of the retry, from 1. */
  attempt: number;
  /** Milliseconds until the retry. */
  delay: number;
}

/** fetch's own options, and those of the stream. */
export interface StreamOptions extends Omit<RequestInit, "body" | "signal">, ReadOptions {
  /** A plain object or an array is sent as JSON, all else as fetch sends it. With a body, `method` is POST by default. */
  body?: BodyInit | object | null;
  /** Whether to retry after a failure that may be temporary; default false. Never after a finished stream. */
  reconnect?: boolean | ReconnectOptions;
  /** Sent as Last-Event-ID with the first request. */
  lastEventId?: string;
  /** Used instead of the global fetch; errors that it throws, except a TypeError, pass unchanged. */
  fetch?: typeof fetch;
  /** Called with each response, before its events; awaited. */
  onOpen?: (response: Response) => void | Promise<void>;
  /** Called before the wait for each retry; awaited. */
  onReconnect?: (reconnecting: Reconnecting) => void | Promise<void>;
}

/** Events that know their dialect. Leaving the loop, or `return()`, ends the connection. */
export interface Events extends AsyncIterableIterator<ServerSentEvent> {
  readonly dialect?: Dialect;
  /** Ends the connection at once, even while a `next()` waits. */
  return(value?: any): Promise<IteratorResult<ServerSentEvent>>;
}

/** The events of a request, without the end frame; throws if the stream does not finish. */
export function streamEvents(url: string | URL, options?: StreamOptions): Events;

/** The events of a response that you fetched yourself, without its end frame; throws if it does not finish. */
export function readEvents(response: Response, options?: ReadOptions): Events;

/** The text of the answer, piece by piece; `dialect` is needed only if the events do not know theirs. */
export function textDeltas(
  events: Events | AsyncIterable<ServerSentEvent> | Iterable<ServerSentEvent>,
  options?: { dialect?: Dialect },
): AsyncIterableIterator<string> & { return(value?: any): Promise<IteratorResult<string>> };

export interface Success {
  /** `finish` comes once, at the end of a finished stream. */
  type: "delta" | "finish";
  /** `choices[0]` with `openai`, otherwise the parsed payload; with `plain` the text, if the stream is of text. */
  data: any;
}

export interface FetchSSEOptions extends StreamOptions {
  url: string | URL;
  /** Called with every event but the last frame, as it came. Callbacks are awaited. */
  onEvent?: (event: ServerSentEvent) => void | Promise<void>;
  success?: (said: Success) => void | Promise<void>;
  /** Called once if the stream did not finish: with what `streamEvents` throws, or what a callback threw. */
  fail?: (error: any) => void | Promise<void>;
  /** Called once, last. `message` is empty where `ok` is true. */
  complete?: (ok: boolean, message: string) => void | Promise<void>;
}

/** Stream with callbacks; resolves to whether it finished. Rejects for wrong options, or if `fail` or `complete` throws. */
export function fetchSSE(options: FetchSSEOptions): Promise<boolean>;

/** Turns the bytes of an event stream, cut anywhere, into its events, as the WHATWG standard reads them. */
export class Decoder {
  /** A decoder; given another one as `options`, it continues for the next connection. */
  constructor(options?: {
    maxBuffer?: number;
    lastEventId?: string;
    retry?: number | undefined;
    onComment?: ((line: string) => void) | undefined;
  });
  readonly maxBuffer: number;
  /** What a reconnecting client sends as Last-Event-ID. */
  lastEventId: string;
  /** The reconnection time in milliseconds that the stream asked for, if it did. */
  retry: number | undefined;
  /** The events that these bytes, or this text, complete; throws an `SSEError` if one is longer than `maxBuffer`. */
  feed(bytes: Uint8Array | ArrayBuffer | string): ServerSentEvent[];
}

/** What a stream can fail with. */
export class SSEError extends Error {
  constructor(message: string, about?: { code?: string; retryable?: boolean; cause?: unknown });
  /**
   * `network_error`, `http_error`, `not_a_stream`, `not_json`, `truncated`, `timeout`, `too_large`, `page_hidden`, or
   * the server's.
   */
  code: string;
  /** Whether the same request may work later. */
  retryable: boolean;
}

/** The response was not a stream; `code` is `not_a_stream` if the status is 2xx. */
export class HTTPError extends SSEError {
  constructor(response: Response, body: any);
  status: number;
  headers: Headers;
  /** Parsed if it is JSON, otherwise the text; only the beginning if it is long, or does not end. */
  body: any;
}

/** The server reported that the stream failed. */
export class StreamError extends SSEError {}

/** The body ended, or the connection broke, without the stream's own end. */
export class TruncatedError extends SSEError {
  constructor(cause?: unknown);
}

/** No byte came for as long as `timeout` allows. */
export class TimeoutError extends SSEError {
  constructor(timeout: number);
}
