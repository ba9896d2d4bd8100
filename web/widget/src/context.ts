/** What of the page goes along with a request: address, title, language and the fields the page chose. */
export interface PageContext {
  url: string;
  title: string;
  language: string;
  fields: Record<string, string>;
}

/** The server takes 8 KiB; what is longer is cut here so that a call never fails for it. */
export const CONTEXT_BYTES_MAX = 8 * 1024;
const VALUE_CHARS_MAX = 500;
const FIELDS_MAX = 40;

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;
const cut = (text: string, max = VALUE_CHARS_MAX) => [...text.replace(/\s+/g, " ").trim()].slice(0, max).join("");

/** Fields marked in the page: `<span data-crosspoint-field="product">Lamp</span>`. Text only, never markup. */
export function markedFields(root: ParentNode): Record<string, string> {
  const found: Record<string, string> = {};
  for (const element of root.querySelectorAll<HTMLElement>("[data-crosspoint-field]")) {
    const name = element.dataset.crosspointField;
    if (!name) continue;
    const value = element instanceof HTMLInputElement ? element.value : (element.textContent ?? "");
    found[name] = value;
  }
  return found;
}

/** Puts a context together and makes it fit, dropping the last fields first. */
export function gather(
  page: { url: string; title: string; language: string },
  ...sources: Record<string, unknown>[]
): PageContext {
  const fields: Record<string, string> = {};
  for (const source of sources) {
    for (const [name, value] of Object.entries(source)) {
      if (value === null || value === undefined || typeof value === "function") continue;
      const text = typeof value === "object" ? JSON.stringify(value) : String(value);
      if (Object.keys(fields).length < FIELDS_MAX || name in fields) fields[cut(name, 64)] = cut(text);
    }
  }
  const context = {
    url: cut(page.url.split("#")[0] ?? "", 2000),
    title: cut(page.title, 200),
    language: cut(page.language, 20),
    fields,
  };
  const names = Object.keys(fields);
  while (bytes(context) > CONTEXT_BYTES_MAX && names.length > 0) delete fields[names.pop() as string];
  return context;
}
