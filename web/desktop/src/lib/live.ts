// The live store: read once as a document, then moved on by events. Components follow the part
// they draw; notices are gathered per frame, so that a burst of events is one rendering.

import { useState, useSyncExternalStore } from "react";
import { api, answer } from "./api";
import { Emitter } from "./emitter";
import { apply, emptyState, onTop, type LiveState, type Touched } from "./live-reduce";
import type { LiveAgent, LiveDocument, LiveInteraction, StreamEvent } from "./live-types";
import { session } from "./session";
import { socket } from "./socket";

type Part = "agents" | "queues" | "interactions" | "phones" | "trunks";
const PARTS: Part[] = ["agents", "queues", "interactions", "phones", "trunks"];

/** Between two readings of the document because an event asked for it. */
const RELOAD_MS_MIN = 400;
/** What events do not tell (estimates, shares) is read again this often. */
const RESYNC_MS = 15_000;

let state: LiveState = emptyState();
/** A new array per change of a part: what React compares. */
let snapshots: LiveState = { ...state };
let loaded = false;
let skewMs = 0;

const notices: Record<Part | "loaded", Emitter> = {
  agents: new Emitter(), queues: new Emitter(), interactions: new Emitter(), phones: new Emitter(), trunks: new Emitter(), loaded: new Emitter(),
};
const pending = new Set<Part>();
let frame = 0;
let fallback: ReturnType<typeof setTimeout> | undefined;
/** A tab in the background gets no frames, but its offers ring all the same. */
const FLUSH_MS_MAX = 120;
/** After a document could not be read. */
const RETRY_MS = 1_000;

function flush(): void {
  cancelAnimationFrame(frame);
  clearTimeout(fallback);
  frame = 0;
  const parts = [...pending];
  pending.clear();
  for (const part of parts) snapshots = { ...snapshots, [part]: new Map<string, unknown>(state[part]) };
  for (const part of parts) notices[part].emit();
}

function touch(touched: Touched): void {
  for (const part of PARTS) if (touched[part]) pending.add(part);
  if (!pending.size || frame) return;
  frame = requestAnimationFrame(flush);
  fallback = setTimeout(flush, FLUSH_MS_MAX);
}

/** Now on the server's clock. */
export const serverNow = (): number => Date.now() + skewMs;
/** The newest state, for code outside of rendering. */
export const live = (): LiveState => state;

let reloading: Promise<void> | null = null;
let reloadTimer: ReturnType<typeof setTimeout> | undefined;
let reloadedAt = 0;
/** Whose document it is: what comes after somebody signed out is dropped. */
let following = 0;
/** Events that came while the document was on its way are applied to it again. */
let sinceAsked: StreamEvent[] | null = null;
/** More than these while one document was on its way: another one is read. */
const SINCE_ASKED_MAX = 5_000;

async function readDocument(): Promise<string | null> {
  const follower = following;
  const since: StreamEvent[] = (sinceAsked = []);
  reloadedAt = Date.now();
  const doc = (await answer(api.GET("/v1/live"))) as unknown as LiveDocument;
  if (follower !== following) return doc.cursor;
  skewMs = Date.parse(doc.at) - Date.now();
  const read = onTop(doc, since);
  state = read.state;
  if (read.stale || since.length >= SINCE_ASKED_MAX) setTimeout(reloadSoon);
  if (sinceAsked === since) sinceAsked = null;
  loaded = true;
  touch({ agents: true, queues: true, interactions: true, phones: true, trunks: true });
  notices.loaded.emit();
  return doc.cursor;
}

/** Reads the document again, soon but not too often. */
export function reloadSoon(): void {
  if (reloadTimer || !session()) return;
  const wait = Math.max(0, reloadedAt + RELOAD_MS_MIN - Date.now());
  reloadTimer = setTimeout(() => {
    reloadTimer = undefined;
    if (reloading) {
      // What asked may be newer than the document on its way.
      void reloading.then(reloadSoon);
      return;
    }
    reloading = readDocument()
      .then(() => {})
      .catch(() => void setTimeout(reloadSoon, RETRY_MS))
      .finally(() => (reloading = null));
  }, wait);
}

const afterEvent = new Emitter<StreamEvent>();
/** After an event was applied. */
export const onEvent = afterEvent.on;

socket.events.on((event) => {
  if (sinceAsked && sinceAsked.length < SINCE_ASKED_MAX) sinceAsked.push(event);
  const touched = apply(state, event);
  touch(touched);
  if (touched.stale) reloadSoon();
  afterEvent.emit(event);
});
socket.open.on((resumed) => {
  if (!resumed) reloadSoon();
});

let resync: ReturnType<typeof setInterval> | undefined;

/** Begins to follow; resolves when the first document is there. */
export async function follow(): Promise<void> {
  const cursor = await readDocument();
  socket.start(cursor);
  clearInterval(resync);
  resync = setInterval(() => {
    if (document.visibilityState !== "hidden" && socket.connected) reloadSoon();
  }, RESYNC_MS);
}

export function unfollow(): void {
  following += 1;
  socket.stop();
  clearInterval(resync);
  clearTimeout(reloadTimer);
  reloadTimer = undefined;
  state = emptyState();
  snapshots = { ...state };
  loaded = false;
}

function usePart<P extends Part>(part: P): LiveState[P] {
  return useSyncExternalStore(notices[part].on, () => snapshots[part]);
}
export const useAgents = () => usePart("agents");
export const useQueues = () => usePart("queues");
export const useInteractions = () => usePart("interactions");
export const usePhones = () => usePart("phones");
export const useTrunks = () => usePart("trunks");
export const useLoaded = (): boolean => useSyncExternalStore(notices.loaded.on, () => loaded);

/** Something made of a part; drawn again only when it is not the same any more. */
export function useMade<P extends Part, T>(part: P, make: (rows: LiveState[P]) => T, same: (a: T, b: T) => boolean): T {
  const [last] = useState(() => ({ of: null as unknown, make, value: null as T }));
  return useSyncExternalStore(notices[part].on, () => {
    const of = snapshots[part];
    if (last.of === of && last.make === make) return last.value;
    const value = make(of);
    const keep = last.of !== null && same(last.value, value);
    Object.assign(last, { of, make, value: keep ? last.value : value });
    return last.value;
  });
}
export const sameList = <T>(a: readonly T[], b: readonly T[]): boolean => a.length === b.length && a.every((x, n) => x === b[n]);

/** One row; drawn again only when that row changed. */
export function useAgent(id: string | null | undefined): LiveAgent | undefined {
  return useSyncExternalStore(notices.agents.on, () => (id ? snapshots.agents.get(id) : undefined));
}
export function useInteraction(id: string | null | undefined): LiveInteraction | undefined {
  return useSyncExternalStore(notices.interactions.on, () => (id ? snapshots.interactions.get(id) : undefined));
}
