// The one WebSocket: events, heartbeats and the softphone's signalling (docs/webrtc.md) share it,
// and with it one lease. It comes back by itself, where it left off.

import { Emitter } from "./emitter";
import { every } from "./beat";
import type { StreamEvent } from "./live-types";

export type Health = "connecting" | "connected" | "slow" | "lost";

export interface HealthReport {
  state: Health;
  /** Round trip of the last heartbeat. */
  rttMs: number | null;
}

/** Frames of the softphone's signalling. */
export interface MediaFrame {
  media: string;
  ref?: string;
  [name: string]: unknown;
}

const RETRY_MS = [250, 500, 1_000, 2_000, 4_000, 8_000];
/** A heartbeat answered later than this is told as a slow connection. */
const SLOW_MS = 1_500;
/** Without an answer for this long the connection counts as lost and is made anew. */
const SILENCE_MS_MAX = 12_000;
const SIGNED_OUT = 4401;
/** When a tab may have slept, or the network was away: it looks at once. */
const WAKES: [EventTarget, string][] = [[window, "online"], [window, "focus"], [window, "pageshow"], [document, "visibilitychange"], [document, "resume"]];

export class Socket {
  readonly events = new Emitter<StreamEvent>();
  readonly media = new Emitter<MediaFrame>();
  readonly health = new Emitter<HealthReport>();
  /** The socket stands; `true` when it was resumed and nothing was missed. */
  readonly open = new Emitter<boolean>();
  readonly signedOut = new Emitter();
  report: HealthReport = { state: "connecting", rttMs: null };

  private ws: WebSocket | null = null;
  private cursor: string | null = null;
  private tries = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private stopBeat: () => void = () => {};
  private beatAt = 0;
  private heardAt = 0;
  private wanted = false;

  start(cursor: string | null): void {
    this.stop();
    this.wanted = true;
    this.cursor = cursor;
    this.connect();
    for (const [target, kind] of WAKES) target.addEventListener(kind, this.wake);
  }

  stop(): void {
    this.wanted = false;
    clearTimeout(this.retry);
    this.stopBeat();
    for (const [target, kind] of WAKES) target.removeEventListener(kind, this.wake);
    const ws = this.ws;
    this.ws = null;
    ws?.close(1000);
  }

  get connected(): boolean {
    return this.ws?.readyState === WebSocket.OPEN;
  }

  /** Whether it could be sent. */
  send(frame: object): boolean {
    if (!this.connected) return false;
    this.ws?.send(JSON.stringify(frame));
    return true;
  }

  /** A tab that slept, or a network that came back: look at once. */
  private wake = (): void => {
    if (document.visibilityState === "hidden" || !this.wanted) return;
    if (this.connected) this.heartbeat();
    else {
      clearTimeout(this.retry);
      this.connect();
    }
  };

  private tell(state: Health, rttMs: number | null = this.report.rttMs): void {
    if (this.report.state === state && this.report.rttMs === rttMs) return;
    this.report = { state, rttMs };
    this.health.emit(this.report);
  }

  private connect(): void {
    if (this.ws && this.ws.readyState <= WebSocket.OPEN) return;
    const url = new URL("/v1/events", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.cursor !== null) url.searchParams.set("cursor", this.cursor);
    const ws = new WebSocket(url);
    this.ws = ws;
    ws.onmessage = (message) => {
      if (this.ws === ws) this.hear(JSON.parse(String(message.data)) as Record<string, unknown>);
    };
    ws.onclose = (close) => {
      if (this.ws !== ws) return;
      this.ws = null;
      this.stopBeat();
      if (close.code === SIGNED_OUT) {
        this.stop();
        this.signedOut.emit();
        return;
      }
      this.again();
    };
  }

  private again(): void {
    if (!this.wanted) return;
    this.tell(this.tries > 1 ? "lost" : "connecting", null);
    const wait = RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)] ?? 8_000;
    this.tries += 1;
    // Spread, so that a restarted server does not meet all desktops at once.
    this.retry = setTimeout(() => this.connect(), wait * (0.5 + Math.random()));
  }

  private hear(frame: Record<string, unknown>): void {
    this.heardAt = Date.now();
    if (typeof frame.specversion === "string") {
      const event = frame as unknown as StreamEvent;
      if (event.cursor) this.cursor = event.cursor;
      this.events.emit(event);
    } else if (typeof frame.media === "string") {
      this.media.emit(frame as unknown as MediaFrame);
    } else if (frame.control === "hello") {
      this.greeted(Number(frame.heartbeat_ms) || 5_000, String(frame.cursor ?? ""));
    } else if (frame.control === "heartbeat") {
      if (typeof frame.cursor === "string") this.cursor = frame.cursor;
      const rtt = Date.now() - this.beatAt;
      this.tell(rtt > SLOW_MS ? "slow" : "connected", rtt);
    }
  }

  private greeted(everyMs: number, cursor: string): void {
    const resumed = this.cursor !== null && this.cursor === cursor;
    this.cursor = cursor;
    this.tries = 0;
    this.tell("connected");
    this.stopBeat();
    this.stopBeat = every(everyMs, () => this.heartbeat());
    this.heartbeat();
    this.open.emit(resumed);
  }

  private heartbeat(): void {
    if (this.heardAt && Date.now() - this.heardAt > SILENCE_MS_MAX) {
      this.tell("lost", null);
      const ws = this.ws;
      this.ws = null;
      ws?.close();
      this.heardAt = 0;
      this.again();
      return;
    }
    this.beatAt = Date.now();
    this.send({ control: "heartbeat" });
  }
}

export const socket = new Socket();
