// A conference in the desktop: a picture for each, and each voice from its picture's side.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { Phone, Server, shot, signIn, SUPPORT_NUMBER, TestBrowser, troubles } from "../src/index.js";

const [CUSTOMER_HZ, AGENT_HZ, COLLEAGUE_HZ] = [1000, 700, 1500];
let server: Server;
let browser: TestBrowser;
const phones: Phone[] = [];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start({ env: { CROSSPOINT_WEBRTC_PORT: "0" } }), TestBrowser.start({ microphoneHz: AGENT_HZ })]);
});
afterAll(async () => {
  await Promise.all(phones.map((p) => p.stop()));
  await browser?.stop();
  await server?.stop();
});

/** In the page, before it runs: whatever Web Audio gives to the loudspeakers is measured, ear by ear. */
function listen(): void {
  type Tap = [AnalyserNode, AnalyserNode];
  const taps = new Map<BaseAudioContext, { splitter: ChannelSplitterNode; ears: Tap }>();
  const connect = AudioNode.prototype.connect as (this: AudioNode, to: AudioNode, ...rest: number[]) => AudioNode;
  const tapOf = (context: BaseAudioContext) => {
    const found = taps.get(context);
    if (found) return found.splitter;
    const splitter = new ChannelSplitterNode(context, { numberOfOutputs: 2 });
    const ears: Tap = [new AnalyserNode(context, { fftSize: 4096 }), new AnalyserNode(context, { fftSize: 4096 })];
    ears.forEach((ear, n) => connect.call(splitter, ear, n));
    taps.set(context, { splitter, ears });
    return splitter;
  };
  (AudioNode.prototype as unknown as { connect: typeof connect }).connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) connect.call(this, tapOf(this.context));
    return connect.call(this, to, ...rest);
  };
  (window as unknown as { ears: (hz: number) => number[] }).ears = (hz) => {
    let best = [-200, -200];
    for (const { ears } of taps.values()) {
      const levels = ears.map((ear) => {
        const bins = new Float32Array(ear.frequencyBinCount);
        ear.getFloatFrequencyData(bins);
        const at = Math.round((hz * ear.fftSize) / ear.context.sampleRate);
        return Math.max(...bins.subarray(at - 2, at + 3));
      });
      if (Math.max(...levels) > Math.max(...best)) best = levels;
    }
    return best;
  };
}

/** Level in dB in the left and the right ear. */
const ears = (page: Page, hz: number) => page.evaluate(`ears(${hz})`) as Promise<[number, number]>;
/** Median over some frames of the louder ear: one reading may fall into a gap of the network. */
const loud = (page: Page, hz: number) =>
  page.evaluate(`(async () => {
    const read = [];
    while (read.length < 21) {
      await new Promise((next) => requestAnimationFrame(next));
      read.push(Math.max(...ears(${hz})));
    }
    return read.sort((a, b) => a - b)[10];
  })()`) as Promise<number>;

test("customer left, colleague right; who is selected comes near, the other moves, and both go back", async () => {
  const context = await browser.context(server);
  await context.addInitScript(listen);
  const page = await context.newPage();
  const wrong = troubles(page);
  await signIn(page, server.person("Anna"));
  await page.locator('[data-phone="on"]').waitFor();
  await page.getByRole("button", { name: /^Presence/ }).click();
  await page.getByRole("menuitemradio", { name: "Available" }).click();
  await page.locator('[data-presence="available"]').waitFor();
  const ben = await Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: COLLEAGUE_HZ });
  const caller = await Phone.outside(server, "+15557011", { toneHz: CUSTOMER_HZ });
  phones.push(ben, caller);
  caller.dialOutside(SUPPORT_NUMBER);
  await page.getByRole("button", { name: "Accept" }).click();
  await page.locator("[data-call]").waitFor();
  await page.keyboard.press("Alt+t");
  await page.getByPlaceholder("Name, number or SIP address").fill("1002");
  await page.getByRole("button", { name: "Consult", exact: true }).first().click();
  await ben.expect("CALL_ESTABLISHED");
  await page.getByRole("button", { name: /Join all/ }).click();

  const seats = page.getByRole("group", { name: "Seats of the call" });
  const customer = seats.locator('[data-role="customer"]');
  const colleague = seats.locator('button[data-role]:not([data-role="customer"])');
  await customer.waitFor();
  await expect.poll(() => colleague.count()).toBe(1);
  await expect.poll(() => loud(page, CUSTOMER_HZ), { timeout: 15_000 }).toBeGreaterThan(-60);
  await expect.poll(() => loud(page, COLLEAGUE_HZ), { timeout: 15_000 }).toBeGreaterThan(-60);
  await customer.getByText("speaks").waitFor();
  const side = async (hz: number) => {
    const [left, right] = await ears(page, hz);
    return left - right;
  };
  await expect.poll(() => side(CUSTOMER_HZ)).toBeGreaterThan(3);
  await expect.poll(() => side(COLLEAGUE_HZ)).toBeLessThan(-3);
  await shot(page, "seats");

  const left = async (of: typeof customer) => (await of.boundingBox())?.x ?? 0;
  const places = [await left(customer), await left(colleague)];
  const before = [await loud(page, CUSTOMER_HZ), await loud(page, COLLEAGUE_HZ)] as const;
  await colleague.click();
  await expect.poll(async () => (await loud(page, COLLEAGUE_HZ)) - before[1]).toBeGreaterThan(1);
  const difference = async () => (await loud(page, COLLEAGUE_HZ)) - (await loud(page, CUSTOMER_HZ)) - (before[1] - before[0]);
  await expect.poll(difference).toBeGreaterThan(5);
  await seats.getByText("is near").waitFor();
  await expect.poll(async () => Math.abs((await left(customer)) - (places[0] ?? 0))).toBeGreaterThan(10);
  // The time is over: everybody is where they were.
  await expect.poll(async () => Math.abs((await loud(page, COLLEAGUE_HZ)) - before[1]), { timeout: 12_000 }).toBeLessThan(1);
  await expect.poll(async () => Math.abs((await left(customer)) - (places[0] ?? 0))).toBeLessThan(2);

  // One's own picture dragged close to the customer selects the customer; by keyboard as well.
  const [own, to] = [await seats.locator('[data-seat="own"]').boundingBox(), await customer.boundingBox()];
  if (!own || !to) throw new Error("no pictures");
  await page.mouse.move(own.x + own.width / 2, own.y + own.height / 2);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 8 });
  await page.mouse.up();
  await seats.getByText(/^Close to/).waitFor();
  await expect.poll(() => customer.getAttribute("aria-pressed")).toBe("true");
  await expect.poll(async () => (await loud(page, CUSTOMER_HZ)) - before[0]).toBeGreaterThan(1);

  // The colleague goes: two are a call, and there are no seats.
  ben.hangUp();
  await seats.waitFor({ state: "detached" });
  await page.keyboard.press("Alt+e");
  await caller.expect("CALL_CLOSED");
  expect(wrong).toEqual([]);
  await context.close();
});
