// A call moves between a person's desk phone and browser; the other end hears no more than another tone.

import { afterAll, beforeAll, expect, test } from "vitest";
import { pageHears, Phone, Server, signIn as openDesk, SUPPORT_NUMBER, TestBrowser, until } from "../src/index.js";
import { Device } from "../webrtc/device.js";

const BROWSER_HZ = 700;
const DESK_HZ = 1000;
const FAR_HZ = 1400;
let server: Server;
let browser: TestBrowser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), TestBrowser.start({ microphoneHz: BROWSER_HZ })]);
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

async function api<T>(token: string, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

async function signIn(name: string): Promise<string> {
  const { email, password } = server.person(name);
  const session = await fetch(`${server.url}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ login: email, password, kind: "token" }),
  });
  return ((await session.json()) as { token: string }).token;
}

test("pushed to the page, which rings until its person says yes; a queue's rule keeps a call where it is", async () => {
  const desk = await Phone.ofPerson(server, server.person("Anna"), { toneHz: DESK_HZ });
  const caller = await Phone.outside(server, "+15557041", { toneHz: FAR_HZ });
  const context = await browser.context(server);
  const page = await context.newPage();
  try {
    const [token, agent] = [await signIn("Anna"), (await server.agent("Anna")).id as string];
    const admin = await server.as("Admin");
    // The call is taken at the desk; then the page comes up and is a phone as well.
    await api(token, "PUT", `/v1/agents/${agent}/presence`, { presence: "available" });
    caller.dialOutside(SUPPORT_NUMBER);
    await desk.expect("CALL_INCOMING");
    desk.answer();
    await until("the desk at the customer", async () => (await caller.hears(DESK_HZ)) > 0.6);
    await openDesk(page, server.person("Anna"));
    await page.locator('[data-phone="on"]').waitFor();
    const { devices, calls } = await api<{ devices: { device: string }[]; calls: { leg: string }[] }>(token, "GET", `/v1/agents/${agent}/devices`);
    const leg = calls[0]?.leg ?? "";
    const phone = devices.find((d) => d.device.startsWith("phn_"))?.device;

    await api(token, "POST", `/v1/legs/${leg}/switch`, { target_device: "browser" });
    const accept = page.getByRole("button", { name: /Accept|Answer/ }).first();
    await accept.waitFor();
    expect(await caller.hears(DESK_HZ), "the desk keeps the call while the page rings").toBeGreaterThan(0.6);
    await accept.click();
    await desk.expect("CALL_CLOSED");
    await until("the page at the customer", async () => (await caller.hears(BROWSER_HZ)) > 0.6);
    await until("the customer in the page", async () => (await pageHears(page, "audio[data-remote]", FAR_HZ)) > 0.5);

    // Customer data is not for that device: the page says why, and so does the server.
    const queues = (await admin.GET("/v1/queues", { params: { query: { limit: 100 } } })).data as unknown as { items: { id: string; name: string }[] };
    const queue = queues.items.find((q) => q.name === "Support")?.id ?? "";
    const rule = async (switch_forbidden: string[]) => {
      const params = { path: { id: queue } };
      const etag = (await admin.GET("/v1/queues/{id}", { params })).response.headers.get("etag") ?? "";
      const done = await admin.PATCH("/v1/queues/{id}", { params: { ...params, header: { "If-Match": etag } }, body: { switch_forbidden } as never });
      if (done.error) throw new Error(JSON.stringify(done.error));
    };
    await rule(["desk"]);
    await page.keyboard.press("Alt+o");
    const panel = page.getByRole("region", { name: "Move this call to another device of mine" });
    await panel.getByText("Calls of this queue may not be moved to a desk phone.").waitFor();
    expect(await panel.getByRole("button", { name: /^Move to/ }).first().isDisabled()).toBe(true);
    const now = (await api<{ calls: { leg: string }[] }>(token, "GET", `/v1/agents/${agent}/devices`)).calls[0]?.leg;
    await expect(api(token, "POST", `/v1/legs/${now}/switch`, { target_device: phone })).rejects.toThrow(/403.*may not be moved to a desk phone/);
    await rule([]);
    await until("the page at the customer still", async () => (await caller.hears(BROWSER_HZ)) > 0.6);
    caller.hangUp();
    await page.getByText("Wrap-up ends in").waitFor();
    await page.keyboard.press("Alt+f");
    await page.locator('[data-state="idle"]').waitFor();
  } finally {
    await context.close();
    await Promise.all([desk.stop(), caller.stop()]);
  }
});

test("fetched into the browser, pushed back to the desk; the far phone keeps its one call", async () => {
  const [desk, far] = await Promise.all([
    Phone.ofPerson(server, server.person("Anna"), { toneHz: DESK_HZ }),
    Phone.ofPerson(server, server.person("Ben"), { toneHz: FAR_HZ, trace: true }),
  ]);
  far.dial("1001");
  await desk.expect("CALL_INCOMING");
  desk.answer();
  await far.expect("CALL_ESTABLISHED");
  await until("the desk at the far end", async () => (await far.hears(DESK_HZ)) > 0.6);

  const invites = far.requests("INVITE");
  expect(invites).toBeGreaterThan(0);

  // The browser comes up during the call and takes it.
  const context = await browser.context(server, { bypassCSP: true });
  const device = await Device.ofAgent(context, server, server.person("Anna"));
  const token = await signIn("Anna");
  const agent = (await server.agent("Anna")).id as string;
  const seen = await api<{ devices: { device: string; in_call: boolean }[] }>(token, "GET", `/v1/agents/${agent}/devices`);
  expect(seen.devices.map((d) => d.device)).toContain("browser");
  const fetched = await api<{ leg: string; interaction: string }>(token, "POST", `/v1/agents/${agent}/fetch`, { device: "browser" });
  await device.expectMedia("auto_answer", fetched.leg);
  await device.run((d, leg) => d.accept(leg), fetched.leg);
  await desk.expect("CALL_CLOSED");
  await until("the browser at the far end", async () => (await far.hears(BROWSER_HZ)) > 0.6);
  await device.hears(FAR_HZ);

  const phone = seen.devices.find((d) => d.device.startsWith("phn_"))?.device;
  await api(token, "POST", `/v1/calls/${fetched.interaction}/switch`, { target_device: phone });
  await desk.expect("CALL_INCOMING");
  desk.answer();
  await device.expectMedia("ended", fetched.leg);
  await until("the desk again at the far end", async () => (await far.hears(DESK_HZ)) > 0.6);
  expect(far.saw("CALL_CLOSED")).toBe(false);
  const kinds = await server.trail(fetched.interaction);
  expect(kinds.filter((k) => k.endsWith("switch.completed")).length).toBe(2);

  // The desk asks by its own keys, then by words: each time the device that speaks gets the call.
  const back = await api<{ leg: string }>(token, "POST", `/v1/agents/${agent}/fetch`, { device: "browser" });
  await device.run((d, leg) => d.accept(leg), back.leg);
  await desk.expect("CALL_CLOSED");
  desk.dial("*75");
  await desk.expect("CALL_ESTABLISHED");
  await device.expectMedia("ended", back.leg);
  await until("the desk at the far end, by its code", async () => (await far.hears(DESK_HZ)) > 0.6);
  await until("the far end at the desk", async () => (await desk.hears(FAR_HZ)) > 0.6);
  const spoken = (device: string | undefined, text: string) =>
    api<{ leg?: string; ask?: string }>(token, "POST", `/v1/agents/${agent}/spoken`, { device, text });
  const said = await spoken("browser", "please bring my call here");
  await device.run((d, leg) => d.accept(leg), said.leg);
  await desk.expect("CALL_CLOSED");
  await until("the browser at the far end, by words", async () => (await far.hears(BROWSER_HZ)) > 0.6);
  // Words that ask for something else move nothing.
  expect(await spoken(phone, "what a lovely day")).toMatchObject({ ask: expect.stringContaining("did not understand") });
  expect(desk.saw("CALL_INCOMING")).toBe(false);

  // The far end's phone was asked nothing in all this.
  expect(far.requests("INVITE")).toBe(invites);
  expect(far.requests("UPDATE")).toBe(0);
  far.hangUp();
  await device.expectMedia("ended", said.leg);
  await context.close();
  await Promise.all([desk.stop(), far.stop()]);
});
