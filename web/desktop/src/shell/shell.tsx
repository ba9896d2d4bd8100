// Around every page: navigation at the side, presence and health at the top.

import { Suspense, useEffect, type ReactNode } from "react";
import { useQuery } from "@tanstack/react-query";
import { Button as AriaButton, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { api } from "../lib/api";
import { t } from "../lib/i18n";
import { onEvent } from "../lib/live";
import { queries, useRows } from "../lib/names";
import { go, href, usePath } from "../lib/router";
import { may, signOut, useSession } from "../lib/session";
import { lostPlace, useSoftphone } from "../lib/softphone";
import { Announcer, Notices, notify, say } from "../lib/tell";
import { useDevices } from "../lib/devices";
import { OfferWatch } from "../agent/offers";
import { ChevronDown, LogOut, Search, SlidersHorizontal } from "../ui/icons";
import { ConnectionHealth, PhoneHealth, useConnection } from "./health";
import { home, pages } from "./pages";
import { openPalette, Palette } from "./palette";
import { PresenceMenu } from "./presence";
import { StepUp } from "./step-up";

export function Shell() {
  const all = pages();
  const path = usePath() || home();
  const current = all.find((p) => p.path === path.split("/")[0]) ?? all.find((p) => p.path === home()) ?? all[0];
  const Content = current?.page;
  const open = useOpenContacts();
  // Names of colleagues are needed all over; they are read once, here.
  useRows("agents");
  useEffect(() => {
    document.title = current ? `${current.name} · Crosspoint` : "Crosspoint";
  }, [current]);
  useEffect(() => lostPlace.on(() => notify(t("This tab slept and lost its place: calls went to others. You are back now."), "bad")), []);
  return (
    <div className="flex h-full flex-col">
      <a href="#main" className="sr-only z-50 rounded bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:absolute focus:start-2 focus:top-2">
        {t("Skip to content")}
      </a>
      <TopBar />
      <Lost />
      <div className="flex min-h-0 flex-1 flex-col-reverse sm:flex-row">
        <nav aria-label={t("Pages")} className="flex shrink-0 justify-around border-t border-line bg-surface p-1.5 sm:w-22 sm:flex-col sm:justify-start sm:gap-1 sm:border-e sm:border-t-0">
          {all.map((p) => (
            <NavLink key={p.path} path={p.path} name={p.name} current={p === current} icon={<p.icon size={19} />} count={p.path === "contacts" ? open : 0} />
          ))}
        </nav>
        <main id="main" tabIndex={-1} className="min-h-0 min-w-0 flex-1 outline-none">
          <Suspense fallback={<p className="p-6 text-muted">{t("Loading …")}</p>}>{Content ? <Content /> : null}</Suspense>
        </main>
      </div>
      <OfferWatch />
      <RemoteAudio />
      <Palette />
      <StepUp />
      <Notices />
      <Announcer />
    </div>
  );
}

/** More than so many are told as more. */
const COUNT_MAX = 99;
/** Looked at this often beside the events. */
const CONTACTS_MS = 30_000;

/** How many callbacks and messages wait for somebody. */
function useOpenContacts(): number {
  const seen = may("contacts:read");
  const { data = 0 } = useQuery({
    queryKey: ["contacts", "open"],
    enabled: seen,
    refetchInterval: CONTACTS_MS,
    queryFn: async () => ((await api.GET("/v1/contacts", { params: { query: { state: "open", limit: COUNT_MAX + 1 } } })).data?.items ?? []).filter((c) => c.kind !== "call").length,
  });
  useEffect(
    () =>
      onEvent((event) => {
        if (!seen || !event.type.startsWith("contact.")) return;
        void queries.invalidateQueries({ queryKey: ["contacts"] });
        if (event.type === "contact.came" && event.data.what !== "call") say(event.data.what === "callback" ? t("A customer asks to be called back.") : t("A customer left a message."));
      }),
    [seen],
  );
  return data;
}

function NavLink(props: { path: string; name: string; current: boolean; icon: ReactNode; count: number }) {
  const { count } = props;
  const shown = count > COUNT_MAX ? `${COUNT_MAX}+` : String(count);
  return (
    <a
      href={href(props.path)} aria-current={props.current ? "page" : undefined} title={props.name}
      className={`relative flex flex-col items-center gap-1 rounded-md px-0.5 py-2 text-center text-[0.6875rem] leading-tight ${props.current ? "bg-accent-soft font-medium text-accent" : "text-muted hover:bg-sunken hover:text-ink"}`}
      onClick={(e) => {
        if (e.metaKey || e.ctrlKey || e.shiftKey) return;
        e.preventDefault();
        go(props.path);
      }}
    >
      {props.icon}
      {count ? (
        <span aria-hidden="true" data-open={shown} className="absolute start-1/2 top-0.5 ms-1.5 min-w-4.5 rounded-full bg-bad px-1 text-[0.625rem] leading-4.5 font-semibold text-on-bad">
          {shown}
        </span>
      ) : null}
      <span className="w-full truncate">
        {props.name}
        {count ? <span className="sr-only">, {t("{n} open", { n: shown })}</span> : null}
      </span>
    </a>
  );
}

function TopBar() {
  const session = useSession();
  return (
    <header className="flex min-h-13 shrink-0 flex-wrap items-center gap-2 border-b border-line bg-surface px-4 py-2">
      <a href={href("")} className="me-2 flex items-center gap-2 font-semibold" onClick={(e) => { e.preventDefault(); go(""); }}>
        <img src="/icon.svg" alt="" className="size-6" />
        <span>Crosspoint</span>
      </a>
      <AriaButton onPress={openPalette} className="flex h-9 max-w-72 min-w-0 flex-1 cursor-default items-center gap-2 rounded-md border border-line bg-sunken px-3 text-muted hover:border-edge">
        <Search size={15} aria-hidden />
        <span className="flex-1 truncate text-start">{t("Search or command")}</span>
        <kbd aria-hidden="true" className="hidden rounded border lg:inline border-line bg-surface px-1 font-sans text-xs">
          {/Mac/.test(navigator.userAgent) ? "⌘K" : "Ctrl K"}
        </kbd>
      </AriaButton>
      <div className="ms-auto flex flex-wrap items-center gap-1.5">
        <ConnectionHealth />
        <PhoneHealth />
        <PresenceMenu />
        <MenuTrigger>
          <AriaButton aria-label={t("{name}, account", { name: session?.name ?? "" })} className="flex h-9 cursor-default items-center gap-1.5 rounded-md px-2 font-medium hover:bg-sunken">
            <span>{session?.name}</span>
            <ChevronDown size={14} aria-hidden className="text-muted" />
          </AriaButton>
          <Popover placement="bottom end" className="z-50 min-w-48 rounded-md border border-line bg-raised p-1 shadow-lg">
            <p className="px-2.5 py-1.5 text-xs text-muted">
              {session?.login}
              <br />
              {session?.tenant_name}
            </p>
            <Menu aria-label={t("Account")} className="outline-none" onAction={(key) => (key === "out" ? void signOut() : go("settings"))}>
              <MenuItem id="settings" className="flex cursor-default items-center gap-2 rounded px-2.5 py-1.5 outline-none focus:bg-accent-soft">
                <SlidersHorizontal size={15} aria-hidden /> {t("Settings")}
              </MenuItem>
              <MenuItem id="out" className="flex cursor-default items-center gap-2 rounded px-2.5 py-1.5 outline-none focus:bg-accent-soft">
                <LogOut size={15} aria-hidden /> {t("Sign out")}
              </MenuItem>
            </Menu>
          </Popover>
        </MenuTrigger>
      </div>
    </header>
  );
}

/** What a lost connection means for the agent, said where it cannot be overlooked. */
function Lost() {
  const { state } = useConnection();
  if (state !== "lost") return null;
  return (
    <p role="alert" className="bg-bad px-4 py-1.5 text-center font-medium text-on-bad">
      {t("No connection to the server. What you see may be old; you are offered no calls until it is back. Running calls go on.")}
    </p>
  );
}

/** What the far side of each browser call says. */
function RemoteAudio() {
  const phone = useSoftphone();
  const { output } = useDevices();
  return (
    <div hidden>
      {phone.legs.map((leg) =>
        leg.remote ? (
          <audio
            key={leg.leg} data-remote={leg.leg} autoPlay
            ref={(element) => {
              if (!element) return;
              if (element.srcObject !== leg.remote) element.srcObject = leg.remote;
              if (output && "setSinkId" in element) void element.setSinkId(output).catch(() => {});
            }}
          >
            <track kind="captions" />
          </audio>
        ) : null,
      )}
    </div>
  );
}
