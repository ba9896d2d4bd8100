// Who is on the line and how far that is proven: who, by what, by whom, how old the proof is. Told in words, with a
// mark of its own shape for each level, so that nobody has to tell colours apart.

import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, type Schemas } from "../lib/api";
import { Clock } from "../lib/clock";
import { when } from "../lib/format";
import { t } from "../lib/i18n";
import { onEvent } from "../lib/live";
import { queries } from "../lib/names";
import { may } from "../lib/session";
import { Badge, Definition, type Tone } from "../ui/parts";
import { Shield, ShieldCheck, ShieldQuestion, ShieldX, UserRoundCheck } from "../ui/icons";

type Trust = Schemas["Trust"];
type Customer = Schemas["Customer"];

const RANK = ["unknown", "refuted", "asserted", "number", "person", "strong"];

interface Level {
  tone: Tone;
  word: string;
  meaning: string;
  mark: typeof Shield;
}

export function levelOf(level: string): Level {
  const levels: Record<string, Level> = {
    refuted: { tone: "bad", word: t("Claim refuted"), meaning: t("Something was claimed about the caller that is not so. Trust nothing of it."), mark: ShieldX },
    unknown: { tone: "plain", word: t("Not proven"), meaning: t("Nothing shows who this is. Ask before you give anything away."), mark: ShieldQuestion },
    asserted: { tone: "warn", word: t("Vouched for on the way"), meaning: t("Somebody on the way vouches for the call, not for the number."), mark: Shield },
    number: { tone: "info", word: t("Number proven"), meaning: t("The call does come from this number. Who holds the telephone is not proven."), mark: ShieldCheck },
    person: { tone: "good", word: t("Person proven"), meaning: t("The customer has shown who it is."), mark: UserRoundCheck },
    strong: { tone: "good", word: t("Person strongly proven"), meaning: t("The customer has shown who it is, in a way that cannot be stolen by asking."), mark: UserRoundCheck },
  };
  return levels[level] ?? levels.unknown!;
}

export function methodWord(method: string): string {
  const words: Record<string, string> = {
    passport: t("signed by the caller's provider"), diversion: t("signed, and forwarded with its proof"), trunk_word: t("the trunk's word"), own_device: t("a phone of this house"),
    call_token: t("announced beforehand"), announced: t("announced beforehand"), passkey: t("passkey"), device_key: t("key of the customer's app"), pin: t("PIN"), totp: t("authenticator app"),
    one_time_code: t("code sent to the customer"), code: t("code sent to the customer"), one_time_link: t("link sent to the customer"), link: t("link sent to the customer"), photo: t("picture compared"),
    knowledge: t("questions answered"), assertion: t("carried over from another call"),
  };
  return words[method] ?? method.replaceAll("_", " ");
}

function reasonWord(reason: string): string {
  const words: Record<string, string> = {
    not_checked: t("the call's identity was not checked"), no_identity: t("the call brought no signature"), attestation_b: t("its provider knows the customer, not the number"),
    attestation_c: t("its provider only passed the call on"), stale: t("the signature is too old"), replayed: t("the signature was seen before"), anonymous: t("the number is withheld"),
  };
  return words[reason] ?? reason.replaceAll("_", " ");
}

/** What holds now: the stronger of what the network proved and what the customer proved. */
export function strongest(call: Trust | null | undefined, customer: Customer | undefined): Trust | null {
  const own = customer && customer.proof.level > 0 ? (customer.proof.trust as unknown as Trust) : null;
  if (!own) return call ?? null;
  return RANK.indexOf(own.level) >= RANK.indexOf(call?.level ?? "unknown") ? own : (call ?? null);
}

/** Events after which it is read again. */
const TELLS = ["proof.changed", "identity.judged", "leg.moved_in"];

function useTrust(interaction: string) {
  const call = useQuery({ queryKey: ["interaction", interaction], queryFn: async () => (await api.GET("/v1/interactions/{id}", { params: { path: { id: interaction } } })).data, staleTime: 5_000 });
  const seen = may("proofs:read") || may("proofs:read-own");
  const customer = useQuery({ queryKey: ["customer", interaction], enabled: seen, retry: false, queryFn: async () => (await api.GET("/v1/interactions/{id}/customer", { params: { path: { id: interaction } } })).data as Customer });
  useEffect(
    () =>
      onEvent((event) => {
        if (event.subject !== interaction || !TELLS.includes(event.type)) return;
        void queries.invalidateQueries({ queryKey: ["interaction", interaction] });
        void queries.invalidateQueries({ queryKey: ["customer", interaction] });
      }),
    [interaction],
  );
  return { trust: strongest(call.data?.trust, customer.data), customer: customer.data };
}

export function Proof(props: { interaction: string }) {
  const { trust, customer } = useTrust(props.interaction);
  const level = levelOf(trust?.level ?? "unknown");
  const Mark = level.mark;
  const colour = { good: "text-good", warn: "text-warn", bad: "text-bad", info: "text-info", plain: "text-muted" }[level.tone];
  const person = customer?.name ?? null;
  const who = person && customer?.proof.level ? person : (trust?.who ?? null);
  const proven = trust !== null && trust.level !== "unknown";
  const items: [string, React.ReactNode][] = [];
  if (who) items.push([t("Who"), <span key="who" dir="auto">{who}</span>]);
  if (person && !customer?.proof.level) items.push([t("Said to be"), person]);
  if (trust?.methods.length) items.push([t("How"), trust.methods.map(methodWord).join(", ")]);
  if (trust?.by) items.push([t("By whom"), trust.by]);
  if (proven) items.push([t("Age"), <Clock key="age" since={trust.at} />]);
  if (customer?.proof.expires_at && customer.proof.level) items.push([t("Good until"), when(customer.proof.expires_at)]);
  if (trust?.diversions?.length) items.push([t("Forwarded by"), trust.diversions.join(", ")]);
  const why = (trust?.reasons ?? []).map(reasonWord).join(", ");
  return (
    <section aria-label={t("Who is it")} data-trust={trust?.level ?? "unknown"} className="flex flex-col gap-2.5 rounded-lg border border-line p-3">
      <div className="flex items-start gap-3">
        <Mark size={20} aria-hidden className={`mt-0.5 shrink-0 ${colour}`} />
        <div className="min-w-0">
          <Badge tone={level.tone}>{level.word}</Badge>
          <p className="mt-1 text-xs text-muted">
            {level.meaning}
            {why ? ` ${t("Why no more: {reasons}.", { reasons: why })}` : ""}
          </p>
        </div>
      </div>
      {items.length ? <Definition items={items} className="text-xs" /> : null}
    </section>
  );
}
