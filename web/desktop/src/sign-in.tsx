import { useState } from "react";
import { Button, FieldError, Form, Input, Label, TextField } from "react-aria-components";
import { t } from "./lib/i18n";
import { signIn } from "./lib/session";

export function SignIn() {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (data: FormData) => {
    setBusy(true);
    setError("");
    try {
      await signIn(String(data.get("login")), String(data.get("password")));
    } catch (problem) {
      setError(problem instanceof Error ? problem.message : String(problem));
      setBusy(false);
    }
  };
  return (
    <main className="grid min-h-full place-items-center p-4">
      <Form
        className="flex w-full max-w-sm flex-col gap-4 rounded-lg border border-line bg-surface p-6 shadow-sm"
        onSubmit={(e) => {
          e.preventDefault();
          void submit(new FormData(e.currentTarget));
        }}
      >
        <h1 className="text-lg font-semibold">{t("Sign in to Crosspoint")}</h1>
        <Field name="login" type="email" label={t("E-mail")} autoComplete="username" />
        <Field name="password" type="password" label={t("Password")} autoComplete="current-password" />
        <p role="alert" className="text-bad empty:hidden">
          {error}
        </p>
        <Button type="submit" isDisabled={busy} className="rounded-md bg-accent px-4 py-2 font-medium text-on-accent">
          {t("Sign in")}
        </Button>
      </Form>
    </main>
  );
}

function Field(props: { name: string; type: string; label: string; autoComplete: string }) {
  const { label, autoComplete, ...rest } = props;
  return (
    <TextField {...rest} autoComplete={autoComplete} isRequired className="flex flex-col gap-1">
      <Label className="font-medium">{label}</Label>
      <Input className="rounded-md border border-edge bg-surface px-3 py-2" />
      <FieldError className="text-bad" />
    </TextField>
  );
}
