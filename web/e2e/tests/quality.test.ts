// What holds on every page: axe finds nothing in either theme, a whole call goes by keyboard alone,
// two tabs of one agent agree, a refused microphone is explained, right to left and large zoom work.

import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { axeFindings, Phone, Server, SUPPORT_NUMBER, TestBrowser, shot, signIn, troubles } from "../src/index.js";

let server: Server;
let browser: TestBrowser;
const phones: Phone[] = [];
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), TestBrowser.start()]);
});
afterEach(async () => {
  await Promise.all(phones.splice(0).map((p) => p.stop()));
  await Promise.all(contexts.splice(0).map((c) => c.close()));
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

async function context(options: Parameters<TestBrowser["context"]>[1] = {}): Promise<BrowserContext> {
  const made = await browser.context(server, options);
  contexts.push(made);
  await made.addInitScript(() => {
    if (!localStorage.getItem("softphone")) localStorage.setItem("softphone", "off");
  });
  return made;
}

async function phoneOf(name: string): Promise<Phone> {
  const phone = await Phone.ofPerson(server, server.person(name));
  phones.push(phone);
  return phone;
}

async function call(number: string): Promise<Phone> {
  const caller = await Phone.outside(server, number);
  phones.push(caller);
  caller.dialOutside(SUPPORT_NUMBER);
  return caller;
}

async function bothThemes(page: Page, what: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect(await axeFindings(page), `${what}, ${colorScheme}`).toEqual([]);
  }
}

test("right to left, and twice as large", async () => {
  const arabic = await context({ locale: "ar" });
  const page = await arabic.newPage();
  await page.goto("/");
  const { email, password } = server.person("Sofia");
  await page.getByLabel("البريد الإلكتروني").fill(email);
  await page.getByLabel("كلمة المرور").fill(password);
  await page.getByRole("button", { name: "تسجيل الدخول", exact: true }).click();
  await page.getByRole("heading", { name: "المشرف" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.dir)).toBe("rtl");
  expect(await axeFindings(page)).toEqual([]);
  await shot(page, "supervisor-arabic");

  // 1280 by 720 at 200 % is 640 by 360 in the page's own pixels.
  const zoomed = await context({ viewport: { width: 640, height: 360 } });
  const large = await zoomed.newPage();
  await signIn(large, server.person("Anna"));
  await large.locator("[data-presence]").waitFor();
  const overflow = await large.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  await large.getByRole("button", { name: "Become available" }).click();
  await large.locator('[data-presence="available"]').waitFor();
  await shot(large, "desk-zoomed");
});

test("axe finds nothing on any page in either theme", async () => {
  const page = await (await context()).newPage();
  await page.goto("/");
  await page.getByLabel("E-mail").waitFor();
  await bothThemes(page, "sign-in");
  await signIn(page, server.person("Sofia"));
  for (const path of ["supervisor", "desk", "wallboard", "interactions", "reports", "settings"]) {
    await page.goto(`/app/${path}`);
    await page.getByRole("banner").waitFor();
    await page.getByText("Loading …").first().waitFor({ state: "detached" });
    await bothThemes(page, path);
  }
  const admin = await (await context()).newPage();
  await signIn(admin, server.person("Admin"));
  for (const section of ["start", "tenant", "people", "agents", "queues", "numbers", "hours", "phones", "trunks", "codes", "roles", "announced", "keys", "clients", "providers", "audit"]) {
    await admin.goto(`/app/admin/${section}`);
    await admin.getByRole("main").getByRole("heading").first().waitFor();
    await admin.getByText("Loading …").first().waitFor({ state: "detached" });
    await bothThemes(admin, `admin/${section}`);
  }
  for (const [section, button] of [["people", /^Change/], ["people", /^Sign-in of/], ["roles", "Add a role"], ["providers", "Connect a provider"]] as const) {
    await admin.goto(`/app/admin/${section}`);
    await admin.getByRole("button", { name: button }).first().click();
    await admin.getByRole("dialog").waitFor();
    await admin.getByText("Loading …").first().waitFor({ state: "detached" });
    await bothThemes(admin, `admin/${section}, ${String(button)}`);
  }
  // Twenty-eight pages, twice each.
}, 400_000);

test("a whole call by keyboard alone, and axe in the middle of it", async () => {
  const phone = await phoneOf("Anna");
  const ben = await phoneOf("Ben");
  const page = await (await context()).newPage();
  const wrong = troubles(page);
  const { email, password } = server.person("Anna");
  await page.goto("/");
  await page.getByLabel("E-mail").and(page.locator(":focus")).waitFor();
  await page.keyboard.type(email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.getByRole("banner").waitFor();
  await page.locator("[data-presence]").waitFor();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("status: available");
  await page.keyboard.press("Enter");
  await page.locator('[data-presence="available"]').waitFor();

  const caller = await call("+15557005");
  await page.locator("[data-offer]").waitFor();
  await expect.poll(() => page.locator('[data-announcer="urgent"]').innerText()).toMatch(/Incoming call from Outside, queue Support/);
  await page.keyboard.press("Alt+a");
  await phone.answerAccepted();
  await page.locator("[data-call]").waitFor();
  await page.keyboard.press("Alt+h");
  await page.getByRole("button", { name: "Resume", exact: false }).first().waitFor();
  await page.keyboard.press("Alt+h");
  await page.getByRole("button", { name: "Hold", exact: false }).first().waitFor();
  await bothThemes(page, "live call");

  await page.keyboard.press("Alt+t");
  await page.getByPlaceholder("Name, number or SIP address").waitFor();
  await page.keyboard.type("Ben");
  await page.keyboard.press("Enter");
  await ben.expect("CALL_INCOMING");
  ben.answer();
  await page.getByText("You speak with Ben").waitFor();
  await shot(page, "desk-consult");
  await page.keyboard.press("Alt+b");
  await page.getByRole("region", { name: "Consultation" }).waitFor({ state: "detached" });
  await page.keyboard.press("Alt+e");
  await caller.expect("CALL_CLOSED");
  await page.getByText("Wrap-up ends in").waitFor();
  await page.keyboard.press("Alt+f");
  await page.locator('[data-state="idle"]').waitFor();
  expect(wrong).toEqual([]);
});

test("two tabs of one agent agree; the call consulted and handed over leaves both", async () => {
  const phone = await phoneOf("Anna");
  const ben = await phoneOf("Ben");
  const shared = await context();
  const [one, two] = [await shared.newPage(), await shared.newPage()];
  await signIn(one, server.person("Anna"));
  await two.goto("/app/desk");
  await one.getByRole("button", { name: /^Presence/ }).click();
  await one.getByRole("menuitemradio", { name: "Available" }).click();
  await two.locator('[data-presence="available"]').waitFor();
  const caller = await call("+15557006");
  await two.locator("[data-offer]").waitFor();
  await one.getByRole("button", { name: "Accept" }).click();
  await phone.answerAccepted();
  await two.locator("[data-call]").waitFor();
  expect(await two.locator("[data-offer]").count()).toBe(0);
  await two.getByRole("button", { name: /^Transfer/ }).click();
  await two.getByRole("button", { name: "Consult Ben" }).click();
  await ben.expect("CALL_INCOMING");
  ben.answer();
  await one.getByRole("button", { name: /Complete transfer/ }).click();
  await phone.expect("CALL_CLOSED");
  for (const tab of [one, two]) await tab.locator("[data-call]").waitFor({ state: "detached" });
  await expect.poll(() => ben.hears(1000), { timeout: 10_000 }).toBeGreaterThan(0.3);
  caller.hangUp();
});

test("a refused microphone is explained, and the desk phone stays offered", async () => {
  const deaf = await TestBrowser.start({ microphone: "deny" });
  try {
    await phoneOf("Anna");
    const closed = await deaf.context(server);
    const page = await closed.newPage();
    await signIn(page, server.person("Anna"));
    await page.getByRole("button", { name: /^Phone/ }).click();
    const help = page.getByRole("dialog").getByRole("alert");
    await expect.poll(() => help.innerText()).toMatch(/allow the microphone/);
    await page.getByText("A phone of yours can be reached.").waitFor();
    await shot(page, "microphone-denied");
    await closed.close();
  } finally {
    await deaf.stop();
  }
});
