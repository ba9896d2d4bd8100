// The collections of the administration: columns, fields and their words.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../lib/api";
import { clock } from "../lib/format";
import { t } from "../lib/i18n";
import { usePhones, useTrunks } from "../lib/live";
import { useNames, type Collection } from "../lib/names";
import { Button } from "../ui/button";
import { Badge, Definition, Dialog } from "../ui/parts";
import { accessSpecs } from "./access-specs";
import type { AnyRow, CollectionSpec } from "./collection";
import { destinationWord, type Destination } from "./destination";
import { HoursTrial } from "./hours-trial";
import { PointActions } from "./point-actions";
import { modeWord, type Mode } from "../contacts/mode";
import { dayName, DAYS, type DayHours, type Exception } from "./hours-fields";
import { column, Name, Names, text, yes } from "./spec-parts";

function Leads(props: { to: unknown }) {
  const names = { queues: useNames("queues"), agents: useNames("agents"), conferences: useNames("conferences"), phones: useNames("phones"), schedules: useNames("schedules") };
  return <>{destinationWord(props.to as Destination, (collection, id) => names[collection](id))}</>;
}

const pointKinds = () => [
  { id: "page", name: t("Web page") },
  { id: "app", name: t("App") },
  { id: "link", name: t("Link") },
  { id: "qr", name: t("QR code") },
  { id: "email", name: t("E-mail signature") },
];
const modes = () => (["audio", "video", "chat"] as const).map((id) => ({ id, name: modeWord(id) }));

function Modes(props: { modes: Mode[] }) {
  return <span className="flex flex-wrap gap-1">{props.modes.length ? props.modes.map((m) => <Badge key={m} tone="good">{modeWord(m)}</Badge>) : <Badge tone="warn">{t("Only messages and callbacks")}</Badge>}</span>;
}

type Specs = Record<Exclude<Collection, "pictures" | "persons">, CollectionSpec>;

export function specs(): Specs {
  const name = (row: AnyRow) => String(row.name || row.id);
  return {
    ...accessSpecs(),
    agents: {
      collection: "agents", add: t("Add an agent"), empty: t("Agents take calls of their queues, with a phone or in the browser."), title: name,
      columns: [column(t("Name"), name), column(t("Extension"), (r) => String(r.extension)), column(t("Queues"), (r) => <Names of="queues" ids={r.queues} />), column(t("Skills"), (r) => <Names of="skills" ids={((r.skills as { skill: string }[] | undefined) ?? []).map((s) => s.skill)} />), column(t("Phone"), (r) => <Name of="phones" id={r.phone} />)],
      fields: [
        text("name", t("Name"), { required: true }), text("extension", t("Extension"), { required: true, hint: t("What colleagues dial.") }),
        { name: "user", label: t("Signs in as"), kind: { is: "ref", of: "users" } }, { name: "phone", label: t("Desk phone"), kind: { is: "ref", of: "phones" } },
        { name: "queues", label: t("Queues"), kind: { is: "refs", of: "queues" } }, { name: "skills", label: t("Skills"), kind: { is: "skills" } },
        { name: "available_when_registered", label: t("Available while the phone is registered"), hint: t("A hot desk without a desktop."), kind: { is: "switch" } },
        { name: "wrap_up_ms", label: t("Wrap-up time"), hint: t("Empty: as the queue has it."), kind: { is: "seconds", nullable: true, max: 3600 } },
      ],
      fresh: { name: "", extension: "", user: null, phone: null, queues: [], skills: [], available_when_registered: false, wrap_up_ms: null },
    },
    queues: {
      collection: "queues", add: t("Add a queue"), empty: t("Callers wait in a queue until an agent is free."), title: name,
      columns: [column(t("Name"), name), column(t("Priority"), (r) => String(r.priority)), column(t("Service level"), (r) => t("{pct} % in {time}", { pct: String(r.service_level_pct), time: clock(Number(r.service_level_ms)) })), column(t("Wrap-up"), (r) => clock(Number(r.wrap_up_ms))), column(t("Recorded"), (r) => yes(r.record))],
      fields: [
        text("name", t("Name"), { required: true }), { name: "priority", label: t("Priority"), hint: t("Higher goes first."), kind: { is: "number", min: -100, max: 100 } },
        { name: "selection", label: t("Which agent"), kind: { is: "choice", choices: [{ id: "longest_idle", name: t("Longest idle") }, { id: "least_occupied", name: t("Least occupied") }, { id: "least_flexible", name: t("Fewest other skills") }, { id: "best_score", name: t("Best skills") }, { id: "round_robin", name: t("In turn") }] } },
        { name: "ring_ms_max", label: t("Rings for"), kind: { is: "seconds", min: 3, max: 600 } },
        { name: "wrap_up_ms", label: t("Wrap-up time"), kind: { is: "seconds", max: 3600 } }, { name: "wait_ms_max", label: t("Longest wait"), hint: t("Then the overflow."), kind: { is: "seconds", min: 1 } },
        { name: "service_level_pct", label: t("Service level"), kind: { is: "number", min: 1, max: 100, unit: "%" } }, { name: "service_level_ms", label: t("answered within"), kind: { is: "seconds", min: 1 } },
        { name: "waiting_max", label: t("Callers waiting at most"), hint: t("0: no limit of its own."), kind: { is: "number", min: 0 } }, { name: "announce_every_ms", label: t("Position and wait are said every"), hint: t("0: never."), kind: { is: "seconds" } },
        { name: "skills", label: t("Skills needed"), kind: { is: "skills" } }, { name: "greeting", label: t("Greeting"), kind: { is: "speech" } }, { name: "overflow", label: t("Overflow"), kind: { is: "destination", nullable: true } },
        { name: "record", label: t("Record calls"), kind: { is: "switch" } }, { name: "demote_on_no_answer", label: t("Agents who let it ring are set to not responding"), kind: { is: "switch" } }, { name: "refuse_when_unstaffed", label: t("Refuse callers when nobody is signed in"), kind: { is: "switch" } },
      ],
      fresh: { name: "", priority: 0, selection: "longest_idle", ring_ms_max: 20_000, wrap_up_ms: 30_000, wait_ms_max: 900_000, service_level_pct: 80, service_level_ms: 20_000, waiting_max: 0, announce_every_ms: 30_000, skills: [], greeting: null, overflow: null, record: false, demote_on_no_answer: true, refuse_when_unstaffed: false },
    },
    skills: {
      collection: "skills", add: t("Add a skill"), empty: t("A language, a product: what an agent can do and a queue may ask for."), title: name,
      columns: [column(t("Name"), name)], fields: [text("name", t("Name"), { required: true })], fresh: { name: "" },
    },
    numbers: {
      collection: "numbers", add: t("Add a number"), empty: t("What can be dialled, and where it leads."), title: (r) => String(r.number),
      columns: [column(t("Number"), (r) => <span dir="ltr">{String(r.number)}</span>), column(t("Name"), (r) => String(r.name || "–")), column(t("Leads to"), (r) => <Leads to={r.destination} />), column(t("From outside"), (r) => yes(r.public))],
      fields: [text("number", t("Number"), { required: true, hint: t("As +15551234567, an extension, or a name.") }), text("name", t("Name")), { name: "destination", label: t("Leads to"), kind: { is: "destination" } }, { name: "public", label: t("Can be called from outside"), hint: t("By trunks; else only by your own phones."), kind: { is: "switch" } }],
      fresh: { number: "", name: "", destination: { to: "echo" }, public: false },
    },
    points: {
      collection: "points", add: t("Add a communication point"), empty: t("A place where customers come in: a button on your page, a link, a QR code, a line beneath your e-mails."), title: name,
      columns: [column(t("Name"), name), column(t("Kind"), (r) => pointKinds().find((k) => k.id === r.kind)?.name ?? String(r.kind)), column(t("Leads to"), (r) => <Leads to={r.destination} />), column(t("Taken now"), (r) => <Modes modes={(r.now ?? r.modes) as Mode[]} />), column(t("State"), (r) => (r.disabled ? <Badge>{t("Off")}</Badge> : <Badge tone="good">{t("On")}</Badge>))],
      fields: [
        text("name", t("Name"), { required: true }), { name: "kind", label: t("Kind"), kind: { is: "choice", choices: pointKinds() } }, { name: "destination", label: t("Leads to"), kind: { is: "destination" } },
        { name: "modes", label: t("Offered at all"), kind: { is: "many", choices: modes() } }, { name: "now", label: t("Taken now"), hint: t("Whoever answers may switch this at any moment, under Contacts."), kind: { is: "many", choices: modes() } },
        { name: "origins", label: t("Pages that may use it"), hint: t("One origin in each line, as https://shop.example. This server's own always may."), kind: { is: "list" } }, { name: "fields", label: t("Fields of the page that come along"), hint: t("One name in each line, as product."), kind: { is: "list" } },
        text("title", t("Title above the choice")), text("consent", t("What the customer agrees to first"), { hint: t("Empty: our own sentence.") }),
        { name: "numbers", label: t("Numbers to be lent or assigned"), hint: t("Each has to lead where this point's calls should lead."), kind: { is: "numbers" } },
        { name: "number_ttl_s", label: t("A number is lent for"), kind: { is: "number", min: 60, max: 86_400, unit: t("seconds") } }, { name: "disabled", label: t("Switched off"), kind: { is: "switch" } },
      ],
      fresh: { name: "", kind: "page", destination: { to: "echo" }, modes: ["audio", "video", "chat"], now: ["audio", "video", "chat"], origins: [], fields: ["product"], title: "", consent: "", numbers: [], number_ttl_s: 1_800, disabled: false },
      actions: (r) => <PointActions id={r.id} name={name(r)} numbers={(r.numbers as string[] | undefined)?.length ?? 0} />,
    },
    schedules: {
      collection: "schedules", add: t("Add business hours"), empty: t("When you are open. A number can lead elsewhere while you are closed."), title: name,
      columns: [column(t("Name"), name), column(t("Time zone"), (r) => String(r.time_zone)), column(t("Week"), (r) => <Week week={r.week as DayHours[]} />), column(t("Special days"), (r) => String((r.special_days as Exception[]).length)), column(t("Now"), (r) => <OpenNow id={r.id} />)],
      fields: [text("name", t("Name"), { required: true }), text("time_zone", t("Time zone"), { required: true, hint: t("As Europe/Berlin.") }), { name: "week", label: t("Week"), kind: { is: "week" } }, { name: "special_days", label: t("Holidays and special days"), kind: { is: "exceptions" } }],
      fresh: { name: "", time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone, week: DAYS.slice(0, 5).map((day) => ({ day, from: "09:00", until: "17:00" })), special_days: [] },
      preview: (draft) => <HoursTrial draft={draft} />,
    },
    phones: {
      collection: "phones", add: t("Add a phone"), empty: t("Desk phones and softphones that register by SIP."), title: (r) => String(r.name || r.user),
      columns: [column(t("Extension"), (r) => String(r.user)), column(t("Name"), (r) => String(r.name || "–")), column(t("Agent"), (r) => <Name of="agents" id={r.agent} />), column(t("State"), (r) => <PhoneState id={r.id} />)],
      fields: [text("user", t("Extension"), { required: true, hint: t("It registers as this.") }), text("name", t("Name")), { name: "password", label: t("Password"), hint: t("Left empty, it stays. It is never shown again."), kind: { is: "text", type: "password" } }, { name: "agent", label: t("Agent"), kind: { is: "ref", of: "agents" } }, { name: "may_dial_out", label: t("May dial out through trunks"), kind: { is: "switch" } }, { name: "require_srtp", label: t("Only encrypted audio (SRTP)"), kind: { is: "switch" } }],
      fresh: { user: "", name: "", password: "", agent: null, may_dial_out: false, require_srtp: false },
      actions: (r) => <PhoneSettings id={r.id} name={String(r.name || r.user)} />,
    },
    trunks: {
      collection: "trunks", add: t("Add a trunk"), empty: t("The way to a carrier and to the telephone network."), title: name,
      columns: [column(t("Name"), name), column(t("Host"), (r) => <span dir="ltr">{String(r.host || "–")}</span>), column(t("Health"), (r) => <TrunkState id={r.id} />), column(t("Calls"), (r) => <TrunkCalls id={r.id} max={Number(r.channels_max)} />)],
      fields: [
        text("name", t("Name"), { required: true }), text("host", t("Host"), { hint: t("host or host:port calls leave to; empty for inbound only.") }),
        { name: "transport", label: t("Transport"), kind: { is: "choice", choices: ["udp", "tcp", "tls"].map((id) => ({ id, name: id.toUpperCase() })) } }, { name: "channels_max", label: t("Calls at a time"), hint: t("0: no limit."), kind: { is: "number", min: 0 } },
        { name: "auth", label: t("How its calls prove that they are of this trunk"), kind: { is: "trunk-auth" } },
        text("user", t("User"), { hint: t("What we sign in there with.") }), { name: "password", label: t("Password"), hint: t("Left empty, it stays."), kind: { is: "text", type: "password" } }, { name: "register", label: t("Register there"), kind: { is: "switch" } },
        { name: "health_interval_s", label: t("Ask for health every"), hint: t("0: never."), kind: { is: "number", min: 0, unit: t("seconds") } }, { name: "srtp", label: t("Encrypted audio (SRTP) outbound"), kind: { is: "switch" } }, { name: "dial_prefixes", label: t("Numbers that may leave here begin with"), hint: t("One in each line, as +49."), kind: { is: "list" } },
      ],
      fresh: { name: "", host: "", transport: "udp", channels_max: 0, user: "", password: "", register: false, health_interval_s: 30, srtp: false, dial_prefixes: [], auth: { by: "address", networks: [] } },
    },
    brands: {
      collection: "brands", add: t("Add a brand"), empty: t("With a brand, people see who calls and why before they answer: by name, picture and reason."), title: name,
      columns: [column(t("Name"), name), column(t("Reason of the call"), (r) => String(r.reason || "–")), column(t("Picture"), (r) => <Name of="pictures" id={r.picture} />), column(t("Numbers"), (r) => <Names of="numbers" ids={r.numbers} />)],
      fields: [
        text("name", t("Name"), { required: true, hint: t("Shown as the caller; 35 characters at most.") }), text("reason", t("Reason of the call"), { hint: t("A few words; 64 characters at most.") }),
        { name: "picture", label: t("Picture"), kind: { is: "ref", of: "pictures" } },
        text("link", t("Link"), { hint: t("A page with more. The number of the caller and the called one are filled in where {caller} and {called} stand.", { caller: "{caller}", called: "{called}" }) }),
        { name: "numbers", label: t("Numbers"), hint: t("Calls that show one of these carry the brand."), kind: { is: "refs", of: "numbers" } },
        { name: "disabled", label: t("Switched off"), kind: { is: "switch" } },
      ],
      fresh: { name: "", reason: "", picture: null, link: "", numbers: [], disabled: false },
    },
    conferences: {
      collection: "conferences", add: t("Add a room"), empty: t("Rooms that several people dial into."), title: name,
      columns: [column(t("Name"), name), column(t("Members at most"), (r) => String(r.members_max)), column(t("Recorded"), (r) => yes(r.record))],
      fields: [text("name", t("Name"), { required: true }), { name: "members_max", label: t("Members at most"), kind: { is: "number", min: 2, max: 1000 } }, { name: "record", label: t("Record"), kind: { is: "switch" } }],
      fresh: { name: "", members_max: 50, record: false },
    },
    "wrap-up-codes": {
      collection: "wrap-up-codes", add: t("Add a code"), empty: t("The results agents choose from after a call."), title: name,
      columns: [column(t("Name"), name)], fields: [text("name", t("Name"), { required: true })], fresh: { name: "" },
    },
    "identity/certificates": {
      collection: "identity/certificates", add: t("Add a certificate"), empty: t("With a certificate for telephone numbers (RFC 8226), calls that leave are signed, and forwarded ones say who forwarded them."), title: name,
      columns: [column(t("Name"), name), column(t("Fetched from"), (r) => <span dir="ltr">{String(r.url || t("this server"))}</span>)],
      fields: [
        text("name", t("Name"), { required: true }), text("url", t("Address"), { hint: t("Where verifiers fetch it. Empty: from this server.") }),
        { name: "chain", label: t("Certificates (PEM)"), hint: t("The signing one first."), required: true, kind: { is: "text", mono: true, lines: 6 } },
        { name: "key", label: t("Key (PKCS#8, PEM)"), hint: t("Left empty, it stays. It is never shown again."), kind: { is: "text", mono: true, lines: 4 } },
      ],
      fresh: { name: "", url: "", chain: "", key: "" },
    },
  };
}

function Week(props: { week: DayHours[] }) {
  const open = DAYS.filter((d) => props.week.some((h) => h.day === d));
  return <span className="text-muted">{open.map((d) => dayName(d).slice(0, 3)).join(" ") || t("always closed")}</span>;
}

function OpenNow(props: { id: string }) {
  const { data } = useQuery({ queryKey: ["config", "opening", props.id], refetchInterval: 60_000, queryFn: async () => (await api.GET("/v1/schedules/{id}/opening", { params: { path: { id: props.id } } })).data });
  if (!data) return null;
  return <Badge tone={data.open ? "good" : "plain"}>{data.open ? t("Open") : t("Closed")}</Badge>;
}

function PhoneState(props: { id: string }) {
  const phone = usePhones().get(props.id);
  return phone?.registered ? <Badge tone="good">{t("Registered")}</Badge> : <Badge>{t("Not registered")}</Badge>;
}

function TrunkState(props: { id: string }) {
  const trunk = useTrunks().get(props.id);
  if (!trunk) return <Badge>{t("Unknown")}</Badge>;
  if (!trunk.up) return <Badge tone="bad">{trunk.why ?? t("Down")}</Badge>;
  return <Badge tone="good">{trunk.rtt_ms !== null && trunk.rtt_ms !== undefined ? t("Up, {ms} ms", { ms: trunk.rtt_ms }) : t("Up")}</Badge>;
}

function TrunkCalls(props: { id: string; max: number }) {
  const trunk = useTrunks().get(props.id);
  return <>{props.max ? t("{n} of {max}", { n: trunk?.channels ?? 0, max: props.max }) : String(trunk?.channels ?? 0)}</>;
}

function PhoneSettings(props: { id: string; name: string }) {
  const [open, setOpen] = useState(false);
  const { data } = useQuery({ queryKey: ["config", "phone-settings", props.id], enabled: open, queryFn: async () => (await api.GET("/v1/phones/{id}/settings", { params: { path: { id: props.id } } })).data });
  return (
    <>
      <Button size="small" look="quiet" aria-label={t("Settings for {name}", { name: props.name })} onPress={() => setOpen(true)}>
        {t("Settings")}
      </Button>
      <Dialog title={t("What to type into the phone")} isOpen={open} onClose={() => setOpen(false)}>
        {data ? (
          <Definition
            items={[
              [t("User"), data.user], [t("Domain"), data.domain], [t("Server"), data.server], [t("Ports"), [data.udp_port && `UDP ${data.udp_port}`, data.tcp_port && `TCP ${data.tcp_port}`, data.tls_port && `TLS ${data.tls_port}`].filter(Boolean).join(", ")], [t("Password"), t("as it was set; it is not kept in the clear")],
              [t("Audio"), data.srtp_required ? t("SRTP required") : t("RTP or SRTP")],
            ]}
          />
        ) : (
          <p className="text-muted">{t("Loading …")}</p>
        )}
      </Dialog>
    </>
  );
}
