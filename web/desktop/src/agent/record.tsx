// The customer's record in a call: what may be said and what not yet, and asking for proof. It is read
// again at each change of the proof, so the marks go away by themselves.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { act } from "../lib/action";
import { api, answer, ApiError, type Schemas } from "../lib/api";
import { t } from "../lib/i18n";
import { onEvent } from "../lib/live";
import { queries } from "../lib/names";
import { may } from "../lib/session";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Badge } from "../ui/parts";
import { Secret } from "../ui/secret";
import { Lock, LockOpen } from "../ui/icons";

export type Method = Schemas["ProofMethod"];

const key = (interaction: string) => ["customer", interaction];

function useCustomer(interaction: string) {
  useEffect(
    () =>
      onEvent((event) => {
        if (event.subject === interaction && event.type === "proof.changed") void queries.invalidateQueries({ queryKey: key(interaction) });
      }),
    [interaction],
  );
  return useQuery({
    queryKey: key(interaction),
    staleTime: 5_000,
    enabled: may("proofs:read") || may("proofs:read-own"),
    queryFn: () => answer(api.GET("/v1/interactions/{id}/customer", { params: { path: { id: interaction } } })),
  });
}

export const methodWord = (m: Method): string =>
  ({ pin: t("PIN"), totp: t("authenticator app"), code: t("code sent to them"), link: t("link sent to them"), passkey: t("passkey"), device_key: t("app on their device"), photo: t("photo"), knowledge: t("questions"), announced: t("announced call") })[m];

/** Asked on the telephone, in private. */
const ON_THE_PHONE: Method[] = ["pin", "totp", "code"];

/** The record of who is on the line; nothing for strangers. */
export function CustomerRecord(props: { interaction: string; over?: boolean }) {
  const { data } = useCustomer(props.interaction);
  if (!data) return null;
  const ask = !props.over && (may("proofs:ask") || may("proofs:ask-own"));
  return (
    <section aria-label={t("Customer record")} className="flex flex-col gap-3" data-proof-level={data.proof.level}>
      {data.person ? <Fields customer={data} /> : null}
      {data.announced_by ? <p className="text-muted">{t("Announced by {name}.", { name: data.announced_by })}</p> : null}
      {data.person && data.proof.requests.length ? <Requests interaction={props.interaction} customer={data} ask={ask} /> : null}
      {ask && data.person ? <Ask interaction={props.interaction} customer={data} /> : null}
    </section>
  );
}

function Fields(props: { customer: Schemas["Customer"] }) {
  const { customer } = props;
  return (
    <>
      <p className="font-semibold">{customer.name}</p>
      {customer.fields.length ? (
        <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5">
          {customer.fields.map((f) => (
            <div key={f.name} className="contents" data-field={f.name} data-locked={f.locked}>
              <dt className="flex items-center gap-1.5 text-muted">
                {f.secure ? f.locked ? <Lock size={13} aria-hidden className="text-warn" /> : <LockOpen size={13} aria-hidden className="text-good" /> : null}
                {f.label}
              </dt>
              <dd className="flex min-w-0 flex-wrap items-center gap-2 break-words">
                <span className={f.locked ? "text-muted" : ""}>{f.value || "–"}</span>
                {f.locked ? <Badge tone="warn">{t("Do not tell yet")}</Badge> : null}
              </dd>
            </div>
          ))}
        </dl>
      ) : null}
    </>
  );
}

/** What the rules name: what may be done now, and what the caller could prove for the rest. */
function Requests(props: { interaction: string; customer: Schemas["Customer"]; ask: boolean }) {
  const { interaction, customer, ask } = props;
  const path = { params: { path: { id: interaction } } };
  const [ways, setWays] = useState<{ intent: string; methods: Method[] } | null>(null);
  const look = (intent: string) =>
    act(`step up ${intent}`, async () => {
      const { step_up } = await answer(api.POST("/v1/interactions/{id}/proof/allow", { ...path, body: { intent } }));
      setWays({ intent, methods: step_up });
    });
  const askFor = (method: Method, intent: string) =>
    act(`ask ${method}`, async () => {
      await api.POST("/v1/interactions/{id}/proof/ask", { ...path, body: { method, intent } });
      setWays(null);
      notify(t("The caller is asked, in private: you do not hear it."));
    });
  return (
    <ul aria-label={t("What may be done")} className="flex flex-col gap-1">
      {customer.proof.requests.map((r) => {
        const phone = ways?.intent === r.intent && !r.allowed ? ways.methods.filter((m) => ON_THE_PHONE.includes(m)) : null;
        return (
          <li key={r.intent} data-request={r.intent} data-allowed={r.allowed} className="flex flex-wrap items-center gap-2">
            {r.allowed ? <LockOpen size={13} aria-hidden className="text-good" /> : <Lock size={13} aria-hidden className="text-warn" />}
            <span className="min-w-0 break-words">{r.intent}</span>
            {r.allowed ? <Badge tone="good">{t("May be done")}</Badge> : <Badge tone="warn">{t("Takes level {n}", { n: r.needed })}</Badge>}
            {ask && !r.allowed && !phone ? (
              <Button size="small" look="quiet" busy={`step up ${r.intent}`} aria-label={t("Prove for {what}", { what: r.intent })} onPress={() => void look(r.intent)}>
                {t("Prove")}
              </Button>
            ) : null}
            {phone?.map((m) => (
              <Button key={m} size="small" busy={`ask ${m}`} onPress={() => void askFor(m, r.intent)}>
                {t("Ask for: {what}", { what: methodWord(m) })}
              </Button>
            ))}
            {phone && !phone.length ? <span className="text-xs text-muted">{t("Nothing of this customer's would be enough on the telephone; a link may be.")}</span> : null}
          </li>
        );
      })}
    </ul>
  );
}

function Ask(props: { interaction: string; customer: Schemas["Customer"] }) {
  const { interaction, customer } = props;
  const path = { params: { path: { id: interaction } } };
  const [link, setLink] = useState<Schemas["ChannelUpgrade"] | null>(null);
  const [questions, setQuestions] = useState<Schemas["ProofQuestion"][]>([]);
  const askFor = (method: Method) =>
    act(`ask ${method}`, async () => {
      await api.POST("/v1/interactions/{id}/proof/ask", { ...path, body: { method } });
      notify(t("The caller is asked, in private: you do not hear it."));
    });
  const sendLink = () =>
    act("upgrade", async () => {
      try {
        setLink(await answer(api.POST("/v1/interactions/{id}/channel-upgrade", { ...path, body: { send: true } })));
      } catch (error) {
        // No address, or no way to send: the agent tells the link.
        if (!(error instanceof ApiError) || error.code !== "conflict") throw error;
        setLink(await answer(api.POST("/v1/interactions/{id}/channel-upgrade", { ...path, body: { send: false } })));
      }
    });
  const askQuestions = () =>
    act("questions", async () => {
      setQuestions((await answer(api.POST("/v1/interactions/{id}/proof/questions", path))).questions);
    });
  const has = (m: Method) => customer.methods.includes(m);
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap gap-2">
        {ON_THE_PHONE.filter(has).map((m) => (
          <Button key={m} size="small" busy={`ask ${m}`} onPress={() => void askFor(m)}>
            {t("Ask for: {what}", { what: methodWord(m) })}
          </Button>
        ))}
        <Button size="small" busy="upgrade" onPress={() => void sendLink()}>
          {t("Send a link")}
        </Button>
        {has("knowledge") ? (
          <Button size="small" look="quiet" busy="questions" onPress={() => void askQuestions()}>
            {t("Ask questions")}
          </Button>
        ) : null}
      </div>
      {has("photo") && customer.photo ? <Photo interaction={interaction} photo={customer.photo} /> : null}
      {link ? (
        <div role="status" className="flex flex-col gap-2 rounded-md bg-sunken p-3">
          <p>
            {link.sent ? t("The link is sent. Tell the caller this number, the page asks for it:") : t("Nothing can be sent to this customer. Give them the link and this number:")} <strong className="font-mono text-base">{link.number}</strong>
          </p>
          {link.link ? <Secret label={t("Link")} value={link.link} /> : null}
        </div>
      ) : null}
      {questions.length ? <Questions interaction={interaction} questions={questions} onDone={() => setQuestions([])} /> : null}
    </div>
  );
}

/** Tells the server what the customer said or showed. */
const give = (interaction: string, body: Schemas["WitnessInput"]) =>
  act("give", async () => {
    await api.POST("/v1/interactions/{id}/proof", { params: { path: { id: interaction } }, body });
    await queries.invalidateQueries({ queryKey: key(interaction) });
  });

function Photo(props: { interaction: string; photo: string }) {
  return (
    <div className="flex flex-wrap items-center gap-2 rounded-md bg-sunken p-2">
      <a href={props.photo} target="_blank" rel="noreferrer" className="text-accent underline">
        {t("Picture kept")}
      </a>
      <Button size="small" busy="give" onPress={() => void give(props.interaction, { photo_matches: true })}>
        {t("It is the same person")}
      </Button>
      <Button size="small" busy="give" onPress={() => void give(props.interaction, { photo_matches: false })}>
        {t("It is somebody else")}
      </Button>
    </div>
  );
}

function Questions(props: { interaction: string; questions: Schemas["ProofQuestion"][]; onDone: () => void }) {
  const { interaction, questions, onDone } = props;
  const [answers, setAnswers] = useState<Record<string, string>>({});
  return (
    <form
      className="flex flex-col gap-2 rounded-md bg-sunken p-3"
      onSubmit={(e) => {
        e.preventDefault();
        void give(interaction, { answers }).then(onDone);
      }}
    >
      {questions.map((q) => (
        <TextField key={q.id as string} label={q.question} value={answers[q.id as string] ?? ""} onChange={(text) => setAnswers((all) => ({ ...all, [q.id as string]: text }))} autoComplete="off" />
      ))}
      <Button type="submit" size="small" busy="give" className="self-start">
        {t("Check the answers")}
      </Button>
    </form>
  );
}
