// Beside a communication point: what to paste where, and whose its numbers are.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "../lib/action";
import { api } from "../lib/api";
import { when } from "../lib/format";
import { t } from "../lib/i18n";
import { queries } from "../lib/names";
import { may } from "../lib/session";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { TextField } from "../ui/field";
import { Badge, Dialog, Empty, Failed } from "../ui/parts";
import { Copy, Hash, QrCode } from "../ui/icons";

interface Props {
  id: string;
  name: string;
}

export function PointActions(props: Props & { numbers: number }) {
  const [open, setOpen] = useState<"embed" | "numbers" | null>(null);
  const close = () => setOpen(null);
  return (
    <>
      <Button size="small" look="quiet" aria-label={t("Use {name}", { name: props.name })} icon={<QrCode size={14} aria-hidden />} onPress={() => setOpen("embed")}>
        {t("Use")}
      </Button>
      {props.numbers ? (
        <Button size="small" look="quiet" aria-label={t("Numbers of {name}", { name: props.name })} icon={<Hash size={14} aria-hidden />} onPress={() => setOpen("numbers")}>
          {t("Numbers")}
        </Button>
      ) : null}
      <Dialog wide title={t("Use {name}", { name: props.name })} isOpen={open === "embed"} onClose={close}>
        <Embed {...props} />
      </Dialog>
      <Dialog wide title={t("Numbers of {name}", { name: props.name })} isOpen={open === "numbers"} onClose={close}>
        <Numbers {...props} />
      </Dialog>
    </>
  );
}

function Embed(props: Props) {
  const query = useQuery({ queryKey: ["config", "snippets", props.id], queryFn: async () => (await api.GET("/v1/points/{id}/snippets", { params: { path: { id: props.id } } })).data });
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  const s = query.data;
  if (!s) return <p className="text-muted">{t("Loading …")}</p>;
  return (
    <div className="flex flex-col gap-5">
      <Snippet title={t("On a page")} hint={t("Paste it before the end of the page's body.")} text={s.script} />
      <Snippet title={t("As a link")} hint={t("For chats, printed pages, profiles. What stands behind a question mark comes along as fields.")} text={s.link} />
      <Snippet title={t("In an e-mail signature")} hint={t("As HTML, where your mail program takes it.")} text={s.email} />
      <section aria-label={t("QR code")} className="flex flex-wrap items-center gap-4">
        <img src={`/v1/points/${props.id}/qr`} alt={t("QR code of {name}", { name: props.name })} className="size-36 rounded-md bg-white p-2" />
        <div className="flex flex-col items-start gap-2">
          <h3 className="font-semibold">{t("QR code")}</h3>
          <p className="text-muted">{t("For posters, parcels, bills. It leads to the link.")}</p>
          <a href={`/v1/points/${props.id}/qr`} download={`${props.name}.svg`} className="text-accent underline">
            {t("Save as SVG")}
          </a>
        </div>
      </section>
    </div>
  );
}

function Snippet(props: { title: string; hint: string; text: string }) {
  const copy = () =>
    navigator.clipboard.writeText(props.text).then(
      () => notify(t("Copied."), "good"),
      () => notify(t("The browser did not let this page copy. Mark the text and copy it."), "bad"),
    );
  return (
    <section aria-label={props.title} className="flex flex-col gap-1.5">
      <div className="flex items-center justify-between gap-2">
        <h3 className="font-semibold">{props.title}</h3>
        <Button size="small" aria-label={t("Copy: {what}", { what: props.title })} icon={<Copy size={13} aria-hidden />} onPress={() => void copy()}>
          {t("Copy")}
        </Button>
      </div>
      {/* A region that scrolls is reached by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} role="region" aria-label={t("Text: {what}", { what: props.title })} className="overflow-x-auto rounded-md bg-sunken px-3 py-2 font-mono text-xs" dir="ltr">
        {props.text}
      </pre>
      <p className="text-xs text-muted">{props.hint}</p>
    </section>
  );
}

function Numbers(props: Props) {
  const key = ["point-numbers", props.id];
  const query = useQuery({ queryKey: key, queryFn: async () => (await api.GET("/v1/points/{id}/numbers", { params: { path: { id: props.id } } })).data?.items ?? [] });
  const [assigning, setAssigning] = useState<string | null>(null);
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <p className="text-muted">{t("Loading …")}</p>;
  if (!query.data.length) return <Empty title={t("There are none yet.")} />;
  const again = () => void queries.invalidateQueries({ queryKey: key });
  const free = async (number: string) => {
    if (await act(`free ${number}`, () => api.DELETE("/v1/points/{id}/numbers/{number}", { params: { path: { id: props.id, number } } }))) again();
  };
  return (
    <ul className="divide-y divide-line rounded-md border border-line">
      {query.data.map((n) => (
        <li key={n.number} data-number={n.number} className="flex flex-col gap-3 px-3 py-2.5">
          <div className="flex flex-wrap items-center gap-3">
            <span dir="ltr" className="font-medium">
              {n.number}
            </span>
            {n.free ? <Badge tone="good">{t("Free")}</Badge> : n.account ? <Badge tone="info">{t("Belongs to {account}", { account: n.account })}</Badge> : <Badge tone="warn">{n.until ? t("Lent until {time}", { time: when(n.until) }) : t("Lent")}</Badge>}
            <span className="ms-auto" />
            {may("points:write") && n.free && assigning !== n.number ? (
              <Button size="small" aria-label={t("Assign {number}", { number: n.number })} onPress={() => setAssigning(n.number)}>
                {t("Assign")}
              </Button>
            ) : null}
            {may("points:write") && !n.free ? (
              <Button size="small" busy={`free ${n.number}`} aria-label={t("Take back {number}", { number: n.number })} onPress={() => void free(n.number)}>
                {t("Take back")}
              </Button>
            ) : null}
          </div>
          {assigning === n.number ? (
            <Assign
              id={props.id} number={n.number}
              onDone={() => {
                setAssigning(null);
                again();
              }}
            />
          ) : null}
        </li>
      ))}
    </ul>
  );
}

function Assign(props: { id: string; number: string; onDone: () => void }) {
  const [account, setAccount] = useState("");
  const [payment, setPayment] = useState("");
  const send = async () => {
    const body = { number: props.number, account, payment };
    if (!(await act(`assign ${props.number}`, () => api.POST("/v1/points/{id}/numbers", { params: { path: { id: props.id } }, body })))) return;
    notify(t("{number} belongs to {account} now.", { number: props.number, account }), "good");
    props.onDone();
  };
  return (
    <form
      className="flex flex-wrap items-end gap-3"
      onSubmit={(e) => {
        e.preventDefault();
        void send();
      }}
    >
      <TextField label={t("Account")} value={account} onChange={setAccount} isRequired autoFocus className="w-48" />
      <TextField label={t("Reference of the payment")} value={payment} onChange={setPayment} isRequired className="w-48" />
      <Button type="submit" look="primary" busy={`assign ${props.number}`} isDisabled={!account.trim() || !payment.trim()}>
        {t("Assign")}
      </Button>
      <Button onPress={props.onDone}>{t("Cancel")}</Button>
    </form>
  );
}
