// One running Crosspoint with the demo tenant, on ports and with a data folder of its own.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { all, answer, connect, type Api, type Schemas } from "@crosspoint/api";
import { freeBlock, freePort } from "./ports.js";
import { Program } from "./process.js";
import { until } from "./wait.js";

/** The repository. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Each of the media workers binds its share at once. */
const MEDIA_PORTS = 600;
const START_MS_MAX = 30_000;

/** The number of the demo's support queue as callers outside dial it. */
export const SUPPORT_NUMBER = "+15550100";
/** Whoever calls from this address is the demo's trunk: the world outside. */
export const OUTSIDE = "127.0.0.2";
export const DOMAIN = "demo.example";

export interface Person {
  name: string;
  role: string;
  email: string;
  password: string;
  extension: string | null;
  sip_password: string | null;
}

export interface ServerOptions {
  /** Virtual callers; none unless asked for. */
  callsPerMinute?: number;
  /** Virtual agents; none unless asked for. */
  robots?: number;
  /** Where browsers find it; this machine's loopback unless said. */
  host?: string;
  /** Further `CROSSPOINT_*` settings. */
  env?: Record<string, string>;
}

/** `CP_BIN`, or the development build. */
export function binary(): string {
  const path = process.env.CP_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug/crosspoint");
  if (!existsSync(path)) throw new Error(`no ${path}: build it (cargo build --bin crosspoint) or set CP_BIN`);
  return path;
}

export class Server {
  private constructor(
    readonly url: string,
    readonly sipPort: number,
    readonly folder: string,
    readonly people: Person[],
    private program: Program,
    private readonly relaunch: () => Program,
  ) {}

  static async start(options: ServerOptions = {}): Promise<Server> {
    const folder = mkdtempSync(join(tmpdir(), "cp-e2e-"));
    const host = options.host ?? "127.0.0.1";
    const [http, sip, media] = await Promise.all([freePort(host), freePort(), freeBlock(MEDIA_PORTS)]);
    const url = `http://${host}:${http}`;
    const args = ["demo", "--plain", "--calls-per-minute", String(options.callsPerMinute ?? 0), "--robots", String(options.robots ?? 0)];
    const env = {
      ...process.env,
      CROSSPOINT_DATA: join(folder, "data"),
      CROSSPOINT_HTTP_LISTEN: `${host}:${http}`,
      CROSSPOINT_SIP_UDP: `127.0.0.1:${sip}`,
      CROSSPOINT_SIP_TCP: `127.0.0.1:${sip}`,
      CROSSPOINT_MEDIA_ADDRESS: "127.0.0.1",
      CROSSPOINT_MEDIA_PORTS: `${media}-${media + MEDIA_PORTS - 1}`,
      ...options.env,
    };
    const launch = () => new Program("crosspoint", binary(), args, { cwd: folder, env });
    const program = launch();
    await healthy(url, program);
    const people = JSON.parse(readFileSync(join(folder, "data/demo-people.json"), "utf8")) as { people: Person[] };
    return new Server(url, sip, folder, people.people, program, launch);
  }

  get log(): string {
    return this.program.log;
  }

  /** Anna and Ben are agents, Sofia supervises, Admin administers. */
  person(name: string): Person {
    const found = this.people.find((p) => p.name === name);
    if (!found) throw new Error(`no ${name} among the demo's people`);
    return found;
  }

  /** The API as this person of the demo sees it. */
  as(name: string): Promise<Api> {
    return this.open(this.person(name));
  }

  /** The API as whoever signs in so sees it. Throws when the password is not all that is wanted. */
  async open(person: Pick<Person, "email" | "password">): Promise<Api> {
    const open = connect({ baseUrl: this.url });
    const session = await answer(open.POST("/v1/sessions", { body: { login: person.email, password: person.password, kind: "token" } }));
    if ("methods" in session) throw new Error("a second factor is wanted");
    return connect({ baseUrl: this.url, token: session.token ?? "" });
  }

  /** The agent row of a person. */
  async agent(name: string): Promise<Schemas["Agent"]> {
    const api = await this.as("Sofia");
    const agents = await all((cursor) => api.GET("/v1/agents", { params: { query: { limit: 200, ...(cursor ? { cursor } : {}) } } }));
    const found = agents.find((a) => a.name === name);
    if (!found) throw new Error(`no agent ${name}`);
    return found;
  }

  /** Kinds of an interaction's events, in order. */
  async trail(interaction: string): Promise<string[]> {
    const api = await this.as("Sofia");
    const page = await answer(
      api.GET("/v1/interactions/{id}/events", { params: { path: { id: interaction }, query: { limit: 1000 } } }),
    );
    return (page as { items: { type: string }[] }).items.map((e) => e.type);
  }

  /** `kill -9` and a new start on the same data and ports. */
  async crashAndRestart(): Promise<void> {
    await this.program.stop("SIGKILL");
    this.program = this.relaunch();
    await healthy(this.url, this.program);
  }

  async stop(): Promise<void> {
    // Not politely: it would let calls end first, up to 8 s a file. Drain has tests of its own.
    await this.program.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function healthy(url: string, program: Program): Promise<void> {
  await until(
    "the server to be healthy",
    async () => {
      program.assertRunning();
      return (await fetch(`${url}/readyz`)).ok;
    },
    START_MS_MAX,
  );
}
