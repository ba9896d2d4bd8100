// Administration: a page for each kind of thing, and first steps until the first call is possible.

import type { ComponentType, ReactNode } from "react";
import { t } from "../lib/i18n";
import { go, href, usePath } from "../lib/router";
import { CollectionPage } from "./collection";
import { FirstSteps } from "./first-steps";
import { Announced } from "./announced";
import { Audit } from "./audit";
import { CallIdentityPage } from "./call-identity";
import { Brands } from "./brands";
import { Customers } from "./customers";
import { ProofRules } from "./proof-rules";
import { sectionShown } from "./sections";
import { TenantPage } from "./tenant";
import { Tenants } from "./tenants";
import { specs } from "./specs";
import { BookUser, Bot, Building2, Cable, CalendarClock, Fingerprint, Globe, Hash, Headphones, KeyRound, Landmark, ListChecks, Megaphone, Phone, PhoneIncoming, Rocket, ScrollText, Shield, ShieldCheck, Tags, UserRoundCheck, Users, UsersRound } from "../ui/icons";

interface Section {
  path: string;
  name: string;
  icon: ComponentType<{ size?: number }>;
  page: ReactNode;
}

function sections(): Section[] {
  const s = specs();
  const of = (path: string, name: string, icon: Section["icon"], spec: keyof typeof s): Section => ({ path, name, icon, page: <CollectionPage key={path} spec={s[spec]} /> });
  return [
    { path: "start", name: t("First steps"), icon: Rocket, page: <FirstSteps /> },
    { path: "tenant", name: t("Organisation"), icon: Building2, page: <TenantPage /> },
    of("people", t("People"), Users, "users"),
    of("roles", t("Roles"), Shield, "roles"),
    of("agents", t("Agents"), Headphones, "agents"),
    of("queues", t("Queues"), ListChecks, "queues"),
    of("skills", t("Skills"), Tags, "skills"),
    of("numbers", t("Numbers"), Hash, "numbers"),
    { path: "brands", name: t("Brands"), icon: Megaphone, page: <Brands spec={s.brands} /> },
    of("points", t("Communication points"), Globe, "points"),
    of("hours", t("Business hours"), CalendarClock, "schedules"),
    of("phones", t("Phones"), Phone, "phones"),
    of("trunks", t("Trunks"), Cable, "trunks"),
    { path: "identity", name: t("Call identity"), icon: ShieldCheck, page: <CallIdentityPage /> },
    of("rooms", t("Conference rooms"), UsersRound, "conferences"),
    of("codes", t("Wrap-up codes"), Tags, "wrap-up-codes"),
    { path: "customers", name: t("Customers"), icon: BookUser, page: <Customers /> },
    { path: "proof", name: t("Customer proof"), icon: UserRoundCheck, page: <ProofRules /> },
    { path: "announced", name: t("Announced calls"), icon: PhoneIncoming, page: <Announced partners={s["caller-partners"]} /> },
    of("keys", t("API keys"), KeyRound, "api-keys"),
    of("clients", t("OAuth clients"), Bot, "oauth-clients"),
    of("providers", t("Identity providers"), Fingerprint, "identity-providers"),
    { path: "tenants", name: t("Tenants"), icon: Landmark, page: <Tenants /> },
    { path: "audit", name: t("Audit"), icon: ScrollText, page: <Audit /> },
  ].filter((x) => sectionShown(x.path));
}

export default function Admin() {
  const all = sections();
  const [, wanted] = usePath().split("/");
  const current = all.find((s) => s.path === wanted) ?? all[0];
  return (
    <div className="flex h-full flex-col md:flex-row">
      <nav aria-label={t("Administration")} className="flex shrink-0 gap-0.5 overflow-auto border-line bg-surface p-2 md:w-60 md:flex-col md:border-e">
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
