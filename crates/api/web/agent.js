// The agent's desk: offers on top, then the live call, then wrap-up; at the side what came before.

import { get, post } from "./api.js";
import { h, icon, say, toast } from "./dom.js";
import { address, at, clock, presenceWord, stateWord, t, when } from "./messages.js";
import * as ring from "./ring.js";
import { agentName, me, now, onChange, onEvent, queueName, refresh, state } from "./store.js";
import { reason, Trail } from "./trail.js";

const ui = { redraw: () => {}, chosen: null, panel: null, search: "", recent: [], busy: new Set(), note: {}, code: {}, offersSeen: new Map(), accepted: new Set(), digits: "", last: null, followed: null };
const trail = new Trail(() => ui.redraw());

onEvent((event) => {
  trail.take(event);
  if (event.type === "wrap_up.started" && event.data.agent === state.session?.agent) ui.last = event.subject;
  if (event.type === "wrap_up.noted" || event.type === "interaction.ended") loadRecent();
});
onChange(watchOffers);

async function loadRecent() {
  if (!state.session?.agent) return;
  const page = await get(`/v1/interactions?limit=15&agent=${state.session.agent}`).catch(() => null);
  if (page) ui.recent = page.items;
  ui.redraw();
}

/** Rings while an offer waits and says it once. */
function watchOffers() {
  const offers = me()?.offers ?? [];
  for (const offer of offers) {
    if (ui.offersSeen.has(offer.id)) continue;
    ui.offersSeen.set(offer.id, Date.now());
    const who = caller(offer.interaction);
    ring.start(who);
    say(t("Incoming call from {who}, queue {queue}. Alt A accepts, Alt R rejects.", { who, queue: offer.queue ? queueName(offer.queue) : "–" }), true);
  }
  if (!offers.length) {
    ring.stop();
    ui.offersSeen.clear();
    ui.accepted.clear();
  }
}

const interaction = (id) => state.live?.interactions.find((i) => i.id === id) ?? null;
const caller = (id) => {
  const i = interaction(id);
  return i ? address(i.direction === "outbound" ? i.to : i.from, i.direction === "outbound" ? null : i.from_name) : t("Caller");
};

/** Runs a command once, tells when it is refused, and looks at what came of it. */
async function act(key, path, body) {
  if (ui.busy.has(key)) return null;
  ui.busy.add(key);
  ui.redraw();
  try {
    return await post(path, body);
  } catch (p) {
    toast(p.message, "bad");
    return null;
  } finally {
    ui.busy.delete(key);
    ui.redraw();
    refresh();
  }
}

/* Offers */

async function accept(offer) {
  ring.stop();
  const done = await act("accept", `/v1/offers/${offer.id}/accept`);
  if (!done) return;
  ui.accepted.add(offer.id);
  say(t("Accepted. Pick up your phone."));
  ui.redraw();
}
async function reject(offer) {
  ring.stop();
  await act("reject", `/v1/offers/${offer.id}/reject`);
}

function offerCard(offer) {
  const i = interaction(offer.interaction);
  return h("section.offer", { "data-key": offer.id, "aria-label": t("Incoming call") },
    h("div", {},
      h("p.who", {}, caller(offer.interaction)),
      h("p.small.muted", {}, offer.queue ? queueName(offer.queue) : "", i ? h("span", {}, " · ", t("waiting"), " ", h("time", { "data-since": i.started }, "")) : null)),
    h("div.row.between.small", {}, h("span", {}, t("Answer within")), h("time.strong", { "data-until": offer.deadline }, "")),
    h("div.countdown", { "aria-hidden": "true" }, h("i", { "data-ends": offer.deadline, "data-begun": ui.offersSeen.get(offer.id) + state.skew, "data-keep": true })),
    ui.accepted.has(offer.id) ? h("p.strong", { role: "status" }, t("Pick up your phone.")) : h("div.actions", {},
      h("button.button.good", { onclick: () => accept(offer), disabled: ui.busy.has("accept") }, t("Accept"), h("kbd", {}, "Alt A")),
      h("button.button.danger", { onclick: () => reject(offer), disabled: ui.busy.has("reject") }, t("Reject"), h("kbd", {}, "Alt R"))));
}

/* The call */

function myCall() {
  const own = me();
  const id = own?.interaction;
  const i = id ? interaction(id) : null;
  const leg = i?.legs.find((l) => l.id === own.leg) ?? i?.legs.find((l) => l.agent === own.id && l.status !== "disconnected");
  return { own, i, leg };
}

function callBar(i, leg) {
  const others = i.legs.filter((l) => l.id !== leg.id && l.status !== "disconnected");
  const held = others.some((l) => l.held && l.role !== "consulted") || leg.held;
  const button = (key, glyph, text, path, body, extra = {}) =>
    h("button.button.tall", { "data-key": key, disabled: ui.busy.has(key), onclick: () => act(key, path, body), ...extra }, icon(glyph), text);
  const panel = (key, glyph, text) =>
    h("button.button.tall", { "data-key": key, "aria-expanded": String(ui.panel === key), class: ui.panel === key ? "on" : "", onclick: () => open(key) }, icon(glyph), text);
  const consulting = i.legs.find((l) => l.role === "consulted" && l.status !== "disconnected");
  const base = `/v1/legs/${leg.id}`;
  return h("div.stack", {},
    h("div.bar", { role: "toolbar", "aria-label": t("Call") },
      held ? button("hold", "play", t("Resume"), `${base}/resume`, {}, { class: "on", "aria-pressed": "true" }) : button("hold", "pause", t("Hold"), `${base}/hold`, {}, { "aria-pressed": "false" }),
      button("mute", leg.muted ? "muted" : "mic", leg.muted ? t("Unmute") : t("Mute"), `${base}/mute`, { muted: !leg.muted }, { class: leg.muted ? "on" : "", "aria-pressed": String(leg.muted) }),
      panel("transfer", "transfer", t("Transfer")),
      panel("keypad", "keypad", t("Keypad")),
      recordingButton(i),
      button("end", "end", t("Hang up"), `${base}/hang-up`, {}, { class: "danger" })),
    consulting ? h("div.panel.row.between.wrap", {},
      h("span", {}, t("Consulting {who}", { who: consulting.agent ? agentName(consulting.agent) : address(consulting.address) }), " ", h("span.chip", {}, t(consulting.status))),
      h("span.row.wrap", {},
        h("button.button.primary", { onclick: () => act("complete", `${base}/complete`), disabled: consulting.status !== "connected" }, t("Complete transfer")),
        h("button.button", { onclick: () => act("merge", `${base}/merge`), disabled: consulting.status !== "connected" }, t("Join all")),
        h("button.button", { onclick: () => act("cancel", `${base}/cancel-consult`) }, t("Back to caller")))) : null,
    ui.panel === "transfer" ? transferPanel(base) : null,
    ui.panel === "keypad" ? keypad(base) : null);
}

function recordingButton(i) {
  const base = `/v1/interactions/${i.id}/recording`;
  const [glyph, text, verb] = { on: ["record", t("Pause recording"), "pause"], paused: ["record", t("Resume recording"), "resume"], off: ["record", t("Record"), "start"] }[i.recording];
  return h("button.button.tall", { "data-key": "rec", class: i.recording === "paused" ? "on" : "", disabled: ui.busy.has("rec"), onclick: () => act("rec", `${base}/${verb}`) }, icon(glyph), text);
}

function open(panel) {
  ui.panel = ui.panel === panel ? null : panel;
  ui.redraw();
  if (ui.panel === "transfer") requestAnimationFrame(() => requestAnimationFrame(() => document.getElementById("transfer-to")?.focus()));
}

const dialled = (text) => (text.includes("@") ? { kind: "uri", uri: text.startsWith("sip:") ? text : `sip:${text}` } : { kind: "extension", extension: text });

function directory() {
  const wanted = ui.search.trim().toLowerCase();
  const live = new Map((state.live?.agents ?? []).map((a) => [a.id, a]));
  const agents = [...state.names.agents.values()].filter((a) => a.id !== state.session.agent).map((a) => {
    const l = live.get(a.id);
    const free = l?.presence === "available" && l.state === "idle";
    return { key: a.id, name: a.name, detail: `${a.extension} · ${l ? (l.presence === "available" ? stateWord(l.state) : presenceWord(l.presence)) : t("Offline")}`,
      dot: free ? "good" : l && l.presence !== "offline" ? "busy" : "", destination: { to: "agent", agent: a.id }, target: { kind: "agent", agent: a.id }, order: free ? 0 : 1 };
  });
  const queues = [...state.names.queues.values()].map((q) => ({ key: q.id, name: q.name, detail: t("Queue"), dot: "", destination: { to: "queue", queue: q.id }, target: null, order: 2 }));
  const rows = [...agents, ...queues].filter((r) => !wanted || `${r.name} ${r.detail}`.toLowerCase().includes(wanted));
  return rows.sort((a, b) => a.order - b.order || a.name.localeCompare(b.name)).slice(0, 40);
}

function transferPanel(base) {
  const send = async (destination) => {
    if (await act("blind", `${base}/transfer`, { destination })) ui.panel = null;
  };
  const consult = async (target) => {
    if (await act("consult", `${base}/consult`, { target })) ui.panel = null;
  };
  const typed = ui.search.trim();
  const rows = directory();
  // A name means whom the list shows first; a number or an address is dialled as it is.
  const named = /[^\d+*#]/.test(typed) && !typed.includes("@");
  const found = named ? rows[0] : null;
  const consultee = named ? (rows.find((r) => r.target)?.target ?? null) : dialled(typed);
  const destination = named ? found?.destination : { to: "dial", target: dialled(typed) };
  return h("section.panel.stack", { "data-key": "transfer-panel", "aria-label": t("Transfer or consult") },
    h("form.row", { onsubmit: (e) => { e.preventDefault(); if (typed && destination) send(destination); } },
      h("input", { id: "transfer-to", "aria-label": t("Name, number or SIP address"), placeholder: t("Name, number or SIP address"), value: ui.search, autocomplete: "off", oninput: (e) => ((ui.search = e.target.value), ui.redraw()) }),
      h("button.button", { type: "button", disabled: !typed || !consultee, onclick: () => consult(consultee) }, t("Consult")),
      h("button.button.primary", { type: "submit", disabled: !typed || !destination }, t("Transfer"))),
    h("ul.directory", {}, rows.map((r) => h("li", { "data-key": r.key },
      h("span.dot", { class: r.dot, "aria-hidden": "true" }),
      h("span.grow.cut", {}, h("span.strong", {}, r.name), " ", h("span.small.muted", {}, r.detail)),
      r.target ? h("button.button.small", { onclick: () => consult(r.target), "aria-label": t("Consult {who}", { who: r.name }) }, t("Consult")) : null,
      h("button.button.small", { onclick: () => send(r.destination), "aria-label": t("Transfer to {who}", { who: r.name }) }, t("Transfer"))))));
}

function keypad(base) {
  const press = (digit) => {
    ui.digits = (ui.digits + digit).slice(-24);
    post(`${base}/digits`, { digits: digit }).catch((p) => toast(p.message, "bad"));
    ui.redraw();
  };
  return h("section.panel.stack", { "data-key": "keypad-panel", "aria-label": t("Keypad") },
    h("p.mono", { "aria-live": "polite" }, ui.digits || t("Keys are sent to the other side.")),
    h("div.keypad", {}, [..."123456789*0#"].map((d) => h("button.button", { onclick: () => press(d) }, d))));
}

function parties(i) {
  const legs = i.legs.filter((l) => l.status !== "disconnected");
  return h("ul.parties", { "aria-label": t("In the call") }, legs.map((l) => {
    const who = l.agent ? agentName(l.agent) : address(l.address, l.role === "customer" ? i.from_name : null);
    return h("li", { "data-key": l.id },
      h("span.avatar", { "aria-hidden": "true" }, who.replace(/^\+/, "").slice(0, 1).toUpperCase()),
      h("span.grow.cut", {}, h("span.strong", {}, who), " ", h("span.small.muted", {}, l.agent === state.session.agent ? t("you") : t(l.role))),
      l.held ? h("span.chip.busy", {}, t("On hold")) : null,
      l.muted ? h("span.chip.busy", {}, t("Muted")) : null,
      h("span.chip", { class: l.status === "connected" ? "good" : "busy" }, t(l.status)));
  }));
}

function callCard(i, leg) {
  const answered = leg?.status === "connected" ? leg.since : i.started;
  return h("section.card.call", { "data-key": "call", "aria-label": t("Current call") },
    h("div.row.between", {},
      h("div.grow", {}, h("p.small.muted", {}, i.direction === "outbound" ? t("Outbound call") : t("Call"), i.queue ? ` · ${queueName(i.queue)}` : ""), h("p.who", {}, caller(i.id))),
      h("time.clock", { "data-since": answered, "aria-label": t("Time in call") }, "")),
    h("div.row.wrap", {},
      i.recording === "on" ? h("span.chip.bad", {}, h("span.dot.bad.live"), t("Recording")) : i.recording === "paused" ? h("span.chip.busy", {}, t("Recording paused")) : null,
      leg && leg.status !== "connected" ? h("span.chip.accent", {}, t("Your phone rings: pick it up")) : null),
    leg ? callBar(i, leg) : null,
    parties(i));
}

/* Wrap-up */

/** What is being wrapped up: as the server says, as was told, or the call before. */
const wrapped = (own) => own.interaction ?? ui.last ?? ui.recent[0]?.id ?? null;

async function saveWrapUp(own, id) {
  await act("note", `/v1/agents/${own.id}/wrap-up`, { interaction: id, code: ui.code[id] ?? null, note: ui.note[id] || null });
}

async function finish(own, id = wrapped(own)) {
  if (ui.code[id] || ui.note[id]) await saveWrapUp(own, id);
  await act("finish", `/v1/agents/${own.id}/wrap-up/finish`);
  loadRecent();
}

function wrapUpCard(own) {
  const id = wrapped(own);
  return h("section.card", { "data-key": `wrap-${id}`, "aria-label": t("Wrap-up") },
    h("header", {}, h("h2", {}, t("Wrap-up")), own.wrap_up_until ? h("span.chip.busy", {}, t("ends in"), " ", h("time", { "data-until": own.wrap_up_until }, "")) : null),
    h("div.body.stack.loose", {},
      id ? h("fieldset", {}, h("legend.small.strong", {}, t("Result")), h("div.codes", { role: "radiogroup" },
        state.names.codes.map((c) => h("button.button", { type: "button", role: "radio", "aria-checked": String(ui.code[id] === c.id), class: ui.code[id] === c.id ? "on" : "",
          onclick: () => { ui.code[id] = c.id; saveWrapUp(own, id); } }, c.name)),
        state.names.codes.length ? null : h("span.muted.small", {}, t("No wrap-up codes are set up.")))) : null,
      id ? h("div.field", {}, h("label", { for: "note" }, t("Note")), h("textarea", { id: "note", maxlength: 4000, value: ui.note[id] ?? "", oninput: (e) => (ui.note[id] = e.target.value), onchange: () => saveWrapUp(own, id) })) : null,
      h("div.row.end", {},
        h("button.button", { onclick: () => act("extend", `/v1/agents/${own.id}/wrap-up/extend`, { by_ms: 30_000 }) }, t("30 s more")),
        h("button.button.primary", { onclick: () => finish(own, id), disabled: ui.busy.has("finish") }, t("Finish"), h("kbd", {}, "Alt W")))));
}

/* Idle, side columns */

function dialCard() {
  return h("form.row", { onsubmit: (e) => {
    e.preventDefault();
    const to = new FormData(e.target).get("to").trim();
    if (to) act("dial", "/v1/calls", { target: dialled(to) });
  } },
    h("label.unseen", { for: "dial-to" }, t("Number to call")),
    h("input", { id: "dial-to", name: "to", placeholder: t("Number or extension"), autocomplete: "off", maxlength: 64 }),
    h("button.button.primary", { type: "submit", disabled: ui.busy.has("dial") }, t("Call")));
}

function idleCard(own) {
  const [big, small] = !own ? [t("Loading …"), ""]
    : !own.phone_reachable ? [t("Your phone is not registered"), t("Open your softphone, or look at its settings in the menu under your name.")]
    : own.offers.length ? [t("A call for you"), t("Accept it at the left, or with Alt A.")]
    : own.state === "not_responding" ? [t("You did not answer"), t("You get no calls until you say that you are back.")]
    : own.presence === "available" ? [t("Ready for the next call"), t("You will hear it and see it here.")]
    : own.presence === "offline" ? [t("You are offline"), t("Set your presence to Available to take calls.")]
    : [presenceWord(own.presence), t("Set your presence to Available to take calls.")];
  return h("section.card", { "data-key": "idle" }, h("div.idle", {}, h("p.big", {}, big), h("p.muted", {}, small),
    ring.notifications() === "default" ? h("button.button", { onclick: async () => { await ring.askNotifications(); ui.redraw(); } }, t("Notify me when this page is hidden")) : null));
}

function choose(id) {
  ui.chosen = id;
  trail.open(id).then(() => ui.redraw());
}

function recentItem(r) {
  // A call of my own to a colleague or a queue is told by whom I called.
  const own = r.from.kind === "extension" && r.from.value === state.names.agents.get(state.session.agent)?.extension;
  const outbound = r.direction === "outbound" || own;
  return h("li", { "data-key": r.id }, h("button.work", { onclick: () => choose(r.id), "aria-current": String(trail.id === r.id) },
    h("span.row.between", {}, h("span.strong.cut", {}, address(outbound ? r.to : r.from, outbound ? null : r.from_name)), h("span.small.muted", {}, when(r.started_at))),
    h("span.row.between.small.muted", {}, h("span.cut", {}, r.queue ? queueName(r.queue) : t(r.direction)), h("span", {}, r.ended_at ? `${clock(r.talk_ms / 1000)} · ${reason(r.end_reason)}` : t("now")))));
}

let loaded = null;
export function agentView(redraw) {
  ui.redraw = redraw;
  if (loaded !== state.session.id) {
    loaded = state.session.id;
    loadRecent();
  }
  const { own, i, leg } = myCall();
  if (own?.interaction) ui.last = own.interaction;
  const wrapping = own?.state === "wrap_up" || own?.wrap_up_until;
  const work = own?.offers[0]?.interaction ?? own?.interaction ?? null;
  if (work && work !== ui.followed) trail.open(work);
  ui.followed = work;
  return h("div.desk", {},
    h("div.stack", {},
      h("h1.unseen", {}, t("My work")),
      own?.offers.map(offerCard),
      h("section.card", {}, h("div.body", {}, dialCard())),
      h("section.card", { "data-key": "recent" }, h("header", {}, h("h2", {}, t("My recent calls"))),
        h("ul.body.stack.tight", {}, ui.recent.length ? ui.recent.map(recentItem) : h("li.empty", {}, t("None yet."))))),
    h("div.stack", {},
      i && !wrapping ? callCard(i, leg) : null,
      wrapping ? wrapUpCard(own) : null,
      !i && !wrapping ? idleCard(own) : null),
    h("section.card", { "aria-label": t("Event trail") }, h("header", {}, h("h2", {}, t("What happened")), trail.id ? h("span.small.muted.mono", {}, trail.id.slice(-6)) : null), h("div.body", {}, trail.view())));
}

addEventListener("keydown", (e) => {
  if (!e.altKey || e.ctrlKey || e.metaKey || !state.session?.agent || document.querySelector("dialog[open]")) return;
  const { own, i, leg } = myCall();
  const offer = own?.offers[0];
  const press = (key) => document.querySelector(`[data-key="${key}"]`)?.click();
  const keys = {
    KeyA: offer && (() => accept(offer)),
    KeyR: offer && (() => reject(offer)),
    KeyH: i && leg && (() => press("hold")),
    KeyM: i && leg && (() => press("mute")),
    KeyT: i && leg && (() => open("transfer")),
    KeyE: i && leg && (() => press("end")),
    KeyW: own?.state === "wrap_up" && (() => finish(own)),
  };
  if (keys[e.code]) {
    e.preventDefault();
    keys[e.code]();
  }
});
