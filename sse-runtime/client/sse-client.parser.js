// @ts-check
// Reads an event stream the way the HTML standard says a browser does, from bytes as they arrive, cut anywhere.

/** @typedef {{ name: string, data: string, id: string }} Received An event; its `id` is the last one in force. */

export class Parser {
  /** What a client that read this far names when it comes back. */
  lastEventId;
  /** @type {number | null} The reconnection time that is in force, in milliseconds. */
  retry = null;

  // Drops one byte order mark at the beginning, and makes U+FFFD of what is not UTF-8.
  #decoder = new TextDecoder();
  // The line that has not ended yet.
  #line = "";
  // The last character was a CR: an LF right after it belongs to it.
  #afterCr = false;
  // The block so far.
  #name = "";
  #data = "";
  /** @type {string} In force when its block ends. */
  #id;

  /** @param {string} [lastEventId] from the connection before */
  constructor(lastEventId = "") {
    this.lastEventId = this.#id = lastEventId;
  }

  /**
   * Takes the next bytes, and returns the events that are complete with them.
   * @param {Uint8Array} bytes
   * @returns {Received[]}
   */
  feed(bytes) {
    const text = this.#decoder.decode(bytes, { stream: true });
    /** @type {Received[]} */
    const events = [];
    // Half a character: nothing to read yet.
    if (text === "") return events;

    const lineEnd = /\r\n?|\n/g;
    let start = lineEnd.lastIndex = this.#afterCr && text[0] === "\n" ? 1 : 0;
    for (let end; (end = lineEnd.exec(text)); start = lineEnd.lastIndex) {
      const line = this.#line + text.slice(start, end.index);
      this.#line = "";
      if (line === "") this.#dispatch(events);
      else this.#field(line);
    }
    this.#line += text.slice(start);
    this.#afterCr = text.endsWith("\r");
    return events;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    // A comment, or a field without a value.
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    switch (name) {
      case "event":
        this.#name = value;
        break;
      case "data":
        this.#data += value + "\n";
        break;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        break;
      case "retry":
        if (/^[0-9]+$/.test(value)) this.retry = Number(value);
    }
  }

  /** @param {Received[]} events */
  #dispatch(events) {
    // In force even if the block has no data and so is no event.
    this.lastEventId = this.#id;
    if (this.#data !== "") {
      events.push({ name: this.#name || "message", data: this.#data.slice(0, -1), id: this.#id });
    }
    this.#name = this.#data = "";
  }
}
