// Calls by the messages of docs/webrtc.md, measured with tones both ways.

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { BrowserContext } from "playwright-core";
import { Phone, Server, TestBrowser, until } from "../src/index.js";
import { Device } from "./device.js";

const ANNA_HZ = 700;
const BEN_HZ = 450;
let server: Server;
let anna: TestBrowser;
let ben: TestBrowser;
let opened: (BrowserContext | Phone)[] = [];

beforeAll(async () => {
  [server, anna, ben] = await Promise.all([
    Server.start(),
    TestBrowser.start({ microphoneHz: ANNA_HZ }),
    TestBrowser.start({ microphoneHz: BEN_HZ }),
  ]);
});
afterEach(async () => {
  for (const thing of opened) await (thing instanceof Phone ? thing.stop() : thing.close());
  opened = [];
});
afterAll(async () => {
  await Promise.all([anna?.stop(), ben?.stop()]);
  await server?.stop();
});

async function agent(browser: TestBrowser, name: string): Promise<Device> {
  const context = await browser.context(server, { bypassCSP: true });
  opened.push(context);
  return Device.ofAgent(context, server, server.person(name));
}
async function phone(made: Promise<Phone>): Promise<Phone> {
  const p = await made;
  opened.push(p);
  return p;
}

test("an agent dials a desk phone from the browser, and both hear one another", async () => {
  const desk = await phone(Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: 1000 }));
  const device = await agent(anna, "Anna");
  const calling = await device.run((d) => d.call("1002"));
  expect(calling.media).toBe("calling");
  await device.expectMedia("ringing");
  await device.expectMedia("answered", calling.leg);
  await device.hears(1000);
  await until("the browser's tone at the phone", async () => (await desk.hears(ANNA_HZ)) > 0.6);
  await device.run((d, leg) => d.ask({ media: "hangup", leg }), calling.leg);
  await desk.expect("CALL_CLOSED");
  await device.expectMedia("ended", calling.leg);
});
