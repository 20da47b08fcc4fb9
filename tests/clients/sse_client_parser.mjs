// Reads streams with the parser of `sse-client`: each whole, cut in two at every byte, and byte by byte. Prints what each
// gave, once, if all three agree.
//
//   node sse_client_parser.mjs STREAMS    (a file: a JSON list of streams in hexadecimal)

import { readFileSync } from "node:fs";
import { Parser } from "../../sse-runtime/client/sse-client.parser.js";

function read(chunks) {
  const parser = new Parser();
  const events = chunks.flatMap(chunk => parser.feed(chunk));
  return JSON.stringify({ events, lastEventId: parser.lastEventId, retry: parser.retry });
}

for (const hex of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const stream = Buffer.from(hex, "hex");
  const whole = read([stream]);
  const cuts = [...stream.keys()].map(at => [stream.subarray(0, at), stream.subarray(at)]);
  cuts.push([...stream.keys()].map(at => stream.subarray(at, at + 1)));
  for (const chunks of cuts) {
    const cut = read(chunks);
    if (cut !== whole) throw new Error(`${JSON.stringify(chunks.map(String))}\n${cut}\n${whole}`);
  }
  console.log(whole);
}
