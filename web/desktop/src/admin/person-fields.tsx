// What a customer's record is made of: how the person is known, what agents see, what routing may use.

import { useState, type ReactNode } from "react";
import type { Schemas } from "../lib/api";
import { t } from "../lib/i18n";
import { Button, IconButton } from "../ui/button";
import { Select, Switch, TextField } from "../ui/field";
import { Plus, Trash2 } from "../ui/icons";

type Identity = Schemas["Identity"];
type RecordField = Schemas["Field"];
type Fact = string | number | boolean;

interface Props<T> {
  label: string;
  value: T | undefined;
  onChange: (value: T) => void;
  error?: string | undefined;
}

export const identityKinds = () => [
  { id: "phone", name: t("Telephone") },
  { id: "email", name: t("E-mail") },
  { id: "account", name: t("Customer number") },
  { id: "device", name: t("Device") },
];

/** As it is being typed: what would be written otherwise again is still a word. */
export function factOf(text: string): Fact {
  const fact = settled(text);
  return factText(fact) === text ? fact : text;
}
/** Numbers and yes or no are facts of their own kind; everything else is a word. */
export function settled(typed: Fact): Fact {
  const text = factText(typed).trim();
  if (text === "true" || text === "false") return text === "true";
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,6})?$/.test(text) ? Number(text) : text;
}
export const factText = (fact: unknown): string => (fact === undefined || fact === null ? "" : String(fact));

/** Rows with what is in each, a way to remove one and a way to add one. */
function Rows<T>(props: { label: string; rows: readonly T[]; name: (row: T) => string; row: (row: T, n: number) => ReactNode; add: string; fresh: T; onChange: (rows: T[]) => void; hint?: string; error?: string | undefined }) {
  const { rows, onChange } = props;
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">{props.label}</legend>
      {rows.map((row, n) => (
        <div key={n} className="flex flex-wrap items-end gap-2">
          {props.row(row, n)}
          <IconButton look="quiet" label={t("Remove {name}", { name: props.name(row) || props.label })} icon={<Trash2 size={15} aria-hidden />} onPress={() => onChange(rows.filter((_, i) => i !== n))} />
        </div>
      ))}
      <Button size="small" className="self-start" icon={<Plus size={14} aria-hidden />} onPress={() => onChange([...rows, props.fresh])}>
        {props.add}
      </Button>
      {props.hint ? <p className="text-xs text-muted">{props.hint}</p> : null}
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}

export function IdentitiesField(props: Props<Identity[]>) {
  const rows = props.value ?? [];
  const edit = (n: number, part: Partial<Identity>) => props.onChange(rows.map((v, i) => (i === n ? { ...v, ...part } : v)));
  return (
    <Rows
      label={props.label} rows={rows} onChange={props.onChange} error={props.error} name={(i) => i.value} add={t("Add a number or address")} fresh={{ kind: "phone", value: "" } as Identity}
      hint={t("Each belongs to one customer. A number calling says whose record it is, and proves nothing.")}
      row={(identity, n) => (
        <>
          <Select label={t("Kind")} hideLabel value={identity.kind} onChange={(kind) => edit(n, { kind: kind as Identity["kind"] })} choices={identityKinds()} className="w-40" />
          <TextField label={t("Number or address")} hideLabel mono value={identity.value} onChange={(value) => edit(n, { value })} placeholder={identity.kind === "email" ? "cara@example.org" : "+15550100"} className="flex-1" autoComplete="off" />
        </>
      )}
    />
  );
}

export function RecordField(props: Props<RecordField[]>) {
  const rows = props.value ?? [];
  const edit = (n: number, part: Partial<RecordField>) => props.onChange(rows.map((v, i) => (i === n ? { ...v, ...part } : v)));
  return (
    <Rows
      label={props.label} rows={rows} onChange={props.onChange} error={props.error} name={(f) => f.label} add={t("Add a field")} fresh={{ name: "", label: "", value: "", class: "secure" } as RecordField}
      hint={t("What agents see. A secure field is marked as not to be told until the caller is proven.")}
      row={(field, n) => (
        <>
          <TextField label={t("Name")} mono value={field.name} onChange={(name) => edit(n, { name })} placeholder="balance" className="w-32" autoComplete="off" />
          <TextField label={t("Label")} value={field.label} onChange={(label) => edit(n, { label })} className="w-40" autoComplete="off" />
          <TextField label={t("Value")} value={field.value} onChange={(value) => edit(n, { value })} className="min-w-40 flex-1" autoComplete="off" />
          <Switch label={t("Secure")} value={field.class === "secure"} onChange={(on) => edit(n, { class: on ? "secure" : "open" })} />
        </>
      )}
    />
  );
}

export function FactsField(props: Props<Record<string, Fact | null>>) {
  // As they are typed, since names may meet on the way. What was there before and is gone is taken away by null.
  const [before] = useState(() => Object.keys(props.value ?? {}));
  const [rows, setRows] = useState(() => Object.entries(props.value ?? {}).map(([name, fact]) => [name, factText(fact)] as const));
  const write = (all: (readonly [string, string])[]) => {
    setRows(all);
    const kept = all.filter(([name]) => name.trim()).map(([name, text]) => [name.trim(), settled(text)] as const);
    props.onChange({ ...Object.fromEntries(before.map((name) => [name, null])), ...Object.fromEntries(kept) });
  };
  const edit = (n: number, name: string, text: string) => write(rows.map((v, i) => (i === n ? [name, text] : v)));
  return (
    <Rows
      label={props.label} rows={rows} onChange={write} error={props.error} name={([name]) => name} add={t("Add a fact")} fresh={["", ""] as const}
      hint={t("What routing may use once the caller is proven: numbers, words, true or false.")}
      row={([name, text], n) => (
        <>
          <TextField label={t("Fact")} hideLabel mono value={name} onChange={(next) => edit(n, next, text)} placeholder="balance" className="w-40" autoComplete="off" />
          <TextField label={t("Value")} hideLabel mono value={text} onChange={(next) => edit(n, name, next)} placeholder="25000" className="flex-1" autoComplete="off" />
        </>
      )}
    />
  );
}
