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

test("a desk phone calls the agent, who answers in the browser, holds, mutes and presses keys", async () => {
  const device = await agent(anna, "Anna");
  const desk = await phone(Phone.ofPerson(server, server.person("Ben"), { toneHz: 1000 }));
  desk.dial("1001");
  const leg = await device.ring();
  expect((await device.run((d, leg) => d.accept(leg), leg)).media).toBe("ok");
  await desk.expect("CALL_ESTABLISHED");
  await device.hears(1000);
  const heard = () => desk.hears(ANNA_HZ);
  await until("the browser at the phone", async () => (await heard()) > 0.6);

  await device.run((d, leg) => d.ask({ media: "mute", leg, on: true }), leg);
  await until("silence at the phone", async () => (await heard()) < 0.2);
  await device.run((d, leg) => d.ask({ media: "mute", leg, on: false }), leg);
  await until("the browser again", async () => (await heard()) > 0.6);

  await device.run((d, leg) => d.ask({ media: "hold", leg, on: true }), leg);
  await until("music instead of the browser at the phone", async () => (await heard()) < 0.3);
  await device.run((d, leg) => d.ask({ media: "hold", leg, on: false }), leg);
  await until("the browser after the hold", async () => (await heard()) > 0.6);

  // Hold by direction, as softphones do it.
  await device.run(async (d, leg) => {
    d.pcs.get(leg).getTransceivers()[0].direction = "sendonly";
    return d.offer(leg);
  }, leg);
  await until("nothing of the phone in the browser", async () => (await device.share(1000)) < 0.2);
  await device.run(async (d, leg) => {
    d.pcs.get(leg).getTransceivers()[0].direction = "sendrecv";
    return d.offer(leg);
  }, leg);
  await device.hears(1000);

  const interaction = ((await device.expectMedia("ring", leg)).leg as { interaction: string }).interaction;
  await device.run((d, leg) => d.pcs.get(leg).getSenders()[0].dtmf.insertDTMF("15#", 100, 60), leg);
  await until("three digits in the trail", async () => (await server.trail(interaction)).filter((t) => t === "leg.digit").length >= 3);
  expect((await device.run((d, leg) => d.ask({ media: "digits", leg, digits: "9x" }), leg)).code).toBe("bad_request");
  await device.run((d, leg) => d.ask({ media: "digits", leg, digits: "9" }), leg);
  await until("a fourth", async () => (await server.trail(interaction)).filter((t) => t === "leg.digit").length >= 4);
  desk.hangUp();
  await device.expectMedia("ended", leg);
});

test("an outside caller in the queue is answered in the browser", async () => {
  const device = await agent(anna, "Anna");
  const caller = await phone(Phone.outside(server, "+15557001", { toneHz: 1000 }));
  caller.dialOutside("+15550100");
  const ring = await device.expectMedia("ring");
  const { leg, offer } = ring.leg as { leg: string; offer: string };
  expect(offer).toMatch(/^off_/);
  await device.run((d, leg) => d.accept(leg), leg);
  await device.expectMedia("answered", leg);
  await device.hears(1000);
  await until("the browser at the caller", async () => (await caller.hears(ANNA_HZ)) > 0.6);
  caller.hangUp();
  await device.expectMedia("ended", leg);
});

/** DTLS 1.3 (RFC 9147) as `getStats` writes it. */
const DTLS_13 = "FEFC";

test.each(["video/VP8", "video/H264"])("two browsers talk and see one another in %s", async (picture) => {
  const [a, b] = [await agent(anna, "Anna"), await agent(ben, "Ben")];
  for (const device of [a, b]) await device.run((d, picture) => void (d.picture = picture), picture);
  const calling = await a.run((d) => d.call("1002", true));
  const leg = await b.ring();
  await b.run((d, leg) => d.accept(leg, true), leg);
  await a.hears(BEN_HZ);
  await b.hears(ANNA_HZ);
  expect((await a.expectMedia("answer", calling.leg)).video).toBe(true);
  await until("frames of Ben at Anna", async () => (await a.frames(calling.leg)) > 20);
  await until("frames of Anna at Ben", async () => (await b.frames(leg)) > 20);
  expect(await a.wire(calling.leg)).toEqual({ picture, tls: DTLS_13 });
  expect(await b.wire(leg)).toEqual({ picture, tls: DTLS_13 });
  await b.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
  await a.expectMedia("ended", calling.leg);
});

test("a reloaded tab takes its call up again, and the other side hears only a gap", async () => {
  const device = await agent(anna, "Anna");
  const desk = await phone(Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: 1000 }));
  const { leg, interaction } = await device.run((d) => d.call("1002"));
  await device.hears(1000);
  await device.page.reload();
  const attached = await device.attach();
  const legs = attached.legs as { leg: string; state: string }[];
  expect(legs).toMatchObject([{ leg, state: "connected" }]);
  expect((await device.run((d, leg) => d.again(leg), leg)).media).toBe("ok");
  await device.hears(1000);
  await until("the browser at the phone again", async () => (await desk.hears(ANNA_HZ)) > 0.6);
  expect(await server.trail(interaction)).not.toContain("leg.ended");
  await device.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
  await desk.expect("CALL_CLOSED");
});

test("a tab that does not come back loses the call after ten seconds", async () => {
  const device = await agent(anna, "Anna");
  const desk = await phone(Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true }));
  await device.run((d) => d.call("1002"));
  await device.expectMedia("answered");
  await desk.expect("CALL_ESTABLISHED");
  await device.page.close();
  await until("the phone to be let go", () => desk.saw("CALL_CLOSED"), 30_000);
});

test("ICE restarts when the network changes, and the call goes on", async () => {
  const device = await agent(anna, "Anna");
  await phone(Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: 1000 }));
  const { leg } = await device.run((d) => d.call("1002"));
  await device.hears(1000);
  const ufrag = (sdp: string) => /a=ice-ufrag:(\S+)/.exec(sdp)?.[1];
  const before = await device.run((d, leg) => d.pcs.get(leg).remoteDescription.sdp, leg);
  expect((await device.run((d, leg) => d.offer(leg, { iceRestart: true }), leg)).media).toBe("ok");
  await until("new credentials", async () => {
    const now = await device.run((d, leg) => d.pcs.get(leg).remoteDescription.sdp, leg);
    return ufrag(now) !== ufrag(before);
  });
  await device.hears(1000);
  await until("connected", async () => (await device.run((d, leg) => d.pcs.get(leg).iceConnectionState, leg)) === "connected");
  await device.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
});

test("the server offers when it is asked to", async () => {
  const device = await agent(anna, "Anna");
  await phone(Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: 1000 }));
  const { leg } = await device.run((d) => d.call("1002"));
  await device.hears(1000);
  await device.run((d, leg) => d.ask({ media: "request_offer", leg }), leg);
  const offer = await device.expectMedia("offer", leg);
  const answered = await device.run(
    async (d, { leg, sdp }) => {
      const pc = d.pcs.get(leg);
      await pc.setRemoteDescription({ type: "offer", sdp });
      await pc.setLocalDescription();
      return d.ask({ media: "answer", leg, sdp: pc.localDescription.sdp });
    },
    { leg, sdp: offer.sdp },
  );
  expect(answered.media).toBe("ok");
  await device.hears(1000);
});

test("the newest tab of an agent is the device; the call of the other goes on until it is taken", async () => {
  const first = await agent(anna, "Anna");
  await phone(Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: 1000 }));
  const { leg } = await first.run((d) => d.call("1002"));
  await first.hears(1000);
  const second = await agent(anna, "Anna");
  await first.expectMedia("replaced");
  await first.forget();
  await first.hears(1000);
  expect((await first.run((d) => d.call("1002"))).code).toBe("not_attached");
  await second.run((d, leg) => d.again(leg), leg);
  await second.hears(1000);
  expect(await first.expectMedia("ended", leg)).toMatchObject({ reason: "moved_tab" });
});

test("a tab that sleeps is not rung; it is told when it wakes", async () => {
  const device = await agent(anna, "Anna");
  await device.run((d) => void (d.asleep = true));
  const closed = await until("the socket to be closed", async () => (await device.run((d) => d.seen)).find((m: any) => m.closed), 40_000); // eslint-disable-line @typescript-eslint/no-explicit-any -- the page's side is untyped
  expect(closed.closed).toBe(4408);
  const caller = await phone(Phone.outside(server));
  caller.dialOutside("+15550100");
  // The time to come back is over once another socket has been closed for as long.
  const api = await server.as("Sofia");
  const unreachable = async () => {
    const live = (await api.GET("/v1/live", {})).data as unknown as { agents: { id: string; phone_reachable: boolean }[] };
    const id = (await server.agent("Anna")).id;
    return live.agents.find((a) => a.id === id)?.phone_reachable === false;
  };
  await until("Anna to be unreachable", unreachable);
  expect((await device.attach()).lost).toBe(true);
  expect((await device.run((d) => d.seen)).some((m: { media?: string }) => m.media === "ring")).toBe(false);
});

test("what makes no sense is refused with a code, and the call goes on", async () => {
  const device = await agent(anna, "Anna");
  await phone(Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: 1000 }));
  const refused = async (message: object) => (await device.run((d, m) => d.ask(m), message)).code;
  expect(await refused({ media: "dance" })).toBe("bad_message");
  expect(await refused({ media: "call", to: "1002" })).toBe("bad_message");
  expect(await refused({ media: "attach", legs: "all" })).toBe("bad_message");
  expect(await refused({ media: "attach", legs: Array(33).fill("leg_00000000000000000000000001") })).toBe("bad_message");
  expect(await refused({ media: "call", to: "nobody-here", sdp: "v=0" })).toBe("no_such_leg");
  expect(await refused({ media: "call", to: "1002", sdp: "x".repeat(40_000) })).toBe("sdp_too_large");
  expect(await refused({ media: "hangup", leg: "leg_00000000000000000000000001" })).toBe("no_such_leg");
  const bad = await device.run((d) => d.ask({ media: "call", to: "1002", sdp: "m=audio nonsense" }));
  expect(bad.media).toBe("calling");
  expect(await device.expectMedia("error", bad.leg)).toMatchObject({ code: "sdp_malformed" });
  expect(await device.expectMedia("ended", bad.leg)).toMatchObject({ reason: "incompatible" });

  const { leg } = await device.run((d) => d.call("1002"));
  await device.hears(1000);
  await device.forget();
  await device.run((d, leg) => d.ask({ media: "offer", leg, sdp: "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" }), leg);
  expect((await device.expectMedia("error", leg)).code).toMatch(/^sdp_/);
  await device.forget();
  await device.run((d, leg) => d.ws.send(JSON.stringify({ media: "candidate", leg, candidate: "candidate:nonsense" })), leg);
  expect((await device.expectMedia("error", leg)).code).toBe("candidate_malformed");
  await device.hears(1000);
});
