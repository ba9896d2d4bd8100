import { useState } from "react";
import { t } from "./lib/i18n";
import { signIn } from "./lib/session";
import { problemText } from "./lib/tell";
import { Button } from "./ui/button";
import { TextField } from "./ui/field";

export function SignIn() {
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    setError("");
    try {
      await signIn(login, password);
    } catch (problem) {
      setError(problemText(problem));
      setBusy(false);
    }
  };
  return (
    <main className="grid min-h-full place-items-center p-4">
      <form
        className="flex w-full max-w-sm flex-col gap-4 rounded-lg border border-line bg-surface p-7 shadow-sm"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div className="mb-1 flex items-center gap-3">
          <img src="/icon.svg" alt="" className="size-9" />
          <h1 className="text-lg font-semibold">{t("Sign in to Crosspoint")}</h1>
        </div>
        <TextField label={t("E-mail")} type="email" autoComplete="username" value={login} onChange={setLogin} autoFocus isRequired />
        <TextField label={t("Password")} type="password" autoComplete="current-password" value={password} onChange={setPassword} isRequired />
        <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad empty:hidden">
          {error}
        </p>
        <Button type="submit" look="primary" size="large" isDisabled={busy || !login || !password}>
          {t("Sign in")}
        </Button>
      </form>
    </main>
  );
}
