// The floor: what waits, who works, and the supervisor's way into a call.

import { post, put } from "./api.js";
import { h, toast } from "./dom.js";
import { address, clock, presenceKeys, presenceWord, stateWord, t } from "./messages.js";
import { agentName, may, me, now, queueName, refresh, state } from "./store.js";

const busy = new Set();
let redraw = () => {};

async function act(key, path, body) {
  if (busy.has(key)) return;
  busy.add(key);
  redraw();
  try {
    await post(path, body);
  } catch (p) {
    toast(p.message, "bad");
  }
  busy.delete(key);
  redraw();
  refresh();
}

const seconds = (ms) => clock((ms ?? 0) / 1000);
const sum = (rows, f) => rows.reduce((n, r) => n + f(r), 0);

function tiles(live) {
  const { queues, agents, interactions } = live;
  const waiting = sum(queues, (q) => q.waiting);
  const longest = Math.max(0, ...queues.map((q) => q.longest_wait_ms));
  const here = agents.filter((a) => a.presence !== "offline");
  const free = here.filter((a) => a.presence === "available" && a.state === "idle");
  const counted = queues.filter((q) => q.service_level_pct !== null && q.service_level_pct !== undefined);
  const ended = sum(counted, (q) => q.answered + q.abandoned);
  const level = ended ? sum(counted, (q) => q.service_level_pct * (q.answered + q.abandoned)) / ended : null;
  const tile = (title, value, warn) => h("div.tile", {}, h("p.small.muted", {}, title), h("p.value", { class: warn ? "warn" : "" }, String(value)));
  return h("section.tiles", { "aria-label": t("At a glance") },
    tile(t("Waiting"), waiting, waiting > free.length && waiting > 0),
    tile(t("Longest wait"), seconds(longest), longest > 120_000),
    tile(t("Agents free"), free.length, waiting > 0 && !free.length),
    tile(t("Agents here"), here.length),
    tile(t("Live interactions"), interactions.length),
    tile(t("Service level today"), level === null ? "–" : `${Math.round(level)} %`, level !== null && level < 70));
}

function queueTable(live) {
  const head = [t("Queue"), t("Waiting"), t("Longest wait"), t("Estimated wait"), t("Free / here"), t("Answered"), t("Abandoned"), t("Service level")];
  return h("section.card", {}, h("header", {}, h("h2", {}, t("Queues"))), h("div.scroll", {}, h("table", {},
    h("thead", {}, h("tr", {}, head.map((x, i) => h("th", { scope: "col", class: i ? "num" : "" }, x)))),
    h("tbody", {}, live.queues.map((q) => {
      const row = state.names.queues.get(q.id);
      const late = row && q.longest_wait_ms > row.service_level_ms;
      const poor = row && q.service_level_pct !== null && q.service_level_pct < row.service_level_pct;
      return h("tr", { "data-key": q.id },
        h("td.strong", {}, queueName(q.id)), h("td.num", {}, String(q.waiting)),
        h("td.num", { class: late ? "warn" : "" }, seconds(q.longest_wait_ms)),
        h("td.num", {}, q.wait_estimate_ms === null || q.wait_estimate_ms === undefined ? "–" : seconds(q.wait_estimate_ms)),
        h("td.num", {}, `${q.agents_available} / ${q.agents_signed_in}`),
        h("td.num", {}, String(q.answered)), h("td.num", {}, String(q.abandoned)),
        h("td.num", { class: poor ? "warn" : "" }, q.service_level_pct === null || q.service_level_pct === undefined ? "–" : `${Math.round(q.service_level_pct)} %`));
    })))), live.queues.length ? null : h("p.empty", {}, t("No queues yet.")));
}

const ORDER = { not_responding: 0, interacting: 1, offered: 2, wrap_up: 3, idle: 4 };
const rank = (a) => (a.presence === "offline" ? 9 : ORDER[a.state] ?? 5);

function agentRow(a, live) {
  const i = live.interactions.find((x) => x.id === a.interaction);
  const work = i ? `${address(i.direction === "outbound" ? i.to : i.from, i.direction === "outbound" ? null : i.from_name)}${i.queue ? ` · ${queueName(i.queue)}` : ""}` : "";
  const mine = a.id === state.session.agent;
  const canJoin = i && !mine && state.session.agent && a.state === "interacting";
  const join = (mode, text, permission) => (canJoin && may(permission)
    ? h("button.button.small", { disabled: busy.has(`${mode}${i.id}`), "aria-label": `${text}: ${agentName(a.id)}`, onclick: () => act(`${mode}${i.id}`, `/v1/interactions/${i.id}/supervise`, { mode }) }, text) : null);
  const colour = a.presence === "offline" ? "" : a.state === "not_responding" ? "bad" : a.presence === "available" && a.state === "idle" ? "good" : "busy";
  return h("tr", { "data-key": a.id },
    h("td", {}, h("span.row", {}, h("span.dot", { class: colour, "aria-hidden": "true" }), h("span.strong", {}, agentName(a.id)))),
    h("td", {}, h("select", { "aria-label": t("Presence of {agent}", { agent: agentName(a.id) }), value: typeof a.presence === "string" ? a.presence : "custom", disabled: !may("presence:set"),
      onchange: (e) => put(`/v1/agents/${a.id}/presence`, { presence: e.target.value }).catch((p) => toast(p.message, "bad")).finally(refresh) },
      presenceKeys.map((p) => h("option", { value: p }, presenceWord(p))), typeof a.presence === "string" ? null : h("option", { value: "custom" }, presenceWord(a.presence)))),
    h("td", {}, a.presence === "offline" ? h("span.muted", {}, "–") : h("span.chip", { class: a.state === "not_responding" ? "bad" : a.state === "idle" ? "" : "accent" }, stateWord(a.state))),
    h("td.num", {}, h("time", { "data-since": a.since }, "")),
    h("td", {}, a.phone_reachable ? t("ready") : h("span.muted", {}, t("not registered"))),
    h("td", {}, h("span.cut", {}, work)),
    h("td", {}, h("span.row", {}, join("listen", t("Listen"), "supervise:listen"), join("whisper", t("Whisper"), "supervise:whisper"), join("barge", t("Barge"), "supervise:barge"))));
}

function agentTable(live) {
  const head = [t("Agent"), t("Presence"), t("State"), t("For"), t("Phone"), t("Current work"), t("Join")];
  const rows = [...live.agents].sort((a, b) => rank(a) - rank(b) || agentName(a.id).localeCompare(agentName(b.id)));
  return h("section.card", {}, h("header", {}, h("h2", {}, t("Agents"))), h("div.scroll", {}, h("table", {},
    h("thead", {}, h("tr", {}, head.map((x, i) => h("th", { scope: "col", class: i === 3 ? "num" : "" }, x)))),
    h("tbody", {}, rows.map((a) => agentRow(a, live))))), rows.length ? null : h("p.empty", {}, t("No agents yet.")));
}

function liveTable(live) {
  const rows = [...live.interactions].sort((a, b) => Number(b.waiting) - Number(a.waiting) || a.started.localeCompare(b.started)).slice(0, 200);
  const head = [t("From"), t("To"), t("Queue"), t("State"), t("Age"), ""];
  return h("section.card", {}, h("header", {}, h("h2", {}, t("Calls"))), h("div.scroll", {}, h("table", {},
    h("thead", {}, h("tr", {}, head.map((x, i) => h("th", { scope: "col", class: i === 4 ? "num" : "" }, x || h("span.unseen", {}, t("Actions")))))),
    h("tbody", {}, rows.map((i) => h("tr", { "data-key": i.id },
      h("td.strong", {}, address(i.from, i.from_name)), h("td", {}, address(i.to)), h("td", {}, i.queue ? queueName(i.queue) : ""),
      h("td", {}, h("span.chip", { class: i.waiting ? "busy" : i.legs.filter((l) => l.status === "connected").length > 1 ? "good" : "" }, i.slot ? t("parked in {slot}", { slot: i.slot }) : i.waiting ? t("waiting") : t("live")),
        i.recording === "on" ? h("span.chip.bad", {}, t("rec")) : null),
      h("td.num", {}, h("time", { "data-since": i.started }, "")),
      h("td", {}, h("span.row", {},
        h("a.button.small.plain", { href: `#/history/${i.id}` }, t("Trail")),
        may("calls:control") ? h("button.button.small.danger", { disabled: busy.has(i.id), onclick: () => confirm(t("End this call for everybody?")) && act(i.id, `/v1/interactions/${i.id}/hang-up`) }, t("End")) : null))))))),
    rows.length ? null : h("p.empty", {}, t("Nobody is calling.")));
}

/** My own supervising leg, when I am in somebody's call. */
function supervising(live) {
  for (const i of live.interactions) {
    const leg = i.legs.find((l) => l.agent === state.session.agent && l.role === "supervisor" && l.status !== "disconnected");
    if (!leg) continue;
    const agent = i.legs.find((l) => l.role === "agent");
    const mode = (m, text, permission) => may(permission) && h("button.button.small", { "aria-pressed": String(leg.supervise === m), onclick: () => act(m, `/v1/legs/${leg.id}/supervise-mode`, { mode: m }) }, text);
    return h("section.supervising", { "aria-label": t("You supervise") },
      h("span.strong.grow", {}, leg.status === "connected" ? t("You are in {agent}'s call", { agent: agent?.agent ? agentName(agent.agent) : "" }) : t("Your phone rings: pick it up")),
      h("span.row", {}, mode("listen", t("Listen"), "supervise:listen"), mode("whisper", t("Whisper"), "supervise:whisper"), mode("barge", t("Barge"), "supervise:barge")),
      may("supervise:take-over") ? h("button.button.small.primary", { onclick: () => act("take", `/v1/legs/${leg.id}/take-over`) }, t("Take over")) : null,
      h("button.button.small.danger", { onclick: () => act("leave", `/v1/legs/${leg.id}/hang-up`) }, t("Leave")));
  }
  return null;
}

export function supervisorView(draw) {
  redraw = draw;
  const live = state.live;
  if (!live) return h("p.empty", {}, t("Loading …"));
  return h("div.board", {},
    h("h1.unseen", {}, t("Floor")),
    supervising(live), tiles(live), queueTable(live), agentTable(live), liveTable(live));
}
