// Which pages of the administration somebody sees. Everybody who works with calls may read much of the
// configuration, since names are needed everywhere; that alone opens no page here. Who changes things
// does, and who was given nothing but a role of the tenant's own.

import { may, session } from "../lib/session";

const RIGHTS: Record<string, [read: string, change: string]> = {
  start: ["queues:write", "queues:write"],
  tenant: ["tenant:write", "tenant:write"],
  people: ["users:read", "users:write"],
  roles: ["roles:read", "roles:write"],
  agents: ["agents:read", "agents:write"],
  queues: ["queues:read", "queues:write"],
  skills: ["skills:read", "skills:write"],
  numbers: ["numbers:read", "numbers:write"],
  brands: ["numbers:read", "numbers:write"],
  points: ["points:read", "points:write"],
  hours: ["numbers:read", "numbers:write"],
  phones: ["phones:read", "phones:write"],
  trunks: ["trunks:read", "trunks:write"],
  identity: ["identity:read", "identity:write"],
  rooms: ["conferences:read", "conferences:write"],
  codes: ["wrap-up-codes:read", "wrap-up-codes:write"],
  customers: ["persons:read", "persons:write"],
  proof: ["proof-policy:read", "proof-policy:write"],
  announced: ["precalls:read", "precalls:send"],
  keys: ["api-keys:read", "api-keys:write"],
  clients: ["oauth-clients:read", "oauth-clients:write"],
  providers: ["identity-providers:read", "identity-providers:write"],
  tenants: ["tenants:read", "tenants:read"],
  audit: ["audit:read", "audit:read"],
};

export function sectionShown(path: string): boolean {
  const [read, change] = RIGHTS[path] ?? ["", ""];
  return may(change) || (may(read) && !session()?.roles.length);
}

/** Whether there is any. */
export const adminShown = (): boolean => Object.keys(RIGHTS).some(sectionShown);
