// Search of interactions: filters in the address, a page at a time, details beside.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type Schemas } from "../lib/api";
import { address, clock, customer, when } from "../lib/format";
import { t } from "../lib/i18n";
import { useNames, useRows } from "../lib/names";
import { go, putQuery, useParam, usePath } from "../lib/router";
import { may } from "../lib/session";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Badge, Empty, Failed, Page, td, th } from "../ui/parts";
import { ArrowLeft, Radio, Search as SearchIcon } from "../ui/icons";
import { InteractionView } from "./interaction";
import { reasonWord } from "./words";

const PAGE = 50;
const ANY = "any";

interface Filter {
  party: string;
  queue: string;
  agent: string;
  state: string;
  day: string;
}

export function Interactions() {
  const [, id] = usePath().split("/");
  if (id)
    return (
      <div className="h-full overflow-auto p-5">
        <Button look="quiet" icon={<ArrowLeft size={15} aria-hidden className="rtl:-scale-x-100" />} onPress={() => go(`interactions${lastQuery}`)} className="mb-3">
          {t("All interactions")}
        </Button>
        <div className="max-w-4xl">
          <InteractionView id={id} />
        </div>
      </div>
    );
  return <Search />;
}

function dayRange(day: string): { from?: string; until?: string } {
  if (!day) return {};
  const from = new Date(`${day}T00:00:00`);
  const until = new Date(from);
  until.setDate(until.getDate() + 1);
  return Number.isNaN(from.getTime()) ? {} : { from: from.toISOString(), until: until.toISOString() };
}

/** What was searched before an interaction was opened. */
let lastQuery = "";

function Search() {
  const asked: Filter = { party: useParam("party") ?? "", queue: useParam("queue") ?? ANY, agent: useParam("agent") ?? ANY, state: useParam("state") ?? ANY, day: useParam("day") ?? "" };
  const [typed, setTyped] = useState(asked.party);
  useEffect(() => setTyped(asked.party), [asked.party]);
  const filter = { ...asked, party: typed };
  const ask = (next: Filter) => {
    putQuery(Object.fromEntries(Object.entries(next).map(([name, value]) => [name, value === ANY ? "" : value.trim()])));
  };
  useEffect(() => {
    lastQuery = location.search;
  });
  const set = (part: Partial<Filter>) => ("party" in part ? setTyped(part.party ?? "") : ask({ ...filter, ...part }));
  const query = useInfiniteQuery({
    queryKey: ["interactions", asked],
    initialPageParam: "",
    queryFn: async ({ pageParam }) => {
      const chosen = (name: keyof Filter) => (asked[name] && asked[name] !== ANY ? { [name]: asked[name] } : {});
      const open = asked.state === "open" ? { open: true } : asked.state === "ended" ? { open: false } : {};
      const params = { limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}), ...chosen("party"), ...chosen("queue"), ...chosen("agent"), ...open, ...dayRange(asked.day) };
      return (await api.GET("/v1/interactions", { params: { query: params } })).data as { items: Schemas["Interaction"][]; next?: string };
    },
    getNextPageParam: (last) => last?.next,
  });
  const queues = useRows("queues").data ?? [];
  const agents = useRows("agents").data ?? [];
  const any = { id: ANY, name: t("All") };
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page title={t("Interactions")}>
      <form
        role="search"
        className="mb-3 flex flex-wrap items-end gap-3"
        onSubmit={(e) => {
          e.preventDefault();
          ask(filter);
          void query.refetch();
        }}
      >
        <TextField label={t("Number or name")} value={filter.party} onChange={(party) => set({ party })} className="w-56" />
        <Select label={t("Queue")} value={filter.queue} onChange={(queue) => set({ queue })} choices={[any, ...queues]} className="w-40" />
        {may("interactions:read") ? <Select label={t("Agent")} value={filter.agent} onChange={(agent) => set({ agent })} choices={[any, ...agents]} className="w-40" /> : null}
        <Select label={t("State")} value={filter.state} onChange={(state) => set({ state })} choices={[any, { id: "open", name: t("Open") }, { id: "ended", name: t("Ended") }]} className="w-32" />
        <TextField label={t("Day")} type="date" value={filter.day} onChange={(day) => set({ day })} className="w-40" />
        <Button type="submit" icon={<SearchIcon size={15} aria-hidden />}>
          {t("Search")}
        </Button>
      </form>
      {query.error ? <Failed error={query.error} retry={() => void query.refetch()} /> : null}
      {query.data && !items.length ? (
        <Empty icon={<SearchIcon size={20} aria-hidden />} title={t("Nothing found")}>
          {t("Take a filter away, or choose another day.")}
        </Empty>
      ) : null}
      {items.length ? (
        <div className="overflow-x-auto rounded-lg border border-line bg-surface">
          <Table items={items} />
        </div>
      ) : null}
      {query.hasNextPage ? (
        <Button className="mt-3" isDisabled={query.isFetchingNextPage} onPress={() => void query.fetchNextPage()}>
          {t("More")}
        </Button>
      ) : null}
    </Page>
  );
}

function Table(props: { items: Schemas["Interaction"][] }) {
  const queueName = useNames("queues");
  const agentName = useNames("agents");
  const codeName = useNames("wrap-up-codes");
  return (
    <table className="w-full">
      <thead className="border-b border-line">
        <tr>
          {[t("Began"), t("Customer"), t("Called"), t("Queue"), t("Agents"), t("Waited"), t("Talked"), t("Result")].map((name) => (
            <th key={name} scope="col" className={th}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody className="divide-y divide-line">
        {props.items.map((i) => (
          <tr key={i.id} className="hover:bg-sunken">
            <td className={`${td} whitespace-nowrap text-muted`}>{when(i.started_at)}</td>
            <td className={td}>
              <a
                href={`/app/interactions/${i.id}`} className="font-medium hover:text-accent hover:underline"
                onClick={(e) => {
                  if (e.metaKey || e.ctrlKey) return;
                  e.preventDefault();
                  go(`interactions/${i.id}`);
                }}
              >
                {customer(i)}
              </a>
            </td>
            <td className={td}>{address(i.to)}</td>
            <td className={td}>{i.queue ? queueName(i.queue) : "–"}</td>
            <td className={td}>{i.agents.map((a) => agentName(a)).join(", ") || "–"}</td>
            <td className={td}>{clock(i.waited_ms)}</td>
            <td className={td}>{clock(i.talk_ms)}</td>
            <td className={td}>
              <span className="flex items-center gap-2 whitespace-nowrap">
                {i.wrap_up_code ? <Badge tone="info">{codeName(i.wrap_up_code)}</Badge> : i.ended_at ? reasonWord(i.end_reason) : <Badge tone="good">{t("Open")}</Badge>}
                {i.recordings ? <Radio size={14} role="img" aria-label={t("Recorded")} className="text-muted" /> : null}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
