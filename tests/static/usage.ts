// What the types allow and refuse: compiled by test_fetch_sse.py, never run.
import {
  Decoder,
  fetchSSE,
  HTTPError,
  readEvents,
  SSEError,
  streamEvents,
  textDeltas,
  TimeoutError,
  TruncatedError,
  type Dialect,
  type ReadOptions,
  type Reconnecting,
  type ServerSentEvent,
  type StreamOptions,
  type Success,
} from "../../src/sse_bridge/static/fetch-sse.js";

interface Question {
  messages: { role: "user" | "assistant"; content: string }[];
}
type Answer = { prompt: string };

export async function reads(signal: AbortSignal, form: FormData, answer: Answer): Promise<string> {
  let text = "";
  const options: StreamOptions = {
    method: "POST",
    headers: { authorization: "Bearer" },
    body: answer,
    signal,
    dialect: "openai",
    timeout: 30_000,
    maxBuffer: 1024,
    reconnect: { attempts: 3, delay: 500, maxDelay: 5_000, repost: true },
    lastEventId: "1",
    credentials: "include",
    fetch,
    onOpen: (response) => console.log(response.status),
    onReconnect: async ({ error, attempt, delay }: Reconnecting) => console.log(error.code, attempt + delay),
  };
  for await (const { event, data, id } of streamEvents("/chat", options)) text += event + data + id;
  for await (const piece of textDeltas(streamEvents(new URL("https://a.b/"), { body: form }))) text += piece.trim();
  for await (const piece of textDeltas(readEvents(await fetch("/chat"), { signal, timeout: 1 }))) text += piece;
  for await (const piece of textDeltas([{ event: "message", data: "a", id: "" }], { dialect: "plain" })) text += piece;
  const shared = { dialect: "delta" as const, timeout: 45_000 };
  for await (const piece of textDeltas(streamEvents("/chat", { ...shared, body: { answer } }))) text += piece;
  const events = streamEvents("/chat", { body: ["a", 1], reconnect: false, signal: null });
  const first: IteratorResult<ServerSentEvent> = await events.next();
  await events.return();
  await textDeltas(events).return();
  return text + (first.done ? "" : first.value.data);
}

export async function calls(question: Question): Promise<boolean> {
  const isFinished: boolean = await fetchSSE({
    url: "/chat",
    body: question,
    onEvent: async (event) => console.log(event.data.length),
    success: ({ type, data }: Success) => console.log(type === "delta" ? data.delta.content : data),
    fail: async (error) => console.log(error instanceof SSEError && error.retryable),
    complete: (ok, message) => console.log(!ok, message.length),
  });
  return isFinished;
}

export function errors(error: unknown): number | string | boolean {
  if (error instanceof HTTPError) return error.status + Number(error.headers.get("retry-after")) + error.body.detail;
  if (error instanceof TruncatedError || error instanceof TimeoutError) return error.retryable;
  return error instanceof SSEError ? error.code : "";
}

export function decodes(bytes: Uint8Array): ServerSentEvent[] {
  const decoder = new Decoder({ maxBuffer: 1024, lastEventId: "1" });
  const next = new Decoder(decoder);
  const retry: number | undefined = new Decoder({ retry: next.retry }).retry;
  return retry === undefined ? decoder.feed(bytes) : decoder.feed(bytes.buffer as ArrayBuffer);
}

export async function refuses(response: Response): Promise<void> {
  // @ts-expect-error no such dialect
  const dialect: Dialect = "openAI";
  // @ts-expect-error no such option
  const options: ReadOptions = { dialect, timeOut: 1 };
  const loose = { dialect: "delta" };
  // @ts-expect-error any string, unless it says `as const`
  streamEvents("/chat", loose);
  // @ts-expect-error a request needs its address
  streamEvents();
  // @ts-expect-error milliseconds are a number
  streamEvents("/chat", { timeout: "1s" });
  // @ts-expect-error a number is no body
  streamEvents("/chat", { body: 1 });
  // @ts-expect-error no such way to reconnect
  streamEvents("/chat", { reconnect: { tries: 1 } });
  // @ts-expect-error a response is read, not its body
  readEvents(response.body, options);
  // @ts-expect-error textDeltas takes events, not a response
  textDeltas(response);
  // @ts-expect-error the address is missing
  await fetchSSE({ success: () => {} });
  // @ts-expect-error there are but two kinds of success
  await fetchSSE({ url: "/chat", success: ({ type }) => type === "error" });
  // @ts-expect-error the next connection's decoder is `new Decoder(decoder)`
  new Decoder().next();
  // @ts-expect-error bytes, or text
  new Decoder().feed(5);
  // @ts-expect-error an event's data is text
  for await (const { data } of readEvents(response)) data.delta;
  // @ts-expect-error the status belongs to an HTTPError
  new SSEError("message").status;
}
