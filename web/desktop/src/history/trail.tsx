// The event trail: read once, then events as they come.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, all } from "../lib/api";
import { timeWithSeconds } from "../lib/format";
import { t } from "../lib/i18n";
import { onEvent } from "../lib/live";
import { useRows } from "../lib/names";
import type { StreamEvent } from "../lib/live-types";
import { Empty, Failed, Dot } from "../ui/parts";
import { Checkbox } from "../ui/field";
import { ListTree } from "../ui/icons";
import { eventTone, eventWords, isQuiet } from "./words";

const key = (interaction: string) => ["trail", interaction];

export async function readTrail(interaction: string): Promise<StreamEvent[]> {
  return all(async (cursor) => {
    const query = { limit: 200, ...(cursor ? { cursor } : {}) };
    const { data } = await api.GET("/v1/interactions/{id}/events", { params: { path: { id: interaction }, query } });
    return { data: data as unknown as { items: StreamEvent[]; next?: string } };
  });
}

/** Events of an interaction, followed. */
export function useTrail(interaction: string) {
  const client = useQueryClient();
  const query = useQuery({ queryKey: key(interaction), queryFn: () => readTrail(interaction), staleTime: Infinity });
  useEffect(
    () =>
      onEvent((event) => {
        if (event.subject !== interaction) return;
        const have = client.getQueryData<StreamEvent[]>(key(interaction));
        const last = have?.at(-1)?.sequence ?? 0;
        if (!have || event.sequence <= last) return;
        if (event.sequence === last + 1) client.setQueryData(key(interaction), [...have, event]);
        else void client.invalidateQueries({ queryKey: key(interaction) });
      }),
    [client, interaction],
  );
  return query;
}

export function Trail(props: { interaction: string }) {
  const { data, error, refetch, isPending } = useTrail(props.interaction);
  // The words of the lines have names of these in them.
  useRows("agents");
  useRows("queues");
  useRows("wrap-up-codes");
  const [everything, setEverything] = useState(false);
  if (error) return <Failed error={error} retry={() => void refetch()} />;
  if (isPending) return <p className="p-4 text-muted">{t("Loading …")}</p>;
  const shown = (data ?? []).filter((e) => everything || !isQuiet(e));
  if (!shown.length) return <Empty icon={<ListTree size={20} aria-hidden />} title={t("No events yet")} />;
  return (
    <div className="flex flex-col gap-2">
      <div className="flex justify-end text-xs text-muted">
        <Checkbox label={t("Show everything")} value={everything} onChange={setEverything} />
      </div>
      <ol className="flex flex-col" aria-label={t("Events")}>
        {shown.map((event, n) => (
          <Line key={event.id} event={event} last={n === shown.length - 1} />
        ))}
      </ol>
    </div>
  );
}

function Line(props: { event: StreamEvent; last: boolean }) {
  const { event } = props;
  return (
    <li className="group grid grid-cols-[4.5rem_1rem_1fr] gap-x-2">
      <time dateTime={event.time} className="pt-0.5 text-end text-xs leading-5 text-muted">
        {timeWithSeconds(event.time)}
      </time>
      <span className="relative flex justify-center" aria-hidden="true">
        <Dot tone={eventTone(event)} className="z-10 mt-2" />
        {props.last ? null : <span className="absolute top-3 bottom-[-0.5rem] w-px bg-line" />}
      </span>
      <details className="min-w-0 pb-1.5">
        <summary className="cursor-default list-none rounded leading-6 hover:text-accent [&::-webkit-details-marker]:hidden">{eventWords(event)}</summary>
        <pre className="mt-1 mb-2 overflow-auto rounded-md bg-sunken p-2 font-mono text-xs leading-5" dir="ltr">
          {event.type}
          {"\n"}
          {JSON.stringify(event.data, null, 1)}
        </pre>
      </details>
    </li>
  );
}
