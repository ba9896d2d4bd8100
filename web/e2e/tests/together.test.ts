// Several people in one call, with real phones: parked and picked up elsewhere, a conference, a supervisor who
// whispers to the agent alone and then takes over. Who hears whom is measured by tones.

import { readFileSync } from "node:fs";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Phone, Server, SUPPORT_NUMBER, TestBrowser, shot, signIn, troubles, until } from "../src/index.js";

/** Tones that are no multiples of one another. */
const HZ = { customer: 610, anna: 1000, ben: 1430, sofia: 1790 };
const [LOUD, FAINT] = [0.25, 0.03];

let server: Server;
let browser: TestBrowser;
const phones: Phone[] = [];
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), TestBrowser.start()]);
});
afterEach(async () => {
  await Promise.all(phones.splice(0).map((p) => p.stop()));
  await Promise.all(contexts.splice(0).map((c) => c.close()));
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

async function open(name: string): Promise<Page> {
  const context = await browser.context(server, { acceptDownloads: true });
  contexts.push(context);
  await context.addInitScript(() => localStorage.setItem("softphone", "off"));
  const page = await context.newPage();
  await signIn(page, server.person(name));
  return page;
}

async function phoneOf(name: "Anna" | "Ben" | "Sofia", autoAnswer = true): Promise<Phone> {
  const phone = await Phone.ofPerson(server, server.person(name), { autoAnswer, toneHz: HZ[name.toLowerCase() as keyof typeof HZ] });
  phones.push(phone);
  return phone;
}

async function outside(number: string): Promise<Phone> {
  const caller = await Phone.outside(server, number, { toneHz: HZ.customer });
  phones.push(caller);
  return caller;
}

/** Anna at her desk, talking with a customer. */
async function talking(number: string): Promise<{ page: Page; anna: Phone; caller: Phone }> {
  // What the test before left to be wrapped up.
  const id = (await server.agent("Anna")).id as string;
  await (await server.as("Sofia")).POST("/v1/agents/{id}/wrap-up/finish", { params: { path: { id } } }).catch(() => {});
  const anna = await phoneOf("Anna");
  const page = await open("Anna");
  await page.getByRole("button", { name: /^Presence/ }).click();
  await page.getByRole("menuitemradio", { name: "Available" }).click();
  await page.locator('[data-presence="available"]').waitFor();
  const caller = await outside(number);
  caller.dialOutside(SUPPORT_NUMBER);
  await page.locator("[data-call]").waitFor();
  await until("the agent at the customer", async () => (await caller.hears(HZ.anna)) > LOUD);
  return { page, anna, caller };
}

async function free(page: Page): Promise<void> {
  await page.getByText("Wrap-up ends in").waitFor();
  await page.keyboard.press("Alt+f");
  await page.locator('[data-state="idle"]').waitFor();
}

test("a parked call is told with its slot and picked up at another phone", async () => {
  const { page, anna, caller } = await talking("+15557021");
  const ben = await phoneOf("Ben");
  await page.getByRole("toolbar", { name: "Call" }).getByRole("button", { name: "Park" }).click();
  const told = await page.locator("[data-notices]").getByText(/Parked in \d+/).innerText();
  await anna.expect("CALL_CLOSED");
  ben.dial(/\d+/.exec(told)?.[0] ?? "");
  await ben.expect("CALL_ESTABLISHED");
  await until("the customer at the other phone", async () => (await ben.hears(HZ.customer)) > LOUD);
  await until("the other phone at the customer", async () => (await caller.hears(HZ.ben)) > LOUD);
  caller.hangUp();
  await ben.expect("CALL_CLOSED");
});

test("a consultation rings, is joined, and all three hear one another", async () => {
  const { page, anna, caller } = await talking("+15557022");
  const wrong = troubles(page);
  const ben = await phoneOf("Ben", false);
  await page.getByRole("button", { name: "Transfer", exact: true }).click();
  await page.getByRole("button", { name: "Consult Ben" }).click();
  const bar = page.getByRole("region", { name: "Consultation" });
  await ben.expect("CALL_INCOMING");
  await bar.getByText("Ben is ringing").waitFor();
  ben.answer();
  await bar.getByText("You speak with Ben").waitFor();
  await until("no agent at the customer who is on hold", async () => (await caller.hears(HZ.anna)) < FAINT);
  await bar.getByRole("button", { name: /Join all/ }).click();
  // With the event itself, not with the next look at everything.
  await bar.waitFor({ state: "detached", timeout: 3_000 });
  await page.locator("[data-call]").getByText("On hold").waitFor({ state: "detached", timeout: 1_000 });
  expect(await page.getByRole("list", { name: "In the call" }).getByRole("listitem").count()).toBe(3);
  for (const [who, phone] of [["customer", caller], ["anna", anna], ["ben", ben]] as const)
    for (const other of ["customer", "anna", "ben"] as const)
      if (who !== other) await until(`${other} at ${who}`, async () => (await phone.hears(HZ[other])) > 0.1);
  await shot(page, "desk-conference");
  expect(wrong).toEqual([]);
  caller.hangUp();
  await page.getByRole("button", { name: "Hang up" }).click().catch(() => {});
  await free(page);
});

test("a whisper is heard by the agent alone; taking over leaves the supervisor with the customer", async () => {
  const { page: desk, anna, caller } = await talking("+15557023");
  const sofia = await phoneOf("Sofia");
  const page = await open("Sofia");
  const row = page.locator("[data-agent]").filter({ hasText: "Anna" });
  await row.getByRole("button", { name: "Whisper to Anna" }).click();
  await sofia.expect("CALL_ESTABLISHED");
  const bar = page.getByRole("region", { name: "Supervision" });
  await bar.getByText("The agent alone hears you.").waitFor();
  await until("the whisper at the agent", async () => (await anna.hears(HZ.sofia)) > LOUD);
  await until("the customer at the supervisor", async () => (await sofia.hears(HZ.customer)) > 0.1);
  expect(await caller.hears(HZ.anna), "the agent at the customer").toBeGreaterThan(LOUD);
  expect(await caller.hears(HZ.sofia), "the whisper at the customer").toBeLessThan(FAINT);

  await bar.getByRole("button", { name: "Take over" }).click();
  await anna.expect("CALL_CLOSED");
  await until("the supervisor at the customer", async () => (await caller.hears(HZ.sofia)) > LOUD);
  await until("the customer at the supervisor alone", async () => (await sofia.hears(HZ.customer)) > LOUD);
  caller.hangUp();
  await sofia.expect("CALL_CLOSED");
  await free(desk);

  // What happened is in the day's report, and in the file that is taken along.
  await page.getByRole("link", { name: "Reports" }).click();
  await page.getByText("Through the day").waitFor();
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: /Save agents-.* as CSV/ }).click();
  const file = await saving;
  expect(file.suggestedFilename()).toMatch(/^agents-\d{4}-\d\d-\d\d\.csv$/);
  const lines = readFileSync(await file.path(), "utf8").replace("\uFEFF", "").trim().split("\r\n");
  expect(lines[0]).toBe("Agents,Answered,\"Talk, total\",Mean talk,Mean wait");
  const ofAnna = lines.find((l) => l.startsWith("Anna,"))?.split(",");
  expect(Number(ofAnna?.[1])).toBeGreaterThanOrEqual(1);
  expect(ofAnna?.[2]).toMatch(/^\d+:\d\d$/);
});
