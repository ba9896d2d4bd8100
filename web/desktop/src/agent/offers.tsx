// Offers as they come: the sound, the system's notification, the announcement, the keys.

import { useEffect, useRef } from "react";
import { currentDevices } from "../lib/devices";
import { customer } from "../lib/format";
import { useHotkeys } from "../lib/hotkeys";
import { t } from "../lib/i18n";
import { live, serverNow, useAgent, useInteractions } from "../lib/live";
import type { LiveOffer } from "../lib/live-types";
import { nameOf, useRows } from "../lib/names";
import { ring, stopRinging } from "../lib/ring";
import { answerWhenItRings } from "../lib/push";
import { useParam } from "../lib/router";
import { useSession } from "../lib/session";
import { useSoftphone, type SoftLeg } from "../lib/softphone";
import { notify, say } from "../lib/tell";
import { accept, decline, pickUp, reject } from "./commands";

/** When each offer was first seen, for its countdown. */
const seen = new Map<string, number>();
export const offerSeenAt = (offer: LiveOffer): number => seen.get(offer.id) ?? serverNow();

export function offerCaller(offer: LiveOffer): string {
  const i = live().interactions.get(offer.interaction);
  return i ? customer(i) : t("Caller");
}

/** Legs that ring at this browser and belong to no offer on the list. */
export function ringingLegs(legs: SoftLeg[], offers: LiveOffer[]): SoftLeg[] {
  return legs.filter((l) => l.state === "ringing" && !l.auto_answer && !offers.some((o) => o.id === l.offer || o.interaction === l.interaction));
}

export const legCaller = (leg: SoftLeg): string => leg.card?.name || leg.from_name || (typeof leg.from === "string" ? leg.from : "value" in leg.from ? leg.from.value : t("Anonymous"));

/** How long an offer rings before it is announced without a name. */
const NAME_MS_MAX = 1_000;

/** Mounted once per desk. */
export function OfferWatch() {
  const session = useSession();
  const me = useAgent(session?.agent);
  const phone = useSoftphone();
  const offers = me?.offers ?? [];
  const legs = ringingLegs(phone.legs, offers);
  const waiting = [...offers.map((o) => o.id), ...legs.map((l) => l.leg)].join(" ");
  const interactions = useInteractions();
  useRows("queues");
  const unknown = offers.some((o) => !interactions.has(o.interaction));
  const told = useRef(new Set<string>());
  const latest = useRef({ offers, legs });
  useEffect(() => {
    latest.current = { offers, legs };
  });

  useEffect(() => {
    const now = latest.current;
    const ids = new Set(waiting.split(" ").filter(Boolean));
    for (const id of told.current) if (!ids.has(id)) told.current.delete(id);
    for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id);
    if (!ids.size) {
      stopRinging();
      return;
    }
    const announce = (id: string): void => {
      if (told.current.has(id)) return;
      told.current.add(id);
      const offer = now.offers.find((o) => o.id === id);
      const leg = now.legs.find((l) => l.leg === id);
      const card = leg?.card ?? live().interactions.get(offer?.interaction ?? "")?.card;
      const name = offer ? offerCaller(offer) : leg ? legCaller(leg) : "";
      const who = card?.reason ? `${name} · ${card.reason}` : name;
      const queue = offer?.queue ? nameOf("queues", offer.queue) : "";
      ring(t("Incoming call"), queue ? `${who} · ${queue}` : who, currentDevices().output || undefined);
      say(queue ? t("Incoming call from {who}, queue {queue}. Alt A accepts, Alt R rejects.", { who, queue }) : t("Incoming call from {who}. Alt A accepts, Alt R rejects.", { who }), true);
    };
    for (const id of ids) if (!seen.has(id)) seen.set(id, serverNow());
    document.querySelector("[data-offer]")?.scrollIntoView({ block: "nearest" });
    // Who it is comes a moment after that it is; a call without a name is told in the end too.
    const late = setTimeout(() => ids.forEach(announce), unknown ? NAME_MS_MAX : 0);
    return () => clearTimeout(late);
  }, [waiting, unknown]);
  useEffect(() => stopRinging, []);
  const missed = me?.state === "not_responding";
  useEffect(() => {
    if (missed) notify(t("You did not answer: calls go to others until you set yourself available."), "bad");
  }, [missed]);
  // The notification of a call was touched: this page was opened to answer it.
  const answering = useParam("answer");
  useEffect(() => {
    if (!answering) return;
    history.replaceState(null, "", location.pathname);
    answerWhenItRings(answering);
  }, [answering]);

  const first = () => latest.current;
  useHotkeys([
    {
      key: "A", when: Boolean(waiting),
      run: () => {
        const { offers, legs } = first();
        if (offers[0]) void accept(offers[0]);
        else if (legs[0]) void pickUp(legs[0]);
      },
    },
    {
      key: "R", when: Boolean(waiting),
      run: () => {
        const { offers, legs } = first();
        if (offers[0]) void reject(offers[0]);
        else if (legs[0]) void decline(legs[0]);
      },
    },
  ]);
  return null;
}
