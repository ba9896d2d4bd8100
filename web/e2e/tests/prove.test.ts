// A customer's browser beside a live call: makes a passkey on the device, ties itself to the call by
// the number told on the telephone, and proves who is calling.

import { afterAll, beforeAll, expect, test } from "vitest";
import { answer, type Schemas } from "@crosspoint/api";
import { Phone, Server, SUPPORT_NUMBER, TestBrowser, axeFindings, passkeys, shot, signIn, troubles, until } from "../src/index.js";

const CALLER = "+15557001";

let server: Server;
let browser: TestBrowser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), TestBrowser.start()]);
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

test("a passkey proves the caller of a live call, and only with the number of that call", async () => {
  const api = await server.as("Admin");
  const person = (await answer(
    api.POST("/v1/persons", {
      body: {
        name: "Cara Customer",
        identities: [{ kind: "phone", value: CALLER }],
        fields: [{ name: "balance", label: "Balance", value: "1,234.56 EUR", class: "secure" }],
      },
    }),
  )) as Schemas["Person"];
  const { link: enrol } = (await answer(
    api.POST("/v1/persons/{id}/enrolment", { params: { path: { id: person.id } } }),
  )) as Schemas["Enrolment"];

  const context = await browser.context(server);
  const page = await context.newPage();
  const wrong = troubles(page);
  await passkeys(page);
  await page.goto(enrol);
  await page.getByRole("button", { name: "Make a passkey" }).click();
  await page.getByText("this device can confirm your calls").waitFor();
  expect(page.url()).not.toContain("enrol=");

  const anna = await Phone.ofPerson(server, server.person("Anna"), { autoAnswer: true });
  const agent = await server.agent("Anna");
  await api.PUT("/v1/agents/{id}/presence", { params: { path: { id: agent.id } }, body: { presence: "available" } });
  const desk = await (await browser.context(server)).newPage();
  await desk.addInitScript(() => localStorage.setItem("softphone", "off"));
  await signIn(desk, server.person("Anna"));
  const caller = await Phone.outside(server, CALLER);
  caller.dialOutside(SUPPORT_NUMBER);
  await anna.expect("CALL_ESTABLISHED");
  const call = await until("the call", async () => {
    const list = (await answer(api.GET("/v1/interactions", { params: { query: { open: true, party: CALLER } } }))) as {
      items: { id: string }[];
    };
    return list.items[0];
  });
  const path = { params: { path: { id: call.id } } };
  const customer = async () =>
    (await answer(api.GET("/v1/interactions/{id}/customer", path))) as Schemas["Customer"];
  expect((await customer()).fields[0]).toMatchObject({ locked: true, secure: true });

  // The agent sees the mark, and sends for the proof.
  await desk.locator('[data-field="balance"][data-locked="true"]').getByText("Do not tell yet").waitFor();
  expect(await axeFindings(desk)).toEqual([]);
  await shot(desk, "desk-record-locked");
  await desk.getByRole("button", { name: "Send a link" }).click();
  const made = {
    link: (await desk.getByLabel("Link", { exact: true }).innerText()).trim(),
    number: await desk.getByRole("region", { name: "Customer record" }).locator("strong").innerText(),
  };
  // The same page, as a person who follows a second link would have it.
  await page.goto("about:blank");
  await page.goto(made.link);
  const number = page.getByLabel("The number you are told on the telephone");
  await number.fill("+15557999");
  await page.getByRole("button", { name: "Use my passkey" }).click();
  await page.getByText("That did not work").waitFor();
  expect((await customer()).proof.level).toBe(0);

  await number.fill(made.number);
  await page.getByRole("button", { name: "Use my passkey" }).click();
  await page.getByText("Your call is confirmed (level 3)").waitFor();
  const proven = await customer();
  expect(proven.proof.methods).toEqual(["passkey"]);
  expect(proven.fields[0]).toMatchObject({ locked: false, value: "1,234.56 EUR" });
  expect(wrong).toEqual([]);
  // Her page was not loaded anew.
  await desk.locator('[data-field="balance"][data-locked="false"]').getByText("1,234.56 EUR").waitFor();
  expect(await desk.getByText("Do not tell yet").count()).toBe(0);
  await shot(desk, "desk-record-open");

  caller.hangUp();
  await until("the end of the proof", async () => (await customer()).proof.level === 0);
  await anna.stop();
  await caller.stop();
  await desk.context().close();
  await context.close();
});

test("a link that was used opens nothing", async () => {
  const context = await browser.context(server);
  const page = await context.newPage();
  await page.goto(`${server.url}/prove#nothing-of-the-sort`);
  await page.getByText("Ask for a new one").waitFor();
  await context.close();
});
