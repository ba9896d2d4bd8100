// How an event changes what is live: pure, row by row, so that a busy floor costs one small update
// per event and not a new document. What events do not tell (estimates, shares) comes with the
// document that is read again now and then.

import type { Address, CallStatus, LegRole, LiveAgent, LiveDocument, LiveInteraction, LiveLeg, LivePhone, LiveQueue, LiveTrunk, Presence, RingCard, RoutingState, StreamEvent, SuperviseMode } from "./live-types";

export interface LiveState {
  /** Of the document. */
  at: string;
  /** How far into the trail of each interaction the document reaches: what it holds is not done twice. */
  reached: Map<string, number>;
  agents: Map<string, LiveAgent>;
  queues: Map<string, LiveQueue>;
  interactions: Map<string, LiveInteraction>;
  phones: Map<string, LivePhone>;
  trunks: Map<string, LiveTrunk>;
}

/** What an event touched; `stale`: the document has to be read again to know. */
export interface Touched {
  agents?: boolean;
  queues?: boolean;
  interactions?: boolean;
  phones?: boolean;
  trunks?: boolean;
  stale?: boolean;
}

export function emptyState(): LiveState {
  return { at: new Date(0).toISOString(), reached: new Map(), agents: new Map(), queues: new Map(), interactions: new Map(), phones: new Map(), trunks: new Map() };
}

const byId = <T extends { id: string }>(rows: T[]): Map<string, T> => new Map(rows.map((r) => [r.id, r]));

/** What is only wrapped up any more has no legs and is no live call. */
export function fromDocument(doc: LiveDocument): LiveState {
  const reached = new Map(doc.interactions.map((i) => [i.id, i.seq ?? 0]));
  return { at: doc.at, reached, agents: byId(doc.agents), queues: byId(doc.queues), interactions: byId(doc.interactions.filter((i) => i.legs.length > 0)), phones: byId(doc.phones), trunks: byId(doc.trunks) };
}

type Apply = (state: LiveState, event: StreamEvent) => Touched;

function change<T extends { id: string }>(rows: Map<string, T>, id: string | undefined | null, edit: (row: T) => Partial<T>): boolean {
  const row = id ? rows.get(id) : undefined;
  if (!row) return false;
  rows.set(row.id, { ...row, ...edit(row) });
  return true;
}

const text = (event: StreamEvent, name: string): string => event.data[name] as string;

function onAgent(edit: (agent: LiveAgent, event: StreamEvent) => Partial<LiveAgent>): Apply {
  return (state, event) => (change(state.agents, text(event, "agent"), (a) => edit(a, event)) ? { agents: true } : { stale: true });
}

function onInteraction(edit: (row: LiveInteraction, event: StreamEvent) => Partial<LiveInteraction>): Apply {
  return (state, event) => (change(state.interactions, event.subject, (i) => edit(i, event)) ? { interactions: true } : { stale: true });
}

function onLeg(edit: (leg: LiveLeg, event: StreamEvent) => Partial<LiveLeg>): Apply {
  return onInteraction((row, event) => ({ legs: row.legs.map((l) => (l.id === text(event, "leg") ? { ...l, ...edit(l, event) } : l)) }));
}

function legOf(event: StreamEvent, status: CallStatus): LiveLeg {
  const d = event.data as { leg: string; role: LegRole; address: Address; agent?: string | null };
  return { id: d.leg, role: d.role, address: d.address, agent: d.agent ?? null, status, since: event.time, held: false, muted: false, supervise: null };
}

const started: Apply = (state, event) => {
  const d = event.data as { direction: LiveInteraction["direction"]; from: Address; from_name?: string | null; to: Address };
  state.interactions.set(event.subject, {
    id: event.subject, direction: d.direction, from: d.from, from_name: d.from_name ?? null, to: d.to, started: event.time,
    seq: event.sequence, queue: null, waiting: false, waiting_since: null, priority: 0, recording: "off", slot: null, legs: [],
  });
  return { interactions: true };
};

const addLeg = (status: CallStatus): Apply =>
  onInteraction((row, event) => (row.legs.some((l) => l.id === text(event, "leg")) ? {} : { legs: [...row.legs, legOf(event, status)] }));

const legEnded: Apply = (state, event) => {
  const leg = text(event, "leg");
  // The agent goes on in wrap-up with the interaction, but without the leg.
  for (const agent of state.agents.values()) if (agent.leg === leg) state.agents.set(agent.id, { ...agent, leg: null });
  return { agents: true, ...onInteraction((row) => ({ legs: row.legs.filter((l) => l.id !== leg) }))(state, event) };
};

const offerMade: Apply = (state, event) => {
  const d = event.data as { offer: string; agent: string; queue?: string | null; deadline: string };
  const offer = { id: d.offer, interaction: event.subject, queue: d.queue ?? null, deadline: d.deadline };
  const found = change(state.agents, d.agent, (a) => ({ phone_reachable: true, offers: [...a.offers.filter((o) => o.id !== d.offer), offer] }));
  return { agents: true, stale: !found || !state.interactions.has(event.subject) };
};

const offerEnded: Apply = onAgent((a, event) => ({ offers: a.offers.filter((o) => o.id !== text(event, "offer")) }));

const queued: Apply = (state, event) => {
  const queue = text(event, "queue");
  const known = change(state.interactions, event.subject, () => ({ queue, waiting: true, waiting_since: event.time, priority: event.data.priority as number }));
  change(state.queues, queue, (q) => ({ entered: q.entered + 1, wait_estimate_ms: (event.data.wait_estimate_ms as number | null) ?? q.wait_estimate_ms ?? null }));
  return { queues: true, interactions: true, stale: !known };
};

const dequeued: Apply = (state, event) => {
  const exit = text(event, "exit");
  change(state.interactions, event.subject, () => ({ waiting: false, waiting_since: null }));
  change(state.queues, text(event, "queue"), (q) => ({
    answered: q.answered + (exit === "answered" ? 1 : 0),
    abandoned: q.abandoned + (exit === "abandoned" ? 1 : 0),
  }));
  return { queues: true, interactions: true };
};

const ended: Apply = (state, event) => {
  state.interactions.delete(event.subject);
  return { interactions: true, agents: true };
};

const stateChanged: Apply = onAgent((a, event) => {
  const state = event.data.state as RoutingState;
  const interaction = (event.data.interaction as string | null) ?? null;
  return { state, interaction, since: event.time, leg: state === "interacting" ? a.leg : null, wrap_up_until: state === "wrap_up" ? a.wrap_up_until : null };
});

/** Which leg is whose is told by the legs themselves. */
const legAnswered: Apply = (state, event) => {
  const touched = onLeg((_, e) => ({ status: "connected", since: e.time }))(state, event);
  const leg = state.interactions.get(event.subject)?.legs.find((l) => l.id === text(event, "leg"));
  if (leg?.agent) change(state.agents, leg.agent, () => ({ leg: leg.id, interaction: event.subject }));
  return { ...touched, agents: true };
};

const cardDecoded: Apply = onInteraction((_, event) => {
  const d = event.data as unknown as RingCard;
  return { card: { proof: d.proof, by: d.by ?? null, name: d.name ?? null, reason: d.reason ?? null, picture: null, link: d.link ?? null, incentive: d.incentive ?? null, incentive_given: false } };
});

/** What came later, as far as it came. */
const cardContent: Apply = onInteraction((row, event) => {
  const d = event.data as Partial<RingCard> & { fault?: string | null };
  if (!row.card || d.fault) return {};
  return { card: { ...row.card, name: d.name ?? row.card.name ?? null, reason: d.reason ?? row.card.reason ?? null, picture: d.picture ?? row.card.picture ?? null } };
});

/** That a browser became somebody's phone is no event of its own: who signs in unreachable is looked up. */
const presenceChanged: Apply = (state, event) => {
  const presence = event.data.presence as Presence;
  const touched = onAgent(() => ({ presence, next_presence: null, since: event.time }))(state, event);
  const found = state.agents.get(text(event, "agent"));
  return { ...touched, stale: Boolean(touched.stale) || (presence !== "offline" && found?.phone_reachable === false) };
};

/** Changes the legs that `which` names. */
const onLegs = (which: (leg: LiveLeg, event: StreamEvent) => boolean, edit: (leg: LiveLeg) => Partial<LiveLeg>): Apply =>
  onInteraction((row, event) => ({ legs: row.legs.map((l) => (which(l, event) ? { ...l, ...edit(l) } : l)) }));

const named = (leg: LiveLeg, event: StreamEvent): boolean => (event.data.legs as string[] | undefined)?.includes(leg.id) ?? false;
const isConsulted = (leg: LiveLeg): boolean => leg.role === "consulted";

/** While the agent talks with somebody else, the others wait. */
const consultStarted: Apply = onLegs((l, e) => l.id !== e.data.by && l.id !== e.data.leg && !l.supervise && l.status === "connected", () => ({ held: true }));

const rules: Record<string, Apply> = {
  "consult.started": consultStarted,
  // How it goes on is told by what comes next, or by nothing: the document knows.
  "consult.ended": () => ({ stale: true }),
  "conference.merged": onLegs(named, (l) => ({ held: false, role: isConsulted(l) ? "party" : l.role })),
  "call.bridged": onLegs(named, () => ({ held: false })),
  // From now on the consulted is the other side of the caller's call.
  "transfer.started": onLegs(isConsulted, (l) => ({ role: l.agent ? "agent" : "party" })),
  // The new leg has the place of the old one, which the document knows best.
  "switch.completed": () => ({ stale: true }),
  "card.decoded": cardDecoded,
  "card.content": cardContent,
  "card.incentive_given": onInteraction((row) => (row.card ? { card: { ...row.card, incentive_given: true } } : {})),
  "interaction.started": started,
  "interaction.ended": ended,
  "leg.added": addLeg("dialing"),
  "leg.moved_in": (state, event) => addLeg(event.data.answered ? "connected" : "ringing")(state, event),
  "leg.moved_out": legEnded,
  "leg.ended": legEnded,
  "leg.ringing": onLeg((_, e) => ({ status: "ringing", since: e.time })),
  "leg.answered": legAnswered,
  "leg.held": onLeg(() => ({ held: true })),
  "leg.resumed": onLeg(() => ({ held: false })),
  "leg.muted": onLeg((_, e) => ({ muted: Boolean(e.data.muted) })),
  "supervise.started": onLeg((_, e) => ({ supervise: e.data.mode as SuperviseMode })),
  "supervise.changed": onLeg((_, e) => ({ supervise: e.data.mode as SuperviseMode })),
  "supervise.taken_over": () => ({ stale: true }),
  "offer.made": offerMade,
  "offer.ended": offerEnded,
  "queue.entered": queued,
  "queue.left": dequeued,
  "park.parked": onInteraction((_, e) => ({ slot: text(e, "slot") })),
  "park.returned": onInteraction(() => ({ slot: null })),
  "park.retrieved": onInteraction(() => ({ slot: null })),
  "recording.started": onInteraction(() => ({ recording: "on" })),
  "recording.paused": onInteraction(() => ({ recording: "paused" })),
  "recording.resumed": onInteraction(() => ({ recording: "on" })),
  "recording.ended": onInteraction(() => ({ recording: "off" })),
  "agent.presence_changed": presenceChanged,
  "agent.next_presence_set": onAgent((_, e) => ({ next_presence: (e.data.presence as Presence | null) ?? null })),
  "agent.state_changed": stateChanged,
  "agent.lease_lost": () => ({ stale: true }),
  "wrap_up.started": onAgent((_, e) => ({ wrap_up_until: text(e, "until") })),
  "wrap_up.ended": onAgent(() => ({ wrap_up_until: null })),
  "phone.registered": (state, event) => {
    // A phone that was away makes its agent reachable: which agent, the document tells.
    const away = !state.phones.get(event.subject)?.registered;
    const known = change(state.phones, event.subject, () => ({ registered: true, transport: text(event, "transport") }));
    return { phones: true, stale: away || !known };
  },
  "phone.unregistered": () => ({ stale: true }),
  "trunk.up": (state, event) => {
    change(state.trunks, event.subject, () => ({ up: true, rtt_ms: event.data.rtt_ms as number, why: null }));
    return { trunks: true };
  },
  "trunk.down": (state, event) => {
    change(state.trunks, event.subject, () => ({ up: false, why: text(event, "why") }));
    return { trunks: true };
  },
};

/** Changes the maps of `state` in place (each changed row is a new object) and says what it touched. */
export function apply(state: LiveState, event: StreamEvent): Touched {
  const reached = state.reached.get(event.subject);
  if (reached !== undefined && event.sequence <= reached) return {};
  // An interaction that the document does not know was over before it; or it began in that very moment, which the
  // next document tells.
  if (reached === undefined && event.subject.startsWith("int_") && Date.parse(event.time) < Date.parse(state.at)) return { stale: true };
  return rules[event.type]?.(state, event) ?? {};
}

/**
 * A document with the events on top that are not in it. The document is made after its cursor was read: each event
 * behind the cursor may be in it or not. What is in it is not done twice, what is not in it is not lost.
 */
export function onTop(doc: LiveDocument, events: StreamEvent[]): { state: LiveState; stale: boolean } {
  const state = fromDocument(doc);
  const from = Number(doc.cursor);
  const stale = events.filter((e) => Number(e.cursor) > from).map((e) => Boolean(apply(state, e).stale));
  return { state, stale: stale.includes(true) };
}
