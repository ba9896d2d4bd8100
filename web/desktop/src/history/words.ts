// The event trail of an interaction, in words.

import { clock, customer, presenceWord, stateWord, address } from "../lib/format";
import { t } from "../lib/i18n";
import type { Address, LiveInteraction, Presence, RoutingState, StreamEvent } from "../lib/live-types";
import { nameOf } from "../lib/names";
import { identityWords } from "./identity-words";

export function reasonWord(reason: string | null | undefined): string {
  const words: Record<string, string> = {
    hung_up: t("hung up"), released: t("ended by us"), abandoned: t("caller left"), dropped: t("connection lost"), transferred: t("transferred"), deflected: t("deflected"),
    node_lost: t("server restarted"), busy: t("busy"), no_answer: t("no answer"), declined: t("declined"), not_found: t("no such number"), unavailable: t("nobody available"),
    refused: t("refused"), incompatible: t("no common codec"), cancelled: t("withdrawn"), overload: t("overload"), internal: t("fault of ours"),
  };
  return reason ? (words[reason] ?? reason.replaceAll("_", " ")) : "–";
}

function exitWord(exit: string): string {
  const words: Record<string, string> = {
    answered: t("answered"), abandoned: t("caller left"), overflowed: t("overflowed"), timed_out: t("timed out"), transferred: t("transferred"), released: t("ended by us"),
  };
  return words[exit] ?? exit;
}

function offerWord(how: string): string {
  const words: Record<string, string> = { accepted: t("accepted"), rejected: t("rejected"), timed_out: t("timed out"), cancelled: t("withdrawn"), rescinded: t("agent not reachable") };
  return words[how] ?? how;
}

function modeWord(mode: string): string {
  return { listen: t("Listening"), whisper: t("Whispering"), barge: t("In the call") }[mode] ?? mode;
}

type Data = Record<string, never> & Record<string, unknown>;
const str = (d: Data, name: string): string => String(d[name] ?? "");
const ms = (d: Data, name: string): string => clock(Number(d[name] ?? 0));
const agent = (d: Data): string => nameOf("agents", str(d, "agent")) || t("Agent");
const queue = (d: Data): string => nameOf("queues", str(d, "queue")) || t("Queue");

const words: Record<string, (d: Data) => string> = {
  ...identityWords,
  "interaction.started": (d) => {
    const i = d as unknown as Pick<LiveInteraction, "direction" | "from" | "from_name" | "to">;
    const vars = { from: address(i.from, i.from_name), to: address(i.to) };
    if (i.direction === "outbound") return t("Outbound call from {from} to {to}", vars);
    return i.direction === "internal" ? t("Internal call from {from} to {to}", vars) : t("Inbound call from {from} to {to}", vars);
  },
  "interaction.ended": (d) => t("Ended: {reason}", { reason: reasonWord(str(d, "reason")) }),
  "customer.context": () => t("Context of the customer's page"),
  "leg.added": (d) => (d.agent ? t("{who} is called", { who: agent(d) }) : t("{who} joins", { who: address(d.address as unknown as Address) })),
  "leg.ringing": () => t("Ringing"),
  "leg.answered": (d) => (d.secure ? t("Answered, encrypted ({codec})", { codec: str(d, "codec") || "–" }) : t("Answered ({codec})", { codec: str(d, "codec") || "–" })),
  "leg.held": () => t("On hold"),
  "leg.resumed": () => t("Off hold"),
  "leg.muted": (d) => (d.muted ? t("Muted") : t("Unmuted")),
  "leg.ended": (d) => t("Left the call: {reason}", { reason: reasonWord(str(d, "reason")) }),
  "leg.moved_in": () => t("Came from another call"),
  "leg.moved_out": () => t("Went on in another call"),
  "leg.digit": () => t("Digit pressed"),
  "prompt.started": () => t("Announcement or music"),
  "queue.entered": (d) => t("Waits in {queue}, position {position}", { queue: queue(d), position: str(d, "position") }),
  "queue.announced": (d) => t("Told position {position}", { position: str(d, "position") }),
  "queue.left": (d) => t("Left {queue} after {wait}: {exit}", { queue: queue(d), wait: ms(d, "waited_ms"), exit: exitWord(str(d, "exit")) }),
  "offer.made": (d) => t("Offered to {agent}", { agent: agent(d) }),
  "offer.ended": (d) => t("Offer to {agent}: {how}", { agent: agent(d), how: offerWord(str(d, "how")) }),
  "call.bridged": () => t("Connected to each other"),
  "call.unbridged": () => t("Separated"),
  "transfer.started": (d) => t("Transfer to {to}", { to: str(d, "to") }),
  "transfer.completed": () => t("Transferred"),
  "transfer.failed": (d) => t("Transfer failed: {reason}", { reason: reasonWord(str(d, "reason")) }),
  "consult.started": () => t("Consultation begins"),
  "consult.ended": () => t("Consultation over"),
  "conference.merged": () => t("All joined together"),
  "conference.joined": () => t("Joined a conference room"),
  "conference.left": () => t("Left a conference room"),
  "park.parked": (d) => t("Parked in {slot}", { slot: str(d, "slot") }),
  "park.returned": (d) => t("Back from {slot}", { slot: str(d, "slot") }),
  "park.retrieved": (d) => t("Picked up from {slot}", { slot: str(d, "slot") }),
  "recording.started": () => t("Recording begins"),
  "recording.announced": () => t("Told of the recording"),
  "recording.paused": () => t("Recording paused"),
  "recording.resumed": () => t("Recording goes on"),
  "recording.ended": (d) => t("Recording ended, {length}", { length: ms(d, "duration_ms") }),
  "supervise.started": (d) => t("Supervisor joins: {mode}", { mode: modeWord(str(d, "mode")) }),
  "supervise.changed": (d) => t("Supervisor: {mode}", { mode: modeWord(str(d, "mode")) }),
  "supervise.taken_over": () => t("Supervisor took over"),
  "shared_op.state_changed": () => t("Related calls changed"),
  "switch.started": (d) => (d.pull ? t("Is fetched to another device") : t("Moves to another device")),
  "switch.completed": () => t("Went on at the other device"),
  "switch.failed": (d) => t("The other device did not take it: {reason}", { reason: reasonWord(str(d, "reason")) }),
  "collect.started": () => t("Digits are asked for in private"),
  "collect.ended": (d) => (d.complete ? t("Digits given in private") : t("No digits were given")),
  "await.started": () => t("The call waits for a proof"),
  "await.ended": (d) => (d.met ? t("The proof came") : t("The proof did not come")),
  "proof.changed": (d) => (Number(d.level) > 0 ? t("Proof of the customer, level {level}", { level: str(d, "level") }) : t("Proof of the customer")),
  "wrap_up.started": (d) => t("{agent} wraps up", { agent: agent(d) }),
  "wrap_up.noted": (d) => (d.code ? t("Wrap-up: {code}", { code: nameOf("wrap-up-codes", str(d, "code")) || "–" }) : t("Note written")),
  "wrap_up.ended": () => t("Wrap-up ended"),
  "leg.quality": () => t("Quality of the sound"),
  "prompt.ended": () => t("Announcement or music over"),
  "command.taken": (d) => t("Command: {what}", { what: str(d, "what").replaceAll("_", " ") }),
  "agent.presence_changed": (d) => presenceWord(d.presence as unknown as Presence),
  "agent.state_changed": (d) => stateWord(str(d, "state") as RoutingState),
};

/** Many, and of little meaning to a reader. */
const QUIET = new Set(["leg.quality", "prompt.ended", "command.taken", "shared_op.state_changed", "leg.digit", "identity.step"]);
export const isQuiet = (event: StreamEvent): boolean => QUIET.has(event.type);

export function eventWords(event: StreamEvent): string {
  return words[event.type]?.(event.data as Data) ?? event.type;
}

export type EventTone = "good" | "bad" | "warn" | "info" | "plain";
const tones: Record<string, EventTone> = {
  "call.bridged": "good", "leg.answered": "good", "interaction.started": "info", "interaction.ended": "bad", "transfer.failed": "bad", "leg.held": "warn",
  "queue.entered": "warn", "offer.made": "info", "recording.started": "info", "recording.paused": "warn",
};
export const eventTone = (event: StreamEvent): EventTone => tones[event.type] ?? "plain";

export { customer };
