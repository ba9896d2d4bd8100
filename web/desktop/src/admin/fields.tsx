// The kinds of fields that configuration rows are edited with.

import { t } from "../lib/i18n";
import { useRows, type Collection } from "../lib/names";
import { Button, IconButton } from "../ui/button";
import { Checkbox, NumberField, Select, Switch, TextField } from "../ui/field";
import { Plus, Trash2 } from "../ui/icons";
import { DestinationField } from "./destination";
import { WeekField, ExceptionsField } from "./hours-fields";
import { TrunkAuth } from "./trunk-auth";
import { PermissionsField } from "./permissions";
import { FactsField, IdentitiesField, RecordField } from "./person-fields";

export type Value = Record<string, unknown>;

export interface FieldSpec {
  name: string;
  label: string;
  hint?: string;
  required?: boolean;
  /** Only when the row is made. */
  onlyNew?: boolean;
  kind:
    | { is: "text"; type?: string; mono?: boolean; nullable?: boolean; placeholder?: string; lines?: number }
    | { is: "number"; min?: number; max?: number; unit?: string; nullable?: boolean }
    /** Milliseconds, asked for in seconds. */
    | { is: "seconds"; min?: number; max?: number; nullable?: boolean }
    | { is: "switch" }
    | { is: "choice"; choices: { id: string; name: string }[] }
    | { is: "ref"; of: Collection; required?: boolean }
    | { is: "refs"; of: Collection }
    | { is: "skills" }
    | { is: "many"; choices: { id: string; name: string }[] }
    | { is: "destination"; nullable?: boolean }
    | { is: "speech" }
    | { is: "list"; placeholder?: string }
    | { is: "networks" }
    /** How the far side of a trunk proves itself. */
    | { is: "trunk-auth" }
    /** Some of the tenant's numbers, as they are dialled. */
    | { is: "numbers" }
    | { is: "week" }
    | { is: "exceptions" }
    /** Words `resource:action`. */
    | { is: "permissions" }
    /** Roles by what an identity provider says. */
    | { is: "role-rules"; roles: { id: string; name: string }[] }
    /** A time, RFC 3339; empty is none. */
    | { is: "moment" }
    /** Of a customer's record. */
    | { is: "identities" }
    | { is: "record" }
    | { is: "facts" };
}

export interface Props {
  spec: FieldSpec;
  value: unknown;
  onChange: (value: unknown) => void;
  error?: string | undefined;
}

const NONE = "none";

export function Field(props: Props) {
  const { spec, value, onChange, error } = props;
  const { kind, label } = spec;
  const common = { label, error, ...(spec.hint ? { hint: spec.hint } : {}), ...(spec.required ? { isRequired: true } : {}) };
  switch (kind.is) {
    case "text":
      return <TextField {...common} value={String(value ?? "")} onChange={(v) => onChange(v === "" && kind.nullable ? null : v)} {...(kind.type ? { type: kind.type } : {})} {...(kind.placeholder ? { placeholder: kind.placeholder } : {})} {...(kind.mono ? { mono: true } : {})} {...(kind.lines ? { lines: kind.lines } : {})} autoComplete="off" />;
    case "number":
      return <NumberField {...common} value={(value as number | null) ?? null} onChange={(v) => onChange(v ?? (kind.nullable ? null : 0))} {...(kind.min !== undefined ? { min: kind.min } : {})} {...(kind.max !== undefined ? { max: kind.max } : {})} {...(kind.unit ? { unit: kind.unit } : {})} />;
    case "seconds":
      return <NumberField {...common} value={value === null || value === undefined ? null : Number(value) / 1000} onChange={(v) => onChange(v === null ? (kind.nullable ? null : 0) : Math.round(v * 1000))} min={kind.min ?? 0} {...(kind.max ? { max: kind.max } : {})} unit={t("seconds")} />;
    case "switch":
      return <Switch label={label} value={Boolean(value)} onChange={onChange} {...(spec.hint ? { hint: spec.hint } : {})} />;
    case "choice":
      return <Select {...common} value={String(value ?? "")} onChange={onChange} choices={kind.choices} />;
    case "ref":
      return <Ref {...props} of={kind.of} needed={kind.required ?? false} />;
    case "refs":
      return <Refs {...props} of={kind.of} />;
    case "many":
      return <Many label={label} {...(spec.hint ? { hint: spec.hint } : {})} choices={kind.choices} value={(value as string[] | undefined) ?? []} onChange={onChange} error={error} />;
    case "skills":
      return <Skills label={label} value={(value as SkillLevel[] | undefined) ?? []} onChange={onChange} />;
    case "destination":
      return <DestinationField label={label} value={value as never} onChange={onChange} nullable={kind.nullable ?? false} error={error} />;
    case "speech":
      return <Speech {...props} />;
    case "list":
      return <TextField {...common} lines={3} value={((value as string[] | undefined) ?? []).join("\n")} onChange={(v) => onChange(v.split("\n").map((l) => l.trim()).filter((l, n, all) => l !== "" || (all.length === 1 && n === 0 && false)))} hint={spec.hint ?? t("One in each line.")} />;
    case "networks":
      return <Networks {...props} />;
    case "trunk-auth":
      return <TrunkAuth {...props} />;
    case "numbers":
      return <Numbers {...props} />;
    case "week":
      return <WeekField label={label} value={value as never} onChange={onChange} error={error} />;
    case "exceptions":
      return <ExceptionsField label={label} value={value as never} onChange={onChange} error={error} />;
    case "permissions":
      return <PermissionsField label={label} value={(value as string[] | undefined) ?? []} onChange={onChange} error={error} />;
    case "role-rules":
      return <RoleRules {...props} roles={kind.roles} />;
    case "moment":
      return <TextField {...common} type="datetime-local" value={localMoment(value as string | null)} onChange={(v) => onChange(v ? new Date(v).toISOString() : null)} />;
    case "identities":
      return <IdentitiesField label={label} value={value as never} onChange={onChange} error={error} />;
    case "record":
      return <RecordField label={label} value={value as never} onChange={onChange} error={error} />;
    case "facts":
      return <FactsField label={label} value={value as never} onChange={onChange} error={error} />;
  }
}

/** As `datetime-local` wants it: the time of this computer. */
function localMoment(at: string | null | undefined): string {
  if (!at) return "";
  const time = new Date(at);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const named = (rows: { id: string }[] | undefined) => (rows ?? []).map((r) => ({ id: r.id, name: String((r as { name?: string }).name || (r as { user?: string }).user || (r as { login?: string }).login || r.id) }));

function Ref(props: Props & { of: Collection; needed: boolean }) {
  const rows = useRows(props.of).data as { id: string }[] | undefined;
  const choices = [...(props.needed ? [] : [{ id: NONE, name: t("None") }]), ...named(rows)];
  return <Select label={props.spec.label} {...(props.spec.hint ? { hint: props.spec.hint } : {})} error={props.error} value={(props.value as string | null) ?? (props.needed ? "" : NONE)} onChange={(v) => props.onChange(v === NONE ? null : v)} choices={choices} placeholder={t("Choose")} />;
}

function Refs(props: Props & { of: Collection }) {
  const rows = useRows(props.of).data as { id: string }[] | undefined;
  return <Many label={props.spec.label} {...(props.spec.hint ? { hint: props.spec.hint } : {})} choices={named(rows)} value={(props.value as string[] | undefined) ?? []} onChange={props.onChange} error={props.error} />;
}

function Many(props: { label: string; hint?: string; choices: { id: string; name: string }[]; value: string[]; onChange: (v: string[]) => void; error?: string | undefined }) {
  const { label, choices, value, onChange } = props;
  return (
    <fieldset className="flex flex-col gap-1.5">
      <legend className="mb-1 text-xs font-medium">{label}</legend>
      <div className="flex flex-wrap gap-x-5 gap-y-1.5">
        {choices.map((c) => (
          <Checkbox key={c.id} label={c.name} value={value.includes(c.id)} onChange={(on) => onChange(on ? [...value, c.id] : value.filter((v) => v !== c.id))} />
        ))}
        {choices.length ? null : <span className="text-muted">{t("There are none yet.")}</span>}
      </div>
      {props.hint ? <p className="text-xs text-muted">{props.hint}</p> : null}
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}

function Numbers(props: Props) {
  const rows = useRows("numbers").data ?? [];
  const choices = rows.filter((r) => r.public).map((r) => ({ id: r.number, name: r.name ? `${r.number} · ${r.name}` : r.number }));
  return <Many label={props.spec.label} {...(props.spec.hint ? { hint: props.spec.hint } : {})} choices={choices} value={(props.value as string[] | undefined) ?? []} onChange={props.onChange} error={props.error} />;
}

interface SkillLevel {
  skill: string;
  level: number;
}

function Skills(props: { label: string; value: SkillLevel[]; onChange: (v: SkillLevel[]) => void }) {
  const skills = named(useRows("skills").data);
  const { value, onChange } = props;
  const free = skills.filter((s) => !value.some((v) => v.skill === s.id));
  const edit = (n: number, part: Partial<SkillLevel>) => onChange(value.map((v, i) => (i === n ? { ...v, ...part } : v)));
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">{props.label}</legend>
      {value.map((v, n) => (
        <div key={v.skill} className="flex items-center gap-2">
          <span className="min-w-32 flex-1 truncate">{skills.find((s) => s.id === v.skill)?.name ?? t("removed")}</span>
          <NumberField label={t("Level, 1 to 10")} hideLabel value={v.level} min={1} max={10} onChange={(level) => edit(n, { level: level ?? 1 })} className="w-20" />
          <IconButton label={t("Remove")} look="quiet" icon={<Trash2 size={15} aria-hidden />} onPress={() => onChange(value.filter((_, i) => i !== n))} />
        </div>
      ))}
      {free.length ? (
        <Select label={t("Add a skill")} hideLabel placeholder={t("Add a skill")} value={null} choices={free} onChange={(skill) => onChange([...value, { skill, level: 5 }])} className="w-56" />
      ) : (
        <p className="text-muted">{skills.length ? t("All skills are given.") : t("There are none yet.")}</p>
      )}
    </fieldset>
  );
}

type Sound = { kind: string; text?: string; name?: string } | null | undefined;

/** What is said; house sounds are left as they are until a text is written. */
function Speech(props: Props) {
  const sound = props.value as Sound;
  const text = sound?.kind === "speech" ? (sound.text ?? "") : "";
  const hint = sound && sound.kind !== "speech" ? t("Now: {name}. A text replaces it.", { name: sound.name ?? sound.kind }) : (props.spec.hint ?? t("Spoken to the caller; empty: nothing."));
  return <TextField label={props.spec.label} hint={hint} lines={2} value={text} error={props.error} onChange={(v) => props.onChange(v ? { kind: "speech", text: v } : null)} />;
}

interface Network {
  addr: string;
  prefix: number;
}

export function Networks(props: Props) {
  const value = (props.value as Network[] | undefined) ?? [];
  const edit = (n: number, text: string) => {
    const [addr = "", prefix] = text.split("/");
    props.onChange(value.map((v, i) => (i === n ? { addr, prefix: Number(prefix ?? (addr.includes(":") ? 128 : 32)) } : v)));
  };
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">{props.spec.label}</legend>
      {value.map((v, n) => (
        <div key={n} className="flex items-center gap-2">
          <TextField label={t("Address or network")} hideLabel mono value={v.prefix === 32 || v.prefix === 128 ? v.addr : `${v.addr}/${v.prefix}`} onChange={(text) => edit(n, text)} placeholder="203.0.113.7" className="flex-1" />
          <IconButton label={t("Remove")} look="quiet" icon={<Trash2 size={15} aria-hidden />} onPress={() => props.onChange(value.filter((_, i) => i !== n))} />
        </div>
      ))}
      <Button size="small" className="self-start" icon={<Plus size={14} aria-hidden />} onPress={() => props.onChange([...value, { addr: "", prefix: 32 }])}>
        {t("Add an address")}
      </Button>
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}

interface Rule {
  value: string;
  roles: string[];
  custom_roles: string[];
}

function RoleRules(props: Props & { roles: { id: string; name: string }[] }) {
  const own = named(useRows("roles").data as { id: string }[] | undefined);
  const value = (props.value as Rule[] | undefined) ?? [];
  const edit = (n: number, part: Partial<Rule>) => props.onChange(value.map((v, i) => (i === n ? { ...v, ...part } : v)));
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">{props.spec.label}</legend>
      {value.map((rule, n) => (
        <div key={n} className="flex flex-col gap-2 rounded-md border border-line p-3">
          <div className="flex items-end gap-2">
            <TextField label={t("When the claim holds")} value={rule.value} onChange={(text) => edit(n, { value: text })} placeholder="callcentre-leads" className="flex-1" />
            <IconButton label={t("Remove")} look="quiet" icon={<Trash2 size={15} aria-hidden />} onPress={() => props.onChange(value.filter((_, i) => i !== n))} />
          </div>
          <Many label={t("these roles are given")} choices={[...props.roles, ...own]} value={[...rule.roles, ...rule.custom_roles]} onChange={(ids) => edit(n, { roles: ids.filter((id) => props.roles.some((r) => r.id === id)), custom_roles: ids.filter((id) => own.some((r) => r.id === id)) })} />
        </div>
      ))}
      <Button size="small" className="self-start" icon={<Plus size={14} aria-hidden />} onPress={() => props.onChange([...value, { value: "", roles: [], custom_roles: [] }])}>
        {t("Add a rule")}
      </Button>
      {props.spec.hint ? <p className="text-xs text-muted">{props.spec.hint}</p> : null}
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}
