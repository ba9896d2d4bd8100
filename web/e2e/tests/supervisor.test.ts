// Supervisor and administrator in a real browser: the floor, listening in, forced presence, reports,
// search, hours with their test button, a change in the audit.

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

async function open(name: string): Promise<Page> {
  const context = await browser.context(server);
  contexts.push(context);
  await context.addInitScript(() => localStorage.setItem("softphone", "off"));
  const page = await context.newPage();
  await signIn(page, server.person(name));
  return page;
}

async function phoneOf(name: string, autoAnswer = true): Promise<Phone> {
  const phone = await Phone.ofPerson(server, server.person(name), { autoAnswer });
  phones.push(phone);
  return phone;
}

/** A customer who talks to Anna. */
async function talking(): Promise<{ caller: Phone; anna: Phone }> {
  const anna = await phoneOf("Anna");
  const agent = await server.agent("Anna");
  const api = await server.as("Sofia");
  await api.PUT("/v1/agents/{id}/presence", { params: { path: { id: agent.id } }, body: { presence: "available" } });
  const caller = await Phone.outside(server, "+15557002", { toneHz: 600 });
  phones.push(caller);
  caller.dialOutside(SUPPORT_NUMBER);
  await anna.expect("CALL_ESTABLISHED");
  return { caller, anna };
}

test("the floor shows who talks; listening, whispering and leaving work", async () => {
  const page = await open("Sofia");
  const wrong = troubles(page);
  await page.getByRole("heading", { name: "Supervisor" }).waitFor();
  const sofia = await phoneOf("Sofia");
  // Who serves a queue is counted with each change of state, not with the next look at everything.
  const support = page.getByRole("table", { name: "Queues" }).getByRole("row", { name: /^Support/ });
  expect(await support.locator("[data-signed-in]").innerText()).toBe("0");
  const { caller } = await talking();
  await support.locator("[data-signed-in]").getByText("1", { exact: true }).waitFor();
  await support.locator("[data-free]").getByText("0", { exact: true }).waitFor();
  const row = page.locator("[data-agent]").filter({ hasText: "Anna" });
  await row.getByText("In a call").waitFor();
  await row.getByText("Outside").waitFor();
  await shot(page, "supervisor");
  await row.getByRole("button", { name: "Listen to Anna" }).click();
  await sofia.expect("CALL_ESTABLISHED");
  const bar = page.getByRole("region", { name: "Supervision" });
  await bar.getByText("Nobody hears you.").waitFor();
  await expect.poll(() => sofia.hears(600), { timeout: 10_000 }).toBeGreaterThan(0.3);
  await bar.getByRole("button", { name: "Whisper" }).click();
  await bar.getByText("The agent alone hears you.").waitFor();
  await shot(page, "supervisor-whisper");
  await bar.getByRole("button", { name: "Leave" }).click();
  await bar.waitFor({ state: "detached" });
  await page.getByRole("tab", { name: "Calls" }).click();
  await page.locator("[data-live-call]").filter({ hasText: "Outside" }).waitFor();
  caller.hangUp();
  await page.locator("[data-live-call]").waitFor({ state: "detached" });
  await page.getByRole("tab", { name: "Agents" }).click();
  await row.getByRole("button", { name: "Status of Anna" }).click();
  await page.getByRole("menuitem", { name: "Offline" }).click();
  await page.getByRole("link", { name: "Reports" }).click();
  await page.getByText("Through the day").waitFor();
  await shot(page, "reports");
  await page.getByRole("link", { name: "Wallboard" }).click();
  await page.getByRole("heading", { name: "Support" }).waitFor();
  await shot(page, "wallboard");
  await page.getByRole("link", { name: "Interactions" }).click();
  await page.getByRole("link", { name: "Outside" }).first().click();
  await page.getByRole("region", { name: "Recording" }).waitFor();
  await page.getByText("Connected to each other").waitFor();
  await shot(page, "interaction");
  expect(wrong).toEqual([]);
});

test("the administrator makes hours, tries them, and finds the change in the audit", async () => {
  const page = await open("Admin");
  const wrong = troubles(page);
  await page.getByRole("heading", { name: "First steps" }).waitFor();
  await shot(page, "admin-first-steps");
  await page.getByRole("link", { name: "Business hours" }).click();
  await page.getByRole("button", { name: "Add business hours" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").first().fill("Office");
  await dialog.getByLabel("Time zone").fill("Europe/Berlin");
  await dialog.getByRole("button", { name: "Add hours on Monday" }).click();
  await dialog.getByRole("button", { name: "Add a holiday or special day" }).click();
  await dialog.getByLabel("Date").fill("2026-12-25");
  await dialog.getByPlaceholder("Name, such as New Year").fill("Christmas");
  await dialog.getByLabel("Would it be open at").fill("2026-12-25T10:00");
  await dialog.getByRole("button", { name: "Try", exact: true }).click();
  await dialog.getByText("Closed", { exact: true }).last().waitFor();
  await dialog.getByRole("status").getByText("Christmas").waitFor();
  await shot(page, "admin-hours");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("cell", { name: "Office", exact: true }).waitFor();
  await page.getByRole("link", { name: "Queues" }).click();
  await page.getByRole("button", { name: "Change Support" }).click();
  await shot(page, "admin-queue");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("link", { name: "Numbers" }).click();
  await page.getByRole("cell", { name: "+15550100", exact: true }).waitFor();
  await shot(page, "admin-numbers");
  expect(wrong).toEqual([]);
});
