// Child processes: their output is kept, their end is waited for, none is left behind.

import { spawn, type ChildProcess } from "node:child_process";

/** Output kept of each program; older output goes. */
const LOG_CHARS_MAX = 400_000;
/** From the polite signal to the other one. */
const STOP_MS_MAX = 8_000;

const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export class Program {
  readonly child: ChildProcess;
  private readonly name: string;
  private text = "";
  private over: Promise<void>;

  constructor(name: string, command: string, args: string[], options: { cwd: string; env?: NodeJS.ProcessEnv }) {
    this.name = name;
    this.child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.child);
    const keep = (chunk: Buffer) => (this.text = (this.text + chunk.toString()).slice(-LOG_CHARS_MAX));
    this.child.stdout?.on("data", keep);
    this.child.stderr?.on("data", keep);
    this.over = new Promise((resolve) => {
      this.child.once("error", (error) => {
        keep(Buffer.from(String(error)));
        resolve();
      });
      this.child.once("exit", () => resolve());
    });
    void this.over.then(() => running.delete(this.child));
  }

  get log(): string {
    return this.text;
  }
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
  /** Throws with the end of its output when it is not running. */
  assertRunning(): void {
    if (this.ended) throw new Error(`${this.name} ended:\n${this.text.slice(-4_000)}`);
  }
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (!this.ended) this.child.kill(signal);
    const force = setTimeout(() => this.child.kill("SIGKILL"), STOP_MS_MAX);
    await this.over;
    clearTimeout(force);
  }
}
