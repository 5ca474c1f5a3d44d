// What the tests share: servers on loopback, responses made by hand, and what a reader saw of a stream.
import { once } from "node:events";
import { createServer } from "node:http";

export const STREAM = { "content-type": "text/event-stream; charset=utf-8" };

const utf8 = new TextEncoder();
export const bytes = (text) => utf8.encode(text);

/** A server whose `answers` are given one to each request, the last of them to all that follow. */
export async function serve(t, ...answers) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    const seen = { method: request.method, headers: request.headers, url: request.url };
    seen.closed = once(response, "close");
    requests.push(seen);
    seen.body = Buffer.concat(await request.toArray()).toString();
    await answer(response, request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { url: `http://127.0.0.1:${server.address().port}/`, requests };
}

/** An answer with this body, complete. */
export const told = (body, { status = 200, headers = STREAM } = {}) => (response) => {
  response.writeHead(status, headers).end(body);
};

/** An answer that says this and stays open. */
export const begun = (body) => (response) => {
  response.writeHead(200, STREAM).flushHeaders();
  if (body) response.write(body);
};

/** An answer that says this and then loses its connection. */
export const cut = (body) => (response, request) => {
  response.writeHead(200, STREAM);
  // A reset may overtake what was written before it: it comes once the reader has had that.
  response.write(body, () => setTimeout(() => request.socket.resetAndDestroy(), 20));
};

/** A response made by hand, out of these pieces. */
export function made(...pieces) {
  const body = new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(typeof piece === "string" ? bytes(piece) : piece);
      controller.close();
    },
  });
  return new Response(body, { headers: STREAM });
}

/** A response made by hand that the test goes on telling: `say`, `break`, and whether it was `cancelled`. */
export function telling({ status = 200 } = {}) {
  const body = {};
  const stream = new ReadableStream({
    start: (controller) => Object.assign(body, { controller }),
    cancel: () => void (body.cancelled = true),
  });
  const response = new Response(stream, { status, headers: STREAM });
  return Object.assign(body, {
    response,
    say: (text) => body.controller.enqueue(bytes(text)),
    break: (error) => body.controller.error(error),
  });
}

/** What came of a stream, and the error that it ended with. */
export async function collect(events) {
  const seen = [];
  try {
    for await (const event of events) seen.push(event);
  } catch (error) {
    return { seen, error };
  }
  return { seen, error: undefined };
}

/** The data alone. */
export const dataOf = ({ seen }) => seen.map(({ data }) => data);

/** What the tests of time wait with: all that can happen without time, happens. */
export async function settle() {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
}
