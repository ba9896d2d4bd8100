// How well it is known who calls, from the interaction's events: what was proven, by what, until when.

import { t } from "../lib/i18n";
import { when } from "../lib/format";
import { Badge, type Tone } from "../ui/parts";
import { ShieldCheck, ShieldQuestion } from "../ui/icons";
import { useTrail } from "./trail";
import type { StreamEvent } from "../lib/live-types";

interface Known {
  tone: Tone;
  level: string;
  detail: string;
  at: string | null;
}

const LEVELS: Record<string, [Tone, () => string]> = {
  refuted: ["bad", () => t("Claim refuted")],
  unknown: ["plain", () => t("Not proven")],
  asserted: ["warn", () => t("Vouched for on the way")],
  number: ["info", () => t("Number proven")],
  person: ["good", () => t("Person proven")],
  strong: ["good", () => t("Person strongly proven")],
};
const RANK = ["unknown", "asserted", "number", "person", "strong"];

const methods = (d: Record<string, unknown>): string => ((d.methods as string[] | undefined) ?? []).map((m) => m.replaceAll("_", " ")).join(", ");

/** The strongest that is known: proofs of the person, else what the network proved about the number. */
export function knownOf(events: StreamEvent[]): Known {
  let known: Known & { rank: number } = { tone: "plain", level: t("Not proven"), detail: t("The number is as the network told it. Ask before you give anything away."), at: null, rank: 0 };
  for (const event of events) {
    const trust = (event.data.trust ?? event.data) as Record<string, unknown>;
    if (event.type === "proof.changed") {
      const level = Number(event.data.level ?? 0);
      const until = event.data.expires_at ? t("until {time}", { time: when(String(event.data.expires_at)) }) : "";
      known = { tone: level ? "good" : "plain", level: level ? t("Proven, level {level}", { level }) : t("Not proven"), detail: [methods(event.data), until].filter(Boolean).join(" · "), at: event.time, rank: level ? 9 : 0 };
    } else if (typeof trust.level === "string" && trust.level in LEVELS) {
      const [tone, word] = LEVELS[trust.level]!;
      const rank = RANK.indexOf(trust.level);
      if (trust.level === "refuted" || rank > known.rank) known = { tone, level: word(), detail: [methods(trust), typeof trust.by === "string" ? trust.by : ""].filter(Boolean).join(" · "), at: event.time, rank };
    }
  }
  return known;
}

export function Proof(props: { interaction: string }) {
  const { data } = useTrail(props.interaction);
  const known = knownOf(data ?? []);
  return (
    <section aria-label={t("Who is it")} className="flex items-start gap-3 rounded-lg border border-line p-3">
      {known.tone === "good" ? <ShieldCheck size={18} aria-hidden className="mt-0.5 text-good" /> : <ShieldQuestion size={18} aria-hidden className="mt-0.5 text-muted" />}
      <div className="min-w-0">
        <p className="flex items-center gap-2">
          <Badge tone={known.tone}>{known.level}</Badge>
          {known.at ? <span className="text-xs text-muted">{when(known.at)}</span> : null}
        </p>
        {known.detail ? <p className="mt-1 text-xs text-muted">{known.detail}</p> : null}
      </div>
    </section>
  );
}
