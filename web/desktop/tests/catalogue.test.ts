// Every text of the page is in every catalogue, nothing in a catalogue is without use, and no
// translation loses a placeholder.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import ar from "../src/messages/ar";

const SRC = join(__dirname, "../src");

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return name === "messages" ? [] : files(path);
    return /\.tsx?$/.test(name) ? [path] : [];
  });
}

const STRING = '"((?:[^"\\\\]|\\\\.)*)"';
const unescape = (text: string): string => JSON.parse(`"${text}"`) as string;

export function used(): { plain: Set<string>; counted: Set<string> } {
  const [plain, counted] = [new Set<string>(), new Set<string>()];
  for (const file of files(SRC)) {
    const source = readFileSync(file, "utf8");
    for (const m of source.matchAll(new RegExp(`\\bt\\(\\s*${STRING}`, "g"))) plain.add(unescape(m[1]!));
    for (const m of source.matchAll(new RegExp(`\\btn\\([^,]+,\\s*${STRING},\\s*${STRING}`, "g"))) counted.add(unescape(m[2]!));
  }
  return { plain, counted };
}

const holes = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

test("the Arabic catalogue is whole", () => {
  const { plain, counted } = used();
  const all = [...plain, ...counted];
  expect(all.length).toBeGreaterThan(200);
  expect(all.filter((text) => !(text in ar))).toEqual([]);
  expect(Object.keys(ar).filter((text) => !plain.has(text) && !counted.has(text))).toEqual([]);
});

test("translations keep their placeholders", () => {
  const { plain } = used();
  for (const [text, translated] of Object.entries(ar)) if (plain.has(text)) expect(holes(translated), text).toEqual(holes(text));
});
