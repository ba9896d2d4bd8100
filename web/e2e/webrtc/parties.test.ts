// Browsers among several: who hears whom, told by tones. A customer outside, an agent and a supervisor in
// browsers, a colleague at a desk phone.

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { BrowserContext } from "playwright-core";
import { SUPPORT_NUMBER, Phone, Server, TestBrowser, toneShare, until } from "../src/index.js";
import { Device } from "./device.js";

const CALLER_HZ = 1000;
const ANNA_HZ = 700;
const SOFIA_HZ = 450;
const BEN_HZ = 1500;
let server: Server;
let browsers: Record<string, TestBrowser>;
let opened: (BrowserContext | Phone)[] = [];

beforeAll(async () => {
  const [made, anna, sofia] = await Promise.all([
    Server.start(),
    TestBrowser.start({ microphoneHz: ANNA_HZ }),
    TestBrowser.start({ microphoneHz: SOFIA_HZ }),
  ]);
  server = made;
  browsers = { Anna: anna, Ben: anna, Sofia: sofia };
});
afterEach(async () => {
  for (const thing of opened) await (thing instanceof Phone ? thing.stop() : thing.close());
  opened = [];
  const [anna, api] = [await server.agent("Anna"), await server.as("Sofia")];
  // Refused where there was no customer.
  await api.POST("/v1/agents/{id}/wrap-up/finish", { params: { path: { id: anna.id } }, body: {} }).catch(() => {});
});
afterAll(async () => {
  await Promise.all([...new Set(Object.values(browsers ?? {}))].map((b) => b.stop()));
  await server?.stop();
});

async function agent(name: string): Promise<Device> {
  const browser = browsers[name];
  if (!browser) throw new Error(`no browser of ${name}`);
  const context = await browser.context(server, { bypassCSP: true });
  opened.push(context);
  return Device.ofAgent(context, server, server.person(name));
}
async function phone(made: Promise<Phone>): Promise<Phone> {
  const p = await made;
  opened.push(p);
  return p;
}
const desk = (codecs = "PCMU") => phone(Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: BEN_HZ, codecs }));

interface Call {
  caller: Phone;
  anna: Device;
  leg: string;
  interaction: string;
}

/** A customer in the queue, answered in Anna's browser; they hear one another. */
async function talking(): Promise<Call> {
  const anna = await agent("Anna");
  const caller = await phone(Phone.outside(server, "+15557003", { toneHz: CALLER_HZ }));
  caller.dialOutside(SUPPORT_NUMBER);
  const ring = (await anna.expectMedia("ring")).leg as { leg: string; interaction: string };
  await anna.run((d, leg) => d.accept(leg), ring.leg);
  await anna.hears(CALLER_HZ);
  await hearsAt(caller, ANNA_HZ);
  return { caller, anna, ...ring };
}

const hearsAt = (p: Phone, hz: number, least = 0.1) => until(`${hz} Hz at the phone`, async () => (await p.hears(hz)) > least);
const missesAt = (p: Phone, hz: number) => until(`no ${hz} Hz at the phone`, async () => (await p.hears(hz)) < 0.02);
const misses = (d: Device, hz: number, selector?: string) =>
  until(`no ${hz} Hz in the page`, async () => (await d.share(hz, selector)) < 0.05);

async function post(path: string, id: string, body: object = {}): Promise<Record<string, unknown>> {
  const api = (await server.as("Sofia")) as unknown as {
    POST: (path: string, o: object) => Promise<{ data?: Record<string, unknown>; error?: unknown }>;
  };
  const done = await api.POST(path, { params: { path: { id } }, body });
  if (done.error) throw new Error(`${path}: ${JSON.stringify(done.error)}`);
  return done.data ?? {};
}

/** Ben's desk phone is rung by Anna, and answers. */
async function consult(call: Call, codecs?: string): Promise<Phone> {
  const ben = await desk(codecs);
  await post("/v1/legs/{id}/consult", call.leg, { target: { kind: "extension", extension: "1002" } });
  await ben.expect("CALL_ESTABLISHED");
  await call.anna.hears(BEN_HZ);
  await hearsAt(ben, ANNA_HZ);
  await missesAt(call.caller, ANNA_HZ);
  return ben;
}

test("a supervisor in the browser is heard by nobody, by the agent, by all", async () => {
  const call = await talking();
  const sofia = await agent("Sofia");
  await post("/v1/interactions/{id}/supervise", call.interaction, { mode: "listen" });
  const leg = await sofia.ring();
  await sofia.run((d, leg) => d.accept(leg), leg);
  await sofia.hears(CALLER_HZ, 0.1);
  await sofia.hears(ANNA_HZ, 0.1);
  await misses(call.anna, SOFIA_HZ);
  await missesAt(call.caller, SOFIA_HZ);

  await post("/v1/legs/{id}/supervise-mode", leg, { mode: "whisper" });
  await call.anna.hears(SOFIA_HZ, 0.1);
  await call.anna.hears(CALLER_HZ, 0.1);
  await missesAt(call.caller, SOFIA_HZ);

  await post("/v1/legs/{id}/supervise-mode", leg, { mode: "barge" });
  await hearsAt(call.caller, SOFIA_HZ);
  await hearsAt(call.caller, ANNA_HZ);
  await call.anna.hears(SOFIA_HZ, 0.1);
  await sofia.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
  await missesAt(call.caller, SOFIA_HZ);
  call.caller.hangUp();
  await call.anna.expectMedia("ended", call.leg);
});

test("three talk; then each voice has a line of its own in the browser, until one goes", async () => {
  const call = await talking();
  const ben = await consult(call);
  await post("/v1/legs/{id}/merge", call.leg);
  await call.anna.hears(CALLER_HZ, 0.1);
  await call.anna.hears(BEN_HZ, 0.1);
  await hearsAt(call.caller, ANNA_HZ);
  await hearsAt(call.caller, BEN_HZ);
  await hearsAt(ben, CALLER_HZ);
  await hearsAt(ben, ANNA_HZ);

  const asked = await call.anna.run((d, leg) => d.ask({ media: "seats", leg, tracks: true }), call.leg);
  expect(asked).toMatchObject({ media: "ok" });
  const told = (await call.anna.expect("who is heard", (m) => m.media === "tracks")).tracks as { party: string; role: string }[];
  expect(told).toHaveLength(2);
  const party = (role: string) => told.find((t) => (t.role === "customer") === (role === "customer"))?.party ?? "";
  const [customer, colleague] = [
    await call.anna.lineOf(call.leg, party("customer")),
    await call.anna.lineOf(call.leg, party("colleague")),
  ];
  const alone = async (selector: string, hz: number) =>
    until(`${hz} Hz alone`, async () => (await call.anna.share(hz, selector)) > 0.8);
  await alone(customer, CALLER_HZ);
  await alone(colleague, BEN_HZ);
  await misses(call.anna, CALLER_HZ);
  await call.anna.expect("who speaks", (m) => m.media === "speaking" && (m.parties as string[]).length === 2);

  // What is beside the room, or of somebody else, is refused.
  const refused = async (seats: object) => (await call.anna.run((d, m) => d.ask(m), { media: "seats", leg: call.leg, ...seats })).code;
  expect(await refused({ seats: [{ leg: call.leg, x: 3, y: 0 }] })).toBe("bad_request");
  expect(await refused({ select: call.leg, near_ms: 0 })).toBe("bad_request");
  expect(await refused({ seats: Array.from({ length: 65 }, () => ({ leg: call.leg, x: 0, y: 0 })) })).toBe("bad_request");
  expect(await refused({ seats: "left" })).toBe("bad_message");
  expect(await refused({ leg: party("customer"), tracks: true })).toBe("no_such_leg");

  ben.hangUp();
  await call.anna.hears(CALLER_HZ);
  await hearsAt(call.caller, ANNA_HZ, 0.6);
  call.caller.hangUp();
  await call.anna.expectMedia("ended", call.leg);
});

test("a desk phone that plays stereo hears the customer from the left", async () => {
  const call = await talking();
  const ben = await consult(call, "opus/48000/2");
  await post("/v1/legs/{id}/merge", call.leg);
  const side = (hz: number) => {
    const [left, right] = ben.ears(hz) ?? [0, 0];
    return left - right;
  };
  await until("the customer at the left", () => side(CALLER_HZ) > 3);
  await until("Anna nearer the middle", () => side(ANNA_HZ) < side(CALLER_HZ) - 2 && (ben.ears(ANNA_HZ)?.[0] ?? -120) > -50);
  // Moved by hand, over the API: the customer to the right.
  const api = (await server.as("Sofia")) as unknown as {
    GET: (path: string, o: object) => Promise<{ data: { legs: { id: string; role: string; agent: string | null }[] } }>;
  };
  const { data } = await api.GET("/v1/interactions/{id}", { params: { path: { id: call.interaction } } });
  const customer = data.legs.find((l) => l.role === "customer")?.id;
  const atBen = data.legs.filter((l) => l.role !== "customer" && l.id !== call.leg).at(-1)?.id ?? "";
  await post("/v1/legs/{id}/seats", atBen, { seats: [{ leg: customer, x: 0.9, y: 0.2 }] });
  await until("the customer at the right", () => side(CALLER_HZ) < -3);
  call.caller.hangUp();
  ben.hangUp();
});

test("the customer is parked and picked up again, handed to a desk phone, and both sides are in the recording", async () => {
  const call = await talking();
  const { slot } = await post("/v1/legs/{id}/park", call.leg);
  expect(slot).toBeTruthy();
  await call.anna.expectMedia("ended", call.leg);
  await missesAt(call.caller, ANNA_HZ);
  const again = await call.anna.run((d, slot) => d.call(slot), slot as string);
  await call.anna.hears(CALLER_HZ);
  await hearsAt(call.caller, ANNA_HZ);

  const ben = await consult({ ...call, leg: again.leg });
  await post("/v1/legs/{id}/complete", again.leg);
  await call.anna.expectMedia("ended", again.leg);
  await hearsAt(ben, CALLER_HZ, 0.6);
  await hearsAt(call.caller, BEN_HZ, 0.6);
  call.caller.hangUp();
  await ben.expect("CALL_CLOSED");

  const { samples, rate } = await recorded(call.interaction);
  const best = (channel: number, hz: number) => Math.max(...pieces(samples[channel] ?? new Float32Array(), rate).map((p) => toneShare(p, rate, hz)));
  expect(best(0, CALLER_HZ), "the customer at the left").toBeGreaterThan(0.8);
  expect(best(1, ANNA_HZ), "the agent at the right").toBeGreaterThan(0.8);
  expect(best(0, ANNA_HZ), "nobody on the other's side").toBeLessThan(0.05);
});

/** Quarters of a second. */
function pieces(samples: Float32Array, rate: number): Float32Array[] {
  const length = Math.round(rate / 4);
  return Array.from({ length: Math.floor(samples.length / length) }, (_, i) => samples.subarray(i * length, (i + 1) * length));
}

/** The longest recording of an interaction, by channel. */
async function recorded(interaction: string): Promise<{ samples: Float32Array[]; rate: number }> {
  const { email, password } = server.person("Sofia");
  const headers = { "content-type": "application/json" };
  const session = await fetch(`${server.url}/v1/sessions`, {
    method: "POST",
    headers,
    body: JSON.stringify({ login: email, password, kind: "token" }),
  });
  const { token } = (await session.json()) as { token: string };
  const get = (path: string) => fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const found = await until("the recording to be finished", async () => {
    const list = (await (await get(`/v1/recordings?interaction=${interaction}`)).json()) as { items: { id: string; duration_ms: number | null }[] };
    const ended = list.items.filter((r) => r.duration_ms !== null);
    return ended.length === list.items.length ? ended.sort((a, b) => (b.duration_ms ?? 0) - (a.duration_ms ?? 0))[0] : undefined;
  });
  const file = Buffer.from(await (await get(`/v1/recordings/${found.id}/audio`)).arrayBuffer());
  expect(file.readUInt16LE(22)).toBe(2);
  const rate = file.readUInt32LE(24);
  const at = file.indexOf("data") + 8;
  const frames = Math.floor((file.length - at) / 4);
  const samples = [0, 1].map((channel) => Float32Array.from({ length: frames }, (_, i) => file.readInt16LE(at + i * 4 + channel * 2) / 32_768));
  return { samples, rate };
}

test("three browsers see one another: who speaks is seen, and sees who spoke before", async () => {
  const [anna, ben, sofia] = [await agent("Anna"), await agent("Ben"), await agent("Sofia")];
  const calling = await anna.run((d) => d.call("1002", true));
  const atBen = await ben.ring();
  await ben.run((d, leg) => d.accept(leg, true), atBen);
  await until("frames of Anna at Ben", async () => (await ben.frames(atBen)) > 10);
  await post("/v1/interactions/{id}/parties", calling.interaction, { target: { kind: "extension", extension: "1003" } });
  const atSofia = await sofia.ring();
  await sofia.run((d, leg) => d.accept(leg, true), atSofia);
  await until("frames at Sofia", async () => (await sofia.frames(atSofia)) > 20);
  const before = [await anna.frames(calling.leg), await ben.frames(atBen)] as const;
  await until("more frames at Anna", async () => (await anna.frames(calling.leg)) > before[0] + 20);
  await until("more frames at Ben", async () => (await ben.frames(atBen)) > before[1] + 20);
  // Sofia alone speaks: everybody sees her, and goes on seeing.
  await post("/v1/legs/{id}/mute", calling.leg, { muted: true });
  await post("/v1/legs/{id}/mute", atBen, { muted: true });
  await misses(anna, ANNA_HZ);
  const later = [await anna.frames(calling.leg), await ben.frames(atBen), await sofia.frames(atSofia)] as const;
  await until("Sofia at Anna", async () => (await anna.frames(calling.leg)) > later[0] + 20);
  await until("Sofia at Ben", async () => (await ben.frames(atBen)) > later[1] + 20);
  await until("another at Sofia", async () => (await sofia.frames(atSofia)) > later[2] + 20);
  for (const [device, leg] of [[ben, atBen], [sofia, atSofia], [anna, calling.leg]] as const) await device.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
});

test("a browser that speaks PCMU alone talks to a desk phone", async () => {
  const anna = await agent("Anna");
  const ben = await desk();
  const { leg } = await anna.run(async (d) => {
    const pc = await d.peer(false, (pc: RTCPeerConnection) => {
      const fits = (c: { mimeType: string }) => /pcmu|telephone-event/i.test(c.mimeType);
      const codecs = RTCRtpReceiver.getCapabilities("audio")?.codecs.filter(fits) ?? [];
      pc.getTransceivers()[0]?.setCodecPreferences(codecs);
    });
    const calling = await d.ask({ media: "call", to: "1002", sdp: pc.localDescription.sdp });
    d.pcs.set(calling.leg, pc);
    return calling;
  });
  await anna.hears(BEN_HZ);
  await hearsAt(ben, ANNA_HZ, 0.6);
  const stats = (await anna.run((d, leg) => d.stats(leg), leg)) as { type: string; mimeType?: string }[];
  expect(stats.filter((s) => s.type === "codec").map((s) => s.mimeType)).toEqual(expect.arrayContaining(["audio/PCMU"]));
  expect(stats.some((s) => s.mimeType === "audio/opus")).toBe(false);
  await anna.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
  await ben.expect("CALL_CLOSED");
});
