// What the customer's page said of itself. All of it is text of strangers: shown as characters, linked to nothing but
// addresses of the web.

import { t } from "../lib/i18n";
import { Definition } from "../ui/parts";

interface Told {
  url?: unknown;
  title?: unknown;
  language?: unknown;
  fields?: unknown;
  /** Whose the dialled number is, when it was assigned to somebody. */
  account?: unknown;
}

/** Fields shown; a point takes no more. */
const FIELDS_MAX = 40;

const word = (value: unknown): string => (typeof value === "string" ? value : "");
const isWeb = (url: string): boolean => /^https?:\/\//i.test(url);

export function contextFields(context: unknown): [string, string][] {
  const fields = (context as Told | null)?.fields;
  if (!fields || typeof fields !== "object") return [];
  return Object.entries(fields)
    .filter((f): f is [string, string] => typeof f[1] === "string")
    .slice(0, FIELDS_MAX);
}

export function PageContext(props: { context: unknown }) {
  const told = (props.context ?? {}) as Told;
  const [url, title, language, account] = [word(told.url), word(told.title), word(told.language), word(told.account)];
  const fields: [string, string][] = [...(account ? [[t("Account"), account] as [string, string]] : []), ...contextFields(told)];
  if (!url && !title && !fields.length) return null;
  return (
    <section aria-label={t("From the page")} data-page-context className="rounded-md bg-sunken px-3 py-2">
      <p className="truncate text-xs text-muted">
        {title}
        {url ? (
          <>
            {title ? " · " : ""}
            {isWeb(url) ? (
              <a href={url} target="_blank" rel="noopener noreferrer nofollow" className="underline hover:text-accent" dir="ltr">
                {url}
              </a>
            ) : (
              url
            )}
          </>
        ) : null}
      </p>
      {fields.length || language ? <Definition className="mt-1.5" items={[...fields.map(([name, value]): [string, string] => [name, value]), ...(language ? [[t("Language"), language] as [string, string]] : [])]} /> : null}
    </section>
  );
}
