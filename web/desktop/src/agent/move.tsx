// Moving the call to another device of one's own: the server rings it, and the old one is let go when it answers.

import { useQuery } from "@tanstack/react-query";
import { act } from "../lib/action";
import { api, type Schemas } from "../lib/api";
import { t } from "../lib/i18n";
import { useSession } from "../lib/session";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { Badge, Empty, Failed } from "../ui/parts";
import { Headphones, Monitor, Phone, Smartphone, Volume2 } from "../ui/icons";
import type { MyCall } from "./commands";

type DeviceView = Schemas["DeviceView"];

/** A device may come up while the list is open. */
const LOOK_MS = 3_000;

const kindWord = (kind: DeviceView["kind"]): string => ({ desk: t("Desk phone"), softphone: t("Softphone"), browser: t("Browser"), mobile: t("Mobile"), speaker: t("Loudspeaker") })[kind];
const marks = { desk: Phone, softphone: Headphones, browser: Monitor, mobile: Smartphone, speaker: Volume2 };

export function MovePanel(props: { call: MyCall; onDone: () => void }) {
  const agent = useSession()?.agent ?? "";
  const query = useQuery({ queryKey: ["devices", agent, props.call.leg.id], refetchInterval: LOOK_MS, gcTime: 0, queryFn: async () => (await api.GET("/v1/agents/{id}/devices", { params: { path: { id: agent } } })).data });
  const devices = query.data?.devices ?? [];
  const others = devices.filter((d) => !d.in_call);
  const move = async (d: DeviceView) => {
    const leg = props.call.leg.id;
    // This browser fetches the call, and answers by itself: who pressed sits before it.
    const here = () => api.POST("/v1/agents/{id}/fetch", { params: { path: { id: agent } }, body: { device: d.device, leg } });
    const there = () => api.POST("/v1/legs/{id}/switch", { params: { path: { id: leg } }, body: { target_device: d.device } });
    const done = await act("switch", d.device === "browser" ? here : there);
    if (!done) return;
    notify(d.device === "browser" ? t("The call comes to this browser.") : t("{device} rings. Answer it there; until then the call stays here.", { device: nameOf(d) }), "good");
    props.onDone();
  };
  return (
    <section aria-label={t("Move this call to another device of mine")} className="flex flex-col gap-2 rounded-lg border border-line bg-surface p-3">
      <h2 className="text-xs font-medium text-muted">{t("Move this call to another device of mine")}</h2>
      {query.error ? <Failed error={query.error} retry={() => void query.refetch()} /> : null}
      {query.isPending ? <p className="text-muted">{t("Loading …")}</p> : null}
      {query.data && !others.length ? <Empty icon={<Smartphone size={18} aria-hidden />} title={t("You have no other device")}>{t("An administrator binds phones to you under Administration, Phones. Or take calls in this browser.")}</Empty> : null}
      <ul className="divide-y divide-line">
        {others.map((d) => {
          const Mark = marks[d.kind];
          return (
            <li key={d.device} className="flex items-center gap-3 py-2">
              <Mark size={17} aria-hidden className="text-muted" />
              <span className="min-w-0 flex-1">
                <span className="block truncate font-medium">{nameOf(d)}</span>
                <span className="block truncate text-xs text-muted">{d.forbidden ?? [kindWord(d.kind), d.place].filter(Boolean).join(" · ")}</span>
              </span>
              {d.near ? <Badge tone="info">{t("Near")}</Badge> : null}
              {d.reachable ? null : <Badge>{t("Not reachable")}</Badge>}
              <Button size="small" busy="switch" isDisabled={!d.reachable || Boolean(d.forbidden)} aria-label={t("Move to {device}", { device: nameOf(d) })} onPress={() => void move(d)}>
                {t("Move")}
              </Button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

const nameOf = (d: DeviceView): string => (d.device === "browser" ? t("This browser") : d.name || kindWord(d.kind));
