import { useEffect, useState } from "react";
import { api, type Schemas } from "./lib/api";
import { t } from "./lib/i18n";
import { provePasskey, secondFactor, signIn, signInByPasskey, type SecondFactorNeeded, type SecondProof } from "./lib/session";
import { problemText } from "./lib/tell";
import { Button } from "./ui/button";
import { TextField } from "./ui/field";

// Why the way back from an identity provider ended without a session: the code in the page's address.
const elsewhereFailed = (): string => {
  const code = new URLSearchParams(location.search).get("sign_in_error");
  if (!code) return "";
  history.replaceState(null, "", location.pathname + location.hash);
  return t("Signing in there did not work ({code}). Ask whoever administers your account.", { code });
};

// One attempt at a time, and what went wrong with the last.
function useAttempt(first = ""): { busy: boolean; error: string; attempt: (run: () => Promise<unknown>) => void } {
  const [error, setError] = useState(first);
  const [busy, setBusy] = useState(false);
  const attempt = (run: () => Promise<unknown>) => {
    setBusy(true);
    setError("");
    run()
      .catch((problem: unknown) => setError(turnedAway(problem) ? t("The passkey was not used.") : problemText(problem)))
      .finally(() => setBusy(false));
  };
  return { busy, error, attempt };
}

const turnedAway = (problem: unknown): boolean => problem instanceof DOMException && (problem.name === "NotAllowedError" || problem.name === "AbortError");

export function SignIn() {
  const [needed, setNeeded] = useState<SecondFactorNeeded | null>(null);
  return (
    <main className="grid min-h-full place-items-center p-4">
      <div className="flex w-full max-w-sm flex-col gap-4 rounded-lg border border-line bg-surface p-7 shadow-sm">
        <div className="mb-1 flex items-center gap-3">
          <img src="/icon.svg" alt="" className="size-9" />
          <h1 className="text-lg font-semibold">{t("Sign in to Crosspoint")}</h1>
        </div>
        {needed ? <Second needed={needed} onBack={() => setNeeded(null)} /> : <First onNeeded={setNeeded} />}
      </div>
    </main>
  );
}

function First(props: { onNeeded: (needed: SecondFactorNeeded) => void }) {
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const { busy, error, attempt } = useAttempt(elsewhereFailed());
  const submit = async () => {
    const needed = await signIn(login, password);
    if (needed) props.onNeeded(needed);
  };
  return (
    <>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          attempt(submit);
        }}
      >
        <TextField label={t("E-mail")} type="email" autoComplete="username" value={login} onChange={setLogin} autoFocus isRequired />
        <TextField label={t("Password")} type="password" autoComplete="current-password" value={password} onChange={setPassword} isRequired />
        <Problem text={error} />
        <Button type="submit" look="primary" size="large" isDisabled={busy || !login || !password}>
          {t("Sign in")}
        </Button>
      </form>
      {window.PublicKeyCredential ? (
        <Button size="large" isDisabled={busy} onPress={() => attempt(signInByPasskey)}>
          {t("Sign in with a passkey")}
        </Button>
      ) : null}
      <Elsewhere />
    </>
  );
}

// Buttons of the identity providers, when the tenant has some.
function Elsewhere() {
  const [providers, setProviders] = useState<Schemas["ProviderButton"][]>([]);
  useEffect(() => {
    const tenant = new URLSearchParams(location.search).get("tenant");
    void api
      .GET("/v1/sign-in/providers", { params: { query: tenant ? { tenant } : {} } })
      .then(({ data }) => setProviders(data?.items ?? []))
      .catch(() => {});
  }, []);
  return providers.map((p) => (
    <a key={p.id} href={`${p.start}?return=${encodeURIComponent(location.pathname)}`} className="rounded-md border border-edge px-4 py-2 text-center font-medium hover:bg-sunken">
      {t("Sign in with {name}", { name: p.name })}
    </a>
  ));
}

function Second(props: { needed: SecondFactorNeeded; onBack: () => void }) {
  const { needed, onBack } = props;
  const { methods } = needed;
  const [recovery, setRecovery] = useState(!methods.includes("totp"));
  const [code, setCode] = useState("");
  const { busy, error, attempt } = useAttempt();
  const prove = (proof: SecondProof) => secondFactor(needed, proof);
  const byCode = methods.includes("totp") || methods.includes("recovery_code");
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        attempt(() => prove(recovery ? { recovery_code: code.trim() } : { code: code.replace(/\s/g, "") }));
      }}
    >
      <p>{t("Your password was right. Prove once more that it is you.")}</p>
      {methods.includes("passkey") && window.PublicKeyCredential ? (
        <Button size="large" look={byCode ? "plain" : "primary"} isDisabled={busy} onPress={() => attempt(async () => prove({ passkey: await provePasskey(needed.passkey) }))}>
          {t("Use a passkey")}
        </Button>
      ) : null}
      {byCode ? (
        <TextField
          key={String(recovery)} label={recovery ? t("Recovery code") : t("Code of the authenticator app")} value={code} onChange={setCode} autoFocus isRequired mono
          autoComplete={recovery ? "off" : "one-time-code"} maxLength={recovery ? 32 : 16} {...(recovery ? { hint: t("Each one can be used once.") } : {})}
        />
      ) : null}
      <Problem text={error} />
      {byCode ? (
        <Button type="submit" look="primary" size="large" isDisabled={busy || !code.trim()}>
          {t("Continue")}
        </Button>
      ) : null}
      <div className="flex flex-wrap justify-between gap-2">
        <Button look="quiet" onPress={onBack}>
          {t("Back to the password")}
        </Button>
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

const Problem = (props: { text: string }) => (
  <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad empty:hidden">
    {props.text}
  </p>
);
