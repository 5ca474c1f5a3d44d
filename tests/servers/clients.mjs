// What clients of others make of a stream: `node clients.mjs CLIENT FOLDER-OF-ITS-PACKAGE URL` prints the data of
// each message, as JSON, up to the event `done`.

import { pathToFileURL } from "node:url";

const [, , name, folder, url] = process.argv;
const load = (file) => import(pathToFileURL(`${folder}/${file}`).href);

const CLIENTS = {
  async eventsource(tell) {
    const { EventSource } = await load("dist/index.js");
    const source = new EventSource(url);
    await new Promise((resolve) => {
      source.onmessage = ({ data }) => tell(data);
      source.addEventListener("done", resolve);
      source.onerror = ({ message }) => tell(message) ?? resolve();
    });
    source.close();
  },

  async "@microsoft/fetch-event-source"(tell) {
    // It is made for pages: these are all that it needs of one.
    globalThis.window = globalThis;
    globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
    const { fetchEventSource } = (await load("lib/cjs/index.js")).default;
    await fetchEventSource(url, {
      onmessage: ({ event, data }) => event !== "done" && tell(data),
      onerror(error) {
        throw error; // or it would try again for ever
      },
    });
  },

  async "eventsource-parser"(tell) {
    const { createParser } = await load("dist/index.js");
    const parser = createParser({ onEvent: ({ event, data }) => event !== "done" && tell(data) });
    const response = await fetch(url, { headers: { accept: "text/event-stream" } });
    const utf8 = new TextDecoder();
    for await (const bytes of response.body) parser.feed(utf8.decode(bytes, { stream: true }));
  },
};

const told = [];
await CLIENTS[name]((data) => void told.push(data));
console.log(JSON.stringify(told));
