// My work: offers on top with their countdown, then what is live, then wrap-up, then what was.

import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { api } from "../lib/api";
import { Clock, Countdown } from "../lib/clock";
import { customer, plainAddress, when } from "../lib/format";
import { t } from "../lib/i18n";
import { onEvent, useAgent, useInteraction, useInteractions } from "../lib/live";
import type { LiveOffer } from "../lib/live-types";
import { queries, useNames } from "../lib/names";
import { useSession } from "../lib/session";
import { useSoftphone, type SoftLeg } from "../lib/softphone";
import { Button } from "../ui/button";
import { Badge } from "../ui/parts";
import { useFromPage } from "../contacts/in-call";
import { PageContext } from "../contacts/page-context";
import { Check, PhoneOff, X } from "../ui/icons";
import { accept, callOf, decline, pickUp, reject } from "./commands";
import { CardTexts, Picture } from "./ring-card";
import { legCaller, offerSeenAt, ringingLegs } from "./offers";

const RECENT = 12;

export function useRecent() {
  const agent = useSession()?.agent;
  const query = useQuery({
    queryKey: ["recent", agent],
    queryFn: async () => (await api.GET("/v1/interactions", { params: { query: { limit: RECENT, agent: agent ?? "" } } })).data?.items ?? [],
    enabled: Boolean(agent),
  });
  useEffect(
    () =>
      onEvent((event) => {
        if (["interaction.ended", "wrap_up.noted", "offer.ended"].includes(event.type)) void queries.invalidateQueries({ queryKey: ["recent"] });
      }),
    [],
  );
  return query;
}

export function WorkList(props: { chosen: string | null; onChoose: (id: string | null) => void }) {
  const session = useSession();
  const me = useAgent(session?.agent);
  const interactions = useInteractions();
  const phone = useSoftphone();
  const recent = useRecent();
  const offers = me?.offers ?? [];
  const legs = ringingLegs(phone.legs, offers);
  const call = callOf(me, interactions);
  const wrapping = me?.state === "wrap_up" ? me.interaction : null;
  const past = (recent.data ?? []).filter((i) => i.id !== call?.interaction.id && i.id !== wrapping);
  const quiet = !offers.length && !legs.length && !call && !wrapping;
  return (
    <div className="flex flex-col gap-4 p-3">
      {offers.map((o) => (
        <OfferCard key={o.id} offer={o} />
      ))}
      {legs.map((l) => (
        <RingCard key={l.leg} leg={l} />
      ))}
      {call ? (
        <Group title={t("Live")}>
          <Item chosen={!props.chosen} onPress={() => props.onChoose(null)} title={customer(call.interaction)} detail={<Clock since={call.leg.since} />} badge={call.held ? <Badge tone="warn">{t("On hold")}</Badge> : <Badge tone="good">{t("Connected")}</Badge>} />
        </Group>
      ) : null}
      {wrapping && me ? (
        <Group title={t("Wrap-up")}>
          <Item chosen={!props.chosen} onPress={() => props.onChoose(null)} title={t("Notes and result")} detail={me.wrap_up_until ? <Clock until={me.wrap_up_until} /> : null} badge={<Badge tone="info">{t("To do")}</Badge>} />
        </Group>
      ) : null}
      {quiet ? <Waiting /> : null}
      <Group title={t("Recent")}>
        {past.length ? (
          past.map((i) => <Item key={i.id} chosen={props.chosen === i.id} onPress={() => props.onChoose(i.id)} title={customer(i)} detail={when(i.started_at)} badge={i.state === "ended" ? null : <Badge>{t("Open")}</Badge>} />)
        ) : (
          <p className="px-2 py-1 text-xs text-muted">{recent.isPending ? t("Loading …") : t("Calls you answered appear here.")}</p>
        )}
      </Group>
    </div>
  );
}

function Waiting() {
  const session = useSession();
  const me = useAgent(session?.agent);
  if (!me) return null;
  const available = me.presence === "available";
  const unreachable = available && !me.phone_reachable;
  return (
    <div className="rounded-lg border border-dashed border-line px-3 py-4 text-center text-muted">
      {me.state === "not_responding" ? t("You did not answer. Set yourself available again.") : unreachable ? t("Available, but no phone of yours can be reached: calls go to others.") : available ? t("Ready. The next call rings here.") : t("You get no calls. Set yourself available at the top.")}
    </div>
  );
}

function Group(props: { title: string; children: React.ReactNode }) {
  return (
    <section aria-label={props.title} className="flex flex-col gap-0.5">
      <h2 className="px-2 pb-1 text-xs font-medium text-muted">{props.title}</h2>
      {props.children}
    </section>
  );
}

function Item(props: { chosen: boolean; onPress: () => void; title: string; detail: React.ReactNode; badge: React.ReactNode }) {
  return (
    <button
      type="button" aria-current={props.chosen ? "true" : undefined} onClick={props.onPress}
      className={`flex w-full items-center justify-between gap-2 rounded-md px-2 py-2 text-start ${props.chosen ? "bg-accent-soft" : "hover:bg-sunken"}`}
    >
      <span className="min-w-0">
        <span className="block truncate font-medium">{props.title}</span>
        <span className="block text-xs text-muted">{props.detail}</span>
      </span>
      {props.badge}
    </button>
  );
}

function OfferCard(props: { offer: LiveOffer }) {
  const { offer } = props;
  const i = useInteraction(offer.interaction);
  const queueName = useNames("queues");
  return (
    <section aria-label={t("Incoming call")} data-offer={offer.id} className="flex flex-col gap-3 rounded-lg border-2 border-accent bg-raised p-3 shadow-md">
      <div className="flex items-start gap-3">
        <Picture card={i?.card} />
        <div className="min-w-0 flex-1">
          <p dir="auto" className="truncate text-base font-semibold">{i ? customer(i) : t("Caller")}</p>
          {i?.card?.name ? <p className="truncate text-xs text-muted">{plainAddress(i.from)}</p> : null}
          <p className="truncate text-xs text-muted">{offer.queue ? queueName(offer.queue) : t("Direct call")}</p>
          {i ? (
            <p className="text-xs text-muted">
              {t("waiting")} <Clock since={i.waiting_since ?? i.started} />
            </p>
          ) : null}
        </div>
        <Clock until={offer.deadline} className="text-lg font-semibold" />
      </div>
      <CardTexts card={i?.card} />
      <Countdown from={offerSeenAt(offer)} until={offer.deadline} />
      <FromPage interaction={offer.interaction} />
      <div className="flex flex-col gap-2">
        <Button look="good" size="large" busy={`offer ${offer.id}`} hotkey="A" icon={<Check size={16} aria-hidden />} onPress={() => void accept(offer)}>
          {t("Accept")}
        </Button>
        <Button busy={`offer ${offer.id}`} hotkey="R" icon={<X size={16} aria-hidden />} onPress={() => void reject(offer)}>
          {t("Reject")}
        </Button>
      </div>
    </section>
  );
}

/** What the customer looks at, before anybody answers. */
function FromPage(props: { interaction: string }) {
  const { context, contact } = useFromPage(props.interaction);
  return (
    <>
      {contact?.mode === "video" ? <Badge tone="info" className="self-start">{t("Video")}</Badge> : null}
      <PageContext context={context} />
    </>
  );
}

/** A call that rings here without an offer: a colleague, a consultation. */
function RingCard(props: { leg: SoftLeg }) {
  const { leg } = props;
  return (
    <section aria-label={t("Incoming call")} className="flex flex-col gap-3 rounded-lg border-2 border-accent bg-raised p-3 shadow-md">
      <div className="flex items-center gap-3">
        <Picture card={leg.card} />
        <div className="min-w-0 flex-1">
          <p dir="auto" className="truncate text-base font-semibold">{legCaller(leg)}</p>
          {leg.card?.name ? <p className="truncate text-xs text-muted">{typeof leg.from === "string" ? leg.from : plainAddress(leg.from)}</p> : null}
        </div>
      </div>
      <CardTexts card={leg.card} />
      <div className="flex flex-col gap-2">
        <Button look="good" size="large" busy={`leg ${leg.leg}`} hotkey="A" icon={<Check size={16} aria-hidden />} onPress={() => void pickUp(leg)}>
          {t("Answer")}
        </Button>
        <Button busy={`leg ${leg.leg}`} hotkey="R" icon={<PhoneOff size={16} aria-hidden />} onPress={() => void decline(leg)}>
          {t("Decline")}
        </Button>
      </div>
    </section>
  );
}
