// The table of runs. The program tells of each the beginning of its id, and goes by its number.

import { bytes, cell, count, fill, put, span, textOf, time } from "./lines.js";

/** For so many milliseconds, a second press of the button ends a run. */
const SURE = 4000;
const element = id => document.getElementById(id);

export function showRuns({ all, going, matching, rows }, filter, cancel) {
  element("runs-section").hidden = all === 0;
  const filtered = filter ? `${count(matching)} of ${count(all)} match` : `${count(going)} go on, ${count(all - going)} are over`;
  element("runs-note").textContent =
    rows.length < matching ? `of this process; ${filtered}; the first ${rows.length} are shown` : `of this process; ${filtered}`;
  element("no-runs").hidden = rows.length > 0;
  const lines = fill(element("runs").tBodies[0], rows, row => row.number, row => newRun(row, cancel));
  lines.forEach((line, index) => {
    const row = rows[index];
    put(line.path, row.path, `route ${row.route}`);
    put(line.principal, row.principal);
    put(line.age, time(row.age));
    put(line.left, row.left === null ? "" : time(row.left));
    put(line.attached, count(row.attached), "clients of this process that follow it");
    put(line.events, count(row.events));
    put(line.bytes, bytes(row.bytes));
    put(line.state, row.ended ?? (row.begun ? "running" : "begins"));
    line.state.classList.toggle("soft", row.ended !== null);
    line.cancel.hidden = row.ended !== null;
  });
}

function newRun({ number, id }, cancel) {
  const line = document.createElement("tr");
  line.path = span("code");
  line.principal = span("chip");
  for (const name of ["age", "left", "attached", "events", "bytes", "state"]) line[name] = span();
  line.cancel = document.createElement("button");
  line.cancel.type = "button";
  line.cancel.className = "ends";
  askTwice(line.cancel, "Cancel", () => cancel(number));
  line.append(cell("", textOf(number)), cell("code soft", textOf(id)), cell("cut", line.path, line.principal));
  for (const name of ["age", "left", "attached", "events", "bytes"]) line.append(cell("number", line[name]));
  line.append(cell("", line.state), cell("", line.cancel));
  return line;
}

/** Those of another program have the same numbers. */
export function forgetRuns() {
  element("runs").tBodies[0].replaceChildren();
}

/** Has a button do something when it is pressed twice: rows move, and what it ends may have taken minutes. */
function askTwice(button, name, act) {
  let sure;
  const rest = () => {
    clearTimeout(sure);
    sure = undefined;
    button.textContent = name;
  };
  button.onclick = () => {
    if (sure !== undefined) {
      rest();
      return act();
    }
    button.textContent = `${name}, really?`;
    sure = setTimeout(rest, SURE);
  };
  rest();
}
