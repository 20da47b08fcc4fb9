// @ts-check
// What a page uses: `connect` opens a stream, and hands out its events by their names, as values.
//
// The stream itself is kept up by a connection (sse-client.connection.js), in this page or in a shared worker for all.

import { Connection, delay } from "./sse-client.connection.js";

/** @typedef {import("./sse-client.connection.js").Ask} Ask */
/** @typedef {import("./sse-client.connection.js").Message} Message */
/** @typedef {{ name: string, data: any, id: string }} Event */
/** @typedef {import("./sse-client.d.ts").Options<any>} Options */

/** The worker of another version speaks another language: count up when its messages change. */
const WORKER = "sse-client 2";

/** What the runtime itself says, and who wants to know. */
const WORDS = /** @type {const} */ ({
  "sse-open": "onOpen",
  "sse-reset": "onReset",
  "sse-gap": "onGap",
  "sse-bye": "onBye",
  "failure": "onFailure",
});

/** The event that tells how to answer into the stream. */
const REPLIES = "sse-replies";
/** The last word of a run whose server is gone. */
const LOST = "run-lost";
/** Before what the network has lost is sent again, and at least before what there was no room for, in ms. */
const SEND_AGAIN = 500;

/** @type {typeof import("./sse-client.d.ts").connect} */
export const connect = (url, options = {}) => new Stream(String(url), options);

export class StreamError extends Error {
  name = "StreamError";

  /** @param {import("./sse-client.connection.js").Trouble} trouble */
  constructor({ message, status, body, retryIn }) {
    super(message);
    this.status = status;
    this.body = body;
    this.retryIn = retryIn;
  }
}

class Stream {
  /** @type {import("./sse-client.d.ts").State} */
  state = "connecting";
  lastEventId;
  #options;
  #url;
  /** @type {{ close(): void } | undefined} */
  #link;
  #share;
  /** @type {Event[] | undefined} Without handlers, the events wait here for a loop. */
  #queue;
  #looping = false;
  #wake = () => {};
  /** @type {StreamError | undefined} Thrown by the loop. */
  #error;
  /** @type {string | undefined} For answers. */
  #token;
  /** Whether it is of this connection. A run keeps it; other streams say another, as their first event. */
  #tokenHolds = false;
  /** @type {(() => void)[]} Answers that wait for it, for a while, or for the end. */
  #sending = [];

  /**
   * @param {string} url
   * @param {Options} options
   */
  constructor(url, options) {
    const { on, onEvent, share = false, signal, lastEventId = "" } = options;
    this.#options = options;
    this.#url = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href).href;
    this.lastEventId = lastEventId;
    this.#share = share;
    // Refused here rather than in a worker.
    const { method, body, transport } = this.#ask();
    if (method === "GET" && body !== null) throw new TypeError("a GET request has no body");
    if (share && method !== "GET") throw new TypeError("only a GET stream can be shared");
    if (share && typeof options.headers === "function") throw new TypeError("a function cannot be shared: give the headers");
    if (transport === "eventsource" && (method !== "GET" || options.headers)) {
      throw new TypeError("an EventSource has no method and no headers");
    }

    if (!on && !onEvent) this.#queue = [];
    if (signal?.aborted) {
      this.close();
      return;
    }
    signal?.addEventListener("abort", this.#close);
    if (method === "GET") {
      globalThis.addEventListener?.("pagehide", this.#rest);
      globalThis.addEventListener?.("pageshow", this.#goOn);
    }
    this.#start();
  }

  close() {
    if (this.state === "closed") return;
    this.#options.signal?.removeEventListener("abort", this.#close);
    globalThis.removeEventListener?.("pagehide", this.#rest);
    globalThis.removeEventListener?.("pageshow", this.#goOn);
    this.#rest();
    this.#become("closed");
    this.#wake();
    this.#rouse();
  }

  /**
   * @param {unknown} answer
   * @returns {Promise<any>}
   */
  async send(answer) {
    const body = JSON.stringify(answer);
    const key = crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].join("-");
    const { headers = {}, credentials = "same-origin", signal } = this.#options;
    while (this.#token === undefined || !this.#tokenHolds) await this.#pause();
    const url = new URL(this.#url);
    url.searchParams.set("reply", this.#token);
    for (let lost = false; ; ) {
      if (this.state === "closed") throw over();
      const sent = new Headers(typeof headers === "function" ? await headers() : headers);
      sent.set("content-type", "application/json");
      sent.set("idempotency-key", key);
      let response, text;
      try {
        response = await fetch(url, { method: "POST", headers: sent, body, credentials, cache: "no-store", signal });
        text = await response.text();
      } catch (cause) {
        if (lost) throw new StreamError({ message: String(cause), status: 0, body: "", retryIn: null });
        // It may have arrived: by its key the server knows it again.
        lost = true;
        await this.#pause(SEND_AGAIN);
        continue;
      }
      const { status } = response;
      // By its key, the server knows an answer again that it could not pass on in time.
      if (status === 429 || (status === 503 && response.headers.has("retry-after"))) {
        await this.#pause(Math.max(delay(response.headers.get("retry-after")), SEND_AGAIN));
        continue;
      }
      if (!response.ok) {
        throw new StreamError({ message: `refused with status ${status}`, status, body: text, retryIn: null });
      }
      if (status === 202 || text === "") return undefined;
      return /json/i.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : text;
    }
  }

  /**
   * Waits until something changes, or so long.
   * @param {number} [limit] ms
   */
  async #pause(limit) {
    if (this.state === "closed") throw over();
    await new Promise(go => {
      const timer = limit === undefined ? undefined : setTimeout(go, limit);
      this.#sending.push(() => {
        clearTimeout(timer);
        go(undefined);
      });
    });
  }

  #rouse() {
    for (const go of this.#sending.splice(0)) go();
  }

  #close = () => this.close();

  /** A page that is left may be kept and shown again, but not with an open connection. */
  #rest = () => {
    this.#link?.close();
    this.#link = undefined;
  };

  #goOn = (/** @type {PageTransitionEvent} */ { persisted }) => {
    if (persisted && !this.#link) this.#start();
  };

  /** @returns {AsyncGenerator<any, undefined>} */
  async *[Symbol.asyncIterator]() {
    const queue = this.#queue;
    if (!queue || this.#looping) throw new TypeError("a stream is for its handlers, or for one loop");
    this.#looping = true;
    try {
      for (;;) {
        for (let event; (event = queue.shift()); ) yield event;
        if (this.#error) throw this.#error;
        if (this.state === "closed") return;
        await new Promise(wake => this.#wake = () => wake(undefined));
      }
    } finally {
      this.close();
    }
  }

  /** @returns {Ask} */
  #ask() {
    const { method = "GET", body = null, headers = {}, credentials = "same-origin", retry = 1000 } = this.#options;
    const { on = {}, text, terminal = [], names = [], heartbeat } = this.#options;
    const streams = "body" in Response.prototype && typeof TextDecoder !== "undefined";
    const transport = this.#options.transport ?? (streams ? "fetch" : "eventsource");
    const known = ["message", "end", REPLIES, LOST, ...Object.keys(WORDS), ...Object.keys(on), ...terminal, ...names];
    if (Array.isArray(text)) known.push(...text);
    return {
      url: this.#url,
      method: method.toUpperCase(),
      headers: typeof headers === "function" ? headers : [...new Headers(headers)],
      body,
      credentials,
      transport,
      lastEventId: this.lastEventId,
      retry,
      heartbeat,
      terminal: [...terminal],
      names: transport === "eventsource" ? [...new Set(known)] : [],
    };
  }

  #start() {
    const tell = (/** @type {Message} */ message) => {
      if (this.#link === link) this.#take(message);
    };
    const alone = () => new Connection(this.#ask(), tell);
    /** @type {{ close(): void }} */
    let link;
    try {
      link = this.#share ? new Share({ ...this.#ask(), live: this.#share === "live" }, tell, works => {
        if (this.#link !== link) return;
        // Where there can be no shared worker, each page has a connection of its own.
        if (!works) this.#share = false;
        this.#rest();
        this.#start();
      }) : alone();
    } catch {
      this.#share = false;
      link = alone();
    }
    this.#link = link;
  }

  /** @param {Message} message */
  #take(message) {
    switch (message.kind) {
      case "state":
        return this.#become(message.state);
      case "event":
        return this.#event(message);
      case "error":
        return this.#trouble(new StreamError(message.trouble));
      case "end":
        this.close();
        this.#call(this.#options.onEnd);
    }
  }

  /** @param {import("./sse-client.d.ts").State} state */
  #become(state) {
    if (this.state === state) return;
    this.state = state;
    if (state !== "open") this.#tokenHolds = false;
    this.#call(this.#options.onState, state);
  }

  /** @param {{ name: string, data: string, id: string }} received */
  #event({ name, data, id }) {
    const { on, onEvent, text, terminal } = this.#options;
    this.lastEventId = id;
    const own = on && Object.hasOwn(on, name) ? on[name] : undefined;
    const word = !own && Object.hasOwn(WORDS, name) ? WORDS[/** @type {keyof typeof WORDS} */ (name)] : undefined;
    const isText = !word && name !== REPLIES && name !== LOST && (text === true || text?.includes(name));
    // The end that the runtime says by itself is no event of the page's, see `onEnd`.
    if (id === "sse-end" && data === "{}" && !own && !terminal?.includes(name)) return;
    let value;
    try {
      value = isText ? data : JSON.parse(data);
    } catch {
      const message = `the event ${name} is not JSON: list it in \`text\`, or its data is wrong: ${data}`;
      return this.#trouble(new StreamError({ message, status: 200, body: data, retryIn: 0 }));
    }
    if (name === REPLIES) this.#token = value.token;
    // A server that takes nobody in says so by these, and nothing of the token.
    if (!this.#tokenHolds && name !== "sse-bye" && name !== "failure") {
      this.#tokenHolds = true;
      this.#rouse();
    }
    if (word) return this.#call(this.#options[word], value);
    if (name === REPLIES && !own) return;
    if (name === LOST && !own) {
      const message = "the run is lost: the server that had it is gone";
      return this.#trouble(new StreamError({ message, status: 0, body: data, retryIn: null }));
    }
    /** @type {Event} */
    const event = { name, data: value, id };
    this.#queue?.push(event);
    this.#wake();
    this.#call(own, value, event);
    this.#call(onEvent, event);
  }

  /** @param {StreamError} error */
  #trouble(error) {
    const { onError } = this.#options;
    const final = error.retryIn === null;
    if (final) {
      this.#error = error;
      this.close();
    }
    if (onError) this.#call(onError, error);
    // What nobody hears of otherwise, the console should.
    else if ((final && !this.#looping) || error.retryIn === 0) report(error);
  }

  /**
   * What goes wrong in the page is not the stream's.
   * @param {((...given: any[]) => unknown) | undefined} callback
   * @param {...any} given
   */
  #call(callback, ...given) {
    try {
      callback?.(...given);
    } catch (error) {
      report(error);
    }
  }
}

/** A stream in the shared worker, as this page sees it. */
class Share {
  #port;

  /**
   * @param {Ask & { live: boolean }} ask
   * @param {(message: Message) => void} tell
   * @param {(works: boolean) => void} lost the worker has let go of this page, or cannot be had at all
   */
  constructor(ask, tell, lost) {
    const worker = new SharedWorker(new URL("./sse-client.worker.js", import.meta.url), { type: "module", name: WORKER });
    worker.onerror = () => lost(false);
    this.#port = worker.port;
    this.#port.onmessage = ({ data }) => {
      if (data.kind === "there?") this.#port.postMessage({ kind: "here" });
      else if (data.kind === "dropped") lost(true);
      else tell(data);
    };
    this.#port.postMessage({ kind: "join", ask });
  }

  close() {
    this.#port.postMessage({ kind: "leave" });
    this.#port.onmessage = null;
    this.#port.close();
  }
}

/** Who answers into a stream that is closed. */
function over() {
  return new StreamError({ message: "the stream is closed", status: 0, body: "", retryIn: null });
}

/** @param {unknown} error */
function report(error) {
  (globalThis.reportError ?? console.error)(error);
}
