// What the types of `sse-client` allow and what they do not. It is compiled, not run.

import { connect, StreamError, type ByName, type Received } from "../../sse-runtime/client/sse-client.js";

type JobEvent =
  | { type: "progress"; percent: number }
  | { type: "done"; url: string };

declare function draw(percent: number): void;
declare function go(url: string): void;

const job = connect<JobEvent>("/jobs/7/events", {
  on: {
    progress: data => draw(data.percent),
    done: (data, event) => {
      go(data.url);
      const name: "done" = event.name;
      void name;
    },
  },
  terminal: ["done"],
  onOpen: ({ resumed }) => resumed satisfies boolean,
  onReset: ({ reason }) => reason satisfies "malformed" | "epoch" | "ahead" | "evicted" | "too_far",
  onError: error => error satisfies StreamError,
  share: true,
});
job.close();

// By the event's name, or by the payload's own tag.
function show(event: Received<JobEvent>) {
  switch (event.name) {
    case "progress":
      return draw(event.data.percent);
    case "done":
      return go(event.data.url);
    default:
      event satisfies never;
  }
}
for await (const event of connect<JobEvent>(new URL("https://example.org/"), { method: "POST", body: "{}" })) {
  show(event);
  if (event.data.type === "progress") draw(event.data.percent);
  else go(event.data.url);
}

// Names to payloads: text, numbers, events without a name.
interface Ticks {
  tick: string;
  left: number;
  message: { word: string };
}
connect<Ticks>("/ticks", {
  text: ["tick"],
  headers: async () => ({ authorization: "Bearer x" }),
  on: { tick: text => text.trim(), left: n => draw(n), message: ({ word }) => word.trim() },
});

// A union with text beside it.
connect<ByName<JobEvent> & { log: string }>("/x", { text: ["log"], on: { log: line => line.trim(), done: ({ url }) => go(url) } });

// Without a type, everything goes.
connect("/x", { text: true, on: { anything: data => data.whatever }, onEvent: ({ name, data }) => [name, data] });

connect<JobEvent>("/x", {
  on: {
    // @ts-expect-error: another member's field
    progress: data => data.url,
    // @ts-expect-error: no such event
    progres: () => {},
  },
});
// @ts-expect-error: no such event
connect<JobEvent>("/x", { terminal: ["dne"] });
// @ts-expect-error: its payload is not text
connect<JobEvent>("/x", { text: ["progress"] });
// @ts-expect-error: a payload that is not text
connect<Ticks>("/x", { text: ["left"] });
// @ts-expect-error: what is sent again has to be there again
connect("/x", { method: "POST", body: new ReadableStream() });
// @ts-expect-error: not narrowed yet
connect<JobEvent>("/x", { onEvent: event => event.data.percent });
// @ts-expect-error: no such option
connect<JobEvent>("/x", { onMessage: () => {} });
// @ts-expect-error: the state is not for writing
job.state = "open";
