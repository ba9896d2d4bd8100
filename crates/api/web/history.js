// Search of interactions: the list, and one with its legs, recordings, trail and routing account.

import { get } from "./api.js";
import { h, toast } from "./dom.js";
import { address, clock, t, when } from "./messages.js";
import { agentName, may, onEvent, queueName, state } from "./store.js";
import { reason, Trail } from "./trail.js";

const ui = { redraw: () => {}, filter: { party: "", queue: "", state: "" }, rows: null, next: null, open: null, one: null, recordings: [], why: null };
const trail = new Trail(() => ui.redraw());
onEvent((e) => trail.take(e));

async function search(more = false) {
  const query = new URLSearchParams({ limit: "50" });
  for (const [name, value] of Object.entries(ui.filter)) if (value) query.set(name, value);
  if (more && ui.next) query.set("cursor", ui.next);
  try {
    const page = await get(`/v1/interactions?${query}`);
    ui.rows = more ? [...ui.rows, ...page.items] : page.items;
    ui.next = page.next ?? null;
  } catch (p) {
    ui.rows ??= [];
    toast(p.message, "bad");
  }
  ui.redraw();
}

async function open(id) {
  ui.open = id;
  ui.one = null;
  ui.why = null;
  ui.recordings = [];
  trail.open(id);
  try {
    ui.one = await get(`/v1/interactions/${id}`);
    if (may("recordings:read") && ui.one.recordings) ui.recordings = (await get(`/v1/recordings?interaction=${id}`)).items;
  } catch (p) {
    toast(p.message, "bad");
  }
  ui.redraw();
}

async function explain() {
  try {
    ui.why = (await get(`/v1/interactions/${ui.open}/explain`)).explanation;
  } catch (p) {
    toast(p.message, "bad");
  }
  ui.redraw();
}

function form() {
  const field = (name, label, control) => h("div.field", {}, h("label", { for: `f-${name}` }, label), control);
  const select = (name, options) => h("select", { id: `f-${name}`, value: ui.filter[name], onchange: (e) => { ui.filter[name] = e.target.value; search(); } }, options.map(([v, text]) => h("option", { value: v }, text)));
  const states = ["started", "queued", "connected", "parked", "ended"];
  return h("form.filters.row.wrap", { onsubmit: (e) => { e.preventDefault(); search(); } },
    field("party", t("Number or name"), h("input", { id: "f-party", type: "search", value: ui.filter.party, oninput: (e) => (ui.filter.party = e.target.value) })),
    field("queue", t("Queue"), select("queue", [["", t("All")], ...[...state.names.queues.values()].map((q) => [q.id, q.name])])),
    field("state", t("State"), select("state", [["", t("All")], ...states.map((s) => [s, t(s)])])),
    h("div.field", {}, h("span.label", {}, "\u00a0"), h("button.button.primary", { type: "submit" }, t("Search"))));
}

function list() {
  const head = [t("Started"), t("From"), t("To"), t("Queue"), t("Agent"), t("Talked"), t("Ended")];
  return h("section.card", {}, h("header", {}, h("h2", {}, t("Interactions"))), form(), h("div.scroll", {}, h("table", {},
    h("thead", {}, h("tr", {}, head.map((x, i) => h("th", { scope: "col", class: i === 5 ? "num" : "" }, x)))),
    h("tbody", {}, (ui.rows ?? []).map((r) => h("tr", { "data-key": r.id },
      h("td.nowrap", {}, h("a", { href: `#/history/${r.id}`, "aria-current": ui.open === r.id ? "true" : null }, when(r.started_at))),
      h("td", {}, address(r.from, r.from_name)), h("td", {}, address(r.to)), h("td", {}, r.queue ? queueName(r.queue) : ""),
      h("td", {}, r.agents.map(agentName).join(", ")), h("td.num", {}, clock(r.talk_ms / 1000)),
      h("td", {}, r.ended_at ? reason(r.end_reason) : h("span.chip.good", {}, t("live")))))))),
    ui.rows && !ui.rows.length ? h("p.empty", {}, t("Nothing found.")) : null,
    ui.next ? h("div.body.row.end", {}, h("button.button", { onclick: () => search(true) }, t("More"))) : null);
}

/** Why the routing did what it did, in words: each decision, and what happened to the wish. */
function account(why) {
  const decisions = why.decisions ?? [];
  const steps = why.steps ?? [];
  const away = why.not_taken_by ?? [];
  return h("section.panel.stack.tight", { "aria-label": t("Routing account") },
    h("p", {}, h("span.strong", {}, queueName(why.queue)), ` · ${t("Priority")} ${why.priority}`, why.position ? ` · ${t("place")} ${why.position}` : ""),
    decisions.length ? h("div.scroll", {}, h("table", {},
      h("thead", {}, h("tr", {}, [t("Time"), t("Agent"), t("Why"), t("Outcome")].map((x) => h("th", { scope: "col" }, x)))),
      h("tbody", {}, decisions.map((d) => h("tr", { "data-key": d.offer },
        h("td.nowrap", {}, when(d.at)), h("td", {}, agentName(d.chosen.agent)), h("td", {}, d.because), h("td", {}, d.ended ? t(d.ended) : t("ringing"))))))) : h("p.empty", {}, t("No agent has been chosen yet.")),
    steps.length ? h("ul", {}, steps.map((s) => h("li", {}, `${when(s.at)} ${s.what}`))) : null,
    away.length ? h("p.small.muted", {}, t("Not chosen"), ": ", away.map((r) => `${r.agents} × ${t(r.reason)}`).join(", ")) : null);
}

function detail() {
  const r = ui.one;
  if (!ui.open) return h("section.card", {}, h("p.empty", {}, t("Choose an interaction to see what happened in it.")));
  return h("section.card", { "data-key": ui.open },
    h("header", {}, h("h2", {}, r ? `${address(r.from, r.from_name)} → ${address(r.to)}` : t("Loading …")),
      h("button.button.small", { onclick: explain }, t("Why this agent?"))),
    h("div.body.stack.loose", {},
      h("p.small.muted.mono", {}, ui.open),
      ui.why ? account(ui.why) : null,
      ui.recordings.map((rec) => h("div.stack.tight", { "data-key": rec.id }, h("h3", {}, t("Recording"), rec.duration_ms ? ` · ${clock(rec.duration_ms / 1000)}` : ""), h("audio", { controls: true, preload: "none", src: `/v1/recordings/${rec.id}/audio`, "data-keep": true }))),
      r?.legs?.length ? h("div", {}, h("h3", {}, t("Legs")), h("ul.parties", {}, r.legs.map((l) => h("li", { "data-key": l.id },
        h("span.grow.cut", {}, h("span.strong", {}, l.agent ? agentName(l.agent) : address(l.address)), " ", h("span.small.muted", {}, t(l.role))),
        l.quality?.mos ? h("span.chip", {}, `MOS ${Number(l.quality.mos).toFixed(1)}`) : null,
        l.codec ? h("span.chip", {}, l.codec) : null, l.secure ? h("span.chip.good", {}, t("encrypted")) : null,
        h("span.small.muted", {}, l.end_reason ? reason(l.end_reason) : t("live")))))) : null,
      h("div", {}, h("h3", {}, t("What happened")), trail.view())));
}

export function historyView(redraw, [id]) {
  ui.redraw = redraw;
  if (!ui.rows) {
    ui.rows = [];
    search();
  }
  if (id && id !== ui.open) open(id);
  return h("div.stack", {}, h("h1.unseen", {}, t("History")), h("div.halves.history", {}, list(), detail()));
}
