// Ctrl or Cmd and K: everything that can be done, found by typing.

import { useEffect, useMemo, useRef, useState } from "react";
import { Dialog, Modal, ModalOverlay } from "react-aria-components";
import { customer, presenceWord } from "../lib/format";
import { keyName } from "../lib/hotkeys";
import { t } from "../lib/i18n";
import { useAgent, useInteractions } from "../lib/live";
import { useRows } from "../lib/names";
import { go } from "../lib/router";
import { session, signOut, useSession } from "../lib/session";
import { setTheme, theme } from "../lib/theme";
import { accept, backToCaller, callOf, completeTransfer, consult, finishWrapUp, hangUp, joinAll, park, placeCall, reject, setPresence, toggleHold, toggleMute, toggleRecording, transfer, typedTarget } from "../agent/commands";
import { Search } from "../ui/icons";
import { pages } from "./pages";
import { usePresences } from "./presence";

interface Entry {
  id: string;
  name: string;
  group: string;
  key?: string;
  run: () => void;
}

const SHOWN_MAX = 60;
/** After a popover below has closed. */
const FOCUS_MS = 80;

export function Palette() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const typed = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.code === "KeyK") {
        event.preventDefault();
        setOpen((now) => !now);
      }
    };
    window.addEventListener("keydown", typed);
    window.addEventListener("crosspoint-palette", () => setOpen(true));
    return () => window.removeEventListener("keydown", typed);
  }, []);
  return (
    <ModalOverlay isOpen={open} onOpenChange={setOpen} isDismissable className="fixed inset-0 z-50 flex items-start justify-center bg-black/40 p-4 pt-[12vh]">
      <Modal className="w-full max-w-xl">
        <Dialog aria-label={t("Commands")} className="overflow-hidden rounded-lg border border-line bg-raised shadow-2xl outline-none">
          <List close={() => setOpen(false)} />
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

export const openPalette = (): void => {
  window.dispatchEvent(new Event("crosspoint-palette"));
};

function useEntries(search: string): Entry[] {
  const me = useAgent(useSession()?.agent);
  const interactions = useInteractions();
  const agents = useRows("agents").data;
  const queues = useRows("queues").data;
  const presences = usePresences();
  return useMemo(() => {
    const call = callOf(me, interactions);
    const entries: Entry[] = [];
    const add = (group: string, id: string, name: string, run: () => void, key?: string) => entries.push({ group, id, name, run, ...(key ? { key } : {}) });
    for (const offer of me?.offers ?? []) {
      const i = interactions.get(offer.interaction);
      const who = i ? customer(i) : t("Caller");
      add(t("Work"), `accept ${offer.id}`, t("Accept {who}", { who }), () => void accept(offer), "A");
      add(t("Work"), `reject ${offer.id}`, t("Reject {who}", { who }), () => void reject(offer), "R");
    }
    if (call) {
      const group = t("Call");
      add(group, "hold", call.held ? t("Resume") : t("Hold"), () => void toggleHold(call), "H");
      add(group, "mute", call.leg.muted ? t("Unmute") : t("Mute"), () => void toggleMute(call), "M");
      add(group, "record", call.interaction.recording === "on" ? t("Pause recording") : t("Record"), () => void toggleRecording(call), "P");
      add(group, "park", t("Park"), () => void park(call));
      if (call.consulted?.status === "connected") {
        add(group, "complete", t("Complete transfer"), () => void completeTransfer(call), "C");
        add(group, "join", t("Join all"), () => void joinAll(call), "J");
      }
      if (call.consulted) add(group, "back", t("Back to caller"), () => void backToCaller(call), "B");
      add(group, "end", t("Hang up"), () => void hangUp(call), "E");
    }
    if (me?.state === "wrap_up") add(t("Work"), "finish", t("Finish wrap-up"), () => void finishWrapUp(me.id), "F");
    for (const q of call ? (queues ?? []) : []) add(t("Queues"), `transfer ${q.id}`, t("Transfer to {name}", { name: q.name }), () => call && void transfer(call, { to: "queue", queue: q.id }, q.name));
    for (const a of agents ?? []) {
      if (a.id === session()?.agent) continue;
      if (call) {
        add(t("Colleagues"), `consult ${a.id}`, t("Consult {name}", { name: a.name }), () => void consult(call, { kind: "agent", agent: a.id }, a.name));
        add(t("Colleagues"), `transfer ${a.id}`, t("Transfer to {name}", { name: a.name }), () => void transfer(call, { to: "agent", agent: a.id }, a.name));
      } else if (me) add(t("Colleagues"), `call ${a.id}`, t("Call {name}", { name: a.name }), () => void placeCall({ kind: "agent", agent: a.id }));
    }
    if (me) for (const p of presences) add(t("Status"), `presence ${presenceWord(p)}`, t("Status: {presence}", { presence: presenceWord(p) }), () => void setPresence(me.id, p));
    for (const p of pages()) add(t("Go to"), `page ${p.path}`, p.name, () => go(p.path));
    const next = theme() === "dark" ? "light" : "dark";
    add(t("Page"), "theme", next === "dark" ? t("Dark theme") : t("Light theme"), () => setTheme(next));
    add(t("Page"), "sign-out", t("Sign out"), () => void signOut());
    const wanted = search.trim().toLowerCase();
    const found = entries.filter((e) => !wanted || `${e.name} ${e.group}`.toLowerCase().includes(wanted));
    const typed = search.trim();
    if (me && !call && /^[+*#\d][\d\s*#()-]*$/.test(typed)) found.unshift({ id: "dial", group: t("Call"), name: t("Call {name}", { name: typed }), run: () => void placeCall(typedTarget(typed)) });
    const all = pages();
    if (typed && all.some((p) => p.path === "interactions")) found.push({ id: "search", group: t("Interactions"), name: t("Search interactions for {what}", { what: typed }), run: () => go(`interactions?party=${encodeURIComponent(typed)}`) });
    return found.length > SHOWN_MAX ? [...found.slice(0, SHOWN_MAX - 1), ...found.slice(-1)] : found;
  }, [me, interactions, agents, queues, presences, search]);
}

function List(props: { close: () => void }) {
  const [search, setSearch] = useState("");
  const [at, setAt] = useState(0);
  const entries = useEntries(search);
  const list = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  // Something open below gives the focus back to its button when this covers it: then it is taken again.
  useEffect(() => {
    const later = setTimeout(() => field.current?.focus(), FOCUS_MS);
    return () => clearTimeout(later);
  }, []);
  const chosen = Math.min(at, Math.max(0, entries.length - 1));
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    props.close();
    entry.run();
  };
  return (
    <>
      <div className="flex items-center gap-3 border-b border-line px-4">
        <Search size={17} aria-hidden className="text-muted" />
        <input
          ref={field}
          // eslint-disable-next-line jsx-a11y/no-autofocus -- a palette is opened to be typed into
          autoFocus role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant={entries[chosen] ? `palette-${chosen}` : undefined} aria-label={t("What do you want to do?")}
          placeholder={t("What do you want to do?")} value={search} className="h-12 flex-1 bg-transparent text-base outline-none placeholder:text-muted"
          onChange={(e) => {
            setSearch(e.target.value);
            setAt(0);
          }}
          onKeyDown={(e) => {
            const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[e.key];
            if (step) {
              e.preventDefault();
              setAt(Math.max(0, Math.min(entries.length - 1, chosen + step)));
            }
            if (e.key === "Enter") {
              e.preventDefault();
              run(entries[chosen]);
            }
          }}
        />
      </div>
      <div ref={list} id="palette-list" role="listbox" aria-label={t("Commands")} className="max-h-[50vh] overflow-auto p-1.5">
        {entries.map((e, n) => (
          // The field has the focus and the keys; the list is pointed at.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events
          <div key={e.id} id={`palette-${n}`} role="option" tabIndex={-1} aria-selected={n === chosen} onClick={() => run(e)} onMouseMove={() => setAt(n)} className={`flex cursor-default items-center gap-3 rounded-md px-3 py-2 ${n === chosen ? "bg-accent-soft" : ""}`}>
            <span className="flex-1 truncate">{e.name}</span>
            <span className="text-xs text-muted">{e.group}</span>
            {e.key ? <kbd className="rounded border border-line px-1 text-xs text-muted">{keyName(e.key)}</kbd> : null}
          </div>
        ))}
        {entries.length ? null : <p className="px-3 py-6 text-center text-muted">{t("Nothing of this name")}</p>}
      </div>
    </>
  );
}
