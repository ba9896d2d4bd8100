// Asks who one is once more before something dangerous; the request that wanted it then goes on.

import { useEffect, useState } from "react";
import { useAttempt } from "../lib/attempt";
import { t } from "../lib/i18n";
import { proveAgain, proveAgainByPasskey, useSession } from "../lib/session";
import { stepUpBy } from "../lib/step-up";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Dialog } from "../ui/parts";
import { Problem, SecondFactorForm } from "../ui/second-factor";

export function StepUp() {
  const [waiting, setWaiting] = useState<{ end: (proven: boolean) => void } | null>(null);
  useEffect(() => stepUpBy(() => new Promise((end) => setWaiting({ end }))), []);
  if (!waiting) return null;
  const end = (proven: boolean) => {
    setWaiting(null);
    waiting.end(proven);
  };
  return (
    <Dialog title={t("Prove that it is you")} isOpen onClose={() => end(false)}>
      <Proof onProven={() => end(true)} />
    </Dialog>
  );
}

function Proof(props: { onProven: () => void }) {
  const methods = useSession()?.second_factors ?? [];
  const then = (proof: Promise<unknown>) => proof.then(props.onProven);
  return (
    <div className="flex flex-col gap-4">
      <p>{t("This changes who may do what. Your last proof is some time ago; give it again and it goes on.")}</p>
      {methods.length ? <SecondFactorForm methods={methods} byCode={(proof) => then(proveAgain({ proof }))} byPasskey={() => then(proveAgainByPasskey())} /> : <Password onTyped={(password) => then(proveAgain({ password }))} />}
    </div>
  );
}

function Password(props: { onTyped: (password: string) => Promise<unknown> }) {
  const [password, setPassword] = useState("");
  const { busy, error, attempt } = useAttempt();
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        attempt(() => props.onTyped(password));
      }}
    >
      <TextField label={t("Password")} type="password" autoComplete="current-password" value={password} onChange={setPassword} autoFocus isRequired />
      <Problem text={error} />
      <Button type="submit" look="primary" size="large" isDisabled={busy || !password}>
        {t("Continue")}
      </Button>
    </form>
  );
}
