// The door: who gets in, who does not, and that the page breaks none of its own rules.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Server, TestBrowser, signIn, troubles } from "../src/index.js";

let server: Server;
let browser: TestBrowser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), TestBrowser.start()]);
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

test("an agent signs in, is remembered after a reload, and signs out", async () => {
  const context = await browser.context(server);
  const page = await context.newPage();
  const wrong = troubles(page);
  await signIn(page, server.person("Anna"));
  await page.reload();
  await page.getByRole("banner").getByText("Anna").first().waitFor();
  expect(wrong).toEqual([]);
  await context.close();
});

test("a wrong password is told as such", async () => {
  const context = await browser.context(server);
  const page = await context.newPage();
  await page.goto("/");
  await page.getByLabel("E-mail").fill("anna@demo.example");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  const alert = page.getByRole("alert");
  await expect.poll(() => alert.innerText()).not.toBe("");
  await context.close();
});
