// The collections that say who may come in: people, roles, keys, clients, providers, partners.

import { dayTime } from "../lib/format";
import { t } from "../lib/i18n";
import { Badge } from "../ui/parts";
import { Secret } from "../ui/secret";
import type { AnyRow, CollectionSpec } from "./collection";
import { clientSecret, NewSecret } from "./new-secret";
import { PersonSignIn } from "./person-sign-in";
import { column, Names, roleNames, roles, text } from "./spec-parts";

type Access = "users" | "roles" | "api-keys" | "oauth-clients" | "identity-providers" | "caller-partners";

const state = (r: AnyRow) => (r.disabled ? <Badge tone="bad">{t("Disabled")}</Badge> : <Badge tone="good">{t("Active")}</Badge>);
const name = (row: AnyRow) => String(row.name || row.id);

export function accessSpecs(): Record<Access, CollectionSpec> {
  return {
    users: {
      collection: "users", add: t("Add a person"), empty: t("People sign in here with an e-mail address and a password."), title: name,
      columns: [column(t("Name"), name), column(t("Sign-in"), (r) => String(r.login)), column(t("Roles"), (r) => <span className="flex flex-wrap gap-1">{roleNames(r.roles)}{(r.custom_roles as string[]).length ? <Names of="roles" ids={r.custom_roles} /> : null}</span>), column(t("State"), state)],
      fields: [text("name", t("Name"), { required: true }), text("login", t("E-mail"), { required: true }), { name: "password", label: t("Password"), hint: t("At least 8 characters. Left empty, it stays."), kind: { is: "text", type: "password" } }, { name: "roles", label: t("Roles"), kind: { is: "many", choices: roles() } }, { name: "custom_roles", label: t("Roles of your own"), hint: t("Made under Roles. What somebody may do is all of it together."), kind: { is: "refs", of: "roles" } }, { name: "disabled", label: t("Disabled"), hint: t("Cannot sign in; sessions end."), kind: { is: "switch" } }],
      fresh: { name: "", login: "", password: "", roles: ["agent"], custom_roles: [], disabled: false },
      actions: (r) => <PersonSignIn id={r.id} name={name(r)} />,
    },
    roles: {
      collection: "roles", add: t("Add a role"), empty: t("Roles of your own, as sets of permissions (resource:action)."), title: name,
      columns: [column(t("Name"), name), column(t("Description"), (r) => String(r.description ?? "")), column(t("Permissions"), (r) => String((r.permissions as string[]).length))],
      fields: [text("name", t("Name"), { required: true }), text("description", t("Description")), { name: "permissions", label: t("Permissions"), kind: { is: "permissions" } }],
      fresh: { name: "", description: "", permissions: [] },
    },
    "api-keys": {
      collection: "api-keys", add: t("Add a key"), empty: t("Keys for programs. What a key may do is settled when it is made."), title: name,
      columns: [column(t("Name"), name), column(t("Roles"), (r) => roleNames(r.roles)), column(t("Permissions"), (r) => String((r.scopes as string[]).length || "–")), column(t("Expires"), (r) => (r.expires_at ? dayTime(String(r.expires_at)) : t("never")))],
      fields: [text("name", t("Name"), { required: true }), { name: "expires_at", label: t("Expires"), hint: t("Empty: never."), kind: { is: "moment" } }, { name: "roles", label: t("Roles"), hint: t("All that the role may do; or choose below."), onlyNew: true, kind: { is: "many", choices: roles() } }, { name: "scopes", label: t("Permissions"), onlyNew: true, kind: { is: "permissions" } }],
      fresh: { name: "", expires_at: null, roles: [], scopes: [] },
      told: (made) => [{ label: t("Key"), value: String(made.secret) }],
    },
    "oauth-clients": {
      collection: "oauth-clients", add: t("Add a client"), empty: t("Programs that get tokens by OAuth 2 (client credentials) and change their secret now and then."), title: name,
      columns: [column(t("Name"), name), column("client_id", (r) => <code className="font-mono text-xs break-all">{r.id}</code>), column(t("Permissions"), (r) => String((r.scopes as string[]).length)), column(t("Token lasts"), (r) => t("{n} s", { n: Number(r.token_s) })), column(t("State"), state)],
      fields: [text("name", t("Name"), { required: true }), { name: "token_s", label: t("Token lasts"), kind: { is: "number", min: 60, max: 86_400, unit: t("seconds") } }, { name: "scopes", label: t("Permissions"), kind: { is: "permissions" } }, { name: "disabled", label: t("Disabled"), hint: t("Its tokens end at once."), kind: { is: "switch" } }],
      fresh: { name: "", token_s: 3600, scopes: [], disabled: false },
      actions: (r) => <NewSecret id={r.id} name={name(r)} />,
      told: clientSecret,
    },
    "identity-providers": {
      collection: "identity-providers", add: t("Connect a provider"), empty: t("People can sign in by your company's account: Entra ID, Okta, Google, Keycloak, any OpenID Connect provider."), title: name,
      columns: [column(t("Name"), name), column(t("Issuer"), (r) => <span dir="ltr">{String(r.issuer)}</span>), column(t("Roles"), (r) => (r.roles_claim ? t("by {claim}", { claim: String(r.roles_claim) }) : t("given here"))), column(t("State"), state)],
      fields: [
        text("name", t("Name"), { required: true, hint: t("What the button on the sign-in page says.") }), text("issuer", t("Issuer"), { required: true, hint: t("As https://login.example.com; its discovery document lies below.") }),
        text("client_id", "client_id", { required: true }), { name: "client_secret", label: "client_secret", hint: t("Left empty, it stays. It is never shown again."), kind: { is: "text", type: "password" } },
        { name: "scopes", label: t("Asked for besides openid"), kind: { is: "list" } }, text("login_claim", t("Claim that becomes the sign-in name")), text("roles_claim", t("Claim that gives roles"), { hint: t("As groups; empty: roles are given here.") }),
        { name: "role_rules", label: t("Roles by that claim"), kind: { is: "role-rules", roles: roles() } }, { name: "default_roles", label: t("Everybody from there gets"), kind: { is: "many", choices: roles() } },
        { name: "provision", label: t("Make people who are not known yet"), kind: { is: "switch" } }, { name: "link_by_login", label: t("Take over people of the same name"), hint: t("Only when the provider says that the address is verified."), kind: { is: "switch" } }, { name: "disabled", label: t("Disabled"), kind: { is: "switch" } },
      ],
      fresh: { name: "", issuer: "", client_id: "", client_secret: "", scopes: ["email", "profile"], login_claim: "email", roles_claim: "", role_rules: [], default_roles: [], provision: false, link_by_login: false, disabled: false },
      preview: () => (
        <div className="mt-4">
          <Secret label={t("Redirect address, to be registered at the provider")} value={`${location.origin}/v1/oidc/callback`} />
        </div>
      ),
      extra: (r) => (
        <div className="mt-4">
          <Secret label={t("Back-channel logout address: who signs out there is signed out here")} value={`${location.origin}/v1/oidc/${r.id}/backchannel-logout`} />
        </div>
      ),
    },
    "caller-partners": {
      collection: "caller-partners", add: t("Add a partner"), empty: t("Whoever holds the secret of a partner may announce calls, which then skip the screening."), title: name,
      columns: [column(t("Name"), name), column("kid", (r) => <code className="font-mono text-xs break-all">{r.id}</code>), column(t("Open at a time"), (r) => String(r.open_max)), column(t("Good for"), (r) => t("{n} s", { n: Number(r.valid_s_max) })), column(t("State"), state)],
      fields: [text("name", t("Name"), { required: true }), { name: "person", label: t("Always calls for"), hint: t("A customer, who counts as proven by the announcement."), kind: { is: "ref", of: "persons" } }, { name: "open_max", label: t("Open at a time"), hint: t("Announced calls that wait for their call."), kind: { is: "number", min: 1, max: 1000 } }, { name: "valid_s_max", label: t("Good for"), hint: t("Longest time from announcement to call."), kind: { is: "number", min: 30, max: 86_400, unit: t("seconds") } }, { name: "disabled", label: t("Disabled"), hint: t("Its tokens make no record."), kind: { is: "switch" } }],
      fresh: { name: "", person: null, open_max: 10, valid_s_max: 600, disabled: false },
      told: (made) => [{ label: "kid", value: String(made.id) }, { label: t("Secret (HS256, base64url)"), value: String(made.secret) }],
    },
  };
}
