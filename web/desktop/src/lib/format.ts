// How things are written for people.

import { formatLocale, t } from "./i18n";
import { ownExtension } from "./names";
import type { Address, CallStatus, LegRole, LiveInteraction, Presence, RoutingState } from "./live-types";

/** In a text from right to left the plus of a number stays before it. */
const leftToRight = (text: string): string => (document.documentElement.dir === "rtl" ? `\u200e${text}` : text);

export function address(a: Address | undefined, name?: string | null): string {
  const plain = !a || a.kind === "anonymous" ? t("Anonymous") : a.kind === "sip" ? a.value.replace(/^sips?:/, "") : a.kind === "number" ? leftToRight(a.value) : a.value;
  return name || plain;
}
export const plainAddress = (a: Address | undefined): string => address(a);

type Parties = Pick<LiveInteraction, "direction" | "from" | "from_name" | "to"> & { card?: { name?: string | null } | null };

/** Whether it was called from here, by us or by this very agent. */
export function placedByUs(i: Parties): boolean {
  const own = ownExtension();
  return i.direction === "outbound" || (i.direction === "internal" && own !== null && i.from.kind === "extension" && i.from.value === own);
}

/** The far side of it: whom an agent talks to. */
export const farSide = (i: Parties): Address => (placedByUs(i) ? i.to : i.from);

/** Who the interaction is about, as the agent would say it. */
export function customer(i: Parties): string {
  if (placedByUs(i)) return address(i.to);
  const from = address(i.from, i.card?.name ?? i.from_name);
  // Neither is more of a customer than the other.
  return i.direction === "internal" && i.to.kind === "number" ? t("{from} calls {to}", { from, to: address(i.to) }) : from;
}

export function presenceWord(p: Presence | null | undefined): string {
  if (!p) return "–";
  if (typeof p === "object") return p.other;
  return { available: t("Available"), break: t("Break"), meeting: t("Meeting"), training: t("Training"), meal: t("Meal"), offline: t("Offline") }[p];
}

export function stateWord(s: RoutingState): string {
  return { idle: t("Idle"), offered: t("Ringing"), interacting: t("In a call"), wrap_up: t("Wrap-up"), not_responding: t("Not responding") }[s];
}

export function statusWord(s: CallStatus): string {
  return { dialing: t("Dialling"), ringing: t("Ringing"), connected: t("Connected"), disconnected: t("Ended") }[s];
}

export function roleWord(r: LegRole): string {
  return { customer: t("Customer"), agent: t("Agent"), consulted: t("Consulted"), supervisor: t("Supervisor"), party: t("Party") }[r];
}

/** 65 s is 1:05, an hour 1:00:00. */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

export const timeOfDay = (at: string | number): string =>
  new Intl.DateTimeFormat(formatLocale(), { hour: "2-digit", hourCycle: "h23", minute: "2-digit" }).format(new Date(at));
export const timeWithSeconds = (at: string | number): string =>
  new Intl.DateTimeFormat(formatLocale(), { hour: "2-digit", hourCycle: "h23", minute: "2-digit", second: "2-digit" }).format(new Date(at));
export const day = (at: string | number): string => new Intl.DateTimeFormat(formatLocale(), { day: "numeric", month: "short", year: "numeric" }).format(new Date(at));
export const dayTime = (at: string | number): string =>
  new Intl.DateTimeFormat(formatLocale(), { day: "numeric", month: "short", hour: "2-digit", hourCycle: "h23", minute: "2-digit" }).format(new Date(at));
export const number = (n: number, digits = 0): string => new Intl.NumberFormat(formatLocale(), { maximumFractionDigits: digits }).format(n);
export const percent = (n: number | null | undefined): string => (n === null || n === undefined ? "–" : `${number(n)} %`);

/** When it was, short: the time today, else the day too. */
export function when(at: string): string {
  return new Date(at).toDateString() === new Date().toDateString() ? timeOfDay(at) : dayTime(at);
}
