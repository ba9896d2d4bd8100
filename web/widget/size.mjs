// The budget of the customer's page: what the script costs on the wire.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 30 * 1024;
const file = new URL("../dist/widget/widget.js", import.meta.url);
const bytes = gzipSync(readFileSync(file), { level: 9 }).length;
console.log(`widget.js: ${bytes} bytes gzipped of ${BUDGET_BYTES}`);
if (bytes > BUDGET_BYTES) {
  console.error("The widget is over its budget of 30 kB.");
  process.exit(1);
}
