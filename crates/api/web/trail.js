// The event trail of an interaction, in words.

import { get } from "./api.js";
import { h } from "./dom.js";
import { address, at, clock, presenceWord, stateWord, t } from "./messages.js";
import { agentName, queueName } from "./store.js";

const REASONS = {
  hung_up: "hung up", released: "ended by us", abandoned: "caller left", dropped: "connection lost", transferred: "transferred",
  busy: "busy", no_answer: "no answer", declined: "declined", not_found: "no such number", unavailable: "nobody available",
  cancelled: "withdrawn", node_lost: "node lost", overload: "overload", refused: "refused", incompatible: "no common codec", internal: "fault of ours",
};
export const reason = (r) => t(REASONS[r] ?? r ?? "");

const s = (ms) => clock((ms ?? 0) / 1000);
const DIRECTIONS = { inbound: "Inbound call from {from} to {to}", outbound: "Outbound call from {from} to {to}", internal: "Internal call from {from} to {to}" };
const WORDS = {
  "interaction.started": (d) => t(DIRECTIONS[d.direction] ?? DIRECTIONS.inbound, { from: address(d.from, d.from_name), to: address(d.to) }),
  "interaction.ended": (d) => t("Ended: {reason}", { reason: reason(d.reason) }),
  "leg.added": (d) => (d.agent ? t("{agent}'s phone is called", { agent: agentName(d.agent) }) : t("{who} joins as {role}", { who: address(d.address), role: t(d.role) })),
  "leg.ringing": () => t("Ringing"),
  "leg.answered": (d) => t("Answered{codec}{secure}", { codec: d.codec ? ` · ${d.codec}` : "", secure: d.secure ? ` · ${t("encrypted")}` : "" }),
  "leg.held": () => t("On hold"), "leg.resumed": () => t("Off hold"), "leg.muted": (d) => (d.muted ? t("Muted") : t("Unmuted")),
  "leg.ended": (d) => t("Leg ended: {reason}", { reason: reason(d.reason) }),
  "leg.quality": () => t("Quality measured"), "leg.digit": () => t("Digit pressed"),
  "prompt.started": (d) => t("Prompt: {what}", { what: d.what }), "prompt.ended": (d) => (d.interrupted ? t("Prompt interrupted") : t("Prompt over")),
  "queue.entered": (d) => t("Waits in {queue}, position {position}", { queue: queueName(d.queue), position: d.position }),
  "queue.announced": (d) => t("Told position {position}", { position: d.position }),
  "queue.left": (d) => t("Left {queue} after {wait}: {exit}", { queue: queueName(d.queue), wait: s(d.waited_ms), exit: t(d.exit) }),
  "offer.made": (d) => t("Offered to {agent}", { agent: agentName(d.agent) }),
  "offer.ended": (d) => t("Offer to {agent}: {how}", { agent: agentName(d.agent), how: t(d.how).replace("_", " ") }),
  "call.bridged": () => t("Connected"), "call.unbridged": () => t("Disconnected from each other"),
  "transfer.started": (d) => t("Transfer to {to}", { to: d.to }), "transfer.completed": () => t("Transferred"),
  "transfer.failed": (d) => t("Transfer failed: {reason}", { reason: reason(d.reason) }),
  "consult.started": () => t("Consultation"), "consult.ended": () => t("Consultation over"), "conference.merged": () => t("Joined to a conference"),
  "park.parked": (d) => t("Parked in {slot}", { slot: d.slot }), "park.retrieved": (d) => t("Picked up from {slot}", { slot: d.slot }),
  "recording.started": () => t("Recording"), "recording.paused": () => t("Recording paused"), "recording.resumed": () => t("Recording goes on"),
  "recording.ended": (d) => t("Recording ended, {length}", { length: s(d.duration_ms) }),
  "supervise.started": (d) => t("Supervisor joins: {mode}", { mode: t(d.mode) }), "supervise.changed": (d) => t("Supervisor: {mode}", { mode: t(d.mode) }),
  "supervise.taken_over": () => t("Supervisor took over"),
  "shared_op.state_changed": (d) => t("Related calls: {state}", { state: String(d.to).replaceAll("_", " ") }),
  "wrap_up.started": (d) => t("{agent} wraps up", { agent: agentName(d.agent) }), "wrap_up.noted": () => t("Wrap-up noted"), "wrap_up.ended": () => t("Wrap-up ended"),
  "command.taken": (d) => t("Command: {what}", { what: String(d.what).replaceAll("_", " ") }),
  "agent.presence_changed": (d) => presenceWord(d.presence), "agent.state_changed": (d) => stateWord(d.state),
};
/** Left out of the list: many, and of little meaning to a reader. */
const QUIET = new Set(["leg.quality", "prompt.ended"]);
const COLOUR = { "call.bridged": "good", "leg.answered": "good", "interaction.ended": "bad", "leg.ended": "bad", "prompt.started": (d) => t("Prompt: {what}", { what: d.what }), "prompt.ended": (d) => (d.interrupted ? t("Prompt interrupted") : t("Prompt over")),
  "queue.entered": "busy", "offer.made": "busy" };

function line(event) {
  const words = WORDS[event.type]?.(event.data) ?? event.type;
  return h("li", { "data-key": event.id },
    h("time", { datetime: event.time }, at(event.time)),
    h("span.knot", { class: COLOUR[event.type] ?? "", "aria-hidden": "true" }),
    h("details", {},
      h("summary", {}, words),
      h("pre", {}, `${event.type}\n${JSON.stringify(event.data, null, 2)}`)));
}

/** The trail of one interaction: loads once, then takes events as they come. */
export class Trail {
  constructor(redraw) {
    this.redraw = redraw;
    this.id = null;
    this.events = [];
  }
  async open(id) {
    if (id === this.id) return;
    this.id = id;
    this.events = [];
    this.loading = true;
    if (id) await this.load();
  }
  async load() {
    const id = this.id;
    try {
      const page = await get(`/v1/interactions/${id}/events?limit=500`);
      if (id === this.id) this.events = page.items;
    } catch {
      // Shown as an empty trail; the next event asks again.
    }
    this.loading = false;
    this.redraw();
  }
  take(event) {
    if (event.subject !== this.id) return;
    const last = this.events.at(-1)?.sequence ?? 0;
    if (event.sequence <= last) return;
    if (event.sequence === last + 1) this.events.push(event);
    else this.load();
    this.redraw();
  }
  view() {
    if (!this.id) return h("p.empty", {}, t("Nothing chosen."));
    if (!this.events.length) return h("p.empty", {}, this.loading ? t("Loading …") : t("No events yet."));
    const shown = this.events.filter((e) => !QUIET.has(e.type));
    return h("ol.trail", { "data-newest": shown.at(-1)?.id ?? "", tabindex: "0", "aria-label": t("Events") }, shown.map(line));
  }
}
