// Transfer, consult, bring somebody in: the directory with who is free now.

import { useEffect, useMemo, useRef, useState } from "react";
import { presenceWord, stateWord } from "../lib/format";
import { t } from "../lib/i18n";
import { reloadSoon, useAgents, useQueues } from "../lib/live";
import type { LiveAgent } from "../lib/live-types";
import { useRows } from "../lib/names";
import { useSession } from "../lib/session";
import { Button } from "../ui/button";
import { Dot, Empty, type Tone } from "../ui/parts";
import { TextField } from "../ui/field";
import { PhoneForwarded, Search, UsersRound } from "../ui/icons";
import { addParty, consult, transfer, typedTarget, type Destination, type DialTarget, type MyCall } from "./commands";

/** Others' states are not pushed to agents: looked at this often while the list is open. */
const REFRESH_MS = 3_000;
const ROWS_MAX = 60;

interface Entry {
  id: string;
  name: string;
  detail: string;
  tone: Tone;
  order: number;
  destination: Destination;
  target: DialTarget | null;
}

function ofAgent(live: LiveAgent | undefined): { detail: string; tone: Tone; order: number } {
  if (!live || live.presence === "offline") return { detail: t("Offline"), tone: "plain", order: 3 };
  if (live.presence !== "available") return { detail: presenceWord(live.presence), tone: "warn", order: 2 };
  if (live.state === "idle") return { detail: live.phone_reachable ? t("Free") : t("Free, phone not reachable"), tone: live.phone_reachable ? "good" : "warn", order: live.phone_reachable ? 0 : 2 };
  return { detail: stateWord(live.state), tone: "warn", order: 1 };
}

function useDirectory(search: string): Entry[] {
  const own = useSession()?.agent;
  const agents = useRows("agents").data;
  const queues = useRows("queues").data;
  const liveAgents = useAgents();
  const liveQueues = useQueues();
  return useMemo(() => {
    const people: Entry[] = (agents ?? [])
      .filter((a) => a.id !== own)
      .map((a) => {
        const state = ofAgent(liveAgents.get(a.id));
        return { id: a.id, name: a.name, ...state, detail: `${a.extension} · ${state.detail}`, destination: { to: "agent", agent: a.id }, target: { kind: "agent", agent: a.id } };
      });
    const lines: Entry[] = (queues ?? []).map((q) => {
      const l = liveQueues.get(q.id);
      const detail = l ? t("{free} free, {waiting} waiting", { free: l.agents_available, waiting: l.waiting }) : t("Queue");
      return { id: q.id, name: q.name, detail, tone: l?.agents_available ? "good" : "plain", order: 4, destination: { to: "queue", queue: q.id }, target: null };
    });
    const wanted = search.trim().toLowerCase();
    return [...people, ...lines]
      .filter((e) => !wanted || `${e.name} ${e.detail}`.toLowerCase().includes(wanted))
      .sort((a, b) => a.order - b.order || a.name.localeCompare(b.name))
      .slice(0, ROWS_MAX);
  }, [agents, queues, liveAgents, liveQueues, own, search]);
}

export function TransferPanel(props: { call: MyCall; onDone: () => void }) {
  const { call, onDone } = props;
  const [search, setSearch] = useState("");
  const entries = useDirectory(search);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    reloadSoon();
    const timer = setInterval(reloadSoon, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);

  const typed = search.trim();
  const isNumber = /^[+*#\d][\d\s*#()-]*$/.test(typed) || typed.includes("@");
  const first = entries[0];
  const send = async (destination: Destination, name: string) => {
    if (await transfer(call, destination, name)) onDone();
  };
  const ask = async (target: DialTarget, name: string) => {
    if (await consult(call, target, name)) onDone();
  };
  const bring = async (target: DialTarget) => {
    if (await addParty(call, target)) onDone();
  };
  const typedDestination: Destination = { to: "dial", target: typedTarget(typed) };

  return (
    <section aria-label={t("Transfer or consult")} className="flex flex-col gap-2 rounded-lg border border-line bg-surface p-3">
      <div className="flex items-end gap-2">
        <TextField
          label={t("Name, number or SIP address")} hideLabel placeholder={t("Name, number or SIP address")} value={search} onChange={setSearch} autoFocus className="flex-1"
          onKeyDown={(event) => {
            if (event.key === "ArrowDown") list.current?.querySelector("button")?.focus();
            if (event.key === "Escape") onDone();
            if (event.key === "Enter" && typed) {
              if (isNumber) void ask(typedTarget(typed), typed);
              else if (first?.target) void ask(first.target, first.name);
            }
          }}
        />
        <Button isDisabled={!isNumber} busy="consult" onPress={() => void ask(typedTarget(typed), typed)}>
          {t("Consult")}
        </Button>
        <Button isDisabled={!isNumber} busy="transfer" onPress={() => void send(typedDestination, typed)}>
          {t("Transfer")}
        </Button>
      </div>
      {entries.length ? (
        <ul ref={list} className="max-h-64 divide-y divide-line overflow-auto" aria-label={t("Directory")}>
          {entries.map((e) => (
            <li key={e.id} className="flex items-center gap-3 py-1.5 ps-1">
              <Dot tone={e.tone} />
              <span className="min-w-0 flex-1">
                <span className="block truncate font-medium">{e.name}</span>
                <span className="block truncate text-xs text-muted">{e.detail}</span>
              </span>
              {e.target ? (
                <>
                  <Button size="small" look="quiet" busy="party" aria-label={t("Bring {name} in", { name: e.name })} icon={<UsersRound size={14} aria-hidden />} onPress={() => e.target && void bring(e.target)}>
                    {t("Join")}
                  </Button>
                  <Button size="small" busy="consult" aria-label={t("Consult {name}", { name: e.name })} onPress={() => e.target && void ask(e.target, e.name)}>
                    {t("Consult")}
                  </Button>
                </>
              ) : null}
              <Button size="small" busy="transfer" aria-label={t("Transfer to {name}", { name: e.name })} icon={<PhoneForwarded size={14} aria-hidden />} onPress={() => void send(e.destination, e.name)}>
                {t("Transfer")}
              </Button>
            </li>
          ))}
        </ul>
      ) : (
        <Empty icon={<Search size={18} aria-hidden />} title={t("Nobody of this name")}>
          {isNumber ? t("Consult or transfer to the number as typed.") : t("Type a number or a SIP address to dial it.")}
        </Empty>
      )}
    </section>
  );
}
