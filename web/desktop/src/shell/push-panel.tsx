// Browsers that ring when no tab is open.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { act } from "../lib/action";
import { api } from "../lib/api";
import { dayTime } from "../lib/format";
import { t } from "../lib/i18n";
import { queries } from "../lib/names";
import { pushState, removePush, turnOnPush, type PushState, type Subscription } from "../lib/push";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";

const KEY = ["push-subscriptions"];

export function PushPanel() {
  const [state, setState] = useState<PushState | null>(null);
  const list = useQuery({ queryKey: KEY, queryFn: async () => (await api.GET("/v1/push-subscriptions")).data?.items ?? [] });
  useEffect(() => void pushState().then(setState), []);
  const again = async () => {
    setState(await pushState());
    await queries.invalidateQueries({ queryKey: KEY });
  };
  const on = () =>
    act("push", async () => {
      const now = await turnOnPush();
      if (now === "on") notify(t("This browser rings from now on, also when no tab is open."), "good");
      await again();
    });
  const remove = (row: Subscription) => act(`push ${row.id}`, () => removePush(row.id, state === "on" && list.data?.length === 1).then(again));
  const tryIt = (row: Subscription) =>
    act(`push ${row.id}`, async () => {
      const { data } = await api.POST("/v1/push-subscriptions/{id}/test", { params: { path: { id: row.id } } });
      if (data) notify(data.detail, data.taken ? "good" : "bad");
      await again();
    });
  return (
    <div className="flex flex-col gap-3 p-4">
      <p className="text-muted">{t("A call shows up as a notification with picture, name and reason. Touch it to answer here.")}</p>
      {state === "unsupported" ? <p className="text-muted">{t("This browser cannot do that. On iPhone and iPad put this page on the home screen first.")}</p> : null}
      {state === "blocked" ? <p className="text-bad">{t("Notifications are blocked for this page in the browser's settings.")}</p> : null}
      {state === "off" ? (
        <Button look="primary" busy="push" className="self-start" onPress={() => void on()}>
          {t("Ring in this browser when no tab is open")}
        </Button>
      ) : null}
      <ul className="flex flex-col gap-2">
        {(list.data ?? []).map((row) => (
          <li key={row.id} className="flex flex-wrap items-center gap-2 rounded-md border border-line px-3 py-2">
            <span className="min-w-0 flex-1">
              <span className="block truncate font-medium">{row.label || row.service}</span>
              <span className="block text-xs text-muted">
                {row.service} · {dayTime(row.created_at)}
              </span>
            </span>
            <Button size="small" busy={`push ${row.id}`} onPress={() => void tryIt(row)}>
              {t("Try it")}
            </Button>
            <Button size="small" busy={`push ${row.id}`} onPress={() => void remove(row)}>
              {t("Forget")}
            </Button>
          </li>
        ))}
      </ul>
    </div>
  );
}
