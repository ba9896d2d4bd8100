// Call identity: how numbers forward and what is kept for it, per number and trunk, the trace of one
// call step by step, and the certificates that sign.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { api, answer } from "../lib/api";
import { address, dayTime, number, timeWithSeconds } from "../lib/format";
import { t } from "../lib/i18n";
import { go, usePath } from "../lib/router";
import { stepWord } from "../history/identity-words";
import { may } from "../lib/session";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Badge, Card, Empty, Failed, td, th } from "../ui/parts";
import { CollectionPage } from "./collection";
import { specs } from "./specs";

interface OfNumber {
  number: string;
  calls: number;
  forwarded: number;
  rate_percent: number;
  likely: boolean;
  keep: "always" | "learned" | "never" | null;
  kept: number;
  hits: number;
  misses: number;
}
interface OfTrunk {
  trunk: string;
  name: string;
  keep: "always" | "learned" | "never";
  verify: boolean;
  sign: boolean;
  calls: number;
  kept: number;
  hits: number;
  misses: number;
  ambiguous: number;
}
interface Step {
  interaction: string;
  at: string;
  step: string;
  detail: string;
  number: string | null;
}

const keepWord = (keep: OfTrunk["keep"] | null) => (keep ? { always: t("always"), learned: t("when likely"), never: t("never") }[keep] : "–");
const yes = (on: boolean) => (on ? <Badge tone="info">{t("yes")}</Badge> : <span className="text-muted">–</span>);

export function CallIdentityPage() {
  return (
    <div className="flex flex-col gap-6">
      <Forwarding />
      <Trace />
      <Card title={t("Certificates that sign")} label={t("Certificates that sign")}>
        <div className="p-4">
          <CollectionPage spec={specs()["identity/certificates"]} />
        </div>
      </Card>
    </div>
  );
}

function Forwarding() {
  const [wanted, setWanted] = useState("");
  const query = useQuery({ queryKey: ["identity-forwarding"], refetchInterval: 5_000, queryFn: () => answer(api.GET("/v1/identity/forwarding")) });
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  const page = query.data;
  if (!page) return <p className="text-muted">{t("Loading …")}</p>;
  const digits = wanted.replace(/[^0-9]/g, "");
  const all = page.numbers as unknown as OfNumber[];
  const numbers = all.filter((n) => n.number.includes(digits));
  const trunks = page.trunks as unknown as OfTrunk[];
  return (
    <>
      {page.verifies ? null : (
        <p role="note" className="rounded-md bg-warn-soft px-3 py-2 text-warn">
          {t("Nothing is verified yet: the server knows no roots. Set identity.roots.")}
        </p>
      )}
      <Card title={t("Numbers that forward")} label={t("Numbers that forward")} actions={all.length > 8 ? <TextField label={t("Find a number")} hideLabel placeholder={t("Find a number")} value={wanted} onChange={setWanted} className="w-56" /> : null}>
        <p className="px-4 pt-3 text-muted">
          {t("A verified identity is kept for {s} s when at least {pct} % of a number's last 100 calls were forwarded (of {min} or more). Kept now: {n}.", { s: page.retention_s, pct: number(page.threshold_percent, 1), min: page.calls_min, n: page.kept_now })}
        </p>
        {numbers.length ? (
          <Table heads={[t("Number"), t("Calls"), t("Forwarded"), t("Rate"), t("Identity is kept"), t("Kept"), t("Hits"), t("Misses")]}>
            {numbers.map((n) => (
              <tr key={n.number} data-number={n.number}>
                <td className={`${td} font-medium`} dir="ltr">
                  {n.number}
                </td>
                <td className={td}>{number(n.calls)}</td>
                <td className={td}>{number(n.forwarded)}</td>
                <td className={td}>{number(n.rate_percent, 1)} %</td>
                <td className={td}>{n.keep === "never" ? t("never") : n.keep === "always" ? t("always") : n.likely ? <Badge tone="good">{t("likely to forward")}</Badge> : <Badge>{t("not likely")}</Badge>}</td>
                <td className={td}>{number(n.kept)}</td>
                <td className={td}>{number(n.hits)}</td>
                <td className={td}>{number(n.misses)}</td>
              </tr>
            ))}
          </Table>
        ) : (
          <Empty title={digits ? t("Nothing found") : t("No calls yet")}>{t("Numbers show up here with their first call from outside.")}</Empty>
        )}
      </Card>
      <Card title={t("Trunks")} label={t("Trunks")}>
        {trunks.length ? (
          <Table heads={[t("Name"), t("Verifies"), t("Signs"), t("Identity is kept"), t("Calls"), t("Kept"), t("Hits"), t("Misses"), t("Ambiguous")]}>
            {trunks.map((x) => (
              <tr key={x.trunk}>
                <td className={`${td} font-medium`}>{x.name}</td>
                <td className={td}>{yes(x.verify)}</td>
                <td className={td}>{yes(x.sign)}</td>
                <td className={td}>{keepWord(x.keep)}</td>
                <td className={td}>{number(x.calls)}</td>
                <td className={td}>{number(x.kept)}</td>
                <td className={td}>{number(x.hits)}</td>
                <td className={td}>{number(x.misses)}</td>
                <td className={td}>{number(x.ambiguous)}</td>
              </tr>
            ))}
          </Table>
        ) : (
          <Empty title={t("No trunks yet")} />
        )}
      </Card>
    </>
  );
}

function Table(props: { heads: string[]; children: ReactNode }) {
  return (
    <div className="overflow-x-auto">
      <table className="w-full">
        <thead className="border-b border-line">
          <tr>
            {props.heads.map((h) => (
              <th key={h} scope="col" className={th}>
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">{props.children}</tbody>
      </table>
    </div>
  );
}

/** The path holds the call that is shown: `admin/identity/int_…`. */
function Trace() {
  const [, , shown = ""] = usePath().split("/");
  const recent = useQuery({
    queryKey: ["identity-recent"], enabled: may("interactions:read"), refetchInterval: 15_000,
    queryFn: async () => (await answer(api.GET("/v1/interactions", { params: { query: { limit: 10 } } }))).items,
  });
  return (
    <Card title={t("Trace of a call")} label={t("Trace of a call")}>
      <div className="flex flex-col gap-3 p-4">
        <TextField
          label={t("Interaction")} placeholder="int_…" mono value={shown} className="max-w-md"
          hint={t("As it stands in the address of an interaction, or one of the latest below.")}
          onChange={(id) => go(`admin/identity/${encodeURIComponent(id.trim())}`)}
        />
        <ul className="flex flex-wrap gap-2">
          {(recent.data ?? []).map((i) => (
            <li key={i.id}>
              <Button size="small" onPress={() => go(`admin/identity/${i.id}`)}>
                <span dir="ltr">{address(i.from)}</span> · {dayTime(i.started_at)}
              </Button>
            </li>
          ))}
        </ul>
        {/^int_[0-9A-Za-z]+$/.test(shown) ? <Steps key={shown} id={shown} /> : null}
      </div>
    </Card>
  );
}

function Steps(props: { id: string }) {
  const query = useQuery({ queryKey: ["identity-trace", props.id], queryFn: () => answer(api.GET("/v1/identity/traces/{id}", { params: { path: { id: props.id } } })) });
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <p className="text-muted">{t("Loading …")}</p>;
  const steps = query.data.steps as unknown as Step[];
  if (!steps.length) return <Empty title={t("Nothing was done with this call's identity.")} />;
  return (
    <ol className="flex flex-col gap-0.5">
      {steps.map((s, n) => (
        <li key={n} data-step={s.step} className="flex flex-wrap items-baseline gap-x-3 rounded-md px-2 py-1 odd:bg-sunken">
          <span className="w-20 text-muted">{timeWithSeconds(s.at)}</span>
          <span className="w-44 font-medium">{stepWord(s.step)}</span>
          <span className="font-mono text-xs" dir="ltr">
            {s.detail}
          </span>
          {s.number ? (
            <span dir="ltr" className="text-muted">
              {s.number}
            </span>
          ) : null}
          {s.interaction !== props.id ? <Badge tone="info">{t("the call it came of")}</Badge> : null}
        </li>
      ))}
    </ol>
  );
}
