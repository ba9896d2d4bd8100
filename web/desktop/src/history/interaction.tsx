// One interaction in full: what it was, its recording, why it was routed so, its trail.

import { useQuery } from "@tanstack/react-query";
import { api } from "../lib/api";
import { address, clock, customer, dayTime } from "../lib/format";
import { t } from "../lib/i18n";
import { useNames } from "../lib/names";
import { Badge, Card, Definition, Failed } from "../ui/parts";
import { PhoneIncoming, PhoneOutgoing } from "../ui/icons";
import { Proof } from "./proof";
import { Recordings } from "./player";
import { Trail } from "./trail";
import { reasonWord } from "./words";

export function InteractionView(props: { id: string; proof?: boolean }) {
  const query = useQuery({
    queryKey: ["interaction", props.id],
    queryFn: async () => (await api.GET("/v1/interactions/{id}", { params: { path: { id: props.id } } })).data,
    refetchInterval: (q) => (q.state.data?.ended_at ? false : 5_000),
  });
  const queueName = useNames("queues");
  const agentName = useNames("agents");
  const codeName = useNames("wrap-up-codes");
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  const i = query.data;
  if (!i) return <p className="p-4 text-muted">{t("Loading …")}</p>;
  return (
    <div className="flex flex-col gap-4">
      <header className="flex flex-wrap items-center gap-3">
        <span className="flex size-12 items-center justify-center rounded-full bg-sunken text-muted">{i.direction === "outbound" ? <PhoneOutgoing size={20} aria-hidden /> : <PhoneIncoming size={20} aria-hidden />}</span>
        <div className="min-w-0 flex-1">
          <h1 className="truncate text-xl leading-7 font-semibold">{customer(i)}</h1>
          <p className="text-muted">
            {dayTime(i.started_at)} · {i.queue ? queueName(i.queue) : address(i.to)}
          </p>
        </div>
        {i.wrap_up_code ? <Badge tone="info">{codeName(i.wrap_up_code)}</Badge> : null}
        <Badge tone={i.ended_at ? "plain" : "good"}>{i.ended_at ? reasonWord(i.end_reason) : t("Open")}</Badge>
      </header>
      <div className="grid gap-4 sm:grid-cols-2">
        <Card className="p-4">
          <Definition
            items={[
              [t("From"), i.from_name ? `${i.from_name}, ${address(i.from)}` : address(i.from)],
              [t("To"), address(i.to)],
              [t("Agents"), i.agents.map((a) => agentName(a)).join(", ") || "–"],
              [t("Waited"), clock(i.waited_ms)],
              [t("Talked"), clock(i.talk_ms)],
            ]}
          />
        </Card>
        <div className="flex flex-col gap-4">
          {props.proof === false ? null : <Proof interaction={i.id} />}
          <p className="text-xs text-muted">
            {t("Reference")} <code className="font-mono break-all">{i.id}</code>
          </p>
        </div>
      </div>
      {i.recordings ? <Recordings interaction={i.id} /> : null}
      <Card title={t("What happened")}>
        <div className="p-3">
          <Trail interaction={i.id} />
        </div>
      </Card>
    </div>
  );
}
