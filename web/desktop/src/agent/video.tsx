// Pictures in a call with a customer's page: by consent of both sides, both pictures, back to voice at any time.

import { useEffect, useRef } from "react";
import { t } from "../lib/i18n";
import { useDevices } from "../lib/devices";
import { startVideo, stopVideo, useSoftphone, type SoftLeg } from "../lib/softphone";
import { say } from "../lib/tell";
import { Button } from "../ui/button";
import { Video } from "../ui/icons";
import { answerMode, askMode, type Contact } from "../contacts/in-call";
import type { MyCall } from "./commands";

/** This browser's leg of the call, when the call is carried here. */
export function useSoftLeg(call: MyCall): SoftLeg | undefined {
  return useSoftphone().legs.find((l) => l.leg === call.leg.id);
}

export type VideoState = "off" | "asked" | "on";
export const videoState = (contact: Contact | undefined): VideoState => (contact?.mode === "video" ? "on" : contact?.asked && !contact.asked.by_customer ? "asked" : "off");

export async function toggleVideo(contact: Contact): Promise<void> {
  const on = contact.mode === "video";
  if (await askMode(contact.id, on ? "audio" : "video")) say(on ? t("Back to voice.") : t("The customer is asked for video."));
}

/** The question of the customer, and both pictures. */
export function VideoArea(props: { call: MyCall; contact: Contact | undefined }) {
  const { call, contact } = props;
  const soft = useSoftLeg(call);
  const leg = soft && soft.state === "connected" && soft.media === "connected" ? soft.leg : null;
  const on = contact?.mode === "video";
  // What both agreed to is what the camera does.
  useEffect(() => {
    if (!leg) return;
    void (on ? startVideo(leg) : stopVideo(leg)).catch(() => {});
  }, [leg, on]);
  const asked = contact?.asked?.by_customer ? contact.asked : null;
  const id = contact?.id;
  useEffect(() => {
    if (asked) say(t("The customer asks for video."), true);
  }, [asked?.mode]); // eslint-disable-line react-hooks/exhaustive-deps -- told once per question
  return (
    <>
      {asked && id ? (
        <section aria-label={t("Video")} className="flex flex-wrap items-center gap-2 rounded-lg border border-accent bg-accent-soft p-3">
          <p className="me-auto flex items-center gap-2 font-medium">
            <Video size={16} aria-hidden />
            {t("The customer asks for video.")}
          </p>
          <Button look="good" busy={`mode ${id}`} onPress={() => void answerMode(id, true)}>
            {t("Agree")}
          </Button>
          <Button busy={`mode ${id}`} onPress={() => void answerMode(id, false)}>
            {t("Stay with voice")}
          </Button>
        </section>
      ) : null}
      {on && soft ? <Pictures leg={soft} /> : null}
      {on && !soft ? <p className="rounded-md bg-warn-soft px-3 py-2 text-warn">{t("Pictures are shown where the browser carries the call. Move it to this browser to see the customer.")}</p> : null}
    </>
  );
}

function Pictures(props: { leg: SoftLeg }) {
  const { picture: far, camera } = props.leg;
  return (
    <section aria-label={t("Video")} data-pictures className="relative overflow-hidden rounded-lg border border-line bg-black">
      {far ? <Picture stream={far} label={t("Picture of the customer")} mark="far" className="mx-auto max-h-80 w-full object-contain" /> : <p className="py-16 text-center text-white">{t("The picture of the customer comes in a moment.")}</p>}
      {camera ? (
        <Picture stream={camera} label={t("Your own picture")} mark="own" className="absolute end-3 bottom-3 w-32 rounded-md border border-white/40 shadow-lg [transform:scaleX(-1)]" />
      ) : (
        <p className="absolute end-3 bottom-3 rounded bg-black/70 px-2 py-1 text-xs text-white">{t("Your camera is off")}</p>
      )}
    </section>
  );
}

/** A picture alone; the voice comes from the call's own element. */
function Picture(props: { stream: MediaStream; label: string; mark: string; className: string }) {
  const element = useRef<HTMLVideoElement>(null);
  const { output } = useDevices();
  useEffect(() => {
    if (element.current && element.current.srcObject !== props.stream) element.current.srcObject = props.stream;
  }, [props.stream, output]);
  return (
    <video ref={element} data-picture={props.mark} aria-label={props.label} autoPlay playsInline muted className={props.className}>
      <track kind="captions" />
    </video>
  );
}
