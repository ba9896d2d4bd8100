// What an agent does with work and calls, each as one command.

import { act } from "../lib/action";
import { api } from "../lib/api";
import { t } from "../lib/i18n";
import { live } from "../lib/live";
import type { LiveAgent, LiveInteraction, LiveLeg, LiveOffer, Presence } from "../lib/live-types";
import { stopRinging } from "../lib/ring";
import { session } from "../lib/session";
import { answerLeg, rejectLeg, softphone, type SoftLeg } from "../lib/softphone";
import { notify, say } from "../lib/tell";
import type { Schemas } from "../lib/api";

export type DialTarget = Schemas["DialTarget"];
export type Destination = Schemas["Destination"];

const at = (id: string) => ({ params: { path: { id } } });

export const me = (): LiveAgent | undefined => live().agents.get(session()?.agent ?? "");

export interface MyCall {
  interaction: LiveInteraction;
  leg: LiveLeg;
  /** The third party of a consultation. */
  consulted: LiveLeg | undefined;
  /** Everybody else. */
  others: LiveLeg[];
  held: boolean;
}

/** The call an agent is in. */
export function callOf(agent: LiveAgent | undefined, interactions: Map<string, LiveInteraction>): MyCall | null {
  if (!agent) return null;
  const own = (i: LiveInteraction) => i.legs.find((l) => l.id === agent.leg) ?? i.legs.find((l) => l.agent === agent.id && l.role !== "consulted") ?? i.legs.find((l) => l.agent === agent.id);
  let interaction = agent.interaction ? interactions.get(agent.interaction) : undefined;
  if (!interaction || !own(interaction)) for (const i of interactions.values()) if (own(i)?.status === "connected") interaction = i;
  const leg = interaction && own(interaction);
  if (!interaction || !leg || leg.status === "disconnected") return null;
  const others = interaction.legs.filter((l) => l.id !== leg.id && l.status !== "disconnected");
  const consulted = others.find((l) => l.role === "consulted");
  const held = others.some((l) => l.held && l.role !== "consulted") || leg.held;
  return { interaction, leg, consulted, others, held };
}

export async function accept(offer: LiveOffer): Promise<void> {
  stopRinging();
  const done = await act(`offer ${offer.id}`, () => api.POST("/v1/offers/{id}/accept", at(offer.id)));
  if (done) say(softphone().state === "on" ? t("Accepted.") : t("Accepted. Pick up your phone."));
}

export async function reject(offer: LiveOffer): Promise<void> {
  stopRinging();
  if (await act(`offer ${offer.id}`, () => api.POST("/v1/offers/{id}/reject", at(offer.id)))) say(t("Rejected."));
}

export const pickUp = (leg: SoftLeg): Promise<boolean> => act(`leg ${leg.leg}`, () => answerLeg(leg.leg));
export const decline = (leg: SoftLeg): Promise<boolean> => act(`leg ${leg.leg}`, () => rejectLeg(leg.leg));

export async function toggleHold(call: MyCall): Promise<void> {
  const held = call.held;
  const path = held ? "/v1/legs/{id}/resume" : "/v1/legs/{id}/hold";
  if (await act("hold", () => api.POST(path, at(call.leg.id)))) say(held ? t("Off hold") : t("On hold"));
}

export async function toggleMute(call: MyCall): Promise<void> {
  const muted = !call.leg.muted;
  if (await act("mute", () => api.POST("/v1/legs/{id}/mute", { ...at(call.leg.id), body: { muted } }))) say(muted ? t("Muted") : t("Unmuted"));
}

export const hangUp = (call: MyCall): Promise<boolean> => act("end", () => api.POST("/v1/legs/{id}/hang-up", at(call.leg.id)));

export const digits = (call: MyCall, keys: string): Promise<boolean> => act(`digit ${keys} ${Date.now()}`, () => api.POST("/v1/legs/{id}/digits", { ...at(call.leg.id), body: { digits: keys } }));

export async function toggleRecording(call: MyCall): Promise<void> {
  const verb = { on: "pause", paused: "resume", off: "start" } as const;
  const path = `/v1/interactions/{id}/recording/${verb[call.interaction.recording]}` as const;
  await act("record", () => api.POST(path, at(call.interaction.id)));
}

export async function transfer(call: MyCall, destination: Destination, name: string): Promise<boolean> {
  const done = await act("transfer", () => api.POST("/v1/legs/{id}/transfer", { ...at(call.leg.id), body: { destination } }));
  if (done) notify(t("Transferred to {name}", { name }), "good");
  return done;
}
export async function consult(call: MyCall, target: DialTarget, name: string): Promise<boolean> {
  const done = await act("consult", () => api.POST("/v1/legs/{id}/consult", { ...at(call.leg.id), body: { target } }));
  if (done) say(t("Calling {name}. The caller hears music.", { name }));
  return done;
}
export const addParty = (call: MyCall, target: DialTarget): Promise<boolean> => act("party", () => api.POST("/v1/interactions/{id}/parties", { ...at(call.interaction.id), body: { target } }));
export async function park(call: MyCall): Promise<void> {
  await act("park", async () => {
    const { data } = await api.POST("/v1/legs/{id}/park", { ...at(call.leg.id), body: {} });
    notify(t("Parked in {slot}", { slot: data?.slot ?? "–" }), "good");
  });
}
export const completeTransfer = (call: MyCall): Promise<boolean> => act("complete", () => api.POST("/v1/legs/{id}/complete", at(call.leg.id)));
export const joinAll = (call: MyCall): Promise<boolean> => act("merge", () => api.POST("/v1/legs/{id}/merge", at(call.leg.id)));
export const backToCaller = (call: MyCall): Promise<boolean> => act("cancel-consult", () => api.POST("/v1/legs/{id}/cancel-consult", at(call.leg.id)));

export const setPresence = (agent: string, presence: Presence): Promise<boolean> => act(`presence ${agent}`, () => api.PUT("/v1/agents/{id}/presence", { ...at(agent), body: { presence } }));

export const reportCaller = (interaction: string): Promise<boolean> => act("report", () => api.POST("/v1/interactions/{id}/report-caller", at(interaction)));
export const noteWrapUp = (agent: string, interaction: string, code: string | null, note: string): Promise<boolean> =>
  act("note", () => api.POST("/v1/agents/{id}/wrap-up", { ...at(agent), body: { interaction, code, note: note.trim() || null } }));
export const finishWrapUp = (agent: string): Promise<boolean> => act("finish", () => api.POST("/v1/agents/{id}/wrap-up/finish", at(agent)));
export const extendWrapUp = (agent: string): Promise<boolean> => act("extend", () => api.POST("/v1/agents/{id}/wrap-up/extend", { ...at(agent), body: { by_ms: 60_000 } }));

export const placeCall = (target: DialTarget): Promise<boolean> => act("call", () => api.POST("/v1/calls", { body: { target } }));

/** What was typed into a field for names, numbers and addresses. */
export function typedTarget(text: string): DialTarget {
  const plain = text.trim();
  if (plain.includes("@") || plain.startsWith("sip:")) return { kind: "uri", uri: plain.startsWith("sip:") ? plain : `sip:${plain}` };
  return { kind: "extension", extension: plain.replace(/[\s()-]/g, "") };
}
