// All tenants of this Crosspoint, for whoever runs it: make one with its first person, limit it, suspend it.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "../lib/action";
import { all, api, ApiError, type Schemas } from "../lib/api";
import { day, number } from "../lib/format";
import { t } from "../lib/i18n";
import { queries } from "../lib/names";
import { may, session } from "../lib/session";
import { notify, problemText } from "../lib/tell";
import { Button, IconButton } from "../ui/button";
import { NumberField, Switch, TextField } from "../ui/field";
import { Badge, Dialog, Empty, Failed, td, th } from "../ui/parts";
import { Pencil, Plus } from "../ui/icons";

type Tenant = Schemas["TenantRow"] & { domain?: string };
const KEY = ["tenants"];

export function Tenants() {
  const query = useQuery({ queryKey: KEY, queryFn: () => all<Tenant>(async (cursor) => ({ data: (await api.GET("/v1/tenants", { params: { query: { limit: 200, ...(cursor ? { cursor } : {}) } } })).data as { items: Tenant[]; next?: string } })) });
  const [editing, setEditing] = useState<Tenant | "new" | null>(null);
  const write = may("tenants:write");
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <p className="text-muted">{t("Loading …")}</p>;
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="text-muted">{t("Each tenant is a house of its own: nothing of one is seen by another.")}</p>
        {write ? (
          <Button look="primary" icon={<Plus size={15} aria-hidden />} onPress={() => setEditing("new")}>
            {t("Add a tenant")}
          </Button>
        ) : null}
      </div>
      {query.data.length ? (
        <div className="overflow-x-auto rounded-lg border border-line bg-surface">
          <table className="w-full">
            <thead className="border-b border-line">
              <tr>
                {[t("Name"), t("SIP domain"), t("Calls at a time"), t("State"), t("Since")].map((n) => (
                  <th key={n} scope="col" className={th}>
                    {n}
                  </th>
                ))}
                <th scope="col" className={th}>
                  <span className="sr-only">{t("Actions")}</span>
                </th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {query.data.map((row) => (
                <tr key={row.id} data-tenant={row.id}>
                  <td className={`${td} font-medium`}>
                    {row.name} {row.id === session()?.tenant ? <Badge tone="info">{t("yours")}</Badge> : null}
                  </td>
                  <td className={td} dir="ltr">
                    {row.domain || "–"}
                  </td>
                  <td className={td}>{row.interactions_max ? number(row.interactions_max) : t("no limit")}</td>
                  <td className={td}>{row.suspended ? <Badge tone="bad">{t("Suspended")}</Badge> : <Badge tone="good">{t("Runs")}</Badge>}</td>
                  <td className={`${td} text-muted`}>{day(row.created_at)}</td>
                  <td className={`${td} text-end`}>{write ? <IconButton size="small" look="quiet" label={t("Change {name}", { name: row.name })} icon={<Pencil size={14} aria-hidden />} onPress={() => setEditing(row)} /> : null}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <Empty title={t("Nothing here yet")} />
      )}
      {editing === "new" ? <Fresh onClose={() => setEditing(null)} /> : editing ? <Change key={editing.id} tenant={editing} onClose={() => setEditing(null)} /> : null}
    </div>
  );
}

/** What went wrong, by the field it is about; "" is about none. */
function faults(error: unknown): Record<string, string> {
  const errors = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  if (!errors.length) return { "": problemText(error) };
  return Object.fromEntries(errors.map((e) => [e.pointer, e.detail]));
}

function Around(props: { title: string; problem?: string | undefined; onSave: () => Promise<void>; onClose: () => void; children: React.ReactNode }) {
  const save = () => void act("tenant-save", props.onSave);
  return (
    <Dialog
      title={props.title} isOpen onClose={props.onClose}
      footer={
        <>
          <Button onPress={props.onClose}>{t("Cancel")}</Button>
          <Button look="primary" busy="tenant-save" onPress={save}>
            {t("Save")}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          save();
        }}
      >
        {props.problem ? (
          <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad">
            {props.problem}
          </p>
        ) : null}
        {props.children}
        <button type="submit" hidden aria-hidden="true" tabIndex={-1} />
      </form>
    </Dialog>
  );
}

function Fresh(props: { onClose: () => void }) {
  const [draft, setDraft] = useState({ name: "", domain: "", interactions_max: 0, login: "", person: "", password: "" });
  const [errors, setErrors] = useState<Record<string, string>>({});
  const set = (part: Partial<typeof draft>) => setDraft((d) => ({ ...d, ...part }));
  const save = async () => {
    const { login, person, password, ...tenant } = draft;
    try {
      await api.POST("/v1/tenants", { body: { ...tenant, administrator: { login, name: person, password } } });
    } catch (error) {
      return setErrors(faults(error));
    }
    await queries.invalidateQueries({ queryKey: KEY });
    notify(t("{name} is made. {person} can sign in now.", { name: draft.name, person: draft.person }), "good");
    props.onClose();
  };
  return (
    <Around title={t("Add a tenant")} problem={errors[""]} onSave={save} onClose={props.onClose}>
      <TextField label={t("Name")} value={draft.name} onChange={(name) => set({ name })} isRequired autoFocus error={errors["/name"]} />
      <TextField label={t("SIP domain")} value={draft.domain} onChange={(domain) => set({ domain })} isRequired error={errors["/domain"]} hint={t("Its phones register with it. It does not change later.")} />
      <NumberField label={t("Calls at a time")} value={draft.interactions_max} onChange={(n) => set({ interactions_max: n ?? 0 })} min={0} hint={t("0: no limit.")} error={errors["/interactions_max"]} />
      <fieldset className="flex flex-col gap-4 rounded-md border border-line p-3">
        <legend className="px-1 text-xs font-medium">{t("Its first administrator")}</legend>
        <TextField label={t("E-mail or name to sign in with")} value={draft.login} onChange={(login) => set({ login })} isRequired autoComplete="off" error={errors["/administrator/login"]} />
        <TextField label={t("Name")} value={draft.person} onChange={(person) => set({ person })} isRequired autoComplete="off" error={errors["/administrator/name"]} />
        <TextField label={t("Password")} type="password" autoComplete="new-password" value={draft.password} onChange={(password) => set({ password })} isRequired hint={t("At least 8 characters; long is better than odd.")} error={errors["/administrator/password"]} />
      </fieldset>
    </Around>
  );
}

function Change(props: { tenant: Tenant; onClose: () => void }) {
  const { tenant } = props;
  const [name, setName] = useState(tenant.name);
  const [limit, setLimit] = useState<number | null>(tenant.interactions_max);
  const [suspended, setSuspended] = useState(tenant.suspended);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const save = async () => {
    try {
      await api.PATCH("/v1/tenants/{id}", { params: { path: { id: tenant.id }, header: { "If-Match": `"${tenant.version}"` } }, body: { name, interactions_max: limit ?? 0, suspended } as never });
    } catch (error) {
      return setErrors(faults(error));
    }
    await queries.invalidateQueries({ queryKey: KEY });
    notify(t("Saved."), "good");
    props.onClose();
  };
  return (
    <Around title={tenant.name} problem={errors[""]} onSave={save} onClose={props.onClose}>
      <TextField label={t("Name")} value={name} onChange={setName} isRequired error={errors["/name"]} />
      <NumberField label={t("Calls at a time")} value={limit} onChange={setLimit} min={0} hint={t("0: no limit.")} error={errors["/interactions_max"]} />
      <Switch label={t("Suspended")} value={suspended} onChange={setSuspended} isDisabled={tenant.id === session()?.tenant} hint={t("Nobody of it signs in, and it takes and places no calls.")} />
    </Around>
  );
}
