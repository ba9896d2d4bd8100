// Trying to prove oneself: one attempt at a time, and what went wrong with the last.

import { useState } from "react";
import { t } from "./i18n";
import { problemText } from "./tell";

export function useAttempt(first = ""): { busy: boolean; error: string; attempt: (run: () => Promise<unknown>) => void } {
  const [error, setError] = useState(first);
  const [busy, setBusy] = useState(false);
  const attempt = (run: () => Promise<unknown>) => {
    setBusy(true);
    setError("");
    run()
      .catch((problem: unknown) => setError(attemptText(problem)))
      .finally(() => setBusy(false));
  };
  return { busy, error, attempt };
}

const turnedAway = (problem: unknown): boolean => problem instanceof DOMException && (problem.name === "NotAllowedError" || problem.name === "AbortError");

export function attemptText(problem: unknown): string {
  if (turnedAway(problem)) return t("The passkey was not used.");
  // Browsers name what they dislike in English and in their own words: an address that is a number, no HTTPS.
  if (problem instanceof DOMException && problem.name === "SecurityError") return t("This browser takes passkeys only at an address with a name, by HTTPS or on localhost.");
  if (problem instanceof DOMException && problem.name === "InvalidStateError") return t("This device has a passkey for this account already.");
  return problemText(problem);
}
