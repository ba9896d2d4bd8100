import { ar } from "./messages/ar";
import { en, type Messages } from "./messages/en";

const CATALOGUES: Record<string, Messages> = { en, ar };
const RIGHT_TO_LEFT = new Set(["ar"]);

export interface Language {
  tag: string;
  direction: "ltr" | "rtl";
  text: Messages;
}

/** The catalogue for a language tag (`ar-EG`), English when there is none. */
export function language(tag: string | null | undefined): Language {
  const base = (tag ?? "").toLowerCase().split("-")[0] ?? "";
  const known = CATALOGUES[base] ? base : "en";
  return {
    tag: known,
    direction: RIGHT_TO_LEFT.has(known) ? "rtl" : "ltr",
    text: CATALOGUES[known] ?? en,
  };
}

/** Puts values into `{places}` of a sentence. */
export function fill(sentence: string, values: Record<string, string>): string {
  return sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
}
