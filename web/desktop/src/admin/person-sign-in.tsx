// How somebody signs in: their ways of proof and sessions, and taking them away when they are lost.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "../lib/action";
import { api, answer } from "../lib/api";
import { when } from "../lib/format";
import { t } from "../lib/i18n";
import { queries } from "../lib/names";
import { may } from "../lib/session";
import { notify } from "../lib/tell";
import { SessionList } from "../shell/sign-in-safety";
import { Button } from "../ui/button";
import { Dialog, Failed } from "../ui/parts";

export function PersonSignIn(props: { id: string; name: string }) {
  const [open, setOpen] = useState(false);
  if (!may("users:write")) return null;
  return (
    <>
      <Button size="small" look="quiet" aria-label={t("Sign-in of {name}", { name: props.name })} onPress={() => setOpen(true)}>
        {t("Sign-in")}
      </Button>
      {open ? <SignInDialog {...props} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function SignInDialog(props: { id: string; name: string; onClose: () => void }) {
  const { id, name, onClose } = props;
  const params = { params: { path: { id } } };
  const [sure, setSure] = useState(false);
  const ways = useQuery({ queryKey: ["sign-in", id, "ways"], staleTime: 0, queryFn: async () => (await answer(api.GET("/v1/users/{id}/credentials", params))).items });
  const sessions = useQuery({ queryKey: ["sign-in", id, "sessions"], staleTime: 0, queryFn: async () => (await answer(api.GET("/v1/users/{id}/sessions", params))).items });
  const again = () => queries.invalidateQueries({ queryKey: ["sign-in", id] });
  const reset = () =>
    act("reset", async () => {
      await api.DELETE("/v1/users/{id}/credentials", params);
      setSure(false);
      await again();
      notify(t("{name} signs in by password alone now, until a new app or passkey is set up.", { name }), "good");
    });
  const signOut = () =>
    act("sign out", async () => {
      await api.DELETE("/v1/users/{id}/sessions", params);
      await again();
      notify(t("{name} is signed out everywhere.", { name }), "good");
    });
  const rows = sessions.data ?? [];
  return (
    <Dialog title={t("Sign-in of {name}", { name })} isOpen onClose={onClose}>
      <div className="flex flex-col gap-5">
        {ways.error ? <Failed error={ways.error} /> : null}
        <section className="flex flex-col gap-2">
          <h2 className="font-semibold">{t("Second factors")}</h2>
          {ways.data?.length ? (
            <ul className="flex flex-col gap-1">
              {ways.data.map((w) => (
                <li key={w.id as string}>
                  {w.kind === "totp" ? t("Authenticator app") : t("Passkey “{name}”", { name: w.name })}{" "}
                  <span className="text-muted">{w.used_at ? t("last used {time}", { time: when(w.used_at) }) : t("not used yet")}</span>
                </li>
              ))}
            </ul>
          ) : (
            <p className="text-muted">{ways.data ? t("None: the password alone opens.") : t("Loading …")}</p>
          )}
          {ways.data?.length && !sure ? (
            <Button className="self-start" onPress={() => setSure(true)}>
              {t("Take the second factors away")}
            </Button>
          ) : null}
          {sure ? (
            <div role="alert" className="flex flex-col gap-2 rounded-md bg-bad-soft p-3">
              <p>{t("Be sure that it is {name} who asks. Passkeys, app and recovery codes end, and so do all sessions.", { name })}</p>
              <Button look="danger" busy="reset" className="self-start" onPress={() => void reset()}>
                {t("Take them away")}
              </Button>
            </div>
          ) : null}
        </section>
        <section className="flex flex-col gap-2">
          <h2 className="font-semibold">{t("Signed in at")}</h2>
          {sessions.error ? <Failed error={sessions.error} /> : null}
          {rows.length ? <SessionList rows={rows} /> : <p className="text-muted">{sessions.data ? t("Nowhere.") : t("Loading …")}</p>}
          {rows.length ? (
            <Button className="self-start" busy="sign out" onPress={() => void signOut()}>
              {t("Sign out everywhere")}
            </Button>
          ) : null}
        </section>
      </div>
    </Dialog>
  );
}
