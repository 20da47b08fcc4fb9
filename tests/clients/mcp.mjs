// The MCP TypeScript SDK against the example `mcp`.
//
//   node mcp.mjs <url> count <below>          lists the tools, then counts, and prints progress and result
//   node mcp.mjs <url> cancel <below>         cancels the count after its first progress
//   node mcp.mjs <url> stay <below>           counts until the server ends, and prints that it did
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, what, below] = process.argv.slice(2);
const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
  reconnectionOptions: { initialReconnectionDelay: 10, maxReconnectionDelay: 10, reconnectionDelayGrowFactor: 1, maxRetries: 1 },
});
const client = new Client({ name: "test", version: "1.0.0" });
const broken = new Promise(resolve => client.onerror = resolve);
await client.connect(transport);
console.log("session", transport.sessionId !== undefined);

const { tools } = await client.listTools();
for (const tool of tools) console.log("tool", tool.name, JSON.stringify(tool.inputSchema.properties));

const call = (onprogress, signal) =>
  client.callTool({ name: "count_primes", arguments: { below: Number(below) } }, undefined, { onprogress, signal });
const print = ({ progress, total }) => console.log("progress", progress, total);

if (what === "count") {
  const result = await call(print);
  console.log("result", result.isError ?? false, result.content[0].text);
  const unknown = await client.callTool({ name: "no_such_tool", arguments: {} }).catch(error => error);
  console.log("unknown tool", unknown.code);
  await transport.terminateSession();
} else if (what === "cancel") {
  const stop = new AbortController();
  await call(() => stop.abort("enough"), stop.signal).catch(error => console.log("cancelled", error.message));
  await client.ping();
  console.log("still here");
} else if (what === "stay") {
  call(() => {}).catch(() => {});
  await broken;
  console.log("the server is gone");
  process.exit(0);
}
await client.close();
