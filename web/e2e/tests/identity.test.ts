// Call identity in a real browser: how numbers forward, the trace of a call, a certificate that signs.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answer } from "@crosspoint/api";
import { axeFindings, Phone, Server, SipCaller, SUPPORT_NUMBER, TestBrowser, shot, signIn, troubles } from "../src/index.js";

/** Leads to a phone that forwards, and where it forwards to. */
const FORWARDED = "+12155551390";
const FORWARD_TO = "+15550100199";

let server: Server;
let browser: TestBrowser;
let context: BrowserContext | undefined;
const phones: Phone[] = [];
const folder = mkdtempSync(join(tmpdir(), "cp-stir-"));
const file = (name: string) => join(folder, name);

/** A self-signed certificate whose TNAuthList has the service provider code 1234. */
function certificate(): void {
  const name = ["-subj", "/CN=SHAKEN 1234", "-addext", "1.3.6.1.5.5.7.1.26=DER:3008a006160431323334", "-addext", "keyUsage=digitalSignature"];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-keyout", file("key.pem"), "-out", file("chain.pem"), ...name], { stdio: "ignore" });
}

beforeAll(async () => {
  certificate();
  const env = { CROSSPOINT_IDENTITY_ROOTS: file("chain.pem") };
  [server, browser] = await Promise.all([Server.start({ env }), TestBrowser.start()]);
});
afterAll(async () => {
  await Promise.all(phones.map((p) => p.stop()));
  await context?.close();
  await browser?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("the administrator sees numbers and a call's trace, and adds a certificate", async () => {
  const anna = await Phone.ofPerson(server, server.person("Anna"), { autoAnswer: true });
  phones.push(anna);
  const agent = await server.agent("Anna");
  const api = await server.as("Sofia");
  await api.PUT("/v1/agents/{id}/presence", { params: { path: { id: agent.id } }, body: { presence: "available" } });
  const caller = await Phone.outside(server, "+12155557002");
  phones.push(caller);
  caller.dialOutside(SUPPORT_NUMBER);
  await anna.expect("CALL_ESTABLISHED");

  context = await browser.context(server);
  await context.addInitScript(() => localStorage.setItem("softphone", "off"));
  const page = await context.newPage();
  const wrong = troubles(page);
  await signIn(page, server.person("Admin"));
  await page.getByRole("link", { name: "Call identity" }).click();
  const numbers = page.getByRole("region", { name: "Numbers that forward" });
  const row = numbers.getByRole("row").filter({ hasText: SUPPORT_NUMBER });
  await row.getByText("not likely").waitFor();
  await page.getByRole("region", { name: "Trunks" }).getByRole("row").nth(1).waitFor();

  const trace = page.getByRole("region", { name: "Trace of a call" });
  await trace.getByRole("button", { name: "+12155557002" }).first().click();
  await trace.locator("[data-step=judged]").getByText("no_identity").waitFor();
  await trace.locator("[data-step=kept]").getByText("not_verified").waitFor();

  expect(await axeFindings(page)).toEqual([]);
  const certificates = page.getByRole("region", { name: "Certificates that sign" });
  await certificates.getByRole("button", { name: "Add a certificate" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Ours");
  await dialog.getByLabel("Certificates (PEM)").fill(readFileSync(file("chain.pem"), "utf8"));
  await dialog.getByLabel("Key (PKCS#8, PEM)").fill("no key");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByText("is no PKCS#8 key on P-256").waitFor();
  await dialog.getByLabel("Key (PKCS#8, PEM)").fill(readFileSync(file("key.pem"), "utf8"));
  await dialog.getByRole("button", { name: "Save" }).click();
  await certificates.getByRole("cell", { name: "Ours", exact: true }).waitFor();
  await shot(page, "admin-identity");
  expect(wrong).toEqual([]);
});

test("a call that a phone forwards counts for its number, and its trace shows the steps", async () => {
  const admin = await server.as("Admin");
  const phone = (await answer(admin.GET("/v1/phones", { params: { query: { limit: 200 } } }))).items.find((p) => p.user === server.person("Ben").extension);
  const ben = await server.agent("Ben");
  const id = phone?.id ?? ben.phone ?? "";
  const headers = { "If-Match": "*" };
  await answer(admin.PATCH("/v1/phones/{id}", { params: { path: { id } }, headers, body: { forward: { when: "always", to: FORWARD_TO } } } as never));
  await answer(admin.POST("/v1/numbers", { body: { number: FORWARDED, public: true, destination: { to: "phone", phone: id } } as never }));
  const caller = await SipCaller.start(server, "+12155557003");
  caller.invite(FORWARDED);
  await caller.status(200);
  const page = await context!.newPage();
  await page.goto("/app/admin/identity");
  const numbers = page.getByRole("region", { name: "Numbers that forward" });
  await numbers.getByRole("row").filter({ hasText: FORWARDED }).getByText("100 %").waitFor();
  const trace = page.getByRole("region", { name: "Trace of a call" });
  await trace.getByRole("button", { name: "+12155557003" }).first().click();
  await trace.locator("[data-step=forwarded]").waitFor();
  await shot(page, "identity-forwarded");
  caller.stop();
});
