// Events move the live state as the next document would have it.

import { expect, test } from "vitest";
import { apply, emptyState, onTop, type LiveState } from "../src/lib/live-reduce";
import type { LiveAgent, LiveDocument, LiveQueue, StreamEvent } from "../src/lib/live-types";

const CALL = "int_1";
let n = 0;
const at = (): string => new Date(Date.UTC(2026, 0, 2, 3, 4, n++)).toISOString();

function event(type: string, data: Record<string, unknown>, subject = CALL): StreamEvent {
  const time = at();
  return { specversion: "1.0", id: `${subject}/${n}`, type, time, subject, sequence: n, cursor: String(n), data };
}

function floor(): LiveState {
  const state = emptyState();
  const agent: LiveAgent = { id: "agt_1", presence: "available", state: "idle", since: at(), phone_reachable: true, desktop: true, offers: [], interaction: null, leg: null };
  const queue: LiveQueue = { id: "que_1", waiting: 0, longest_wait_ms: 0, agents_signed_in: 1, agents_available: 1, entered: 0, answered: 0, abandoned: 0 };
  state.agents.set(agent.id, agent);
  state.queues.set(queue.id, queue);
  return state;
}

const number = { kind: "number", value: "+15557001" };
const begin = () => [
  event("interaction.started", { direction: "inbound", from: number, from_name: "Ann", to: number }),
  event("leg.added", { leg: "leg_c", role: "customer", address: number, agent: null }),
  event("leg.answered", { leg: "leg_c" }),
  event("queue.entered", { queue: "que_1", priority: 0, position: 1, wait_estimate_ms: 9_000 }),
];
const offered = () => event("offer.made", { offer: "off_1", agent: "agt_1", queue: "que_1", deadline: at() });

test("a call from the queue to its end", () => {
  const state = floor();
  const agent = () => state.agents.get("agt_1")!;
  for (const e of begin()) expect(apply(state, e).stale).toBeFalsy();
  expect(state.interactions.get(CALL)).toMatchObject({ waiting: true, queue: "que_1", from_name: "Ann" });
  expect(state.queues.get("que_1")).toMatchObject({ entered: 1, wait_estimate_ms: 9_000 });
  apply(state, offered());
  expect(agent().offers).toHaveLength(1);
  for (const e of [
    event("leg.added", { leg: "leg_a", role: "agent", address: number, agent: "agt_1" }),
    event("offer.ended", { offer: "off_1", agent: "agt_1", how: "accepted" }),
    event("agent.state_changed", { agent: "agt_1", state: "interacting", interaction: CALL }, "agt_1"),
    event("leg.answered", { leg: "leg_a" }),
    event("queue.left", { queue: "que_1", exit: "answered", waited_ms: 4_000 }),
    event("recording.started", { recording: "rec_1" }),
    event("leg.held", { leg: "leg_c", by_far_end: false }),
  ])
    apply(state, e);
  expect(agent()).toMatchObject({ state: "interacting", interaction: CALL, leg: "leg_a", offers: [] });
  expect(state.interactions.get(CALL)).toMatchObject({ waiting: false, recording: "on" });
  expect(state.interactions.get(CALL)?.legs.find((l) => l.id === "leg_c")?.held).toBe(true);
  for (const e of [event("leg.ended", { leg: "leg_a", reason: "hung_up" }), event("wrap_up.started", { agent: "agt_1", until: at() }), event("agent.state_changed", { agent: "agt_1", state: "wrap_up", interaction: CALL }, "agt_1"), event("interaction.ended", { reason: "hung_up" })]) apply(state, e);
  expect(agent()).toMatchObject({ state: "wrap_up", leg: null });
  expect(agent().wrap_up_until).toBeTruthy();
  expect(state.interactions.size).toBe(0);
});

test("a consultation: the caller waits, then all are joined, or it is handed over", () => {
  const talking = () => {
    const state = floor();
    for (const e of [...begin(), event("leg.added", { leg: "leg_a", role: "agent", address: number, agent: "agt_1" }), event("leg.answered", { leg: "leg_a" })]) apply(state, e);
    for (const e of [event("leg.added", { leg: "leg_b", role: "consulted", address: number, agent: "agt_2" }), event("consult.started", { by: "leg_a", leg: "leg_b" }), event("leg.answered", { leg: "leg_b" })]) apply(state, e);
    return state;
  };
  const legs = (s: LiveState) => s.interactions.get(CALL)?.legs.map((l) => `${l.id} ${l.role}${l.held ? " held" : ""}`);
  expect(legs(talking())).toEqual(["leg_c customer held", "leg_a agent", "leg_b consulted"]);
  const joined = talking();
  apply(joined, event("conference.merged", { legs: ["leg_c", "leg_a", "leg_b"] }));
  expect(legs(joined)).toEqual(["leg_c customer", "leg_a agent", "leg_b party"]);
  const handed = talking();
  for (const e of [event("transfer.started", { kind_of: "attended", by: "leg_a", to: "1002" }), event("leg.ended", { leg: "leg_a", reason: "transferred" }), event("call.bridged", { legs: ["leg_c", "leg_b"] })]) apply(handed, e);
  expect(legs(handed)).toEqual(["leg_c customer", "leg_b agent"]);
});

test("what is not known asks for the document", () => {
  const state = floor();
  expect(apply(state, offered()).stale).toBe(true);
  expect(apply(state, event("leg.answered", { leg: "leg_x" }, "int_unknown")).stale).toBe(true);
  expect(apply(state, event("something.new", {}))).toEqual({});
});

test("the same event twice changes nothing more", () => {
  const state = floor();
  for (const e of begin()) apply(state, e);
  const added = event("leg.added", { leg: "leg_a", role: "agent", address: number, agent: "agt_1" });
  apply(state, added);
  apply(state, added);
  expect(state.interactions.get(CALL)?.legs).toHaveLength(2);
  const offer = offered();
  apply(state, offer);
  apply(state, offer);
  expect(state.agents.get("agt_1")?.offers).toHaveLength(1);
});

test("changed rows are new objects, others stay the same", () => {
  const state = floor();
  for (const e of begin()) apply(state, e);
  const [agent, call] = [state.agents.get("agt_1"), state.interactions.get(CALL)];
  apply(state, event("leg.muted", { leg: "leg_c", muted: true }));
  expect(state.agents.get("agt_1")).toBe(agent);
  expect(state.interactions.get(CALL)).not.toBe(call);
});

/** Calls one after the other and beside each other: through the queue, or given up in it. */
function history(): StreamEvent[] {
  let cursor = 0;
  const steps = (call: number): [string, Record<string, unknown>][] => {
    const [id, given_up] = [`int_${call}`, call % 3 === 2];
    const customer = [
      ["interaction.started", { direction: "inbound", from: number, from_name: null, to: number }],
      ["leg.added", { leg: `${id}c`, role: "customer", address: number, agent: null }],
      ["leg.answered", { leg: `${id}c` }],
      ["queue.entered", { queue: "que_1", priority: 0, position: 1, wait_estimate_ms: call }],
    ] as [string, Record<string, unknown>][];
    const served = [
      ["offer.made", { offer: `off_${call}`, agent: "agt_1", queue: "que_1", deadline: at() }],
      ["leg.added", { leg: `${id}a`, role: "agent", address: number, agent: "agt_1" }],
      ["leg.ringing", { leg: `${id}a` }],
      ["offer.ended", { offer: `off_${call}`, agent: "agt_1", how: "accepted" }],
      ["leg.answered", { leg: `${id}a` }],
      ["queue.left", { queue: "que_1", exit: "answered", waited_ms: 1 }],
      ["leg.held", { leg: `${id}c` }],
      ["leg.resumed", { leg: `${id}c` }],
      ["leg.muted", { leg: `${id}a`, muted: true }],
      ["leg.ended", { leg: `${id}a`, reason: "hung_up" }],
    ] as [string, Record<string, unknown>][];
    const gone: [string, Record<string, unknown>][] = [["queue.left", { queue: "que_1", exit: "abandoned", waited_ms: 1 }]];
    return [...customer, ...(given_up ? gone : served), ["leg.ended", { leg: `${id}c`, reason: "hung_up" }], ["interaction.ended", { reason: "hung_up" }]];
  };
  // Three at a time, interleaved: each stream counts its own events.
  const out: StreamEvent[] = [];
  for (let first = 0; first < 9; first += 3) {
    const lanes = [0, 1, 2].map((k) => steps(first + k));
    for (let step = 0; lanes.some((l) => step < l.length); step++)
      lanes.forEach((lane, k) => {
        const [type, data] = lane[step] ?? [];
        if (type && data) out.push({ ...event(type, data, `int_${first + k}`), sequence: step + 1, cursor: String(++cursor) });
      });
  }
  return out;
}

/** What the server would say after these events: its own state is ahead of the log it names. */
function documentAfter(events: StreamEvent[], cursor: number): LiveDocument {
  const state = floor();
  const seq = new Map<string, number>();
  for (const e of events) {
    apply(state, e);
    seq.set(e.subject, e.sequence);
  }
  const interactions = [...state.interactions.values()].map((i) => ({ ...i, seq: seq.get(i.id) ?? 0 }));
  const time = events.at(-1)?.time ?? new Date(0).toISOString();
  return { at: new Date(Date.parse(time) + 1).toISOString(), cursor: String(cursor), agents: [...state.agents.values()], queues: [...state.queues.values()], interactions, phones: [], trunks: [] };
}

const plain = (s: LiveState) => ({
  agents: [...s.agents.values()].map((a) => ({ ...a, since: "" })),
  queues: [...s.queues.values()],
  interactions: [...s.interactions.values()].map((i) => ({ ...i, seq: 0 })).sort((a, b) => a.id.localeCompare(b.id)),
});

test("whatever the document holds already, with the log on top it is what the log alone would make", () => {
  const events = history();
  const whole = floor();
  for (const e of events) apply(whole, e);
  expect(whole.queues.get("que_1")).toMatchObject({ entered: 9, answered: 6, abandoned: 3 });
  for (let held = 0; held <= events.length; held++)
    for (const behind of [0, 1, 2, 5, 13, events.length]) {
      // The log was read up to `cursor`, the document made after `held` events: all between come once more.
      const cursor = Math.max(0, held - behind);
      const doc = documentAfter(events.slice(0, held), cursor);
      const { state, stale } = onTop(doc, events.slice(cursor));
      // The server never shows a call between its beginning and its first leg; if it did, it would be asked again.
      if (stale && doc.interactions.some((i) => !i.legs.length)) continue;
      expect(plain(state), `document of ${held}, log from ${cursor}`).toEqual(plain(whole));
    }
});

test("an offer between the document and the socket is not lost", () => {
  const [begun, offer] = [begin(), offered()];
  const events = [...begun, offer].map((e, k) => ({ ...e, sequence: k + 1, cursor: String(k + 1) }));
  // Made before the offer, named after what came before it; and its clock says a moment later than the offer.
  const doc = { ...documentAfter(events.slice(0, 4), 3), at: at() };
  const { state, stale } = onTop(doc, events);
  expect(stale).toBe(false);
  expect(state.agents.get("agt_1")?.offers.map((o) => o.id)).toEqual(["off_1"]);
});
