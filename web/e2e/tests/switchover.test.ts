// A call moves between a person's desk phone and browser; the other end hears no more than another tone.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Phone, Server, TestBrowser, until } from "../src/index.js";
import { Device } from "../webrtc/device.js";

const BROWSER_HZ = 700;
const DESK_HZ = 1000;
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

test("fetched into the browser, pushed back to the desk; the far phone keeps its one call", async () => {
  const [desk, far] = await Promise.all([
    Phone.ofPerson(server, server.person("Anna"), { toneHz: DESK_HZ }),
    Phone.ofPerson(server, server.person("Ben"), { toneHz: 1400 }),
  ]);
  far.dial("1001");
  await desk.expect("CALL_INCOMING");
  desk.answer();
  await far.expect("CALL_ESTABLISHED");
  await until("the desk at the far end", async () => (await far.hears(DESK_HZ)) > 0.6);

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
  await device.hears(1400);

  const phone = seen.devices.find((d) => d.device.startsWith("phn_"))?.device;
  await api(token, "POST", `/v1/calls/${fetched.interaction}/switch`, { target_device: phone });
  await desk.expect("CALL_INCOMING");
  desk.answer();
  await device.expectMedia("ended", fetched.leg);
  await until("the desk again at the far end", async () => (await far.hears(DESK_HZ)) > 0.6);
  expect(far.saw("CALL_CLOSED")).toBe(false);
  const kinds = await server.trail(fetched.interaction);
  expect(kinds.filter((k) => k.endsWith("switch.completed")).length).toBe(2);
  far.hangUp();
  await desk.expect("CALL_CLOSED");
  await context.close();
  await Promise.all([desk.stop(), far.stop()]);
});
