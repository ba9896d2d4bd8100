// The conference of one leg of this browser: who is in it, where each sits, and their voices from there. It
// sounds whether or not the pictures are on the screen.

import { useSyncExternalStore } from "react";
import { currentDevices } from "../lib/devices";
import { Emitter } from "../lib/emitter";
import { NEAR_FOR_MS, Room, seat, type Seat } from "./geometry";
import { Spatial } from "./spatial";

/** One of the voices, as the server tells it (docs/seats.md). */
export interface Party {
  party: string;
  /** The line on which it comes alone; `null`: it comes mixed with the others. */
  mid: string | null;
  name: string;
  role: "customer" | "agent" | "consulted" | "supervisor" | "party";
  agent: string | null;
}

const OWN_SEAT: Seat = { x: 0, y: 0 };
const BEHIND: Seat = { x: 0, y: 1 };
/** The customer sits at the left, colleagues at the right. */
const ORDER: Record<Party["role"], number> = { customer: 0, party: 1, consulted: 2, agent: 3, supervisor: 4 };

export class Stage {
  readonly room = new Room();
  parties: Party[] = [];
  speaking: string[] = [];
  own: Seat = OWN_SEAT;
  private readonly changed = new Emitter();
  private version = 0;
  private context: AudioContext | null = null;
  private spatial: Spatial | null = null;
  private readonly lines = new Map<string, MediaStream>();
  /** Who sounds now, and from which line. */
  private readonly sounding = new Map<string, string>();
  private readonly pumps = new Map<string, HTMLAudioElement>();

  readonly subscribe = this.changed.on;
  readonly snapshot = (): number => this.version;

  private tell(): void {
    this.version++;
    this.changed.emit();
  }

  /** A line of the peer connection has a track. */
  line(mid: string, stream: MediaStream): void {
    this.lines.set(mid, stream);
    // Chromium gives a remote track to Web Audio only while an element plays it.
    const pump = new Audio();
    pump.muted = true;
    pump.srcObject = stream;
    void pump.play().catch(() => {});
    this.pumps.set(mid, pump);
    this.sound();
  }

  hear(parties: Party[]): void {
    this.parties = [...parties].sort((a, b) => ORDER[a.role] - ORDER[b.role]);
    const behind = this.parties.filter((p) => p.role === "supervisor").map((p) => p.party);
    this.room.arrange(this.parties.map((p) => p.party).filter((id) => !behind.includes(id)));
    for (const id of behind) this.room.put(id, BEHIND);
    this.sound();
    this.tell();
  }

  speaks(parties: string[]): void {
    this.speaking = parties;
    this.tell();
  }

  /** Makes what is heard agree with what is seen. */
  private sound(): void {
    const wanted = new Map<string, string>();
    for (const p of this.parties) if (p.mid && this.lines.has(p.mid)) wanted.set(p.party, p.mid);
    for (const [who, mid] of this.sounding) {
      if (wanted.get(who) === mid) continue;
      this.spatial?.remove(who);
      this.sounding.delete(who);
    }
    for (const [who, mid] of wanted) {
      const stream = this.lines.get(mid);
      if (this.sounding.has(who) || !stream) continue;
      this.speaker().add(who, stream);
      this.sounding.set(who, mid);
    }
    for (const who of this.sounding.keys()) this.spatial?.place(who, this.room.placeOf(who));
  }

  private speaker(): Spatial {
    if (!this.spatial) {
      const context = new AudioContext();
      const sink = currentDevices().output;
      if (sink && "setSinkId" in context) void (context as AudioContext & { setSinkId(id: string): Promise<void> }).setSinkId(sink).catch(() => {});
      void context.resume();
      this.context = context;
      this.spatial = new Spatial(context);
    }
    return this.spatial;
  }

  /** One comes near for a time; all the others move. */
  select(who: string): void {
    this.room.select(performance.now(), who);
    this.sound();
    this.tell();
    setTimeout(() => {
      if (!this.room.tick(performance.now())) return;
      this.sound();
      this.tell();
    }, NEAR_FOR_MS + 20);
  }

  /** One's own picture is moved; close to another it selects that one. */
  move(to: Seat): void {
    const before = this.room.whispersTo(this.own);
    this.own = seat(to.x, to.y);
    const close = this.room.whispersTo(this.own);
    // Close to one, the room is gone: two heads together.
    if (!close !== !before) this.spatial?.acoustics(close ? "whisper" : "speech");
    if (close && close !== before) this.select(close);
    else this.tell();
  }

  close(): void {
    for (const pump of this.pumps.values()) pump.srcObject = null;
    this.pumps.clear();
    this.lines.clear();
    this.sounding.clear();
    void this.context?.close();
    this.context = null;
    this.spatial = null;
  }
}

const none = () => () => {};

/** Draws again when somebody comes, goes, moves or speaks. */
export function useStage(stage: Stage | null): Stage | null {
  useSyncExternalStore(stage?.subscribe ?? none, stage?.snapshot ?? (() => 0));
  return stage;
}
