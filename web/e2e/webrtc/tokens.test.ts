// A customer's page without an account: tokens, origins, the one call, resuming it.

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { BrowserContext } from "playwright-core";
import { Server, TestBrowser, until, type Person } from "../src/index.js";
import { Device, type Message } from "./device.js";

const ANNA_HZ = 700;
const CUSTOMER_HZ = 450;
let server: Server;
let browser: TestBrowser;
let shopper: TestBrowser;
let opened: BrowserContext[] = [];

beforeAll(async () => {
  [server, browser, shopper] = await Promise.all([
    Server.start(),
    TestBrowser.start({ microphoneHz: ANNA_HZ }),
    TestBrowser.start({ microphoneHz: CUSTOMER_HZ }),
  ]);
});
afterEach(async () => {
  for (const context of opened) await context.close();
  opened = [];
});
afterAll(async () => {
  await Promise.all([browser?.stop(), shopper?.stop()]);
  await server?.stop();
});

async function token(body: object): Promise<string> {
  const admin = server.person("Admin");
  const session = await post("/v1/sessions", { login: admin.email, password: admin.password, kind: "token" });
  const made = await post("/v1/call-tokens", body, session.token);
  return made.token;
}
async function post(path: string, body: object, bearer?: string): Promise<any> { // eslint-disable-line @typescript-eslint/no-explicit-any -- read by the tests alone
  const headers = { "content-type": "application/json", ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) };
  const answer = await fetch(server.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
async function queue(): Promise<string> {
  const api = await server.as("Sofia");
  const page = (await api.GET("/v1/queues", { params: { query: { limit: 100 } } })).data as unknown as { items: { id: string; name: string }[] };
  return page.items.find((q) => q.name === "Support")?.id ?? "";
}
async function page(): Promise<Device> {
  const context = await shopper.context(server, { bypassCSP: true });
  opened.push(context);
  return Device.blank(context, server);
}
async function agent(person: Person): Promise<Device> {
  const context = await browser.context(server, { bypassCSP: true });
  opened.push(context);
  return Device.ofAgent(context, server, person);
}
async function refused(device: Device, path: string): Promise<boolean> {
  return device.run((d, path) => d.open(path).then(() => false, () => true), path);
}

test("a customer calls from a page, an agent sees the page and answers, and both hear one another", async () => {
  const anna = await agent(server.person("Anna"));
  const customer = await page();
  const t = await token({ destination: { to: "queue", queue: await queue() }, name: "Shop page", subject: "point-7" });
  await customer.run((d, t) => d.open(`/v1/customer/call?token=${t}`), t);
  const hello = await customer.expectMedia("hello");
  expect(hello).toMatchObject({ context_bytes_max: 8192, leg: null });
  const context = { url: "https://shop.example/cart", title: "<b>Cart</b>", items: 3 };
  const calling = await customer.run((d, context) => d.call(undefined, false, { context, name: "Ann" }), context);
  expect(calling).toMatchObject({ media: "calling" });
  // Who is rung sees the page before answering; the trail has it too, as text.
  const leg = await anna.ring();
  expect((await anna.expectMedia("ring")).leg).toMatchObject({ from_name: "Ann", subject: "point-7", context });
  const sofia = await server.as("Sofia");
  const trail = (await sofia.GET("/v1/interactions/{id}/events", { params: { path: { id: calling.interaction }, query: { limit: 100 } } })).data;
  const told = (trail as unknown as { items: Message[] }).items.find((e) => e.type === "customer.context");
  expect(told?.data).toMatchObject({ leg: calling.leg, subject: "point-7" });
  expect(JSON.parse((told?.data as Message).context as string)).toEqual(context);
  await anna.run((d, leg) => d.accept(leg), leg);
  await anna.hears(CUSTOMER_HZ);
  await customer.hears(ANNA_HZ);

  // A second call by the same token, and a message that only desktops may send.
  expect((await customer.run((d) => d.call(undefined))).code).toBe("wrong_state");
  expect((await customer.run((d) => d.ask({ media: "attach" }))).code).toBe("no_such_leg");
  expect((await customer.run((d, leg) => d.ask({ media: "hangup", leg }), leg)).code).toBe("no_such_leg");

  // The page is loaded again.
  await customer.page.reload();
  await customer.run((d, r) => d.open(`/v1/customer/call?resume=${r}`), calling.resume);
  expect((await customer.expectMedia("hello")).leg).toBe(calling.leg);
  await customer.run((d, leg) => d.again(leg), calling.leg);
  await customer.hears(ANNA_HZ);
  await customer.run((d, leg) => d.ask({ media: "hangup", leg }), calling.leg);
  await anna.expectMedia("ended", leg);
  expect(await refused(await page(), `/v1/customer/call?token=${t}`)).toBe(true);
});

test("tokens that are forged, expired or of another page open nothing", async () => {
  const customer = await page();
  const echo = { to: "echo" };
  const good = await token({ destination: echo });
  expect(await refused(customer, "/v1/customer/call")).toBe(true);
  expect(await refused(customer, `/v1/customer/call?token=${good.slice(0, -4)}0000`)).toBe(true);
  const brief = await token({ destination: echo, ttl_s: 1 });
  await until("the token to expire", () => refused(customer, `/v1/customer/call?token=${brief}`));
  const elsewhere = await token({ destination: echo, origins: ["https://shop.example"] });
  expect(await refused(customer, `/v1/customer/call?token=${elsewhere}`)).toBe(true);
  expect(await refused(customer, `/v1/customer/call?token=${good}`)).toBe(false);
});

test("a page that says too much is told so, and may try again", async () => {
  const customer = await page();
  await customer.run((d, t) => d.open(`/v1/customer/call?token=${t}`), await token({ destination: { to: "echo" } }));
  const said = (context: unknown) => customer.run((d, context) => d.call(undefined, false, { context }), context);
  expect((await said({ text: "x".repeat(9_000) })).code).toBe("context_too_large");
  expect((await said("markup")).code).toBe("context_malformed");
  expect((await said({})).media).toBe("calling");
  await customer.hears(CUSTOMER_HZ);
});
