// The app behind the page's own origin, as it will be in earnest: no CORS. Started by `make demo`.
const app = process.env.APP ?? "http://127.0.0.1:4000";

export default {
  server: { host: "127.0.0.1", proxy: { "/chat": { target: app } } },
};
