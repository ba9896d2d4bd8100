// Beside each text of a build its packed forms, as strong as they get: the server sends what the browser takes.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** Smaller files gain nothing. */
const BYTES_MIN = 600;
const folder = new URL("dist/", import.meta.url);
const strong = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT } };

for (const name of readdirSync(folder, { recursive: true })) {
  if (/\.(br|gz)$/.test(name)) rmSync(new URL(name, folder));
}
for (const name of readdirSync(folder, { recursive: true })) {
  if (!/\.(html|js|css|svg|json|webmanifest)$/.test(name)) continue;
  const plain = readFileSync(new URL(name, folder));
  if (plain.length < BYTES_MIN) continue;
  for (const [end, packed] of [["br", brotliCompressSync(plain, strong)], ["gz", gzipSync(plain, { level: 9 })]]) {
    if (packed.length < plain.length) writeFileSync(new URL(`${name}.${end}`, folder), packed);
  }
}
