// Debian's Chromium without a window, with a microphone that plays a tone.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import type { Person, Server } from "./server.js";
import { writeTone } from "./tone.js";

export const CHROMIUM = process.env.CP_CHROMIUM ?? "/usr/bin/chromium";
/** What tests wait for a thing on the page. */
const ACTION_MS_MAX = 15_000;

export interface BrowserOptions {
  /** The tone of the fake microphone. */
  microphoneHz?: number;
  /** Answers the question for the microphone. */
  microphone?: "allow" | "deny" | "none";
  headed?: boolean;
  /** Another program that is the browser, and what it is told besides. */
  program?: string;
  args?: string[];
}

/** A browser with its fake devices; one per tone, since the tone belongs to the process. */
export class TestBrowser {
  private constructor(
    readonly browser: Browser,
    private readonly folder: string,
    private readonly options: BrowserOptions,
  ) {}

  static async start(options: BrowserOptions = {}): Promise<TestBrowser> {
    const folder = mkdtempSync(join(tmpdir(), "cp-tone-"));
    const tone = join(folder, "tone.wav");
    writeTone(tone, options.microphoneHz ?? 700);
    const fake = options.microphone === "none"
      ? []
      : ["--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${tone}`];
    const browser = await chromium.launch({
      executablePath: options.program ?? CHROMIUM,
      headless: !options.headed,
      args: [
        ...fake,
        "--autoplay-policy=no-user-gesture-required",
        // Candidates of this machine are told as they are; loopback is where the tests live.
        "--disable-features=WebRtcHideLocalIpsWithMdns",
        "--allow-loopback-in-peer-connection",
        ...(options.args ?? []),
      ],
    });
    return new TestBrowser(browser, folder, options);
  }

  /** A context is a person's browser: own cookies, own storage. */
  async context(server: Server, options: Parameters<Browser["newContext"]>[0] = {}): Promise<BrowserContext> {
    const context = await this.browser.newContext({ baseURL: server.url, viewport: { width: 1280, height: 720 }, ...options });
    context.setDefaultTimeout(ACTION_MS_MAX);
    const permissions = ["notifications", ...(this.options.microphone === "deny" ? [] : ["microphone", "camera"])];
    await context.grantPermissions(permissions, { origin: server.url });
    return context;
  }

  async stop(): Promise<void> {
    await this.browser.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What went wrong in a page: uncaught errors, console errors, breaches of the content security policy. */
export function troubles(page: Page): string[] {
  const found: string[] = [];
  page.on("pageerror", (error) => found.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) found.push(message.text());
  });
  return found;
}

/** Signs a person in by the form, as they would. */
export async function signIn(page: Page, person: Person): Promise<void> {
  await page.goto("/");
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("banner").getByText(person.name).first().waitFor();
}

/** Out by the menu, back at the form. */
export async function signOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: /, account$/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByLabel("E-mail").waitFor();
}

type Passkey = Record<string, unknown>;
const authenticators = new WeakMap<Page, () => Promise<Passkey[]>>();

/** A device with a fingerprint reader, as far as the page can tell; with these passkeys on it. */
export async function passkeys(page: Page, known: Passkey[] = []): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  for (const credential of known) await devtools.send("WebAuthn.addCredential", { authenticatorId, credential: credential as never });
  authenticators.set(page, async () => (await devtools.send("WebAuthn.getCredentials", { authenticatorId })).credentials as unknown as Passkey[]);
}

/** The passkeys on this page's device, as a synchronising password store would carry them to another. */
export async function passkeysOf(page: Page): Promise<Passkey[]> {
  return (await authenticators.get(page)?.()) ?? [];
}
