// Which queues let in only callers who are proven, or whose call was announced, and where the others go.

import { useState } from "react";
import { act } from "../lib/action";
import { api, ApiError, type Schemas } from "../lib/api";
import { t } from "../lib/i18n";
import { queries, useNames, useRows, type Row } from "../lib/names";
import { may } from "../lib/session";
import { notify, problemText } from "../lib/tell";
import { Button, IconButton } from "../ui/button";
import { NumberField, Select } from "../ui/field";
import { Badge, Card, Dialog, Empty, td, th } from "../ui/parts";
import { Pencil } from "../ui/icons";
import { DestinationField, destinationWord, type Destination } from "./destination";
import { levels } from "./proof-choices";

type Gate = Schemas["Gate"];

const gateOf = (queue: Row<"queues">) => (queue.gate ?? null) as Gate | null;

function gateWord(gate: Gate | null): string {
  if (!gate) return t("nothing");
  return gate.what.for === "proof" ? t("proof of level {n}", { n: gate.what.level }) : t("an announcement");
}

export function QueueGates() {
  const queues = useRows("queues").data ?? [];
  const names = { queues: useNames("queues"), agents: useNames("agents"), conferences: useNames("conferences"), phones: useNames("phones"), schedules: useNames("schedules") };
  const [editing, setEditing] = useState<Row<"queues"> | null>(null);
  const write = may("queues:write");
  return (
    <Card title={t("Before a place in a queue is taken")}>
      {queues.length ? (
        <div className="overflow-x-auto">
          <table className="w-full">
            <thead className="border-b border-line">
              <tr>
                {[t("Queue"), t("Wants"), t("Who does not")].map((name) => (
                  <th key={name} scope="col" className={th}>
                    {name}
                  </th>
                ))}
                <th scope="col" className={th}>
                  <span className="sr-only">{t("Actions")}</span>
                </th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {queues.map((q) => {
                const gate = gateOf(q);
                return (
                  <tr key={q.id} data-gate={q.name}>
                    <td className={`${td} font-medium`}>{q.name}</td>
                    <td className={td}>{gate ? <Badge tone="info">{gateWord(gate)}</Badge> : <span className="text-muted">{gateWord(gate)}</span>}</td>
                    <td className={`${td} text-muted`}>{!gate ? "–" : gate.otherwise ? destinationWord(gate.otherwise as Destination, (collection, id) => names[collection](id)) : t("waits all the same")}</td>
                    <td className={`${td} text-end`}>{write ? <IconButton size="small" look="quiet" label={t("Change {name}", { name: q.name })} icon={<Pencil size={14} aria-hidden />} onPress={() => setEditing(q)} /> : null}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      ) : (
        <Empty title={t("There are none yet.")} />
      )}
      {editing ? <GateDialog key={editing.id} queue={editing} onClose={() => setEditing(null)} /> : null}
    </Card>
  );
}

/** One of the choices of the dialog: nothing, an announcement, or a level. */
const wanted = (gate: Gate | null): string => (!gate ? "none" : gate.what.for === "proof" ? String(gate.what.level) : "expected_caller");

function GateDialog(props: { queue: Row<"queues">; onClose: () => void }) {
  const { queue, onClose } = props;
  const before = gateOf(queue);
  const [what, setWhat] = useState(wanted(before));
  const [seconds, setSeconds] = useState<number | null>((before?.timeout_ms ?? 60_000) / 1000);
  const [otherwise, setOtherwise] = useState<Destination | null>((before?.otherwise ?? null) as Destination | null);
  const [problem, setProblem] = useState("");
  const save = () =>
    act("gate", async () => {
      const of = what === "expected_caller" ? { for: what } : { for: "proof", level: Number(what) };
      const gate = what === "none" ? null : { what: of, timeout_ms: (seconds ?? 60) * 1000, otherwise };
      try {
        await api.PATCH("/v1/queues/{id}", { params: { path: { id: queue.id }, header: { "If-Match": `"${queue.version}"` } }, body: { gate } as never });
      } catch (error) {
        const stale = error instanceof ApiError && error.status === 412;
        return setProblem(stale ? t("Somebody changed this in the meantime. Close, open it again, and make your change anew.") : problemText(error));
      } finally {
        await queries.invalidateQueries({ queryKey: ["config", "queues"] });
      }
      notify(t("Saved."), "good");
      onClose();
    });
  return (
    <Dialog
      title={t("Queue {name}", { name: queue.name })} isOpen onClose={onClose}
      footer={
        <>
          <Button onPress={onClose}>{t("Cancel")}</Button>
          <Button look="primary" busy="gate" onPress={() => void save()}>
            {t("Save")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        {problem ? (
          <p role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-bad">
            {problem}
          </p>
        ) : null}
        <Select label={t("Wants")} value={what} onChange={setWhat} choices={[{ id: "none", name: t("nothing") }, ...levels(1).map((l) => ({ id: l.id, name: t("proof of level {n}", { n: l.id }) })), { id: "expected_caller", name: t("an announcement") }]} />
        {what === "none" ? null : (
          <>
            <NumberField label={t("At most for")} value={seconds} onChange={setSeconds} min={1} max={600} unit={t("seconds")} hint={t("Who is not proven by then goes on as is said below.")} />
            <DestinationField label={t("Who does not")} value={otherwise} onChange={setOtherwise} nullable nowhere={t("Waits all the same")} />
          </>
        )}
      </div>
    </Dialog>
  );
}
