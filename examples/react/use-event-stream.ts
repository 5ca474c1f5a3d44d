/** A React hook for the streams of an app whose routes speak `dialect="delta"`. */
import { useCallback, useEffect, useRef, useState } from "react";
import { streamEvents, TruncatedError, type StreamOptions } from "fetch-sse";

export interface ToolCall {
  index: number;
  id: string;
  name: string;
  /** JSON, once the call is complete. */
  arguments: string;
}

export interface Answer {
  /** `cut`: the connection ended before the answer did, so this is a part of one. */
  status: "idle" | "streaming" | "done" | "error" | "stopped" | "cut";
  text: string;
  reasoning: string;
  toolCalls: readonly ToolCall[];
  /** Why the model ended: `stop`, `length`, `tool_calls` ... */
  finish: string | null;
  /** Of `error` and `cut`. An `SSEError` tells by `retryable` whether the same request may work later. */
  error: Error | null;
}

/** What is asked: `streamEvents`' options, of which the hook keeps some to itself. */
export interface Question extends Omit<StreamOptions, "dialect" | "reconnect" | "signal"> {
  url: string | URL;
}

type Show = (change: (answer: Answer) => Answer) => void;

const IDLE: Answer = { status: "idle", text: "", reasoning: "", toolCalls: [], finish: null, error: null };

/** One answer at a time; the functions stay the same, so that an effect can depend on them. */
export function useEventStream() {
  const [answer, setAnswer] = useState(IDLE);
  const current = useRef<{ question: Question; stop: AbortController } | null>(null);

  const stop = useCallback(() => current.current?.stop.abort(), []);
  const start = useCallback((question: Question) => {
    stop();
    const run = (current.current = { question, stop: new AbortController() });
    setAnswer({ ...IDLE, status: "streaming" });
    // An answer that was stopped by another has no more to say.
    void read(question, run.stop.signal, (change) => run === current.current && setAnswer(change));
  }, [stop]);
  const retry = useCallback(() => {
    if (current.current) start(current.current.question);
  }, [start]);
  useEffect(() => stop, [stop]); // its cleanup

  return { ...answer, start, stop, retry };
}

async function read({ url, ...options }: Question, signal: AbortSignal, show: Show): Promise<void> {
  try {
    await null; // StrictMode unmounts at once what it has mounted: that must not cost an answer
    for await (const { event, data } of streamEvents(url, { ...options, dialect: "delta", signal })) {
      const told = JSON.parse(data);
      if (!told?.choice) show((answer) => grown(answer, event, told)); // of several choices, the first
    }
    show((answer) => ({ ...answer, status: "done" }));
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (signal.aborted) show((answer) => ({ ...answer, status: "stopped" }));
    else show((answer) => ({ ...answer, status: error instanceof TruncatedError ? "cut" : "error", error }));
  }
}

function grown(answer: Answer, event: string, told: any): Answer {
  if (event === "delta") return { ...answer, text: answer.text + told.text };
  if (event === "reasoning") return { ...answer, reasoning: answer.reasoning + told.text };
  if (event === "tool_call") return { ...answer, toolCalls: withPiece(answer.toolCalls, told) };
  if (event === "finish") return { ...answer, finish: told.reason };
  return answer;
}

/** A call comes in pieces: its name with the first, its arguments with all. */
function withPiece(calls: readonly ToolCall[], { id = "", name = "", ...piece }: ToolCall): ToolCall[] {
  const begun = calls.find(({ index }) => index === piece.index);
  if (!begun) return [...calls, { id, name, ...piece }];
  const longer = { ...begun, arguments: begun.arguments + piece.arguments };
  return calls.map((call) => (call === begun ? longer : call));
}
