// The organisation's own settings: its name, recording, its reasons to be away.

import { useState } from "react";
import { api } from "../lib/api";
import { act } from "../lib/action";
import { t } from "../lib/i18n";
import { queries, useTenant } from "../lib/names";
import { may } from "../lib/session";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { Switch, TextField } from "../ui/field";
import { Card } from "../ui/parts";

interface Tenant {
  name: string;
  domain?: string;
  record_by_default: boolean;
  presence_reasons?: string[];
  version: number;
}

export function TenantPage() {
  const { data } = useTenant();
  if (!data) return <p className="text-muted">{t("Loading …")}</p>;
  return <Form key={(data as unknown as Tenant).version} tenant={data as unknown as Tenant} />;
}

function Form(props: { tenant: Tenant }) {
  const { tenant } = props;
  const [name, setName] = useState(tenant.name);
  const [record, setRecord] = useState(tenant.record_by_default);
  const [reasons, setReasons] = useState((tenant.presence_reasons ?? []).join("\n"));
  const save = () =>
    act("tenant", async () => {
      const list = reasons.split("\n").map((r) => r.trim()).filter(Boolean);
      const body = { name, record_by_default: record, presence_reasons: list };
      await api.PATCH("/v1/tenant", { params: { header: { "If-Match": `"${tenant.version}"` } }, body: body as never });
      await queries.invalidateQueries({ queryKey: ["config", "tenant"] });
      notify(t("Saved."), "good");
    });
  return (
    <Card className="max-w-xl p-4">
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <TextField label={t("Name")} value={name} onChange={setName} isRequired />
        <p>
          <span className="block text-xs font-medium">{t("SIP domain")}</span>
          <span dir="ltr">{tenant.domain || "–"}</span>
        </p>
        <Switch label={t("Record all calls")} value={record} onChange={setRecord} hint={t("Queues and numbers may say otherwise.")} />
        <TextField label={t("Reasons to be away")} lines={5} value={reasons} onChange={setReasons} hint={t("One in each line, beside break, meal, meeting and training. Agents choose from them.")} />
        {may("tenant:write") ? (
          <Button type="submit" look="primary" busy="tenant" className="self-start">
            {t("Save")}
          </Button>
        ) : null}
      </form>
    </Card>
  );
}
