// What the trail says of a caller's proof and of the card that is shown while it rings.

import { t } from "../lib/i18n";

/** One step of keeping an identity over forwarding. */
export const stepWord = (step: string): string =>
  ({
    judged: t("Judged"), verified: t("Verified"), decided: t("Likely to forward?"), kept: t("Kept"), matched: t("Matched"), not_attached: t("Nothing attached"), attached: t("Attached"),
    diverted: t("Diverted"), not_diverted: t("Not diverted"), forwarded: t("Forwarded"), div_made: t("Diversion signed"), div_absent: t("Diversion not signed"), signed: t("Signed"), not_signed: t("Not signed"),
  })[step] ?? step;

/** Why a call rings without name and picture. */
export const plainWord = (why: string): string =>
  ({
    no_metadata: t("it came with none"), not_trusted: t("the trunk's word does not count"), not_verified: t("nothing of it was verified"), metadata_malformed: t("it breaks a rule of its kind"),
    caller_is_not_source: t("the caller inside is another"), source_is_not_caller: t("it is of somebody else"), metadata_of_another_call: t("it was made for another call"),
    link_refused: t("its link leads nowhere proper"), incentive_refused: t("its offer is not understood"), caller_is_reported: t("people reported this caller"),
  })[why] ?? why.replaceAll("_", " ");

const contentWord = (of: string): string => ({ picture: t("Picture"), details: t("Business card"), link: t("Link of the card") })[of] ?? of;

/** Why content of a card is left out. */
const faultWord = (fault: string): string =>
  ({
    late: t("too late"), unreachable: t("not to be had"), not_as_signed: t("not as it was signed"), unfit: t("of no use"), other_caller: t("of another caller"), busy: t("too much at once"),
  })[fault] ?? fault.replaceAll("_", " ");

const verdictWord = (verdict: string): string =>
  ({
    valid: t("Caller proven by signature"), invalid: t("Caller's signature is false"), stale: t("Caller's signature is too old"), refused: t("Caller's certificate could not be had"), none: t("Caller not signed"),
  })[verdict] ?? verdict;

type Data = Record<string, unknown>;
const str = (d: Data, name: string): string => String(d[name] ?? "");

export const identityWords: Record<string, (d: Data) => string> = {
  "identity.judged": (d) => verdictWord(str(d, "verdict")),
  "identity.step": (d) => (d.detail ? `${stepWord(str(d, "step"))}: ${str(d, "detail")}` : stepWord(str(d, "step"))),
  "card.decoded": (d) => t("Card of the caller: {name}", { name: str(d, "name") || str(d, "reason") || "–" }),
  "card.refused": (d) => t("No card is shown: {why}", { why: plainWord(str(d, "why")) }),
  "card.content": (d) => (d.fault ? t("{what} left out: {why}", { what: contentWord(str(d, "of")), why: faultWord(str(d, "fault")) }) : t("{what} added to the card", { what: contentWord(str(d, "of")) })),
  "card.sent": () => t("Our brand is shown to who is called"),
  "card.incentive_given": (d) => t("Offer given: {text}", { text: str((d.incentive ?? {}) as Data, "text") }),
  "caller.reported": () => t("Caller reported"),
};
