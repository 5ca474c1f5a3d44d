// Streams of the four dialects, byte for byte as our server writes them; test_fetch_sse.py holds them
// against the Python dialects. (`ai-sdk` is to come there: its frames are the AI SDK's own.)

const head = '{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"sse-bridge"';
const chunk = (delta, reason = "null") =>
  `data: ${head},"choices":[{"index":0,"delta":{${delta}},"finish_reason":${reason}}]}\n\n`;

const DONE = "event: done\nid: [DONE]\ndata: [DONE]\n\n";
const FAILED =
  'event: error\ndata: {"code":"upstream_error","message":"The model failed.","retryable":true}\n\n';

/** What a stream that says `Hel`, `lo 你` consists of: its text, and what it ends with. */
export const FRAMES = {
  plain: {
    text: "data: Hel\n\ndata: lo 你\n\n",
    finished: DONE,
    failed: FAILED,
  },
  delta: {
    text: 'event: delta\ndata: {"text":"Hel"}\n\nevent: delta\ndata: {"text":"lo 你"}\n\n',
    finished: 'event: finish\ndata: {"reason":"stop"}\n\n' + DONE,
    failed: FAILED,
  },
  openai: {
    text: chunk('"role":"assistant","content":"Hel"') + chunk('"content":"lo 你"'),
    finished: chunk("", '"stop"') + "data: [DONE]\n\n",
    failed:
      'data: {"error":{"message":"The model failed.","type":"server_error","param":null,' +
      '"code":"upstream_error"}}\n\ndata: [DONE]\n\n',
  },
  "ai-sdk": {
    text:
      'data: {"type":"start"}\n\ndata: {"type":"text-start","id":"0"}\n\n' +
      'data: {"type":"text-delta","id":"0","delta":"Hel"}\n\n' +
      'data: {"type":"text-delta","id":"0","delta":"lo 你"}\n\n',
    finished: 'data: {"type":"text-end","id":"0"}\n\ndata: {"type":"finish"}\n\ndata: [DONE]\n\n',
    failed: 'data: {"type":"error","errorText":"The model failed."}\n\ndata: [DONE]\n\n',
  },
};

export const DIALECTS = Object.keys(FRAMES);
