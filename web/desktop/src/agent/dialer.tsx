// Calling somebody: with this browser when it is the phone, else the desk phone rings first.

import { useState } from "react";
import { act } from "../lib/action";
import { t } from "../lib/i18n";
import { dial, useSoftphone } from "../lib/softphone";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Card } from "../ui/parts";
import { PhoneOutgoing } from "../ui/icons";
import { placeCall, typedTarget } from "./commands";

export function Dialer() {
  const [to, setTo] = useState("");
  const here = useSoftphone().state === "on";
  const call = async () => {
    if (!to.trim()) return;
    const done = here ? await act("call", () => dial(typedTarget(to))) : await placeCall(typedTarget(to));
    if (done) setTo("");
  };
  return (
    <Card label={t("Make a call")} className="p-4">
      <form
        className="flex items-start gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          void call();
        }}
      >
        <TextField label={t("Call a number, an extension or a SIP address")} value={to} onChange={setTo} className="flex-1" hint={here ? t("With this browser.") : t("Your desk phone rings first.")} />
        <Button type="submit" look="primary" busy="call" isDisabled={!to.trim()} icon={<PhoneOutgoing size={15} aria-hidden />} className="mt-5">
          {t("Call")}
        </Button>
      </form>
    </Card>
  );
}
