// A call to the echo: proves microphone, network and loudspeaker before the first customer does.

import { useEffect, useState } from "react";
import { t } from "../lib/i18n";
import { useRows } from "../lib/names";
import { dial, hangUpLeg, localStream, useSoftphone } from "../lib/softphone";
import { problemText } from "../lib/tell";
import { meter } from "../lib/devices";
import { Button } from "../ui/button";
import { Badge } from "../ui/parts";
import { Activity } from "../ui/icons";

type Phase = { at: "idle" } | { at: "calling" } | { at: "listening"; sent: number; heard: number } | { at: "done"; good: boolean; detail: string };

const LISTEN_MS = 5_000;
const CONNECT_MS_MAX = 8_000;
/** Below this nothing was heard. */
const HEARD_MIN = 0.15;

export function SelfTest() {
  const phone = useSoftphone();
  const numbers = useRows("numbers").data;
  const echo = numbers?.find((n) => n.destination.to === "echo")?.number;
  const [phase, setPhase] = useState<Phase>({ at: "idle" });
  const [began, setBegan] = useState(0);
  const leg = phone.legs.find((l) => l.direction === "outbound");
  const calling = phase.at === "calling";
  const stream = leg?.remote ?? null;
  const connected = leg?.media === "connected";
  const legId = leg?.leg;

  useEffect(() => {
    if (!calling) return;
    const late = setTimeout(() => {
      setPhase({ at: "done", good: false, detail: t("No audio connection. A firewall may block it; ask for the ports in docs/webrtc.md.") });
      if (legId) void hangUpLeg(legId).catch(() => {});
    }, CONNECT_MS_MAX);
    return () => clearTimeout(late);
  }, [calling, began, legId]);

  useEffect(() => {
    if (!calling || !connected || !stream || !legId) return;
    let [sent, heard] = [0, 0];
    const own = localStream();
    const stops = [meter(stream, (v) => (heard = Math.max(heard, v))), ...(own ? [meter(own, (v) => (sent = Math.max(sent, v)))] : [])];
    const end = setTimeout(() => {
      stops.forEach((s) => s());
      const quiet = sent < HEARD_MIN;
      const good = heard >= HEARD_MIN;
      const detail = quiet ? t("Your microphone gave no sound. Is it muted?") : good ? t("You were heard, and what came back was heard here.") : t("Nothing came back. Check the loudspeaker and try again.");
      setPhase({ at: "done", good: good && !quiet, detail });
      void hangUpLeg(legId).catch(() => {});
    }, LISTEN_MS);
    return () => {
      clearTimeout(end);
      stops.forEach((s) => s());
    };
  }, [calling, connected, stream, legId]);

  if (phone.state !== "on" || !echo) return null;
  const run = async () => {
    setBegan(Date.now());
    setPhase({ at: "calling" });
    try {
      await dial({ kind: "extension", extension: echo });
    } catch (error) {
      setPhase({ at: "done", good: false, detail: problemText(error) });
    }
  };
  return (
    <section className="flex flex-col gap-2 border-t border-line pt-3" data-self-test={phase.at === "done" ? (phase.good ? "good" : "bad") : phase.at}>
      <div className="flex items-center justify-between gap-2">
        <h2 className="font-semibold">{t("Test call")}</h2>
        {phase.at === "done" ? <Badge tone={phase.good ? "good" : "bad"}>{phase.good ? t("Works") : t("Does not work")}</Badge> : null}
      </div>
      <p className="text-muted" role="status">
        {phase.at === "calling" ? t("Say something: you should hear yourself.") : phase.at === "done" ? phase.detail : t("Calls an echo for five seconds and measures what comes back.")}
      </p>
      <Button className="self-start" isDisabled={calling || (phone.legs.length > 0 && phase.at !== "done")} icon={<Activity size={15} aria-hidden />} onPress={() => void run()}>
        {calling ? t("Testing …") : t("Test my sound")}
      </Button>
    </section>
  );
}
