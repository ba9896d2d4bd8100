// The customer's side: the demo shop's page, its widget, and what the business sees of it.

import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { Phone, Server, TestBrowser, troubles, until, widgetHears } from "../src/index.js";

interface Contact {
  id: string;
  kind: string;
  state: string;
  number: string | null;
  text: string | null;
  wanted: string | null;
  context: { url?: string; title?: string; fields: Record<string, string> };
}

let server: Server;
let browser: TestBrowser;
let token: string;
let point: string;

async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

const now = (modes: string[]) => api("PUT", `/v1/points/${point}/now`, { modes });
const contacts = async (kind: string) => (await api<{ items: Contact[] }>("GET", `/v1/contacts?kind=${kind}`)).items;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), TestBrowser.start()]);
  const { email, password } = server.person("Admin");
  const session = await fetch(`${server.url}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ login: email, password, kind: "token" }),
  });
  token = ((await session.json()) as { token: string }).token;
  point = (await api<{ items: { id: string }[] }>("GET", "/v1/points")).items[0]?.id ?? "";
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

async function shop(options: { query?: string; deny?: boolean } = {}): Promise<Page> {
  const context = await browser.context(server);
  const page = await context.newPage();
  if (options.deny) {
    // What a person's “Block” does to the page.
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
  }
  await page.goto(`/shop/${options.query ?? ""}`);
  await page.getByRole("button", { name: /Talk to us|تحدث إلينا/ }).click();
  return page;
}

test("the page's context is cut to what the point takes, and markup stays text", async () => {
  await now(["chat"]);
  const page = await shop();
  const wrong = troubles(page);
  await page.getByRole("button", { name: /Plank desk/ }).click();
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.evaluate(() => window.Crosspoint?.setContext({ cart: "<img src=x onerror=alert(1)>", secret: "x" }));
  await page.getByRole("checkbox", { name: /I agree/ }).check();
  await page.getByRole("button", { name: "Write to us" }).click();
  await page.getByLabel("Your message").fill("Does it come in oak?");
  await page.getByLabel(/E-mail or telephone/).fill("ann@example.org");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: /We have your message/ }).waitFor();
  const [kept] = await contacts("message");
  expect(kept?.text).toBe("Does it come in oak?");
  expect(kept?.context.url).toBe(`${server.url}/shop/`);
  expect(kept?.context.fields).toEqual({
    product: "Plank desk 140",
    price: "€ 690",
    cart: "<img src=x onerror=alert(1)>",
  });
  expect(wrong).toEqual([]);
  await page.context().close();
});

test("nothing is asked before the customer agrees", async () => {
  const page = await shop();
  await page.getByRole("button", { name: "Write to us" }).click();
  await page.getByRole("status").filter({ hasText: "tick the box" }).waitFor({ state: "attached" });
  expect(await page.getByRole("checkbox").evaluate((e) => (e.getRootNode() as ShadowRoot).activeElement === e)).toBe(true);
  await page.context().close();
});

test("video wanted, audio taken: audio is offered, and who declines leaves a message", async () => {
  await now(["audio", "chat"]);
  const page = await shop();
  await page.getByRole("checkbox", { name: /I agree/ }).check();
  await page.getByRole("button", { name: "Video call" }).click();
  await page.getByText("Right now we can offer: Call.").waitFor();
  const [offered] = await contacts("call");
  expect([offered?.wanted, offered?.state, offered?.context.fields.product]).toEqual(["video", "offered", "Aurora desk lamp"]);
  await page.getByRole("button", { name: "No, leave a message" }).click();
  await page.getByLabel("Your message").waitFor();
  await page.context().close();
});

test("writing wanted, voice taken: voice is offered without asking for the microphone, and what is declined becomes one message", async () => {
  await now(["audio"]);
  const page = await shop({ deny: true });
  const before = [(await contacts("call")).length, (await contacts("message")).length];
  await page.getByRole("checkbox", { name: /I agree/ }).check();
  await page.getByRole("button", { name: "Write to us" }).click();
  await page.getByText("Right now we can offer: Call.").waitFor();
  await page.getByRole("button", { name: "No, leave a message" }).click();
  await page.getByLabel("Your message").fill("No voice today.");
  await page.getByLabel(/E-mail or telephone/).fill("ann@example.org");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("heading", { name: /We have your message/ }).waitFor();
  const [kept] = await contacts("message");
  expect([kept?.text, kept?.wanted, kept?.state, kept?.context.fields.product]).toEqual(["No voice today.", "chat", "open", "Aurora desk lamp"]);
  expect([(await contacts("call")).length, (await contacts("message")).length]).toEqual([before[0], (before[1] ?? 0) + 1]);
  await page.context().close();
});

test("who closes the panel while asked gives the microphone back", async () => {
  await now(["audio"]);
  const page = await shop();
  await page.evaluate(() => {
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      (window as unknown as { taken: MediaStream[] }).taken = [...((window as unknown as { taken?: MediaStream[] }).taken ?? []), stream];
      return stream;
    };
  });
  await page.getByRole("checkbox", { name: /I agree/ }).check();
  await page.getByRole("button", { name: "Video call" }).click();
  await page.getByText("Right now we can offer: Call.").waitFor();
  const live = () => page.evaluate(() => (window as unknown as { taken: MediaStream[] }).taken.flatMap((s) => s.getTracks()).filter((x) => x.readyState === "live").length);
  expect(await live()).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Close" }).click();
  expect(await live()).toBe(0);
  await page.getByRole("button", { name: "Talk to us" }).click();
  await page.getByRole("button", { name: "Video call" }).waitFor();
  await page.context().close();
});

test("a callback by keyboard alone", async () => {
  const page = await shop();
  // The panel took the focus when it opened: Tab goes on from its title.
  await page.getByRole("heading", { name: "Talk to Lumen & Oak" }).waitFor();
  for (let i = 0; i < 2; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  expect(await page.getByRole("checkbox").isChecked()).toBe(true);
  for (let i = 0; i < 5; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByLabel("Your telephone number").waitFor();
  // From the title over the closing cross into the field.
  for (let i = 0; i < 2; i++) await page.keyboard.press("Tab");
  await page.keyboard.type("+1 (555) 010-0199");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /We will call you back/ }).waitFor();
  const [kept] = await contacts("callback");
  expect([kept?.number, kept?.state]).toEqual(["+15550100199", "open"]);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Talk to us" }).waitFor();
  await page.context().close();
});

test("a browser without microphone gets help, and a callback instead", async () => {
  await now(["audio"]);
  const page = await shop({ deny: true });
  await page.getByRole("checkbox", { name: /I agree/ }).check();
  await page.getByRole("button", { name: "Call", exact: true }).click();
  await page.getByRole("heading", { name: "No microphone can be used" }).waitFor();
  await page.getByText("Allow it by the symbol beside the address").waitFor();
  await page.getByRole("button", { name: "Call me back" }).click();
  await page.getByLabel("Your telephone number").waitFor();
  await page.context().close();
});

test("from right to left, in another language", async () => {
  const page = await shop({ query: "?language=ar" });
  await page.getByRole("button", { name: "مكالمة فيديو" }).waitFor();
  const dock = page.locator("crosspoint-widget .dock");
  expect(await dock.getAttribute("dir")).toBe("rtl");
  const box = await dock.boundingBox();
  expect(box && box.x < 200, "the widget stands at the left").toBe(true);
  await page.context().close();
});

interface Told {
  type: string;
  data: { subject?: string | null; context?: string | null };
}

async function told(): Promise<Told[]> {
  const page = await api<{ items: { id: string }[] }>("GET", "/v1/interactions?limit=1");
  const newest = page.items[0]?.id ?? "";
  return (await api<{ items: Told[] }>("GET", `/v1/interactions/${newest}/events?limit=200`)).items;
}

async function available(name: string): Promise<void> {
  const agent = await server.agent(name);
  await api("PUT", `/v1/agents/${agent.id}/presence`, { presence: "available" });
}

test("a customer calls: the agent's phone rings, the page's context is there first, both hear each other, video by consent", async () => {
  await now(["audio", "video"]);
  const desk = await Phone.ofPerson(server, server.person("Anna"), { toneHz: 1000 });
  await available("Anna");
  const page = await shop();
  const wrong = troubles(page);
  await page.getByRole("checkbox", { name: /I agree/ }).check();
  await page.getByLabel(/Your name/).fill("Ann");
  await page.getByRole("button", { name: "Call", exact: true }).click();
  await desk.expect("CALL_INCOMING");
  const events = await told();
  const context = events.find((e) => e.type.endsWith("customer.context"));
  expect(context, JSON.stringify(events.map((e) => e.type))).toBeDefined();
  expect(JSON.parse(context?.data.context ?? "{}")).toMatchObject({ fields: { product: "Aurora desk lamp" } });
  expect(events.some((e) => e.type.endsWith("call.bridged"))).toBe(false);
  // Until somebody answers the customer waits, and is told so, also by the button while the panel is closed.
  await page.getByText("Please wait, somebody will be with you").first().waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Back to the call" }).click();
  desk.answer();
  await page.getByText("Connected", { exact: true }).first().waitFor();
  await until("the customer to hear the agent", async () => (await widgetHears(page, 1000)) > 0.5);
  await until("the agent to hear the customer", async () => (await desk.hears(700)) > 0.5);
  // The agent asks for video; the customer agrees.
  const contact = context?.data.subject ?? "";
  await api("POST", `/v1/contacts/${contact}/mode`, { mode: "video" });
  await page.getByText("The other side asks for video").first().waitFor();
  await page.getByRole("button", { name: "Yes", exact: true }).click();
  await page.getByRole("button", { name: "Turn the camera off" }).waitFor();
  const agreed = () => api<{ mode: string }>("GET", `/v1/contacts/${contact}`);
  await until("the mode to be video", async () => (await agreed()).mode === "video");
  await until("the voice to go on", async () => (await widgetHears(page, 1000)) > 0.5);
  if (process.env.CP_SHOTS) await page.screenshot({ path: `${process.env.CP_SHOTS}/call.png` });
  await page.getByRole("button", { name: "Hang up" }).click();
  await page.getByRole("heading", { name: "The call has ended." }).waitFor();
  await desk.expect("CALL_CLOSED");
  // The request knows its call, and is done with it.
  const linked = () => api<{ state: string; interaction: string | null }>("GET", `/v1/contacts/${contact}`);
  await until("the request to be done", async () => (await linked()).state === "done");
  expect((await linked()).interaction).toMatch(/^int_/);
  expect(wrong).toEqual([]);
  await page.context().close();
  await desk.stop();
});

test("a number lent to a page carries its context into a phone call", async () => {
  const lent = await fetch(`${server.url}/v1/contact/${point}/number`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ consent: true, context: { url: "https://shop.example/desk", fields: { product: "Plank desk" } } }),
  });
  expect(lent.status).toBe(201);
  const { number } = (await lent.json()) as { number: string };
  const caller = await Phone.outside(server);
  caller.dialOutside(number);
  await caller.expect("CALL_ESTABLISHED");
  const context = await until("the context", async () => (await told()).find((e) => e.type.endsWith("customer.context")));
  expect(JSON.parse(context.data.context ?? "{}")).toMatchObject({ fields: { product: "Plank desk" } });
  caller.hangUp();
  await caller.stop();
});

describe("pages of other sites", () => {
  let foreign: HttpServer;
  let origin: string;
  beforeAll(async () => {
    const page = () =>
      `<!doctype html><title>Other</title><body><h1>Other</h1><script src="${server.url}/widget.js" data-point="${point}"></script>`;
    foreign = createServer((_, answer) => answer.setHeader("content-type", "text/html").end(page()));
    await new Promise<void>((done) => foreign.listen(0, "127.0.0.1", done));
    origin = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}`;
  });
  afterAll(() => void foreign?.close());

  test("are refused unless the point names them", async () => {
    const context = await browser.context(server);
    const page = await context.newPage();
    await page.goto(origin);
    await page.getByRole("button", { name: "Talk to us" }).click();
    await page.getByRole("heading", { name: "That did not work" }).waitFor();
    const path = `/v1/points/${point}`;
    const row = await fetch(server.url + path, { headers: { authorization: `Bearer ${token}` } });
    const changed = await fetch(server.url + path, {
      method: "PATCH",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/merge-patch+json",
        "if-match": row.headers.get("etag") ?? "",
      },
      body: JSON.stringify({ origins: [origin] }),
    });
    expect(changed.status).toBe(200);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { name: "Talk to Lumen & Oak" }).waitFor();
    await context.close();
  });
});

test("axe finds nothing on the page and in the widget, in both themes", async () => {
  const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  for (const theme of ["light", "dark"] as const) {
    const context = await browser.context(server, { colorScheme: theme, bypassCSP: true });
    const page = await context.newPage();
    await page.goto("/shop/");
    await page.getByRole("button", { name: "Talk to us" }).click();
    await page.getByRole("button", { name: "Video call" }).waitFor();
    await page.addScriptTag({ content: source });
    const found = await page.evaluate(async () => {
      const axe = (window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }).axe;
      return (await axe.run()).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`);
    });
    expect(found, theme).toEqual([]);
    if (process.env.CP_SHOTS) await page.screenshot({ path: `${process.env.CP_SHOTS}/shop-${theme}.png` });
    await context.close();
  }
});

declare global {
  interface Window {
    Crosspoint?: { setContext(fields: Record<string, unknown>): void };
  }
}
