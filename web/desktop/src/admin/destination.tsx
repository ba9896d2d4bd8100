// Where a number or an overflow leads.

import { t } from "../lib/i18n";
import { useRows } from "../lib/names";
import { Select, TextField } from "../ui/field";
import type { Schemas } from "../lib/api";

export type Destination = Schemas["Destination"];
type To = Destination["to"];

const NONE = "none";

export function destinationWord(d: Destination | null | undefined, name: (collection: "queues" | "agents" | "conferences" | "phones" | "schedules", id: string) => string): string {
  if (!d) return "–";
  const any = d as unknown as { to: string; schedule?: string };
  if (any.to === "hours") return t("By hours: {name}", { name: name("schedules", any.schedule ?? "") });
  switch (d.to) {
    case "queue":
      return t("Queue {name}", { name: name("queues", d.queue) });
    case "agent":
      return t("Agent {name}", { name: name("agents", d.agent) });
    case "phone":
      return t("Phone {name}", { name: name("phones", d.phone) });
    case "conference":
      return t("Room {name}", { name: name("conferences", d.conference) });
    case "echo":
      return t("Echo test");
    case "announce":
      return t("Announcement");
    case "answer":
      return t("Answer and wait");
    case "menu":
      return t("Menu");
    case "reject":
      return t("Refuse");
    case "dial":
      return t("Dial out");
    default:
      return (d as { to: string }).to;
  }
}

/** The simple ones are edited; menus and what else came by the API are kept as they are. */
export function DestinationField(props: { label: string; value: Destination | null | undefined; onChange: (d: Destination | null) => void; nullable: boolean; nowhere?: string; error?: string | undefined; nested?: boolean }) {
  const { value, onChange, nullable } = props;
  const rows = { queue: useRows("queues").data, agent: useRows("agents").data, phone: useRows("phones").data, conference: useRows("conferences").data };
  const schedules = useRows("schedules").data;
  const simple: { id: string; name: string }[] = [
    { id: "queue", name: t("Queue") },
    { id: "agent", name: t("Agent") },
    { id: "conference", name: t("Conference room") },
    { id: "phone", name: t("Phone") },
    { id: "announce", name: t("Announcement, then end") },
    ...(props.nested || !schedules?.length ? [] : [{ id: "hours", name: t("By business hours") }]),
    { id: "echo", name: t("Echo test") },
    { id: "reject", name: t("Refuse") },
  ];
  const current = value ? (value.to as string) : nullable ? NONE : "";
  const known = simple.some((s) => s.id === current);
  const choices = [...(nullable ? [{ id: NONE, name: props.nowhere ?? t("Nowhere") }] : []), ...simple, ...(current && current !== NONE && !known ? [{ id: current, name: t("{what} (made by API)", { what: current }) }] : [])];
  const first = (of: "queue" | "agent" | "phone" | "conference") => rows[of]?.[0]?.id ?? "";
  const begin = (to: string): Destination | null => {
    const fresh: Record<string, unknown> = {
      queue: { to, queue: first("queue") }, agent: { to, agent: first("agent") }, phone: { to, phone: first("phone") }, conference: { to, conference: first("conference") },
      announce: { to, sound: { kind: "speech", text: "" } }, echo: { to }, reject: { to, status: 486 },
      hours: { to, schedule: schedules?.[0]?.id ?? "", open: { to: "queue", queue: first("queue") }, closed: { to: "announce", sound: { kind: "speech", text: t("We are closed at the moment.") } } },
    };
    return to === NONE ? null : to === current ? (value ?? null) : (fresh[to] as Destination);
  };
  const id = value && value.to in rows ? ((value as unknown as Record<string, string>)[value.to] ?? "") : "";
  const hours = value as unknown as { to: string; schedule: string; open: Destination; closed: Destination } | null;
  return (
    <fieldset className="flex flex-col gap-2 rounded-md border border-line p-3">
      <legend className="px-1 text-xs font-medium">{props.label}</legend>
      <div className="grid gap-2 sm:grid-cols-2">
        <Select label={t("Leads to")} hideLabel value={current} choices={choices} onChange={(to) => onChange(begin(to))} placeholder={t("Choose")} />
        {value && value.to in rows ? (
          <Select
            label={t("Which")} hideLabel value={id} placeholder={t("Choose")}
            choices={(rows[value.to as "queue"] ?? []).map((r) => ({ id: r.id, name: (r as { name: string }).name || (r as unknown as { user: string }).user }))}
            onChange={(chosen) => onChange({ to: value.to as To, [value.to]: chosen } as unknown as Destination)}
          />
        ) : null}
        {hours?.to === "hours" ? <Select label={t("Business hours")} hideLabel value={hours.schedule} choices={schedules ?? []} onChange={(schedule) => onChange({ ...hours, schedule } as unknown as Destination)} /> : null}
      </div>
      {value?.to === "announce" ? (
        <TextField label={t("What is said")} lines={2} value={value.sound.kind === "speech" ? value.sound.text : ""} onChange={(text) => onChange({ to: "announce", sound: { kind: "speech", text } })} />
      ) : null}
      {hours?.to === "hours" ? (
        <>
          <DestinationField nested label={t("While open")} value={hours.open} nullable={false} onChange={(open) => onChange({ ...hours, open } as unknown as Destination)} />
          <DestinationField nested label={t("While closed")} value={hours.closed} nullable={false} onChange={(closed) => onChange({ ...hours, closed } as unknown as Destination)} />
        </>
      ) : null}
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}
