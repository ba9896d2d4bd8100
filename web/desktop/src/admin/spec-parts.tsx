// What the collections' columns and fields are made of.

import { t } from "../lib/i18n";
import { useNames, type Collection } from "../lib/names";
import { Badge } from "../ui/parts";
import type { Column } from "./collection";
import type { FieldSpec } from "./fields";

export const text = (name: string, label: string, more: Partial<FieldSpec> = {}): FieldSpec => ({ name, label, kind: { is: "text" }, ...more });
export const column = (name: string, cell: Column["cell"]): Column => ({ name, cell });
export const yes = (value: unknown) => (value ? <Badge tone="info">{t("yes")}</Badge> : <span className="text-muted">–</span>);

export function Name(props: { of: Collection; id: unknown }) {
  const name = useNames(props.of);
  return <>{name(props.id as string | null)}</>;
}
export function Names(props: { of: Collection; ids: unknown }) {
  const name = useNames(props.of);
  const ids = (props.ids as string[] | undefined) ?? [];
  return <span className="flex flex-wrap gap-1">{ids.length ? ids.map((id) => <Badge key={id}>{name(id)}</Badge>) : <span className="text-muted">–</span>}</span>;
}
export const roles = () => [
  { id: "agent", name: t("Agent") },
  { id: "supervisor", name: t("Supervisor") },
  { id: "administrator", name: t("Administrator") },
];
export const roleNames = (value: unknown) => (
  <span className="flex flex-wrap gap-1">
    {((value as string[] | undefined) ?? []).map((r) => (
      <Badge key={r}>{roles().find((x) => x.id === r)?.name ?? r}</Badge>
    ))}
  </span>
);
