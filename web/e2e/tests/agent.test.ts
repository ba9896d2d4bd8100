// An agent's day with real phones: an offer, the answer, hold, consult, transfer, wrap-up.

import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Phone, Server, SUPPORT_NUMBER, TestBrowser, shot, signIn, troubles } from "../src/index.js";

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

/** A person with their desk phone at hand, signed in at the desktop. */
async function desk(name: string): Promise<{ page: Page; phone: Phone }> {
  const phone = await Phone.ofPerson(server, server.person(name));
  phones.push(phone);
  const context = await browser.context(server);
  contexts.push(context);
  await context.addInitScript(() => localStorage.setItem("softphone", "off"));
  const page = await context.newPage();
  await signIn(page, server.person(name));
  return { page, phone };
}

async function become(page: Page, presence: string): Promise<void> {
  await page.getByRole("button", { name: /^Presence/ }).click();
  await page.getByRole("menuitemradio", { name: presence }).click();
  await page.locator("[data-presence]").filter({ hasText: presence }).waitFor();
}

async function call(number = "+15557001"): Promise<Phone> {
  const caller = await Phone.outside(server, number);
  phones.push(caller);
  caller.dialOutside(SUPPORT_NUMBER);
  return caller;
}

test("an offer is accepted, held, resumed, ended and wrapped up", async () => {
  const { page, phone } = await desk("Anna");
  const wrong = troubles(page);
  await shot(page, "desk-away");
  await become(page, "Available");
  await shot(page, "desk-ready");
  const caller = await call();
  const offer = page.getByRole("region", { name: "Incoming call" });
  await offer.getByText("Support").waitFor();
  await shot(page, "desk-offer");
  await offer.getByRole("button", { name: "Accept" }).click();
  await phone.answerAccepted();
  await phone.expect("CALL_ESTABLISHED");
  const bar = page.getByRole("toolbar", { name: "Call" });
  await bar.getByRole("button", { name: "Hold" }).waitFor();
  await expect.poll(() => phone.hears(1000), { timeout: 10_000 }).toBeGreaterThan(0.5);
  await shot(page, "desk-call");

  await bar.getByRole("button", { name: "Hold" }).click();
  await page.getByText("On hold").first().waitFor();
  await bar.getByRole("button", { name: "Resume" }).click();
  await bar.getByRole("button", { name: "Hold" }).waitFor();

  await page.getByRole("tab", { name: "Notes" }).click();
  await page.getByRole("textbox", { name: "Note" }).fill("Order 4711 did not arrive; sent again.");
  await bar.getByRole("button", { name: "Hang up" }).click();
  await caller.expect("CALL_CLOSED");
  await page.getByText("Wrap-up ends in").waitFor();
  await page.getByRole("button", { name: /Result/ }).click();
  await page.getByRole("option", { name: "Solved" }).click();
  await shot(page, "desk-wrap-up");
  await page.getByRole("button", { name: "Finish", exact: false }).last().click();
  await page.locator('[data-state="idle"]').waitFor();
  expect(wrong).toEqual([]);

  // The next call of the same customer shows what was noted.
  await call();
  await offer.getByRole("button", { name: "Accept" }).click();
  await phone.answerAccepted();
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByText("Order 4711 did not arrive; sent again.").waitFor();
  await shot(page, "desk-history");
  await bar.getByRole("button", { name: "Hang up" }).click();
});

test("who lets it ring is told so, gets no more calls, and comes back with one press", async () => {
  const api = await server.as("Admin");
  const anna = await server.agent("Anna");
  await api.PUT("/v1/agents/{id}/presence", { params: { path: { id: anna.id } }, body: { presence: "offline" } });
  const queues = (await api.GET("/v1/queues")).data as { items: { id: string; name: string; version: number }[] };
  const support = queues.items.find((q) => q.name === "Support");
  await api.PATCH("/v1/queues/{id}", { params: { path: { id: support?.id ?? "" }, header: { "If-Match": `"${support?.version}"` } }, body: { ring_ms_max: 3_000 } as never });
  const { page } = await desk("Ben");
  const wrong = troubles(page);
  await become(page, "Available");
  await page.getByText("Ready for the next call").waitFor();
  const caller = await call("+15557009");
  await page.getByRole("region", { name: "Incoming call" }).waitFor();
  await page.getByText("You did not answer", { exact: true }).waitFor();
  await page.locator("[data-notices]").getByText("You did not answer: calls go to others").waitFor();
  expect(await page.getByText("Ready for the next call").count()).toBe(0);
  caller.hangUp();
  await page.getByRole("button", { name: "Become available" }).click();
  await page.getByText("Ready for the next call").waitFor();
  await page.locator('[data-state="idle"][data-presence="available"]').waitFor();
  expect(wrong).toEqual([]);
});
