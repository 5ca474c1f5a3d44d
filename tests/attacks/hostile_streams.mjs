// The browser's client, whose address is the argument, on hostile streams: for each line of input, which is a dialect, a
// body and how to cut it, one line that tells what came of it in each way of reading.
import { createInterface } from "node:readline";

const { fetchSSE, readEvents, SSEError, textDeltas } = await import(process.argv[2]);

const LONGEST = 20_000; // milliseconds for a way of reading, before it counts as hanging

const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(String(error)));
console.warn = () => {}; // of a dialect that looks wrong

function* cutBy(size, bytes) {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** A response with this body, cut by this size, that comes as fast as it is read. */
function responseOf({ body, size, status, type }) {
  const pieces = cutBy(size || body.length || 1, body);
  const pull = (controller) => {
    const { value, done } = pieces.next();
    if (done) controller.close();
    else controller.enqueue(value);
  };
  return new Response(new ReadableStream({ pull }), { status, headers: { "content-type": type } });
}

const WAYS = {
  async events(task, seen) {
    for await (const { event, data, id } of readEvents(responseOf(task), task.options)) seen.push(event, data, id);
  },
  async texts(task, seen) {
    for await (const text of textDeltas(readEvents(responseOf(task), task.options))) seen.push(text);
  },
  async callbacks(task, seen) {
    const told = { fails: 0, completes: 0 };
    const finished = await fetchSSE({
      ...task.options,
      url: "http://127.0.0.1/",
      fetch: async () => responseOf(task),
      success: ({ type }) => void seen.push(type),
      fail: (error) => void ((told.fails += 1), (told.error = error)),
      complete: (ok, message) => void ((told.completes += 1), seen.push(String(ok), message)),
    });
    if (told.completes !== 1 || told.fails !== Number(!finished)) throw new Error(`${told.fails} fails, ${told.completes} completes`);
    if (!finished) throw told.error;
  },
};

/** What is wrong with an error, by what is documented; nothing if it is as documented. */
function faultOf(error) {
  if (!(error instanceof SSEError)) return `${error?.name}: ${error?.message}`.slice(0, 300);
  const { message, code, retryable } = error;
  const types = [typeof message, typeof code, typeof retryable].join();
  return types === "string,string,boolean" ? undefined : `types of message, code, retryable: ${types}`;
}

async function outcomeOf(way, task) {
  const seen = [];
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(reject, LONGEST, new Error("it hangs"))));
  const error = await Promise.race([WAYS[way](task, seen), late]).catch((error) => error);
  clearTimeout(timer);
  const odd = seen.filter((told) => typeof told !== "string").map((told) => typeof told);
  const text = seen.filter((told) => typeof told === "string").join("").slice(0, 1000);
  const code = typeof error?.code === "string" ? error.code : null;
  return { way, code, fault: error && faultOf(error), message: error?.message, odd, text };
}

const own = (kind) => Object.getOwnPropertyNames(kind.prototype).join();
const KINDS = [Object, Array, String, Number, Function, Promise, Error, SSEError];
const BEFORE = KINDS.map(own);

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  task.body = Buffer.from(task.body, "base64");
  const outcomes = [];
  for (const way of Object.keys(WAYS)) outcomes.push(await outcomeOf(way, task));
  await new Promise(setImmediate); // in which Node tells of a rejection that nobody has taken
  const polluted = KINDS.filter((kind, i) => own(kind) !== BEFORE[i]).map(({ name }) => name);
  console.log(JSON.stringify({ outcomes, unhandled: unhandled.splice(0), polluted }));
}
