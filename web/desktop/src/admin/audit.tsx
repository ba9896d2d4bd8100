// Who changed what, when.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { api } from "../lib/api";
import { dayTime } from "../lib/format";
import { t } from "../lib/i18n";
import { onEvent } from "../lib/live";
import { queries, useNames } from "../lib/names";
import { Button } from "../ui/button";
import { Badge, Card, Empty, Failed, td, th } from "../ui/parts";
import { ScrollText } from "../ui/icons";

interface Entry {
  seq: number;
  at: string;
  actor: { kind?: string; id?: string };
  action: string;
  target: string;
  address: string;
  detail: unknown;
}

/** Who did it, by name where there is one. */
function Who(props: { actor: Entry["actor"] }) {
  const users = useNames("users");
  const agents = useNames("agents");
  const { kind = "", id = "" } = props.actor;
  if (kind === "system" || !kind) return <>{t("the system")}</>;
  const name = kind === "user" ? users(id) : kind === "agent" ? agents(id) : "";
  return <>{name && name !== "–" ? name : `${kind} ${id}`}</>;
}

export function Audit() {
  const query = useInfiniteQuery({
    queryKey: ["audit"],
    initialPageParam: "",
    queryFn: async ({ pageParam }) => (await api.GET("/v1/audit-log" as never, { params: { query: { limit: 50, ...(pageParam ? { cursor: pageParam } : {}) } } } as never)).data as unknown as { items: Entry[]; next?: string },
    getNextPageParam: (last) => last?.next,
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
  if (query.data && !items.length)
    return (
      <Card>
        <Empty icon={<ScrollText size={20} aria-hidden />} title={t("No changes yet")}>
          {t("Every change of the configuration is told here.")}
        </Empty>
      </Card>
    );
  return (
    <div className="flex flex-col gap-3">
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
              <tr key={e.seq} className="align-top">
                <td className={`${td} whitespace-nowrap text-muted`}>{dayTime(e.at)}</td>
                <td className={td}>
                  <Who actor={e.actor} />
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
            ))}
          </tbody>
        </table>
      </div>
      {query.hasNextPage ? (
        <Button className="self-start" onPress={() => void query.fetchNextPage()}>
          {t("More")}
        </Button>
      ) : null}
    </div>
  );
}
