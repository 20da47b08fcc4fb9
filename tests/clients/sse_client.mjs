// Opens a stream with `sse-client` and prints all that it tells, until it is closed.
//
//   node sse_client.mjs URL OPTIONS    (JSON; beside those of `connect`: `loop`, `token`, `closeAfter`)

import { connect } from "../../sse-runtime/client/sse-client.js";

const [url, given] = process.argv.slice(2);
const { loop, token, closeAfter, ...options } = JSON.parse(given);

const say = (...words) => console.log(words.map(word => typeof word === "string" ? word : JSON.stringify(word)).join(" "));
const show = ({ name, data, id }) => say("event", name, data, id);

// Another one for each attempt.
let attempts = 0;
if (token) options.headers = async () => ({ authorization: `Bearer ${token}-${++attempts}` });

const abort = new AbortController();
let seen = 0;
const stream = connect(url, {
  ...options,
  ...loop ? {} : {
    onEvent: event => {
      show(event);
      if (++seen === closeAfter) abort.abort();
    },
  },
  signal: abort.signal,
  retry: options.retry ?? 1,
  onState: state => say("state", state),
  onOpen: open => say("open", open),
  onReset: ({ reason }) => say("reset", reason),
  onBye: ({ reason }) => say("bye", reason),
  onFailure: ({ reason }) => say("failure", reason),
  onEnd: () => say("end"),
  onError: ({ status, body, retryIn, message }) => {
    say("error", status, retryIn === null ? "final" : retryIn >= 1000 ? "later" : "soon", body || message);
  },
});

if (loop) {
  try {
    for await (const event of stream) {
      show(event);
      if (++seen === closeAfter) break;
    }
    say("left the loop", stream.state);
  } catch (error) {
    say("thrown", error.name, error.status);
  }
}
