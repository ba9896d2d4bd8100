// The message catalogue. English is the key; another language is an object in `CATALOGUES`.

const CATALOGUES = {};
const language = navigator.language.split("-")[0];
const catalogue = CATALOGUES[language] ?? {};
document.documentElement.lang = CATALOGUES[language] ? language : "en";

/** The text in the reader's language; `{name}` takes a value. */
export function t(text, values = {}) {
  const found = catalogue[text] ?? text;
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const number = new Intl.NumberFormat(document.documentElement.lang);

/** Seconds as m:ss or h:mm:ss. */
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  return hours ? `${hours}:${pad(Math.floor((s % 3600) / 60))}:${pad(s % 60)}` : `${Math.floor(s / 60)}:${pad(s % 60)}`;
}

const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dayAndTime = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const at = (iso) => (iso ? timeOfDay.format(new Date(iso)) : "–");
export const when = (iso) => (iso ? dayAndTime.format(new Date(iso)) : "–");

const PRESENCES = { available: "Available", break: "Break", meeting: "Meeting", training: "Training", meal: "Meal", offline: "Offline" };
export const presenceWord = (p) => (p === null || p === undefined ? "" : typeof p === "string" ? t(PRESENCES[p] ?? p) : p.other);
export const presenceKeys = Object.keys(PRESENCES);

const STATES = { idle: "Idle", offered: "Being offered", interacting: "In a call", wrap_up: "Wrapping up", not_responding: "Not responding" };
export const stateWord = (s) => t(STATES[s] ?? s ?? "");

/** What a person reads of an address. */
export function address(a, name) {
  if (name) return name;
  if (!a || a.kind === "anonymous") return t("Anonymous");
  return a.kind === "sip" ? a.value.replace(/^sips?:/, "") : a.value;
}
