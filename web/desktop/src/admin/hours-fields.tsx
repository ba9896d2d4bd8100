// Business hours as they are typed: intervals of the week and of single days. An interval may end
// on the next day, and a day may have several.

import { formatLocale, t } from "../lib/i18n";
import { Button, IconButton } from "../ui/button";
import { TextField } from "../ui/field";
import { Plus, Trash2 } from "../ui/icons";

/** `from` and `until` as HH:MM; an `until` at or before `from` is on the next day, 24:00 is midnight. */
export interface Interval {
  from: string;
  until: string;
}
export interface DayHours extends Interval {
  day: Day;
}
export interface Exception {
  date: string;
  name: string;
  /** Empty: closed all day. */
  open: Interval[];
}

export const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;
export type Day = (typeof DAYS)[number];

/** 2024-01-01 was a Monday. */
export const dayName = (day: Day): string => new Intl.DateTimeFormat(formatLocale(), { weekday: "long" }).format(new Date(2024, 0, 1 + DAYS.indexOf(day)));

function IntervalRow(props: { value: Interval; onChange: (v: Interval) => void; onRemove: () => void; of: string }) {
  const { value, onChange } = props;
  const next = value.until <= value.from && value.until !== "";
  return (
    <div className="flex items-center gap-2">
      <TextField label={t("{day}: opens", { day: props.of })} hideLabel mono value={value.from} onChange={(from) => onChange({ ...value, from })} placeholder="09:00" className="w-20" />
      <span aria-hidden="true">–</span>
      <TextField label={t("{day}: closes", { day: props.of })} hideLabel mono value={value.until} onChange={(until) => onChange({ ...value, until })} placeholder="17:00" className="w-20" />
      <IconButton size="small" look="quiet" label={t("Remove these hours of {day}", { day: props.of })} icon={<Trash2 size={14} aria-hidden />} onPress={props.onRemove} />
      {next ? <span className="text-xs text-muted">{t("next day")}</span> : null}
    </div>
  );
}

export function WeekField(props: { label: string; value: DayHours[] | undefined; onChange: (v: DayHours[]) => void; error?: string | undefined }) {
  const value = props.value ?? [];
  return (
    <fieldset className="flex flex-col">
      <legend className="mb-1 text-xs font-medium">{props.label}</legend>
      {DAYS.map((day) => {
        const own = value.map((v, n) => ({ v, n })).filter(({ v }) => v.day === day);
        const last = own.at(-1)?.v;
        const add = () => props.onChange([...value, { day, from: last ? "13:00" : "09:00", until: last ? "18:00" : "17:00" }]);
        return (
          <div key={day} className="grid grid-cols-[7rem_1fr_auto] items-start gap-3 border-t border-line py-2">
            <span className="pt-1.5 font-medium">{dayName(day)}</span>
            <div className="flex flex-col gap-1.5">
              {own.length ? own.map(({ v, n }) => <IntervalRow key={n} of={dayName(day)} value={v} onChange={(changed) => props.onChange(value.map((x, i) => (i === n ? { ...changed, day } : x)))} onRemove={() => props.onChange(value.filter((_, i) => i !== n))} />) : <span className="pt-1.5 text-muted">{t("Closed")}</span>}
            </div>
            <Button size="small" look="quiet" icon={<Plus size={14} aria-hidden />} aria-label={t("Add hours on {day}", { day: dayName(day) })} onPress={add}>
              {t("Hours")}
            </Button>
          </div>
        );
      })}
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}

export function ExceptionsField(props: { label: string; value: Exception[] | undefined; onChange: (v: Exception[]) => void; error?: string | undefined }) {
  const value = props.value ?? [];
  const edit = (n: number, part: Partial<Exception>) => props.onChange(value.map((v, i) => (i === n ? { ...v, ...part } : v)));
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">{props.label}</legend>
      {value.map((v, n) => (
        <div key={n} className="flex flex-col gap-2 rounded-md border border-line p-2.5">
          <div className="flex items-center gap-2">
            <TextField label={t("Date")} hideLabel type="date" value={v.date} onChange={(date) => edit(n, { date })} className="w-40" />
            <TextField label={t("Name")} hideLabel placeholder={t("Name, such as New Year")} value={v.name} onChange={(name) => edit(n, { name })} className="flex-1" />
            <Button size="small" look="quiet" icon={<Plus size={14} aria-hidden />} onPress={() => edit(n, { open: [...v.open, { from: "09:00", until: "12:00" }] })}>
              {t("Hours")}
            </Button>
            <IconButton size="small" look="quiet" label={t("Remove {name}", { name: v.name || v.date })} icon={<Trash2 size={14} aria-hidden />} onPress={() => props.onChange(value.filter((_, i) => i !== n))} />
          </div>
          {v.open.length ? v.open.map((o, k) => <IntervalRow key={k} of={v.name || v.date} value={o} onChange={(changed) => edit(n, { open: v.open.map((x, i) => (i === k ? changed : x)) })} onRemove={() => edit(n, { open: v.open.filter((_, i) => i !== k) })} />) : <p className="text-xs text-muted">{t("Closed all day")}</p>}
        </div>
      ))}
      <Button size="small" className="self-start" icon={<Plus size={14} aria-hidden />} onPress={() => props.onChange([...value, { date: "", name: "", open: [] }])}>
        {t("Add a holiday or special day")}
      </Button>
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}
