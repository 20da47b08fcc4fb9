// The picture: how many events a second left, over the last minutes.
//
// What comes are sums ("so many events by then"), so a time that nobody looked at shows as its average.

/** What is kept, and over what it is drawn while there is less, in milliseconds. */
const KEPT = 300_000;
const SPANS = [60_000, 120_000, KEPT];
const UNSEEN = 5000;
const element = id => document.getElementById(id);
let samples = [];
let span = SPANS[0];

/** Begins with what the program knows already: pairs of milliseconds and events. */
export function beginRates(history) {
  samples = history;
}

/** Adds the sum of now, and draws. */
export function addRate(at, events) {
  const last = samples.at(-1);
  if (last && at <= last[0]) return;
  samples.push([at, events]);
  // One from before the span, so that the line comes in from the edge.
  while (samples.length > 2 && samples[1][0] < at - KEPT) samples.shift();
  draw();
}

/** From each sample to the next: until when, and how many a second. */
function rates() {
  return samples.slice(1).map(([at, events], index) => {
    const [before, had] = samples[index];
    return { from: before, to: at, rate: (events - had) * 1000 / (at - before) };
  });
}

function draw() {
  const steps = rates();
  if (steps.length === 0) return;
  const now = steps.at(-1).to;
  span = SPANS.find(span => span >= now - steps[0].from) ?? KEPT;
  const top = niceAbove(Math.max(...steps.map(({ rate }) => rate)));
  const x = at => Math.max(0, 300 - (now - at) * 300 / span).toFixed(2);
  const y = rate => (100 - rate * 94 / top).toFixed(2);
  // A step is a point in its middle; one that nobody looked at, and the outermost, are drawn from end to end.
  const points = steps.flatMap(({ from, to, rate }, index) => {
    const ends = to - from > UNSEEN ? [from, to] : [index === 0 ? from : (from + to) / 2, ...(to === now ? [to] : [])];
    return ends.map(at => `${x(at)} ${y(rate)}`);
  });
  element("line").setAttribute("d", `M${points.join("L")}`);
  element("area").setAttribute("d", `M${points.join("L")}L300 100L${x(steps[0].from)} 100Z`);
  element("top").textContent = `${top.toLocaleString()} / s`;
  element("span").textContent = span === SPANS[0] ? "a minute ago" : `${span / 60_000} minutes ago`;
  element("rate").textContent = show(steps.at(-1).rate);
  element("picture").setAttribute("aria-label",
    `Events per second: ${show(steps.at(-1).rate)} now, ${show(Math.max(...steps.map(({ rate }) => rate)))} at most`);
}

/** 1, 2 or 5 with zeros: a scale that can be read. */
function niceAbove(value) {
  if (value <= 1) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map(step => step * unit).find(step => step >= value);
}

function show(rate) {
  return rate >= 10 ? Math.round(rate).toLocaleString() : String(Math.round(rate * 10) / 10);
}

element("picture").addEventListener("pointermove", ({ clientX }) => {
  const { left, width } = element("picture").getBoundingClientRect();
  const share = (clientX - left) / width;
  const steps = rates();
  if (steps.length === 0) return;
  const ago = (1 - share) * span;
  const at = steps.at(-1).to - ago;
  const step = steps.find(({ from, to }) => from <= at && at <= to);
  element("pointer").setAttribute("d", `M${share * 300} 0V100`);
  element("pointed").textContent = `${step ? `${show(step.rate)} / s, ` : ""}${Math.round(ago / 1000)} s ago`;
});
element("picture").addEventListener("pointerleave", () => {
  element("pointer").removeAttribute("d");
  element("pointed").textContent = "";
});
