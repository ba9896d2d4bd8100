// Rules of proof: which queue wants its callers proven, what each request takes, what a way of proof is
// worth, what is asked for on the telephone, and where the proven wait by facts that only proof makes usable.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { methodWord, type Method } from "../agent/record";
import { act } from "../lib/action";
import { api, ApiError, type Schemas } from "../lib/api";
import { t } from "../lib/i18n";
import { queries } from "../lib/names";
import { may } from "../lib/session";
import { notify, problemText } from "../lib/tell";
import { Button, IconButton } from "../ui/button";
import { Checkbox, NumberField, Select, TextField } from "../ui/field";
import { Card, Failed } from "../ui/parts";
import { Plus, Trash2 } from "../ui/icons";
import { Placement } from "./proof-placement";
import { levels } from "./proof-choices";
import { QueueGates } from "./proof-gates";
import { settled } from "./person-fields";

type Rules = Schemas["ProofPolicyInput"];
type Whole = Required<Rules>;

const KEY = ["config", "proof-policy"];

/** As the server has it when nobody changed it. */
const WORTH: Record<Method, number> = { passkey: 3, device_key: 3, pin: 2, totp: 2, code: 2, link: 2, photo: 2, announced: 2, knowledge: 1 };
const ON_THE_PHONE: Method[] = ["pin", "totp", "code", "link"];

export function ProofRules() {
  const query = useQuery({
    queryKey: KEY,
    queryFn: async () => {
      const { data, response } = await api.GET("/v1/proof-policy");
      return { rules: data as Whole, tag: response.headers.get("etag") ?? "*" };
    },
  });
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return (
    <div className="flex flex-col gap-6">
      <p className="text-muted">{t("A caller proves itself once in a call. What that allows goes along over queues and transfers, and ends with the call.")}</p>
      <QueueGates />
      {query.data ? <Form key={query.data.tag} {...query.data} /> : <p className="text-muted">{t("Loading …")}</p>}
    </div>
  );
}

/** What went wrong, by where; "" is nowhere in particular. */
function faults(error: unknown): Record<string, string> {
  const all = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  if (all.length) return { "": t("Some fields need another look."), ...Object.fromEntries(all.map((e) => [e.pointer, e.detail])) };
  const stale = error instanceof ApiError && error.status === 412;
  return { "": stale ? t("Somebody changed this in the meantime. Close, open it again, and make your change anew.") : problemText(error) };
}

function Form(props: { rules: Whole; tag: string }) {
  const [rules, setRules] = useState(props.rules);
  const [intents, setIntents] = useState(() => Object.entries(props.rules.intents));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const set = (part: Partial<Whole>) => setRules((r) => ({ ...r, ...part }));
  const write = may("proof-policy:write");
  const save = () =>
    act("proof-rules", async () => {
      setErrors({});
      const named = intents.map(([name, level]) => [name.trim(), level] as const).filter(([name]) => name);
      try {
        await api.PUT("/v1/proof-policy", { params: { header: { "If-Match": props.tag } }, body: { ...rules, placement: rules.placement.map((r) => ({ ...r, value: settled(r.value as never) as never })), intents: Object.fromEntries(named) } });
      } catch (error) {
        return setErrors(faults(error));
      }
      await queries.invalidateQueries({ queryKey: KEY });
      notify(t("Saved."), "good");
    });
  return (
    <form
      aria-label={t("Rules of proof")} className="flex flex-col gap-6"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <fieldset disabled={!write} className="contents">
        <Card title={t("What is asked for")}>
          <Intents value={intents} onChange={setIntents} errors={errors} />
        </Card>
        <Card title={t("What proof is worth")}>
          <Ways rules={rules} set={set} errors={errors} />
        </Card>
        <Card title={t("Where the proven wait")}>
          <Placement value={rules.placement} onChange={(placement) => set({ placement })} errors={errors} />
        </Card>
        <Card title={t("In the call")}>
          <Rest rules={rules} set={set} errors={errors} />
        </Card>
      </fieldset>
      {errors[""] ? (
        <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad">
          {errors[""]}
        </p>
      ) : null}
      {write ? (
        <Button type="submit" look="primary" busy="proof-rules" className="self-start">
          {t("Save the rules")}
        </Button>
      ) : null}
    </form>
  );
}

interface Part {
  rules: Whole;
  set: (part: Partial<Whole>) => void;
  errors: Record<string, string>;
}

const Body = (props: { hint: string; children: ReactNode }) => (
  <div className="flex flex-col gap-3 p-4">
    <p className="text-muted">{props.hint}</p>
    {props.children}
  </div>
);

function Intents(props: { value: [string, number][]; onChange: (v: [string, number][]) => void; errors: Record<string, string> }) {
  const { value, onChange, errors } = props;
  const edit = (n: number, name: string, level: number) => onChange(value.map((v, i) => (i === n ? [name, level] : v)));
  return (
    <Body hint={t("By the word that agents, programs and flows use for it: a balance may take less than a transfer.")}>
      {value.map(([name, level], n) => (
        <div key={n} className="flex items-end gap-2">
          <TextField label={t("Request")} hideLabel={n > 0} value={name} onChange={(text) => edit(n, text, level)} placeholder="balance" mono className="w-56" error={errors[`/intents/${name}`]} />
          <Select label={t("Takes")} hideLabel={n > 0} value={String(level)} onChange={(text) => edit(n, name, Number(text))} choices={levels(1)} className="w-36" />
          <IconButton look="quiet" label={t("Remove {name}", { name: name || t("Request") })} icon={<Trash2 size={15} aria-hidden />} onPress={() => onChange(value.filter((_, i) => i !== n))} />
        </div>
      ))}
      <Button size="small" className="self-start" icon={<Plus size={14} aria-hidden />} onPress={() => onChange([...value, ["", 2]])}>
        {t("Add a request")}
      </Button>
    </Body>
  );
}

function Ways(props: Part) {
  const { rules, set, errors } = props;
  const asked = rules.phone_methods;
  const given = rules.levels as Partial<Record<Method, number>>;
  const worth = (m: Method, level: number) => {
    const next = { ...given };
    if (level === WORTH[m]) delete next[m];
    else next[m] = level;
    set({ levels: next as Whole["levels"] });
  };
  return (
    <Body hint={t("Secure fields open at level 2. Two good ways that rest on different things count one level more.")}>
      <div className="grid gap-x-6 gap-y-2 sm:grid-cols-3">
        {(Object.keys(WORTH) as Method[]).map((m) => (
          <Select key={m} label={methodWord(m)} value={String(given[m] ?? WORTH[m])} onChange={(level) => worth(m, Number(level))} choices={levels(0)} error={errors[`/levels/${m}`]} />
        ))}
      </div>
      <fieldset className="flex flex-col gap-1.5">
        <legend className="mb-1 text-xs font-medium">{t("Asked for on the telephone")}</legend>
        <div className="flex flex-wrap gap-x-5 gap-y-1.5">
          {ON_THE_PHONE.map((m) => (
            <Checkbox key={m} label={methodWord(m)} value={asked.includes(m)} onChange={(on) => set({ phone_methods: on ? [...asked, m] : asked.filter((x) => x !== m) })} />
          ))}
        </div>
        <p className="text-xs text-muted">{asked.length ? t("In this order: {list}. Everybody is asked alike, so that a stranger learns nothing.", { list: asked.map(methodWord).join(", ") }) : t("Nobody is asked anything there.")}</p>
      </fieldset>
    </Body>
  );
}

function Rest(props: Part) {
  const { rules, set, errors } = props;
  return (
    <div className="grid gap-4 p-4 sm:grid-cols-2">
      <Select
        label={t("Secure fields before proof")} value={rules.locked_fields} onChange={(v) => set({ locked_fields: v as Whole["locked_fields"] })}
        choices={[{ id: "marked", name: t("shown, marked as not to be told") }, { id: "masked", name: t("covered but for two characters") }, { id: "hidden", name: t("hidden") }]}
      />
      <Select
        label={t("Callers key their customer number")} value={rules.ask_number} onChange={(v) => set({ ask_number: v as Whole["ask_number"] })}
        choices={[{ id: "never", name: t("never") }, { id: "unknown", name: t("from numbers that are nobody's") }, { id: "always", name: t("always") }]}
      />
      <NumberField label={t("A proof counts for")} value={rules.proof_s_max} onChange={(n) => set({ proof_s_max: n ?? 3600 })} min={60} max={86_400} unit={t("seconds")} error={errors["/proof_s_max"]} />
      <NumberField label={t("A code or link is good for")} value={rules.code_s_max} onChange={(n) => set({ code_s_max: n ?? 300 })} min={30} max={600} unit={t("seconds")} error={errors["/code_s_max"]} />
      <NumberField label={t("Wrong tries in one call")} value={rules.tries_per_call} onChange={(n) => set({ tries_per_call: n ?? 3 })} min={1} max={10} error={errors["/tries_per_call"]} />
    </div>
  );
}
