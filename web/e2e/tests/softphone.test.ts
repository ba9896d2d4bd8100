// The browser as the agent's phone: a call from outside taken with one click and heard both ways, and
// the test call that proves it beforehand.

import { afterAll, beforeAll, expect, test } from "vitest";
import { pageHears, Phone, Server, shot, signIn, SUPPORT_NUMBER, TestBrowser, troubles } from "../src/index.js";

const [CUSTOMER_HZ, AGENT_HZ] = [1000, 700];

let server: Server;
let browser: TestBrowser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start({ env: { CROSSPOINT_WEBRTC_PORT: "0" } }), TestBrowser.start({ microphoneHz: AGENT_HZ })]);
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

test("a customer's call is taken in the browser, and both hear each other", async () => {
  const context = await browser.context(server);
  const page = await context.newPage();
  const wrong = troubles(page);
  await signIn(page, server.person("Anna"));
  await page.locator('[data-phone="on"]').waitFor();
  await page.getByRole("button", { name: /^Presence/ }).click();
  await page.getByRole("menuitemradio", { name: "Available" }).click();
  await page.locator('[data-presence="available"]').waitFor();
  const caller = await Phone.outside(server, "+15557009", { toneHz: CUSTOMER_HZ });
  try {
    caller.dialOutside(SUPPORT_NUMBER);
    await page.locator("[data-offer]").waitFor();
    await page.getByRole("button", { name: "Accept" }).click();
    await page.locator("[data-call]").waitFor();
    await page.locator("audio[data-remote]").waitFor({ state: "attached" });
    await expect.poll(() => pageHears(page, "audio[data-remote]", CUSTOMER_HZ), { timeout: 15_000 }).toBeGreaterThan(0.5);
    await expect.poll(() => caller.hears(AGENT_HZ), { timeout: 15_000 }).toBeGreaterThan(0.3);
    await shot(page, "softphone");
    await page.keyboard.press("Alt+e");
    await caller.expect("CALL_CLOSED");
    expect(wrong).toEqual([]);
  } finally {
    await caller.stop();
    await context.close();
  }
});

test("the test call hears its own tone come back", async () => {
  const context = await browser.context(server);
  const page = await context.newPage();
  await signIn(page, server.person("Ben"));
  await page.locator('[data-phone="on"]').waitFor();
  await page.getByRole("button", { name: /^Phone/ }).click();
  await page.getByRole("button", { name: "Test my sound" }).click();
  await page.locator('[data-self-test="good"]').waitFor();
  await context.close();
});
