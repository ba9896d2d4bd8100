// What customers left at the communication points: callbacks to be placed with one press, messages, calls. Above it
// what each point takes now, which whoever answers may switch at any moment.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "../lib/action";
import { api, type Schemas } from "../lib/api";
import { dayTime, when } from "../lib/format";
import { t, tn } from "../lib/i18n";
import { queries, useNames, useRows } from "../lib/names";
import { go } from "../lib/router";
import { may, session } from "../lib/session";
import { useSoftphone } from "../lib/softphone";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { Checkbox, Select } from "../ui/field";
import { Badge, Card, Empty, Failed, Page, type Tone } from "../ui/parts";
import { Check, Inbox, MessageSquare, PhoneCall, PhoneIncoming } from "../ui/icons";
import { modeWord } from "./mode";
import { PageContext } from "./page-context";

type Contact = Schemas["Contact"];
type State = Contact["state"];

const ALL = "all";
/** Beside the events, which the shell follows. */
const REFRESH_MS = 10_000;

export function stateWord(state: State): [string, Tone] {
  const words: Record<State, [string, Tone]> = {
    offered: [t("Asked"), "plain"],
    open: [t("Open"), "warn"],
    taken: [t("Taken"), "info"],
    done: [t("Done"), "plain"],
  };
  return words[state];
}

const kindWord = (kind: Contact["kind"]): string => ({ call: t("Call"), callback: t("Callback"), message: t("Message") })[kind];

export default function Contacts() {
  const [kind, setKind] = useState(ALL);
  const [state, setState] = useState<string>("open");
  const query = useQuery({
    queryKey: ["contacts", kind, state],
    refetchInterval: REFRESH_MS,
    queryFn: async () => {
      const filter = { limit: 100, ...(kind === ALL ? {} : { kind: kind as Contact["kind"] }), ...(state === ALL ? {} : { state: state as State }) };
      return (await api.GET("/v1/contacts", { params: { query: filter } })).data?.items ?? [];
    },
  });
  // What runs as a call is in the work list; here is what waits to be done.
  const items = (query.data ?? []).filter((c) => kind !== ALL || state !== "open" || c.kind !== "call");
  return (
    <Page
      title={t("Contacts")}
      actions={
        <>
          <Select label={t("Kind")} hideLabel value={kind} onChange={setKind} className="w-36" choices={[{ id: ALL, name: t("All kinds") }, ...(["callback", "message", "call"] as const).map((id) => ({ id, name: kindWord(id) }))]} />
          <Select label={t("State")} hideLabel value={state} onChange={setState} className="w-36" choices={[{ id: ALL, name: t("All states") }, ...(["open", "taken", "done"] as const).map((id) => ({ id, name: stateWord(id)[0] }))]} />
        </>
      }
    >
      <div className="flex max-w-4xl flex-col gap-4">
        <TakenNow />
        {query.error ? <Failed error={query.error} retry={() => void query.refetch()} /> : null}
        {query.isPending ? <p className="text-muted">{t("Loading …")}</p> : null}
        {query.data ? <p role="status" className="sr-only">{tn(items.length, "{n} entry", "{n} entries")}</p> : null}
        {query.data && !items.length ? (
          <Card>
            <Empty icon={<Inbox size={20} aria-hidden />} title={t("Nothing waits here")}>
              {t("Callbacks that customers ask for and messages they leave on your pages appear here.")}
            </Empty>
          </Card>
        ) : null}
        <ul className="flex flex-col gap-3" aria-label={t("Contacts")}>
          {items.map((c) => (
            <li key={c.id}>
              <Item contact={c} />
            </li>
          ))}
        </ul>
      </div>
    </Page>
  );
}

function Item(props: { contact: Contact }) {
  const { contact: c } = props;
  const pointName = useNames("points");
  const agentName = useNames("agents");
  const [word, tone] = stateWord(c.state);
  const name = c.name || c.number || c.reply_to || t("Somebody");
  const Icon = { call: PhoneIncoming, callback: PhoneCall, message: MessageSquare }[c.kind];
  return (
    <article aria-label={`${kindWord(c.kind)}, ${name}`} data-contact={c.id} className="flex flex-col gap-3 rounded-lg border border-line bg-surface p-4">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="flex size-9 items-center justify-center rounded-full bg-sunken text-muted">
          <Icon size={17} aria-hidden />
        </span>
        <div className="min-w-0 flex-1">
          <h2 className="truncate font-semibold">{name}</h2>
          <p className="text-xs text-muted">
            {[kindWord(c.kind), pointName(c.point), dayTime(c.created_at)].join(" · ")}
            {c.agent ? ` · ${agentName(c.agent)}` : ""}
          </p>
        </div>
        <Badge tone={tone}>{word}</Badge>
        <Actions contact={c} name={name} />
      </header>
      {c.text ? <p className="whitespace-pre-wrap">{c.text}</p> : null}
      {c.at ? <p className="text-warn">{t("Wants to be called at {time}", { time: when(c.at) })}</p> : null}
      {c.number && c.name ? <p dir="ltr" className="text-start text-muted">{c.number}</p> : null}
      <PageContext context={c.context} />
    </article>
  );
}

function Actions(props: { contact: Contact; name: string }) {
  const { contact: c, name } = props;
  const here = useSoftphone().state === "on";
  if (!may("contacts:handle")) return null;
  const open = c.state === "open" || c.state === "taken";
  const again = () => void queries.invalidateQueries({ queryKey: ["contacts"] });
  const path = { params: { path: { id: c.id } } };
  const call = async () => {
    if (!(await act(`call ${c.id}`, () => api.POST("/v1/contacts/{id}/call", { ...path, body: {} })))) return;
    notify(here ? t("Calling {name}.", { name }) : t("Your phone rings first, then {name} is called.", { name }), "good");
    again();
  };
  const done = async () => {
    if (await act(`done ${c.id}`, () => api.POST("/v1/contacts/{id}/done", { ...path, body: {} }))) again();
  };
  return (
    <div className="flex flex-wrap items-center gap-2">
      {open && c.number && session()?.agent ? (
        <Button look="primary" busy={`call ${c.id}`} aria-label={t("Call back {name}", { name })} icon={<PhoneCall size={15} aria-hidden />} onPress={() => void call()}>
          {t("Call back")}
        </Button>
      ) : null}
      {c.reply_to?.includes("@") && open ? (
        <a className="text-accent underline" href={`mailto:${encodeURIComponent(c.reply_to)}`}>
          {t("Write to {address}", { address: c.reply_to })}
        </a>
      ) : c.reply_to && open ? (
        <span>{t("Answer to {address}", { address: c.reply_to })}</span>
      ) : null}
      {c.interaction ? (
        <Button look="quiet" onPress={() => go(`interactions/${c.interaction}`)}>
          {t("To the call")}
        </Button>
      ) : null}
      {open ? (
        <Button busy={`done ${c.id}`} aria-label={t("{name} is done", { name })} icon={<Check size={15} aria-hidden />} onPress={() => void done()}>
          {t("Done")}
        </Button>
      ) : null}
    </div>
  );
}

/** What each point takes at this moment: the business's side of the match. */
function TakenNow() {
  const points = (useRows("points").data ?? []).filter((p) => !p.disabled);
  if (!points.length) return null;
  const set = async (id: string, modes: string[]) => {
    const done = await act(`now ${id}`, () => api.PUT("/v1/points/{id}/now", { params: { path: { id } }, body: { modes: modes as never } }));
    if (done) await queries.invalidateQueries({ queryKey: ["config", "points"] });
  };
  return (
    <Card title={t("Taken now")}>
      <ul className="divide-y divide-line">
        {points.map((p) => {
          const now = p.now ?? p.modes;
          return (
            <li key={p.id} className="flex flex-wrap items-center gap-x-5 gap-y-2 px-4 py-2.5">
              <span className="min-w-32 font-medium">{p.name}</span>
              <span role="group" aria-label={t("{name} takes now", { name: p.name })} className="flex flex-wrap gap-4">
                {p.modes.map((m) => (
                  <Checkbox key={m} label={modeWord(m)} value={now.includes(m)} isDisabled={!may("points:now")} onChange={(on) => void set(p.id, on ? [...now, m] : now.filter((x) => x !== m))} />
                ))}
              </span>
              {now.length ? null : <Badge tone="warn">{t("Only messages and callbacks")}</Badge>}
            </li>
          );
        })}
      </ul>
    </Card>
  );
}
