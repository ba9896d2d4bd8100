// A real change of network, and real firewalls: the browser sits in a network of its own with two cables to the server.

import { mkdtempSync, rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { BrowserContext, Page } from "playwright-core";
import { CHROMIUM, Phone, Program, Server, TestBrowser, TwoPaths, freePort, pageHears, signIn, unable, until, widgetHears } from "../src/index.js";

const ANNA_HZ = 700;
const DESK_HZ = 1000;
const SECRET = "a-secret-of-both";
/** How long a call may be silent while it finds its other way: what the browser takes to see that nothing comes, and the new start. */
const GAP_MS_MAX = 25_000;
const why = unable();
if (why) console.log(`paths.test.ts is skipped: ${why}`);

describe.skipIf(why)("a browser behind two cables", () => {
  let paths: TwoPaths;
  let server: Server;
  let browser: TestBrowser;
  let turn: Program;
  let folder: string;
  let desk: Phone;
  let context: BrowserContext;
  let page: Page;
  let media: number;
  let relay: number;
  const lift: (() => void)[] = [];

  beforeAll(async () => {
    paths = new TwoPaths(CHROMIUM);
    folder = mkdtempSync("/tmp/turn-");
    relay = await freePort(paths.server);
    media = await freePort(paths.server);
    turn = new Program(
      "turnserver",
      "turnserver",
      [
        ["--listening-ip", paths.server, "--relay-ip", paths.server, "--listening-port", String(relay)],
        ["--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "demo.example"],
        ["--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--pidfile", `${folder}/pid`, "--userdb", `${folder}/db`],
      ].flat(),
      { cwd: folder },
    );
    server = await Server.start({
      host: paths.server,
      env: {
        CROSSPOINT_MEDIA_ADDRESS: paths.server,
        CROSSPOINT_MEDIA_WORKERS: "1",
        CROSSPOINT_WEBRTC_PORT: String(media),
        CROSSPOINT_WEBRTC_TURN: `turn:${paths.server}:${relay}?transport=tcp`,
        CROSSPOINT_WEBRTC_TURN_SECRET: SECRET,
      },
    });
    // The microphone is for secure pages; this one is reached without TLS.
    browser = await TestBrowser.start({ microphoneHz: ANNA_HZ, program: paths.chromium, args: [`--unsafely-treat-insecure-origin-as-secure=${server.url}`] });
    desk = await Phone.ofPerson(server, server.person("Ben"), { autoAnswer: true, toneHz: DESK_HZ });
    context = await browser.context(server);
    await context.addInitScript(() => {
      const w = window as unknown as { pcs: RTCPeerConnection[] };
      w.pcs = [];
      const Real = RTCPeerConnection;
      window.RTCPeerConnection = class extends Real {
        constructor(...args: ConstructorParameters<typeof Real>) {
          super(...args);
          w.pcs.push(this);
        }
      };
    });
    page = await context.newPage();
    await signIn(page, server.person("Anna"));
    await page.locator('[data-phone="on"]').waitFor();
  });
  afterEach(async () => {
    for (const away of lift.splice(0)) away();
    if (await page.locator("[data-call]").count()) await hangUp();
  });
  afterAll(async () => {
    await desk?.stop();
    await browser?.stop();
    await server?.stop();
    await turn?.stop();
    paths?.remove();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  /** The way the newest call of the page goes: protocol, and the browser's own address. */
  const way = () =>
    page.evaluate(async () => {
      const pc = (window as unknown as { pcs: RTCPeerConnection[] }).pcs.at(-1);
      const all: Record<string, string>[] = [];
      (await pc?.getStats())?.forEach((s: Record<string, string>) => all.push(s));
      const pairId = all.find((s) => s.type === "transport")?.selectedCandidatePairId;
      const local = all.find((s) => s.id === all.find((p) => p.id === pairId)?.localCandidateId);
      return `${local?.relayProtocol ? `relay-${local.relayProtocol}` : local?.protocol} ${local?.address ?? local?.ip}`;
    });
  async function both(): Promise<void> {
    await until("the desk in the page", async () => (await pageHears(page, "audio[data-remote]", DESK_HZ)) > 0.5, GAP_MS_MAX);
    await until("the page at the desk", async () => (await desk.hears(ANNA_HZ)) > 0.6, GAP_MS_MAX);
  }
  async function call(): Promise<void> {
    await page.getByLabel("Call a number, an extension or a SIP address").fill("1002");
    await page.keyboard.press("Enter");
    await desk.expect("CALL_ESTABLISHED");
    await both();
  }
  async function hangUp(): Promise<void> {
    await page.keyboard.press("Alt+e");
    await desk.expect("CALL_CLOSED");
    await page.locator("[data-call]").waitFor({ state: "detached" });
  }

  test("the cable is pulled out in the middle of a call: it goes on by the other", async () => {
    await call();
    expect(await way()).toBe(`udp ${paths.addresses[0]}`);
    paths.pull(0);
    await until("the other way", async () => (await way()) === `udp ${paths.addresses[1]}`, GAP_MS_MAX);
    await both();
    expect(desk.saw("CALL_CLOSED")).toBe(false);
    await hangUp();
    // Nothing of the call is left in a page that was away for a moment.
    await page.locator("audio[data-remote]").waitFor({ state: "detached" });
    paths.plug(0);
  });

  test("no UDP gets out, nor anything to the TURN server: the call goes by TCP", async () => {
    // With a relay to be had, a browser takes whichever stood first.
    lift.push(paths.forbid("udp"), paths.forbid("tcp", relay));
    await call();
    expect(await way()).toMatch(/^tcp /);
    await hangUp();
  });

  test("neither UDP nor the media's port: the call goes through the TURN server", async () => {
    lift.push(paths.forbid("udp"), paths.forbid("tcp", media));
    await call();
    expect(await way()).toMatch(/^relay-tcp /);
    await hangUp();
  });

  test("UDP is shut in the middle of a call: it goes on by TCP", async () => {
    await call();
    expect(await way()).toMatch(/^udp /);
    lift.push(paths.forbid("udp"));
    await until("TCP", async () => /^(relay-)?tcp /.test(await way()), GAP_MS_MAX);
    await both();
    await hangUp();
  });

  test("a customer's page finds its way as well, and the agent's at the same time", async () => {
    await page.getByRole("button", { name: /^Presence/ }).click();
    await page.getByRole("menuitemradio", { name: "Available" }).click();
    const shop = await context.newPage();
    await shop.goto("/shop/");
    await shop.getByRole("button", { name: "Talk to us" }).click();
    await shop.getByRole("checkbox", { name: /I agree/ }).check();
    await shop.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByRole("button", { name: "Accept" }).click();
    const heard = async () => {
      await until("the customer in the page", async () => (await pageHears(page, "audio[data-remote]", ANNA_HZ)) > 0.5, GAP_MS_MAX);
      await until("the agent at the customer", async () => (await widgetHears(shop, ANNA_HZ)) > 0.5, GAP_MS_MAX);
    };
    await heard();
    const before = await way();
    paths.pull(before.endsWith(paths.addresses[0]) ? 0 : 1);
    await until("the other way", async () => (await way()) !== before, GAP_MS_MAX);
    await heard();
    await shop.getByText("Connected", { exact: true }).first().waitFor();
    paths.plug(before.endsWith(paths.addresses[0]) ? 0 : 1);
    await shop.getByRole("button", { name: "Hang up" }).click();
    await page.locator("[data-call]").waitFor({ state: "detached" });
    await shop.close();
  });
});
