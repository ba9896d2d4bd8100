// What a call shows while it rings: in the desktop, and as a notification when no tab is open.

import type { BrowserContext, Page, Worker } from "playwright-core";
import { answer } from "@crosspoint/api";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Server, shot, signIn, SipCaller, SUPPORT_NUMBER, TestBrowser, troubles, until } from "../src/index.js";

/** Leads to Anna herself. */
const NUMBER = "+12155551300";
const HOSTILE = "<img src=x onerror=alert(1)> About your card";
const REASON = `Call-Info: <data:>;purpose=jcard;call-reason="${HOSTILE}"`;

let server: Server;
let browser: TestBrowser;
let context: BrowserContext;

beforeAll(async () => {
  const env = { CROSSPOINT_WEBRTC_PORT: "0", CROSSPOINT_FETCH_ALLOW: "push.test", CROSSPOINT_FETCH_HOSTS: "push.test=127.0.0.1" };
  [server, browser] = await Promise.all([Server.start({ env }), TestBrowser.start()]);
  context = await browser.context(server);
  const admin = await server.as("Admin");
  const headers = { "If-Match": "*" };
  const trunks = await answer(admin.GET("/v1/trunks"));
  const trunk = trunks.items[0]!;
  const identity = { ...trunk.identity, trusted: true };
  await answer(admin.PATCH("/v1/trunks/{id}", { params: { path: { id: trunk.id } }, headers, body: { identity } } as never));
  const { id } = await server.agent("Anna");
  await answer(admin.POST("/v1/numbers", { body: { number: NUMBER, public: true, destination: { to: "agent", agent: id } } as never }));
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

test("a call shows who calls, why, and how well that is proven; what was written there stays text", async () => {
  const page = await context.newPage();
  const wrong = troubles(page);
  await signIn(page, server.person("Anna"));
  await page.locator('[data-phone="on"]').waitFor();
  const caller = await SipCaller.start(server);
  caller.invite(NUMBER, [REASON]);
  const ring = page.getByRole("region", { name: "Incoming call" });
  await ring.getByText(HOSTILE).waitFor();
  await ring.getByText(/^Says /).waitFor();
  await ring.getByText("Caller").first().waitFor();
  expect(await page.locator('img[src="x"]').count()).toBe(0);
  await shot(page, "ring-card");
  caller.cancel(NUMBER);
  await caller.status(487);
  await ring.waitFor({ state: "detached" });
  expect(wrong).toEqual([]);
  caller.stop();
  await page.close();
});

/** The leg that rings, as the API knows it. */
async function ringingLeg(): Promise<string> {
  const api = await server.as("Sofia");
  return until("a leg that rings", async () => {
    const live = (await answer(api.GET("/v1/live"))) as unknown as { interactions: { legs: { id: string; agent: string | null; status: string }[] }[] };
    return live.interactions.flatMap((i) => i.legs).find((l) => l.agent && l.status === "ringing")?.id;
  });
}

test("without a tab the call rings on, and a touch of the notification answers it here", async () => {
  const api = await server.as("Anna");
  const keys = { p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4", auth: "BTBZMqHH6r4Tts7J_aSIgg" };
  await answer(api.POST("/v1/push-subscriptions", { body: { endpoint: "https://push.test/anna", keys, label: "test" } }));
  const caller = await SipCaller.start(server);
  caller.invite(NUMBER, [REASON]);
  await caller.status(180);
  const leg = await ringingLeg();
  const page = await context.newPage();
  await page.goto(`/app/desk?answer=${leg}`);
  await page.locator("[data-call]").waitFor();
  await caller.status(200);
  await page.getByText(HOSTILE).first().waitFor();
  expect(new URL(page.url()).search).toBe("");
  await page.keyboard.press("Alt+e");
  await page.locator("[data-call]").waitFor({ state: "detached" });
  caller.stop();
  await page.close();
});

test("a call of a queue rings who is available with no tab open; a caller who is reported shows no card any more", async () => {
  const api = await server.as("Anna");
  const { id } = await server.agent("Anna");
  const available = { params: { path: { id } }, body: { presence: "available" } };
  await answer(api.PUT("/v1/agents/{id}/presence", available as never));
  // In the queue the call is answered; the agent is reached by the push alone.
  const caller = await SipCaller.start(server);
  caller.invite(SUPPORT_NUMBER, [REASON]);
  await caller.status(200);
  const leg = await ringingLeg();
  const page = await context.newPage();
  await page.goto(`/app/desk?answer=${leg}`);
  const call = page.locator("[data-call]");
  await call.waitFor();
  await page.getByText(HOSTILE).first().waitFor();
  await page.getByRole("tab", { name: "Notes" }).click();
  await page.getByRole("button", { name: "Report this caller" }).click();
  await page.getByText("Their name and picture are not shown here any more.").waitFor();
  await shot(page, "caller-reported");
  await page.keyboard.press("Alt+e");
  await call.waitFor({ state: "detached" });
  caller.stop();
  const again = await SipCaller.start(server);
  again.invite(NUMBER, [REASON]);
  await again.status(180);
  const supervisor = await server.as("Sofia");
  const of = await until("the card that is not shown", async () => {
    const list = await answer(supervisor.GET("/v1/interactions", { params: { query: { limit: 1 } } }));
    const shown = (await answer(supervisor.GET("/v1/interactions/{id}", { params: { path: { id: list.items[0]!.id } } }))) as unknown as { id: string; card: { why: string } | null };
    return shown.card?.why === "caller_is_reported" ? shown.id : undefined;
  });
  await page.goto(`/app/interactions/${of}`);
  await page.getByText("No card is shown: people reported this caller").waitFor();
  again.cancel(NUMBER);
  await again.status(487);
  again.stop();
  await page.close();
});

/** Brings a push to the service worker, as the browser does when its push service has one. */
async function pushed(page: Page, message: object): Promise<void> {
  const cdp = await context.newCDPSession(page);
  const registration = new Promise<string>((found) => {
    cdp.on("ServiceWorker.workerRegistrationUpdated", (event) => {
      const one = event.registrations.find((r) => !r.isDeleted);
      if (one) found(one.registrationId);
    });
  });
  await cdp.send("ServiceWorker.enable");
  await cdp.send("ServiceWorker.deliverPushMessage", { origin: server.url, registrationId: await registration, data: JSON.stringify(message) });
  await cdp.detach();
}

const shown = (worker: Worker) =>
  worker.evaluate(async () => {
    const registration = (self as unknown as { registration: ServiceWorkerRegistration }).registration;
    return (await registration.getNotifications()).map((n) => ({ title: n.title, body: n.body, icon: n.icon, tag: n.tag }));
  });

test("a push becomes a notification with name, reason and picture, is renewed, and goes with the call", async () => {
  const page = await context.newPage();
  await page.goto("/app/settings");
  const ready = context.waitForEvent("serviceworker");
  await page.evaluate(() => navigator.serviceWorker.register("/sw.js", { scope: "/" }).then(() => navigator.serviceWorker.ready).then(() => {}));
  const worker = context.serviceWorkers()[0] ?? (await ready);
  // A page that is looked at rings itself: there is none any more.
  await page.goto("about:blank");
  const windows = () => worker.evaluate(async () => (await (self as unknown as { clients: { matchAll(of: object): Promise<unknown[]> } }).clients.matchAll({ type: "window", includeUncontrolled: true })).length);
  await expect.poll(windows).toBe(0);
  const ring = { kind: "ring", ring: "leg_1", title: "Example Bank", body: `${HOSTILE} · +12155551212`, url: "/app/desk?answer=leg_1", until_ms: Date.now() + 45_000 };
  await pushed(page, ring);
  await expect.poll(() => shown(worker)).toEqual([{ title: "Example Bank", body: ring.body, icon: `${server.url}/icon.svg`, tag: "ring-leg_1" }]);
  const picture = `/pictures/${"0".repeat(64)}`;
  await pushed(page, { ...ring, picture, renewed: true });
  await expect.poll(async () => (await shown(worker)).map((n) => n.icon)).toEqual([server.url + picture]);
  // A picture from elsewhere would tell a stranger who sits here.
  await pushed(page, { ...ring, ring: "leg_2", picture: "https://evil.example/x.png" });
  await expect.poll(async () => (await shown(worker)).find((n) => n.tag === "ring-leg_2")?.icon).toBe(`${server.url}/icon.svg`);
  await pushed(page, { kind: "ring_ended", ring: "leg_2", how: "missed" });
  await pushed(page, { kind: "ring_ended", ring: "leg_1", how: "answered_elsewhere" });
  await expect.poll(() => shown(worker)).toEqual([]);
  await page.close();
});

test("Settings tell what a browser can do about it", async () => {
  const page = await context.newPage();
  await page.goto("/app/settings");
  await page.getByRole("heading", { name: "Calls while no tab is open" }).waitFor();
  await page.getByText("push.test").first().waitFor();
  await page.getByRole("button", { name: "Forget" }).click();
  await page.getByText("push.test").first().waitFor({ state: "detached" });
  await shot(page, "push-settings");
  await page.close();
});

test("an administrator makes a brand and adds its picture", async () => {
  const own = await browser.context(server);
  const page = await own.newPage();
  const wrong = troubles(page);
  await signIn(page, server.person("Admin"));
  await page.goto("/app/admin/brands");
  const picture = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.from("a logo")]);
  await page.locator('input[type="file"]').setInputFiles({ name: "our-logo.png", mimeType: "image/png", buffer: picture });
  await page.getByText("our-logo", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Add a brand" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Our shop");
  await dialog.getByLabel("Reason of the call").fill("Your order");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("cell", { name: "Our shop", exact: true }).waitFor();
  await page.getByRole("cell", { name: "Your order", exact: true }).waitFor();
  await shot(page, "brands");
  expect(wrong).toEqual([]);
  await own.close();
});
