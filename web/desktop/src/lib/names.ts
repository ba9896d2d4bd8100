// The configuration's names and lists, cached by TanStack Query and read again when the tenant's
// configuration changes.

import { QueryClient, useQuery } from "@tanstack/react-query";
import { api, all, ApiError, type Schemas } from "./api";
import { t } from "./i18n";
import { onEvent } from "./live";
import { may, session } from "./session";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 60_000,
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      refetchOnWindowFocus: false,
    },
  },
});

onEvent((event) => {
  if (event.type === "tenant.configuration_changed") void queries.invalidateQueries({ queryKey: ["config"] });
});

/** A collection of configuration rows. */
export type Collection =
  | "agents" | "queues" | "skills" | "numbers" | "phones" | "trunks" | "conferences" | "wrap-up-codes" | "users" | "api-keys" | "schedules" | "roles"
  | "oauth-clients" | "identity-providers" | "caller-partners" | "points" | "identity/certificates" | "brands" | "pictures" | "persons";

interface RowOf {
  agents: Schemas["Agent"];
  queues: Schemas["Queue"];
  skills: Schemas["Skill"];
  numbers: Schemas["Number"];
  phones: Schemas["Phone"];
  trunks: Schemas["Trunk"];
  conferences: Schemas["Conference"];
  "wrap-up-codes": Schemas["WrapUpCode"];
  users: Schemas["User"];
  "api-keys": Schemas["ApiKey"];
  points: Schemas["Point"];
  roles: Schemas["CustomRole"];
  "oauth-clients": Schemas["OAuthClient"];
  "identity-providers": Schemas["IdentityProvider"];
  "caller-partners": Schemas["CallerPartner"];
  schedules: { id: string; name: string; version: number } & Record<string, unknown>;
  "identity/certificates": Schemas["IdentityCertificate"];
  brands: Schemas["Brand"];
  pictures: Schemas["Picture"];
  persons: Schemas["Person"];
}
export type Row<C extends Collection> = RowOf[C];

/** All rows of a collection. */
export async function rows<C extends Collection>(collection: C): Promise<Row<C>[]> {
  type Page = { items: Row<C>[]; next?: string };
  const path = `/v1/${collection}` as "/v1/agents";
  return all(async (cursor) => {
    const got = await api.GET(path, { params: { query: { limit: 200, ...(cursor ? { cursor } : {}) } } });
    return { data: got.data as unknown as Page };
  });
}

// Hours are part of where numbers lead; who may announce calls goes with the announcements.
const RESOURCES: Partial<Record<Collection, string>> = { schedules: "numbers", brands: "numbers", pictures: "numbers", "caller-partners": "precalls", "identity/certificates": "identity" };
/** What the permissions of a collection begin with. */
export const resourceOf = (collection: Collection): string => RESOURCES[collection] ?? collection;
const mayRead = (collection: Collection): boolean => may(`${resourceOf(collection)}:read`) || may(`${collection}:read-own`);

export function useRows<C extends Collection>(collection: C) {
  return useQuery({ queryKey: ["config", collection, session()?.user], queryFn: () => rows(collection), enabled: mayRead(collection) });
}

export const useTenant = () =>
  useQuery({ queryKey: ["config", "tenant", session()?.user], queryFn: async () => (await api.GET("/v1/tenant")).data, enabled: may("tenant:read") });

/** Name of a row by its id; a dash for what is not there any more. */
export function useNames<C extends Collection>(collection: C): (id: string | null | undefined) => string {
  const { data } = useRows(collection);
  return (id) => {
    const row = data?.find((r) => r.id === id) as { name?: string } | undefined;
    return row?.name ?? (id ? t("removed") : "–");
  };
}

/** What this agent is dialled by, from what is cached. */
export function ownExtension(): string | null {
  const cached = queries.getQueryData<Row<"agents">[]>(["config", "agents", session()?.user]);
  return cached?.find((a) => a.id === session()?.agent)?.extension ?? null;
}

/** The same outside of rendering, from what is cached. */
export function nameOf(collection: Collection, id: string | null | undefined): string {
  const cached = queries.getQueryData<{ id: string; name?: string }[]>(["config", collection, session()?.user]);
  return cached?.find((r) => r.id === id)?.name ?? "";
}
