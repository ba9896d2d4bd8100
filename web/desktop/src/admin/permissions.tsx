// The matrix of what can be allowed: a row for each resource, a column for each thing done to it.

import { useQuery } from "@tanstack/react-query";
import { answer, api, type Schemas } from "../lib/api";
import { t } from "../lib/i18n";
import { session } from "../lib/session";
import { Checkbox, Select } from "../ui/field";
import { Failed, td, th } from "../ui/parts";

type Permission = Schemas["PermissionView"];

const usePermissions = () => useQuery({ queryKey: ["permissions", session()?.user], queryFn: async () => (await answer(api.GET("/v1/permissions"))).items });

/** The columns that most resources have; what else can be done stands in the last one. */
const COLUMNS = ["read", "read-own", "write"];
const split = (p: string): [string, string] => p.split(":") as [string, string];

export function PermissionsField(props: { label: string; value: string[]; onChange: (value: string[]) => void; error?: string | undefined }) {
  const { label, value, onChange } = props;
  const query = usePermissions();
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <p className="text-muted">{t("Loading …")}</p>;
  const all = query.data;
  const known = new Set(all.map((p) => p.permission));
  const resources = [...new Set(all.map((p) => split(p.permission)[0]))];
  const of = (role: string) => all.filter((p) => p.grantable && (p.roles as string[]).includes(role)).map((p) => p.permission);
  const toggle = (permission: string, on: boolean) => onChange(on ? [...value, permission] : value.filter((v) => v !== permission));
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-xs font-medium">{label}</legend>
      <div className="flex flex-wrap items-end justify-between gap-2">
        <Select
          label={t("Begin with those of")} value={null} placeholder={t("Choose")} className="w-56" onChange={(role) => onChange(of(role))}
          choices={[
            { id: "agent", name: t("Agent") },
            { id: "supervisor", name: t("Supervisor") },
            { id: "administrator", name: t("Administrator") },
          ]}
        />
        <p className="text-muted">{t("{n} of {all} are given.", { n: value.filter((v) => known.has(v)).length, all: all.length })}</p>
      </div>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reached by keyboard */}
      <div className="relative max-h-80 overflow-auto rounded-md border border-line" tabIndex={0} role="group" aria-label={label}>
        <table className="w-full">
          <thead className="sticky top-0 z-10 bg-raised">
            <tr>
              {[t("Of"), t("See"), t("See own"), t("Change"), t("More")].map((name) => (
                <th key={name} scope="col" className={th}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {resources.map((resource) => (
              <Resource key={resource} resource={resource} permissions={all.filter((p) => split(p.permission)[0] === resource)} value={value} onToggle={toggle} />
            ))}
          </tbody>
        </table>
      </div>
      <p className="text-xs text-muted">{t("Nobody gives what they may not do themselves; those are grey.")}</p>
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}

function Resource(props: { resource: string; permissions: Permission[]; value: string[]; onToggle: (permission: string, on: boolean) => void }) {
  const { resource, permissions } = props;
  const box = (p: Permission, name: string | null) => (
    <span key={p.permission} title={p.what}>
      <Checkbox label={name ?? <span className="sr-only">{p.permission}</span>} value={props.value.includes(p.permission)} isDisabled={!p.grantable} onChange={(on) => props.onToggle(p.permission, on)} />
    </span>
  );
  return (
    <tr>
      <th scope="row" className={`${td} text-start font-mono text-xs font-normal`} dir="ltr">
        {resource}
      </th>
      {COLUMNS.map((action) => {
        const p = permissions.find((x) => split(x.permission)[1] === action);
        return (
          <td key={action} className={td}>
            {p ? box(p, null) : null}
          </td>
        );
      })}
      <td className={td}>
        <span className="flex flex-wrap gap-x-4 gap-y-1 font-mono text-xs" dir="ltr">
          {permissions.filter((p) => !COLUMNS.includes(split(p.permission)[1])).map((p) => box(p, split(p.permission)[1]))}
        </span>
      </td>
    </tr>
  );
}
