// @ts-check
// The shared worker: one connection for all tabs that ask for the same stream.
//
// A tab that comes later must not begin in the middle. So it first gets a connection of its own, which begins as any
// does: with a snapshot, or after the id that the tab has already. As soon as that has come as far as the shared one,
// which their ids tell (`<epoch>-<number>`, see the guide on topics), the tab is moved over, and its own one closed.
// On a stream without such ids nobody can tell, and the tab keeps it.

import { Connection } from "./sse-client.connection.js";

/** @typedef {import("./sse-client.connection.js").Ask} Ask */
/** @typedef {import("./sse-client.connection.js").Message} Message */
/** @typedef {{ epoch: string, number: bigint }} Position */

/** A tab that does not answer so many questions in a row, one every so many ms, is gone, frozen or asleep. */
const PATIENCE = 3;
const ASK_EVERY = 5_000;

/** Tells how to answer into a stream. It is news on every connection, wherever that begins. */
const REPLIES = "sse-replies";

/** @type {Map<string, Feed>} */
const feeds = new Map();
/** @type {Set<Tab>} */
const tabs = new Set();

/** How far a connection has come. */
class Place {
  /** Whether what comes next is about what came after `id`. Within a snapshot it is not: that has no ids. */
  #settled = false;
  begun = false;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /** @param {Message} message */
  note(message) {
    if (message.kind !== "event") return;
    const { name, data, id } = message;
    if (name === "sse-open") this.#settled = id !== "" && data.includes(JSON.stringify(id));
    else if (name.startsWith("sse-") && name !== REPLIES) this.#settled = false;
    else if (id !== this.id) this.#settled = true;
    this.id = id;
    this.begun = true;
  }

  get position() {
    return this.#settled ? position(this.id) : undefined;
  }
}

/** One connection, and who listens to it. */
class Feed {
  /** @type {Set<Tab>} */
  tabs = new Set();
  /** @type {Message | undefined} How to answer into it, as it was said last. */
  replies;
  /** Whether that holds. The first event of a connection is another, or it still does. */
  #current = false;

  /**
   * @param {string} key
   * @param {Ask} ask
   */
  constructor(key, ask) {
    this.key = key;
    this.place = new Place(ask.lastEventId);
    this.connection = new Connection(ask, message => this.#take(message));
    feeds.set(key, this);
  }

  /** @param {Message} message */
  #take(message) {
    this.place.note(message);
    if (message.kind === "event") {
      if (message.name === REPLIES) this.replies = message;
      // A server that takes nobody in says so by these, and nothing of the token.
      this.#current ||= message.name !== "sse-bye" && message.name !== "failure";
    } else {
      this.#current = false;
    }
    for (const tab of this.tabs) tab.hear(message);
    if (this.connection.state === "over") this.close();
  }

  /** Whether a tab can be told how things are: not while the connection is new, or lost. */
  get isCurrent() {
    return this.#current && this.connection.state === "open";
  }

  /** @param {Tab} tab */
  leave(tab) {
    this.tabs.delete(tab);
    if (this.tabs.size === 0) this.close();
  }

  close() {
    this.connection.close();
    if (feeds.get(this.key) === this) feeds.delete(this.key);
  }
}

/** One stream of a page. */
class Tab {
  silent = 0;
  /** @type {Connection | undefined} Its own, until it has caught up. */
  #own;
  #place;
  /** @type {Position | undefined} Up to here it has everything, though the shared connection may have not. */
  #seen;
  /** Whether it has still to hear how to answer into the shared stream. */
  #owed = false;

  /**
   * @param {MessagePort} port
   * @param {Ask & { live: boolean }} ask
   */
  constructor(port, { live, ...ask }) {
    this.port = port;
    this.#place = new Place(ask.lastEventId);
    const key = JSON.stringify({ ...ask, lastEventId: "" });
    const feed = feeds.get(key);
    this.feed = feed ?? new Feed(key, ask);
    this.feed.tabs.add(this);
    tabs.add(this);
    if (!feed) return;
    const inTime = !feed.place.begun && feed.place.id === ask.lastEventId;
    if (live || inTime) this.#join();
    else this.#own = new Connection(ask, message => this.#takeOwn(message));
  }

  /** @param {Message} message from the shared connection */
  hear(message) {
    if (this.#own) return this.#catchUp();
    if (this.#owed && message.kind === "event" && message.name !== "sse-bye" && message.name !== "failure") {
      this.#owed = false;
      if (message.name !== REPLIES) this.#tellReplies();
    }
    if (this.#seen && message.kind === "event" && message.name !== REPLIES) {
      const at = position(message.id);
      if (message.name.startsWith("sse-")) {
        // A reset or a gap: what follows, also without an id, is to be seen by all.
        if (message.name !== "sse-open" || at?.epoch !== this.#seen.epoch) this.#seen = undefined;
      } else if (at?.epoch === this.#seen.epoch && at.number <= this.#seen.number) {
        return;
      }
    }
    this.port.postMessage(message);
  }

  /** @param {Message} message */
  #takeOwn(message) {
    this.port.postMessage(message);
    this.#place.note(message);
    this.#catchUp();
  }

  #catchUp() {
    const own = this.#place.position, shared = this.feed.place.position;
    if (!own || own.epoch !== shared?.epoch || own.number < shared.number) return;
    // What is lost has no place for anybody.
    if (this.#own?.state === "over" || !this.feed.isCurrent) return;
    this.#own?.close();
    this.#own = undefined;
    this.#seen = own;
    this.#join();
  }

  /** From here on, it listens to the shared connection. */
  #join() {
    const { state } = this.feed.connection;
    if (state !== "over") this.port.postMessage({ kind: "state", state });
    this.#owed = !this.feed.isCurrent;
    if (!this.#owed) this.#tellReplies();
  }

  /** The token of its own connection, if it had one, went with that. */
  #tellReplies() {
    if (this.feed.replies) this.port.postMessage(this.feed.replies);
  }

  leave() {
    this.#own?.close();
    this.feed.leave(this);
    tabs.delete(this);
  }
}

/**
 * Of a run, its name is before the epoch.
 * @param {string} id
 */
function position(id) {
  const [, epoch, number] = /^((?:[0-9a-z]+\.)?[0-9a-f]+)-(\d+)$/.exec(id) ?? [];
  return number === undefined ? undefined : { epoch, number: BigInt(number) };
}

globalThis.addEventListener("connect", event => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  /** @type {Tab | undefined} */
  let tab;
  port.onmessage = ({ data }) => {
    if (data.kind === "join") tab = new Tab(port, data.ask);
    else if (data.kind === "leave") tab?.leave();
    else if (tab) tab.silent = 0;
  };
  // Of a tab that crashed, where browsers tell of it.
  port.addEventListener("close", () => tab?.leave());
});

setInterval(() => {
  for (const tab of tabs) {
    if (tab.silent < PATIENCE) {
      tab.silent += 1;
      tab.port.postMessage({ kind: "there?" });
    } else {
      // If it wakes up, it reads this, and joins again with the id that it saw last.
      tab.port.postMessage({ kind: "dropped" });
      tab.leave();
    }
  }
}, ASK_EVERY);
