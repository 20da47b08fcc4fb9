// Node with better-sse: a channel that broadcasts to its sessions. Takes its keep-alive in seconds; says where it listens,
// then takes commands from standard input (see benches/fanout/control.rs) until that ends.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { createChannel, createSession } from "better-sse";

const keepAlive = Number(process.argv[2]) * 1000;
const channel = createChannel();

const server = createServer(async (request, response) => {
  const session = await createSession(request, response, { keepAlive, serializer: (text) => text });
  channel.register(session);
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () => {
  console.log(`127.0.0.1:${server.address().port}`);
});

const text = (bytes) => "The quick brown fox jumps over the lazy dog. ".repeat(bytes).slice(0, bytes - 1) + "~";

async function bursts(bytes, burst, pauseMicros, count) {
  const event = text(bytes);
  for (let left = count; left > 0; left--) {
    for (let i = 0; i < burst; i++) channel.broadcast(event);
    if (left > 1) await setTimeout(pauseMicros / 1000);
  }
  return burst * count;
}

async function paced(bytes, rate, millis) {
  const event = text(bytes);
  const begun = performance.now();
  let published = 0;
  while (true) {
    const elapsed = performance.now() - begun;
    const due = Math.floor((Math.min(elapsed, millis) * rate) / 1000);
    for (; published < due && performance.now() - begun < millis * 1.5; published++) channel.broadcast(event);
    if (published >= (rate * millis) / 1000 || elapsed > millis * 1.5) return published;
    await setTimeout(1);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [kind, ...numbers] = line.split(" ");
  const published = await { bursts, paced }[kind](...numbers.map(Number));
  console.log(`published ${published}`);
}
process.exit();
