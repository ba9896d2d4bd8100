// A day in figures: charts with the table that says the same, and a file to take along.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Schemas } from "../lib/api";
import { clock, number, percent, timeOfDay } from "../lib/format";
import { t } from "../lib/i18n";
import { csv } from "../lib/csv";
import { useNames } from "../lib/names";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Card, Empty, Failed, Page, td, th } from "../ui/parts";
import { BarChart3, Download } from "../ui/icons";
import { BarChart } from "./chart";

type Report = Schemas["Report"];
type Figures = Report["total"];

const today = (): string => {
  const now = new Date();
  return `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, "0")}-${String(now.getDate()).padStart(2, "0")}`;
};

export default function Reports() {
  const [day, setDay] = useState(today());
  const begin = new Date(`${day}T00:00:00`);
  const valid = !Number.isNaN(begin.getTime());
  const query = useQuery({
    queryKey: ["report", day],
    enabled: valid,
    refetchInterval: day === today() ? 60_000 : false,
    queryFn: async () => {
      const end = new Date(begin);
      end.setDate(end.getDate() + 1);
      return (await api.GET("/v1/reports/interactions", { params: { query: { from: begin.toISOString(), until: end.toISOString() } } })).data as Report;
    },
  });
  const report = query.data;
  const queueName = useNames("queues");
  const agentName = useNames("agents");
  return (
    <Page title={t("Reports")} actions={<TextField label={t("Day")} hideLabel type="date" value={day} onChange={setDay} className="w-40" />}>
      {query.error ? <Failed error={query.error} retry={() => void query.refetch()} /> : null}
      {report && !report.total.started ? (
        <Empty icon={<BarChart3 size={20} aria-hidden />} title={t("No interactions on this day")}>
          {t("Choose another day.")}
        </Empty>
      ) : null}
      {report?.total.started ? (
        <div className="flex max-w-6xl flex-col gap-4">
          {report.truncated ? <p role="alert" className="rounded-md bg-warn-soft px-4 py-2 text-warn">{t("The day has more interactions than are counted here; the figures are of the first 50,000.")}</p> : null}
          <Summary figures={report.total} />
          <Slots report={report} />
          <ByName title={t("Queues")} file="queues" day={day} rows={report.queues.map((q) => ({ name: queueName(q.queue), figures: q }))} />
          <ByName title={t("Agents")} file="agents" day={day} agents rows={report.agents.map((a) => ({ name: agentName(a.agent), figures: a }))} />
        </div>
      ) : null}
    </Page>
  );
}

function Summary(props: { figures: Figures }) {
  const f = props.figures;
  const items: [string, string][] = [
    [t("Interactions"), number(f.started)],
    [t("Answered"), number(f.answered)],
    [t("Abandoned"), number(f.abandoned)],
    [t("Service level"), percent(f.service_level_pct)],
    [t("Mean wait"), clock(f.waited_ms_mean)],
    [t("Mean talk"), clock(f.talk_ms_mean)],
  ];
  return (
    <dl className="grid grid-cols-[repeat(auto-fit,minmax(9rem,1fr))] gap-3">
      {items.map(([name, value]) => (
        <div key={name} className="rounded-lg border border-line bg-surface px-4 py-3">
          <dt className="text-xs text-muted">{name}</dt>
          <dd className="text-2xl leading-8 font-semibold">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Slots(props: { report: Report }) {
  const { slots } = props.report;
  // From the first to the last half hour in which something happened, with a little room.
  const used = slots.map((s) => s.started > 0);
  const from = Math.max(0, used.indexOf(true) - 1);
  const until = Math.min(slots.length, used.lastIndexOf(true) + 2);
  const shown = slots.slice(from, until);
  return (
    <Card title={t("Through the day")} actions={<CsvButton file={`day-${props.report.from.slice(0, 10)}`} rows={[[t("Begins"), ...figureNames(false)], ...slots.map((s) => [timeOfDay(s.at), ...figureValues(s, false)])]} />}>
      <div className="p-4">
        <BarChart
          label={t("Interactions per half hour")}
          bars={shown.map((s) => ({
            name: timeOfDay(s.at),
            parts: [
              { name: t("Answered"), value: s.answered, className: "fill-accent" },
              { name: t("Abandoned"), value: s.abandoned, className: "fill-bad" },
              { name: t("Other"), value: Math.max(0, s.started - s.answered - s.abandoned), className: "fill-edge" },
            ],
          }))}
        />
      </div>
    </Card>
  );
}

const figureNames = (agents: boolean): string[] =>
  agents ? [t("Answered"), t("Talk, total"), t("Mean talk"), t("Mean wait")] : [t("Interactions"), t("Answered"), t("Abandoned"), t("Service level"), t("Mean wait"), t("Longest wait"), t("Mean talk")];

const figureValues = (f: Figures, agents: boolean): string[] =>
  agents
    ? [String(f.answered), clock(f.talk_ms_total), clock(f.talk_ms_mean), clock(f.waited_ms_mean)]
    : [String(f.started), String(f.answered), String(f.abandoned), percent(f.service_level_pct), clock(f.waited_ms_mean), clock(f.waited_ms_max), clock(f.talk_ms_mean)];

function ByName(props: { title: string; file: string; day: string; agents?: boolean; rows: { name: string; figures: Figures }[] }) {
  const agents = props.agents ?? false;
  const sorted = [...props.rows].sort((a, b) => b.figures.answered - a.figures.answered);
  return (
    <Card title={props.title} actions={<CsvButton file={`${props.file}-${props.day}`} rows={[[props.title, ...figureNames(agents)], ...sorted.map((r) => [r.name, ...figureValues(r.figures, agents)])]} />}>
      {sorted.length ? (
        <div className="overflow-x-auto">
          <table className="w-full" aria-label={props.title}>
            <thead className="border-b border-line">
              <tr>
                {[t("Name"), ...figureNames(agents)].map((n) => (
                  <th key={n} scope="col" className={th}>
                    {n}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {sorted.map((r) => (
                <tr key={r.name}>
                  <th scope="row" className={`${td} text-start font-medium`}>
                    {r.name}
                  </th>
                  {figureValues(r.figures, agents).map((v, n) => (
                    <td key={n} className={td}>
                      {v}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <Empty title={t("Nothing to show")} />
      )}
    </Card>
  );
}

function CsvButton(props: { file: string; rows: string[][] }) {
  const save = () => {
    const url = URL.createObjectURL(new Blob(["\uFEFF", csv(props.rows)], { type: "text/csv;charset=utf-8" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${props.file}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1_000);
  };
  return (
    <Button size="small" icon={<Download size={14} aria-hidden />} aria-label={t("Save {file} as CSV", { file: props.file })} onPress={save}>
      CSV
    </Button>
  );
}
