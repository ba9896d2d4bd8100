// Each kind of event that stands in an interaction's trail is told in words.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

test("every kind of the catalogue has words", () => {
  const source = ["words", "identity-words"].map((name) => readFileSync(join(__dirname, `../src/history/${name}.ts`), "utf8")).join("");
  const told = new Set([...source.matchAll(/^ {2}"([a-z_]+\.[a-z_]+)": \(/gm)].map((m) => m[1]!));
  const catalogue = readFileSync(join(__dirname, "../../../crates/vocab/src/event.rs"), "utf8");
  const kinds = [...catalogue.matchAll(/^ {4}\w+ = "([a-z_]+\.[a-z_]+)"/gm)].map((m) => m[1]!);
  expect(kinds.length).toBeGreaterThan(60);
  // Told on pages of their own: agents and phones on the floor, the tenant's in the audit, contacts in their list.
  const elsewhere = /^(agent|phone|trunk|tenant|contact)\./;
  expect(kinds.filter((kind) => !elsewhere.test(kind) && !told.has(kind))).toEqual([]);
});
