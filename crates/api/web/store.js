// What the page knows: the session, the configuration's names, and the live state. One refresh at a
// time, asked for by events and limited in rate, so that a busy floor does not drown the page.

import { all, call, Events, get, onSignedOut, setCsrf } from "./api.js";

const REFRESH_MS = 400;

export const state = {
  session: null,
  health: { state: "connecting", ms: null },
  /** Server's clock minus ours, in ms. */
  skew: 0,
  live: null,
  names: { agents: new Map(), queues: new Map(), codes: [], phones: new Map() },
};

const listeners = new Set();
export const changed = () => listeners.forEach((f) => f());
export const onChange = (f) => (listeners.add(f), () => listeners.delete(f));
const eventListeners = new Set();
export const onEvent = (f) => (eventListeners.add(f), () => eventListeners.delete(f));

export const may = (permission) => state.session?.permissions.includes(permission) ?? false;
export const now = () => Date.now() + state.skew;

const events = new Events({
  event(event) {
    eventListeners.forEach((f) => f(event));
    if (event.type.startsWith("tenant.")) loadNames();
    refresh();
  },
  health(word, ms, fresh) {
    state.health = { state: word, ms: ms ?? (word === "connected" ? state.health.ms : null) };
    if (fresh) refresh();
    changed();
  },
});

onSignedOut(() => leave());

export async function enter(session) {
  state.session = session;
  localStorage.setItem("signed-in", "1");
  setCsrf(session.csrf_token);
  await loadNames();
  await reload();
  events.start(state.live?.cursor ?? null);
  changed();
}

export function leave() {
  if (!state.session) return;
  events.stop();
  localStorage.removeItem("signed-in");
  state.session = null;
  state.live = null;
  setCsrf("");
  changed();
}

export async function signOut() {
  await call("DELETE", "/v1/sessions/current").catch(() => {});
  leave();
}

export async function loadNames() {
  const map = (rows) => new Map(rows.map((r) => [r.id, r]));
  const list = (path, permission) => (may(permission) ? all(path).catch(() => []) : Promise.resolve([]));
  const [agents, queues, codes, phones] = await Promise.all([
    list("/v1/agents", "agents:read"),
    list("/v1/queues", "queues:read"),
    list("/v1/wrap-up-codes", "wrap-up-codes:read"),
    may("phones:read") || may("phones:read-own") ? all("/v1/phones").catch(() => []) : [],
  ]);
  state.names = { agents: map(agents), queues: map(queues), codes, phones: map(phones) };
  changed();
}

let last = 0;
let timer = null;
let running = false;

/** Soon, but not too often; the first at once. */
export function refresh() {
  if (timer || !state.session) return;
  const wait = running ? REFRESH_MS : Math.max(0, last + REFRESH_MS - Date.now());
  timer = setTimeout(() => {
    timer = null;
    reload();
  }, wait);
}

async function reload() {
  running = true;
  last = Date.now();
  try {
    const live = await get("/v1/live");
    state.live = live;
    state.skew = Date.parse(live.at) - Date.now();
  } catch {
    // The health indicator tells; the next event or heartbeat asks again.
  } finally {
    running = false;
  }
  changed();
}

export const agentName = (id) => state.names.agents.get(id)?.name ?? "–";
export const queueName = (id) => state.names.queues.get(id)?.name ?? "–";
/** My own live row. */
export const me = () => state.live?.agents.find((a) => a.id === state.session?.agent) ?? null;
