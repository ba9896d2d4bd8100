// Listen, whisper, barge, take over: from the list, then in a bar that stays while it goes on.

import { useCallback } from "react";
import { act } from "../lib/action";
import { api } from "../lib/api";
import { Clock } from "../lib/clock";
import { customer } from "../lib/format";
import { t } from "../lib/i18n";
import { useMade } from "../lib/live";
import type { LiveInteraction, SuperviseMode } from "../lib/live-types";
import { may, session, useSession } from "../lib/session";
import { useSoftphone } from "../lib/softphone";
import { Seats } from "../seats/seats";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { Badge } from "../ui/parts";
import { Ear, Megaphone, MessageSquare, PhoneOff } from "../ui/icons";

async function supervise(interaction: string, mode: SuperviseMode, here: boolean): Promise<void> {
  const done = await act(`supervise ${interaction}`, () => api.POST("/v1/interactions/{id}/supervise", { params: { path: { id: interaction } }, body: { mode } }));
  if (done && !here) notify(t("Your phone rings: pick it up."));
}

export function SuperviseButtons(props: { interaction: string; name: string }) {
  const here = useSoftphone().state === "on";
  if (!session()?.agent) return null;
  const join = (mode: SuperviseMode) => void supervise(props.interaction, mode, here);
  const busy = `supervise ${props.interaction}`;
  return (
    <>
      {may("supervise:listen") ? (
        <Button size="small" busy={busy} aria-label={t("Listen to {name}", { name: props.name })} icon={<Ear size={13} aria-hidden />} onPress={() => join("listen")}>
          {t("Listen")}
        </Button>
      ) : null}
      {may("supervise:whisper") ? (
        <Button size="small" look="quiet" busy={busy} aria-label={t("Whisper to {name}", { name: props.name })} className="px-1.5!" icon={<MessageSquare size={14} aria-hidden />} onPress={() => join("whisper")} />
      ) : null}
      {may("supervise:barge") ? (
        <Button size="small" look="quiet" busy={busy} aria-label={t("Barge into the call of {name}", { name: props.name })} className="px-1.5!" icon={<Megaphone size={14} aria-hidden />} onPress={() => join("barge")} />
      ) : null}
    </>
  );
}

const legOf = (agent: string | null | undefined, i: LiveInteraction) => i.legs.find((l) => l.agent === agent && l.supervise && l.status !== "disconnected");

function joinedBy(agent: string | null | undefined, rows: ReadonlyMap<string, LiveInteraction>): LiveInteraction | null {
  if (agent) for (const i of rows.values()) if (legOf(agent, i)) return i;
  return null;
}

/** The call this supervisor is in. */
export function SuperviseBar() {
  const own = useSession()?.agent;
  const joined = useMade("interactions", useCallback((rows: ReadonlyMap<string, LiveInteraction>) => joinedBy(own, rows), [own]), Object.is);
  const leg = joined && legOf(own, joined);
  if (joined && leg) {
    const i = joined;
    const change = (mode: SuperviseMode) => void act("mode", () => api.POST("/v1/legs/{id}/supervise-mode", { params: { path: { id: leg.id } }, body: { mode } }));
    const modes: [SuperviseMode, string][] = [
      ["listen", t("Listen")],
      ["whisper", t("Whisper")],
      ["barge", t("Barge")],
    ];
    const told = { listen: t("Nobody hears you."), whisper: t("The agent alone hears you."), barge: t("Everybody hears you.") }[leg.supervise ?? "listen"];
    return (
      <div className="flex flex-col gap-2">
        <section aria-label={t("Supervision")} className="flex flex-wrap items-center gap-2 rounded-lg border border-accent bg-accent-soft px-4 py-3">
          <p className="me-auto">
            <span className="font-semibold">{customer(i)}</span> <Badge tone={leg.status === "connected" ? "good" : "info"}>{leg.status === "connected" ? <Clock since={leg.since} /> : t("Your phone rings")}</Badge>
            <span className="ms-2 text-muted">{told}</span>
          </p>
          {modes.map(([mode, name]) => (
            <Button key={mode} look={leg.supervise === mode ? "primary" : "plain"} busy="mode" aria-pressed={leg.supervise === mode} isDisabled={leg.status !== "connected"} onPress={() => change(mode)}>
              {name}
            </Button>
          ))}
          {may("supervise:take-over") ? (
            <Button busy="take-over" isDisabled={leg.status !== "connected"} onPress={() => void act("take-over", () => api.POST("/v1/legs/{id}/take-over", { params: { path: { id: leg.id } }, body: {} }))}>
              {t("Take over")}
            </Button>
          ) : null}
          <Button look="danger" busy="leave" icon={<PhoneOff size={15} aria-hidden />} onPress={() => void act("leave", () => api.POST("/v1/legs/{id}/hang-up", { params: { path: { id: leg.id } }, body: {} }))}>
            {t("Leave")}
          </Button>
        </section>
        <Seats leg={leg.id} />
      </div>
    );
  }
  return null;
}
