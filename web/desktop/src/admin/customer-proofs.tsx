// What a customer proves itself with: kept, given, revoked; and forgetting the customer for good.

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { methodWord, type Method } from "../agent/record";
import { act } from "../lib/action";
import { api, answer, type Schemas } from "../lib/api";
import { when } from "../lib/format";
import { t } from "../lib/i18n";
import { queries } from "../lib/names";
import { may } from "../lib/session";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { Select, TextField } from "../ui/field";
import { Dialog, Failed } from "../ui/parts";
import { Secret } from "../ui/secret";

interface Customer {
  id: string;
  name: string;
}

const key = (id: string) => ["credentials", id];

export function CustomerProofs(props: Customer) {
  const [open, setOpen] = useState<"proofs" | "erase" | null>(null);
  const close = () => setOpen(null);
  return (
    <>
      {may("persons:read") ? (
        <Button size="small" look="quiet" aria-label={t("Proof of {name}", { name: props.name })} onPress={() => setOpen("proofs")}>
          {t("Proof")}
        </Button>
      ) : null}
      {may("privacy:write") ? (
        <Button size="small" look="quiet" aria-label={t("Erase {name}", { name: props.name })} onPress={() => setOpen("erase")}>
          {t("Erase")}
        </Button>
      ) : null}
      {open === "proofs" ? <Proofs {...props} onClose={close} /> : null}
      {open === "erase" ? <Erase {...props} onClose={close} /> : null}
    </>
  );
}

function Proofs(props: Customer & { onClose: () => void }) {
  const { id, name } = props;
  const query = useQuery({ queryKey: key(id), staleTime: 0, queryFn: async () => (await answer(api.GET("/v1/persons/{id}/credentials", { params: { path: { id } } }))).items });
  const write = may("persons:write");
  const revoke = (credential: string) =>
    act(`revoke ${credential}`, async () => {
      await api.DELETE("/v1/persons/{id}/credentials/{credential}", { params: { path: { id, credential } } });
      await queries.invalidateQueries({ queryKey: key(id) });
      notify(t("Revoked: it proves nothing any more."), "good");
    });
  return (
    <Dialog title={t("Proof of {name}", { name })} isOpen onClose={props.onClose}>
      <div className="flex flex-col gap-5">
        {query.error ? <Failed error={query.error} /> : null}
        {query.data?.length ? (
          <ul className="flex flex-col divide-y divide-line rounded-md border border-line">
            {query.data.map((c) => (
              <li key={c.id as string} data-credential={c.method} className="flex items-center justify-between gap-3 px-3 py-2">
                <span>
                  <span className="font-medium">{methodWord(c.method)}</span> <span className="text-muted">{[c.method === "passkey" || c.method === "device_key" ? c.label : "", c.used_at ? t("last used {time}", { time: when(c.used_at) }) : t("not used yet")].filter(Boolean).join(" · ")}</span>
                </span>
                {write ? (
                  <Button size="small" busy={`revoke ${c.id as string}`} aria-label={t("Revoke {name}", { name: methodWord(c.method) })} onPress={() => void revoke(c.id as string)}>
                    {t("Revoke")}
                  </Button>
                ) : null}
              </li>
            ))}
          </ul>
        ) : (
          <p className="text-muted">{query.data ? t("Nothing yet. A code or link can be sent to an address of the record all the same.") : t("Loading …")}</p>
        )}
        {write ? <Give id={id} /> : null}
      </div>
    </Dialog>
  );
}

type Making = Schemas["CredentialInput"];

/** What is typed for the way that is chosen. */
const blank = { pin: "", kind: "ed25519" as "ed25519" | "es256", key: "", label: "", question: "", answer: "" };

function making(way: Method, typed: typeof blank): Making {
  const { pin, kind, key, label, question, answer } = typed;
  if (way === "pin") return { method: "pin", pin };
  if (way === "totp") return { method: "totp" };
  if (way === "device_key") return { method: "device_key", kind, key: key.trim(), label };
  return { method: "knowledge", question, answer };
}

function Give(props: { id: string }) {
  const path = { params: { path: { id: props.id } } };
  const [way, setWay] = useState<Method>("pin");
  const [typed, setTyped] = useState(blank);
  const [app, setApp] = useState<Schemas["CredentialMade"] | null>(null);
  const [link, setLink] = useState("");
  const set = (part: Partial<typeof blank>) => setTyped((d) => ({ ...d, ...part }));
  const give = () =>
    act("give proof", async () => {
      setApp(null);
      setLink("");
      if (way === "passkey") setLink((await answer(api.POST("/v1/persons/{id}/enrolment", path))).link);
      else {
        const made = await answer(api.POST("/v1/persons/{id}/credentials", { ...path, body: making(way, typed) }));
        setApp(made.otpauth ? made : null);
        setTyped(blank);
        await queries.invalidateQueries({ queryKey: key(props.id) });
        notify(t("Saved."), "good");
      }
    });
  const ways: Method[] = ["pin", "totp", "passkey", "device_key", "knowledge"];
  return (
    <form
      aria-label={t("Give a way of proof")} className="flex flex-col gap-3 rounded-md border border-line p-3"
      onSubmit={(e) => {
        e.preventDefault();
        void give();
      }}
    >
      <Select label={t("Give a way of proof")} value={way} onChange={(m) => setWay(m as Method)} choices={ways.map((id) => ({ id, name: methodWord(id) }))} />
      {way === "pin" ? <TextField label={t("PIN")} value={typed.pin} onChange={(pin) => set({ pin })} type="password" maxLength={12} autoComplete="off" hint={t("4 to 12 digits; it takes the place of the one before.")} isRequired /> : null}
      {way === "totp" ? <p className="text-muted">{t("The customer scans a picture that is shown once.")}</p> : null}
      {way === "passkey" ? <p className="text-muted">{t("A link for the customer's own device, good once for a quarter of an hour.")}</p> : null}
      {way === "device_key" ? (
        <>
          <Select label={t("Kind")} value={typed.kind} onChange={(kind) => set({ kind: kind as "ed25519" })} choices={[{ id: "ed25519", name: "Ed25519" }, { id: "es256", name: "ES256" }]} />
          <TextField label={t("Public key, base64url")} value={typed.key} onChange={(text) => set({ key: text })} mono autoComplete="off" isRequired />
          <TextField label={t("Name of the device")} value={typed.label} onChange={(label) => set({ label })} autoComplete="off" maxLength={100} />
        </>
      ) : null}
      {way === "knowledge" ? (
        <>
          <TextField label={t("Question")} value={typed.question} onChange={(question) => set({ question })} autoComplete="off" isRequired />
          <TextField label={t("The answer to it")} value={typed.answer} onChange={(text) => set({ answer: text })} autoComplete="off" hint={t("Two of the questions kept are asked, as the last resort.")} isRequired />
        </>
      ) : null}
      <Button type="submit" busy="give proof" className="self-start">
        {way === "passkey" ? t("Make a link") : t("Give it")}
      </Button>
      {app ? (
        <div role="status" className="flex flex-col gap-2">
          <p>{t("Shown only now. The customer scans it with the authenticator app.")}</p>
          {app.qr ? <img src={`data:image/svg+xml,${encodeURIComponent(app.qr)}`} alt={t("QR code for the app")} className="size-44 self-center rounded-md bg-white" /> : null}
          <Secret label={t("Address for the app")} value={app.otpauth ?? ""} />
        </div>
      ) : null}
      {link ? (
        <div role="status">
          <Secret label={t("Link")} value={link} />
        </div>
      ) : null}
    </form>
  );
}

function Erase(props: Customer & { onClose: () => void }) {
  const { id, name, onClose } = props;
  const [reason, setReason] = useState("");
  const erase = () =>
    act("erase", async () => {
      await api.POST("/v1/erasures", { body: { person: id as never, reason } });
      await queries.invalidateQueries({ queryKey: ["config", "persons"] });
      notify(t("{name} is being forgotten. What was erased is certified under privacy jobs.", { name }), "good");
      onClose();
    });
  return (
    <Dialog
      title={t("Erase {name}?", { name })} isOpen onClose={onClose}
      footer={
        <>
          <Button onPress={onClose}>{t("Keep")}</Button>
          <Button look="danger" busy="erase" isDisabled={reason.trim().length < 3} onPress={() => void erase()}>
            {t("Erase for good")}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-4">
        <p>{t("Recordings, numbers, names and words of this customer go from everything that is kept, and so does what proves who it is. It cannot be undone.")}</p>
        <TextField label={t("Reason")} value={reason} onChange={setReason} maxLength={300} isRequired hint={t("As the customer asked for it; kept with the certificate.")} />
      </div>
    </Dialog>
  );
}
