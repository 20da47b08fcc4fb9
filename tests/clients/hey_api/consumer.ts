// A program that uses the generated client: it compiles only if the events of the stream have types, and only if these
// refuse what is wrong.

import { jobEvents, type JobEventsResponse } from "./client";

/** All events there are: with one more, or one less, this does not compile. */
function told(event: JobEventsResponse): string {
  switch (event.type) {
    case "progress":
      return `${event.percent.toFixed(1)} %, ${event.step.toUpperCase()}`;
    case "done":
      return `done, see ${new URL(event.url, "http://results/").pathname}`;
    default:
      return event satisfies never;
  }
}

export function refused(event: JobEventsResponse) {
  // @ts-expect-error: only one of the events has it
  told({ type: "progress", percent: 1, step: "x", url: "/" });
  // @ts-expect-error: not every event has it
  event.url;
  // @ts-expect-error: there is no such event
  if (event.type === "finished") return;
  if (event.type === "progress") {
    // @ts-expect-error: it is a number
    event.percent.toUpperCase();
    // @ts-expect-error: that is in another event
    event.url;
  }
  // @ts-expect-error: which job?
  jobEvents();
  // @ts-expect-error: a job has a number
  jobEvents({ path: { id: "seven" } });
}

async function main() {
  const { stream } = await jobEvents({
    path: { id: 7 },
    // Without a limit it asks again for ever, whatever the answer was.
    sseMaxRetryAttempts: 1,
    onSseError: (error) => { throw error; },
    onSseEvent: ({ event, id }) => console.log(`event ${event}, id ${id}`),
  });
  for await (const event of stream) console.log(told(event));
}

main();
