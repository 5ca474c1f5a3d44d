/** A page that uses the hook: a question, and all that an answer can show. */
import { StrictMode, type SubmitEvent } from "react";
import { createRoot } from "react-dom/client";
import { SSEError } from "fetch-sse";
import { useEventStream } from "./use-event-stream";

function Chat() {
  const { start, stop, retry, ...answer } = useEventStream();
  const isVain = answer.error instanceof SSEError && !answer.error.retryable;
  const canRetry = ["error", "stopped", "cut"].includes(answer.status) && !isVain;

  function ask(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const prompt = new FormData(event.currentTarget).get("prompt");
    start({ url: "/chat", body: { prompt }, timeout: 60_000 });
  }

  return (
    <main>
      <h1>A question, in React</h1>
      <form onSubmit={ask}>
        <input name="prompt" aria-label="Your question" placeholder="Your question" required autoFocus />
        <button>Ask</button>
      </form>
      {answer.status !== "idle" && (
        <article data-status={answer.status} aria-busy={answer.status === "streaming"}>
          {answer.reasoning && (
            <details open>
              <summary>Reasoning</summary>
              <p>{answer.reasoning}</p>
            </details>
          )}
          <p className="text">{answer.text}</p>
          {answer.toolCalls.map((call) => (
            <code key={call.index}>
              {call.name}({call.arguments})
            </code>
          ))}
          <footer>
            <span role="status">
              {answer.status}
              {answer.status === "done" && answer.finish !== "stop" && ` (${answer.finish})`}
              {answer.error && `: ${answer.error.message}`}
            </span>
            {answer.status === "streaming" && <button onClick={stop}>Stop</button>}
            {canRetry && <button onClick={retry}>Try again</button>}
          </footer>
        </article>
      )}
    </main>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Chat />
  </StrictMode>,
);
