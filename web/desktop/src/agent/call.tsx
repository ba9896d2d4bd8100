// The live call: who, how long, what can be done, who else is in it, and what happened so far.

import { useEffect, useState } from "react";
import { Toolbar } from "react-aria-components";
import { Clock } from "../lib/clock";
import { address, customer, farSide, number, placedByUs, roleWord, statusWord } from "../lib/format";
import { useHotkeys } from "../lib/hotkeys";
import { t } from "../lib/i18n";
import { useNames } from "../lib/names";
import type { Address } from "../lib/live-types";
import { useSession } from "../lib/session";
import { useSoftphone } from "../lib/softphone";
import { Button, ToolButton } from "../ui/button";
import { Badge, Card } from "../ui/parts";
import { ArrowRightLeft, AudioLines, CircleParking, CirclePause, Grid3x3, Mic, MicOff, MonitorSmartphone, Pause, PhoneOff, Play, Radio, Undo2, UserRound, UsersRound, Video, VideoOff } from "../ui/icons";
import { useFromPage } from "../contacts/in-call";
import { Trail } from "../history/trail";
import { backToCaller, completeTransfer, digits, hangUp, joinAll, park, toggleHold, toggleMute, toggleRecording, type MyCall } from "./commands";
import { CardTexts, Picture } from "./ring-card";
import { MovePanel } from "./move";
import { Seats } from "../seats/seats";
import { TransferPanel } from "./transfer";
import { toggleVideo, VideoArea, videoState } from "./video";

type Panel = "transfer" | "keypad" | "move" | null;

export function Call(props: { call: MyCall }) {
  const { call } = props;
  const [panel, setPanel] = useState<Panel>(null);
  const toggle = (which: Panel) => setPanel((now) => (now === which ? null : which));
  useEffect(() => setPanel(null), [call.interaction.id]);
  const muted = call.leg.muted;
  const { contact } = useFromPage(call.interaction.id);
  const video = videoState(contact);
  useHotkeys([
    { key: "H", run: () => void toggleHold(call) },
    { key: "M", run: () => void toggleMute(call) },
    { key: "T", run: () => toggle("transfer") },
    { key: "K", run: () => toggle("keypad") },
    { key: "P", run: () => void toggleRecording(call) },
    { key: "E", run: () => void hangUp(call) },
    { key: "O", run: () => toggle("move") },
    { key: "V", when: contact?.kind === "call" && video !== "asked", run: () => contact && void toggleVideo(contact) },
  ]);
  const { recording } = call.interaction;
  const record = { on: t("Pause recording"), paused: t("Resume recording"), off: t("Record") }[recording];
  return (
    <div className="flex flex-col gap-4">
      <Header call={call} />
      <Toolbar aria-label={t("Call")} className="flex flex-wrap gap-1">
        <ToolButton name={call.held ? t("Resume") : t("Hold")} on={call.held} busy="hold" hotkey="H" icon={call.held ? <Play size={18} aria-hidden /> : <Pause size={18} aria-hidden />} onPress={() => void toggleHold(call)} />
        <ToolButton name={muted ? t("Unmute") : t("Mute")} on={muted} busy="mute" hotkey="M" icon={muted ? <MicOff size={18} aria-hidden /> : <Mic size={18} aria-hidden />} onPress={() => void toggleMute(call)} />
        <ToolButton name={t("Transfer")} open={panel === "transfer"} hotkey="T" icon={<ArrowRightLeft size={18} aria-hidden />} onPress={() => toggle("transfer")} />
        <ToolButton name={t("Keypad")} open={panel === "keypad"} hotkey="K" icon={<Grid3x3 size={18} aria-hidden />} onPress={() => toggle("keypad")} />
        <ToolButton name={record} short={{ on: t("Pause"), paused: t("Record"), off: t("Record") }[recording]} on={recording === "paused"} busy="record" hotkey="P" icon={recording === "on" ? <CirclePause size={18} aria-hidden /> : <Radio size={18} aria-hidden />} onPress={() => void toggleRecording(call)} />
        <ToolButton name={t("Park")} busy="park" icon={<CircleParking size={18} aria-hidden />} onPress={() => void park(call)} />
        <ToolButton name={t("Move to my other device")} short={t("Move")} open={panel === "move"} hotkey="O" icon={<MonitorSmartphone size={18} aria-hidden />} onPress={() => toggle("move")} />
        {contact?.kind === "call" ? (
          <ToolButton
            name={{ off: t("Ask for video"), asked: t("Asked for video"), on: t("End video") }[video]} short={video === "asked" ? t("Asked") : t("Video")} on={video !== "off"} isDisabled={video === "asked"} busy={`mode ${contact.id}`} hotkey="V"
            icon={video === "on" ? <VideoOff size={18} aria-hidden /> : <Video size={18} aria-hidden />} onPress={() => void toggleVideo(contact)}
          />
        ) : null}
        <ToolButton name={t("Hang up")} look="danger" busy="end" hotkey="E" icon={<PhoneOff size={18} aria-hidden />} onPress={() => void hangUp(call)} className="ms-auto" />
      </Toolbar>
      <VideoArea call={call} contact={contact} />
      {call.consulted ? <Consulting call={call} /> : null}
      {panel === "transfer" ? <TransferPanel call={call} onDone={() => setPanel(null)} /> : null}
      {panel === "keypad" ? <Keypad call={call} /> : null}
      {panel === "move" ? <MovePanel call={call} onDone={() => setPanel(null)} /> : null}
      <Seats leg={call.leg.id} />
      <Parties call={call} />
      <Card title={t("What happened")}>
        <div className="p-3">
          <Trail interaction={call.interaction.id} />
        </div>
      </Card>
    </div>
  );
}

function Header(props: { call: MyCall }) {
  const { interaction, leg, held } = props.call;
  const queueName = useNames("queues");
  const plain = address(farSide(interaction));
  const name = customer(interaction);
  // A page has no number, and calls none.
  const fromPage = interaction.from.kind === "anonymous" && interaction.to.kind === "extension" && interaction.to.value === "web";
  return (
    <header className="flex flex-wrap items-center gap-x-4 gap-y-2" data-call={interaction.id}>
      {interaction.card?.picture ? (
        <Picture card={interaction.card} large />
      ) : (
        <span className="flex size-12 items-center justify-center rounded-full bg-accent-soft text-accent">
          <UserRound size={22} aria-hidden />
        </span>
      )}
      <div className="min-w-0 flex-1">
        <h1 dir="auto" className="truncate text-xl leading-7 font-semibold">{name}</h1>
        <p className="truncate text-muted">
          {name !== plain && !fromPage ? `${plain} · ` : ""}
          {interaction.queue ? queueName(interaction.queue) : placedByUs(interaction) ? t("Outbound") : t("Direct call")}
          {fromPage ? ` · ${t("from a web page")}` : interaction.direction === "inbound" ? ` · ${t("called {number}", { number: address(interaction.to) })}` : ""}
        </p>
      </div>
      <CardTexts card={interaction.card} link />
      <div className="flex items-center gap-2">
        {interaction.recording === "on" ? (
          <Badge tone="bad">
            <span className="size-1.5 rounded-full bg-current" aria-hidden="true" />
            {t("Recording")}
          </Badge>
        ) : null}
        {interaction.recording === "paused" ? <Badge tone="warn">{t("Recording paused")}</Badge> : null}
        {held ? <Badge tone="warn">{t("On hold")}</Badge> : <Badge tone={leg.status === "connected" ? "good" : "info"}>{statusWord(leg.status)}</Badge>}
        <Sound leg={leg.id} />
        <Clock since={leg.since} className="min-w-16 text-end text-xl font-semibold" />
      </div>
    </header>
  );
}

/** A share of lost packets, in per cent, or a round trip, from which on people hear it. */
const [LOSS_PCT_BAD, RTT_MS_BAD] = [3, 400];

/** How the sound of this browser's call fares. */
function Sound(props: { leg: string }) {
  const { legs, quality } = useSoftphone();
  const leg = legs.find((l) => l.leg === props.leg);
  if (!leg || leg.state !== "connected") return null;
  if (leg.media === "disconnected") return <Badge tone="bad">{t("Sound interrupted")}</Badge>;
  if (leg.media !== "connected") return <Badge tone="warn">{t("Sound is being connected")}</Badge>;
  const loss = quality?.lossPct ?? 0;
  const figures = t("Sound: {ms} ms, {loss} % lost", { ms: quality?.rttMs === null || quality === null ? "–" : number(quality.rttMs), loss: number(loss, 1) });
  const bad = loss >= LOSS_PCT_BAD || (quality?.rttMs ?? 0) >= RTT_MS_BAD;
  return bad ? (
    <Badge tone="warn">{figures}</Badge>
  ) : (
    <span role="img" aria-label={figures} title={figures} data-sound="good" className="flex text-good">
      <AudioLines size={16} aria-hidden />
    </span>
  );
}

function Consulting(props: { call: MyCall }) {
  const { consulted } = props.call;
  const agentName = useNames("agents");
  useHotkeys([
    { key: "C", run: () => void completeTransfer(props.call) },
    { key: "J", run: () => void joinAll(props.call) },
    { key: "B", run: () => void backToCaller(props.call) },
  ]);
  if (!consulted) return null;
  const ready = consulted.status === "connected";
  const name = consulted.agent ? agentName(consulted.agent) : address(consulted.address);
  return (
    <section aria-label={t("Consultation")} className="flex flex-wrap items-center gap-2 rounded-lg border border-accent bg-accent-soft p-3">
      <p className="me-auto font-medium">
        {ready ? t("You speak with {name}", { name }) : consulted.status === "ringing" ? t("{name} is ringing", { name }) : t("Calling {name}", { name })} <span className="ms-1 font-normal text-muted">{t("The caller hears music.")}</span>
      </p>
      <Button look="primary" isDisabled={!ready} busy="complete" hotkey="C" icon={<ArrowRightLeft size={15} aria-hidden />} onPress={() => void completeTransfer(props.call)}>
        {t("Complete transfer")}
      </Button>
      <Button isDisabled={!ready} busy="merge" hotkey="J" icon={<UsersRound size={15} aria-hidden />} onPress={() => void joinAll(props.call)}>
        {t("Join all")}
      </Button>
      <Button busy="cancel-consult" hotkey="B" icon={<Undo2 size={15} aria-hidden />} onPress={() => void backToCaller(props.call)}>
        {t("Back to caller")}
      </Button>
    </section>
  );
}

const sameAddress = (a: Address, b: Address): boolean => a.kind === b.kind && (a.kind === "anonymous" || ("value" in b && a.value === b.value));

const KEYS = [..."123456789*0#"];

function Keypad(props: { call: MyCall }) {
  const [sent, setSent] = useState("");
  const press = (key: string) => {
    setSent((s) => (s + key).slice(-24));
    void digits(props.call, key);
  };
  useEffect(() => {
    const typed = (event: KeyboardEvent) => {
      const field = event.target instanceof HTMLElement && event.target.matches("input, textarea");
      if (event.altKey || event.ctrlKey || event.metaKey || field || !KEYS.includes(event.key)) return;
      setSent((s) => (s + event.key).slice(-24));
      void digits(props.call, event.key);
    };
    window.addEventListener("keydown", typed);
    return () => window.removeEventListener("keydown", typed);
  }, [props.call]);
  return (
    <section aria-label={t("Keypad")} className="flex w-56 flex-col gap-2 rounded-lg border border-line bg-surface p-3">
      <p className="h-6 truncate text-center font-mono" aria-live="polite">
        {sent || <span className="font-sans text-xs text-muted">{t("Keys go to the other side.")}</span>}
      </p>
      <div className="grid grid-cols-3 gap-1.5" dir="ltr">
        {KEYS.map((key) => (
          <Button key={key} size="large" className="px-0! text-base" onPress={() => press(key)}>
            {key}
          </Button>
        ))}
      </div>
    </section>
  );
}

function Parties(props: { call: MyCall }) {
  const own = useSession()?.agent;
  const agentName = useNames("agents");
  const { interaction } = props.call;
  const legs = interaction.legs.filter((l) => l.status !== "disconnected");
  return (
    <ul aria-label={t("In the call")} className="grid grid-cols-[repeat(auto-fill,minmax(15rem,1fr))] gap-2">
      {legs.map((l) => (
        <li key={l.id} className="flex items-center gap-3 rounded-lg border border-line bg-surface px-3 py-2">
          <span className="min-w-0 flex-1">
            <span className="block truncate font-medium">{l.agent ? agentName(l.agent) : address(l.address, sameAddress(l.address, interaction.from) ? interaction.from_name : null)}</span>
            <span className="block text-xs text-muted">{l.agent && l.agent === own ? t("You") : roleWord(l.role)}</span>
          </span>
          {l.held ? <Badge tone="warn">{t("On hold")}</Badge> : null}
          {l.muted ? <Badge tone="warn">{t("Muted")}</Badge> : null}
          <Badge tone={l.status === "connected" ? "good" : "info"}>{statusWord(l.status)}</Badge>
        </li>
      ))}
    </ul>
  );
}
