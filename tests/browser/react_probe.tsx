// A component that asks as soon as it is shown, under StrictMode, which mounts everything twice.
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { useEventStream, type Question } from "./use-event-stream";

const QUESTION: Question = { url: "/chat", body: { prompt: "Hello" } };

function Asking() {
  const { start, status, text } = useEventStream();
  useEffect(() => start(QUESTION), [start]);
  return <p role="status">{`${status}: ${text}`}</p>;
}

function Probe() {
  const [isShown, setShown] = useState(true);
  return (
    <>
      <button onClick={() => setShown(false)}>Unmount</button>
      {isShown && <Asking />}
    </>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Probe />
  </StrictMode>,
);
