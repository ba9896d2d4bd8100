// Administration: one list and one form for every kind of row, described below as data.

import { all, call, post } from "./api.js";
import { phoneSettings } from "./app.js";
import { dialog, h, toast } from "./dom.js";
import { t, when } from "./messages.js";
import { loadNames, may, onEvent, state } from "./store.js";

const ui = { redraw: () => {}, rows: new Map() };
onEvent((e) => {
  if (e.type === "tenant.configuration_changed") ui.rows.clear(), ui.redraw();
});

const SECOND = { unit: 1000, type: "number" };
const name = { name: "name", label: "Name", required: true };
const KINDS = {
  users: { title: "People", noun: "person", permission: "users", fields: [
    name, { name: "login", label: "Sign-in name", required: true },
    { name: "password", label: "Password", type: "password", hint: "8 characters or more. Changing it signs the person out." },
    { name: "roles", label: "Roles", type: "checks", options: ["agent", "supervisor", "administrator"], wide: true },
    { name: "disabled", label: "Cannot sign in", type: "check" }], columns: ["name", "login", "roles", "disabled"] },
  agents: { title: "Agents", noun: "agent", permission: "agents", fields: [
    name, { name: "extension", label: "Extension", required: true },
    { name: "user", label: "Person who signs in", type: "ref", of: "users" }, { name: "phone", label: "Phone that rings", type: "ref", of: "phones", text: (p) => `${p.user} ${p.name}` },
    { name: "queues", label: "Queues", type: "refs", of: "queues", wide: true }, { name: "skills", label: "Skills and levels", type: "levels", wide: true },
    { name: "wrap_up_ms", label: "Wrap-up time, seconds", ...SECOND, hint: "Empty: as the queue says." },
    { name: "available_when_registered", label: "Available while the phone is registered", type: "check" }], columns: ["name", "extension", "user", "phone", "queues"] },
  phones: { title: "Phones", noun: "phone", permission: "phones", fields: [
    { name: "user", label: "User (also its extension)", required: true }, { name: "password", label: "Password", type: "password", make: true, hint: "Write it down: it is not shown again." },
    { name: "name", label: "Name" }, { name: "agent", label: "Whose phone", type: "ref", of: "agents" },
    { name: "require_srtp", label: "Only encrypted media", type: "check" }, { name: "may_dial_out", label: "May dial out through trunks", type: "check" }], columns: ["user", "name", "agent", "may_dial_out"], extra: [["Settings", (r) => phoneSettings(r.id)]] },
  queues: { title: "Queues", noun: "queue", permission: "queues", fields: [
    name, { name: "selection", label: "Who is offered first", type: "select", options: ["longest_idle", "least_occupied", "least_flexible", "best_score", "round_robin"] },
    { name: "priority", label: "Priority", type: "number" }, { name: "waiting_max", label: "Waiting at most", type: "number", hint: "0: the house limit." },
    { name: "ring_ms_max", label: "Ring at most, seconds", ...SECOND }, { name: "wrap_up_ms", label: "Wrap-up, seconds", ...SECOND },
    { name: "wait_ms_max", label: "Wait at most, seconds", ...SECOND }, { name: "announce_every_ms", label: "Announce every … seconds", ...SECOND, hint: "0: never." },
    { name: "service_level_pct", label: "Service level: per cent", type: "number" }, { name: "service_level_ms", label: "… within seconds", ...SECOND },
    { name: "skills", label: "Skills wanted", type: "levels", wide: true }, { name: "overflow", label: "Then", type: "destination", optional: true, wide: true },
    { name: "record", label: "Record calls", type: "check" }, { name: "refuse_when_unstaffed", label: "Refuse when nobody is signed in", type: "check" }, { name: "demote_on_no_answer", label: "No answer sets the agent aside", type: "check" }],
    columns: ["name", "priority", "selection", "service_level_pct", "service_level_ms", "record"] },
  numbers: { title: "Numbers", noun: "number", permission: "numbers", fields: [
    { name: "number", label: "Number or extension", required: true }, { name: "name", label: "Name" },
    { name: "destination", label: "Leads to", type: "destination", wide: true }, { name: "public", label: "Reachable from trunks", type: "check" }], columns: ["number", "name", "destination", "public"] },
  trunks: { title: "Trunks", noun: "trunk", permission: "trunks", fields: [
    name, { name: "transport", label: "Transport", type: "select", options: ["udp", "tcp", "tls"] },
    { name: "host", label: "Host for outgoing calls", hint: "host or host:port; empty: inbound only." }, { name: "user", label: "Our user there" }, { name: "password", label: "Our password there", type: "password" },
    { name: "auth", label: "The far side proves itself", type: "auth", wide: true },
    { name: "channels_max", label: "Calls at a time", type: "number", hint: "0: no limit." }, { name: "health_interval_s", label: "Health check every … seconds", type: "number" },
    { name: "dial_prefixes", label: "Prefixes that may leave here", type: "words", hint: "Separated by spaces; * for all; empty: none." }, { name: "rules", label: "Number rules", type: "rules", wide: true },
    { name: "register", label: "We register there", type: "check" }, { name: "srtp", label: "Encrypt media", type: "check" }], columns: ["name", "host", "transport", "health"] },
  skills: { title: "Skills", noun: "skill", permission: "skills", fields: [name], columns: ["name"] },
  "wrap-up-codes": { title: "Wrap-up codes", noun: "code", permission: "wrap-up-codes", fields: [name], columns: ["name"] },
  conferences: { title: "Conferences", noun: "room", permission: "conferences", fields: [name, { name: "members_max", label: "Members at most", type: "number" }, { name: "record", label: "Record", type: "check" }], columns: ["name", "members_max", "record"] },
  "api-keys": { title: "API keys", noun: "key", permission: "api-keys", fixed: true, fields: [
    name, { name: "expires_at", label: "Valid until", type: "datetime" }, { name: "scopes", label: "May", type: "scopes", wide: true }], columns: ["name", "scopes", "expires_at", "created_at"] },
};

/** Rows of a kind; asked for once until something changes. */
function load(kind) {
  if (!ui.rows.has(kind)) {
    const entry = { rows: null };
    entry.done = all(`/v1/${kind}`).catch((p) => (toast(p.message, "bad"), [])).then((rows) => {
      entry.rows = rows;
      ui.redraw();
    });
    ui.rows.set(kind, entry);
  }
  return ui.rows.get(kind).done;
}
const rowsOf = (kind) => (load(kind), ui.rows.get(kind).rows ?? []);
const nameOf = (kind, id) => {
  const row = rowsOf(kind).find((r) => r.id === id);
  return row ? row.name || row.user || row.number : "–";
};

/* Cells */

const DESTINATIONS = { queue: "queues", agent: "agents", phone: "phones", conference: "conferences" };
function destinationText(d) {
  if (!d) return "–";
  const kind = DESTINATIONS[d.to];
  if (kind) return `${t(d.to)}: ${nameOf(kind, d[d.to])}`;
  if (d.to === "dial") return `${t("dial")}: ${d.target.number ?? d.target.extension ?? d.target.uri ?? ""}`;
  return t({ answer: "answer", echo: "echo test", announce: "announcement", reject: "refuse", menu: "menu" }[d.to] ?? d.to);
}

function cell(kind, column, row) {
  const field = KINDS[kind].fields.find((f) => f.name === column);
  const value = row[column];
  if (column === "health") {
    const live = state.live?.trunks.find((x) => x.id === row.id);
    return live ? h("span.chip", { class: live.up ? "good" : "bad" }, live.up ? t("up") : t("down")) : "–";
  }
  if (field?.type === "ref") return value ? nameOf(field.of, value) : "–";
  if (field?.type === "refs") return value.map((id) => nameOf(field.of, id)).join(", ") || "–";
  if (field?.type === "destination") return destinationText(value);
  if (field?.type === "check") return value ? t("yes") : "–";
  if (field?.unit) return value === null || value === undefined ? "–" : `${value / field.unit} s`;
  if (column.endsWith("_at")) return value ? when(value) : "–";
  if (Array.isArray(value)) return value.length > 3 ? `${value.slice(0, 3).join(", ")} … (${value.length})` : value.map((v) => t(String(v))).join(", ") || "–";
  return String(value ?? "–").replaceAll("_", " ");
}

/* Fields: each gives an element and reads its value back */

const clone = (v) => (v === undefined ? undefined : JSON.parse(JSON.stringify(v)));
const options = (rows, text = (r) => r.name || r.user) => rows.map((r) => h("option", { value: r.id }, text(r)));

function control(field, value, id) {
  const plain = (attributes) => {
    const el = h("input", { id, value: value ?? "", required: field.required, autocomplete: "off", ...attributes });
    return { el, read: () => el.value };
  };
  switch (field.type) {
    case "number": {
      const unit = field.unit ?? 1;
      const c = plain({ type: "number", step: "any", value: value === null || value === undefined ? "" : value / unit });
      return { el: c.el, read: () => (c.el.value === "" ? null : Math.round(Number(c.el.value) * unit)) };
    }
    case "password": {
      const c = plain({ type: field.make ? "text" : "password", value: "", autocomplete: "new-password" });
      const make = field.make && h("button.button", { type: "button", onclick: () => (c.el.value = generate()) }, t("Make one"));
      return { el: make ? h("div.row", {}, c.el, make) : c.el, read: () => c.el.value || undefined };
    }
    case "datetime": {
      const c = plain({ type: "datetime-local", value: value ? value.slice(0, 16) : "" });
      return { el: c.el, read: () => (c.el.value ? new Date(c.el.value).toISOString() : null) };
    }
    case "check": {
      const el = h("input", { id, type: "checkbox", checked: Boolean(value) });
      return { el, read: () => el.checked };
    }
    case "select": {
      const el = h("select", { id, value: value ?? field.options[0] }, field.options.map((o) => h("option", { value: o }, t(o.replaceAll("_", " ")))));
      return { el, read: () => el.value };
    }
    case "ref": {
      const el = h("select", { id, value: value ?? "" }, h("option", { value: "" }, "–"), options(rowsOf(field.of), field.text));
      return { el, read: () => el.value || null };
    }
    case "refs": return checks(rowsOf(field.of).map((r) => [r.id, r.name]), value);
    case "checks": return checks(field.options.map((o) => [o, t(o)]), value);
    case "scopes": return checks(state.session.permissions.map((p) => [p, p]), value);
    case "words": {
      const c = plain({ value: (value ?? []).map((w) => w || "*").join(" ") });
      return { el: c.el, read: () => c.el.value.split(/\s+/).filter(Boolean).map((w) => (w === "*" ? "" : w)) };
    }
    case "levels": return levels(value);
    case "destination": return destination(field, value, id);
    case "auth": return trunkAuth(value, id);
    case "rules": return rules(value);
    default: return plain({});
  }
}

function generate() {
  const letters = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => letters[b % letters.length]).join("");
}

function checks(pairs, value) {
  const boxes = pairs.map(([v, text]) => [v, h("input", { type: "checkbox", checked: (value ?? []).includes(v) }), text]);
  const el = h("div.picks", { role: "group" }, boxes.map(([, box, text]) => h("label.row", {}, box, text)), boxes.length ? null : h("span.muted.small", {}, t("None exist yet.")));
  return { el, read: () => boxes.filter(([, box]) => box.checked).map(([v]) => v) };
}

function levels(value) {
  const rows = rowsOf("skills").map((s) => {
    const now = (value ?? []).find((l) => l.skill === s.id)?.level ?? 0;
    return [s, h("select", { value: String(now), "aria-label": s.name }, h("option", { value: "0" }, "–"), [...Array(10).keys()].map((i) => h("option", { value: String(i + 1) }, String(i + 1))))];
  });
  const el = h("div.picks", {}, rows.map(([s, select]) => h("label.row", {}, h("span", {}, s.name), select)), rows.length ? null : h("span.muted.small", {}, t("No skills exist yet.")));
  return { el, read: () => rows.filter(([, select]) => select.value !== "0").map(([s, select]) => ({ skill: s.id, level: Number(select.value) })) };
}

function destination(field, value, id) {
  let current = clone(value) ?? null;
  let read = () => current;
  const detail = h("div.grow");
  const kinds = ["queue", "agent", "phone", "conference", "dial", "announce", "echo", "reject"];
  const pick = h("select", { id, value: current?.to ?? "" }, field.optional || !current ? h("option", { value: "" }, t("– nowhere –")) : null,
    kinds.map((k) => h("option", { value: k }, t(k))), current && !kinds.includes(current.to) ? h("option", { value: current.to }, t(current.to)) : null);
  const draw = () => {
    const to = pick.value;
    const same = current?.to === to ? current : null;
    detail.replaceChildren();
    const put = (el, f) => (el.setAttribute("aria-label", t("Which")), detail.append(el), (read = f));
    if (!to) read = () => null;
    else if (DESTINATIONS[to]) {
      const el = h("select", { value: same?.[to] ?? "" }, options(rowsOf(DESTINATIONS[to])));
      put(el, () => ({ to, [to]: el.value }));
    } else if (to === "dial") {
      const el = h("input", { value: same?.target.extension ?? same?.target.uri ?? same?.target.number ?? "", placeholder: t("number or sip:…") });
      put(el, () => (same?.target.number === el.value ? same : { to, record: same?.record ?? false, target: el.value.includes("@") ? { kind: "uri", uri: el.value } : { kind: "extension", extension: el.value } }));
    } else if (to === "announce") {
      const el = h("input", { value: same?.sound.text ?? same?.sound.name ?? "", placeholder: t("Words to speak") });
      put(el, () => (same?.sound.name === el.value ? same : { to, sound: { kind: "speech", text: el.value } }));
    } else if (to === "reject") {
      const el = h("input", { type: "number", value: same?.status ?? 486 });
      put(el, () => ({ to, status: Number(el.value) }));
    } else read = () => same ?? { to };
  };
  pick.onchange = draw;
  draw();
  return { el: h("div.row", {}, pick, detail), read: () => read() };
}

function trunkAuth(value, id) {
  const pick = h("select", { id, value: value?.by ?? "address" }, [["address", t("by its address")], ["digest", t("by a password")], ["tls", t("by a certificate")]].map(([v, text]) => h("option", { value: v }, text)));
  const detail = h("div.grow.row");
  let read;
  const draw = () => {
    const same = value?.by === pick.value ? value : null;
    const input = (label, v, type = "text") => h("input", { type, value: v ?? "", placeholder: label, "aria-label": label, autocomplete: "off" });
    if (pick.value === "address") {
      const el = input(t("networks, as 192.0.2.0/24 198.51.100.7"), (same?.networks ?? []).map((n) => `${n.addr}/${n.prefix}`).join(" "));
      read = () => ({ by: "address", networks: el.value.split(/[\s,]+/).filter(Boolean).map((n) => ({ addr: n.split("/")[0], prefix: Number(n.split("/")[1] ?? (n.includes(":") ? 128 : 32)) })) });
      detail.replaceChildren(el);
    } else if (pick.value === "digest") {
      const user = input(t("User"), same?.user);
      const password = input(t("Password"), "", "password");
      read = () => ({ by: "digest", user: user.value, ...(password.value ? { password: password.value } : {}) });
      detail.replaceChildren(user, password);
    } else {
      const el = input(t("Name in its certificate"), same?.name);
      read = () => ({ by: "tls", name: el.value });
      detail.replaceChildren(el);
    }
  };
  pick.onchange = draw;
  draw();
  return { el: h("div.row", {}, pick, detail), read: () => read() };
}

function rules(value) {
  const now = { country_code: "", national_prefix: "", international_prefix: "", send_plus: true, digits_min: 0, ...value };
  const input = (name, label) => h("input", { value: now[name], placeholder: label, "aria-label": label, title: label, oninput: (e) => (now[name] = e.target.value) });
  return { el: h("div.row", {}, input("country_code", t("Country code")), input("national_prefix", t("National prefix")), input("international_prefix", t("International prefix")),
    h("label.row", {}, h("input", { type: "checkbox", checked: now.send_plus, onchange: (e) => (now.send_plus = e.target.checked) }), t("send +"))), read: () => now };
}

/* The form */

/** Kinds of rows that a form chooses from. */
const NEEDED = { levels: ["skills"], destination: Object.values(DESTINATIONS) };

async function edit(kind, row) {
  const spec = KINDS[kind];
  await Promise.all(spec.fields.flatMap((f) => (f.of ? [f.of] : NEEDED[f.type] ?? [])).map(load));
  const fields = spec.fields.map((f, i) => ({ f, id: `a-${i}`, ...control(f, row?.[f.name] ?? (f.type === "check" ? undefined : defaults(kind)[f.name]), `a-${i}`) }));
  const notice = h("p.notice.wide", { hidden: true, role: "alert" });
  const places = new Map();
  const body = fields.map(({ f, id, el }) => {
    const fault = h("p.fault", { id: `${id}-fault`, hidden: true });
    const place = f.type === "check"
      ? h("div.field.check", { class: f.wide ? "wide" : "" }, el, h("label", { for: id }, t(f.label)), fault)
      : h("div.field", { class: f.wide ? "wide" : "" }, h("label", { for: id }, t(f.label)), el, f.hint ? h("p.hint", {}, t(f.hint)) : null, fault);
    places.set(f.name, { place, fault });
    return place;
  });
  const submit = async (e) => {
    e.preventDefault();
    const value = {};
    for (const { f, read } of fields) {
      const v = read();
      if (v !== undefined && !(v === null && !row)) value[f.name] = v;
    }
    try {
      const done = row ? await call("PATCH", `/v1/${kind}/${row.id}`, value, { "if-match": `"${row.version}"` }) : await post(`/v1/${kind}`, value);
      box.close();
      toast(t("Saved"));
      saved(kind, row, done);
    } catch (p) {
      tell(p);
    }
  };
  const tell = (problem) => {
    for (const { place, fault } of places.values()) {
      fault.hidden = true;
      place.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    }
    const elsewhere = [];
    for (const e of problem.errors) {
      const found = places.get(e.pointer.split("/")[1]);
      if (!found) elsewhere.push(e.detail);
      else {
        found.fault.hidden = false;
        found.fault.textContent = e.detail;
        found.place.querySelector("input, select, textarea")?.setAttribute("aria-invalid", "true");
      }
    }
    notice.hidden = problem.errors.length > 0 && !elsewhere.length;
    notice.textContent = problem.code === "precondition_failed" ? t("Somebody changed this meanwhile. Close and open it again.") : elsewhere.join(" ") || problem.message;
    box.querySelector("[aria-invalid]")?.focus();
  };
  const title = row ? t("Change {noun}", { noun: t(spec.noun) }) : t("New {noun}", { noun: t(spec.noun) });
  const box = dialog(h("form", { onsubmit: submit, novalidate: true },
    h("header", {}, h("h2", {}, title)), h("div.body", {}, notice, body),
    h("footer", {}, h("button.button", { type: "button", onclick: () => box.close() }, t("Cancel")), h("button.button.primary", { type: "submit" }, row ? t("Save") : t("Make")))));
}

/** What a new row starts with on the form. */
function defaults(kind) {
  if (kind === "queues") return { ring_ms_max: 20_000, wrap_up_ms: 30_000, wait_ms_max: 900_000, announce_every_ms: 30_000, service_level_pct: 80, service_level_ms: 20_000, priority: 0, waiting_max: 0 };
  if (kind === "trunks") return { health_interval_s: 30, channels_max: 0 };
  if (kind === "conferences") return { members_max: 50 };
  return {};
}

async function saved(kind, row, done) {
  ui.rows.clear();
  await load(kind);
  loadNames();
  if (done?.secret) {
    const box = dialog(h("div.sheet", {}, h("header", {}, h("h2", {}, t("The key, shown this once"))),
      h("div.body", {}, h("p.wide.mono.panel", { tabindex: "0" }, done.secret)), h("footer", {}, h("button.button.primary", { onclick: () => box.close() }, t("I have it")))));
  } else if (kind === "phones" && !row) phoneSettings(done.id);
}

async function remove(kind, row) {
  if (!confirm(t("Remove {name}?", { name: row.name || row.user || row.number }))) return;
  try {
    await call("DELETE", `/v1/${kind}/${row.id}`, undefined, { "if-match": `"${row.version}"` });
    toast(t("Removed"));
    ui.rows.clear();
    loadNames();
  } catch (p) {
    toast(p.message, "bad");
  }
  ui.redraw();
}

export function adminView(redraw, [chosen]) {
  ui.redraw = redraw;
  const kinds = Object.keys(KINDS).filter((k) => may(`${KINDS[k].permission}:read`));
  const kind = kinds.includes(chosen) ? chosen : kinds[0];
  const spec = KINDS[kind];
  const order = (r) => String(r[spec.columns[0]] ?? "");
  const rows = [...rowsOf(kind)].sort((a, b) => order(a).localeCompare(order(b), undefined, { numeric: true }));
  const writes = may(`${spec.permission}:write`);
  const label = (c) => t(spec.fields.find((f) => f.name === c)?.label ?? { created_at: "Made", health: "Health" }[c] ?? c);
  return h("div.admin", {},
    h("h1.unseen", {}, t("Administration")),
    h("nav.kinds", { "aria-label": t("Administration") }, kinds.map((k) => h("a", { href: `#/admin/${k}`, "aria-current": k === kind ? "page" : null }, t(KINDS[k].title)))),
    h("section.card", { "data-key": kind },
      h("header", {}, h("h2", {}, t(spec.title)), writes ? h("button.button.primary", { onclick: () => edit(kind, null) }, t("New {noun}", { noun: t(spec.noun) })) : null),
      h("div.scroll", {}, h("table", {},
        h("thead", {}, h("tr", {}, spec.columns.map((c) => h("th", { scope: "col" }, label(c))), h("th", { scope: "col" }, h("span.unseen", {}, t("Actions"))))),
        h("tbody", {}, rows.map((r) => h("tr", { "data-key": r.id },
          spec.columns.map((c, i) => h("td", { class: i ? "" : "strong" }, cell(kind, c, r))),
          h("td", {}, h("span.row.end", {},
            (spec.extra ?? []).map(([text, f]) => h("button.button.small.plain", { onclick: () => f(r) }, t(text))),
            writes && !spec.fixed ? h("button.button.small", { onclick: () => edit(kind, r) }, t("Change")) : null,
            writes ? h("button.button.small.danger", { onclick: () => remove(kind, r), "aria-label": t("Remove {name}?", { name: r.name || r.user || r.number }) }, t("Remove")) : null))))))),
      rows.length ? null : h("p.empty", {}, ui.rows.get(kind).rows ? t("None yet.") : t("Loading …"))));
}
