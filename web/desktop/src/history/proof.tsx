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

/** The newest word on who calls. Unknown kinds are left to the trail. */
export function knownOf(events: StreamEvent[]): Known {
  for (const event of [...events].reverse()) {
    if (!/^(identity|caller|customer|proof)\./.test(event.type)) continue;
    const d = event.data;
    const level = d.level ?? d.trust ?? d.verdict ?? d.attestation;
    if (typeof level !== "string" && typeof level !== "number") continue;
    const detail = [d.method, d.reason, d.detail].filter((x) => typeof x === "string").join(" · ");
    const strong = /high|full|verified|proven|^a$|^[3-9]$/i.test(String(level));
    const bad = /fail|spoof|forged|untrusted|suspect/i.test(String(level));
    return { tone: bad ? "bad" : strong ? "good" : "warn", level: String(level).replaceAll("_", " "), detail, at: event.time };
  }
  return { tone: "plain", level: t("Not proven"), detail: t("The number is as the network told it. Ask before you give anything away."), at: null };
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
