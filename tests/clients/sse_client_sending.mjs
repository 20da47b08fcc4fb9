// Answers into a stream of a server, over a network that loses an answer and a server that has no room once.
//
//   node sse_client_sending.mjs URL

import { connect } from "../../sse-runtime/client/sse-client.js";

const network = globalThis.fetch;
const keys = [];
let next = network;
globalThis.fetch = async (url, options) => {
  if (options.method !== "POST") return network(url, options);
  keys.push(options.headers.get("idempotency-key"));
  const now = next;
  next = network;
  return now(url, options);
};

const say = (...words) => console.log(words.map(word => JSON.stringify(word) ?? "undefined").join(" "));
const stream = connect(process.argv[2], { on: { heard: text => say("heard", text) } });
const send = async answer => {
  try {
    say("answer", await stream.send(answer));
  } catch ({ name, status, body }) {
    say(name, status, body);
  }
};

await send("hello");
await send("quiet");
await send("no");
await send({ not: "text" });

// It arrives, and its answer does not.
next = async (url, options) => {
  await (await network(url, options)).text();
  throw new TypeError("lost");
};
keys.length = 0;
await send("once");
say(keys.length, new Set(keys).size);

next = async () => new Response("full", { status: 429, headers: { "retry-after": "1" } });
const begun = Date.now();
await send("patient");
say(Date.now() - begun >= 900);

await send("bye");
while (stream.state !== "closed") await new Promise(go => setTimeout(go, 5));
await send("late");
