// @ts-check
// One stream, kept up: connected, watched, and connected again where it left off.
//
//   connecting --200--> open --end, cut, silence--> waiting --time is up--> connecting
//        |                |                            ^
//        |                |  204, `sse-end`, a         |  408, 429, 5xx, no network
//        |                |  terminal event            |
//        '----------------+--> over                    '-- else: refused, and over
//
// It runs in a page or, for many pages, in a shared worker: what it is asked and what it tells are plain messages.

import { Parser } from "./sse-client.parser.js";

/**
 * @typedef {object} Ask
 * @property {string} url
 * @property {string} method
 * @property {[string, string][] | (() => HeadersInit | Promise<HeadersInit>)} headers
 * @property {BodyInit | null} body
 * @property {RequestCredentials} credentials
 * @property {"fetch" | "eventsource"} transport
 * @property {string} lastEventId
 * @property {number} retry
 * @property {number | null | undefined} heartbeat `null`: no watchdog; `undefined`: as the server announces
 * @property {string[]} terminal
 * @property {string[]} names what an `EventSource` has to be asked for
 *
 * @typedef {{ message: string, status: number, body: string, retryIn: number | null }} Trouble
 *
 * @typedef {{ kind: "state", state: "connecting" | "open" | "waiting" }
 *   | ({ kind: "event" } & import("./sse-client.parser.js").Received)
 *   | { kind: "error", trouble: Trouble }
 *   | { kind: "end" }} Message `end`, and an error without `retryIn`, are the last one
 */

/** Of the runtime's terminal event: who comes back with it is answered 204. */
const END_ID = "sse-end";
/** Between two attempts, whatever the server asks for, in ms. */
const SHORTEST_WAIT = 100;
/** Backing off goes no further, in ms. */
const LONGEST_WAIT = 30_000;
/** How long a server may take to answer, at least, once there is a watchdog at all, in ms. */
const ANSWER_LIMIT = 10_000;
/** What a timer can hold, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1;
/** How much is kept of an answer that is no stream, in characters. */
const LONGEST_BODY = 64 * 1024;
/** With these the server says that it has not even begun. */
const NOT_BEGUN = [408, 429, 503];

export class Connection {
  #ask;
  #tell;
  /** @type {string} */
  #id;
  #retry;
  /** @type {number | null} */
  #heartbeat;
  /** @type {"connecting" | "open" | "waiting" | "over"} */
  #state = "waiting";
  /** @type {AbortController | undefined} The attempt under way. */
  #attempt;
  /** The name of the last event of the attempt. */
  #lastWord = "";
  /** Attempts in a row that brought nothing. */
  #failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} To the next attempt. */
  #timer;
  /** No earlier, because the server asks for it. */
  #notBefore = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watchdog;
  #heardAt = 0;

  /**
   * @param {Ask} ask
   * @param {(message: Message) => void} tell is not called before this returns
   */
  constructor(ask, tell) {
    this.#ask = ask;
    this.#tell = tell;
    this.#id = ask.lastEventId;
    this.#retry = ask.retry;
    this.#heartbeat = ask.heartbeat ?? null;
    globalThis.addEventListener?.("online", this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
    queueMicrotask(() => this.#connect());
  }

  get state() {
    return this.#state;
  }

  close() {
    this.#state = "over";
    this.#drop();
    globalThis.removeEventListener?.("online", this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
  }

  /** Ends the attempt under way; what still comes of it is not heard. */
  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.abort();
  }

  /** @param {"connecting" | "open" | "waiting"} state */
  #become(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#tell({ kind: "state", state });
  }

  async #connect() {
    if (this.#state !== "waiting") return;
    this.#drop();
    const { signal } = (this.#attempt = new AbortController());
    this.#lastWord = "";
    this.#become("connecting");
    // Whoever heard of that may have closed the stream.
    if (signal.aborted) return;
    this.#heard();
    try {
      await (this.#ask.transport === "fetch" ? this.#read(signal) : this.#listen(signal));
    } catch (cause) {
      if (!signal.aborted) this.#fail(cause instanceof Error ? cause.message : String(cause));
    }
  }

  /**
   * Over fetch.
   * @param {AbortSignal} signal
   */
  async #read(signal) {
    const { url, method, headers, body, credentials } = this.#ask;
    const sent = new Headers(typeof headers === "function" ? await headers() : headers);
    if (!sent.has("accept")) sent.set("accept", "text/event-stream");
    // A header takes bytes, of which EventSource makes UTF-8.
    if (this.#id) sent.set("last-event-id", String.fromCharCode(...new TextEncoder().encode(this.#id)));
    signal.throwIfAborted();
    const response = await fetch(url, { method, headers: sent, body, credentials, cache: "no-store", signal });
    if (!await this.#accept(response, signal)) return;

    this.#become("open");
    const parser = new Parser(this.#id);
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) return this.#ended();
      this.#heard();
      const events = parser.feed(value);
      this.#retry = parser.retry ?? this.#retry;
      for (const event of events) {
        this.#take(event);
        if (signal.aborted) return;
      }
      this.#id = parser.lastEventId;
    }
  }

  /**
   * Whether this is a stream; if it is not, it has been seen to.
   * @param {Response} response
   * @param {AbortSignal} signal
   */
  async #accept(response, signal) {
    const { status, headers } = response;
    if (status === 204) {
      this.#finish();
      return false;
    }
    const type = headers.get("content-type") ?? "none";
    if (response.ok && /^text\/event-stream\s*(;|$)/i.test(type)) return true;
    const body = await beginning(response);
    if (signal.aborted) return false;
    const why = response.ok ? `not an event stream: content-type ${type}` : `refused with status ${status}`;
    this.#fail(why, status, body, delay(headers.get("retry-after")));
    return false;
  }

  /**
   * Over EventSource, which comes back by itself, with the last id, except after an answer that is no stream.
   * @param {AbortSignal} signal
   */
  #listen(signal) {
    const url = new URL(this.#ask.url);
    if (this.#id) url.searchParams.set("last_event_id", this.#id);
    const source = new EventSource(url, { withCredentials: this.#ask.credentials === "include" });
    signal.addEventListener("abort", () => source.close());
    source.onopen = () => {
      this.#heard();
      this.#become("open");
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) return this.#inquire(url, signal);
      clearTimeout(this.#watchdog);
      this.#become("waiting");
    };
    for (const name of this.#ask.names) {
      source.addEventListener(name, ({ data, lastEventId }) => {
        this.#heard();
        // A new EventSource knows no id before it is given one.
        this.#take({ name, data, id: lastEventId || this.#id });
      });
    }
  }

  /**
   * An EventSource does not say what the answer was that it gives up on: asks for it once more.
   * @param {URL} url
   * @param {AbortSignal} signal
   */
  async #inquire(url, signal) {
    const { credentials } = this.#ask;
    try {
      const headers = { accept: "text/event-stream" };
      const response = await fetch(url, { headers, credentials, cache: "no-store", signal });
      if (await this.#accept(response, signal)) this.#fail("refused, but not any more");
    } catch (cause) {
      if (!signal.aborted) this.#fail(String(cause));
    }
  }

  /** @param {import("./sse-client.parser.js").Received} event */
  #take(event) {
    this.#id = event.id;
    this.#lastWord = event.name;
    // What the server says by itself may be on the way to the next failure.
    if (event.name !== "failure" && !event.name.startsWith("sse-")) this.#failures = 0;
    if (event.name === "sse-open" && this.#ask.heartbeat === undefined && this.#ask.transport === "fetch") {
      this.#heartbeat = announced(event.data);
      this.#heard();
    }
    const attempt = this.#attempt;
    this.#tell({ kind: "event", ...event });
    if (attempt !== this.#attempt) return;
    if (event.id === END_ID || this.#ask.terminal.includes(event.name)) this.#finish();
  }

  #finish() {
    this.close();
    this.#tell({ kind: "end" });
  }

  /** The server has ended the response, as it should be ended. */
  #ended() {
    const broken = this.#lastWord === "failure" || this.#lastWord === "sse-bye";
    if (this.#ask.method === "GET" || (broken && this.#id)) {
      this.#count();
      this.#wait(this.#pause());
    } else if (broken) {
      this.#fail(`ended by the server with the event ${this.#lastWord}`);
    } else {
      this.#finish();
    }
  }

  /** The attempt has failed: tries again if that can help, and does not do anything twice.
   * @param {string} message
   * @param {number} [status] 0 if there was no answer, or it was cut off
   * @param {string} [body]
   * @param {number} [notWithin] ms
   */
  #fail(message, status = 0, body = "", notWithin = 0) {
    const mayPass = status === 0 || status >= 500 || NOT_BEGUN.includes(status);
    const harmless = this.#ask.method === "GET" || this.#id !== "" || NOT_BEGUN.includes(status);
    if (!mayPass || !harmless) {
      this.close();
      this.#tell({ kind: "error", trouble: { message, status, body, retryIn: null } });
      return;
    }
    this.#count();
    const retryIn = Math.max(notWithin, this.#pause());
    this.#wait(retryIn, notWithin);
    this.#tell({ kind: "error", trouble: { message, status, body, retryIn } });
  }

  /** Counts the attempt that is over among those that brought nothing, or begins anew. */
  #count() {
    if (this.#lastWord === "" || this.#lastWord === "failure") this.#failures += 1;
    else this.#failures = 0;
  }

  /** Never less than the server asks for; longer from failure to failure; not at once with all others. */
  #pause() {
    const asked = Math.max(this.#retry, SHORTEST_WAIT);
    const wait = Math.min(asked * 2 ** Math.max(0, this.#failures - 1), Math.max(asked, LONGEST_WAIT));
    return Math.round(wait * (1 + Math.random() / 2));
  }

  /**
   * @param {number} wait
   * @param {number} [notWithin]
   */
  #wait(wait, notWithin = 0) {
    this.#drop();
    this.#notBefore = Date.now() + notWithin;
    this.#timer = setTimeout(() => this.#connect(), Math.min(wait, LONGEST_TIMER));
    this.#become("waiting");
  }

  /** The network is back, or somebody looks at the page again. */
  #wake = (/** @type {Event} */ { type }) => {
    if (type === "visibilitychange" && document.hidden) return;
    // An EventSource waits by itself.
    if (this.#state === "waiting" && !this.#attempt && Date.now() >= this.#notBefore) this.#connect();
    else this.#watch();
  };

  #heard() {
    this.#heardAt = Date.now();
    this.#watch();
  }

  /** Looks whether the stream is silent for longer than it can be, and when to look again. */
  #watch() {
    clearTimeout(this.#watchdog);
    if (!this.#heartbeat || (this.#state !== "open" && this.#state !== "connecting")) return;
    const limit = this.#state === "open" ? 2 * this.#heartbeat : Math.max(2 * this.#heartbeat, ANSWER_LIMIT);
    const left = this.#heardAt + limit - Date.now();
    if (left > 0) this.#watchdog = setTimeout(() => this.#watch(), Math.min(left, LONGEST_TIMER));
    else this.#fail(`silent for ${Math.round(limit / 1000)} s`);
  }
}

/**
 * The heartbeat that `sse-open` tells of.
 * @param {string} data
 * @returns {number | null}
 */
function announced(data) {
  try {
    return JSON.parse(data).heartbeat ?? null;
  } catch {
    return null;
  }
}

/**
 * The text of an answer that is no stream. One that does not end is left when it is long, or after a while.
 * @param {Response} response
 */
async function beginning({ body }) {
  const reader = body?.getReader();
  const decoder = new TextDecoder();
  const timer = setTimeout(() => reader?.cancel(), ANSWER_LIMIT);
  let text = "";
  try {
    for (let part; text.length < LONGEST_BODY && (part = await reader?.read()) && !part.done;) {
      text += decoder.decode(part.value, { stream: true });
    }
    return text.slice(0, LONGEST_BODY);
  } finally {
    clearTimeout(timer);
    reader?.cancel().catch(() => {});
  }
}

/**
 * What `Retry-After` asks for, in ms.
 * @param {string | null} header seconds, or a date
 */
export function delay(header) {
  if (header === null) return 0;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return wait > 0 ? wait : 0;
}
