// The API reference, drawn from /openapi.json: searchable, with forms of bodies and answers.

import { h, show } from "./dom.js";

const main = document.getElementById("main");
const document_ = await (await fetch("/openapi.json")).json();
const schemas = document_.components.schemas;
let search = "";

const nameOf = (ref) => ref.split("/").at(-1);

/** A schema as one readable line of types. */
function type(s, depth = 0) {
  if (!s) return "";
  if (s.$ref) return nameOf(s.$ref);
  if (s["x-patch-of"]) return `part of ${type(s["x-patch-of"])}`;
  if (s.enum) return s.enum.map((v) => JSON.stringify(v)).join(" | ");
  if (s.oneOf) return s.oneOf.map((o) => type(o, depth)).join(" | ");
  if (s.allOf) return s.allOf.map((o) => type(o, depth)).join(" & ");
  const kind = Array.isArray(s.type) ? s.type.join(" | ") : s.type;
  if (kind === "array") return `${type(s.items, depth)}[]`;
  if (kind === "object" && s.properties && depth < 2) {
    return `{ ${Object.entries(s.properties).map(([n, p]) => `${n}${(s.required ?? []).includes(n) ? "" : "?"}: ${type(p, depth + 1)}`).join("; ")} }`;
  }
  const limits = [s.minimum !== undefined && `≥ ${s.minimum}`, s.maximum !== undefined && `≤ ${s.maximum}`, s.maxLength && `≤ ${s.maxLength} characters`, s.format === "date-time" && "RFC 3339"].filter(Boolean);
  return `${kind ?? "any"}${limits.length ? ` (${limits.join(", ")})` : ""}`;
}

function properties(s) {
  if (s?.$ref) s = schemas[nameOf(s.$ref)];
  if (!s) return null;
  if (s.oneOf && !s.properties) return h("ul.stack.tight", {}, s.oneOf.map((o) => h("li", {}, h("code", {}, type(o)))));
  if (!s.properties) return h("p.mono.small", {}, type(s));
  return h("table", {}, h("thead", {}, h("tr", {}, ["Field", "Type", ""].map((x) => h("th", { scope: "col" }, x)))),
    h("tbody", {}, Object.entries(s.properties).map(([n, p]) => h("tr", {},
      h("td", {}, h("code.strong", {}, n), (s.required ?? []).includes(n) ? h("span.muted.small", {}, " required") : ""),
      h("td", {}, h("code", {}, type(p))), h("td.muted", {}, p.description ?? p.oneOf?.at(-1)?.description ?? "")))));
}

function content(body) {
  const [[mime, { schema }]] = Object.entries(body.content ?? { "": {} });
  return [h("p.small.muted", {}, mime, schema ? ` · ${type(schema)}` : ""), schema ? properties(schema["x-patch-of"] ?? schema) : null];
}

function operation(path, method, op) {
  const parameters = (op.parameters ?? []).filter((p) => p.in !== "path" || true);
  return h("details.card.op", { "data-key": op.operationId, id: op.operationId },
    h("summary", {}, h("span.method", { class: method }, method.toUpperCase()), h("code.strong", {}, path), h("span.grow.muted.cut", {}, op.summary),
      (op["x-permissions"] ?? []).slice(0, 2).map((p) => h("span.chip", {}, p)), op.security?.length === 0 ? h("span.chip.good", {}, "open") : null),
    h("div.body", {},
      op.description ? h("p", {}, op.description) : null,
      op["x-permissions"] ? h("p.small", {}, "Needs one of: ", h("code", {}, op["x-permissions"].join(", "))) : null,
      parameters.length ? h("div", {}, h("h3", {}, "Parameters"), h("table", {}, h("tbody", {}, parameters.map((p) => h("tr", {}, h("td", {}, h("code.strong", {}, p.name), h("span.muted.small", {}, ` ${p.in}`)), h("td", {}, h("code", {}, type(p.schema))), h("td.muted", {}, p.description ?? "")))))) : null,
      op.requestBody ? h("div.stack.tight", {}, h("h3", {}, "Body"), content(op.requestBody)) : null,
      Object.entries(op.responses).filter(([s]) => s !== "default").map(([status, r]) => h("div.stack.tight", {}, h("h3", {}, `${status} ${r.description}`), r.content ? content(r) : null))));
}

function draw() {
  const wanted = search.trim().toLowerCase();
  const groups = new Map();
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const [method, op] of Object.entries(item)) {
      if (wanted && !`${path} ${method} ${op.summary} ${op.operationId} ${op.tags}`.toLowerCase().includes(wanted)) continue;
      const tag = op.tags[0];
      groups.set(tag, [...(groups.get(tag) ?? []), operation(path, method, op)]);
    }
  }
  show(main,
    h("div.stack.loose", {},
      h("div.stack", {}, h("div.row.between", {}, h("h1", {}, document_.info.title, " API"), h("a", { href: "/openapi.json" }, "openapi.json")),
        document_.info.description.split("\n\n").map((p) => h("p.muted", {}, p)),
        h("div.field", {}, h("label", { for: "search" }, "Find an operation"), h("input", { id: "search", type: "search", value: search, oninput: (e) => ((search = e.target.value), draw()) }))),
      [...groups].map(([tag, ops]) => h("section", { "data-key": tag }, h("h2", {}, tag), ops)),
      h("section", { "data-key": "permissions" }, h("h2", {}, "Permissions"), h("div.card.scroll", {}, h("table", {}, h("tbody", {}, Object.entries(document_["x-permissions"]).map(([p, what]) => h("tr", {}, h("td", {}, h("code.strong", {}, p)), h("td.muted", {}, what)))))))));
}
draw();
