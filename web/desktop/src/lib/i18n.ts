// Words of the page. English is written where it is used and is the key of every other catalogue;
// a test sees to it that each catalogue has each text. A catalogue is loaded when it is chosen.

export type Locale = "en" | "ar";
export type Vars = Record<string, string | number>;
export type Catalogue = Record<string, string>;

interface Language {
  name: string;
  dir: "ltr" | "rtl";
  load: () => Promise<Catalogue>;
}

export const languages: Record<Locale, Language> = {
  en: { name: "English", dir: "ltr", load: async () => ({}) },
  ar: { name: "العربية", dir: "rtl", load: async () => (await import("../messages/ar")).default },
};

const STORED = "locale";
let current: Locale = "en";
let catalogue: Catalogue = {};

const known = (text: string | null | undefined): text is Locale => text != null && text in languages;

/** What was chosen before, else what the browser asks for, else English. */
export function preferredLocale(): Locale {
  const stored = localStorage.getItem(STORED);
  if (known(stored)) return stored;
  return navigator.languages.map((l) => l.slice(0, 2)).find(known) ?? "en";
}

/** Loads a language and turns the page into its direction. */
export async function loadLocale(locale: Locale): Promise<void> {
  catalogue = await languages[locale].load();
  current = locale;
  document.documentElement.lang = locale;
  document.documentElement.dir = languages[locale].dir;
}

export function chooseLocale(locale: Locale): void {
  localStorage.setItem(STORED, locale);
}

export const locale = (): Locale => current;
/** The locale numbers and dates are written in. */
export const formatLocale = (): string => (current === "en" ? navigator.language || "en" : `${current}-u-nu-latn`);

const filled = (text: string, vars: Vars): string => text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in vars ? String(vars[name]) : whole));

/** A text in the chosen language. `{name}` is replaced by `vars.name`. */
export function t(text: string, vars?: Vars): string {
  const found = catalogue[text] ?? text;
  return vars ? filled(found, vars) : found;
}

const CATEGORIES = ["zero", "one", "two", "few", "many", "other"];

/**
 * A text with a count, `{n}`. The catalogue has it under the plural form as "zero|one|two|few|many|other".
 */
export function tn(n: number, one: string, other: string, vars: Vars = {}): string {
  const forms = catalogue[other]?.split("|");
  const category = new Intl.PluralRules(current).select(n);
  const text = forms ? (forms[CATEGORIES.indexOf(category)] ?? forms[forms.length - 1]!) : category === "one" ? one : other;
  return filled(text, { n, ...vars });
}
