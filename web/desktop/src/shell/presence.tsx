// Presence: what it is, since when, what it becomes after the current work.

import { Button as AriaButton, Menu, MenuItem, MenuTrigger, Popover, Separator } from "react-aria-components";
import { Clock } from "../lib/clock";
import { presenceWord, stateWord } from "../lib/format";
import { t } from "../lib/i18n";
import { useAgent } from "../lib/live";
import type { LiveAgent, Presence } from "../lib/live-types";
import { useTenant } from "../lib/names";
import { useSession } from "../lib/session";
import { say } from "../lib/tell";
import { Dot, type Tone } from "../ui/parts";
import { ChevronDown } from "../ui/icons";
import { setPresence } from "../agent/commands";

const BUILT_IN: Presence[] = ["available", "break", "meal", "meeting", "training", "offline"];

export function presenceTone(agent: Pick<LiveAgent, "presence" | "state" | "phone_reachable">): Tone {
  if (agent.presence === "offline") return "plain";
  if (agent.presence !== "available") return "warn";
  if (agent.state === "not_responding") return "bad";
  if (agent.state !== "idle") return "info";
  return agent.phone_reachable ? "good" : "bad";
}

/** All a person may choose: the house's and the tenant's own reasons. */
export function usePresences(): Presence[] {
  const tenant = useTenant().data as { presence_reasons?: string[] } | undefined;
  const own = (tenant?.presence_reasons ?? []).map((other): Presence => ({ other }));
  return [...BUILT_IN.slice(0, -1), ...own, "offline"];
}

export async function choosePresence(agent: LiveAgent, presence: Presence): Promise<void> {
  const later = agent.state === "interacting" || agent.state === "wrap_up";
  if (await setPresence(agent.id, presence)) say(later ? t("Next: {presence}", { presence: presenceWord(presence) }) : presenceWord(presence));
}

export function PresenceMenu() {
  const me = useAgent(useSession()?.agent);
  const choices = usePresences();
  if (!me) return null;
  const busy = me.state === "interacting" || me.state === "wrap_up" || me.state === "offered";
  const word = me.state !== "idle" && me.presence === "available" ? stateWord(me.state) : presenceWord(me.presence);
  const key = (p: Presence) => (typeof p === "string" ? p : `other ${p.other}`);
  const current = key(me.next_presence ?? me.presence);
  return (
    <MenuTrigger>
      <AriaButton className="flex h-9 cursor-default items-center gap-2 rounded-full border border-line bg-raised px-3 font-medium hover:border-edge" data-presence={typeof me.presence === "string" ? me.presence : "other"} data-state={me.state}>
        <Dot tone={presenceTone(me)} />
        <span className="sr-only">{t("Presence")}</span>
        <span>{word}</span>
        <Clock since={me.since} className="font-normal text-muted" />
        {me.next_presence ? <span className="border-s border-line ps-2 font-normal text-muted">{t("Next: {presence}", { presence: presenceWord(me.next_presence) })}</span> : null}
        <ChevronDown size={14} aria-hidden className="text-muted" />
      </AriaButton>
      <Popover className="z-50 min-w-52 rounded-md border border-line bg-raised p-1 shadow-lg" placement="bottom end">
        <Menu
          aria-label={busy ? t("Next status") : t("Status")} className="outline-none" selectionMode="single" selectedKeys={[current]}
          onAction={(chosen) => {
            const presence = choices.find((p) => key(p) === chosen);
            if (presence) void choosePresence(me, presence);
          }}
        >
          {choices.map((p) => (
            <MenuItem key={key(p)} id={key(p)} textValue={presenceWord(p)} className="flex cursor-default items-center gap-2.5 rounded px-2.5 py-1.5 outline-none focus:bg-accent-soft selected:font-semibold">
              <Dot tone={p === "available" ? "good" : p === "offline" ? "plain" : "warn"} />
              {presenceWord(p)}
            </MenuItem>
          ))}
        </Menu>
        {busy ? (
          <>
            <Separator className="my-1 h-px bg-line" />
            <p className="max-w-52 px-2.5 py-1 text-xs text-muted">{t("Becomes your status when the current work ends.")}</p>
          </>
        ) : null}
      </Popover>
    </MenuTrigger>
  );
}
