// What is still missing for the first call, in order; each step leads to its page.

import { t } from "../lib/i18n";
import { useAgents, useTrunks } from "../lib/live";
import { useRows } from "../lib/names";
import { go } from "../lib/router";
import { Button } from "../ui/button";
import { Card } from "../ui/parts";
import { Check } from "../ui/icons";

interface Step {
  done: boolean;
  name: string;
  detail: string;
  page: string;
  optional?: boolean;
}

export function FirstSteps() {
  const queues = useRows("queues").data ?? [];
  const agents = useRows("agents").data ?? [];
  const users = useRows("users").data ?? [];
  const numbers = useRows("numbers").data ?? [];
  const codes = useRows("wrap-up-codes").data ?? [];
  const hours = useRows("schedules").data ?? [];
  const trunks = useTrunks();
  const live = useAgents();
  const steps: Step[] = [
    { done: queues.length > 0, name: t("Make a queue"), detail: t("Where callers wait, with greeting, music and service level."), page: "queues" },
    { done: users.length > 1, name: t("Add people"), detail: t("Each with an e-mail address and roles."), page: "people" },
    { done: agents.some((a) => a.queues.length > 0), name: t("Make agents of them"), detail: t("With an extension and the queues they serve."), page: "agents" },
    { done: numbers.some((n) => (n.destination.to as string) === "queue" || (n.destination.to as string) === "hours"), name: t("Lead a number to the queue"), detail: t("An extension is enough to try."), page: "numbers" },
    { done: [...live.values()].some((a) => a.phone_reachable), name: t("Connect a phone, or take calls in the browser"), detail: t("Agents can use the desktop alone; a headset is enough."), page: "phones" },
    { done: codes.length > 0, name: t("Write down results"), detail: t("Wrap-up codes make reports worth reading."), page: "codes", optional: true },
    { done: hours.length > 0, name: t("Set business hours"), detail: t("With holidays, split shifts and nights; try them before they count."), page: "hours", optional: true },
    { done: [...trunks.values()].some((x) => x.up), name: t("Connect a carrier"), detail: t("A trunk brings calls from the telephone network."), page: "trunks", optional: true },
  ];
  const done = steps.filter((s) => s.done).length;
  return (
    <div className="flex max-w-3xl flex-col gap-4">
      <p className="text-muted">{t("{done} of {all} steps are done.", { done, all: steps.length })}</p>
      <Card>
        <ol className="divide-y divide-line">
          {steps.map((s, n) => (
            <li key={s.page} className="flex items-center gap-4 px-4 py-3">
              <span aria-hidden="true" className={`flex size-7 shrink-0 items-center justify-center rounded-full text-xs font-semibold ${s.done ? "bg-good-soft text-good" : "border border-edge text-muted"}`}>
                {s.done ? <Check size={15} /> : n + 1}
              </span>
              <div className="min-w-0 flex-1">
                <p className="font-medium">
                  {s.name} {s.done ? <span className="sr-only">{t("done")}</span> : null}
                  {s.optional ? <span className="ms-2 text-xs font-normal text-muted">{t("can wait")}</span> : null}
                </p>
                <p className="text-muted">{s.detail}</p>
              </div>
              <Button look={s.done ? "quiet" : "plain"} aria-label={`${s.done ? t("Look") : t("Do it")}: ${s.name}`} onPress={() => go(`admin/${s.page}`)}>
                {s.done ? t("Look") : t("Do it")}
              </Button>
            </li>
          ))}
        </ol>
      </Card>
    </div>
  );
}
