// Prints the files of examples/vendor that are, unpacked, those of the packages installed here.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const files = {
  "htmx.min.js": "htmx.org/dist/htmx.min.js",
  "hx-sse.min.js": "htmx.org/dist/ext/hx-sse.min.js",
  "turbo.es2017-esm.js": "@hotwired/turbo/dist/turbo.es2017-esm.js",
};

for (const [ours, theirs] of Object.entries(files)) {
  const vendored = gunzipSync(readFileSync(`../../examples/vendor/${ours}.gz`));
  if (vendored.equals(readFileSync(`node_modules/${theirs}`))) console.log(ours);
}
