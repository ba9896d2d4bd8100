// Networks that let no UDP out: the server's TCP candidates, and a TURN server (coturn).

import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { BrowserContext } from "playwright-core";
import { Phone, Program, Server, TestBrowser, freePort, until } from "../src/index.js";
import { Device } from "./device.js";

const SECRET = "a-secret-of-both";
const ANNA_HZ = 700;
let server: Server;
let browser: TestBrowser;
let turn: Program;
let folder: string;
let desk: Phone;
let opened: BrowserContext[] = [];

beforeAll(async () => {
  const port = await freePort();
  folder = mkdtempSync("/tmp/turn-");
  turn = new Program(
    "turnserver",
    "turnserver",
    [
      ["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", String(port)],
      ["--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "demo.example"],
      ["--allow-loopback-peers", "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout"],
      ["--pidfile", `${folder}/pid`, "--userdb", `${folder}/db`],
    ].flat(),
    { cwd: folder },
  );
  [server, browser] = await Promise.all([
    Server.start({
      env: { CROSSPOINT_WEBRTC_TURN: `turn:127.0.0.1:${port}?transport=tcp`, CROSSPOINT_WEBRTC_TURN_SECRET: SECRET },
    }),
    TestBrowser.start({ microphoneHz: ANNA_HZ }),
  ]);
  desk = await Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: 1000 });
});
afterEach(async () => {
  for (const context of opened) await context.close();
  opened = [];
});
afterAll(async () => {
  await desk?.stop();
  await browser?.stop();
  await server?.stop();
  await turn?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function device(): Promise<Device> {
  const context = await browser.context(server, { bypassCSP: true });
  opened.push(context);
  return Device.ofAgent(context, server, server.person("Anna"));
}
async function talks(anna: Device): Promise<string> {
  const { leg } = await anna.run((d) => d.call("1002"));
  await anna.hears(1000);
  await until("the browser at the phone", async () => (await desk.hears(ANNA_HZ)) > 0.6);
  return leg;
}

test("without UDP the call goes over the server's TCP port", async () => {
  const anna = await device();
  // What a firewall does: the UDP candidates lead nowhere.
  await anna.run((d) => void (d.filter = (sdp: string) => sdp.replace(/a=candidate:.* udp .*\r\n/gi, "")));
  const leg = await talks(anna);
  expect(await anna.selectedProtocol(leg)).toBe("tcp");
  await anna.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
  await desk.expect("CALL_CLOSED");
});

test("a browser that may only relay goes through the TURN server with the credential it was given", async () => {
  const anna = await device();
  const servers = await anna.run((d) => d.servers);
  expect(servers[0].username).toMatch(/^\d+:dev_/);
  await anna.run((d) => void (d.policy = "relay"));
  const leg = await talks(anna);
  expect(await anna.selectedProtocol(leg)).toBe("relay-tcp");
  await anna.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
  await desk.expect("CALL_CLOSED");
});

test("the network changes in the middle of a call: the same leg goes on by another way", async () => {
  const anna = await device();
  const leg = await talks(anna);
  expect(await anna.selectedProtocol(leg)).toBe("udp");
  // The direct way is gone; what is left leads over the relay, with another address.
  await anna.run((d, leg) => {
    const pc = d.pcs.get(leg);
    pc.setConfiguration({ iceServers: d.servers, iceTransportPolicy: "relay" });
    return d.offer(leg, { iceRestart: true });
  }, leg);
  await until("the relay to carry it", async () => (await anna.selectedProtocol(leg)) === "relay-tcp");
  await anna.hears(1000);
  await until("the browser at the phone", async () => (await desk.hears(ANNA_HZ)) > 0.6);
  expect((await anna.run((d) => d.seen)).some((m: { media?: string }) => m.media === "ended")).toBe(false);
  await anna.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
  await desk.expect("CALL_CLOSED");
});

test("STUN of strangers and a spray of DTLS hellos disturb no call", async () => {
  const anna = await device();
  const leg = await talks(anna);
  const { port, ufrag } = await anna.run((d, leg) => {
    const sdp = d.pcs.get(leg).remoteDescription.sdp as string;
    return { port: Number(/a=candidate:\S+ 1 udp \d+ \S+ (\d+)/i.exec(sdp)?.[1]), ufrag: /a=ice-ufrag:(\S+)/.exec(sdp)?.[1] };
  }, leg);
  const name = Buffer.from(`${ufrag}:guess`);
  const padded = Buffer.concat([name, Buffer.alloc((4 - (name.length % 4)) % 4)]);
  const attribute = Buffer.concat([Buffer.from([0, 6, 0, name.length]), padded]);
  // A binding request that names the peer, without MESSAGE-INTEGRITY and with a wrong one.
  const request = (more: Buffer) => {
    const body = Buffer.concat([attribute, more]);
    return Buffer.concat([Buffer.from([0, 1, body.length >> 8, body.length & 255, 0x21, 0x12, 0xa4, 0x42]), Buffer.alloc(12, 7), body]);
  };
  const forged = Buffer.concat([Buffer.from([0, 8, 0, 20]), Buffer.alloc(20, 1)]);
  const hello = Buffer.concat([Buffer.from([22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 1, 0, 0, 48]), Buffer.alloc(56, 3)]);
  let answers = 0;
  const before = await anna.packets(leg);
  const sockets = await Promise.all(
    Array.from({ length: 50 }, () => new Promise<ReturnType<typeof createSocket>>((open) => {
      const socket = createSocket("udp4");
      socket.on("message", () => void answers++);
      socket.bind(0, "127.0.0.1", () => open(socket));
    })),
  );
  for (let round = 0; round < 100; round++) {
    for (const socket of sockets) for (const bytes of [hello, request(Buffer.alloc(0)), request(forged)]) socket.send(bytes, port, "127.0.0.1");
    await new Promise((go) => setImmediate(go));
  }
  await anna.hears(1000);
  await until("the browser at the phone", async () => (await desk.hears(ANNA_HZ)) > 0.6);
  expect(answers).toBe(0);
  const after = await anna.packets(leg);
  expect(after.lost - before.lost).toBeLessThan(10);
  expect(after.received).toBeGreaterThan(before.received + 20);
  for (const socket of sockets) socket.close();
  await anna.run((d, leg) => d.ask({ media: "hangup", leg }), leg);
  await desk.expect("CALL_CLOSED");
});
