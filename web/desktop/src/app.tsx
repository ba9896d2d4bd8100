import { QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { I18nProvider } from "react-aria-components";
import { ApiError } from "./lib/api";
import { formatLocale, t } from "./lib/i18n";
import { follow, unfollow } from "./lib/live";
import { queries } from "./lib/names";
import { resume, signedOut, useSession } from "./lib/session";
import { forgetSoftphone, resumeSoftphone } from "./lib/softphone";
import { socket } from "./lib/socket";
import { problemText } from "./lib/tell";
import { Shell } from "./shell/shell";
import { SignIn } from "./sign-in";

export function App() {
  return (
    <I18nProvider locale={formatLocale()}>
      <QueryClientProvider client={queries}>
        <Inside />
      </QueryClientProvider>
    </I18nProvider>
  );
}

function Inside() {
  const session = useSession();
  const [asked, setAsked] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  const user = session?.user;
  useEffect(() => {
    resume()
      .catch(setFailed)
      .finally(() => setAsked(true));
  }, []);
  useEffect(() => {
    if (!user) return;
    const over = socket.signedOut.on(signedOut);
    follow()
      .then(resumeSoftphone)
      .catch(setFailed);
    return () => {
      over();
      forgetSoftphone();
      unfollow();
      queries.clear();
    };
  }, [user]);
  if (!asked) return null;
  // It answers, and says why nobody comes in: a suspended account.
  const refused = failed instanceof ApiError && !failed.offline;
  if (failed && !session)
    return (
      <main className="grid min-h-full place-items-center p-6 text-center">
        <div>
          <h1 className="mb-2 text-lg font-semibold">{refused ? problemText(failed) : t("The server does not answer")}</h1>
          {refused ? null : <p className="mb-4 text-muted">{t("Check your connection and try again.")}</p>}
          <button type="button" className="rounded-md bg-accent px-4 py-2 font-medium text-on-accent" onClick={() => location.reload()}>
            {t("Try again")}
          </button>
        </div>
      </main>
    );
  return session ? <Shell /> : <SignIn />;
}
