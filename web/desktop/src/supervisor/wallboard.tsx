// For the screen on the wall: large, few words, readable from across the room.

import { useMemo } from "react";
import { Clock } from "../lib/clock";
import { clock, percent, timeOfDay } from "../lib/format";
import { t } from "../lib/i18n";
import { serverNow, useAgents, useQueues } from "../lib/live";
import { useRows } from "../lib/names";
import { Button } from "../ui/button";
import { Empty } from "../ui/parts";
import { Monitor } from "../ui/icons";
import { useStaff } from "./staff";
import { useWaiting } from "./supervisor";

export default function Wallboard() {
  const queues = useRows("queues").data ?? [];
  const live = useQueues();
  const agents = useAgents();
  const waiting = useWaiting();
  const staff = useStaff();
  const floor = useMemo(() => {
    const count = { free: 0, busy: 0, wrap: 0, away: 0 };
    for (const a of agents.values()) {
      if (a.presence === "offline") continue;
      if (a.state === "interacting" || a.state === "offered") count.busy++;
      else if (a.state === "wrap_up") count.wrap++;
      else if (a.presence === "available" && a.state === "idle") count.free++;
      else count.away++;
    }
    return count;
  }, [agents]);
  return (
    <div id="wallboard" className="flex h-full flex-col gap-5 overflow-auto bg-ground p-6">
      <header className="flex items-center justify-between gap-4">
        <h1 className="text-2xl font-semibold">{t("Wallboard")}</h1>
        <div className="flex items-center gap-4">
          <time className="text-2xl font-semibold">{timeOfDay(serverNow())}</time>
          <Button icon={<Monitor size={15} aria-hidden />} onPress={() => void document.getElementById("wallboard")?.requestFullscreen()}>
            {t("Full screen")}
          </Button>
        </div>
      </header>
      <dl className="grid grid-cols-2 gap-4 md:grid-cols-4">
        <Big name={t("Free")} value={floor.free} colour="text-good" />
        <Big name={t("In a call")} value={floor.busy} colour="text-info" />
        <Big name={t("Wrap-up")} value={floor.wrap} colour="text-ink" />
        <Big name={t("Away")} value={floor.away} colour="text-warn" />
      </dl>
      {queues.length ? null : <Empty title={t("No queues yet")} />}
      <ul className="grid gap-4 [grid-template-columns:repeat(auto-fit,minmax(22rem,1fr))]">
        {queues.map((q) => {
          const l = live.get(q.id);
          const w = waiting.get(q.id);
          const level = l?.service_level_pct;
          const late = level !== null && level !== undefined && level < q.service_level_pct;
          return (
            <li key={q.id} className={`rounded-lg border bg-surface p-5 ${w && !staff.get(q.id)?.free ? "border-bad" : "border-line"}`}>
              <div className="flex items-baseline justify-between gap-3">
                <h2 className="truncate text-2xl font-semibold">{q.name}</h2>
                <span className={`text-2xl font-semibold ${late ? "text-bad" : level === null || level === undefined ? "text-muted" : "text-good"}`}>{percent(level)}</span>
              </div>
              <dl className="mt-4 grid grid-cols-3 gap-4">
                <Cell name={t("Waiting")}>
                  <span className={w ? "text-warn" : ""}>{w?.count ?? 0}</span>
                </Cell>
                <Cell name={t("Longest wait")}>{w ? <Clock since={w.since} warnAfterMs={60_000} className="data-[late=true]:text-bad" /> : "–"}</Cell>
                <Cell name={t("Free agents")}>
                  {staff.get(q.id)?.free ?? 0} <span className="text-base font-normal text-muted">{t("of {n}", { n: staff.get(q.id)?.signedIn ?? 0 })}</span>
                </Cell>
                <Cell name={t("Estimated wait")}>{l?.wait_estimate_ms ? clock(l.wait_estimate_ms) : "–"}</Cell>
                <Cell name={t("Answered")}>{l?.answered ?? 0}</Cell>
                <Cell name={t("Abandoned")}>{l?.abandoned ?? 0}</Cell>
              </dl>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function Big(props: { name: string; value: number; colour: string }) {
  return (
    <div className="rounded-lg border border-line bg-surface px-5 py-4">
      <dt className="text-muted">{props.name}</dt>
      <dd className={`text-5xl leading-tight font-semibold ${props.colour}`}>{props.value}</dd>
    </div>
  );
}

function Cell(props: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-muted">{props.name}</dt>
      <dd className="text-3xl font-semibold">{props.children}</dd>
    </div>
  );
}
