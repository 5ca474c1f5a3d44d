// The decoder at work for test_decoder_properties.py: for each line of input, a stream and where to cut it,
// one line with all the different things that it was read as. There should be one.
import { createInterface } from "node:readline";

import { Decoder } from "../../src/sse_bridge/static/fetch-sse.js";

function* everyWay(stream, cuts) {
  const borders = [0, ...cuts, stream.length];
  yield [stream];
  yield Array.from(stream, (_, i) => stream.subarray(i, i + 1));
  yield borders.slice(1).map((end, i) => stream.subarray(borders[i], end));
  for (let cut = 1; cut < stream.length; cut++) yield [stream.subarray(0, cut), stream.subarray(cut)];
}

function read(chunks) {
  const decoder = new Decoder();
  const events = chunks.flatMap((chunk) => decoder.feed(chunk)).map(({ event, data, id }) => [event, data, id]);
  return JSON.stringify([events, decoder.lastEventId, String(decoder.retry)]);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { stream, cuts } = JSON.parse(line);
  const outcomes = new Set();
  for (const chunks of everyWay(Buffer.from(stream, "base64"), cuts)) outcomes.add(read(chunks));
  console.log(`[${[...outcomes]}]`);
}
