// Conference seats: from pictures on the screen to directions and nearness. The same rules as
// cp_media::seats on the server; both are held to the same tests.

/** `x` from -1 (left) to 1 (right), `y` from 0 (front) to 1 (back): a part of the session, not of anybody's head. */
export interface Seat {
  x: number;
  y: number;
}

export interface Place {
  /** -90 (left) … 0 (ahead) … 90 (right). */
  azimuthDeg: number;
  distance: number;
  gainDb: number;
}

/** How long a selected one stays near. */
export const NEAR_FOR_MS = 8_000;
/** One's own picture this close to another speaks to that one. */
export const WHISPER_DISTANCE = 0.22;
const ASIDE = 0.3;
const BACK = 0.5;
const BEFORE_FRONT = 0.45;
const DISTANCE_MIN = 0.3;
const EMPHASIS_DB = 6.5;

const within = (value: number, min: number) => (Number.isFinite(value) ? Math.min(1, Math.max(min, value)) : 0);
export const seat = (x: number, y: number): Seat => ({ x: within(x, -1), y: within(y, 0) });
const degrees = (radians: number) => (radians * 180) / Math.PI;

export const azimuthDeg = (s: Seat): number => degrees(Math.atan2(s.x, BEFORE_FRONT + s.y));

/** Place of a seat nobody selected: quieter with distance, as in a room. */
export function place(s: Seat): Place {
  const distance = Math.max(DISTANCE_MIN, Math.hypot(s.x, BEFORE_FRONT + s.y));
  return { azimuthDeg: azimuthDeg(s), distance, gainDb: -10 * Math.log10(distance / DISTANCE_MIN) };
}

export type Category = "speech" | "whisper" | "presentation" | "music";
/** Reverberation of the room by what is talked about: share, and length in seconds. */
export const ACOUSTICS: Record<Category, { wet: number; decayS: number }> = {
  speech: { wet: 0.06, decayS: 0.18 },
  whisper: { wet: 0, decayS: 0 },
  presentation: { wet: 0.14, decayS: 0.45 },
  music: { wet: 0.22, decayS: 0.9 },
};

/** Seats in a half circle, first at the left. */
export function halfCircle(n: number): Seat[] {
  return Array.from({ length: n }, (_, i) => {
    const angle = ((i + 0.5) / n - 0.5) * ((150 * Math.PI) / 180);
    return seat(Math.sin(angle), Math.cos(angle) * 0.6);
  });
}

/** Everybody's seats as one listener sees them. */
export class Room {
  private readonly homes = new Map<string, Seat>();
  private selected: { who: string; until: number } | null = null;

  put(who: string, at: Seat): void {
    this.homes.set(who, at);
  }
  leave(who: string): void {
    this.homes.delete(who);
    if (this.selected?.who === who) this.selected = null;
  }
  /** Those who have no seat yet sit in a half circle with the others. */
  arrange(all: string[]): void {
    const seats = halfCircle(all.length);
    all.forEach((who, i) => this.put(who, seats[i] ?? seat(0, 1)));
    for (const who of [...this.homes.keys()]) if (!all.includes(who)) this.leave(who);
  }
  select(now: number, who: string, nearForMs = NEAR_FOR_MS): void {
    if (this.homes.has(who)) this.selected = { who, until: now + nearForMs };
  }
  /** Everybody goes back when the time is over. True: something moved. */
  tick(now: number): boolean {
    if (!this.selected || this.selected.until > now) return false;
    this.selected = null;
    return true;
  }
  get nearest(): string | null {
    return this.selected?.who ?? null;
  }
  whispersTo(own: Seat): string | null {
    let best: [number, string | null] = [WHISPER_DISTANCE, null];
    for (const [who, at] of this.homes) {
      const d = Math.hypot(own.x - at.x, own.y - at.y);
      if (d <= best[0]) best = [d, who];
    }
    return best[1];
  }
  seatOf(who: string): Seat {
    const own = this.homes.get(who) ?? { x: 0, y: 1 };
    const at = this.selected && this.homes.get(this.selected.who);
    if (!this.selected || !at) return own;
    if (this.selected.who === who) return seat(at.x * 0.5, 0);
    const d = own.x - at.x;
    const side = Math.abs(d) < 1e-3 ? (at.x > 0 || Object.is(at.x, 0) ? -1 : 1) : Math.sign(d);
    return seat(own.x + side * ASIDE, own.y + BACK);
  }
  placeOf(who: string): Place {
    const found = place(this.seatOf(who));
    if (this.selected && this.selected.who !== who) {
      const near = place(this.seatOf(this.selected.who)).gainDb;
      found.gainDb = Math.min(found.gainDb, near - EMPHASIS_DB);
    }
    return found;
  }
}
