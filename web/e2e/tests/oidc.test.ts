// Signing in elsewhere, at a certified OpenID Connect provider, in a real browser: roles by group, people
// who are made, those who are refused, answers that are forged or shown twice.

import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answer } from "@crosspoint/api";
import { Server, TestBrowser, shot, troubles, until } from "../src/index.js";
import { freePort } from "../src/ports.js";
import { CLIENT, IdentityProvider } from "../src/provider.js";

let server: Server;
let browser: TestBrowser;
let provider: IdentityProvider;
let id: string;

const RULES = [
  { value: "leads", roles: ["supervisor" as const], custom_roles: [] },
  { value: "callcentre", roles: ["agent" as const], custom_roles: [] },
];

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start({ env: { CROSSPOINT_FETCH_ALLOW: "127.0.0.1" } }), TestBrowser.start()]);
  provider = await IdentityProvider.start(`${server.url}/v1/oidc/callback`, {
    mona: { email: "mona@demo.example", email_verified: true, name: "Mona Lead", groups: ["leads"] },
    omar: { email: "omar@demo.example", email_verified: true, name: "Omar Agent", groups: ["callcentre"] },
    eve: { email: "eve@demo.example", email_verified: true, name: "Eve Nobody", groups: ["visitors"] },
    // Somebody of the house's name, but the provider has not seen that the address is theirs.
    mallory: { email: server.person("Admin").email, email_verified: false, name: "Not the administrator", groups: ["leads"] },
  });
  const api = await server.as("Admin");
  const made = await answer(
    api.POST("/v1/identity-providers", {
      body: {
        name: "Company account", issuer: provider.issuer, client_id: CLIENT.id, client_secret: CLIENT.secret,
        scopes: ["email", "profile", "groups"], login_claim: "email", roles_claim: "groups", role_rules: RULES, provision: true, link_by_login: true,
      },
    }),
  );
  id = made.id as string;
});
afterAll(async () => {
  await provider?.stop();
  await browser?.stop();
  await server?.stop();
});

/** A browser of their own; the answers of the provider that came by. */
async function visitor(): Promise<{ page: Page; answers: string[]; close: () => Promise<void> }> {
  const context = await browser.context(server);
  await context.addInitScript(() => localStorage.setItem("softphone", "off"));
  const page = await context.newPage();
  const answers: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/v1/oidc/callback")) answers.push(request.url());
  });
  return { page, answers, close: () => context.close() };
}

/** By the button of the sign-in page, and the form of the provider. */
async function signInThere(page: Page, who: string, at = "Company account"): Promise<void> {
  await page.goto("/");
  await page.getByRole("link", { name: `Sign in with ${at}` }).click();
  await page.locator('input[name="login"]').fill(who);
  await page.locator('input[name="password"]').fill("any");
  await page.locator('button[type="submit"]').click();
}

const refused = (page: Page) => page.getByRole("alert").filter({ hasText: "Signing in there did not work" });

test("groups of the provider give roles, anew at each sign-in; an answer opens once", async () => {
  const { page, answers, close } = await visitor();
  const wrong = troubles(page);
  await page.goto("/");
  await page.getByRole("link", { name: "Sign in with Company account" }).waitFor();
  await shot(page, "sign-in-provider");
  await signInThere(page, "mona");
  await page.getByRole("banner").getByText("Mona Lead").waitFor();
  await page.getByRole("heading", { name: "Supervisor" }).waitFor();
  expect(wrong).toEqual([]);
  // The same answer in another browser, and once more in this one.
  const other = await visitor();
  await other.page.goto(answers[0]!);
  await refused(other.page).getByText("oidc_state").waitFor();
  await other.close();
  await page.context().clearCookies({ domain: "127.0.0.1" });
  await page.goto(answers[0]!);
  await refused(page).getByText("oidc_state").waitFor();

  provider.people.mona!.groups = ["callcentre"];
  await signInThere(page, "mona");
  await page.getByRole("banner").getByText("Mona Lead").waitFor();
  await page.getByRole("link", { name: "Interactions" }).waitFor();
  expect(await page.getByRole("link", { name: "Supervisor" }).count()).toBe(0);
  await close();
});

test("who has no role by any group, and who bears the name of somebody else, stays outside", async () => {
  for (const [who, code] of [["eve", "oidc_no_role"], ["mallory", "oidc_name_taken"]] as const) {
    const { page, close } = await visitor();
    await signInThere(page, who);
    await refused(page).getByText(code).waitFor();
    await close();
  }
});

test("people who are not known yet are made only where that is allowed", async () => {
  const api = await server.as("Admin");
  const change = async (provision: boolean) => {
    const row = await answer(api.GET("/v1/identity-providers/{id}", { params: { path: { id } } }));
    await api.PATCH("/v1/identity-providers/{id}", { params: { path: { id }, header: { "If-Match": `"${row.version}"` } }, body: { provision } as never });
  };
  await change(false);
  const { page, close } = await visitor();
  await signInThere(page, "omar");
  await refused(page).getByText("oidc_person_unknown").waitFor();
  await close();
  await change(true);
  const again = await visitor();
  await signInThere(again.page, "omar");
  await again.page.getByRole("banner").getByText("Omar Agent").waitFor();
  await again.close();
});

test("forged answers and a provider that is gone open nothing", async () => {
  const { page, answers, close } = await visitor();
  // Begun here, with a state that is not ours.
  await page.goto(`/v1/oidc/${id}/start?return=/`);
  await page.locator('input[name="login"]').waitFor();
  await page.goto("/v1/oidc/callback?code=made-up&state=made-up");
  await refused(page).getByText("oidc_state").waitFor();
  // Our own state, with somebody's made-up code; and as the answer of another provider (RFC 9207).
  for (const [issuer, code] of [[provider.issuer, "oidc_code_refused"], ["https://evil.example", "oidc_issuer_mismatch"]] as const) {
    const begun = page.waitForRequest((r) => r.url().startsWith(provider.issuer) && r.url().includes("state="));
    await page.goto(`/v1/oidc/${id}/start?return=/`);
    const state = new URL((await begun).url()).searchParams.get("state")!;
    await page.goto(`/v1/oidc/callback?code=made-up&state=${state}&iss=${encodeURIComponent(issuer)}`);
    await refused(page).getByText(code).waitFor();
  }
  expect(answers).toHaveLength(3);
  // Back to a page of another site is not where one goes.
  const away = await fetch(`${server.url}/v1/oidc/${id}/start?return=https://evil.example/`, { redirect: "manual" });
  expect([302, 303, 400]).toContain(away.status);
  const unknown = await fetch(`${server.url}/v1/oidc/idp_00000000000000000000000000/start`, { redirect: "manual" });
  expect(unknown.headers.get("location") ?? String(unknown.status)).toMatch(/sign_in_error|404/);
  await close();
});

test("who signs out at the provider is signed out here, once, and by nobody else's word", async () => {
  const api = await server.as("Admin");
  const redirect = `${server.url}/v1/oidc/callback`;
  const port = await freePort();
  const made = await answer(
    api.POST("/v1/identity-providers", {
      body: {
        name: "Second company", issuer: `http://127.0.0.1:${port}`, client_id: CLIENT.id, client_secret: CLIENT.secret,
        scopes: ["email", "profile", "groups"], login_claim: "email", roles_claim: "groups", role_rules: RULES, provision: true, link_by_login: true,
      },
    }),
  );
  const logout = `${server.url}/v1/oidc/${made.id as string}/backchannel-logout`;
  const second = await IdentityProvider.start(redirect, { rosa: { email: "rosa@demo.example", email_verified: true, name: "Rosa Lead", groups: ["leads"] } }, { port, logout });
  const [one, two] = [await visitor(), await visitor()];
  for (const { page } of [one, two]) {
    await signInThere(page, "rosa", "Second company");
    await page.getByRole("banner").getByText("Rosa Lead").waitFor();
  }
  // Out at the provider, in one browser: that one is out here too, the other stays.
  await one.page.goto(`${second.issuer}/session/end`);
  await one.page.locator('button[name="logout"][value="yes"]').click();
  await until("the token of the provider", () => second.logouts.length === 1);
  await one.page.goto("/");
  await one.page.getByLabel("E-mail").waitFor();
  await two.page.reload();
  await two.page.getByRole("banner").getByText("Rosa Lead").waitFor();

  // The same token again, one that is changed, and none.
  const send = (token: string) => fetch(logout, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ logout_token: token }) });
  const [token] = second.logouts as [string];
  const [head, , signature] = token.split(".") as [string, string, string];
  const claims = JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as Record<string, unknown>;
  delete claims.sid;
  const forged = [head, Buffer.from(JSON.stringify({ ...claims, jti: "another" })).toString("base64url"), signature].join(".");
  for (const bad of [token, forged, "a.b.c", ""]) {
    const refused = await send(bad);
    expect(refused.status, bad).toBe(400);
    expect(refused.headers.get("cache-control")).toBe("no-store");
    expect(((await refused.json()) as { error: string }).error).toBe("invalid_request");
  }
  // Nor is it good at another provider's address.
  const elsewhere = logout.replace(made.id as string, id);
  expect((await fetch(elsewhere, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ logout_token: token }) })).status).toBe(400);
  await two.page.reload();
  await two.page.getByRole("banner").getByText("Rosa Lead").waitFor();
  const log = await answer(api.GET("/v1/audit-log", { params: { query: { action: "session.ended_by_provider" } } }));
  expect(log.items.map((e) => (e.detail as { sessions?: number }).sessions)).toEqual([1]);
  await one.close();
  await two.close();
  await second.stop();
});
