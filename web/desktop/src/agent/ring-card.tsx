// Who calls, as the call's own metadata has it: picture, name, reason, what is offered, and how
// well all that is proven. Everything is text; the picture is our own copy.

import { t } from "../lib/i18n";
import type { RingCard } from "../lib/live-types";
import { Badge } from "../ui/parts";
import { PhoneIncoming, ShieldCheck, ShieldQuestion } from "../ui/icons";

export function Proof(props: { card: RingCard }) {
  const { proof, by } = props.card;
  return proof === "signed" ? (
    <Badge tone="good">
      <ShieldCheck size={12} aria-hidden />
      {by ? t("Signed by {by}", { by }) : t("Signed")}
    </Badge>
  ) : (
    <Badge tone="info">
      <ShieldQuestion size={12} aria-hidden />
      {by ? t("Says {by}", { by }) : t("Says the trunk")}
    </Badge>
  );
}

export function Picture(props: { card: RingCard | null | undefined; large?: boolean }) {
  const path = props.card?.picture;
  const size = props.large ? "size-12" : "size-9";
  if (path) return <img src={path} alt={t("Picture of the caller")} data-card-picture className={`${size} shrink-0 rounded-full border border-line bg-surface object-cover`} />;
  return (
    <span className={`flex ${size} shrink-0 items-center justify-center rounded-full bg-accent-soft text-accent motion-safe:animate-pulse`}>
      <PhoneIncoming size={18} aria-hidden />
    </span>
  );
}

/** Below the name: why they call, what they offer, where there is more. */
export function CardTexts(props: { card: RingCard | null | undefined; link?: boolean }) {
  const { card } = props;
  if (!card) return null;
  return (
    <div data-card className="flex min-w-0 flex-col items-start gap-1.5">
      {card.reason ? (
        <p dir="auto" className="w-full font-medium wrap-anywhere">
          {card.reason}
        </p>
      ) : null}
      {card.incentive ? (
        <p dir="auto" className="w-full rounded-md bg-good-soft px-2 py-1 text-xs text-good">
          {card.incentive.text} <span className="opacity-80">{card.incentive_given ? t("Given") : t("If you answer")}</span>
        </p>
      ) : null}
      <Proof card={card} />
      {props.link && card.link ? (
        <a href={card.link} target="_blank" rel="noopener noreferrer" className="text-xs text-accent underline">
          {t("More about this call")}
        </a>
      ) : null}
    </div>
  );
}
