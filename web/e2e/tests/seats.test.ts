// Voices from their places, rendered by the browser's own audio: which ear hears whom, and how loud.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { TestBrowser } from "../src/index.js";

const HERE = dirname(fileURLToPath(import.meta.url));
let browser: TestBrowser;
let page: Page;

beforeAll(async () => {
  const entry = 'export * from "./geometry"; export * from "./spatial";';
  const bundle = await build({
    stdin: { contents: entry, resolveDir: join(HERE, "../../desktop/src/seats"), loader: "ts" },
    bundle: true,
    write: false,
    format: "iife",
    globalName: "Seats",
  });
  browser = await TestBrowser.start();
  page = await browser.browser.newPage();
  await page.goto("about:blank");
  await page.addScriptTag({ content: bundle.outputFiles[0]?.text ?? "" });
});
afterAll(async () => {
  await browser?.stop();
});

/** Level in dB of each ear while A (500 Hz, left) and B (1500 Hz, right) speak; `select` is pressed first. */
async function ears(select: string | null, after = 0): Promise<Record<"A" | "B", { left: number; right: number }>> {
  return page.evaluate(
    async ({ select, after }) => {
      const { Room, Spatial, seat } = (window as unknown as { Seats: typeof import("../../desktop/src/seats/geometry") & typeof import("../../desktop/src/seats/spatial") }).Seats;
      const level = (data: Float32Array) => 10 * Math.log10(data.reduce((sum, s) => sum + s * s, 0) / data.length + 1e-12);
      const heard: Record<string, { left: number; right: number }> = {};
      for (const [who, hz] of [["A", 500], ["B", 1500]] as const) {
        const context = new OfflineAudioContext(2, 48_000, 48_000);
        const spatial = new Spatial(context);
        spatial.acoustics("whisper");
        const room = new Room();
        room.put("A", seat(-0.7, 0.4));
        room.put("B", seat(0.7, 0.4));
        if (select) room.select(0, select);
        room.tick(after);
        const tone = new OscillatorNode(context, { frequency: hz });
        spatial.add(who, tone);
        spatial.place(who, room.placeOf(who), 0);
        tone.start();
        const sound = await context.startRendering();
        const ear = (channel: number) => level(sound.getChannelData(channel).subarray(24_000));
        heard[who] = { left: ear(0), right: ear(1) };
      }
      return heard as Record<"A" | "B", { left: number; right: number }>;
    },
    { select, after },
  );
}

test("each voice comes from its picture's side", async () => {
  const { A, B } = await ears(null);
  expect(A.left - A.right).toBeGreaterThan(3);
  expect(B.right - B.left).toBeGreaterThan(3);
});

test("the selected one is heard above the other, and for a time only", async () => {
  const [before, near, later] = [await ears(null), await ears("A"), await ears("A", 8_000)];
  const loud = (e: { left: number; right: number }) => Math.max(e.left, e.right);
  expect(loud(near.A) - loud(near.B)).toBeGreaterThan(5);
  expect(loud(near.A)).toBeGreaterThan(loud(before.A) + 1);
  expect(Math.abs(loud(later.A) - loud(before.A))).toBeLessThan(0.1);
});

test("turning one's head moves nobody: the listener stays as it is", async () => {
  const turned = await page.evaluate(async () => {
    const { Spatial } = (window as unknown as { Seats: typeof import("../../desktop/src/seats/spatial") }).Seats;
    const context = new OfflineAudioContext(2, 128, 48_000);
    new Spatial(context);
    const before = [context.listener.forwardX?.value, context.listener.forwardZ?.value];
    window.dispatchEvent(Object.assign(new Event("deviceorientation"), { alpha: 90, beta: 10, gamma: 20 }));
    return [before, [context.listener.forwardX?.value, context.listener.forwardZ?.value]];
  });
  expect(turned[0]).toEqual(turned[1]);
});

/** A click before the listener, in the room of each category: the reverberation's level beside the direct sound, and its length. */
async function clicks(): Promise<Record<string, { reverbDb: number; decayS: number }>> {
  return page.evaluate(async () => {
    const { Spatial, place, seat } = (window as unknown as { Seats: typeof import("../../desktop/src/seats/geometry") & typeof import("../../desktop/src/seats/spatial") }).Seats;
    const found: Record<string, { reverbDb: number; decayS: number }> = {};
    for (const category of ["whisper", "speech", "presentation", "music"] as const) {
      const rate = 48_000;
      const context = new OfflineAudioContext(2, rate * 2, rate);
      const spatial = new Spatial(context);
      spatial.acoustics(category);
      const click = context.createBuffer(1, 1, rate);
      click.getChannelData(0)[0] = 1;
      const source = new AudioBufferSourceNode(context, { buffer: click });
      spatial.add("A", source);
      spatial.place("A", place(seat(0, 0)), 0);
      // Once it has glided to its place.
      source.start(0.5);
      const sound = (await context.startRendering()).getChannelData(0).subarray(rate / 2);
      // What comes within 30 ms is the filter of the ear; the energy left after each moment falls by the room (Schroeder).
      const direct = Math.round(0.03 * rate);
      const energy = (from: number, to: number) => sound.subarray(from, to).reduce((sum, x) => sum + x * x, 0);
      const tail = energy(direct, sound.length);
      let left = tail;
      const crossed: number[] = [];
      for (let i = direct; i < sound.length && crossed.length < 2; i++) {
        left -= (sound[i] ?? 0) ** 2;
        if (left < tail * (crossed.length ? 10 ** -2.5 : 10 ** -0.5)) crossed.push(i);
      }
      const [a, b] = crossed;
      found[category] = {
        reverbDb: Math.round(100 * Math.log10(tail / energy(0, direct) + 1e-12)) / 10,
        // From -5 to -25 dB is a third of the sixty that a room's time is told by.
        decayS: a === undefined || b === undefined || tail < 1e-9 ? 0 : Math.round((3_000 * (b - a)) / rate) / 1_000,
      };
    }
    return found;
  });
}

test("each kind of content has the acoustics of its room", async () => {
  const rooms = await clicks();
  console.log(JSON.stringify({ what: "reverberation by content", ...rooms }));
  const { whisper, speech, presentation, music } = rooms;
  expect(whisper?.reverbDb).toBeLessThan(-60);
  const rises = (of: "reverbDb" | "decayS") => [whisper, speech, presentation, music].map((r) => r?.[of] ?? NaN);
  for (const of of ["reverbDb", "decayS"] as const) expect(rises(of)).toEqual([...rises(of)].sort((x, y) => x - y));
  // As the table of categories says, within a tenth.
  for (const [room, decayS] of [[speech, 0.18], [presentation, 0.45], [music, 0.9]] as const) expect(Math.abs((room?.decayS ?? 0) / decayS - 1)).toBeLessThan(0.15);
});
