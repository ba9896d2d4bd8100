// Elements without a framework: `h` makes them, `show` changes what is on the page into what it
// should be, keeping focus, scroll and half-typed text. Text is always text: nothing is parsed as HTML.

const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "onkeydown", "ontoggle"];

/** An element: `h("p.small", { title }, "text", child, …)`. */
export function h(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const el = document.createElement(tag);
  if (classes.length) el.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (HANDLERS.includes(name)) el[name] = value;
    else if (name === "class") el.className = `${el.className} ${value}`.trim();
    else if (name === "value") el.value = value, el.dataset.value = value;
    else if (name === "checked") el.checked = true, el.dataset.checked = "1";
    else el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false && c !== "").map(String_));
  if (tag === "select" && attributes.value !== undefined && attributes.value !== null) el.value = attributes.value;
  return el;
}
const String_ = (c) => (c instanceof Node ? c : document.createTextNode(String(c)));

const ICONS = {
  pause: "M7 5v14M17 5v14", play: "M7 4l12 8-12 8z", mic: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3",
  muted: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3M4 3l16 18", transfer: "M4 8h14l-4-4M20 16H6l4 4",
  keypad: "M5 5h.01M12 5h.01M19 5h.01M5 12h.01M12 12h.01M19 12h.01M5 19h.01M12 19h.01M19 19h.01", record: "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10z", end: "M6 6l12 12M18 6L6 18",
};

/** A line drawing that text beside it explains. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [k, v] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) svg.setAttribute(k, v);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Makes `root`'s children into `wanted`, reusing what is there. */
export function show(root, ...wanted) {
  const target = document.createElement(root.tagName);
  target.append(...wanted.flat(9).filter(Boolean));
  children(root, target);
}

function children(from, to) {
  const keyed = new Map();
  for (const child of from.children) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let here = from.firstChild;
  for (const want of [...to.childNodes]) {
    let match = want.dataset?.key ? keyed.get(want.dataset.key) : null;
    if (!match && here && alike(here, want) && !here.dataset?.key === !want.dataset?.key && !want.dataset?.key) match = here;
    if (match) {
      if (match === here) here = here.nextSibling;
      else from.insertBefore(match, here);
      node(match, want);
    } else from.insertBefore(want, here);
  }
  while (here) {
    const next = here.nextSibling;
    here.remove();
    here = next;
  }
}

const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? "") === (b.id ?? "");

function node(from, to) {
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return;
  }
  // Its own business (an audio player, a clock that ticks by itself).
  if (to.hasAttribute("data-keep")) return;
  const given = from.dataset.value;
  const ticked = from.dataset.checked;
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !(name === "open" && from.tagName === "DETAILS")) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  for (const name of HANDLERS) from[name] = to[name];
  children(from, to);
  // A value is set again only when the page wants another one than it wanted before.
  if ("value" in from && to.dataset.value !== undefined && given !== to.dataset.value) from.value = to.dataset.value;
  if (from.type === "checkbox" && ticked !== to.dataset.checked) from.checked = to.checked;
  if (from.tagName === "SELECT" && from !== document.activeElement && to.dataset.value !== undefined) from.value = to.dataset.value;
}

/** A message for a moment, said to screen readers too. */
export function toast(text, kind = "") {
  const el = h("div.toast", { class: kind }, text);
  document.getElementById("toasts").append(el);
  setTimeout(() => el.remove(), kind === "bad" ? 7000 : 3500);
  say(text, kind === "bad");
}

/** Says something to a screen reader. */
export function say(text, urgent = false) {
  const el = document.getElementById(urgent ? "alert" : "announce");
  el.textContent = "";
  requestAnimationFrame(() => (el.textContent = text));
}

/** A modal sheet; resolves when it is closed. */
export function dialog(content) {
  const el = h("dialog", {}, content);
  document.body.append(el);
  el.addEventListener("close", () => el.remove());
  el.showModal();
  return el;
}
