// The right side: customer, history, notes and wrap-up. The tab in use is remembered.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import { api } from "../lib/api";
import { address, clock, customer, farSide, placedByUs, when } from "../lib/format";
import { t } from "../lib/i18n";
import type { LiveAgent } from "../lib/live-types";
import { useNames } from "../lib/names";
import { go } from "../lib/router";
import { Badge, Definition, Empty, Failed } from "../ui/parts";
import { History, UserRound } from "../ui/icons";
import { reasonWord } from "../history/words";
import { Proof } from "../history/proof";
import { readTrail } from "../history/trail";
import { useFromPage } from "../contacts/in-call";
import { PageContext } from "../contacts/page-context";
import { CustomerRecord } from "./record";
import { WrapUp } from "./wrap-up";

type Which = "customer" | "history" | "notes";
const STORED = "side-tab";

export function Side(props: { agent: LiveAgent; interaction: string | null; own: boolean }) {
  const { agent, interaction, own } = props;
  const [tab, setTab] = useState<Which>((localStorage.getItem(STORED) as Which | null) ?? "customer");
  const wrapping = own && agent.state === "wrap_up";
  const [forced, setForced] = useState(false);
  // Wrap-up comes to the front by itself, once per call.
  if (wrapping && !forced) {
    setForced(true);
    setTab("notes");
  }
  if (!wrapping && forced) setForced(false);
  if (!interaction) return <Empty icon={<UserRound size={20} aria-hidden />} title={t("No customer yet")}>{t("Who calls, what was before and your notes appear here during a call.")}</Empty>;
  return (
    <Tabs
      selectedKey={tab} className="flex h-full flex-col"
      onSelectionChange={(key) => {
        setTab(key as Which);
        localStorage.setItem(STORED, String(key));
      }}
    >
      <TabList aria-label={t("About the call")} className="flex gap-1 border-b border-line px-3">
        <SideTab id="customer">{t("Customer")}</SideTab>
        <SideTab id="history">{t("History")}</SideTab>
        <SideTab id="notes">{t("Notes")}</SideTab>
      </TabList>
      <TabPanel id="customer" className="overflow-auto p-4 outline-none">
        <Customer interaction={interaction} />
      </TabPanel>
      <TabPanel id="history" className="overflow-auto p-2 outline-none">
        <Before interaction={interaction} />
      </TabPanel>
      <TabPanel id="notes" className="overflow-auto p-4 outline-none">
        {own ? <OwnNotes agent={agent} interaction={interaction} /> : <WrittenNotes interaction={interaction} />}
      </TabPanel>
    </Tabs>
  );
}

function SideTab(props: { id: Which; children: string }) {
  return (
    <Tab id={props.id} className="-mb-px cursor-default border-b-2 border-transparent px-2 py-2.5 text-muted outline-offset-[-2px] selected:border-accent selected:font-medium selected:text-ink hover:text-ink">
      {props.children}
    </Tab>
  );
}

export const useOne = (id: string) => useQuery({ queryKey: ["interaction", id], queryFn: async () => (await api.GET("/v1/interactions/{id}", { params: { path: { id } } })).data, staleTime: 5_000 });

function OwnNotes(props: { agent: LiveAgent; interaction: string }) {
  const { data } = useOne(props.interaction);
  return <WrapUp {...props} inbound={data?.direction === "inbound"} />;
}

function Customer(props: { interaction: string }) {
  const { data, error, refetch } = useOne(props.interaction);
  const queueName = useNames("queues");
  const { context } = useFromPage(props.interaction);
  if (error) return <Failed error={error} retry={() => void refetch()} />;
  if (!data) return <p className="text-muted">{t("Loading …")}</p>;
  const far = farSide(data);
  return (
    <div className="flex flex-col gap-4">
      <div>
        <p className="text-base font-semibold">{customer(data)}</p>
        {customer(data) === address(far) ? null : <p className="text-muted" dir="ltr">{address(far)}</p>}
      </div>
      {placedByUs(data) && data.direction === "internal" ? null : <Proof interaction={props.interaction} />}
      <PageContext context={context} />
      <CustomerRecord interaction={props.interaction} over={Boolean(data.ended_at)} />
      <Definition
        items={[
          [t("Called"), address(data.to)],
          [t("Queue"), queueName(data.queue)],
          [t("Began"), when(data.started_at)],
          [t("Waited"), clock(data.waited_ms)],
          [t("Reference"), <code key="id" className="font-mono text-xs break-all">{data.id}</code>],
        ]}
      />
    </div>
  );
}

interface Past {
  id: string;
  started_at: string;
  direction: string;
  queue?: string | null;
  agents: string[];
  end_reason?: string | null;
  wrap_up_code?: string | null;
  note?: string | null;
  talk_ms: number;
}

function Before(props: { interaction: string }) {
  const query = useQuery({
    queryKey: ["before", props.interaction],
    queryFn: async () => ((await api.GET("/v1/interactions/{id}/history", { params: { path: { id: props.interaction }, query: { limit: 30 } } })).data?.items ?? []) as unknown as Past[],
  });
  const agentName = useNames("agents");
  const codeName = useNames("wrap-up-codes");
  const queueName = useNames("queues");
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (query.isPending) return <p className="p-2 text-muted">{t("Loading …")}</p>;
  if (!query.data.length) return <Empty icon={<History size={20} aria-hidden />} title={t("First contact")}>{t("Nothing of this customer was found.")}</Empty>;
  return (
    <ul className="flex flex-col">
      {query.data.map((i) => (
        <li key={i.id}>
          <button type="button" onClick={() => go(`interactions/${i.id}`)} className="flex w-full flex-col gap-0.5 rounded-md px-2 py-2 text-start hover:bg-sunken">
            <span className="flex items-center justify-between gap-2">
              <span className="font-medium">{when(i.started_at)}</span>
              {i.wrap_up_code ? <Badge>{codeName(i.wrap_up_code)}</Badge> : <span className="text-xs text-muted">{reasonWord(i.end_reason)}</span>}
            </span>
            <span className="text-xs text-muted">
              {[i.queue ? queueName(i.queue) : null, i.agents.map((a) => agentName(a)).join(", ") || t("not answered"), i.talk_ms ? clock(i.talk_ms) : null].filter(Boolean).join(" · ")}
            </span>
            {i.note ? <span className="line-clamp-3 text-sm">{i.note}</span> : null}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Notes of a call that is over, as they stand in its trail. */
function WrittenNotes(props: { interaction: string }) {
  const query = useQuery({
    queryKey: ["notes", props.interaction],
    queryFn: () => readTrail(props.interaction),
  });
  const notes = (query.data ?? []).filter((e) => e.type === "wrap_up.noted" && e.data.note);
  if (!notes.length) return <Empty title={t("No notes")} />;
  return (
    <ul className="flex flex-col gap-3">
      {notes.map((e) => (
        <li key={e.id} className="rounded-md bg-sunken p-3">
          <p className="whitespace-pre-wrap">{String(e.data.note)}</p>
          <p className="mt-1 text-xs text-muted">{when(e.time)}</p>
        </li>
      ))}
    </ul>
  );
}
