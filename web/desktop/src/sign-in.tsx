import { useEffect, useState } from "react";
import { api, type Schemas } from "./lib/api";
import { useAttempt } from "./lib/attempt";
import { t } from "./lib/i18n";
import { provePasskey, secondFactor, signIn, signInByPasskey, type SecondFactorNeeded, type SecondProof } from "./lib/session";
import { Button } from "./ui/button";
import { TextField } from "./ui/field";
import { Problem, SecondFactorForm } from "./ui/second-factor";

// Why the way back from an identity provider ended without a session: the code in the page's address.
const elsewhereFailed = (): string => {
  const code = new URLSearchParams(location.search).get("sign_in_error");
  if (!code) return "";
  history.replaceState(null, "", location.pathname + location.hash);
  return t("Signing in there did not work ({code}). Ask whoever administers your account.", { code });
};

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
        <TextField label={t("E-mail")} autoComplete="username" value={login} onChange={setLogin} autoFocus isRequired />
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
  const prove = (proof: SecondProof) => secondFactor(needed, proof);
  return (
    <>
      <p>{t("Your password was right. Prove once more that it is you.")}</p>
      <SecondFactorForm methods={needed.methods} byCode={prove} byPasskey={async () => prove({ passkey: await provePasskey(needed.passkey) })}>
        <Button look="quiet" onPress={onBack}>
          {t("Back to the password")}
        </Button>
      </SecondFactorForm>
    </>
  );
}
