// Telling people: short notices at the edge of the page, and words for screen readers.

import { useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { X } from "lucide-react";
import { Emitter } from "./emitter";
import { t } from "./i18n";

type Tone = "info" | "good" | "bad";
interface Notice {
  id: number;
  text: string;
  tone: Tone;
}

const NOTICE_MS = 6_000;
const BAD_NOTICE_MS = 12_000;
const NOTICES_MAX = 4;

const noticed = new Emitter<Notice>();
const spoken = new Emitter<{ text: string; urgent: boolean }>();
let count = 0;

/** Says it to a screen reader; `urgent` interrupts. */
export const say = (text: string, urgent = false): void => spoken.emit({ text, urgent });

/** Shows it for some seconds and says it. */
export function notify(text: string, tone: Tone = "info"): void {
  noticed.emit({ id: ++count, text, tone });
  say(text, tone === "bad");
}

/** What went wrong, for people. */
export const problemText = (error: unknown): string => (error instanceof Error && error.message ? error.message : t("Something went wrong."));

export function Notices() {
  const [notices, setNotices] = useState<Notice[]>([]);
  const drop = (id: number) => setNotices((all) => all.filter((n) => n.id !== id));
  useEffect(
    () =>
      noticed.on((notice) => {
        setNotices((all) => [...all.slice(1 - NOTICES_MAX), notice]);
        setTimeout(() => drop(notice.id), notice.tone === "bad" ? BAD_NOTICE_MS : NOTICE_MS);
      }),
    [],
  );
  const tones: Record<Tone, string> = { info: "border-s-info", good: "border-s-good", bad: "border-s-bad" };
  return (
    <section aria-label={t("Notices")} className="pointer-events-none fixed inset-x-0 bottom-4 z-50 flex flex-col items-center gap-2 px-4" data-notices>
      {notices.map((n) => (
        <div key={n.id} className={`pointer-events-auto flex max-w-xl items-start gap-3 rounded-md border border-s-4 border-line bg-raised py-2.5 ps-4 pe-2 shadow-lg ${tones[n.tone]}`}>
          <p className="min-w-0 flex-1 py-0.5">{n.text}</p>
          <Button aria-label={t("Dismiss")} onPress={() => drop(n.id)} className="rounded p-1 text-muted hover:text-ink">
            <X size={16} aria-hidden />
          </Button>
        </div>
      ))}
    </section>
  );
}

/** The two regions screen readers listen to. */
export function Announcer() {
  const [polite, setPolite] = useState("");
  const [urgent, setUrgent] = useState("");
  useEffect(
    () =>
      spoken.on((s) => {
        const set = s.urgent ? setUrgent : setPolite;
        // The same words twice are a change only with something in between.
        set("");
        setTimeout(() => set(s.text), 30);
      }),
    [],
  );
  return (
    <>
      <div role="status" aria-live="polite" className="sr-only" data-announcer="polite">
        {polite}
      </div>
      <div role="alert" aria-live="assertive" className="sr-only" data-announcer="urgent">
        {urgent}
      </div>
    </>
  );
}
