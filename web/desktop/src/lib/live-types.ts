// What is live now, in the shape of `GET /v1/live`.

import type { Schemas } from "./api";

export type Presence = Schemas["Presence"];
export type RoutingState = Schemas["RoutingState"];
export type Address = Schemas["Address"];
export type LegRole = "customer" | "agent" | "consulted" | "supervisor" | "party";
export type CallStatus = "dialing" | "ringing" | "connected" | "disconnected";
export type SuperviseMode = Schemas["SuperviseMode"];

export interface LiveOffer {
  id: string;
  interaction: string;
  queue?: string | null;
  deadline: string;
}

export interface LiveAgent {
  id: string;
  presence: Presence;
  next_presence?: Presence | null;
  state: RoutingState;
  since: string;
  phone_reachable: boolean;
  desktop: boolean;
  offers: LiveOffer[];
  interaction?: string | null;
  leg?: string | null;
  wrap_up_until?: string | null;
}

export interface LiveQueue {
  id: string;
  waiting: number;
  longest_wait_ms: number;
  wait_estimate_ms?: number | null;
  agents_signed_in: number;
  agents_available: number;
  entered: number;
  answered: number;
  abandoned: number;
  service_level_pct?: number | null;
}

export interface LiveLeg {
  id: string;
  role: LegRole;
  address: Address;
  agent?: string | null;
  status: CallStatus;
  since: string;
  held: boolean;
  muted: boolean;
  supervise?: SuperviseMode | null;
}

/** What is shown of a call while it rings. */
export interface RingCard {
  proof: "signed" | "trunk";
  by?: string | null;
  name?: string | null;
  reason?: string | null;
  /** A path of this server. */
  picture?: string | null;
  link?: string | null;
  incentive?: { id: string; text: string } | null;
  incentive_given: boolean;
}

export interface LiveInteraction {
  id: string;
  /** `sequence` of the newest event of its trail that is in it. */
  seq: number;
  direction: "inbound" | "outbound" | "internal";
  from: Address;
  from_name?: string | null;
  to: Address;
  started: string;
  queue?: string | null;
  waiting: boolean;
  /** When it entered the queue it waits in. */
  waiting_since?: string | null;
  priority: number;
  recording: "off" | "on" | "paused";
  slot?: string | null;
  legs: LiveLeg[];
  card?: RingCard | null;
}

export interface LivePhone {
  id: string;
  registered: boolean;
  transport?: string | null;
  user_agent?: string | null;
  expires?: string | null;
}

export interface LiveTrunk {
  id: string;
  up: boolean;
  rtt_ms?: number | null;
  why?: string | null;
  channels: number;
}

export interface LiveDocument {
  at: string;
  cursor: string;
  agents: LiveAgent[];
  queues: LiveQueue[];
  interactions: LiveInteraction[];
  phones: LivePhone[];
  trunks: LiveTrunk[];
}

/** One event of the stream (CloudEvents 1.0). */
export interface StreamEvent {
  specversion: string;
  id: string;
  type: string;
  time: string;
  subject: string;
  sequence: number;
  cursor?: string;
  data: Record<string, unknown>;
}
