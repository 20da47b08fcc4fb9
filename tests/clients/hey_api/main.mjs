// Generates a typed client from an OpenAPI document, compiles a program that uses it, and runs that.
//
//     node hey_api/main.mjs http://127.0.0.1:3000/openapi.client.json [consumer.ts]
//
// What a user types is the first command alone: npx -p typescript@5 -p @hey-api/openapi-ts openapi-ts -i <address> -o <folder>

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [address, consumer = "consumer.ts"] = process.argv.slice(2);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "hey-api-"));

/** Runs a program of Node's; what it prints is ours. */
function run(program, ...options) {
  const { status, error } = spawnSync(process.execPath, [program, ...options], { stdio: "inherit", cwd: folder });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${options.join(" ")}: ${status}`);
}

try {
  const packages = here("../node_modules");
  const generator = join(packages, "@hey-api/openapi-ts/bin/run.js");
  run(generator, "-i", address, "-o", "client", "--silent", "--no-log-file");
  for (const file of [consumer, "tsconfig.json"]) copyFileSync(here(file), join(folder, file));
  run(join(packages, "typescript/bin/tsc"), "--project", ".");
  run(join(folder, "out", consumer.replace(/ts$/, "js")));
} finally {
  rmSync(folder, { recursive: true });
}
