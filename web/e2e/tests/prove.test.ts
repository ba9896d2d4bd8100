// A customer's browser beside a live call: makes a passkey on the device, ties itself to the call by
// the number told on the telephone, and proves who is calling.

import { createServer, type Server as HttpServer } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answer, type Schemas } from "@crosspoint/api";
import { Phone, Server, SUPPORT_NUMBER, TestBrowser, axeFindings, passkeys, shot, signIn, troubles, until } from "../src/index.js";

const CALLER = "+15557001";

let server: Server;
let browser: TestBrowser;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start(), TestBrowser.start()]);
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

test("a passkey proves the caller of a live call, and only with the number of that call", async () => {
  const api = await server.as("Admin");
  const person = (await answer(
    api.POST("/v1/persons", {
      body: {
        name: "Cara Customer",
        identities: [{ kind: "phone", value: CALLER }],
        fields: [{ name: "balance", label: "Balance", value: "1,234.56 EUR", class: "secure" }],
      },
    }),
  )) as Schemas["Person"];
  const { link: enrol } = (await answer(
    api.POST("/v1/persons/{id}/enrolment", { params: { path: { id: person.id } } }),
  )) as Schemas["Enrolment"];

  await api.PUT("/v1/proof-policy", { body: { intents: { balance: 2, wire: 4 } } as never });
  await api.POST("/v1/persons/{id}/credentials", { params: { path: { id: person.id } }, body: { method: "pin", pin: "2580" } });
  const context = await browser.context(server);
  const page = await context.newPage();
  const wrong = troubles(page);
  await passkeys(page);
  await page.goto(enrol);
  await page.getByRole("button", { name: "Make a passkey" }).click();
  await page.getByText("this device can confirm your calls").waitFor();
  expect(page.url()).not.toContain("enrol=");

  const anna = await Phone.ofPerson(server, server.person("Anna"), { autoAnswer: true });
  const agent = await server.agent("Anna");
  await api.PUT("/v1/agents/{id}/presence", { params: { path: { id: agent.id } }, body: { presence: "available" } });
  const desk = await (await browser.context(server)).newPage();
  await desk.addInitScript(() => localStorage.setItem("softphone", "off"));
  await signIn(desk, server.person("Anna"));
  const caller = await Phone.outside(server, CALLER);
  caller.dialOutside(SUPPORT_NUMBER);
  await anna.expect("CALL_ESTABLISHED");
  const call = await until("the call", async () => {
    const list = (await answer(api.GET("/v1/interactions", { params: { query: { open: true, party: CALLER } } }))) as {
      items: { id: string }[];
    };
    return list.items[0];
  });
  const path = { params: { path: { id: call.id } } };
  const customer = async () =>
    (await answer(api.GET("/v1/interactions/{id}/customer", path))) as Schemas["Customer"];
  expect((await customer()).fields[0]).toMatchObject({ locked: true, secure: true });

  // The agent sees the mark, and sends for the proof.
  await desk.locator('[data-field="balance"][data-locked="true"]').getByText("Do not tell yet").waitFor();
  expect(await axeFindings(desk)).toEqual([]);
  await shot(desk, "desk-record-locked");
  await desk.getByRole("button", { name: "Send a link" }).click();
  const made = {
    link: (await desk.getByLabel("Link", { exact: true }).innerText()).trim(),
    number: await desk.getByRole("region", { name: "Customer record" }).locator("strong").innerText(),
  };
  // The same page, as a person who follows a second link would have it.
  await page.goto("about:blank");
  await page.goto(made.link);
  const number = page.getByLabel("The number you are told on the telephone");
  await number.fill("+15557999");
  await page.getByRole("button", { name: "Use my passkey" }).click();
  await page.getByText("That did not work").waitFor();
  expect((await customer()).proof.level).toBe(0);

  await number.fill(made.number);
  await page.getByRole("button", { name: "Use my passkey" }).click();
  await page.getByText("Your call is confirmed (level 3)").waitFor();
  const proven = await customer();
  expect(proven.proof.methods).toEqual(["passkey"]);
  expect(proven.fields[0]).toMatchObject({ locked: false, value: "1,234.56 EUR" });
  expect(wrong).toEqual([]);
  // Her page was not loaded anew.
  await desk.locator('[data-field="balance"][data-locked="false"]').getByText("1,234.56 EUR").waitFor();
  expect(await desk.getByText("Do not tell yet").count()).toBe(0);
  await shot(desk, "desk-record-open");

  // What is asked for decides: for the wire she proves once more, and for that alone.
  await desk.locator('[data-request="balance"][data-allowed="true"]').waitFor();
  const wire = desk.locator('[data-request="wire"]');
  await wire.getByText("Takes level 4").waitFor();
  await wire.getByRole("button", { name: "Prove for wire" }).click();
  expect(await axeFindings(desk)).toEqual([]);
  await wire.getByRole("button", { name: "Ask for: PIN" }).click();
  await until("the question", async () => (await server.trail(call.id)).includes("collect.started"));
  caller.digits("2580#");
  await desk.locator('[data-request="wire"][data-allowed="true"]').getByText("May be done").waitFor();
  expect((await customer()).proof.level).toBe(3);

  caller.hangUp();
  await until("the end of the proof", async () => (await customer()).proof.level === 0);
  await anna.stop();
  await caller.stop();
  await desk.context().close();
  await context.close();
});

test("a link that was used opens nothing", async () => {
  const context = await browser.context(server);
  const page = await context.newPage();
  await page.goto(`${server.url}/prove#nothing-of-the-sort`);
  await page.getByText("Ask for a new one").waitFor();
  await context.close();
});

/** A text gateway that keeps what it takes. */
async function textGateway(): Promise<{ port: number; texts: URLSearchParams[]; stop: () => void }> {
  const texts: URLSearchParams[] = [];
  const http = await new Promise<HttpServer>((ready) => {
    const made = createServer((request, answer) => {
      let body = "";
      request.on("data", (part: Buffer) => (body += part.toString()));
      request.on("end", () => {
        texts.push(new URLSearchParams(body));
        answer.end("{}");
      });
    });
    made.listen(0, "127.0.0.1", () => ready(made));
  });
  return { port: (http.address() as { port: number }).port, texts, stop: () => void http.close() };
}

test("S0.1: a texted link, the number repeated and a passkey move a waiting call to where it belongs, and hold over a transfer", async () => {
  const gateway = await textGateway();
  const sms = { CROSSPOINT_SMS_URL: `http://127.0.0.1:${gateway.port}/messages`, CROSSPOINT_SMS_USER: "house", CROSSPOINT_SMS_PASSWORD: "secret", CROSSPOINT_SMS_FROM: "+18005550100" };
  const own = await Server.start({ env: sms });
  const api = await own.as("Admin");
  const support = (await answer(api.GET("/v1/queues"))).items.find((q) => q.name === "Support")!;
  const premium = await answer(api.POST("/v1/queues", { body: { name: "Premium" } as never }));
  const [anna, ben] = [await own.agent("Anna"), await own.agent("Ben")];
  await api.PATCH("/v1/agents/{id}", { params: { path: { id: ben.id }, header: { "If-Match": "*" } }, body: { queues: [premium.id] } as never });
  await api.PUT("/v1/proof-policy", { body: { placement: [{ level: 2, from: support.id as never, fact: "balance", test: "at_least", value: 10_000, to: premium.id as never, priority: 5 }] } as never });
  const person = await answer(
    api.POST("/v1/persons", {
      body: {
        name: "Cara Customer", identities: [{ kind: "phone", value: CALLER }], facts: { balance: 25_000 },
        fields: [{ name: "balance", label: "Balance", value: "1,234.56 EUR", class: "secure" }, { name: "plan", label: "Plan", value: "Home 500", class: "open" }],
      },
    }),
  );
  const { link: enrol } = await answer(api.POST("/v1/persons/{id}/enrolment", { params: { path: { id: person.id } } }));
  const context = await browser.context(own);
  const page = await context.newPage();
  await passkeys(page);
  await page.goto(enrol);
  await page.getByRole("button", { name: "Make a passkey" }).click();
  await page.getByText("this device can confirm your calls").waitFor();

  // Nobody is free: she waits, unknown to be her, in the general queue.
  const caller = await Phone.outside(own, CALLER);
  caller.dialOutside(SUPPORT_NUMBER);
  const waiting = async () => ((await answer(api.GET("/v1/interactions", { params: { query: { open: true, party: CALLER } } }))) as { items: { id: string; queue: string | null }[] }).items[0];
  const call = await until("a place in the queue", async () => ((await waiting())?.queue === support.id ? waiting() : null));
  const path = { params: { path: { id: call.id } } };
  const customer = async () => (await answer(api.GET("/v1/interactions/{id}/customer", path))) as Schemas["Customer"];
  const upgrade = await answer(api.POST("/v1/interactions/{id}/channel-upgrade", { ...path, body: { send: true } }));
  expect(upgrade.link ?? null).toBeNull();
  expect(gateway.texts.map((t) => t.get("To"))).toEqual([CALLER]);
  const link = gateway.texts[0]!.get("Body")!.match(/https?:\S+/)![0];
  await page.goto("about:blank");
  await page.goto(link);
  const number = page.getByLabel("The number you are told on the telephone");
  await number.fill("+15550199");
  await page.getByRole("button", { name: "Use my passkey" }).click();
  await page.getByText("That did not work").waitFor();
  expect(await customer()).toMatchObject({ proof: { level: 0 }, fields: [{ locked: true }, { locked: false }] });
  expect((await waiting())?.queue).toBe(support.id);

  await number.fill(CALLER);
  await page.getByRole("button", { name: "Use my passkey" }).click();
  await page.getByText("Your call is confirmed (level 3)").waitFor();
  await until("the other queue", async () => (await waiting())?.queue === premium.id);
  const phones = { ben: await Phone.ofPerson(own, own.person("Ben"), { autoAnswer: true }), anna: await Phone.ofPerson(own, own.person("Anna"), { autoAnswer: true }) };
  await api.PUT("/v1/agents/{id}/presence", { params: { path: { id: ben.id } }, body: { presence: "available" } });
  await phones.ben.expect("CALL_ESTABLISHED");
  // To a colleague: nothing is asked again.
  const leg = await until("his leg", async () => {
    const legs = (await answer(api.GET("/v1/interactions/{id}/events", { ...path, params: { ...path.params, query: { limit: 1000 } } }))) as { items: { type: string; leg?: string; agent?: string; data?: { leg?: string; agent?: string } }[] };
    const added = legs.items.find((e) => e.type === "leg.added" && (e.data ?? e).agent === ben.id);
    return added && ((added.data ?? added).leg as string);
  });
  await api.POST("/v1/legs/{id}/transfer", { params: { path: { id: leg } }, body: { destination: { to: "agent", agent: anna.id } } as never });
  await phones.anna.expect("CALL_ESTABLISHED");
  expect(await customer()).toMatchObject({ proof: { level: 3, methods: ["passkey"] }, fields: [{ locked: false, value: "1,234.56 EUR" }, { locked: false }] });
  const trail = await own.trail(call.id);
  expect(trail.filter((type) => type === "collect.started")).toEqual([]);
  expect(gateway.texts).toHaveLength(1);

  caller.hangUp();
  await Promise.all([caller.stop(), phones.ben.stop(), phones.anna.stop()]);
  await context.close();
  await own.stop();
  gateway.stop();
});
