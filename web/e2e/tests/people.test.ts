// People and how they come in: an authenticator app, recovery codes, passkeys, proving it again before
// something dangerous, roles of the tenant's own, what administrators take away, announced calls, tenants,
// customers and the rules of their proof.

import { createHmac, randomUUID } from "node:crypto";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { answer } from "@crosspoint/api";
import { axeFindings, Phone, Server, SUPPORT_NUMBER, TestBrowser, passkeys, passkeysOf, shot, signIn, signOut, troubles, until, type Person } from "../src/index.js";

/** The shortest that can be set; the tests below wait for it to be over. */
const STEP_UP_S = 5;

let server: Server;
let browser: TestBrowser;
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), TestBrowser.start()]);
});
afterEach(async () => {
  await Promise.all(contexts.splice(0).map((c) => c.close()));
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

async function open(options: Parameters<TestBrowser["context"]>[1] = {}, at = server): Promise<Page> {
  const context = await browser.context(at, options);
  contexts.push(context);
  await context.addInitScript(() => localStorage.setItem("softphone", "off"));
  return context.newPage();
}

/** Passkeys are made for names, not for addresses. */
const named = (at = server) => ({ baseURL: at.url.replace("127.0.0.1", "localhost") });

/** What an authenticator app shows (RFC 6238), now or some steps from now. */
function totp(secret: string, steps = 0): string {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19]! & 15;
  return String((mac.readUInt32BE(at) & 0x7fff_ffff) % 1_000_000).padStart(6, "0");
}

/** The first step of the form; the second is the test's. */
async function password(page: Page, person: Pick<Person, "email" | "password">): Promise<void> {
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

test("an authenticator app is set up and asked for; a recovery code opens once; an administrator takes both away", async () => {
  const anna = server.person("Anna");
  const page = await open();
  const wrong = troubles(page);
  await signIn(page, anna);
  await page.goto("/app/settings");
  await page.getByRole("button", { name: "Set up an app" }).click();
  const dialog = page.getByRole("dialog");
  const picture = dialog.getByRole("img", { name: "QR code for the app" });
  await picture.waitFor();
  await expect.poll(() => picture.evaluate((i: HTMLImageElement) => i.naturalWidth)).toBeGreaterThan(0);
  expect(await axeFindings(page)).toEqual([]);
  await shot(page, "settings-totp");
  const secret = (await dialog.getByLabel("Key", { exact: true }).innerText()).trim();
  await dialog.getByLabel("Code of the authenticator app").fill("000000");
  await dialog.getByRole("button", { name: "Confirm" }).click();
  await expect.poll(() => dialog.getByRole("alert").innerText()).not.toBe("");
  await dialog.getByLabel("Code of the authenticator app").fill(totp(secret));
  await dialog.getByRole("button", { name: "Confirm" }).click();
  const told = page.getByRole("dialog", { name: "Your recovery codes" });
  const codes = (await told.getByLabel("Recovery codes", { exact: true }).innerText()).trim().split(/\s+/);
  expect(codes).toHaveLength(10);
  await shot(page, "settings-recovery-codes");
  await told.getByRole("button", { name: "I have kept them" }).click();
  await page.getByText(/not used yet|last used/).first().waitFor();

  await signOut(page);
  await password(page, anna);
  const code = page.getByLabel("Code of the authenticator app");
  await code.fill(totp(secret, 1));
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("banner").getByText("Anna").first().waitFor();

  for (const opens of [true, false]) {
    await signOut(page);
    await password(page, anna);
    await page.getByRole("button", { name: "Use a recovery code" }).click();
    await page.getByLabel(/^Recovery code/).fill(codes[0]!);
    await page.getByRole("button", { name: "Continue" }).click();
    if (opens) await page.getByRole("banner").getByText("Anna").first().waitFor();
    else await expect.poll(() => page.getByRole("alert").first().innerText()).toMatch(/did not prove/);
  }
  expect(wrong).toEqual([]);

  const admin = await open();
  await signIn(admin, server.person("Admin"));
  await admin.goto("/app/admin/people");
  await admin.getByRole("button", { name: "Sign-in of Anna" }).click();
  const of = admin.getByRole("dialog");
  await of.getByText("Authenticator app").waitFor();
  await shot(admin, "admin-sign-in-of");
  await of.getByRole("button", { name: "Take the second factors away" }).click();
  await of.getByRole("button", { name: "Take them away" }).click();
  await of.getByText("None: the password alone opens.").waitFor();
  await signIn(page, anna);
});

test("a passkey of this device signs in without a name; other sessions are seen and ended", async () => {
  const ben = server.person("Ben");
  const page = await open(named());
  const wrong = troubles(page);
  await passkeys(page);
  await signIn(page, ben);
  await page.goto("/app/settings");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByLabel("What do you call this device?").fill("Test laptop");
  await page.getByRole("button", { name: "Make the passkey" }).click();
  await page.getByRole("dialog", { name: "Your recovery codes" }).getByRole("button", { name: "I have kept them" }).click();
  await page.getByText("Test laptop").first().waitFor();
  await shot(page, "settings-passkey");

  await signOut(page);
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.getByRole("banner").getByText("Ben").first().waitFor();

  // The password is then only half of it, and the passkey the other.
  await signOut(page);
  await password(page, ben);
  await page.getByRole("button", { name: "Use a passkey" }).click();
  await page.getByRole("banner").getByText("Ben").first().waitFor();
  await page.goto("/app/settings");
  await page.getByText("Proven by password, passkey").first().waitFor();

  const api = await server.open(ben).catch((error: Error) => error.message);
  expect(api, "a password alone does not open").toMatch(/second factor|proof/i);
  const elsewhere = await open(named());
  await passkeys(elsewhere, await passkeysOf(page));
  await elsewhere.goto("/");
  await elsewhere.getByRole("button", { name: "Sign in with a passkey" }).click();
  await elsewhere.getByRole("banner").getByText("Ben").first().waitFor();
  await page.reload();
  await expect.poll(() => page.locator("[data-session]").count()).toBe(2);
  await page.getByRole("button", { name: "Sign out everywhere else" }).click();
  await expect.poll(() => page.locator("[data-session]").count()).toBe(1);
  await elsewhere.reload();
  await elsewhere.getByLabel("E-mail").waitFor();
  expect(wrong).toEqual([]);
});

test("something dangerous asks again who it is, once, and then goes through", async () => {
  const own = await Server.start({ env: { CROSSPOINT_HTTP_STEP_UP_S: String(STEP_UP_S) } });
  try {
    const page = await open({}, own);
    const wrong = troubles(page);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: own.url });
    const admin = own.person("Admin");
    await signIn(page, admin);
    await page.goto("/app/admin/keys");
    await page.getByRole("button", { name: "Add a key" }).click();
    const form = page.getByRole("dialog", { name: "Add a key" });
    await form.getByLabel("Name").fill("Reader");
    await form.getByText("queues:read", { exact: true }).locator("xpath=ancestor::label").click();
    await olderThan(own, admin, STEP_UP_S);
    await form.getByRole("button", { name: "Save" }).click();
    const again = page.getByRole("dialog", { name: "Prove that it is you" });
    await again.waitFor();
    expect(await axeFindings(page)).toEqual([]);
    await shot(page, "step-up");
    // Whoever turns away has changed nothing.
    await again.getByRole("button", { name: "Close" }).click();
    await form.getByRole("alert").getByText("Prove again").waitFor();
    await form.getByRole("button", { name: "Save" }).click();
    await again.getByLabel("Password").fill("not the password");
    await again.getByRole("button", { name: "Continue" }).click();
    await expect.poll(() => again.getByRole("alert").innerText()).not.toBe("");
    await again.getByLabel("Password").fill(admin.password);
    await again.getByRole("button", { name: "Continue" }).click();
    const told = page.getByRole("dialog", { name: "Reader" });
    const key = (await told.getByLabel("Key", { exact: true }).innerText()).trim();
    expect(key).toMatch(/^cp_/);
    await told.getByRole("button", { name: "Copy Key" }).click();
    await told.getByText("Copied", { exact: true }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(key);
    await shot(page, "admin-key-made");
    await told.getByRole("button", { name: "I have kept it" }).click();
    await page.getByRole("cell", { name: "Reader", exact: true }).waitFor();
    const asked = (path: string) => fetch(`${own.url}${path}`, { headers: { authorization: `Bearer ${key}` } });
    expect((await asked("/v1/queues")).status).toBe(200);
    expect((await asked("/v1/users")).status).toBe(403);
    expect(wrong).toEqual([]);
  } finally {
    await own.stop();
  }
});

/** Waits until the last proof of somebody's only browser is so old. */
async function olderThan(at: Server, person: Person, seconds: number): Promise<void> {
  const api = await at.open(person);
  const { data } = await api.GET("/v1/me/sessions");
  const proved = Math.max(...(data?.items ?? []).filter((s) => !s.current).map((s) => Date.parse(s.proved_at)));
  await until("an old proof", () => Date.now() - proved > (seconds + 1) * 1000);
}

test("a role of the tenant's own decides what its people see and may do", async () => {
  const page = await open();
  const wrong = troubles(page);
  await signIn(page, server.person("Admin"));
  await page.goto("/app/admin/roles");
  await page.getByRole("button", { name: "Add a role" }).click();
  const form = page.getByRole("dialog");
  await form.getByLabel("Name").fill("People desk");
  for (const word of ["users:read", "users:write", "roles:read"]) await form.getByText(word, { exact: true }).locator("xpath=ancestor::label").click();
  await form.getByText("3 of").waitFor();
  await shot(page, "admin-role");
  await form.getByRole("button", { name: "Save" }).click();
  await page.getByRole("cell", { name: "People desk", exact: true }).waitFor();
  await page.getByRole("link", { name: "People" }).click();
  await page.getByRole("button", { name: "Add a person" }).click();
  await form.getByLabel("Name").fill("Hana Personnel");
  await form.getByLabel("E-mail").fill("hana@demo.example");
  await form.getByLabel("Password").fill("a long enough password");
  await form.getByRole("checkbox", { name: "Agent" }).uncheck({ force: true });
  await form.getByRole("checkbox", { name: "People desk" }).check({ force: true });
  await form.getByRole("button", { name: "Save" }).click();
  await page.getByRole("row", { name: /Hana Personnel/ }).getByText("People desk").waitFor();

  const hana = { name: "Hana Personnel", email: "hana@demo.example", password: "a long enough password", role: "", extension: null, sip_password: null };
  const hers = await open();
  await signIn(hers, hana);
  await hers.getByRole("navigation", { name: "Administration" }).waitFor();
  const links = (name: string) => hers.getByRole("navigation", { name }).getByRole("link").allInnerTexts();
  expect(await links("Pages")).toEqual(["Admin", "Settings"]);
  expect(await links("Administration")).toEqual(["People", "Roles"]);
  await hers.getByRole("button", { name: "Change Ben" }).waitFor();
  // She sees roles and changes none; and nobody makes an administrator who is none.
  await hers.getByRole("link", { name: "Roles" }).click();
  await hers.getByRole("cell", { name: "People desk", exact: true }).waitFor();
  expect(await hers.getByRole("button", { name: "Add a role" }).count()).toBe(0);
  await hers.getByRole("link", { name: "People" }).click();
  await hers.getByRole("button", { name: "Change Ben" }).click();
  await hers.getByRole("dialog").getByRole("checkbox", { name: "Administrator" }).check({ force: true });
  await hers.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await hers.getByRole("dialog").getByRole("alert").waitFor();
  expect(wrong).toEqual([]);

  await page.getByRole("link", { name: "Audit" }).click();
  await page.locator('[data-chain="whole"]').waitFor();
  await page.getByRole("search").getByLabel("What").fill("role.*");
  await page.getByRole("search").getByRole("button", { name: "Search" }).click();
  await page.getByText("role.created").waitFor();
  await expect.poll(() => page.getByText(/^user\./).count()).toBe(0);
  await shot(page, "admin-audit");
});

test("a partner announces a call; the page shows it and takes it back; the house announces its own", async () => {
  const page = await open();
  const wrong = troubles(page);
  await signIn(page, server.person("Admin"));
  await page.goto("/app/admin/announced");
  await page.getByText("No call is announced").waitFor();
  await page.getByRole("button", { name: "Add a partner" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("Acme logistics");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  const told = page.getByRole("dialog", { name: "Acme logistics" });
  const kid = (await told.getByLabel("kid", { exact: true }).innerText()).trim();
  const secret = (await told.getByLabel(/^Secret/).innerText()).trim();
  await told.getByRole("button", { name: "I have kept it" }).click();

  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const claims = { jti: randomUUID(), iat: now, exp: now + 300, from: "+15550123", name: "Ann", reason: "delivery" };
  const text = `${part({ alg: "HS256", kid, typ: "cp-precall+jwt" })}.${part(claims)}`;
  const token = `${text}.${createHmac("sha256", Buffer.from(secret, "base64url")).update(text).digest("base64url")}`;
  const announced = await fetch(`${server.url}/v1/precall`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ token }) });
  expect(announced.status).toBe(202);
  const row = page.locator("[data-precall]").filter({ hasText: "Acme logistics" });
  await row.getByText("Ann, delivery").waitFor();
  await shot(page, "admin-announced");
  await row.getByRole("button", { name: /^Take back/ }).click();
  await page.getByText("No call is announced").waitFor();

  await page.getByLabel("The number the call will show").fill("+18005550100");
  await page.getByLabel("The number that will ring").fill("+15550177");
  await page.getByRole("button", { name: "Announce", exact: true }).click();
  const link = (await page.getByLabel("Link", { exact: true }).innerText()).trim();
  expect(wrong).toEqual([]);
  await page.goto(link);
  await page.getByText("+18005550100").first().waitFor();
});

test("whoever runs the platform makes a tenant, whose people see nothing of others; suspended, nobody of it comes in", async () => {
  const page = await open();
  const wrong = troubles(page);
  await signIn(page, server.person("Olga"));
  await page.goto("/app/admin/tenants");
  await page.getByRole("row", { name: /Demo Shop/ }).getByText("yours").waitFor();
  expect(await axeFindings(page)).toEqual([]);
  await page.getByRole("button", { name: "Add a tenant" }).click();
  const form = page.getByRole("dialog");
  // A name to sign in with need not be an address.
  const boss = { name: "Nadia", email: "nadia", password: "a long enough password", role: "", extension: null, sip_password: null };
  await form.getByLabel("Name").first().fill("North Shop");
  await form.getByLabel("SIP domain").fill("north.example");
  await form.getByLabel("E-mail or name to sign in with").fill(boss.email);
  await form.getByLabel("Name").last().fill(boss.name);
  await form.getByLabel("Password").fill("12345678");
  await form.getByRole("button", { name: "Save" }).click();
  // What is wrong stands by its field.
  await form.getByText(/among the first that are guessed/).waitFor();
  expect(await axeFindings(page)).toEqual([]);
  await form.getByLabel("Password").fill(boss.password);
  await form.getByRole("button", { name: "Save" }).click();
  const row = page.getByRole("row", { name: /North Shop/ });
  await row.getByText("Runs").waitFor();
  await shot(page, "admin-tenants");

  const hers = await open();
  await signIn(hers, boss);
  await hers.goto("/app/admin/people");
  await hers.getByRole("cell", { name: boss.name, exact: true }).waitFor();
  for (const path of ["queues", "agents", "numbers", "customers"]) {
    await hers.goto(`/app/admin/${path}`);
    await hers.getByText("Nothing here yet").waitFor();
  }
  expect(await hers.getByRole("link", { name: "Tenants" }).count()).toBe(0);

  await row.getByRole("button", { name: "Change North Shop" }).click();
  await form.getByRole("switch", { name: /Suspended/ }).locator("xpath=ancestor::label").click();
  await form.getByRole("button", { name: "Save" }).click();
  await row.getByText("Suspended").waitFor();
  await hers.reload();
  await hers.getByRole("heading", { name: /suspended/ }).waitFor();
  const again = await server.open(boss).catch((error: Error) => error.message);
  expect(again).toMatch(/suspended/);
  // Nobody locks themselves out.
  await page.getByRole("button", { name: "Change Demo Shop" }).click();
  expect(await form.getByRole("switch", { name: /Suspended/ }).isDisabled()).toBe(true);
  expect(wrong).toEqual([]);
});

test("rules of proof and a customer's record are made on their pages, in both languages, and hold in a call", async () => {
  const page = await open();
  const wrong = troubles(page);
  await signIn(page, server.person("Admin"));
  await page.goto("/app/admin/customers");
  await page.getByText("Nothing here yet").waitFor();
  await page.getByRole("button", { name: "Add a customer" }).click();
  const form = page.getByRole("dialog");
  await form.getByLabel("Name").first().fill("Cara Customer");
  await form.getByRole("button", { name: "Add a number or address" }).click();
  await form.getByRole("textbox", { name: "Number or address" }).fill("+15557003");
  await form.getByRole("button", { name: "Add a field" }).click();
  const fields = form.getByRole("group", { name: "Fields" });
  await fields.getByLabel("Name").fill("balance");
  await fields.getByLabel("Label").fill("Balance");
  await fields.getByLabel("Value").fill("1,234.56 EUR");
  await form.getByRole("button", { name: "Add a fact" }).click();
  const facts = form.getByRole("group", { name: "Facts" });
  await facts.getByRole("textbox", { name: "Fact" }).fill("balance");
  await facts.getByLabel("Value").fill("25000.00");
  expect(await axeFindings(page)).toEqual([]);
  await shot(page, "admin-customer");
  await form.getByRole("button", { name: "Save" }).click();
  await page.getByRole("row", { name: /Cara Customer/ }).getByText("+15557003").waitFor();

  // What she proves herself with: given, seen without its secret, and revoked.
  await page.getByRole("button", { name: "Proof of Cara Customer" }).click();
  const give = form.getByRole("form", { name: "Give a way of proof" });
  const way = async (name: string) => {
    await give.getByRole("button", { name: /Give a way of proof/ }).click();
    await page.getByRole("option", { name, exact: true }).click();
  };
  await give.getByRole("textbox", { name: "PIN" }).fill("1234");
  await give.getByRole("button", { name: "Give it" }).click();
  await page.getByText("must not repeat one digit").first().waitFor();
  await give.getByRole("textbox", { name: "PIN" }).fill("2580");
  await give.getByRole("button", { name: "Give it" }).click();
  await form.locator('[data-credential="pin"]').waitFor();
  await way("authenticator app");
  await give.getByRole("button", { name: "Give it" }).click();
  const picture = give.getByRole("img", { name: "QR code for the app" });
  await picture.waitFor();
  await expect.poll(() => picture.evaluate((i: HTMLImageElement) => i.naturalWidth)).toBeGreaterThan(0);
  expect(await give.getByLabel("Address for the app", { exact: true }).innerText()).toMatch(/^otpauth:/);
  await way("passkey");
  await give.getByRole("button", { name: "Make a link" }).click();
  expect(await give.getByLabel("Link", { exact: true }).innerText()).toMatch(/\/prove#enrol=/);
  await way("questions");
  await give.getByRole("textbox", { name: "Question" }).fill("First school?");
  await give.getByLabel("The answer to it").fill("Hill Road");
  await give.getByRole("button", { name: "Give it" }).click();
  await form.locator('[data-credential="knowledge"]').waitFor();
  expect(await axeFindings(page)).toEqual([]);
  await shot(page, "admin-customer-proof");
  await form.locator('[data-credential="totp"]').getByRole("button", { name: "Revoke authenticator app" }).click();
  await expect.poll(() => form.locator('[data-credential="totp"]').count()).toBe(0);
  await form.getByRole("button", { name: "Close" }).click();

  // What is asked for, what it takes, where the proven wait, and what a queue wants.
  await page.goto("/app/admin/proof");
  await page.getByRole("button", { name: "Add a request" }).click();
  await page.getByRole("textbox", { name: "Request" }).fill("transfer");
  await page.getByRole("button", { name: "Add a rule" }).click();
  const rule = page.getByRole("group", { name: "Rule 1" });
  await rule.getByRole("textbox", { name: "Fact" }).fill("balance");
  await rule.getByLabel("Value").fill("10000.00");
  await rule.getByRole("button", { name: /Moves to/ }).click();
  await page.getByRole("option", { name: "Sales" }).click();
  expect(await axeFindings(page)).toEqual([]);
  await shot(page, "admin-proof-rules");
  await page.getByRole("button", { name: "Save the rules" }).click();
  await page.getByText("Saved.").first().waitFor();
  await page.locator('[data-gate="Support"]').getByRole("button", { name: "Change Support" }).click();
  await form.getByRole("button", { name: /Wants/ }).click();
  await page.getByRole("option", { name: "proof of level 2" }).click();
  expect(await axeFindings(page)).toEqual([]);
  await form.getByRole("button", { name: "Save" }).click();
  await page.locator('[data-gate="Support"]').getByText("proof of level 2").waitFor();

  const api = await server.as("Admin");
  const rules = (await api.GET("/v1/proof-policy")).data!;
  expect(rules.intents).toEqual({ transfer: 2 });
  expect(rules.placement).toMatchObject([{ level: 2, fact: "balance", test: "at_least", value: 10000, priority: 0 }]);
  // Somebody else was faster: nothing is overwritten.
  await api.PUT("/v1/proof-policy", { body: { ...rules, intents: { transfer: 3 } } });
  await page.getByLabel("Wrong tries in one call").fill("5");
  await page.getByRole("button", { name: "Save the rules" }).click();
  await page.getByRole("form", { name: "Rules of proof" }).getByRole("alert").getByText(/in the meantime/).waitFor();
  expect((await api.GET("/v1/proof-policy")).data!.tries_per_call).toBe(3);

  // A call from her number: asked at the gate; the PIN of the page lets her on, to where her balance belongs.
  const cara = await Phone.outside(server, "+15557003");
  cara.dialOutside(SUPPORT_NUMBER);
  const call = await until("the call", async () => {
    const list = (await answer(api.GET("/v1/interactions", { params: { query: { open: true, party: "+15557003" } } }))) as { items: { id: string }[] };
    return list.items[0];
  });
  await until("a question", async () => (await server.trail(call.id)).includes("collect.started"));
  cara.digits("2580#");
  const sales = await until("her place", async () => {
    const { data } = await api.GET("/v1/interactions/{id}", { params: { path: { id: call.id } } });
    return (data as { queue?: string | null }).queue ?? undefined;
  });
  const queues = await answer(api.GET("/v1/queues", { params: { query: { limit: 200 } } }));
  expect(queues.items.find((q) => q.id === sales)?.name).toBe("Sales");
  cara.hangUp();
  await cara.stop();

  await page.goto("/app/settings");
  await page.evaluate(() => localStorage.setItem("locale", "ar"));
  for (const path of ["proof", "customers"]) {
    await page.goto(`/app/admin/${path}`);
    await page.getByRole("heading", { level: 1, name: path === "proof" ? "إثبات العملاء" : "العملاء" }).waitFor();
    expect(await axeFindings(page)).toEqual([]);
    await shot(page, `admin-${path}-ar`);
  }
  // Forgotten for good.
  await page.evaluate(() => localStorage.setItem("locale", "en"));
  await page.goto("/app/admin/customers");
  await page.getByRole("button", { name: "Erase Cara Customer" }).click();
  await form.getByLabel("Reason").fill("asked by letter");
  await form.getByRole("button", { name: "Erase for good" }).click();
  await until("the end of her record", async () => {
    const { data } = await api.GET("/v1/persons");
    return !JSON.stringify(data).includes("Cara");
  });
  expect(wrong).toEqual([]);
});
