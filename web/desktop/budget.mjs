// The size of what a browser loads before the first page, gzipped. `npm run budget` fails beyond it.

import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_KB = 230;
const folder = new URL("../dist/desktop/", import.meta.url);
const html = readFileSync(new URL("index.html", folder), "utf8");
const first = [...html.matchAll(/\/(assets\/[^"]+)/g)].map((m) => m[1]);
const size = (name) => gzipSync(readFileSync(new URL(name, folder))).length / 1024;
const all = readdirSync(new URL("assets/", folder)).filter((name) => !/\.(br|gz)$/.test(name)).map((name) => [`assets/${name}`, size(`assets/${name}`)]);
for (const [name, kb] of all) console.log(`${kb.toFixed(1).padStart(8)} kB  ${name}`);
const total = first.reduce((sum, name) => sum + size(name), 0);
console.log(`first page: ${total.toFixed(1)} kB of ${BUDGET_KB} kB`);
if (total > BUDGET_KB) {
  console.error("Error: the desktop is larger than its budget; load something later (import()) or leave it out.");
  process.exit(1);
}
