// baresip as a desk phone or as a caller: a tone for a microphone, a file for an ear, driven by its
// control socket.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { freeBlock, freePort } from "./ports.js";
import { Program } from "./process.js";
import { DOMAIN, OUTSIDE, type Person, type Server } from "./server.js";
import { toneLevel, toneShare, wavSamples } from "./tone.js";
import { until } from "./wait.js";

const RTP_PORTS = 20;
const LAUNCHES_MAX = 3;
/** What is listened to at a time. */
const EAR_MS = 400;

export interface PhoneOptions {
  autoAnswer?: boolean;
  toneHz?: number;
  codecs?: string;
  /** Keeps what goes over the wire, for `requests`. */
  trace?: boolean;
}

interface PhoneEvent {
  event?: boolean;
  class?: string;
  type?: string;
  param?: string;
  /** The answer to a command, by the token it was given. */
  response?: boolean;
  ok?: boolean;
  data?: string;
  token?: string;
}

export class Phone {
  private readonly events: PhoneEvent[] = [];
  private asked = 0;
  private constructor(
    private readonly program: Program,
    private readonly folder: string,
    private readonly control: Socket,
    private readonly server: Server,
  ) {}

  /** The desk phone of a person of the demo, registered. */
  static async ofPerson(server: Server, person: Person, options: PhoneOptions = {}): Promise<Phone> {
    if (!person.extension) throw new Error(`${person.name} has no phone`);
    const phone = await Phone.launch(server, "127.0.0.1", options);
    await phone.run(
      "uanew",
      `<sip:${person.extension}@${DOMAIN};transport=udp>;auth_pass=${person.sip_password};` +
        `outbound="sip:127.0.0.1:${server.sipPort};transport=udp";regint=600;audio_codecs=${options.codecs ?? "PCMU"}` +
        (options.autoAnswer ? ";answermode=auto" : ""),
    );
    await phone.expect("REGISTER_OK");
    return phone;
  }

  /** Somebody outside who calls by the demo's trunk. */
  static async outside(server: Server, number = "+15557001", options: PhoneOptions = {}): Promise<Phone> {
    const phone = await Phone.launch(server, OUTSIDE, options);
    await phone.run(
      "uanew",
      `"Outside" <sip:${number}@${OUTSIDE};transport=udp>;regint=0;outbound="sip:127.0.0.1:${server.sipPort};transport=udp";` +
        `audio_codecs=${options.codecs ?? "PCMU"}`,
    );
    return phone;
  }

  /** A port that was free may be taken by the time baresip binds it, and then it ends: with others it starts. */
  private static async launch(server: Server, host: string, options: PhoneOptions): Promise<Phone> {
    for (let attempt = 1; ; attempt++) {
      const phone = await Phone.start(server, host, options);
      if (phone) return phone;
      if (attempt === LAUNCHES_MAX) throw new Error(`baresip ended ${LAUNCHES_MAX} times as soon as it was started`);
    }
  }

  private static async start(server: Server, host: string, options: PhoneOptions): Promise<Phone | undefined> {
    // baresip builds the names of its recordings in 128 bytes: the folder's name is short.
    const folder = mkdtempSync("/tmp/ph-");
    const [control, sip, rtp] = await Promise.all([freePort(), freePort(host), freeBlock(RTP_PORTS, host)]);
    writeFileSync(join(folder, "accounts"), "# added by command\n");
    writeFileSync(join(folder, "contacts"), "");
    const config = [
      "poll_method epoll",
      `net_interface ${host}`,
      `sip_listen ${host}:${sip}`,
      "call_local_timeout 120",
      "call_max_calls 4",
      `audio_source ausine,${options.toneHz ?? 1000}`,
      "audio_player none,none",
      "audio_alert none,none",
      "ausrc_srate 48000\nausrc_channels 2\nauplay_srate 48000\nauplay_channels 2",
      "audio_buffer 20-160",
      `rtp_ports ${rtp}-${rtp + RTP_PORTS - 1}`,
      "rtcp_enable yes",
      "jitter_buffer_delay 0-0",
      "module_path /usr/lib/baresip/modules",
      "module g711.so\nmodule g722.so\nmodule opus.so\nmodule srtp.so\nmodule ausine.so\nmodule sndfile.so",
      "module_tmp uuid.so\nmodule_tmp account.so",
      "module_app menu.so\nmodule_app ctrl_tcp.so",
      `ctrl_tcp_listen 127.0.0.1:${control}`,
      `snd_path ${folder}`,
    ];
    writeFileSync(join(folder, "config"), `${config.join("\n")}\n`);
    const program = new Program("baresip", "baresip", [...(options.trace ? ["-s"] : []), "-f", folder], { cwd: folder });
    const socket = await until("baresip's control socket", async () => (program.ended ? "ended" : open(control)));
    if (socket === "ended") {
      rmSync(folder, { recursive: true, force: true });
      return undefined;
    }
    const phone = new Phone(program, folder, socket, server);
    phone.listen();
    return phone;
  }

  private listen(): void {
    let buffer = Buffer.alloc(0);
    this.control.on("data", (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (;;) {
        const colon = buffer.indexOf(":");
        if (colon < 0) return;
        const length = Number(buffer.subarray(0, colon).toString());
        const end = colon + 1 + length;
        if (buffer.length <= end) return;
        this.events.push(JSON.parse(buffer.subarray(colon + 1, end).toString()) as PhoneEvent);
        buffer = buffer.subarray(end + 1);
      }
    });
    this.control.on("error", () => {});
  }

  /** A command whose work is done when this returns. */
  private async run(command: string, params: string): Promise<void> {
    const token = `${command}-${this.asked++}`;
    this.command(command, params, token);
    const reply = await until(`baresip's answer to ${command}`, () => this.events.find((e) => e.response && e.token === token));
    if (!reply.ok) throw new Error(`baresip refused ${command}: ${reply.data ?? ""}`);
  }

  private command(command: string, params = "", token?: string): void {
    const message = JSON.stringify({ command, params, token });
    this.control.write(`${Buffer.byteLength(message)}:${message},`);
  }

  /** Waits for the next event of this type (CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED, …). */
  async expect(type: string): Promise<PhoneEvent> {
    return until(`${type} at the phone`, () => {
      const at = this.events.findIndex((e) => e.event && e.type === type);
      return at >= 0 ? this.events.splice(at, 1)[0] : undefined;
    });
  }
  /** Whether an event of this type came, without waiting. */
  saw(type: string): boolean {
    return this.events.some((e) => e.event && e.type === type);
  }

  /** How many requests of this method it sent and got. */
  requests(method: string): number {
    return this.program.log.match(new RegExp(`^${method} sip:`, "gm"))?.length ?? 0;
  }

  /** Dials a number or an extension at the server. */
  dial(number: string): void {
    this.command("dial", `sip:${number}@${DOMAIN}`);
  }
  dialOutside(number: string): void {
    this.command("dial", `sip:${number}@127.0.0.1:${this.server.sipPort}`);
  }
  answer(): void {
    this.command("accept");
  }
  /**
   * Answers what its person accepted on the page: the phone is then called anew, with the wish to answer
   * by itself. This one does not know that wish, so it rings twice.
   */
  async answerAccepted(): Promise<void> {
    await this.expect("CALL_INCOMING");
    await this.expect("CALL_CLOSED");
    await this.expect("CALL_INCOMING");
    this.answer();
  }
  /** Keys digits during a call (RFC 4733). */
  digits(digits: string): void {
    for (const digit of digits) {
      this.command("sndcode", digit);
      // A released key is an empty code; baresip ends the event with it.
      this.command("sndcode");
    }
  }
  hangUp(): void {
    this.command("hangup");
  }

  /** Share (0 to 1) of what is heard lately that is this tone. */
  async hears(hz: number): Promise<number> {
    const name = readdirSync(this.folder).filter((f) => f.endsWith("-dec.wav")).sort().at(-1);
    if (!name) return 0;
    const { samples, rate } = wavSamples(readFileSync(join(this.folder, name)));
    const length = Math.round((rate * EAR_MS) / 1000);
    if (samples.length < length) return 0;
    return toneShare(samples.subarray(samples.length - length), rate, hz);
  }

  /** Level in dB of a tone in the left and the right ear, lately; `null` while it hears in mono. */
  ears(hz: number): [number, number] | null {
    const name = readdirSync(this.folder).filter((f) => f.endsWith("-dec.wav")).sort().at(-1);
    if (!name) return null;
    const file = readFileSync(join(this.folder, name));
    const levels = [0, 1].map((channel) => {
      const { samples, rate, channels } = wavSamples(file, channel);
      return channels === 2 ? toneLevel(samples.subarray(-Math.round((rate * EAR_MS) / 1000)), rate, hz) : null;
    });
    const [left, right] = levels;
    return left == null || right == null ? null : [left, right];
  }

  async stop(): Promise<void> {
    this.control.destroy();
    await this.program.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function open(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}
