// Frame of the page: sign-in, top bar, the three views, clocks that tick.

import { adminView } from "./admin.js";
import { agentView } from "./agent.js";
import { call, get, post, put } from "./api.js";
import { dialog, h, say, show, toast } from "./dom.js";
import { historyView } from "./history.js";
import { clock, presenceKeys, presenceWord, stateWord, t } from "./messages.js";
import { askNotifications, notifications, prepare } from "./ring.js";
import { changed, enter, may, me, now, onChange, signOut, state } from "./store.js";
import { supervisorView } from "./supervisor.js";

const app = document.getElementById("app");
const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;

const VIEWS = [
  { key: "desk", title: "Desk", allowed: () => Boolean(state.session.agent), view: agentView },
  { key: "floor", title: "Floor", allowed: () => may("live:read"), view: supervisorView },
  { key: "history", title: "History", allowed: () => may("interactions:read"), view: historyView },
  { key: "admin", title: "Administration", allowed: () => may("queues:write"), view: adminView },
];

const allowed = () => VIEWS.filter((v) => v.allowed());
function route() {
  const [key, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const view = allowed().find((v) => v.key === key) ?? allowed()[0];
  return { view, rest };
}

/* Sign-in */

const sign = { fault: "", busy: false, domain: false };

async function submit(e) {
  e.preventDefault();
  prepare();
  const form = new FormData(e.target);
  sign.busy = true;
  draw();
  try {
    const body = { login: form.get("login"), password: form.get("password"), kind: "cookie" };
    if (form.get("tenant")) body.tenant = form.get("tenant");
    const session = await call("POST", "/v1/sessions", body);
    sign.fault = "";
    await enter(session);
  } catch (p) {
    sign.fault = p.message;
    sign.domain ||= p.status === 401;
    say(p.message, true);
  }
  sign.busy = false;
  draw();
}

function gate() {
  const field = (name, label, extra) =>
    h("div.field", {}, h("label", { for: name }, label), h("input", { id: name, name, required: name !== "tenant", ...extra }));
  return h("div.gate", { "data-key": "gate" },
    h("header.side", {},
      h("span.brand", {}, h("img", { src: "/assets/icon.svg", alt: "" }), "Crosspoint"),
      h("div.stack.loose", {}, h("h1", {}, t("Every call reaches somebody.")), h("p", {}, t("Queues, calls and the people who answer them, on one page."))),
      h("p.small", {}, t("Works with any SIP phone beside this page."))),
    h("main", { id: "main" },
      h("form", { onsubmit: submit, "aria-labelledby": "gate-title" },
        h("h2", { id: "gate-title" }, t("Sign in")),
        sign.fault ? h("p.notice", { role: "alert" }, sign.fault) : null,
        field("login", t("Sign-in name"), { autocomplete: "username", autofocus: true, maxlength: 100 }),
        field("password", t("Password"), { type: "password", autocomplete: "current-password", maxlength: 256 }),
        sign.domain ? field("tenant", t("Organisation's domain (if several share this server)"), { autocomplete: "organization", maxlength: 253 }) : null,
        h("button.button.primary", { type: "submit", disabled: sign.busy }, sign.busy ? t("Signing in …") : t("Sign in")),
        h("p.small.muted", {}, h("a", { href: "/docs" }, t("API reference"))))));
}

/* Top bar */

const dotOf = (agent) => {
  if (!agent || agent.presence === "offline") return "";
  if (agent.state === "not_responding") return "bad";
  if (agent.presence !== "available") return "busy";
  return agent.state === "idle" ? "good" : "busy";
};

async function setPresence(value) {
  let presence = value;
  if (value === "other") {
    const reason = prompt(t("Reason"));
    if (!reason) return changed();
    presence = { other: reason.slice(0, 40) };
  }
  try {
    await put(`/v1/agents/${state.session.agent}/presence`, { presence });
    say(t("Presence: {presence}", { presence: presenceWord(presence) }));
  } catch (p) {
    toast(p.message, "bad");
    changed();
  }
}

function presenceControl() {
  if (!state.session.agent) return null;
  const own = me();
  const shown = own?.next_presence ?? own?.presence ?? "offline";
  const custom = typeof shown === "object" ? shown.other : null;
  return h("div.row", {},
    h("div.presence", {},
      h("span.dot", { class: dotOf(own), "aria-hidden": "true" }),
      h("select", { id: "presence", "aria-label": t("Presence"), value: custom ? "custom" : shown, onchange: (e) => setPresence(e.target.value) },
        presenceKeys.map((p) => h("option", { value: p }, own?.next_presence ? `${presenceWord(own.presence)} → ${presenceWord(p)}` : presenceWord(p))),
        custom ? h("option", { value: "custom" }, custom) : null,
        h("option", { value: "other" }, t("Other reason …")))),
    own && (own.presence !== "offline" || own.state !== "idle") ? h("span.chip", { class: own.state === "not_responding" ? "bad" : own.state === "idle" ? "" : "accent" },
      stateWord(own.state), " ", h("time", { "data-since": own.since }, clock((now() - Date.parse(own.since)) / 1000))) : null,
    own?.state === "not_responding" ? h("button.button.small.primary", { onclick: () => setPresence("available") }, t("I'm back")) : null);
}

function healthView() {
  const { state: word, ms } = state.health;
  const own = me();
  const text = { connected: t("Connected"), connecting: t("Reconnecting …"), offline: t("Offline") }[word];
  const phone = own ? (own.phone_reachable ? t("Phone ready") : t("Phone not registered")) : null;
  return h("div.row", {},
    phone ? h("span.health", { title: own.phone_reachable ? "" : t("Register your softphone; its settings are in the menu at the right.") },
      h("span.dot", { class: own.phone_reachable ? "good" : "bad" }), phone) : null,
    h("span.health", { title: ms === null ? "" : `${Math.round(ms)} ms` },
      h("span.dot", { class: word === "connected" ? "good" : "bad live" }), text));
}

let menuOpen = false;
const toggleMenu = (open) => ((menuOpen = open), draw());
addEventListener("click", (e) => menuOpen && !e.target.closest(".menu") && toggleMenu(false));
addEventListener("keydown", (e) => e.key === "Escape" && menuOpen && toggleMenu(false));

function turnTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
}

function userMenu() {
  const s = state.session;
  const item = (text, onclick) => h("button.button.plain", { type: "button", onclick: () => (toggleMenu(false), onclick()) }, text);
  const phone = [...state.names.phones.values()].find((p) => p.agent && p.agent === s.agent);
  return h("div.menu", {},
    h("button.button.plain", { "aria-haspopup": "true", "aria-expanded": String(menuOpen), onclick: () => toggleMenu(!menuOpen) },
      h("span.avatar", { "aria-hidden": "true" }, s.name.slice(0, 1).toUpperCase()), h("span", {}, s.name)),
    menuOpen ? h("div.sheet", {},
      h("div.who", {}, h("p.strong", {}, s.name), h("p.small.muted", {}, `${s.login} · ${s.roles.map((r) => t(r)).join(", ")}`), h("p.small.muted", {}, s.tenant_name)),
      phone ? item(t("My phone's settings"), () => phoneSettings(phone.id)) : null,
      notifications() === "default" ? item(t("Allow notifications"), () => askNotifications()) : null,
      item(t("Light or dark"), turnTheme),
      item(t("Keyboard"), shortcuts),
      item(t("Change password"), passwordDialog),
      item(t("Sign out"), signOut)) : null);
}

export async function phoneSettings(id) {
  const s = await get(`/v1/phones/${id}/settings`);
  const pair = (term, value) => (value ? [h("dt", {}, term), h("dd.mono", {}, String(value))] : []);
  const box = dialog(h("div.sheet", {},
    h("header", {}, h("h2", {}, t("Type this into a softphone"))),
    h("div.body", {}, h("dl.settings.wide", {},
      pair(t("User"), s.user), pair(t("Password"), t("as it was set")), pair(t("Domain"), s.domain), pair(t("Server"), s.server),
      pair("UDP", s.udp_port), pair("TCP", s.tcp_port), pair("TLS", s.tls_port), pair(t("Address"), s.address),
      pair("SRTP", s.srtp_required ? t("required") : t("optional")))),
    h("footer", {}, h("button.button.primary", { onclick: () => box.close() }, t("Close")))));
}

function shortcuts() {
  const rows = [["Alt+A", t("Accept the offer")], ["Alt+R", t("Reject the offer")], ["Alt+H", t("Hold or resume")], ["Alt+M", t("Mute or unmute")], ["Alt+T", t("Transfer or consult")], ["Alt+E", t("Hang up")], ["Alt+W", t("Finish wrap-up")]];
  const box = dialog(h("div.sheet", {},
    h("header", {}, h("h2", {}, t("Keyboard"))),
    h("div.body", {}, h("dl.settings.wide", {}, rows.flatMap(([k, what]) => [h("dt", {}, h("kbd", {}, k)), h("dd", {}, what)]))),
    h("footer", {}, h("button.button.primary", { onclick: () => box.close() }, t("Close")))));
}

function passwordDialog() {
  const fault = h("p.notice.wide", { hidden: true, role: "alert" });
  const field = (name, label) => h("div.field.wide", {}, h("label", { for: `pw-${name}` }, label),
    h("input", { id: `pw-${name}`, name, type: "password", required: true, minlength: name === "new" ? 8 : 1, autocomplete: name === "new" ? "new-password" : "current-password" }));
  const box = dialog(h("form", { onsubmit: async (e) => {
    e.preventDefault();
    const form = new FormData(e.target);
    try {
      await call("POST", "/v1/sessions/current/password", { current: form.get("current"), new: form.get("new") });
      box.close();
      toast(t("Changed. Sign in again."));
      await signOut();
    } catch (p) {
      fault.hidden = false;
      fault.textContent = p.message;
    }
  } },
    h("header", {}, h("h2", {}, t("Change password"))),
    h("div.body", {}, fault, field("current", t("Current password")), field("new", t("New password (8 characters or more)"))),
    h("footer", {}, h("button.button", { type: "button", onclick: () => box.close() }, t("Cancel")), h("button.button.primary", { type: "submit" }, t("Change")))));
}

function frame() {
  const { view, rest } = route();
  const tabs = allowed();
  return h("div.frame", { "data-key": "frame" },
    h("header.top", {},
      h("span.brand", {}, h("img", { src: "/assets/icon.svg", alt: "" }), h("span", {}, "Crosspoint")),
      h("nav.tabs", { "aria-label": t("Views") }, tabs.map((v) => h("a", { href: `#/${v.key}`, "aria-current": v === view ? "page" : null }, t(v.title)))),
      h("span.grow", {}),
      presenceControl(), healthView(), userMenu()),
    h("main", { id: "main", tabindex: "-1" }, view ? view.view(draw, rest) : h("p.empty", {}, t("Nothing is set up for you yet. Ask an administrator."))));
}

let queued = false;
function draw() {
  if (queued) return;
  queued = true;
  requestAnimationFrame(() => {
    queued = false;
    show(app, state.session ? frame() : gate());
    for (const list of app.querySelectorAll("[data-newest]")) follow(list);
    tick();
  });
}

const followed = new WeakMap();
/** A list that grew shows its newest line. */
function follow(list) {
  if (followed.get(list) === list.dataset.newest) return;
  followed.set(list, list.dataset.newest);
  list.scrollTop = list.scrollHeight;
}

/** Clocks and countdowns move without drawing the page again. */
function tick() {
  for (const el of document.querySelectorAll("[data-since]")) el.textContent = clock((now() - Date.parse(el.dataset.since)) / 1000);
  for (const el of document.querySelectorAll("[data-until]")) el.textContent = clock(Math.ceil((Date.parse(el.dataset.until) - now()) / 1000));
  for (const el of document.querySelectorAll("[data-ends]")) {
    const left = (Date.parse(el.dataset.ends) - now()) / (Date.parse(el.dataset.ends) - Number(el.dataset.begun));
    el.style.transform = `scaleX(${Math.min(1, Math.max(0, left))})`;
  }
}

onChange(draw);
addEventListener("hashchange", () => {
  draw();
  document.getElementById("main")?.focus();
});
setInterval(tick, 250);
draw();
// Asked only when this browser signed in before: a stranger needs no refusal to see the gate.
if (localStorage.getItem("signed-in")) get("/v1/sessions/current").then(enter).catch(() => draw());
