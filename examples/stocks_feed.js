// The prices, for one page or for many. This file runs in two places: as a shared worker, which is one for all tabs
// with the same address, and in the page itself where the browser has no shared workers.
"use strict";

// How many prices of a stock are kept: as many as the server sends at first.
const KEPT = 120;

// Listens, keeps what a page needs to begin with, and passes on what is new, as messages to `tell`.
function follow(search, tell) {
  const stocks = new Map();
  let source, state, why;

  function say(text) {
    state = { kind: "state", text };
    tell(state);
  }

  function connect() {
    say("Connecting");
    source = new EventSource(`/prices${search}`);
    source.onerror = () =>
      say(source.readyState === EventSource.CLOSED ? "Refused by the server: is there such a stock?" : "Reconnecting");

    // The server cannot go on from the last id that the browser named. `sse-open` comes next.
    source.addEventListener("sse-reset", ({ data }) => why = `, loaded anew (${JSON.parse(data).reason})`);

    // The first event of every connection. If it does not go on where the last one ended, a snapshot follows: drop
    // everything, because what is not in there is not there any more.
    source.addEventListener("sse-open", ({ data }) => {
      if (!JSON.parse(data).resumed) {
        stocks.clear();
        tell({ kind: "clear" });
      }
      say(`Live${why ?? ""}`);
      why = undefined;
    });

    // Too slow. Nothing to repair: each stock is a topic of its own, whose newest price is never left out, and comes
    // next. Where a topic tells of many things, it may have left out the last news of one: there, connect anew.
    source.addEventListener("sse-gap", ({ data }) => say(`Live, ${JSON.parse(data).missed} prices left out`));

    source.addEventListener("history", ({ data }) => {
      const stock = JSON.parse(data);
      stocks.set(stock.symbol, stock);
      tell({ kind: "history", ...stock });
    });

    source.addEventListener("price", ({ data }) => {
      const { symbol, number, price } = JSON.parse(data);
      const stock = stocks.get(symbol);
      // A price from the moment in which the snapshot was taken can be in there, and come once more.
      if (!stock || number <= stock.number) return;
      stock.number = number;
      stock.prices.push(price);
      if (stock.prices.length > KEPT) stock.prices.shift();
      tell({ kind: "price", symbol, price });
    });
  }

  connect();
  return {
    // All that a page has to be told that comes later.
    sofar: () => [{ kind: "clear" }, state, ...[...stocks.values()].map(stock => ({ kind: "history", ...stock }))],
    // For a page that was reloaded because the server had refused.
    retry: () => source.readyState === EventSource.CLOSED && connect(),
  };
}

if (self.SharedWorkerGlobalScope) {
  const tabs = new Set();
  const tellAll = message => tabs.forEach(tab => tab.postMessage(message));
  const feed = follow(self.location.search, tellAll);

  self.onconnect = ({ ports: [tab] }) => {
    tab.onmessage = ({ data }) => {
      if (data === "join") {
        tabs.add(tab);
        feed.retry();
        feed.sofar().forEach(message => tab.postMessage(message));
      } else {
        // A port does not notice that its tab is gone: the tab has to say so.
        tabs.delete(tab);
      }
      tellAll({ kind: "tabs", count: tabs.size });
    };
  };
}
