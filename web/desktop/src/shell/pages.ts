// The pages there are, and who sees them.

import { lazy, type ComponentType } from "react";
import { t } from "../lib/i18n";
import { may, session } from "../lib/session";
import { adminShown } from "../admin/sections";
import { Building2, Headphones, Inbox, History, LayoutDashboard, Monitor, BarChart3, SlidersHorizontal } from "../ui/icons";
import { Desk } from "../agent/desk";
import { Interactions } from "../history/search";

export interface PageEntry {
  path: string;
  name: string;
  icon: ComponentType<{ size?: number }>;
  page: ComponentType;
  shown: boolean;
}

const Contacts = lazy(() => import("../contacts/contacts"));
const Supervisor = lazy(() => import("../supervisor/supervisor"));
const Wallboard = lazy(() => import("../supervisor/wallboard"));
const Reports = lazy(() => import("../supervisor/reports"));
const Admin = lazy(() => import("../admin/admin"));
const Settings = lazy(() => import("./settings"));

export function pages(): PageEntry[] {
  return [
    { path: "desk", name: t("Desk"), icon: Headphones, page: Desk, shown: Boolean(session()?.agent) },
    { path: "contacts", name: t("Contacts"), icon: Inbox, page: Contacts, shown: may("contacts:read") },
    { path: "supervisor", name: t("Supervisor"), icon: LayoutDashboard, page: Supervisor, shown: may("live:read") },
    { path: "wallboard", name: t("Wallboard"), icon: Monitor, page: Wallboard, shown: may("live:read") },
    { path: "interactions", name: t("Interactions"), icon: History, page: Interactions, shown: may("interactions:read") || may("interactions:read-own") },
    { path: "reports", name: t("Reports"), icon: BarChart3, page: Reports, shown: may("interactions:read") },
    { path: "admin", name: t("Admin"), icon: Building2, page: Admin, shown: adminShown() },
    { path: "settings", name: t("Settings"), icon: SlidersHorizontal, page: Settings, shown: true },
  ].filter((p) => p.shown);
}

/** Where somebody begins: supervisors who are agents too begin with the floor. */
export function home(): string {
  const roles = session()?.roles ?? [];
  if (roles.includes("supervisor") && may("live:read")) return "supervisor";
  if (session()?.agent) return "desk";
  return adminShown() ? "admin" : (pages()[0]?.path ?? "settings");
}
