// What the program streams to this page, and its buttons. Everything that comes is shown as text, never as HTML.

import { bytes, cell, count, fill, put, span, textOf, time } from "./lines.js";
import { addRate, beginRates } from "./rates.js";
import { forgetRuns, showRuns } from "./runs.js";

/** How many events the tail keeps. */
const KEPT = 200;
/** A page that nobody sees asks for nothing, after so many milliseconds. */
const UNSEEN = 5000;

const element = id => document.getElementById(id);
const view = { filter: "", sort: "oldest", chosen: null };
let source;
let program;
let paused = false;
let missed = 0;

// The stream

function connect() {
  source?.close();
  // Beside this script, wherever that is mounted.
  const address = new URL("events", import.meta.url);
  address.search = new URLSearchParams({ filter: view.filter, sort: view.sort, tail: view.chosen ?? "all" });
  source = new EventSource(address);
  source.onerror = lost;
  source.addEventListener("begin", take(begin));
  source.addEventListener("overview", take(overview));
  source.addEventListener("tail", take(tail));
}

/** A listener for events whose data is JSON; of a source that has been replaced, for none. */
function take(use) {
  return event => event.target === source && use(JSON.parse(event.data));
}

function begin(begun) {
  if (program !== begun.program) {
    if (program) {
      if (view.chosen !== null) choose(null);
      element("routes").tBodies[0].replaceChildren();
      forgetRuns();
    }
    program = begun.program;
    clearTail();
  }
  beginRates(begun.history);
  show("live", "Live");
}

function lost({ target }) {
  if (target !== source) return;
  const refused = source.readyState === EventSource.CLOSED;
  show("lost", refused ? "Refused by the program; trying again" : "Not connected; trying again");
  if (refused) setTimeout(() => target === source && connect(), 2000);
}

function show(is, text) {
  element("state").dataset.is = is;
  element("state").textContent = text;
  document.body.toggleAttribute("data-stale", is !== "live");
}

let unseen;
document.addEventListener("visibilitychange", () => {
  clearTimeout(unseen);
  if (!document.hidden) return source || connect();
  unseen = setTimeout(() => {
    source.close();
    source = undefined;
    show("connecting", "Resting while nobody looks");
  }, UNSEEN);
});

// What there is

function overview({ at, events, streams, runs, chosen, routes, hubs }) {
  addRate(at, events);
  element("open").textContent = count(streams.open);
  element("events").textContent = count(events);
  element("topics").textContent = hubs.length ? count(hubs.reduce((sum, hub) => sum + hub.topics, 0)) : "–";
  showStreams(streams);
  showRuns(runs, view.filter, number => press("run", number, "cancel"));
  showChosen(chosen);
  showRoutes(routes);
  showHubs(hubs);
}

function showStreams({ open, matching, rows }) {
  const filtered = view.filter ? `${count(matching)} of ${count(open)} match` : count(open);
  element("streams-note").textContent =
    rows.length < matching ? `${filtered}; the first ${rows.length} are shown` : filtered;
  element("no-streams").hidden = rows.length > 0;
  element("no-streams").textContent = view.filter ? "No open stream matches." : "No stream is open.";
  const lines = fill(element("streams").tBodies[0], rows, row => row.id, newStream);
  lines.forEach((line, index) => {
    const row = rows[index];
    line.ariaSelected = String(row.id === view.chosen);
    put(line.button, row.id);
    put(line.path, row.path, `route ${row.route}`);
    put(line.principal, row.principal);
    put(line.stalled, row.stalled ? "stalled" : "");
    put(line.client, row.client ?? "unknown");
    put(line.age, time(row.age));
    put(line.events, count(row.events));
    put(line.bytes, bytes(row.bytes));
    put(line.backlog, backlog(row), "bytes in the stream's buffer, and events of its topic that it has not got yet");
    line.backlog.classList.toggle("loud", row.queued > 0 || row.behind > 0);
    put(line.blocked, row.blocked === null ? "" : time(row.blocked), limit(row));
    line.blocked.classList.toggle("loud", row.blocked > 1000);
    put(line.last, row.last_id, row.last_id);
  });
}

function newStream({ id }) {
  const line = document.createElement("tr");
  const button = document.createElement("button");
  button.type = "button";
  line.button = button;
  line.path = span("code");
  line.principal = span("chip");
  line.stalled = span("chip loud");
  line.client = span();
  [line.age, line.events, line.bytes, line.backlog, line.blocked] = Array.from({ length: 5 }, () => span());
  line.last = span("code soft");
  line.append(cell("", button), cell("cut", line.path, line.principal, line.stalled), cell("soft", line.client));
  for (const name of ["age", "events", "bytes", "backlog", "blocked"]) line.append(cell("number", line[name]));
  line.append(cell("cut", line.last));
  line.onclick = () => choose(view.chosen === id ? null : id);
  return line;
}

function showRoutes(routes) {
  // By its place among all: a route may be mounted twice.
  routes.forEach((route, index) => route.key = index);
  const wanted = routes.filter(({ path, handler }) => `${path} ${handler}`.toLowerCase().includes(view.filter.toLowerCase()));
  const lines = fill(element("routes").tBodies[0], wanted, route => route.key, newRoute);
  lines.forEach((line, index) => {
    const route = wanted[index];
    const most = route.options.find(({ name }) => name === "max_streams")?.value;
    put(line.open, most ? `${count(route.open)} of ${count(Number(most))}` : count(route.open));
    line.open.classList.toggle("loud", most !== undefined && route.open >= most);
    put(line.streams, count(route.streams));
    put(line.events, count(route.events));
  });
  element("no-routes").hidden = wanted.length > 0;
  element("no-routes").textContent = view.filter ? "No route matches." : "No route of this library is mounted.";
  const unknown = routes.reduce((sum, route) => sum + route.unknown, 0);
  element("unknown").hidden = unknown === 0;
  element("unknown").textContent = `${count(unknown)} streams are not shown above: they do not end with the Shutdown that the ` +
    "inspector was given. Give the server the same one.";
}

function newRoute({ methods, path, handler, options }) {
  const line = document.createElement("tr");
  line.open = span();
  line.streams = span();
  line.events = span();
  const name = span("code");
  put(name, path, `handler ${handler}`);
  const said = ({ name, value }) => value ? `${name} = ${value}` : name;
  const changed = options.filter(option => option.changed).map(option => {
    const chip = span("chip");
    chip.textContent = said(option);
    return chip;
  });
  const all = cell("wraps", ...changed);
  all.title = options.map(said).join("\n");
  if (changed.length === 0) all.append(textOf("defaults", "soft"));
  line.append(cell("soft", methods.join(" ")), cell("cut", name), cell("number", line.open), cell("number", line.streams),
    cell("number", line.events), all);
  return line;
}

function showHubs(hubs) {
  const sections = fill(element("hubs"), hubs, (hub, index) => `${index} ${hub.name}`, newHub);
  sections.forEach((section, index) => {
    const hub = hubs[index];
    const filtered = view.filter ? `${count(hub.matching)} of ${count(hub.topics)} match` : count(hub.topics);
    const shown = hub.rows.length < hub.matching ? `; the ${hub.rows.length} that heard something last` : "";
    const ofRuns = hub.of_runs > 0 ? ` · ${count(hub.of_runs)} more are the logs of runs and replies` : "";
    put(section.note, `${filtered}${shown}${ofRuns} · ${count(hub.subscribers)} followers · ${count(hub.events)} events kept, ` +
      `${bytes(hub.bytes)} · ${count(hub.published)} published`,
    `since the program began: ${count(hub.resumed)} streams resumed, ${count(hub.reset)} were reset, ` +
      `${count(hub.fell_behind)} fell behind and missed ${count(hub.missed)} events`);
    section.empty.hidden = hub.rows.length > 0;
    section.empty.textContent = view.filter ? "No topic matches." : "No topic yet.";
    const lines = fill(section.querySelector("tbody"), hub.rows, row => row.name, newTopic);
    lines.forEach((line, at) => {
      const row = hub.rows[at];
      put(line.subscribers, count(row.subscribers));
      put(line.events, count(row.events));
      put(line.bytes, bytes(row.bytes));
      put(line.oldest, row.oldest);
      put(line.newest, row.newest);
      put(line.age, row.age === null ? "" : `${time(row.age)} ago`);
    });
  });
}

function newHub({ name }) {
  const section = element("hub").content.cloneNode(true).firstElementChild;
  section.querySelector(".name").textContent = `Topics of ${name}`;
  section.note = section.querySelector("small");
  section.empty = section.querySelector(".empty");
  return section;
}

function newTopic({ name }) {
  const line = document.createElement("tr");
  const title = span("code");
  put(title, name, name);
  for (const column of ["subscribers", "events", "bytes", "age"]) line[column] = span();
  line.oldest = span("code soft");
  line.newest = span("code soft");
  line.append(cell("cut", title), cell("number", line.subscribers), cell("number", line.events), cell("number", line.bytes),
    cell("", line.oldest), cell("", line.newest), cell("number", line.age));
  return line;
}

// Events as they leave

function tail({ events, left_out: leftOut }) {
  if (paused) {
    missed += events.length + leftOut;
    element("pause").textContent = `Go on (${count(missed)} passed)`;
    return;
  }
  const lines = events.map(newEvent).reverse();
  const list = element("tail");
  list.prepend(...lines);
  while (list.children.length > KEPT) list.lastChild.remove();
  element("left-out").hidden = leftOut === 0;
  element("left-out").textContent = `${count(leftOut)} more left just now than can be shown`;
}

function newEvent({ stream, path, name, id, data, bytes: length, cut }) {
  const line = document.createElement("li");
  const head = document.createElement("div");
  head.className = "head";
  const title = document.createElement("b");
  title.textContent = name ?? "message";
  head.append(title);
  if (view.chosen === null) head.append(textOf(`#${stream} ${path}`, "path"));
  if (id !== null) head.append(textOf(`id ${id}`));
  head.append(textOf(bytes(length), "bytes"));
  const body = document.createElement("div");
  body.className = "data";
  body.textContent = cut ? `${data}…` : data;
  line.append(head, body);
  return line;
}

function clearTail() {
  element("tail").replaceChildren();
  element("left-out").hidden = true;
}

element("pause").onclick = () => {
  paused = !paused;
  missed = 0;
  element("pause").ariaPressed = String(paused);
  element("pause").textContent = paused ? "Go on" : "Pause";
};

// One stream

function choose(id) {
  view.chosen = id;
  element("chosen").hidden = id === null;
  element("whose").textContent = id === null
    ? "of all streams; choose one to see it alone, and to try things with it"
    : `of stream ${id}`;
  element("facts").replaceChildren();
  answer("");
  for (const line of element("streams").tBodies[0].rows) line.ariaSelected = String(Number(line.button.textContent) === id);
  clearTail();
  connect();
}

function showChosen(stream) {
  if (view.chosen === null) return;
  for (const id of ["stall", "close"]) element(id).disabled = stream === null;
  element("send").querySelector("button").disabled = stream === null;
  if (stream === null) {
    element("whose").textContent = `of stream ${view.chosen}, which is over`;
    return;
  }
  element("stall").textContent = stream.stalled ? "Release" : "Stall";
  const facts = {
    path: stream.path,
    client: [stream.client ?? "unknown", stream.principal].filter(Boolean).join(", "),
    sent: `${count(stream.events)} events, ${bytes(stream.bytes)} in ${time(stream.age)}`,
    backlog: backlog(stream) || "none",
    blocked: stream.blocked === null ? "no" : `for ${time(stream.blocked)}; ${limit(stream)}`,
  };
  element("facts").replaceChildren(...Object.entries(facts).flatMap(([name, text]) => {
    const [term, fact] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, fact.textContent, fact.title] = [name, text, text];
    return [term, fact];
  }));
}

async function press(what, number, button, body) {
  const name = `${what === "run" ? "Run" : "Stream"} ${number}`;
  try {
    const response = await fetch(new URL(`${what}s/${number}/${button}`, import.meta.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body ?? {}),
    });
    answer(`${name}: ${(await response.text()).trim()}`, !response.ok);
    return response.ok;
  } catch (error) {
    answer(`${name}: ${error.message}`, true);
    return false;
  }
}

function answer(text, refused = false) {
  element("answer").textContent = text;
  element("answer").classList.toggle("refused", refused);
}

/** Presses a button of the stream that is chosen. */
const pressChosen = (button, body) => press("stream", view.chosen, button, body);

element("close").onclick = () => pressChosen("close");
element("all").onclick = () => choose(null);
element("stall").onclick = async () => {
  const release = element("stall").textContent === "Release";
  if (await pressChosen(release ? "release" : "stall")) element("stall").textContent = release ? "Stall" : "Release";
};
element("send").onsubmit = event => {
  event.preventDefault();
  pressChosen("send", Object.fromEntries(new FormData(event.target)));
};

// What is wanted

for (const button of document.querySelectorAll("[data-sort]")) {
  button.ariaPressed = String(button.dataset.sort === view.sort);
  button.onclick = () => {
    view.sort = button.dataset.sort;
    for (const other of document.querySelectorAll("[data-sort]")) other.ariaPressed = String(other === button);
    connect();
  };
}

let typing;
element("filter").oninput = ({ target }) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    view.filter = target.value.trim();
    connect();
  }, 200);
};

// What waits

function backlog({ queued, behind }) {
  return [queued > 0 && bytes(queued), behind > 0 && `${count(behind)} events`].filter(Boolean).join(" + ");
}

function limit({ blocked, send_timeout: most }) {
  if (blocked === null) return "";
  return most === null ? "it may be for ever" : `it is cut after ${time(most)}`;
}

connect();
