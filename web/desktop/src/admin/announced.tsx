// Announced calls (S4.3): the list of those expected, who may announce, and notices of our own calls.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "../lib/action";
import { api, answer, type Schemas } from "../lib/api";
import { timeWithSeconds } from "../lib/format";
import { t } from "../lib/i18n";
import { queries, useNames } from "../lib/names";
import { go } from "../lib/router";
import { may } from "../lib/session";
import { Button } from "../ui/button";
import { NumberField, Select, TextField } from "../ui/field";
import { Badge, Card, Empty, Failed, td, th } from "../ui/parts";
import { Secret } from "../ui/secret";
import { CollectionPage, type CollectionSpec } from "./collection";

/** How often the list is read again: an announcement is short-lived and makes no event. */
const LOOK_MS = 4_000;

export function Announced(props: { partners: CollectionSpec }) {
  return (
    <div className="flex flex-col gap-6">
      {may("precalls:read") ? (
        <section aria-label={t("Expected now")} className="flex flex-col gap-3">
          <h2 className="font-semibold">{t("Expected now")}</h2>
          <Expected />
        </section>
      ) : null}
      {may("precalls:send") ? (
        <Card title={t("Announce a call of ours")}>
          <OwnCall />
        </Card>
      ) : null}
      {may("precalls:read") ? (
        <section aria-label={t("Who may announce")} className="flex flex-col gap-3">
          <h2 className="font-semibold">{t("Who may announce")}</h2>
          <CollectionPage spec={props.partners} />
        </section>
      ) : null}
    </div>
  );
}

function Expected() {
  const query = useQuery({ queryKey: ["precalls"], refetchInterval: LOOK_MS, queryFn: async () => (await answer(api.GET("/v1/precalls"))).items });
  const partner = useNames("caller-partners");
  const write = may("precalls:write");
  const remove = (id: string) =>
    act(`precall ${id}`, async () => {
      await api.DELETE("/v1/precalls/{id}", { params: { path: { id } } });
      await queries.invalidateQueries({ queryKey: ["precalls"] });
    });
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <p className="text-muted">{t("Loading …")}</p>;
  if (!query.data.length)
    return (
      <Card>
        <Empty title={t("No call is announced")}>{t("A call that shows the announced identifier in time is let in, once; every other is screened as its number says.")}</Empty>
      </Card>
    );
  return (
    <div className="overflow-x-auto rounded-lg border border-line bg-surface">
      <table className="w-full">
        <thead className="border-b border-line">
          <tr>
            {[t("Will show"), t("Will call"), t("Announced by"), t("Who and why"), t("Until"), t("State")].map((name) => (
              <th key={name} scope="col" className={th}>
                {name}
              </th>
            ))}
            <th scope="col" className={th}>
              <span className="sr-only">{t("Actions")}</span>
            </th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {query.data.map((p) => (
            <tr key={p.id as string} data-precall={p.identifier}>
              <td className={`${td} font-medium`} dir="ltr">
                {p.identifier}
              </td>
              <td className={td} dir="ltr">
                {p.called ?? t("any number")}
              </td>
              <td className={td}>{partner(p.partner as string)}</td>
              <td className={td}>{[p.name, p.reason].filter(Boolean).join(", ") || "–"}</td>
              <td className={`${td} text-muted`}>{timeWithSeconds(p.expires_at)}</td>
              <td className={td}>{p.interaction ? <Badge tone="good">{t("In a call")}</Badge> : <Badge tone="info">{t("Expected")}</Badge>}</td>
              <td className={`${td} text-end whitespace-nowrap`}>
                {p.interaction ? (
                  <Button size="small" look="quiet" onPress={() => go(`interactions/${p.interaction as string}`)}>
                    {t("Look")}
                  </Button>
                ) : write ? (
                  <Button size="small" look="quiet" busy={`precall ${p.id as string}`} aria-label={t("Take back {name}", { name: p.identifier })} onPress={() => void remove(p.id as string)}>
                    {t("Take back")}
                  </Button>
                ) : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function OwnCall() {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [reason, setReason] = useState("");
  const [minutes, setMinutes] = useState<number | null>(10);
  const [by, setBy] = useState("none");
  const [address, setAddress] = useState("");
  const [made, setMade] = useState<Schemas["PrecallNotice"] | null>(null);
  const announce = () =>
    act("notice", async () => {
      const send_to = by === "email" ? { by: "email" as const, address } : by === "sms" ? { by: "sms" as const, number: address } : null;
      const body = { from, to, valid_s: (minutes ?? 10) * 60, ...(reason ? { reason } : {}), ...(send_to ? { send_to } : {}) };
      setMade(await answer(api.POST("/v1/precall-notices", { body })));
    });
  return (
    <form
      className="flex flex-col gap-4 p-4"
      onSubmit={(e) => {
        e.preventDefault();
        void announce();
      }}
    >
      <p className="text-muted">{t("Before you call a customer: a signed notice, so that the ring is expected and nobody can pretend to be you.")}</p>
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label={t("The number the call will show")} value={from} onChange={setFrom} placeholder="+18005550100" isRequired />
        <TextField label={t("The number that will ring")} value={to} onChange={setTo} placeholder="+15550100" isRequired />
        <TextField label={t("Reason")} value={reason} onChange={setReason} maxLength={200} />
        <NumberField label={t("Good for")} value={minutes} onChange={setMinutes} min={1} max={60} unit={t("minutes")} />
        <Select
          label={t("Send it")} value={by} onChange={setBy}
          choices={[
            { id: "none", name: t("no: give me the link") },
            { id: "email", name: t("by e-mail") },
            { id: "sms", name: t("as a text message") },
          ]}
        />
        {by === "none" ? null : <TextField label={by === "email" ? t("E-mail") : t("Number")} value={address} onChange={setAddress} isRequired />}
      </div>
      <Button type="submit" look="primary" busy="notice" className="self-start" isDisabled={!from || !to || (by !== "none" && !address)}>
        {t("Announce")}
      </Button>
      {made ? (
        <div role="status" className="flex flex-col gap-2 rounded-md bg-sunken p-3">
          <p>{made.sent ? t("Sent. It is good until {time}.", { time: timeWithSeconds(made.expires_at) }) : t("Give the customer this link. It is good until {time}.", { time: timeWithSeconds(made.expires_at) })}</p>
          <Secret label={t("Link")} value={made.link} />
        </div>
      ) : null}
    </form>
  );
}
