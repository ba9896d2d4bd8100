// A new secret for an OAuth client; the old one opens a while longer.

import { useState } from "react";
import { act } from "../lib/action";
import { api, answer } from "../lib/api";
import { t } from "../lib/i18n";
import { queries } from "../lib/names";
import { may } from "../lib/session";
import { Button } from "../ui/button";
import { Select } from "../ui/field";
import { Dialog } from "../ui/parts";
import { Told, type Telling } from "./told";

const HOUR_S = 3600;

export function NewSecret(props: { id: string; name: string }) {
  const { id, name } = props;
  const [asking, setAsking] = useState(false);
  const [overlap, setOverlap] = useState(String(24 * HOUR_S));
  const [told, setTold] = useState<Telling | null>(null);
  if (!may("oauth-clients:write")) return null;
  const make = () =>
    act("secret", async () => {
      const made = await answer(api.POST("/v1/oauth-clients/{id}/secret", { params: { path: { id } }, body: { overlap_s: Number(overlap) } }));
      setAsking(false);
      setTold({ title: name, items: clientSecret(made) });
      await queries.invalidateQueries({ queryKey: ["config", "oauth-clients"] });
    });
  return (
    <>
      <Button size="small" look="quiet" aria-label={t("New secret for {name}", { name })} onPress={() => setAsking(true)}>
        {t("New secret")}
      </Button>
      {asking ? (
        <Dialog
          title={t("New secret for {name}", { name })} isOpen onClose={() => setAsking(false)}
          footer={
            <>
              <Button onPress={() => setAsking(false)}>{t("Cancel")}</Button>
              <Button look="primary" busy="secret" onPress={() => void make()}>
                {t("Make it")}
              </Button>
            </>
          }
        >
          <Select
            label={t("The old one opens for")} value={overlap} onChange={setOverlap}
            choices={[
              { id: "0", name: t("no longer: its tokens end at once") },
              { id: String(HOUR_S), name: t("an hour more") },
              { id: String(24 * HOUR_S), name: t("a day more") },
              { id: String(7 * 24 * HOUR_S), name: t("a week more") },
            ]}
          />
        </Dialog>
      ) : null}
      {told ? <Told telling={told} onClose={() => setTold(null)} /> : null}
    </>
  );
}

/** What a program needs to get tokens. */
export const clientSecret = (made: { id: unknown; secret?: unknown }): Telling["items"] => [
  { label: "client_id", value: String(made.id) },
  { label: "client_secret", value: String(made.secret) },
];
