// The agent's desk: my work, the call, what is known about the customer.

import { useEffect, useState } from "react";
import { t } from "../lib/i18n";
import { useAgent, useInteractions, useLoaded } from "../lib/live";
import type { LiveAgent } from "../lib/live-types";
import { useSession } from "../lib/session";
import { Empty } from "../ui/parts";
import { Coffee, Headphones, NotebookPen, PhoneMissed, PhoneOff } from "../ui/icons";
import { Button } from "../ui/button";
import { InteractionView } from "../history/interaction";
import { Trail } from "../history/trail";
import { Card } from "../ui/parts";
import { Call } from "./call";
import { callOf, setPresence } from "./commands";
import { Dialer } from "./dialer";
import { Side } from "./side";
import { WorkList } from "./work-list";

export function Desk() {
  const session = useSession();
  const me = useAgent(session?.agent);
  const interactions = useInteractions();
  const loaded = useLoaded();
  const [chosen, setChosen] = useState<string | null>(null);
  const call = callOf(me, interactions);
  const live = call?.interaction.id ?? null;
  const wrapping = me?.state === "wrap_up" ? (me.interaction ?? null) : null;
  // New work comes to the front; what was looked at before can be chosen again.
  useEffect(() => setChosen(null), [live, wrapping]);
  if (!me) return loaded ? <Empty title={t("You are not an agent")}>{t("Ask an administrator to make an agent of you.")}</Empty> : <p className="p-6 text-muted">{t("Loading …")}</p>;
  const shown = chosen ?? live ?? wrapping;
  return (
    <div className="grid h-full grid-cols-1 overflow-auto lg:grid-cols-[17rem_minmax(0,1fr)_20rem] lg:overflow-hidden">
      <aside aria-label={t("My work")} className="border-line bg-surface lg:overflow-auto lg:border-e">
        <WorkList chosen={chosen} onChoose={setChosen} />
      </aside>
      <section aria-label={t("Conversation")} className="min-w-0 p-5 lg:overflow-auto">
        {chosen ? <InteractionView id={chosen} /> : call ? <Call call={call} /> : wrapping ? <Wrapping interaction={wrapping} /> : <Idle me={me} />}
      </section>
      <aside aria-label={t("Customer and notes")} className="min-h-0 border-line bg-surface lg:border-s">
        <Side agent={me} interaction={shown} own={!chosen} />
      </aside>
    </div>
  );
}

function Wrapping(props: { interaction: string }) {
  return (
    <div className="flex flex-col gap-4">
      <div className="flex items-center gap-3">
        <span className="flex size-12 items-center justify-center rounded-full bg-info-soft text-info">
          <NotebookPen size={22} aria-hidden />
        </span>
        <div>
          <h1 className="text-xl leading-7 font-semibold">{t("Wrap-up")}</h1>
          <p className="text-muted">{t("The call is over. Note the result; then you are free for the next one.")}</p>
        </div>
      </div>
      <Card title={t("What happened")}>
        <div className="p-3">
          <Trail interaction={props.interaction} />
        </div>
      </Card>
    </div>
  );
}

function Idle(props: { me: LiveAgent }) {
  const { me } = props;
  const missed = me.state === "not_responding";
  const become = (
    <Button look="primary" busy={`presence ${me.id}`} onPress={() => void setPresence(me.id, "available")}>
      {t("Become available")}
    </Button>
  );
  return (
    <div className="mx-auto flex max-w-md flex-col gap-6 pt-8">
      <h1 className="sr-only">{t("Desk")}</h1>
      {missed ? (
        <Empty icon={<PhoneMissed size={22} aria-hidden />} title={t("You did not answer")}>
          <p className="mb-3">{t("The call went on to others, and so do the next ones until you are available again.")}</p>
          {become}
        </Empty>
      ) : me.presence !== "available" ? (
        <Empty icon={<Coffee size={22} aria-hidden />} title={t("You are not available")}>
          <p className="mb-3">{t("Nobody is put through to you.")}</p>
          {become}
        </Empty>
      ) : me.phone_reachable ? (
        <Empty icon={<Headphones size={22} aria-hidden />} title={t("Ready for the next call")}>
          {t("It rings at the top left, with a sound and a notification.")}
        </Empty>
      ) : (
        <Empty icon={<PhoneOff size={22} aria-hidden />} title={t("No phone of yours can be reached")}>
          {t("Take calls in this browser (Phone, at the top), or register your desk phone. Until then calls go to others.")}
        </Empty>
      )}
      <Dialer />
    </div>
  );
}
