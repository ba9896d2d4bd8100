// Connection and phone, told honestly: what works, what does not, and what to do.

import { useEffect, useState, useSyncExternalStore } from "react";
import { Button as AriaButton, Dialog, DialogTrigger, Popover } from "react-aria-components";
import { chooseDevice, meter, microphone, useDevices, type MicrophoneState } from "../lib/devices";
import { number } from "../lib/format";
import { t } from "../lib/i18n";
import { useAgent, usePhones } from "../lib/live";
import { useRows } from "../lib/names";
import { chime, mayNotify, ringVolume, setRingVolume } from "../lib/ring";
import { session, useSession } from "../lib/session";
import { socket } from "../lib/socket";
import { changeMicrophone, startSoftphone, stopSoftphone, useSoftphone } from "../lib/softphone";
import { notify } from "../lib/tell";
import { SelfTest } from "../agent/self-test";
import { Button } from "../ui/button";
import { Select } from "../ui/field";
import { Badge, type Tone } from "../ui/parts";
import { Headphones, Mic, MicOff, Phone, Volume2, Wifi, WifiOff } from "../ui/icons";

export const useConnection = () => useSyncExternalStore(socket.health.on, () => socket.report);

export function ConnectionHealth() {
  const { state, rttMs } = useConnection();
  const told: Record<typeof state, [string, string]> = {
    connecting: [t("Connecting"), "text-warn"],
    connected: [t("Connected"), "text-good"],
    slow: [t("Slow connection"), "text-warn"],
    lost: [t("Connection lost"), "text-bad"],
  };
  const [word, colour] = told[state];
  const text = rttMs !== null && state !== "lost" ? `${word}, ${number(rttMs)} ms` : word;
  return (
    <span role="img" aria-label={text} title={text} data-connection={state} className={`flex h-9 items-center gap-1.5 px-1.5 ${colour}`}>
      {state === "lost" ? <WifiOff size={17} aria-hidden /> : <Wifi size={17} aria-hidden />}
      {state === "connected" ? null : <span className="text-xs font-medium">{word}</span>}
    </span>
  );
}

export function microphoneHelp(state: MicrophoneState | string): string {
  switch (state) {
    case "denied":
      return t("The browser does not give this page the microphone. Click the icon left of the address, allow the microphone, and reload. Until then your desk phone takes the calls.");
    case "missing":
      return t("No microphone was found. Plug in a headset, or take calls with your desk phone.");
    case "insecure":
      return t("Browsers give microphones only to pages with HTTPS (or on this machine). Until then your desk phone takes the calls.");
    case "busy":
      return t("The microphone is held by another program. Close it and try again, or take calls with your desk phone.");
    case "webrtc_off":
      return t("This server takes no calls from browsers. Your desk phone takes the calls.");
    default:
      return t("Calls in the browser do not work at the moment. Your desk phone takes the calls.");
  }
}

/** The phone of this agent: this browser or the desk phone. */
export function PhoneHealth() {
  const phone = useSoftphone();
  const me = useAgent(useSession()?.agent);
  if (!me) return null;
  const look: Record<typeof phone.state, [string, Tone]> = {
    on: [t("This browser"), "good"],
    off: [me.phone_reachable ? t("Desk phone") : t("No phone"), me.phone_reachable ? "good" : "bad"],
    starting: [t("Starting"), "warn"],
    elsewhere: [t("In another tab"), "warn"],
    unavailable: [me.phone_reachable ? t("Desk phone") : t("No phone"), me.phone_reachable ? "warn" : "bad"],
  };
  const [word, tone] = look[phone.state];
  const colour = { good: "text-good", warn: "text-warn", bad: "text-bad", info: "text-info", plain: "text-muted" }[tone];
  return (
    <DialogTrigger>
      <AriaButton aria-label={t("Phone: {state}", { state: word })} data-phone={phone.state} className="flex h-9 cursor-default items-center gap-2 rounded-md px-2 hover:bg-sunken">
        <span className={colour}>{phone.state === "on" ? <Headphones size={17} aria-hidden /> : phone.state === "unavailable" ? <MicOff size={17} aria-hidden /> : <Phone size={17} aria-hidden />}</span>
        <span className="hidden sm:inline">{word}</span>
      </AriaButton>
      <Popover placement="bottom end" className="z-50 w-96 max-w-[calc(100vw-2rem)] rounded-lg border border-line bg-raised shadow-xl">
        <Dialog aria-label={t("Phone")} className="flex max-h-[80vh] flex-col gap-4 overflow-auto p-4 outline-none">
          <PhonePanel />
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}

export function PhonePanel() {
  const phone = useSoftphone();
  const on = phone.state === "on" || phone.state === "elsewhere";
  return (
    <>
      <section className="flex flex-col gap-2">
        <div className="flex items-center justify-between gap-2">
          <h2 className="font-semibold">{t("Calls in this browser")}</h2>
          <Badge tone={phone.state === "on" ? "good" : phone.state === "unavailable" ? "bad" : "plain"}>{phone.state === "on" ? t("On") : phone.state === "elsewhere" ? t("In another tab") : phone.state === "unavailable" ? t("Not possible") : t("Off")}</Badge>
        </div>
        {phone.state === "unavailable" ? (
          <p role="alert" className="rounded-md bg-warn-soft p-3 text-warn">
            {microphoneHelp(phone.why)}
          </p>
        ) : null}
        {phone.state === "elsewhere" ? <p className="text-muted">{t("Another tab of yours rings. Take the calls over here if you like.")}</p> : null}
        <div className="flex flex-wrap gap-2">
          {phone.state === "on" ? null : (
            <Button look="primary" isDisabled={phone.state === "starting"} icon={<Mic size={15} aria-hidden />} onPress={() => void startSoftphone()}>
              {phone.state === "elsewhere" ? t("Take calls here") : phone.state === "unavailable" ? t("Try again") : t("Take calls in this browser")}
            </Button>
          )}
          {on ? <Button onPress={stopSoftphone}>{t("Use the desk phone")}</Button> : null}
        </div>
      </section>
      <section className="flex flex-col gap-1 border-t border-line pt-3">
        <h2 className="font-semibold">{t("Desk phone")}</h2>
        <DeskPhone here={phone.state === "on"} />
      </section>
      <Sound />
      <SelfTest />
    </>
  );
}

/** Whether the desk phone is there; while this browser is the phone, that tells nothing of it. */
function DeskPhone(props: { here: boolean }) {
  const own = session()?.agent;
  const me = useAgent(own);
  const phone = useRows("agents").data?.find((a) => a.id === own)?.phone;
  const registered = usePhones().get(phone ?? "")?.registered ?? false;
  const elsewhere = !props.here && me?.phone_reachable;
  const words = registered || elsewhere ? t("A phone of yours can be reached.") : props.here ? t("Not registered. It is not needed while calls come to this browser.") : t("No phone of yours can be reached. Register it, or take calls in this browser.");
  return <p className="text-muted">{words}</p>;
}

function Sound() {
  const devices = useDevices();
  const [volume, setVolume] = useState(ringVolume());
  const [notifications, setNotifications] = useState(mayNotify());
  const byDefault = { id: "", name: t("As the system has it") };
  const choices = (list: MediaDeviceInfo[]) => [byDefault, ...list.filter((d) => d.deviceId !== "default").map((d) => ({ id: d.deviceId, name: d.label || t("Without a name") }))];
  return (
    <section className="flex flex-col gap-3 border-t border-line pt-3">
      <h2 className="font-semibold">{t("Sound")}</h2>
      <Select
        label={t("Microphone")} value={devices.input} choices={choices(devices.inputs)}
        onChange={(id) => {
          chooseDevice("input", id);
          void changeMicrophone().catch(() => notify(t("This microphone cannot be used."), "bad"));
        }}
      />
      <Level />
      <Select label={t("Loudspeaker")} value={devices.output} choices={choices(devices.outputs)} onChange={(id) => chooseDevice("output", id)} />
      <label className="flex items-center gap-3 text-xs font-medium">
        <Volume2 size={15} aria-hidden className="text-muted" />
        {t("Ringing")}
        <input
          type="range" min="0" max="1" step="0.1" value={volume} className="flex-1 accent-accent"
          onChange={(e) => {
            setVolume(Number(e.target.value));
            setRingVolume(Number(e.target.value));
          }}
          onPointerUp={() => chime(devices.output || undefined)} onKeyUp={() => chime(devices.output || undefined)}
        />
      </label>
      {notifications === "default" ? (
        <Button className="self-start" onPress={() => void Notification.requestPermission().then(setNotifications)}>
          {t("Show notifications when this page is in the background")}
        </Button>
      ) : null}
      {notifications === "denied" ? <p className="text-xs text-muted">{t("Notifications are blocked for this page in the browser's settings.")}</p> : null}
    </section>
  );
}

/** How loud the microphone is right now. */
function Level() {
  const [level, setLevel] = useState<number | null>(null);
  const [on, setOn] = useState(false);
  useEffect(() => {
    if (!on) return;
    let stop = () => {};
    let gone = false;
    let stream: MediaStream | null = null;
    microphone()
      .then((s) => {
        stream = s;
        if (gone) s.getTracks().forEach((x) => x.stop());
        else stop = meter(s, setLevel);
      })
      .catch(() => setOn(false));
    return () => {
      gone = true;
      stop();
      stream?.getTracks().forEach((x) => x.stop());
      setLevel(null);
    };
  }, [on]);
  const { state } = useDevices();
  return (
    <div className="flex flex-col gap-1">
      <div className="flex items-center gap-3">
        <div role="meter" aria-label={t("Level of the microphone")} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round((level ?? 0) * 100)} className="h-2 flex-1 overflow-hidden rounded-full bg-line">
          <div className="h-full origin-left rounded-full bg-good transition-transform duration-75 rtl:origin-right" style={{ transform: `scaleX(${level ?? 0})` }} />
        </div>
        <Button size="small" onPress={() => setOn(!on)}>
          {on ? t("Stop") : t("Try the microphone")}
        </Button>
      </div>
      {["denied", "missing", "busy", "insecure"].includes(state) ? <p className="text-xs text-bad">{microphoneHelp(state)}</p> : null}
    </div>
  );
}
