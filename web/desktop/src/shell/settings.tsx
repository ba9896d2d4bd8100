// What one person sets for this browser.

import { useState } from "react";
import { api } from "../lib/api";
import { act } from "../lib/action";
import { chooseLocale, languages, locale, t, type Locale } from "../lib/i18n";
import { session } from "../lib/session";
import { notify } from "../lib/tell";
import { setTheme, theme, type Theme } from "../lib/theme";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Card, Page } from "../ui/parts";
import { keyName } from "../lib/hotkeys";
import { PhonePanel } from "./health";
import { PushPanel } from "./push-panel";
import { MySessions, SignInSafety } from "./sign-in-safety";

export default function Settings() {
  return (
    <Page title={t("Settings")}>
      <div className="grid max-w-4xl items-start gap-4 md:grid-cols-2">
        <Card title={t("Appearance and language")}>
          <div className="flex flex-col gap-4 p-4">
            <Appearance />
          </div>
        </Card>
        {session()?.agent ? (
          <Card title={t("Phone")}>
            <div className="flex flex-col gap-4 p-4">
              <PhonePanel />
            </div>
          </Card>
        ) : null}
        {session()?.agent ? (
          <Card title={t("Calls while no tab is open")}>
            <PushPanel />
          </Card>
        ) : null}
        <Card title={t("Password")}>
          <Password />
        </Card>
        <SignInSafety />
        <Card title={t("Where you are signed in")}>
          <MySessions />
        </Card>
        <Card title={t("Keys")}>
          <Keys />
        </Card>
      </div>
    </Page>
  );
}

function Appearance() {
  const [chosen, setChosen] = useState<Theme>(theme());
  return (
    <>
      <Select
        label={t("Theme")} value={chosen} choices={[{ id: "system", name: t("As the system has it") }, { id: "light", name: t("Light") }, { id: "dark", name: t("Dark") }]}
        onChange={(to) => {
          setTheme(to as Theme);
          setChosen(to as Theme);
        }}
      />
      <Select
        label={t("Language")} value={locale()} choices={Object.entries(languages).map(([id, l]) => ({ id, name: l.name }))}
        onChange={(to) => {
          chooseLocale(to as Locale);
          location.reload();
        }}
      />
    </>
  );
}

function Password() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = async () => {
    if (!(await act("password", () => api.POST("/v1/sessions/current/password", { body: { current, new: next } })))) return;
    setCurrent("");
    setNext("");
    notify(t("Your password is changed."), "good");
  };
  return (
    <form
      className="flex flex-col gap-3 p-4"
      onSubmit={(e) => {
        e.preventDefault();
        void change();
      }}
    >
      <TextField label={t("Current password")} type="password" autoComplete="current-password" value={current} onChange={setCurrent} />
      <TextField label={t("New password")} type="password" autoComplete="new-password" value={next} onChange={setNext} hint={t("At least 8 characters; long is better than odd.")} />
      <Button type="submit" busy="password" isDisabled={!current || next.length < 8} className="self-start">
        {t("Change password")}
      </Button>
    </form>
  );
}

function Keys() {
  const keys: [string, string][] = [
    [keyName("A"), t("Accept or answer")],
    [keyName("R"), t("Reject or decline")],
    [keyName("H"), t("Hold and resume")],
    [keyName("M"), t("Mute and unmute")],
    [keyName("T"), t("Transfer or consult")],
    [keyName("C"), t("Complete transfer")],
    [keyName("J"), t("Join all")],
    [keyName("B"), t("Back to caller")],
    [keyName("K"), t("Keypad")],
    [keyName("P"), t("Record, pause recording")],
    [keyName("O"), t("Move to my other device")],
    [keyName("V"), t("Ask for video")],
    [keyName("E"), t("Hang up")],
    [keyName("S"), t("Save note")],
    [keyName("F"), t("Finish wrap-up")],
    ["Ctrl K", t("All commands")],
  ];
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2 p-4">
      {keys.map(([key, what]) => (
        <div key={key} className="contents">
          <dt>
            <kbd className="rounded border border-line bg-sunken px-1.5 py-0.5 font-sans text-xs">{key}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}
