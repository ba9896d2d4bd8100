// Notes and wrap-up: what is written while talking is kept until it is sent.

import { useEffect, useState } from "react";
import { Clock } from "../lib/clock";
import { useHotkeys } from "../lib/hotkeys";
import { t } from "../lib/i18n";
import type { LiveAgent } from "../lib/live-types";
import { useRows } from "../lib/names";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Check, Clock3 } from "../ui/icons";
import { extendWrapUp, finishWrapUp, noteWrapUp, reportCaller } from "./commands";

interface Draft {
  note: string;
  code: string | null;
}
const KEY = "wrap-up-draft ";

/** A draft survives a reload; it goes when it was sent. */
function load(interaction: string): Draft {
  try {
    return JSON.parse(sessionStorage.getItem(KEY + interaction) ?? "") as Draft;
  } catch {
    return { note: "", code: null };
  }
}

export function WrapUp(props: { agent: LiveAgent; interaction: string; inbound: boolean }) {
  const { agent, interaction, inbound } = props;
  const [draft, setDraft] = useState(() => load(interaction));
  useEffect(() => setDraft(load(interaction)), [interaction]);
  useEffect(() => sessionStorage.setItem(KEY + interaction, JSON.stringify(draft)), [draft, interaction]);
  const codes = useRows("wrap-up-codes").data ?? [];
  const wrapping = agent.state === "wrap_up";
  const save = async (finish: boolean) => {
    const saved = draft.note || draft.code ? await noteWrapUp(agent.id, interaction, draft.code, draft.note) : true;
    if (!saved) return;
    if (finish) await finishWrapUp(agent.id);
    else notify(t("Saved."), "good");
    sessionStorage.removeItem(KEY + interaction);
  };
  const report = async () => {
    if (await reportCaller(interaction)) notify(t("Reported. Their name and picture are not shown here any more."), "good");
  };
  useHotkeys([
    { key: "F", when: wrapping, run: () => void save(true) },
    { key: "S", run: () => void save(false) },
  ]);
  return (
    <section aria-label={t("Notes and wrap-up")} className="flex flex-col gap-3">
      <TextField label={t("Note")} value={draft.note} onChange={(note) => setDraft({ ...draft, note })} lines={6} maxLength={4000} hint={t("Kept with the interaction, for whoever takes the next call.")} />
      {codes.length ? <Select label={t("Result")} placeholder={t("Choose a result")} value={draft.code} onChange={(code) => setDraft({ ...draft, code })} choices={codes.map((c) => ({ id: c.id, name: c.name }))} /> : null}
      {wrapping ? (
        <div className="flex flex-col gap-2 rounded-lg bg-info-soft p-3">
          <p className="flex items-center gap-2">
            <Clock3 size={15} aria-hidden />
            {agent.wrap_up_until ? (
              <>
                {t("Wrap-up ends in")} <Clock until={agent.wrap_up_until} className="font-semibold" />
              </>
            ) : (
              t("Wrap-up")
            )}
          </p>
          <div className="flex flex-wrap gap-2">
            <Button look="primary" busy="finish" hotkey="F" icon={<Check size={15} aria-hidden />} onPress={() => void save(true)}>
              {t("Finish")}
            </Button>
            <Button busy="extend" onPress={() => void extendWrapUp(agent.id)}>
              {t("One minute more")}
            </Button>
          </div>
        </div>
      ) : (
        <Button busy="note" hotkey="S" isDisabled={!draft.note && !draft.code} onPress={() => void save(false)} className="self-start">
          {t("Save")}
        </Button>
      )}
      {inbound ? (
        <Button busy="report" size="small" onPress={() => void report()} className="self-start">
          {t("Report this caller")}
        </Button>
      ) : null}
    </section>
  );
}
