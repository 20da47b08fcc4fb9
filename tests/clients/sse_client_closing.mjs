// Closes a stream over an EventSource from within each of its callbacks, and prints how many sources are open then. It
// ends by itself only if no timer is left.

import { connect } from "../../sse-runtime/client/sse-client.js";

/** As much of an EventSource as the client uses. Its server: a stream, which breaks off, and is refused once. */
class Source extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  static open = new Set();
  static refused = false;
  readyState = Source.CONNECTING;

  constructor() {
    super();
    Source.open.add(this);
    setTimeout(() => {
      if (this.readyState === Source.CLOSED) return;
      this.readyState = Source.OPEN;
      this.onopen();
      this.dispatchEvent(Object.assign(new Event("tick"), { data: "1", lastEventId: "7" }));
      if (this.readyState === Source.CLOSED) return;
      if (Source.refused) return;
      Source.refused = true;
      this.readyState = Source.CONNECTING;
      this.onerror();
      if (this.readyState === Source.CLOSED) return;
      this.close();
      this.onerror();
    });
  }

  close() {
    this.readyState = Source.CLOSED;
    Source.open.delete(this);
  }
}

globalThis.EventSource = Source;
globalThis.fetch = async () => new Response("later", { status: 503 });

const moments = ["state open", "event tick", "state waiting", "error", "state connecting"];
for (const moment of moments) {
  Source.refused = false;
  await new Promise(closed => {
    const at = name => {
      if (name !== moment) return;
      stream.close();
      setTimeout(closed, 300);
    };
    const stream = connect("http://localhost/", {
      transport: "eventsource",
      on: { tick: () => at("event tick") },
      onState: state => at(`state ${state}`),
      onError: () => at("error"),
      retry: 1,
      heartbeat: 60_000,
    });
  });
  console.log(`${moment}: ${Source.open.size}`);
}
