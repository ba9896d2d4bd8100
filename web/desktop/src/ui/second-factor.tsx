// Proving oneself besides, or again: a passkey, a code of the app, a recovery code.

import { useState, type ReactNode } from "react";
import { useAttempt } from "../lib/attempt";
import { t } from "../lib/i18n";
import type { SecondProof } from "../lib/session";
import { Button } from "./button";
import { TextField } from "./field";

export function SecondFactorForm(props: { methods: string[]; byCode: (proof: SecondProof) => Promise<unknown>; byPasskey: () => Promise<unknown>; children?: ReactNode }) {
  const { methods, byCode, byPasskey } = props;
  const [recovery, setRecovery] = useState(!methods.includes("totp"));
  const [code, setCode] = useState("");
  const { busy, error, attempt } = useAttempt();
  const codes = methods.includes("totp") || methods.includes("recovery_code");
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        attempt(() => byCode(recovery ? { recovery_code: code.trim() } : { code: code.replace(/\s/g, "") }));
      }}
    >
      {methods.includes("passkey") && window.PublicKeyCredential ? (
        <Button size="large" look={codes ? "plain" : "primary"} isDisabled={busy} onPress={() => attempt(byPasskey)}>
          {t("Use a passkey")}
        </Button>
      ) : null}
      {codes ? (
        <TextField
          key={String(recovery)} label={recovery ? t("Recovery code") : t("Code of the authenticator app")} value={code} onChange={setCode} autoFocus isRequired mono
          autoComplete={recovery ? "off" : "one-time-code"} maxLength={recovery ? 32 : 16} {...(recovery ? { hint: t("Each one can be used once.") } : {})}
        />
      ) : null}
      <Problem text={error} />
      {codes ? (
        <Button type="submit" look="primary" size="large" isDisabled={busy || !code.trim()}>
          {t("Continue")}
        </Button>
      ) : null}
      <div className="flex flex-wrap justify-between gap-2 empty:hidden">
        {props.children}
        {methods.includes("totp") && methods.includes("recovery_code") ? (
          <Button
            look="quiet"
            onPress={() => {
              setCode("");
              setRecovery(!recovery);
            }}
          >
            {recovery ? t("Use the app instead") : t("Use a recovery code")}
          </Button>
        ) : null}
      </div>
    </form>
  );
}

export const Problem = (props: { text: string }) => (
  <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad empty:hidden">
    {props.text}
  </p>
);
