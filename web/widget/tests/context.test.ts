import { describe, expect, it } from "vitest";
import { CONTEXT_BYTES_MAX, gather } from "../src/context";
import { ar } from "../src/messages/ar";
import { en } from "../src/messages/en";
import { fill, language } from "../src/messages";

const page = { url: "https://shop.example/lamp?x=1#top", title: "Lamp", language: "en" };

describe("the page's context", () => {
  it("keeps address without fragment, title and the chosen fields; later sources win", () => {
    const context = gather(page, { product: "Lamp", price: 12 }, { product: " Big\n lamp " });
    expect(context).toEqual({
      url: "https://shop.example/lamp?x=1",
      title: "Lamp",
      language: "en",
      fields: { product: "Big lamp", price: "12" },
    });
  });

  it("carries markup as text and drops what is no data", () => {
    const context = gather(page, { note: "<img src=x onerror=alert(1)>", f: () => 1, none: null, cart: [{ sku: 7 }] });
    expect(context.fields).toEqual({ note: "<img src=x onerror=alert(1)>", cart: '[{"sku":7}]' });
  });

  it("fits whatever the page holds", () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field${i}`, "ä".repeat(100_000)]));
    const size = new TextEncoder().encode(JSON.stringify(gather(page, many))).length;
    expect(size).toBeLessThanOrEqual(CONTEXT_BYTES_MAX);
  });
});

describe("the catalogues", () => {
  it("are complete, with the same places in their sentences", () => {
    expect(Object.keys(ar).sort()).toEqual(Object.keys(en).sort());
    for (const [key, sentence] of Object.entries(en)) {
      const places = (s: string) => s.match(/\{\w+\}/g) ?? [];
      expect(places(ar[key as keyof typeof ar]), key).toEqual(places(sentence));
    }
  });

  it("are found by language tag, and say their direction", () => {
    expect(language("ar-EG").direction).toBe("rtl");
    expect(language("xx").tag).toBe("en");
    expect(fill("a {b} c", { b: "<b>" })).toBe("a <b> c");
  });
});
