import { expect, test } from "vitest";
import { csv } from "../src/lib/csv";

test("fields are quoted where they must be, and formulas are text", () => {
  expect(csv([["a", "b,c", 'say "hi"'], ["=1+1", "-5", "line\nbreak"]])).toBe('a,"b,c","say ""hi"""\r\n\'=1+1,\'-5,"line\nbreak"\r\n');
});
