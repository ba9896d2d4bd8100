// The floor: queues, agents and calls as they are now, and what a supervisor may do about them.

import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useDeferredValue, useMemo, useRef, useState } from "react";
import { Button as AriaButton, Menu, MenuItem, MenuTrigger, Popover, Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import { Clock } from "../lib/clock";
import { address, clock, customer, percent, presenceWord, stateWord, statusWord } from "../lib/format";
import { t, tn } from "../lib/i18n";
import { sameList, useAgent, useInteraction, useLoaded, useMade, useQueues } from "../lib/live";
import type { LiveAgent, LiveInteraction, LiveQueue, SuperviseMode } from "../lib/live-types";
import { useNames, useRows } from "../lib/names";
import { go } from "../lib/router";
import { may } from "../lib/session";
import { setPresence } from "../agent/commands";
import { presenceTone, usePresences } from "../shell/presence";
import { Select, TextField } from "../ui/field";
import { Badge, Card, Dot, Empty, Page, td, th, type Tone } from "../ui/parts";
import { ChevronDown, Headphones, PhoneCall } from "../ui/icons";
import type { Staff } from "./count";
import { useStaff } from "./staff";
import { SuperviseButtons, SuperviseBar } from "./supervise";

/** Waiting longer than this is shown as late. */
const LATE_MS = 60_000;

export default function Supervisor() {
  const loaded = useLoaded();
  if (!loaded) return <p className="p-6 text-muted">{t("Loading …")}</p>;
  return (
    <Page title={t("Supervisor")}>
      <div className="flex flex-col gap-4">
        <SuperviseBar />
        <Totals />
        <QueueTable />
        <Tabs>
          <TabList aria-label={t("Floor")} className="mb-3 flex gap-1 border-b border-line">
            <FloorTab id="agents" name={t("Agents")} />
            <FloorTab id="calls" name={t("Calls")} />
          </TabList>
          <TabPanel id="agents" className="outline-none">
            <AgentTable />
          </TabPanel>
          <TabPanel id="calls" className="outline-none">
            <CallTable />
          </TabPanel>
        </Tabs>
      </div>
    </Page>
  );
}

function FloorTab(props: { id: string; name: string }) {
  return (
    <Tab id={props.id} className="-mb-px cursor-default border-b-2 border-transparent px-3 py-2 text-muted outline-offset-[-2px] selected:border-accent selected:font-medium selected:text-ink hover:text-ink">
      {props.name}
    </Tab>
  );
}

interface Waiting {
  count: number;
  since: string;
}

function waitingOf(interactions: ReadonlyMap<string, LiveInteraction>): Map<string, Waiting> {
  const found = new Map<string, Waiting>();
  for (const i of interactions.values()) {
    if (!i.waiting || !i.queue) continue;
    const since = i.waiting_since ?? i.started;
    const before = found.get(i.queue);
    found.set(i.queue, { count: (before?.count ?? 0) + 1, since: before && before.since < since ? before.since : since });
  }
  return found;
}

const sameWaiting = (a: Map<string, Waiting>, b: Map<string, Waiting>): boolean => a.size === b.size && [...a].every(([id, w]) => b.get(id)?.count === w.count && b.get(id)?.since === w.since);

/** Waiting per queue, counted from the calls themselves so that it moves with each event. */
export const useWaiting = (): Map<string, Waiting> => useMade("interactions", waitingOf, sameWaiting);

/** Signed in, free, in a call, in wrap-up, away. */
function floorOf(agents: ReadonlyMap<string, LiveAgent>): number[] {
  const count = [0, 0, 0, 0, 0];
  const add = (at: number, yes: boolean) => (count[at]! += yes ? 1 : 0);
  for (const a of agents.values()) {
    if (a.presence === "offline") continue;
    add(0, true);
    add(1, a.presence === "available" && a.state === "idle");
    add(2, a.state === "interacting");
    add(3, a.state === "wrap_up");
    add(4, a.presence !== "available");
  }
  return count;
}
const sizeOf = (rows: ReadonlyMap<string, unknown>): number => rows.size;

const Totals = memo(function Totals() {
  const [, free = 0, busy = 0, wrap = 0, away = 0] = useMade("agents", floorOf, sameList);
  const calls = useMade("interactions", sizeOf, Object.is);
  const waits = [...useWaiting().values()];
  const oldest = waits.map((w) => w.since).sort()[0];
  return (
    <dl className="grid grid-cols-[repeat(auto-fit,minmax(8.5rem,1fr))] gap-3">
      <Figure name={t("Waiting")} value={String(waits.reduce((n, w) => n + w.count, 0))} tone={waits.length ? "warn" : "plain"} />
      <Figure name={t("Longest wait")} value={oldest ? <Clock since={oldest} /> : "–"} />
      <Figure name={t("Live calls")} value={String(calls)} />
      <Figure name={t("Free agents")} value={String(free)} tone={free ? "good" : "bad"} />
      <Figure name={t("In a call")} value={String(busy)} />
      <Figure name={t("Wrap-up")} value={String(wrap)} />
      <Figure name={t("Away")} value={String(away)} />
    </dl>
  );
});

function Figure(props: { name: string; value: React.ReactNode; tone?: Tone }) {
  const colour = { good: "text-good", warn: "text-warn", bad: "text-bad", info: "text-info", plain: "text-ink" }[props.tone ?? "plain"];
  return (
    <div className="rounded-lg border border-line bg-surface px-4 py-3">
      <dt className="text-xs text-muted">{props.name}</dt>
      <dd className={`text-2xl leading-8 font-semibold ${colour}`}>{props.value}</dd>
    </div>
  );
}

function QueueTable() {
  const queues = useQueues();
  const rows = useRows("queues").data ?? [];
  const waiting = useWaiting();
  const staff = useStaff();
  if (!rows.length) return <Card><Empty title={t("No queues yet")}>{may("queues:write") ? t("Make one under Administration.") : null}</Empty></Card>;
  return (
    <div className="overflow-x-auto rounded-lg border border-line bg-surface">
      <table className="w-full" aria-label={t("Queues")}>
        <thead className="border-b border-line">
          <tr>
            {[t("Queue"), t("Waiting"), t("Longest wait"), t("Estimated wait"), t("Free agents"), t("Signed in"), t("Service level"), t("Answered"), t("Abandoned")].map((n) => (
              <th key={n} scope="col" className={th}>
                {n}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {rows.map((q) => (
            <QueueRow key={q.id} name={q.name} target={q.service_level_pct} live={queues.get(q.id)} waiting={waiting.get(q.id)} staff={staff.get(q.id)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const QueueRow = memo(function QueueRow(props: { name: string; target: number; live: LiveQueue | undefined; waiting: Waiting | undefined; staff: Staff | undefined }) {
  const { live, waiting, target } = props;
  const level = live?.service_level_pct;
  const tone: Tone = level === null || level === undefined ? "plain" : level >= target ? "good" : level >= target - 10 ? "warn" : "bad";
  return (
    <tr>
      <th scope="row" className={`${td} text-start font-medium`}>{props.name}</th>
      <td className={td}>{waiting?.count ? <Badge tone="warn">{waiting.count}</Badge> : "0"}</td>
      <td className={td}>{waiting ? <Clock since={waiting.since} warnAfterMs={LATE_MS} className="data-[late=true]:font-semibold data-[late=true]:text-bad" /> : "–"}</td>
      <td className={td}>{live?.wait_estimate_ms === null || live?.wait_estimate_ms === undefined ? "–" : clock(live.wait_estimate_ms)}</td>
      <td className={td} data-free>{props.staff?.free ?? 0}</td>
      <td className={td} data-signed-in>{props.staff?.signedIn ?? 0}</td>
      <td className={td}>
        <Badge tone={tone}>{percent(level)}</Badge> <span className="text-xs text-muted">{t("of {target} %", { target })}</span>
      </td>
      <td className={td}>{live?.answered ?? 0}</td>
      <td className={td}>{live?.abandoned ?? 0}</td>
    </tr>
  );
});

const ORDER: Record<string, number> = { offered: 0, not_responding: 1, interacting: 2, wrap_up: 3, idle: 4 };
const agentOrder = (a: LiveAgent): number => (a.presence === "offline" ? 9 : a.presence === "available" ? (ORDER[a.state] ?? 5) : 6);

const ALL = "all";
const ROW_PX = 48;

/** How agents are ordered, as one text per agent: what the order is made of and no more. */
const orderOf = (agents: ReadonlyMap<string, LiveAgent>): Map<string, number> => new Map([...agents.values()].map((a) => [a.id, agentOrder(a)]));
const sameOrder = (a: Map<string, number>, b: Map<string, number>): boolean => a.size === b.size && [...a].every(([id, n]) => b.get(id) === n);

function AgentTable() {
  const order = useMade("agents", orderOf, sameOrder);
  const rows = useRows("agents").data;
  const queues = useRows("queues").data ?? [];
  const [search, setSearch] = useState("");
  const [queue, setQueue] = useState(ALL);
  const wanted = useDeferredValue(search).trim().toLowerCase();
  const scroll = useRef<HTMLDivElement>(null);
  const shown = useMemo(
    () =>
      (rows ?? [])
        .filter((r) => (!wanted || r.name.toLowerCase().includes(wanted) || r.extension.includes(wanted)) && (queue === ALL || r.queues.includes(queue)))
        .sort((a, b) => (order.get(a.id) ?? 10) - (order.get(b.id) ?? 10) || a.name.localeCompare(b.name)),
    [rows, order, wanted, queue],
  );
  const virtual = useVirtualizer({ count: shown.length, getScrollElement: () => scroll.current, estimateSize: () => ROW_PX, overscan: 6, getItemKey: (n) => shown[n]?.id ?? n });
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-end gap-3">
        <TextField label={t("Find an agent")} value={search} onChange={setSearch} className="w-56" />
        <Select label={t("Queue")} value={queue} onChange={setQueue} choices={[{ id: ALL, name: t("All") }, ...queues]} className="w-44" />
        <p className="pb-1.5 text-muted" role="status">
          {tn(shown.length, "{n} agent", "{n} agents")}
        </p>
      </div>
      <div ref={scroll} role="table" aria-label={t("Agents")} aria-rowcount={shown.length + 1} className="max-h-[28rem] overflow-auto rounded-lg border border-line bg-surface">
        <div role="row" className={`${agentGrid} sticky top-0 z-10 border-b border-line bg-surface`}>
          {[t("Agent"), t("Status"), t("Time in status"), t("Current work"), t("Phone"), t("Actions")].map((n) => (
            <span key={n} role="columnheader" className={th}>
              {n}
            </span>
          ))}
        </div>
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = shown[item.index]!;
            return (
              <div key={item.key} role="row" aria-rowindex={item.index + 2} data-agent={row.id} className={`${agentGrid} absolute inset-x-0 top-0 border-b border-line`} style={{ transform: `translateY(${item.start}px)`, height: ROW_PX }}>
                <AgentCells id={row.id} name={row.name} extension={row.extension} />
              </div>
            );
          })}
        </div>
        {shown.length ? null : <Empty icon={<Headphones size={20} aria-hidden />} title={t("No agents here")}>{t("Nobody matches, or nobody was made an agent yet.")}</Empty>}
      </div>
    </div>
  );
}

const agentGrid = "grid min-w-[58rem] grid-cols-[minmax(9rem,1.3fr)_minmax(9rem,1fr)_6rem_minmax(11rem,1.6fr)_6.5rem_16rem] items-center";

/** Follows its own agent and that one's work: a change elsewhere on the floor does not draw it again. */
const AgentCells = memo(function AgentCells(props: { id: string; name: string; extension: string }) {
  const live = useAgent(props.id);
  const work = useInteraction(live?.interaction);
  const offline = !live || live.presence === "offline";
  const word = !live ? t("Offline") : live.presence === "available" ? stateWord(live.state) : live.state === "idle" ? presenceWord(live.presence) : `${presenceWord(live.presence)}, ${stateWord(live.state)}`;
  return (
    <>
      <span role="rowheader" className="min-w-0 px-3">
        <span className="block truncate font-medium">{props.name}</span>
        <span className="block text-xs text-muted">{props.extension}</span>
      </span>
      <span role="cell" className="flex min-w-0 items-center gap-2 px-3">
        <Dot tone={live ? presenceTone(live) : "plain"} />
        <span className="truncate">{word}</span>
      </span>
      <span role="cell" className="px-3 text-muted">{live && !offline ? <Clock since={live.since} /> : "–"}</span>
      <span role="cell" className="min-w-0 truncate px-3">
        {work ? (
          <button type="button" className="max-w-full truncate hover:text-accent hover:underline" onClick={() => go(`interactions/${work.id}`)}>
            {customer(work)} · <Clock since={work.started} />
          </button>
        ) : (
          <span className="text-muted">–</span>
        )}
      </span>
      <span role="cell" className="px-3">
        {offline ? <span className="text-muted">–</span> : <Badge tone={live.phone_reachable ? "good" : "bad"}>{live.phone_reachable ? t("Reachable") : t("Not reachable")}</Badge>}
      </span>
      <span role="cell" className="flex items-center gap-1 px-3">
        {live && may("presence:set") ? <ForcePresence agent={live} name={props.name} /> : null}
        {work && live?.state === "interacting" ? <SuperviseButtons interaction={work.id} name={props.name} /> : null}
      </span>
    </>
  );
});

function ForcePresence(props: { agent: LiveAgent; name: string }) {
  const choices = usePresences();
  return (
    <MenuTrigger>
      <AriaButton aria-label={t("Status of {name}", { name: props.name })} className="inline-flex h-7 cursor-default items-center gap-1 rounded-md border border-line bg-raised px-2 text-xs font-medium hover:border-edge">
        {t("Status")}
        <ChevronDown size={12} aria-hidden />
      </AriaButton>
      <Popover className="z-50 min-w-44 rounded-md border border-line bg-raised p-1 shadow-lg">
        <Menu aria-label={t("Status of {name}", { name: props.name })} className="outline-none" onAction={(key) => void setPresence(props.agent.id, choices[Number(key)] ?? "offline")}>
          {choices.map((p, n) => (
            <MenuItem key={n} id={String(n)} className="cursor-default rounded px-2.5 py-1.5 outline-none focus:bg-accent-soft">
              {presenceWord(p)}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

const callGrid = "grid min-w-[54rem] grid-cols-[minmax(10rem,1.5fr)_minmax(7rem,1fr)_minmax(8rem,1fr)_7rem_6rem_15rem] items-center";

const callOrder = (rows: ReadonlyMap<string, LiveInteraction>): string[] => [...rows.values()].sort((a, b) => Number(b.waiting) - Number(a.waiting) || (a.started < b.started ? -1 : a.started > b.started ? 1 : 0)).map((i) => i.id);

function CallTable() {
  const calls = useMade("interactions", callOrder, sameList);
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: calls.length, getScrollElement: () => scroll.current, estimateSize: () => ROW_PX, overscan: 6, getItemKey: (n) => calls[n] ?? n });
  return (
    <div ref={scroll} role="table" aria-label={t("Calls")} aria-rowcount={calls.length + 1} className="max-h-[28rem] overflow-auto rounded-lg border border-line bg-surface">
      <div role="row" className={`${callGrid} sticky top-0 z-10 border-b border-line bg-surface`}>
        {[t("Customer"), t("Queue"), t("Agents"), t("State"), t("Time"), t("Actions")].map((n) => (
          <span key={n} role="columnheader" className={th}>
            {n}
          </span>
        ))}
      </div>
      <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const id = calls[item.index]!;
          return (
            <div key={item.key} role="row" aria-rowindex={item.index + 2} data-live-call={id} className={`${callGrid} absolute inset-x-0 top-0 border-b border-line`} style={{ transform: `translateY(${item.start}px)`, height: ROW_PX }}>
              <CallCells id={id} />
            </div>
          );
        })}
      </div>
      {calls.length ? null : <Empty icon={<PhoneCall size={20} aria-hidden />} title={t("No calls right now")} />}
    </div>
  );
}

function callState(i: LiveInteraction): [string, Tone] {
  if (i.waiting) return [t("Waiting"), "warn"];
  if (i.slot) return [t("Parked in {slot}", { slot: i.slot }), "warn"];
  if (i.legs.some((l) => l.held)) return [t("On hold"), "warn"];
  const talking = i.legs.filter((l) => l.status === "connected").length > 1;
  return talking ? [t("Connected"), "good"] : [statusWord(i.legs.at(-1)?.status ?? "dialing"), "info"];
}

const CallCells = memo(function CallCells(props: { id: string }) {
  const call = useInteraction(props.id);
  const agentName = useNames("agents");
  const queueName = useNames("queues");
  if (!call) return null;
  const agents = call.legs.filter((l) => l.agent && l.role !== "supervisor").map((l) => agentName(l.agent));
  const [word, tone] = callState(call);
  const talking = call.legs.some((l) => l.role === "agent" && l.status === "connected");
  return (
    <>
      <span role="rowheader" className="min-w-0 px-3">
        <button type="button" className="block max-w-full truncate font-medium hover:text-accent hover:underline" onClick={() => go(`interactions/${call.id}`)}>
          {customer(call)}
        </button>
      </span>
      <span role="cell" className="truncate px-3">{call.queue ? queueName(call.queue) : address(call.to)}</span>
      <span role="cell" className="truncate px-3">{agents.join(", ") || "–"}</span>
      <span role="cell" className="px-3">
        <Badge tone={tone}>{word}</Badge>
      </span>
      <span role="cell" className="px-3 text-muted">
        <Clock since={call.started} />
      </span>
      <span role="cell" className="px-3">{talking ? <SuperviseButtons interaction={call.id} name={customer(call)} /> : null}</span>
    </>
  );
});

export type { SuperviseMode };
