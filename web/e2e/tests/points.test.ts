// Communication points as an administrator makes them and agents answer them; trunks' proofs; a file of the page is
// sent packed.

import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { axeFindings, Phone, Server, TestBrowser, shot, signIn, troubles, until } from "../src/index.js";

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
  await context.grantPermissions(["clipboard-read", "clipboard-write", "notifications"], { origin: server.url });
  contexts.push(context);
  await context.addInitScript(() => localStorage.setItem("softphone", "off"));
  const page = await context.newPage();
  await signIn(page, server.person(name));
  return page;
}

async function bothThemes(page: Page, what: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect(await axeFindings(page), `${what}, ${colorScheme}`).toEqual([]);
  }
}

test("a point is made, its button, link and QR code are there, and a number of it is given to an account", async () => {
  const page = await open("Admin");
  const wrong = troubles(page);
  await page.goto("/app/admin/points");
  await page.getByRole("button", { name: "Add a communication point" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").first().fill("Bills");
  await dialog.getByRole("button", { name: /Kind/ }).click();
  await page.getByRole("option", { name: "QR code" }).click();
  await dialog.getByLabel("Pages that may use it").fill("shop.example");
  await dialog.getByText("+15550100").last().click();
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByText("an origin is a scheme, a host").first().waitFor();
  await dialog.getByLabel("Pages that may use it").fill("https://shop.example");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("cell", { name: "Bills", exact: true }).waitFor();
  await bothThemes(page, "points");
  await shot(page, "admin-points");

  await page.getByRole("button", { name: "Use Bills" }).click();
  const script = await dialog.getByRole("region", { name: "Text: On a page" }).innerText();
  expect(script).toMatch(/^<script src="http:\/\/[^"]+\/widget\.js" data-point="cpt_[0-9A-Z]{26}" async><\/script>$/);
  await dialog.getByRole("button", { name: "Copy: As a link" }).click();
  await page.locator("[data-notices]").getByText("Copied.").waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toMatch(/\/c\/cpt_/);
  const picture = dialog.getByRole("img", { name: "QR code of Bills" });
  await until("the QR code to be drawn", () => picture.evaluate((i: HTMLImageElement) => i.complete && i.naturalWidth > 0));
  await bothThemes(page, "snippets");
  await shot(page, "admin-point-use");
  await page.keyboard.press("Escape");
  // The link is a page of its own, where customers call.
  const customer = await page.context().newPage();
  await customer.goto(link);
  await customer.getByRole("checkbox", { name: /I agree/ }).waitFor();
  await customer.close();

  await page.getByRole("button", { name: "Numbers of Bills" }).click();
  const row = dialog.locator('[data-number="+15550100"]');
  await row.getByText("Free", { exact: true }).waitFor();
  await row.getByRole("button", { name: "Assign +15550100" }).click();
  await row.getByLabel("Account").fill("ACME 4711");
  await row.getByLabel("Reference of the payment").fill("pay_1");
  await row.getByRole("button", { name: "Assign", exact: true }).click();
  await row.getByText("Belongs to ACME 4711").waitFor();
  await row.getByRole("button", { name: "Take back +15550100" }).click();
  await row.getByText("Free", { exact: true }).waitFor();
  expect(wrong).toEqual([]);
});

test("a callback is asked for on the shop's page and placed with one press; what is taken now is switched", async () => {
  const page = await open("Anna");
  const wrong = troubles(page);
  const [anna, customer] = [await Phone.ofPerson(server, server.person("Anna"), { autoAnswer: true }), await Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true })];
  phones.push(anna, customer);
  await page.getByRole("link", { name: "Contacts" }).click();
  await page.getByText("Nothing waits here").waitFor();

  const shop = await (await browser.context(server)).newPage();
  contexts.push(shop.context());
  await shop.goto("/shop/");
  await shop.getByRole("button", { name: "Talk to us" }).click();
  await shop.getByRole("checkbox", { name: /I agree/ }).check();
  await shop.getByLabel(/Your name/).fill("Cara");
  await shop.getByRole("button", { name: "Call me back" }).click();
  await shop.getByLabel("Your telephone number").fill("1002");
  await shop.getByRole("button", { name: "Send" }).click();
  await shop.getByRole("heading", { name: /We will call you back/ }).waitFor();

  // It comes by itself: the agent is told.
  const item = page.getByRole("article", { name: "Callback, Cara" });
  await item.getByText("1002").waitFor();
  await page.getByRole("link", { name: /^Contacts\W+1 open$/ }).waitFor();
  await item.locator("[data-page-context]").getByText("Aurora desk lamp", { exact: true }).waitFor();
  await bothThemes(page, "contacts");
  await shot(page, "contacts");
  await item.getByRole("button", { name: "Call back Cara" }).click();
  await anna.expect("CALL_ESTABLISHED");
  await customer.expect("CALL_ESTABLISHED");
  anna.hangUp();
  await customer.expect("CALL_CLOSED");
  await item.waitFor({ state: "detached" });
  await page.getByRole("button", { name: /State/ }).click();
  await page.getByRole("option", { name: "Taken" }).click();
  await item.getByRole("button", { name: "Cara is done" }).click();
  await item.waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Contacts", exact: true }).waitFor();

  await page.getByRole("group", { name: "Demo shop page takes now" }).getByText("Video").click();
  const api = await server.as("Admin");
  const now = async () => ((await api.GET("/v1/points")).data as { items: { now: string[] }[] }).items.map((p) => p.now);
  await until("video to be taken no more", async () => (await now()).some((n) => !n.includes("video")));
  expect(wrong).toEqual([]);
});

test("who wants to be called at a number outside is reached by the demo's own carrier; help is not called there", async () => {
  const page = await open("Anna");
  const wrong = troubles(page);
  const anna = await Phone.ofPerson(server, server.person("Anna"), { autoAnswer: true });
  phones.push(anna);
  const api = await server.as("Anna");
  const point = ((await api.GET("/v1/points")).data as { items: { id: string }[] }).items[0]?.id ?? "";
  const ask = (number: string, name: string) =>
    fetch(`${server.url}/v1/contact/${point}/callbacks`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ number, name, consent: true }) });
  expect((await ask("+1 (555) 010-0199", "Dora")).status).toBe(201);
  expect((await ask("911", "Emil")).status).toBe(201);
  await page.getByRole("link", { name: /^Contacts\W+\d+ open$/ }).click();
  await page.getByRole("article", { name: "Callback, Emil" }).getByRole("button", { name: "Call back Emil" }).click();
  await page.locator("[data-notices]").getByText(/emergency/i).waitFor();
  const item = page.getByRole("article", { name: "Callback, Dora" });
  await item.getByRole("button", { name: "Call back Dora" }).click();
  await anna.expect("CALL_ESTABLISHED");
  await page.getByRole("link", { name: "Desk", exact: true }).click();
  await page.getByRole("list", { name: "In the call" }).getByText("Connected").nth(1).waitFor();
  await page.locator("[data-call]").getByRole("heading", { name: "+15550100199" }).waitFor();
  await page.getByText("Connected to each other").waitFor();
  anna.hangUp();
  await anna.expect("CALL_CLOSED");
  expect(wrong).toEqual([]);
});

test("a call to a number that belongs to an account shows whose it is, before the answer", async () => {
  const api = await server.as("Admin");
  const point = ((await api.GET("/v1/points")).data as { items: { id: string; numbers: string[] }[] }).items.find((p) => p.numbers.includes("+15550110"))?.id ?? "";
  const path = { params: { path: { id: point } } };
  await api.POST("/v1/points/{id}/numbers", { ...path, body: { number: "+15550110", account: "ACME 4711", payment: "pay_1" } });
  // It belongs to somebody: it is given to nobody else, and lent to no page.
  await expect(api.POST("/v1/points/{id}/numbers", { ...path, body: { number: "+15550110", account: "Other", payment: "pay_2" } })).rejects.toThrow();
  const lend = await fetch(`${server.url}/v1/contact/${point}/number`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ consent: true, context: {} }) });
  expect(((await lend.json()) as { number: string }).number).not.toBe("+15550110");

  const page = await open("Anna");
  const wrong = troubles(page);
  const anna = await Phone.ofPerson(server, server.person("Anna"));
  phones.push(anna);
  const agent = await server.agent("Anna");
  await api.PUT("/v1/agents/{id}/presence", { params: { path: { id: agent.id } }, body: { presence: "available" } });
  const caller = await Phone.outside(server, "+15557044");
  phones.push(caller);
  caller.dialOutside("+15550110");
  const offer = page.getByRole("region", { name: "Incoming call" });
  await offer.locator("[data-page-context]").getByText("ACME 4711").waitFor();
  await offer.getByRole("button", { name: "Accept" }).click();
  await anna.answerAccepted();
  await page.getByRole("toolbar", { name: "Call" }).waitFor();
  await page.getByRole("tabpanel").locator("[data-page-context]").getByText("ACME 4711").waitFor();
  await page.getByRole("toolbar", { name: "Call" }).getByRole("button", { name: "Hang up" }).click();
  await caller.expect("CALL_CLOSED");
  // Given back, the next call to it is nobody's.
  await api.DELETE("/v1/points/{id}/numbers/{number}", { params: { path: { id: point, number: "+15550110" } } });
  expect(((await api.GET("/v1/points/{id}/numbers", path)).data as { items: { number: string; account?: string | null }[] }).items.find((n) => n.number === "+15550110")?.account ?? null).toBeNull();
  expect(wrong).toEqual([]);
});

test("how a trunk proves itself is changed from addresses to a password", async () => {
  const page = await open("Admin");
  await page.goto("/app/admin/trunks");
  await page.getByRole("button", { name: /^Change/ }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("group", { name: /How its calls prove/ }).getByRole("button", { name: /Proof/ }).click();
  await page.getByRole("option", { name: "By user and password" }).click();
  await dialog.getByLabel("User of the far side").fill("carrier");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByText("password is required with a new user").first().waitFor();
  await dialog.getByLabel("Password of the far side").fill("a long secret");
  await shot(page, "admin-trunk");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  const api = await server.as("Admin");
  const trunks = (await api.GET("/v1/trunks")).data as { items: { auth: Record<string, unknown> }[] };
  expect(trunks.items[0]?.auth).toEqual({ by: "digest", user: "carrier" });
});

test("files are sent packed, kept for ever by their hash, and asked for again otherwise", async () => {
  const page = await fetch(server.url, { headers: { "accept-encoding": "br" } });
  expect([page.headers.get("content-encoding"), page.headers.get("cache-control"), page.headers.get("vary")?.toLowerCase()]).toEqual(["br", "no-cache", "accept-encoding"]);
  const script = /assets\/[^"]+\.js/.exec(await page.text())?.[0] ?? "";
  const size: Record<string, number> = {};
  for (const encoding of ["br", "gzip", "identity"]) {
    const got = await fetch(`${server.url}/${script}`, { headers: { "accept-encoding": encoding } });
    expect(got.headers.get("content-encoding") ?? "identity").toBe(encoding);
    expect(got.headers.get("cache-control")).toMatch(/immutable/);
    size[encoding] = Number(got.headers.get("content-length"));
    expect((await got.text()).length).toBeGreaterThan(100_000);
    const again = await fetch(`${server.url}/${script}`, { headers: { "accept-encoding": encoding, "if-none-match": got.headers.get("etag") ?? "" } });
    expect(again.status).toBe(304);
  }
  expect(size.br).toBeLessThan(0.9 * (size.gzip ?? 0));
  expect(size.gzip).toBeLessThan(0.4 * (size.identity ?? 0));
});
