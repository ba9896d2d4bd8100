type Child = Node | string | null | undefined | false;
type Props = Record<string, string | boolean | ((event: Event) => void) | undefined>;

/** An element with properties and children. Strings become text, never markup. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (typeof value === "string") element.setAttribute(name, value);
  }
  element.append(...children.filter((c): c is Node | string => Boolean(c)));
  return element;
}

const PATHS: Record<string, string> = {
  audio: "M6.6 3 9 8.2 7 10c1 2.600 4.400 6 7 7l1.800-2L21 17.400V20c0 .6-.4 1-1 1C11 21 3 13 3 4c0-.6.4-1 1-1z",
  video: "M3 6h12v12H3zM17 10l4-3v10l-4-3z",
  chat: "M4 4h16v12H9l-5 4z",
  callback: "M12 3v3a6 6 0 1 1-6 6H3a9 9 0 1 0 9-9zM8 1v8l5-4z",
};

/** A small picture beside a word; the word says all, so it is hidden from screen readers. */
export function icon(name: string): SVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("fill", "currentColor");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name] ?? "");
  svg.append(path);
  return svg;
}
