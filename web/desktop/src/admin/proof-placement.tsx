// Where a proven caller waits, by a fact of its record: the first rule that holds moves it, on its way
// into a queue or the moment the proof comes.

import type { Schemas } from "../lib/api";
import { t } from "../lib/i18n";
import { Button, IconButton } from "../ui/button";
import { NumberField, Select, TextField } from "../ui/field";
import { Plus, Trash2 } from "../ui/icons";
import { factOf, factText } from "./person-fields";
import { levels, QueueChoice } from "./proof-choices";

type Rule = Schemas["PlacementRule"];

const fresh: Rule = { level: 2, from: null, fact: "", test: "at_least", value: 0, to: null, priority: 0 } as Rule;

export function Placement(props: { value: Rule[]; onChange: (rules: Rule[]) => void; errors: Record<string, string> }) {
  const { value, onChange, errors } = props;
  const edit = (n: number, part: Partial<Rule>) => onChange(value.map((v, i) => (i === n ? { ...v, ...part } : v)));
  const tests = [{ id: "equals", name: t("is") }, { id: "at_least", name: t("is at least") }, { id: "at_most", name: t("is at most") }];
  return (
    <div className="flex flex-col gap-3 p-4">
      <p className="text-muted">{t("By facts of the customer's record, such as a balance. They are used only once the caller is proven; the first rule that holds is taken.")}</p>
      {value.map((rule, n) => {
        const wrong = (name: string) => errors[`/placement/${n}/${name}`];
        return (
          <fieldset key={n} aria-label={t("Rule {n}", { n: n + 1 })} className="grid items-end gap-3 rounded-md border border-line p-3 sm:grid-cols-4">
            <Select label={t("Proven to")} value={String(rule.level)} onChange={(level) => edit(n, { level: Number(level) })} choices={levels(1)} error={wrong("level")} />
            <TextField label={t("Fact")} value={rule.fact} onChange={(fact) => edit(n, { fact })} placeholder="balance" mono isRequired error={wrong("fact")} />
            <Select label={t("Test")} value={rule.test} onChange={(test) => edit(n, { test: test as Rule["test"] })} choices={tests} />
            <TextField label={t("Value")} value={factText(rule.value)} onChange={(text) => edit(n, { value: factOf(text) as Rule["value"] })} mono error={wrong("value")} />
            <QueueChoice label={t("On the way to")} none={t("any queue")} value={rule.from as string | null} onChange={(from) => edit(n, { from })} error={wrong("from")} />
            <QueueChoice label={t("Moves to")} none={t("where it is")} value={rule.to as string | null} onChange={(to) => edit(n, { to })} error={wrong("to")} />
            <NumberField label={t("With priority")} value={rule.priority ?? 0} onChange={(priority) => edit(n, { priority: priority ?? 0 })} min={-1000} max={1000} error={wrong("priority")} />
            <IconButton className="justify-self-end" look="quiet" label={t("Remove rule {n}", { n: n + 1 })} icon={<Trash2 size={15} aria-hidden />} onPress={() => onChange(value.filter((_, i) => i !== n))} />
          </fieldset>
        );
      })}
      <Button size="small" className="self-start" icon={<Plus size={14} aria-hidden />} onPress={() => onChange([...value, fresh])}>
        {t("Add a rule")}
      </Button>
    </div>
  );
}
