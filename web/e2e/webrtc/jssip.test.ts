// A SIP softphone in the browser (JsSIP) beside desk phones: register, call both ways, hold, keys, transfer.

import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { Phone, Server, TestBrowser, freePort, pageHears, until } from "../src/index.js";

const ANNA_HZ = 700;
let server: Server;
let browser: TestBrowser;
let page: Page;
let ben: Phone;
let sofia: Phone;

beforeAll(async () => {
  const ws = await freePort();
  const library = await build({
    stdin: { contents: 'export * from "jssip";', resolveDir: import.meta.dirname },
    bundle: true,
    format: "iife",
    globalName: "JsSIP",
    write: false,
  });
  [server, browser] = await Promise.all([
    Server.start({ env: { CROSSPOINT_SIP_WS: `127.0.0.1:${ws}`, CROSSPOINT_MEDIA_WORKERS: "2" } }),
    TestBrowser.start({ microphoneHz: ANNA_HZ }),
  ]);
  [ben, sofia] = await Promise.all([
    Phone.ofPerson(server, server.person("Ben"), { toneHz: 1000, autoAnswer: true }),
    Phone.ofPerson(server, server.person("Sofia"), { toneHz: 1500, autoAnswer: true }),
  ]);
  const context = await browser.context(server, { bypassCSP: true });
  page = await context.newPage();
  await page.goto(`${server.url}/healthz`);
  await page.evaluate(library.outputFiles[0]?.text ?? "");
  await page.evaluate(register, { ws: `ws://127.0.0.1:${ws}`, password: server.person("Anna").sip_password ?? "" });
  await until("the softphone to be registered", () => page.evaluate("sip.seen.includes('registered')"));
});
afterAll(async () => {
  await ben?.stop();
  await sofia?.stop();
  await browser?.stop();
  await server?.stop();
});

/** In the page. */
function register({ ws, password }: { ws: string; password: string }): void {
  type Any = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- a library without types here
  const w = window as Any;
  const sip: Any = (w.sip = { seen: [], session: null });
  const ua = new w.JsSIP.UA({
    sockets: [new w.JsSIP.WebSocketInterface(ws)],
    uri: "sip:1001@demo.example",
    password,
    session_timers: false,
  });
  ua.on("registered", () => sip.seen.push("registered"));
  ua.on("registrationFailed", (e: Any) => sip.seen.push(`failed ${e.cause}`));
  const hear = (pc: RTCPeerConnection) => {
    pc.ontrack = (e) => {
      let far = document.getElementById("far") as HTMLAudioElement | null;
      if (!far) {
        far = document.createElement("audio");
        far.id = "far";
        far.autoplay = true;
        document.body.append(far);
      }
      far.srcObject = new MediaStream([e.track]);
      void far.play();
    };
  };
  ua.on("newRTCSession", ({ session, originator }: Any) => {
    sip.session = session;
    for (const event of ["progress", "confirmed", "ended", "failed", "hold", "unhold"]) {
      session.on(event, (e: Any) => sip.seen.push(event === "failed" ? `failed ${e.cause}` : event));
    }
    if (originator === "local") hear(session.connection);
    else session.on("peerconnection", (e: Any) => hear(e.peerconnection));
    if (originator === "remote") session.answer({ mediaConstraints: { audio: true, video: false } });
  });
  sip.call = (to: string) => ua.call(`sip:${to}@demo.example`, { mediaConstraints: { audio: true, video: false } });
  ua.start();
}

const saw = (what: string) => until(`${what} at the softphone`, () => page.evaluate(`sip.seen.includes(${JSON.stringify(what)})`));
const forget = () => page.evaluate("void (sip.seen = [])");
const hears = (hz: number) => until(`${hz} Hz in the softphone`, async () => (await pageHears(page, "#far", hz, 400)) > 0.6);

test("the softphone calls a desk phone, holds, presses a key and hangs up", async () => {
  await forget();
  await page.evaluate("void sip.call('1002')");
  await saw("confirmed");
  await hears(1000);
  await until("the softphone at the phone", async () => (await ben.hears(ANNA_HZ)) > 0.6);
  await page.evaluate("void sip.session.hold()");
  await saw("hold");
  await until("music at the phone", async () => (await ben.hears(ANNA_HZ)) < 0.3);
  await page.evaluate("void sip.session.unhold()");
  await saw("unhold");
  await until("the softphone after the hold", async () => (await ben.hears(ANNA_HZ)) > 0.6);
  await hears(1000);
  await page.evaluate("void sip.session.sendDTMF('5')");
  const api = await server.as("Sofia");
  const digits = async () => {
    const list = (await api.GET("/v1/interactions", { params: { query: { limit: 5 } } })).data as unknown as { items: { id: string }[] };
    return (await server.trail(list.items[0]?.id ?? "")).includes("leg.digit");
  };
  await until("the key in the trail", digits);
  await page.evaluate("void sip.session.terminate()");
  await ben.expect("CALL_CLOSED");
});

test("a desk phone calls the softphone", async () => {
  await forget();
  ben.dial("1001");
  await saw("confirmed");
  await hears(1000);
  await until("the softphone at the phone", async () => (await ben.hears(ANNA_HZ)) > 0.6);
  ben.hangUp();
  await saw("ended");
});

test("the softphone transfers a call to another desk phone", async () => {
  await forget();
  await page.evaluate("void sip.call('1002')");
  await saw("confirmed");
  await hears(1000);
  await page.evaluate("void sip.session.refer('sip:1003@demo.example')");
  await until("Sofia to hear Ben", async () => (await sofia.hears(1000)) > 0.6);
  await until("Ben to hear Sofia", async () => (await ben.hears(1500)) > 0.6);
  expect(await page.evaluate("sip.seen")).toBeTruthy();
  ben.hangUp();
  await sofia.expect("CALL_CLOSED");
});

test("the softphone asks a second desk phone, and joins the two", async () => {
  await forget();
  await page.evaluate("void sip.call('1002')");
  await saw("confirmed");
  await hears(1000);
  await page.evaluate("void (sip.first = sip.session)");
  await page.evaluate("void sip.first.hold()");
  await saw("hold");
  await forget();
  await page.evaluate("void sip.call('1003')");
  await saw("confirmed");
  await hears(1500);
  await page.evaluate("void sip.first.refer(sip.session.remote_identity.uri, { replaces: sip.session })");
  await until("Sofia to hear Ben", async () => (await sofia.hears(1000)) > 0.6);
  await until("Ben to hear Sofia", async () => (await ben.hears(1500)) > 0.6);
  ben.hangUp();
  await sofia.expect("CALL_CLOSED");
});

test("the softphone's call joins rooms of both media workers, and is heard in each", async () => {
  const admin = await server.as("Admin");
  const rooms = new Map<number, string>();
  // A room's worker goes by its id, whose last character tells odd from even.
  while (rooms.size < 2) {
    const made = (await admin.POST("/v1/conferences", { body: { name: `Room ${Math.random()}` } as never })).data as unknown as { id: string };
    rooms.set("0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(made.id.slice(-1)) % 2, made.id);
  }
  const supervisor = await server.as("Sofia");
  const newest = async () => {
    const list = (await supervisor.GET("/v1/interactions", { params: { query: { limit: 1 } } })).data as unknown as { items: { id: string }[] };
    return list.items[0]?.id ?? "";
  };
  /** Ben is called, and hands his caller to the room. */
  const intoRoom = async (conference: string, call: () => unknown) => {
    const before = await newest();
    await call();
    const id = await until("a new call", async () => {
      const now = await newest();
      return now !== before && (await server.trail(now)).includes("call.bridged") && now;
    });
    const one = (await supervisor.GET("/v1/interactions/{id}", { params: { path: { id } } })).data as unknown as { legs: { id: string; address: { value: string } }[] };
    const called = one.legs.find((l) => l.address.value === "1002")?.id ?? "";
    const done = await supervisor.POST("/v1/legs/{id}/transfer", { params: { path: { id: called } }, body: { destination: { to: "conference", conference } } as never });
    if (done.error) throw new Error(JSON.stringify(done.error));
    await ben.expect("CALL_CLOSED");
  };
  for (const room of rooms.values()) {
    await forget();
    await intoRoom(room, () => page.evaluate("void sip.call('1002')"));
    await intoRoom(room, () => sofia.dial("1002"));
    await hears(1500);
    await until("the softphone at Sofia", async () => (await sofia.hears(ANNA_HZ)) > 0.6);
    expect(await page.evaluate("sip.seen.some((s) => s.startsWith('failed') || s === 'ended')")).toBe(false);
    await page.evaluate("void sip.session.terminate()");
    sofia.hangUp();
    await sofia.expect("CALL_CLOSED");
  }
});

test("a call that came in, and one that only rings, are joined as well", async () => {
  // The consultation is the call that was received: JsSIP names its tags the wrong way round.
  await forget();
  await page.evaluate("void sip.call('1002')");
  await saw("confirmed");
  await hears(1000);
  await page.evaluate("void (sip.first = sip.session)");
  await page.evaluate("void sip.first.hold()");
  await saw("hold");
  await forget();
  sofia.dial("1001");
  await saw("confirmed");
  await hears(1500);
  await page.evaluate("void sip.first.refer(sip.session.remote_identity.uri, { replaces: sip.session })");
  await until("Sofia to hear Ben", async () => (await sofia.hears(1000)) > 0.6);
  await until("Ben to hear Sofia", async () => (await ben.hears(1500)) > 0.6);
  ben.hangUp();
  await sofia.expect("CALL_CLOSED");

  // Sofia's phone rings and is not answered yet: it has no tag there, and says so.
  await sofia.stop();
  sofia = await Phone.ofPerson(server, server.person("Sofia"), { toneHz: 1500 });
  await forget();
  await page.evaluate("void sip.call('1002')");
  await saw("confirmed");
  await hears(1000);
  await page.evaluate("void (sip.first = sip.session)");
  await page.evaluate("void sip.first.hold()");
  await saw("hold");
  await forget();
  await page.evaluate("void sip.call('1003')");
  await sofia.expect("CALL_INCOMING");
  await page.evaluate("void sip.first.refer(sip.session.remote_identity.uri, { replaces: sip.session })");
  await saw("failed Unavailable");
  sofia.answer();
  await saw("ended");
  await until("Sofia to hear Ben", async () => (await sofia.hears(1000)) > 0.6);
  await until("Ben to hear Sofia", async () => (await ben.hears(1500)) > 0.6);
  ben.hangUp();
  await sofia.expect("CALL_CLOSED");
});
