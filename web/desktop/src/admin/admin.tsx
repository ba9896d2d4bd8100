// Administration: a page for each kind of thing, and first steps until the first call is possible.

import type { ComponentType, ReactNode } from "react";
import { address } from "../lib/format";
import { t } from "../lib/i18n";
import { go, href, usePath } from "../lib/router";
import { may } from "../lib/session";
import { CollectionPage } from "./collection";
import { FirstSteps } from "./first-steps";
import { Audit } from "./audit";
import { CallIdentityPage } from "./call-identity";
import { TenantPage } from "./tenant";
import { specs } from "./specs";
import { Building2, Cable, CalendarClock, Hash, Headphones, KeyRound, ListChecks, Phone, Rocket, ScrollText, Shield, ShieldCheck, Tags, Users, UsersRound } from "../ui/icons";

interface Section {
  path: string;
  name: string;
  icon: ComponentType<{ size?: number }>;
  page: ReactNode;
  shown: boolean;
}

function sections(): Section[] {
  const s = specs();
  const of = (path: string, name: string, icon: Section["icon"], spec: keyof typeof s, permission: string): Section => ({ path, name, icon, page: <CollectionPage key={path} spec={s[spec]} />, shown: may(permission) });
  return [
    { path: "start", name: t("First steps"), icon: Rocket, page: <FirstSteps />, shown: true },
    { path: "tenant", name: t("Organisation"), icon: Building2, page: <TenantPage />, shown: may("tenant:read") },
    of("people", t("People"), Users, "users", "users:read"),
    of("roles", t("Roles"), Shield, "roles", "roles:read"),
    of("agents", t("Agents"), Headphones, "agents", "agents:read"),
    of("queues", t("Queues"), ListChecks, "queues", "queues:read"),
    of("skills", t("Skills"), Tags, "skills", "skills:read"),
    of("numbers", t("Numbers"), Hash, "numbers", "numbers:read"),
    of("hours", t("Business hours"), CalendarClock, "schedules", "numbers:read"),
    of("phones", t("Phones"), Phone, "phones", "phones:read"),
    of("trunks", t("Trunks"), Cable, "trunks", "trunks:read"),
    { path: "identity", name: t("Call identity"), icon: ShieldCheck, page: <CallIdentityPage />, shown: may("identity:read") },
    of("rooms", t("Conference rooms"), UsersRound, "conferences", "conferences:read"),
    of("codes", t("Wrap-up codes"), Tags, "wrap-up-codes", "wrap-up-codes:read"),
    of("keys", t("API keys"), KeyRound, "api-keys", "api-keys:read"),
    { path: "audit", name: t("Audit"), icon: ScrollText, page: <Audit />, shown: may("audit:read") },
  ].filter((x) => x.shown);
}

export default function Admin() {
  const all = sections();
  const [, wanted] = usePath().split("/");
  const current = all.find((s) => s.path === wanted) ?? all[0];
  return (
    <div className="flex h-full flex-col md:flex-row">
      <nav aria-label={t("Administration")} className="flex shrink-0 gap-0.5 overflow-auto border-line bg-surface p-2 md:w-52 md:flex-col md:border-e">
        {all.map((s) => (
          <a
            key={s.path} href={href(`admin/${s.path}`)} aria-current={s === current ? "page" : undefined}
            className={`flex items-center gap-2.5 rounded-md px-3 py-1.5 whitespace-nowrap ${s === current ? "bg-accent-soft font-medium text-accent" : "text-muted hover:bg-sunken hover:text-ink"}`}
            onClick={(e) => {
              if (e.metaKey || e.ctrlKey) return;
              e.preventDefault();
              go(`admin/${s.path}`);
            }}
          >
            <s.icon size={16} />
            {s.name}
          </a>
        ))}
      </nav>
      <div className="min-h-0 min-w-0 flex-1 overflow-auto p-5">
        <h1 className="mb-4 text-lg font-semibold">{current?.name}</h1>
        <div className="max-w-5xl">{current?.page}</div>
      </div>
    </div>
  );
}

export { address };
