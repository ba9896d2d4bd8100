// A browser as a phone, without a page of ours: a page of the server's origin with nothing on it that speaks the
// messages of docs/webrtc.md. What the tests call runs inside the page.

import type { BrowserContext, Page } from "playwright-core";
import type { Person, Server } from "../src/index.js";
import { pageHears, until } from "../src/index.js";

export type Message = Record<string, unknown> & { media?: string; control?: string; type?: string; leg?: unknown };

/** The page's side; kept free of imports, since it is serialised into the page. */
function inPage(): void {
  type Any = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- what the wire brings
  const w = window as Any;
  const d: Any = (w.device = { seen: [] as Any[], waiting: new Map(), pcs: new Map(), tracks: new Map(), ref: 0, servers: [], policy: "all", picture: "", filter: (sdp: string) => sdp });
  d.open = (path: string) =>
    new Promise<void>((resolve, reject) => {
      const ws = new WebSocket(location.origin.replace("http", "ws") + path);
      d.ws = ws;
      ws.onopen = () => resolve();
      ws.onerror = () => reject(new Error("refused"));
      ws.onclose = (e) => d.seen.push({ closed: e.code, reason: e.reason });
      ws.onmessage = (e) => {
        const m = JSON.parse(e.data);
        if (m.ice_servers) d.servers = m.ice_servers;
        const waiting = m.ref && d.waiting.get(m.ref);
        if (waiting) {
          d.waiting.delete(m.ref);
          waiting(m);
        }
        if (m.media === "tracks") {
          d.tracks.set(m.leg, m.tracks);
          if (m.lacking > 0) void d.lines(m.leg, m.lacking);
        }
        if (m.media === "answer") void d.pcs.get(m.leg)?.setRemoteDescription({ type: "answer", sdp: d.filter(m.sdp) });
        d.seen.push(m);
      };
      d.beat = setInterval(() => ws.readyState === 1 && !d.asleep && ws.send(JSON.stringify({ control: "heartbeat" })), 4000);
    });
  d.ask = (m: Any) =>
    new Promise((resolve) => {
      const ref = String(++d.ref);
      d.waiting.set(ref, resolve);
      d.ws.send(JSON.stringify({ ...m, ref }));
    });
  d.media = async (video: boolean) => 
    // A tone that does not end is noise to what cleans voices.
    navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false }, video });
  d.peer = async (video = false, prepare?: (pc: RTCPeerConnection) => void) => {
    const pc: Any = new RTCPeerConnection({ iceServers: d.servers, iceTransportPolicy: d.policy });
    const stream = await d.media(video);
    for (const track of stream.getTracks()) pc.addTrack(track, stream);
    if (d.picture) {
      const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs.filter((c) => c.mimeType === d.picture) ?? [];
      for (const t of pc.getTransceivers()) if (t.receiver.track.kind === "video") t.setCodecPreferences(codecs);
    }
    prepare?.(pc);
    pc.ontrack = (e: RTCTrackEvent) => {
      const first = pc.getTransceivers().find((t: RTCRtpTransceiver) => t.receiver.track.kind === e.track.kind);
      const own = first === e.transceiver ? "" : `-${e.transceiver.mid}`;
      const id = (e.track.kind === "video" ? "far-video" : "far") + own;
      let element = document.getElementById(id) as HTMLMediaElement | null;
      if (!element) {
        element = document.createElement(e.track.kind === "video" ? "video" : "audio") as HTMLMediaElement;
        element.id = id;
        element.autoplay = true;
        document.body.append(element);
      }
      element.srcObject = new MediaStream([e.track]);
      void element.play();
    };
    await pc.setLocalDescription();
    if (d.policy === "relay") await d.gathered(pc);
    return pc;
  };
  d.gathered = (pc: RTCPeerConnection) =>
    new Promise<void>((resolve) => {
      const look = () => pc.iceGatheringState === "complete" && resolve();
      pc.addEventListener("icegatheringstatechange", look);
      look();
    });
  d.call = async (to: Any, video = false, extra = {}) => {
    const pc = await d.peer(video);
    const m: Any = await d.ask({ media: "call", to, sdp: pc.localDescription.sdp, ...extra });
    if (m.media === "calling") d.pcs.set(m.leg, pc);
    return m;
  };
  d.accept = async (leg: string, video = false) => {
    const pc = await d.peer(video);
    d.pcs.set(leg, pc);
    return d.ask({ media: "accept", leg, sdp: pc.localDescription.sdp });
  };
  d.again = async (leg: string, video = false) => {
    const pc = await d.peer(video);
    d.pcs.set(leg, pc);
    return d.ask({ media: "offer", leg, peer: "new", sdp: pc.localDescription.sdp });
  };
  d.offer = async (leg: string, options: RTCOfferOptions = {}) => {
    const pc = d.pcs.get(leg);
    await pc.setLocalDescription(await pc.createOffer(options));
    return d.ask({ media: "offer", leg, sdp: pc.localDescription.sdp });
  };
  /** Room for that many more voices alone. */
  d.lines = async (leg: string, count: number) => {
    const pc = d.pcs.get(leg);
    for (let n = 0; n < count; n++) pc.addTransceiver("audio", { direction: "recvonly" });
    return d.offer(leg);
  };
  d.stats = async (leg: string) => {
    const out: Any[] = [];
    (await d.pcs.get(leg).getStats()).forEach((s: Any) => out.push(s));
    return out;
  };
}

/** One tab. */
export class Device {
  private constructor(readonly page: Page) {}

  static async blank(context: BrowserContext, server: Server): Promise<Device> {
    const page = await context.newPage();
    await page.addInitScript(inPage);
    // Any answer of the server will do for a page: the browser counts one of our own making as foreign.
    await page.goto(`${server.url}/healthz`);
    return new Device(page);
  }

  /** An agent's tab: signed in, on the event socket, attached, available. */
  static async ofAgent(context: BrowserContext, server: Server, person: Person): Promise<Device> {
    const device = await Device.blank(context, server);
    const agent = await server.agent(person.name);
    await device.page.evaluate(
      async ({ login, password, agent }) => {
        const headers = { "content-type": "application/json" };
        const session = await fetch("/v1/sessions", { method: "POST", headers, body: JSON.stringify({ login, password }) });
        const { csrf_token } = await session.json();
        await fetch(`/v1/agents/${agent}/presence`, {
          method: "PUT",
          headers: { ...headers, "x-csrf-token": csrf_token },
          body: JSON.stringify({ presence: "available" }),
        });
      },
      { login: person.email, password: person.password, agent: agent.id as string },
    );
    await device.attach();
    return device;
  }

  async attach(): Promise<Message> {
    await this.run((d) => d.open("/v1/events"));
    return (await this.run((d) => d.ask({ media: "attach" }))) as Message;
  }

  /** Runs in the page with the device. */
  async run<A>(work: (d: any, argument: A) => unknown, argument?: A): Promise<any> { // eslint-disable-line @typescript-eslint/no-explicit-any -- the page's side is untyped
    return this.page.evaluate(`(${work.toString()})(window.device, ${JSON.stringify(argument ?? null)})`);
  }

  /** The next message that fits, seen already or to come. */
  async expect(what: string, fits: (m: Message) => boolean): Promise<Message> {
    return until(`${what} in the page`, async () => ((await this.run((d) => d.seen)) as Message[]).find(fits));
  }
  async expectMedia(media: string, leg?: string): Promise<Message> {
    return this.expect(media, (m) => m.media === media && (leg === undefined || m.leg === leg || (m.leg as Message | undefined)?.leg === leg));
  }
  async ring(): Promise<string> {
    const message = await this.expectMedia("ring");
    return (message.leg as { leg: string }).leg;
  }
  async forget(): Promise<void> {
    await this.run((d) => void (d.seen = []));
  }

  /** Waits until this tone makes up most of what the page hears. */
  async hears(hz: number, least = 0.6): Promise<number> {
    return until(`${hz} Hz in the page`, async () => {
      const share = await pageHears(this.page, "#far", hz, 400);
      return share > least ? share : undefined;
    });
  }
  async share(hz: number, selector = "#far"): Promise<number> {
    return pageHears(this.page, selector, hz, 400);
  }
  /** Where a party's voice comes alone, once it does. */
  async lineOf(leg: string, party: string): Promise<string> {
    const find = (d: any, { leg, party }: { leg: string; party: string }) => // eslint-disable-line @typescript-eslint/no-explicit-any -- the page's side is untyped
      (d.tracks.get(leg) ?? []).find((t: { party: string; mid: string | null }) => t.party === party)?.mid;
    const mid = await until("a line for the voice", () => this.run(find, { leg, party }));
    return `#far-${mid}`;
  }
  /** Frames of video decoded so far on this leg. */
  async frames(leg: string): Promise<number> {
    const stats = (await this.run((d, leg) => d.stats(leg), leg)) as { type: string; kind?: string; framesDecoded?: number }[];
    return stats.find((s) => s.type === "inbound-rtp" && s.kind === "video")?.framesDecoded ?? 0;
  }
  /** How this leg's picture comes in, and how its packets are kept secret. */
  async wire(leg: string): Promise<{ picture?: string; tls?: string }> {
    const stats = (await this.run((d, leg) => d.stats(leg), leg)) as { id: string; type: string; kind?: string; codecId?: string; mimeType?: string; tlsVersion?: string }[];
    const inbound = stats.find((s) => s.type === "inbound-rtp" && s.kind === "video");
    return { picture: stats.find((s) => s.id === inbound?.codecId)?.mimeType, tls: stats.find((s) => s.type === "transport")?.tlsVersion };
  }
  /** Packets of sound so far on this leg. */
  async packets(leg: string): Promise<{ received: number; lost: number }> {
    const stats = (await this.run((d, leg) => d.stats(leg), leg)) as { type: string; kind?: string; packetsReceived?: number; packetsLost?: number }[];
    const sound = stats.find((s) => s.type === "inbound-rtp" && s.kind === "audio");
    return { received: sound?.packetsReceived ?? 0, lost: sound?.packetsLost ?? 0 };
  }
  async selectedProtocol(leg: string): Promise<string | undefined> {
    const stats = (await this.run((d, leg) => d.stats(leg), leg)) as Record<string, string>[];
    const pair = stats.find((s) => s.type === "candidate-pair" && String(s.nominated) === "true" && s.state === "succeeded");
    const local = stats.find((s) => s.id === pair?.localCandidateId);
    return local?.relayProtocol ? `relay-${local.relayProtocol}` : local?.protocol;
  }
}
