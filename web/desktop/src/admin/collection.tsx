// One collection of configuration rows: list, find, make, change, remove. What is sent carries the
// version that was read, so that nobody overwrites a colleague's change unseen.

import { useState, type ReactNode } from "react";
import { api, ApiError } from "../lib/api";
import { act } from "../lib/action";
import { t, tn } from "../lib/i18n";
import { queries, resourceOf, useRows, type Collection } from "../lib/names";
import { may } from "../lib/session";
import { notify, problemText } from "../lib/tell";
import { Button, IconButton } from "../ui/button";
import { TextField } from "../ui/field";
import { Dialog, Empty, Failed, td, th } from "../ui/parts";
import { Pencil, Plus, Trash2 } from "../ui/icons";
import { Field, type FieldSpec, type Value } from "./fields";
import { Told, type Telling } from "./told";

export interface AnyRow {
  id: string;
  version?: number;
  [name: string]: unknown;
}

export interface Column {
  name: string;
  cell: (row: AnyRow) => ReactNode;
}

export interface CollectionSpec {
  collection: Collection;
  /** "Add a queue". */
  add: string;
  /** What it is for; shown while there is none. */
  empty: string;
  title: (row: AnyRow) => string;
  columns: Column[];
  fields: FieldSpec[];
  fresh: Value;
  /** Beside edit and remove. */
  actions?: (row: AnyRow) => ReactNode;
  /** What is told once, when a row was made. */
  told?: (made: AnyRow) => Telling["items"];
  /** Below the fields of an existing row. */
  extra?: (row: AnyRow) => ReactNode;
  /** Below the fields, from what stands in them now. */
  preview?: (draft: Value) => ReactNode;
}

export function CollectionPage(props: { spec: CollectionSpec }) {
  const { spec } = props;
  const query = useRows(spec.collection);
  const [editing, setEditing] = useState<AnyRow | "new" | null>(null);
  const [removing, setRemoving] = useState<AnyRow | null>(null);
  const [search, setSearch] = useState("");
  const [told, setTold] = useState<Telling | null>(null);
  const write = may(`${resourceOf(spec.collection)}:write`);
  const rows = (query.data ?? []) as unknown as AnyRow[];
  const wanted = search.trim().toLowerCase();
  const shown = rows.filter((r) => !wanted || JSON.stringify(r).toLowerCase().includes(wanted));
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-end justify-between gap-3">
        {rows.length > 8 ? <TextField label={t("Find")} hideLabel placeholder={t("Find")} value={search} onChange={setSearch} className="w-64" /> : <p className="text-muted">{tn(rows.length, "{n} entry", "{n} entries")}</p>}
        {write ? (
          <Button look="primary" icon={<Plus size={15} aria-hidden />} onPress={() => setEditing("new")}>
            {spec.add}
          </Button>
        ) : null}
      </div>
      {query.error ? <Failed error={query.error} retry={() => void query.refetch()} /> : null}
      {query.isPending ? <p className="text-muted">{t("Loading …")}</p> : null}
      {query.data && !shown.length ? (
        <div className="rounded-lg border border-line bg-surface">
          <Empty title={wanted ? t("Nothing found") : t("Nothing here yet")}>{wanted ? null : spec.empty}</Empty>
        </div>
      ) : null}
      {shown.length ? (
        <div className="overflow-x-auto rounded-lg border border-line bg-surface">
          <table className="w-full">
            <thead className="border-b border-line">
              <tr>
                {spec.columns.map((c) => (
                  <th key={c.name} scope="col" className={th}>
                    {c.name}
                  </th>
                ))}
                <th scope="col" className={th}>
                  <span className="sr-only">{t("Actions")}</span>
                </th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {shown.map((row) => (
                <tr key={row.id}>
                  {spec.columns.map((c, n) => (
                    <td key={c.name} className={`${td} ${n === 0 ? "font-medium" : ""}`}>
                      {c.cell(row)}
                    </td>
                  ))}
                  <td className={`${td} text-end whitespace-nowrap`}>
                    {spec.actions?.(row)}
                    {write ? (
                      <>
                        <IconButton size="small" look="quiet" label={t("Change {name}", { name: spec.title(row) })} icon={<Pencil size={14} aria-hidden />} onPress={() => setEditing(row)} />
                        <IconButton size="small" look="quiet" label={t("Remove {name}", { name: spec.title(row) })} icon={<Trash2 size={14} aria-hidden />} onPress={() => setRemoving(row)} />
                      </>
                    ) : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {editing ? <Editor key={editing === "new" ? "new" : editing.id} spec={spec} row={editing === "new" ? null : editing} onClose={() => setEditing(null)} onMade={(made) => spec.told && setTold({ title: spec.title(made), items: spec.told(made) })} /> : null}
      {told ? <Told telling={told} onClose={() => setTold(null)} /> : null}
      {removing ? <Remove spec={spec} row={removing} onClose={() => setRemoving(null)} /> : null}
    </div>
  );
}

type Path = "/v1/queues";
type OnePath = "/v1/queues/{id}";

function Remove(props: { spec: CollectionSpec; row: AnyRow; onClose: () => void }) {
  const { spec, row, onClose } = props;
  const remove = async () => {
    const path = `/v1/${spec.collection}/{id}` as OnePath;
    if (!(await act("remove", () => api.DELETE(path, { params: { path: { id: row.id }, header: { "If-Match": `"${row.version}"` } } })))) return;
    await queries.invalidateQueries({ queryKey: ["config", spec.collection] });
    notify(t("{name} is removed.", { name: spec.title(row) }), "good");
    onClose();
  };
  return (
    <Dialog
      title={t("Remove {name}?", { name: spec.title(row) })} isOpen onClose={onClose}
      footer={
        <>
          <Button onPress={onClose}>{t("Keep")}</Button>
          <Button look="danger" busy="remove" onPress={() => void remove()}>
            {t("Remove")}
          </Button>
        </>
      }
    >
      <p>{t("What refers to it has to be changed first; the server says so if something does. Past interactions keep their record.")}</p>
    </Dialog>
  );
}

function Editor(props: { spec: CollectionSpec; row: AnyRow | null; onClose: () => void; onMade: (made: AnyRow) => void }) {
  const { spec, row, onClose, onMade } = props;
  const [draft, setDraft] = useState<Value>(() => ({ ...spec.fresh, ...(row ?? {}) }));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [problem, setProblem] = useState("");
  const fields = spec.fields.filter((f) => !row || !f.onlyNew);
  const save = async () => {
    setErrors({});
    setProblem("");
    const body: Value = {};
    for (const f of fields) {
      const value = draft[f.name];
      const before = row ? row[f.name] : undefined;
      if (row ? JSON.stringify(value) !== JSON.stringify(before) : value !== undefined && value !== "") body[f.name] = value;
    }
    try {
      if (row) await api.PATCH(`/v1/${spec.collection}/{id}` as OnePath, { params: { path: { id: row.id }, header: { "If-Match": `"${row.version}"` } }, body: body as never });
      else onMade((await api.POST(`/v1/${spec.collection}` as Path, { body: body as never })).data as unknown as AnyRow);
      await queries.invalidateQueries({ queryKey: ["config", spec.collection] });
      notify(t("Saved."), "good");
      onClose();
    } catch (error) {
      const faults = error instanceof ApiError ? (error.problem.errors ?? []) : [];
      const names = new Set(fields.map((f) => f.name));
      const own = faults.map((f) => [f.pointer.split("/")[1] ?? "", f.detail] as const);
      setErrors(Object.fromEntries(own.filter(([name]) => names.has(name))));
      const stale = error instanceof ApiError && error.status === 412;
      if (stale) void queries.invalidateQueries({ queryKey: ["config", spec.collection] });
      setProblem(stale ? t("Somebody changed this in the meantime. Close, open it again, and make your change anew.") : own.some(([name]) => names.has(name)) ? t("Some fields need another look.") : problemText(error));
    }
  };
  return (
    <Dialog
      wide title={row ? spec.title(row) : spec.add} isOpen onClose={onClose}
      footer={
        <>
          <Button onPress={onClose}>{t("Cancel")}</Button>
          <Button look="primary" busy="save" onPress={() => void act("save", save)}>
            {t("Save")}
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          void act("save", save);
        }}
      >
        {problem ? (
          <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad">
            {problem}
          </p>
        ) : null}
        <div className="grid gap-4 sm:grid-cols-2">
          {fields.map((f) => (
            <div key={f.name} className={["destination", "skills", "refs", "many", "week", "exceptions", "speech", "list", "networks", "permissions", "role-rules", "trunk-auth", "numbers", "identities", "record", "facts"].includes(f.kind.is) ? "sm:col-span-2" : ""}>
              <Field spec={f} value={draft[f.name]} error={errors[f.name]} onChange={(value) => setDraft((d) => ({ ...d, [f.name]: value }))} />
            </div>
          ))}
        </div>
        <button type="submit" hidden aria-hidden="true" tabIndex={-1} />
      </form>
      {spec.preview?.(draft)}
      {row ? spec.extra?.(row) : null}
    </Dialog>
  );
}
