// Starts a job of the example and follows it to its report.

import { jobEvents, report, startJob, type JobEventsResponse } from "./client";

/** Narrowed by `type`: each event has its own fields, and no other. */
function told(event: JobEventsResponse): string {
  switch (event.type) {
    case "queued":
      return "queued";
    case "progress":
      return `${event.pages.toFixed()} of ${event.of.toFixed()}`;
    case "failed":
      return event.reason.toUpperCase();
    case "done":
      return new URL(event.url, "http://jobs/").pathname;
    default:
      return event satisfies never;
  }
}

async function main() {
  const { data: job } = await startJob({ body: { pages: 3 }, throwOnError: true });
  console.log(`job ${job.id}`);
  const { stream } = await jobEvents({ path: { id: job.id }, sseMaxRetryAttempts: 1 });
  for await (const event of stream) {
    console.log(told(event));
    if (event.type === "done") {
      const { data: text } = await report({ path: { id: job.id }, throwOnError: true });
      console.log(`done: ${text.trim()}`);
    }
  }
}

main();
