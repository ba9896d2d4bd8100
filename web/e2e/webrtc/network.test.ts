// Networks that let no UDP out: the server's TCP candidates, and a TURN server (coturn).

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
