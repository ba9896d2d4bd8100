// A caller by a trunk that writes its own INVITE: header lines that no softphone would send.

import { createSocket, type Socket } from "node:dgram";
import { freePort } from "./ports.js";
import { OUTSIDE, type Server } from "./server.js";
import { until } from "./wait.js";

export class SipCaller {
  private answers: string[] = [];
  private readonly branch = `z9hG4bK${Math.random().toString(36).slice(2)}`;
  private readonly id = Math.random().toString(36).slice(2);
  private constructor(
    private readonly socket: Socket,
    private readonly port: number,
    private readonly server: Server,
    private readonly from: string,
  ) {
    socket.on("message", (text) => this.answers.push(text.toString()));
  }

  static async start(server: Server, from = "+12155551212"): Promise<SipCaller> {
    const port = await freePort(OUTSIDE);
    const socket = createSocket("udp4");
    await new Promise<void>((bound) => socket.bind(port, OUTSIDE, bound));
    return new SipCaller(socket, port, server, from);
  }

  private request(method: string, to: string, more: string[] = [], body = ""): string {
    const head = [
      `${method} sip:${to}@127.0.0.1:${this.server.sipPort} SIP/2.0`,
      `Via: SIP/2.0/UDP ${OUTSIDE}:${this.port};branch=${this.branch};rport`,
      "Max-Forwards: 70",
      `From: "Caller" <sip:${this.from}@${OUTSIDE}>;tag=${this.id}`,
      `To: <sip:${to}@127.0.0.1>`,
      `Call-ID: ${this.id}`,
      `CSeq: 1 ${method}`,
      `Contact: <sip:caller@${OUTSIDE}:${this.port}>`,
      ...more,
      ...(body ? ["Content-Type: application/sdp"] : []),
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    return `${head.join("\r\n")}\r\n\r\n${body}`;
  }

  private send(text: string): void {
    this.socket.send(text, this.server.sipPort, "127.0.0.1");
  }

  /** Calls; `more` are header lines. */
  invite(to: string, more: string[] = []): void {
    const sdp = ["v=0", `o=- 1 1 IN IP4 ${OUTSIDE}`, "s=-", `c=IN IP4 ${OUTSIDE}`, "t=0 0", `m=audio ${this.port + 2} RTP/AVP 0`, "a=rtpmap:0 PCMU/8000", ""];
    this.send(this.request("INVITE", to, more, sdp.join("\r\n")));
  }

  cancel(to: string): void {
    this.send(this.request("CANCEL", to));
  }

  /** Waits for an answer of this status to the INVITE. */
  async status(status: number): Promise<string> {
    return until(`${status} at the caller`, () => this.answers.find((a) => a.startsWith(`SIP/2.0 ${status} `) && /CSeq: 1 INVITE/i.test(a)));
  }

  stop(): void {
    this.socket.close();
  }
}
