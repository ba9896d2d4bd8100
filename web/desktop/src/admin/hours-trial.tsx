// The test button of business hours: is it open then, and until when?

import { useState } from "react";
import { api, ApiError } from "../lib/api";
import { dayTime } from "../lib/format";
import { t } from "../lib/i18n";
import { problemText } from "../lib/tell";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Badge } from "../ui/parts";
import type { Value } from "./fields";
import type { Schemas } from "../lib/api";

type Told = Schemas["Opening"] | { problem: string };

export function HoursTrial(props: { draft: Value }) {
  const [at, setAt] = useState("");
  const [told, setTold] = useState<Told | null>(null);
  const attempt = async () => {
    const { name, time_zone, week, special_days } = props.draft;
    const schedule = { name: String(name || "-"), time_zone, week, special_days };
    const when = at ? new Date(at) : new Date();
    try {
      const { data } = await api.POST("/v1/schedule-trials", { body: { schedule, at: when.toISOString() } as never });
      setTold(data ?? null);
    } catch (error) {
      const first = error instanceof ApiError ? error.problem.errors?.[0]?.detail : undefined;
      setTold({ problem: first ?? problemText(error) });
    }
  };
  return (
    <section aria-label={t("Try these hours")} className="mt-4 flex flex-col gap-2 rounded-lg bg-sunken p-3">
      <div className="flex flex-wrap items-start gap-2">
        <TextField label={t("Would it be open at")} type="datetime-local" value={at} onChange={setAt} className="w-56" hint={t("Empty: now. In the time of this computer.")} />
        <Button onPress={() => void attempt()} className="mt-5">
          {t("Try")}
        </Button>
      </div>
      <div role="status" className="min-h-5">
        {told && "problem" in told ? <span className="text-bad">{told.problem}</span> : null}
        {told && "open" in told ? (
          <span className="flex flex-wrap items-center gap-2">
            <Badge tone={told.open ? "good" : "warn"}>{told.open ? t("Open") : t("Closed")}</Badge>
            {told.special_day ? <span>{told.special_day}</span> : null}
            <span className="text-muted">{told.until ? t("until {time}", { time: dayTime(told.until) }) : t("with no change within a year")}</span>
          </span>
        ) : null}
      </div>
    </section>
  );
}
