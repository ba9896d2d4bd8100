import { useEffect, useState } from "react";
import { t } from "./lib/i18n";
import { resume, signOut, useSession } from "./lib/session";
import { SignIn } from "./sign-in";

export function App() {
  const session = useSession();
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    resume()
      .catch(() => {})
      .finally(() => setAsked(true));
  }, []);
  if (!asked) return null;
  if (!session) return <SignIn />;
  return (
    <header className="flex items-center justify-between border-b border-line bg-surface px-4 py-2">
      <span>{session.name}</span>
      <button type="button" className="rounded-md border border-line px-3 py-1" onClick={() => void signOut()}>
        {t("Sign out")}
      </button>
    </header>
  );
}
