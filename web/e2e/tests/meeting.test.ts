// From the shop's page to the agent's browser, without any telephone: how fast it rings, what is seen before the
// answer, modes matched, pictures by consent, the call moved to the desk phone and back.

import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { pageHears, Phone, Server, shot, signIn, TestBrowser, troubles, until, widgetHears } from "../src/index.js";

const [CUSTOMER_HZ, AGENT_HZ, DESK_HZ] = [1100, 700, 1900];
/**
 * From the press on Call to the desktop that rings, half of the calls: the aim is 300 ms in 95 of 100 on a machine that does
 * nothing else (docs/benchmarks.md); tests share theirs with others, so that here only what is broken fails.
 */
const RING_MS_P50_MAX = 2_000;
const RINGS = 20;
const POINTS = 4;

let server: Server;
let agents: TestBrowser;
let customers: TestBrowser;
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  [server, agents, customers] = await Promise.all([Server.start(), TestBrowser.start({ microphoneHz: AGENT_HZ }), TestBrowser.start({ microphoneHz: CUSTOMER_HZ })]);
});
afterEach(async () => {
  await Promise.all(contexts.splice(0).map((c) => c.close()));
});
afterAll(async () => {
  await Promise.all([agents?.stop(), customers?.stop()]);
  await server?.stop();
});

async function desk(): Promise<Page> {
  const context = await agents.context(server);
  contexts.push(context);
  const page = await context.newPage();
  await signIn(page, server.person("Anna"));
  await page.locator('[data-phone="on"]').waitFor();
  if (!(await page.locator('[data-presence="available"]').count())) {
    await page.getByRole("button", { name: /^Presence/ }).click();
    await page.getByRole("menuitemradio", { name: "Available" }).click();
    await page.locator('[data-presence="available"]').waitFor();
  }
  return page;
}

async function shop(point = ""): Promise<Page> {
  const context = await customers.context(server);
  contexts.push(context);
  const page = await context.newPage();
  await page.goto(point ? `/c/${point}` : "/shop/");
  if (!point) await page.getByRole("button", { name: "Talk to us" }).click();
  await page.getByRole("checkbox", { name: /I agree/ }).check();
  await page.getByLabel(/Your name/).fill("Cara");
  return page;
}

const now = async (modes: ("audio" | "video" | "chat")[]) => {
  const api = await server.as("Admin");
  const point = ((await api.GET("/v1/points")).data as { items: { id: string }[] }).items[0]?.id ?? "";
  await api.PUT("/v1/points/{id}/now", { params: { path: { id: point } }, body: { modes } });
};

/** Pictures decoded by the element so far. */
const frames = (page: Page, what: string) =>
  page.evaluate((what) => {
    const widget = document.querySelector("crosspoint-widget")?.shadowRoot;
    const video = (widget ?? document).querySelector<HTMLVideoElement>(what);
    return video?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
  }, what);

async function finish(page: Page): Promise<void> {
  await page.getByText("Wrap-up ends in").waitFor();
  await page.keyboard.press("Alt+f");
  await page.locator('[data-state="idle"]').waitFor();
}

test("it rings within a moment of the press, twenty times", async () => {
  await now(["audio", "video", "chat"]);
  const page = await desk();
  // Several points, since one address may ask at one of them only so often.
  const api = await server.as("Admin");
  const first = ((await api.GET("/v1/points")).data as { items: { destination: object }[] }).items[0];
  const pages: Page[] = [];
  for (let n = 0; n < POINTS; n++) {
    const made = await api.POST("/v1/points", { body: { name: `Ring ${n}`, modes: ["audio"], destination: first?.destination as never } as never });
    pages.push(await shop((made.data as { id: string }).id));
  }
  await page.evaluate(() => {
    const w = window as unknown as { rang: number[] };
    w.rang = [];
    let seen = "";
    new MutationObserver(() => {
      const offer = document.querySelector<HTMLElement>("[data-offer]")?.dataset.offer ?? "";
      if (offer && offer !== seen) w.rang.push(Date.now());
      seen = offer;
    }).observe(document.body, { childList: true, subtree: true });
  });
  const taken: number[] = [];
  // The first call of each page opens its microphone, which is the browser's own time: those are not counted.
  for (let n = 0; n < RINGS + POINTS; n++) {
    const customer = pages[n % POINTS]!;
    const call = customer.getByRole("button", { name: "Call", exact: true });
    const pressed = await call.evaluate((b: HTMLElement) => {
      b.click();
      return Date.now();
    });
    await page.locator("[data-offer]").waitFor();
    const rang = await page.evaluate(() => (window as unknown as { rang: number[] }).rang.at(-1) ?? 0);
    if (n >= POINTS) taken.push(rang - pressed);
    await customer.getByRole("button", { name: "Hang up" }).click();
    await page.locator("[data-offer]").waitFor({ state: "detached" });
    await page.locator('[data-state="idle"]').waitFor();
    await customer.getByRole("button", { name: "Start again" }).click();
    await call.waitFor();
  }
  taken.sort((a, b) => a - b);
  const p = (share: number) => taken[Math.min(taken.length - 1, Math.ceil(taken.length * share) - 1)] ?? 0;
  console.log(JSON.stringify({ what: "click to ringing desktop", calls: RINGS, ms_p50: p(0.5), ms_p95: p(0.95), ms_max: taken.at(-1) }));
  expect(p(0.5)).toBeLessThan(RING_MS_P50_MAX);
});

test("wanted video, taken is voice: voice is offered, the page is seen before the answer, pictures come by consent", async () => {
  await now(["audio", "chat"]);
  const [page, customer] = [await desk(), await shop()];
  const wrong = [troubles(page), troubles(customer)];
  await customer.getByRole("button", { name: "Video call" }).click();
  await customer.getByText(/Voice|Call/).first().waitFor();
  expect(await page.locator("[data-offer]").count()).toBe(0);
  await customer.locator('[data-do="accept"]').click();
  const offer = page.locator("[data-offer]");
  await offer.getByText("Aurora desk lamp").first().waitFor();
  await offer.getByText("Cara").waitFor();
  await shot(page, "desk-offer-page");
  await offer.getByRole("button", { name: /Accept/ }).click();
  await page.locator("[data-call]").waitFor();
  await page.locator("[data-page-context]").getByText("Aurora desk lamp", { exact: true }).waitFor();
  await until("the customer in the browser", async () => (await pageHears(page, "audio[data-remote]", CUSTOMER_HZ)) > 0.5);
  expect(await page.locator("[data-pictures]").count()).toBe(0);

  // The agent asks, the customer agrees: both see one another.
  await page.keyboard.press("Alt+v");
  await page.getByRole("button", { name: "Asked for video" }).waitFor();
  await customer.getByRole("button", { name: "Yes", exact: true }).click();
  await until("the customer's picture at the agent", async () => (await frames(page, '[data-picture="far"]')) > 20);
  await until("the agent's own picture", async () => (await frames(page, '[data-picture="own"]')) > 20);
  await until("the agent's picture at the customer", async () => (await frames(customer, "video:not(.own)")) > 20);
  await until("the voice beside it", async () => (await pageHears(page, "audio[data-remote]", CUSTOMER_HZ)) > 0.5);
  await shot(page, "desk-video");

  // Back to voice needs nobody's consent; then the customer asks, and the agent stays with voice.
  await page.getByRole("button", { name: "End video" }).click();
  await page.locator("[data-pictures]").waitFor({ state: "detached" });
  await customer.getByRole("button", { name: "Turn the camera on" }).waitFor();
  await customer.getByRole("button", { name: "Turn the camera on" }).click();
  await page.getByRole("button", { name: "Stay with voice" }).click();
  await until("the voice to go on", async () => (await pageHears(page, "audio[data-remote]", CUSTOMER_HZ)) > 0.5);
  expect(await page.locator("[data-pictures]").count()).toBe(0);
  await page.keyboard.press("Alt+e");
  await customer.getByRole("heading", { name: "The call has ended." }).waitFor();
  await finish(page);
  expect(wrong).toEqual([[], []]);
});

test("the offered voice is declined: a message is left, and nobody was rung", async () => {
  await now(["audio"]);
  const [page, customer] = [await desk(), await shop()];
  await customer.getByRole("button", { name: "Video call" }).click();
  await customer.locator('[data-do="decline"]').click();
  await customer.getByLabel("Your message").fill("Please write to me.");
  await customer.getByLabel(/E-mail or telephone/).fill("cara@example.org");
  await customer.getByRole("button", { name: "Send" }).click();
  await customer.getByRole("heading", { name: /We have your message/ }).waitFor();
  expect(await page.locator("[data-offer]").count()).toBe(0);
  await page.getByRole("link", { name: "Contacts" }).click();
  const item = page.getByRole("article", { name: "Message, Cara" });
  await item.getByText("Please write to me.").waitFor();
  await item.getByRole("link", { name: "Write to cara@example.org" }).waitFor();
  await item.getByRole("button", { name: "Cara is done" }).click();
  await item.waitFor({ state: "detached" });
});

test("the call is moved to the desk phone and back; the customer hears another voice and no more", async () => {
  await now(["audio", "video", "chat"]);
  const phone = await Phone.ofPerson(server, server.person("Anna"), { toneHz: DESK_HZ });
  try {
    const [page, customer] = [await desk(), await shop()];
    await customer.getByRole("button", { name: "Call", exact: true }).click();
    await page.locator("[data-offer]").getByRole("button", { name: /Accept/ }).click();
    await page.locator("audio[data-remote]").waitFor({ state: "attached" });
    await until("the browser at the customer", async () => (await widgetHears(customer, AGENT_HZ)) > 0.5);
    await page.keyboard.press("Alt+o");
    const panel = page.getByRole("region", { name: "Move this call to another device of mine" });
    await panel.getByRole("button", { name: /^Move to/ }).waitFor();
    await shot(page, "desk-move");
    await panel.getByRole("button", { name: /^Move to/ }).click();
    await phone.expect("CALL_INCOMING");
    await until("the browser to keep the call", async () => (await widgetHears(customer, AGENT_HZ)) > 0.5);
    phone.answer();
    await until("the desk phone at the customer", async () => (await widgetHears(customer, DESK_HZ)) > 0.5);
    await page.locator("audio[data-remote]").waitFor({ state: "detached" });
    // The page commands the call wherever its audio is.
    await page.keyboard.press("Alt+m");
    await page.getByRole("button", { name: "Unmute" }).waitFor();
    await until("silence at the customer", async () => (await widgetHears(customer, DESK_HZ)) < 0.1);
    await page.keyboard.press("Alt+m");
    await until("the desk phone again", async () => (await widgetHears(customer, DESK_HZ)) > 0.5);
    await page.keyboard.press("Alt+o");
    await panel.getByRole("button", { name: "Move to This browser" }).click();
    await phone.expect("CALL_CLOSED");
    await until("the browser again at the customer", async () => (await widgetHears(customer, AGENT_HZ)) > 0.5);
    await customer.getByRole("button", { name: "Hang up" }).click();
    await finish(page);
  } finally {
    await phone.stop();
  }
});
