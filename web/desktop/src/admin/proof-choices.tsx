// Choices that the rules of proof share.

import { t } from "../lib/i18n";
import { useRows } from "../lib/names";
import { Select } from "../ui/field";

export const levels = (from: number) => Array.from({ length: 5 - from }, (_, n) => ({ id: String(n + from), name: n + from === 0 ? t("not accepted") : t("level {n}", { n: n + from }) }));

/** The queues, for a choice that may be left open. */
export function QueueChoice(props: { label: string; none: string; value: string | null | undefined; onChange: (id: string | null) => void; className?: string; error?: string | undefined }) {
  const queues = useRows("queues").data ?? [];
  const choices = [{ id: "none", name: props.none }, ...queues.map((q) => ({ id: q.id, name: q.name ?? q.id }))];
  return <Select label={props.label} value={props.value ?? "none"} onChange={(id) => props.onChange(id === "none" ? null : id)} choices={choices} error={props.error} {...(props.className ? { className: props.className } : {})} />;
}
