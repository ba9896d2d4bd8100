// A network of its own with two ways to the server, and a browser in it: cables are pulled for real, and a firewall's
// rules are the kernel's. Needs root; where that is missing, `unable` says so.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const run = (command: string): string => {
  const [program, ...args] = command.split(" ");
  return execFileSync(program ?? "", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
};

/** What stands against it on this machine, or nothing. */
export function unable(): string | null {
  const name = `cp-look-${process.pid}`;
  try {
    run(`ip netns add ${name}`);
    run(`ip netns exec ${name} ip link add way0 type veth peer name way1`);
    return null;
  } catch (error) {
    return `no network namespaces here (${String((error as { stderr?: string }).stderr ?? error).trim()})`;
  } finally {
    try {
      run(`ip netns del ${name}`);
    } catch {
      // It was not made.
    }
  }
}

/** Two cables from a namespace to this machine; the first is preferred. The server's address is reached by both. */
export class TwoPaths {
  /** Where the server listens. */
  readonly server: string;
  /** The browser's addresses by the two cables. */
  readonly addresses: [string, string];
  /** To be run instead of the browser: it is the browser, inside. */
  readonly chromium: string;
  private readonly name = `cp-${process.pid}`;
  private readonly folder = mkdtempSync(join(tmpdir(), "cp-paths-"));
  private readonly net: string;

  constructor(program: string) {
    // An own network for each process, from the range for measurements (RFC 2544), which nobody routes.
    this.net = `198.18.${process.pid % 256}`;
    this.server = `${this.net}.1`;
    this.addresses = [`${this.net}.34`, `${this.net}.66`];
    run(`ip netns add ${this.name}`);
    try {
      this.inside("ip link set lo up");
      for (const n of [0, 1]) {
        const [outer, near, far] = [this.outer(n), `${this.net}.${33 + 32 * n}`, this.addresses[n]];
        run(`ip link add ${outer} type veth peer name way${n} netns ${this.name}`);
        run(`ip address add ${near}/28 dev ${outer}`);
        run(`ip link set ${outer} up`);
        this.inside(`ip address add ${far}/28 dev way${n}`);
        this.inside(`ip link set way${n} up`);
        this.inside(`ip route add default via ${near} dev way${n} metric ${10 + n}`);
      }
      run(`ip address add ${this.server}/32 dev ${this.outer(0)}`);
    } catch (error) {
      this.remove();
      throw error;
    }
    this.chromium = join(this.folder, "chromium");
    writeFileSync(this.chromium, `#!/bin/sh\nexec nsenter --net=/run/netns/${this.name} ${program} "$@"\n`);
    chmodSync(this.chromium, 0o755);
  }

  private outer(n: number): string {
    return `cp${process.pid}w${n}`;
  }
  private inside(command: string): string {
    return run(`ip netns exec ${this.name} ${command}`);
  }

  /** The cable is pulled out; its address goes with it. */
  pull(n: 0 | 1): void {
    this.inside(`ip link set way${n} down`);
    this.inside(`ip address flush dev way${n}`);
  }
  /** It is plugged in again. */
  plug(n: 0 | 1): void {
    this.inside(`ip address add ${this.addresses[n]}/28 dev way${n}`);
    this.inside(`ip link set way${n} up`);
    this.inside(`ip route add default via ${this.net}.${33 + 32 * n} dev way${n} metric ${10 + n}`);
  }
  /** A firewall lets nothing of this out: `udp`, or `tcp` to a port of the server. Gives the way to lift it. */
  forbid(protocol: "udp" | "tcp", port?: number): () => void {
    const rule = `ipproto ${protocol} to ${this.server}${port === undefined ? "" : ` dport ${port}`} prohibit`;
    this.inside(`ip rule add ${rule}`);
    return () => void this.inside(`ip rule del ${rule}`);
  }
  /** Nothing is left of it. */
  remove(): void {
    for (const command of [`ip link del ${this.outer(0)}`, `ip link del ${this.outer(1)}`, `ip netns del ${this.name}`]) {
      try {
        run(command);
      } catch {
        // It went with something else.
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
