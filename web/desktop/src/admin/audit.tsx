// Who did what, when; whether anybody has tampered with it.

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, answer, type Schemas } from "../lib/api";
import { dayTime, number } from "../lib/format";
import { t } from "../lib/i18n";
import { onEvent } from "../lib/live";
import { queries, useNames, useRows } from "../lib/names";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Badge, Card, Empty, Failed, td, th } from "../ui/parts";
import { ScrollText, ShieldCheck, TriangleAlert } from "../ui/icons";

type Entry = Schemas["AuditEntry"];

interface Filter {
  actor: string;
  action: string;
  target: string;
  from: string;
  until: string;
}

const ANYBODY = "anybody";
const NOTHING: Filter = { actor: ANYBODY, action: "", target: "", from: "", until: "" };

/** As the API takes it. */
function asked(filter: Filter): Record<string, string> {
  const moment = (local: string) => (local ? new Date(local).toISOString() : "");
  const all = { actor: filter.actor === ANYBODY ? "" : filter.actor, action: filter.action.trim(), target: filter.target.trim(), from: moment(filter.from), until: moment(filter.until) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}

/** Who did it, by name where there is one. */
function Who(props: { actor: { kind?: string; id?: string } }) {
  const users = useNames("users");
  const agents = useNames("agents");
  const { kind = "", id = "" } = props.actor;
  if (kind === "system" || !kind) return <>{t("the system")}</>;
  const name = kind === "user" ? users(id) : kind === "agent" ? agents(id) : "";
  return <>{name && name !== "–" ? name : `${kind} ${id}`}</>;
}

export function Audit() {
  const [filter, setFilter] = useState(NOTHING);
  const [used, setUsed] = useState(NOTHING);
  return (
    <div className="flex flex-col gap-3">
      <Chain />
      <form
        className="flex flex-wrap items-end gap-3" role="search" aria-label={t("Audit")}
        onSubmit={(e) => {
          e.preventDefault();
          setUsed(filter);
        }}
      >
        <Filters filter={filter} onChange={setFilter} />
        <Button type="submit" look="primary">
          {t("Search")}
        </Button>
        <a className="self-center text-accent underline" href={`/v1/audit-log/export?${new URLSearchParams(asked(used)).toString()}`} download="audit-log.jsonl">
          {t("Take along as a file")}
        </a>
      </form>
      <Entries filter={used} />
    </div>
  );
}

function Filters(props: { filter: Filter; onChange: (filter: Filter) => void }) {
  const { filter, onChange } = props;
  const people = useRows("users").data ?? [];
  const set = (name: keyof Filter) => (value: string) => onChange({ ...filter, [name]: value });
  return (
    <>
      <Select label={t("Who")} value={filter.actor} onChange={set("actor")} choices={[{ id: ANYBODY, name: t("Anybody") }, ...people.map((p) => ({ id: p.id as string, name: p.name }))]} className="w-44" />
      <TextField label={t("What")} value={filter.action} onChange={set("action")} placeholder="user.*" className="w-40" />
      <TextField label={t("Of")} value={filter.target} onChange={set("target")} placeholder="usr_…" className="w-40" />
      <TextField label={t("From")} type="datetime-local" value={filter.from} onChange={set("from")} />
      <TextField label={t("Until")} type="datetime-local" value={filter.until} onChange={set("until")} />
    </>
  );
}

/** The state of the hash chain: whole, or where it is broken. */
function Chain() {
  const query = useQuery({ queryKey: ["audit", "chain"], staleTime: 0, queryFn: () => answer(api.GET("/v1/audit-log/verification")) });
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  const found = query.data;
  if (!found) return <p className="text-muted">{t("Loading …")}</p>;
  return (
    <div role={found.ok ? "status" : "alert"} data-chain={found.ok ? "whole" : (found.code ?? "broken")} className={`flex flex-wrap items-center gap-3 rounded-lg border border-line p-3 ${found.ok ? "bg-surface" : "bg-bad-soft text-bad"}`}>
      {found.ok ? <ShieldCheck size={18} aria-hidden className="text-good" /> : <TriangleAlert size={18} aria-hidden />}
      <div className="min-w-0 flex-1">
        <p className="font-medium">{found.ok ? t("The chain is whole: {n} entries.", { n: number(found.entries) }) : t("The chain is broken: {fault}.", { fault: found.fault ?? found.code ?? "" })}</p>
        <p className="truncate text-xs text-muted">
          {t("Its end, to be noted elsewhere:")}{" "}
          <code className="font-mono select-all" dir="ltr">
            {found.head}
          </code>
        </p>
      </div>
      <Button size="small" isDisabled={query.isFetching} onPress={() => void query.refetch()}>
        {t("Check again")}
      </Button>
    </div>
  );
}

function Entries(props: { filter: Filter }) {
  const wanted = asked(props.filter);
  const query = useInfiniteQuery({
    queryKey: ["audit", "entries", wanted],
    initialPageParam: "",
    queryFn: ({ pageParam }) => answer(api.GET("/v1/audit-log", { params: { query: { limit: 50, ...wanted, ...(pageParam ? { cursor: pageParam } : {}) } } })),
    getNextPageParam: (last) => last.next,
  });
  useEffect(
    () =>
      onEvent((e) => {
        if (e.type.startsWith("tenant.")) void queries.invalidateQueries({ queryKey: ["audit"] });
      }),
    [],
  );
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (query.isPending) return <p className="text-muted">{t("Loading …")}</p>;
  if (!items.length)
    return (
      <Card>
        <Empty icon={<ScrollText size={20} aria-hidden />} title={Object.keys(wanted).length ? t("Nothing found") : t("No changes yet")}>
          {Object.keys(wanted).length ? null : t("Every change of the configuration is told here.")}
        </Empty>
      </Card>
    );
  return (
    <>
      <div className="overflow-x-auto rounded-lg border border-line bg-surface">
        <table className="w-full">
          <thead className="border-b border-line">
            <tr>
              {[t("When"), t("Who"), t("What"), t("Of"), t("From"), t("Details")].map((n) => (
                <th key={n} scope="col" className={th}>
                  {n}
                </th>
              ))}
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {items.map((e) => (
              <AuditRow key={e.seq} entry={e} />
            ))}
          </tbody>
        </table>
      </div>
      {query.hasNextPage ? (
        <Button className="self-start" onPress={() => void query.fetchNextPage()}>
          {t("More")}
        </Button>
      ) : null}
    </>
  );
}

function AuditRow(props: { entry: Entry }) {
  const e = props.entry;
  return (
    <tr className="align-top">
      <td className={`${td} whitespace-nowrap text-muted`}>{dayTime(e.at)}</td>
      <td className={td}>
        <Who actor={e.actor as { kind?: string; id?: string }} />
      </td>
      <td className={td}>
        <Badge>{e.action}</Badge>
      </td>
      <td className={`${td} font-mono text-xs break-all`}>{e.target}</td>
      <td className={`${td} text-muted`}>{e.address}</td>
      <td className={td}>
        <details>
          <summary className="cursor-default text-muted hover:text-ink">{t("Show")}</summary>
          <pre className="mt-1 max-w-md overflow-auto rounded bg-sunken p-2 font-mono text-xs" dir="ltr">
            {JSON.stringify(e.detail, null, 1)}
          </pre>
        </details>
      </td>
    </tr>
  );
}
