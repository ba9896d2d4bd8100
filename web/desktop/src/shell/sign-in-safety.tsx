// One's own ways in: passkeys, authenticator app, recovery codes, and where one is signed in.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { act } from "../lib/action";
import { api, answer, type Schemas } from "../lib/api";
import { useAttempt } from "../lib/attempt";
import { when } from "../lib/format";
import { t } from "../lib/i18n";
import { queries } from "../lib/names";
import { makePasskey, resume } from "../lib/session";
import { notify } from "../lib/tell";
import { Button, IconButton } from "../ui/button";
import { TextField } from "../ui/field";
import { Badge, Card, Dialog, Failed } from "../ui/parts";
import { Problem } from "../ui/second-factor";
import { Secret } from "../ui/secret";
import { KeyRound, Plus, Trash2 } from "../ui/icons";

type Way = Schemas["SignInCredential"];

const useWays = () => useQuery({ queryKey: ["me", "credentials"], queryFn: async () => (await answer(api.GET("/v1/me/credentials"))).items });

/** What has changed is read again; the session tells which ways of proof there are. */
async function changed(): Promise<void> {
  await Promise.all([queries.invalidateQueries({ queryKey: ["me"] }), resume()]);
}

export function SignInSafety() {
  const ways = useWays();
  const [codes, setCodes] = useState<string[]>([]);
  const all = ways.data ?? [];
  if (ways.error) return <Failed error={ways.error} retry={() => void ways.refetch()} />;
  return (
    <>
      <Card title={t("Passkeys")}>
        <Passkeys ways={all.filter((w) => w.kind === "passkey")} onCodes={setCodes} />
      </Card>
      <Card title={t("Authenticator app")}>
        <App way={all.find((w) => w.kind === "totp" && w.confirmed)} onCodes={setCodes} />
      </Card>
      <Card title={t("Recovery codes")}>
        <Recovery possible={all.some((w) => w.confirmed)} onCodes={setCodes} />
      </Card>
      {codes.length ? (
        <Dialog
          title={t("Your recovery codes")} isOpen onClose={() => setCodes([])}
          footer={
            <Button look="primary" onPress={() => setCodes([])}>
              {t("I have kept them")}
            </Button>
          }
        >
          <div className="flex flex-col gap-3">
            <p>{t("Each opens once in place of the app or passkey. They are shown only now: print them or put them into a password store.")}</p>
            <Secret label={t("Recovery codes")} value={codes.join("\n")} lines={codes.length} />
          </div>
        </Dialog>
      ) : null}
    </>
  );
}

function WayRow(props: { way: Way }) {
  const { way } = props;
  const [asking, setAsking] = useState(false);
  const name = way.kind === "totp" ? t("Authenticator app") : way.name;
  const remove = async () => {
    if (!(await act("way", () => api.DELETE("/v1/me/credentials/{id}", { params: { path: { id: way.id as string } } })))) return;
    setAsking(false);
    await changed();
    notify(t("{name} is removed.", { name }), "good");
  };
  return (
    <li className="flex items-center gap-3 py-2">
      <KeyRound size={16} aria-hidden className="shrink-0 text-muted" />
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">{name}</p>
        <p className="text-xs text-muted">{way.used_at ? t("Made {made}, last used {used}", { made: when(way.created_at), used: when(way.used_at) }) : t("Made {made}, not used yet", { made: when(way.created_at) })}</p>
      </div>
      <IconButton size="small" look="quiet" label={t("Remove {name}", { name })} icon={<Trash2 size={14} aria-hidden />} onPress={() => setAsking(true)} />
      {asking ? (
        <Dialog
          title={t("Remove {name}?", { name })} isOpen onClose={() => setAsking(false)}
          footer={
            <>
              <Button onPress={() => setAsking(false)}>{t("Keep")}</Button>
              <Button look="danger" busy="way" onPress={() => void remove()}>
                {t("Remove")}
              </Button>
            </>
          }
        >
          <p>{t("It then no longer opens. Without any, the password alone does.")}</p>
        </Dialog>
      ) : null}
    </li>
  );
}

function Passkeys(props: { ways: Way[]; onCodes: (codes: string[]) => void }) {
  const [naming, setNaming] = useState(false);
  const [name, setName] = useState("");
  const { busy, error, attempt } = useAttempt();
  const make = async () => {
    const codes = await makePasskey(name.trim());
    setNaming(false);
    setName("");
    await changed();
    notify(t("The passkey is made."), "good");
    props.onCodes(codes);
  };
  return (
    <div className="flex flex-col gap-3 p-4">
      <p className="text-muted">{t("Sign in with the finger, face or PIN of this device, without a password. Nobody can steal it by a false page.")}</p>
      {props.ways.length ? (
        <ul className="divide-y divide-line">
          {props.ways.map((w) => (
            <WayRow key={w.id as string} way={w} />
          ))}
        </ul>
      ) : null}
      {naming ? (
        <form
          className="flex flex-col gap-3"
          onSubmit={(e) => {
            e.preventDefault();
            attempt(make);
          }}
        >
          <TextField label={t("What do you call this device?")} value={name} onChange={setName} maxLength={100} placeholder={t("My laptop")} autoFocus isRequired />
          <Problem text={error} />
          <div className="flex gap-2">
            <Button type="submit" look="primary" isDisabled={busy || !name.trim()}>
              {t("Make the passkey")}
            </Button>
            <Button onPress={() => setNaming(false)}>{t("Cancel")}</Button>
          </div>
        </form>
      ) : window.PublicKeyCredential ? (
        <Button className="self-start" icon={<Plus size={15} aria-hidden />} onPress={() => setNaming(true)}>
          {t("Add a passkey")}
        </Button>
      ) : (
        <p className="text-muted">{t("This browser takes passkeys only at an address with a name, by HTTPS or on localhost.")}</p>
      )}
    </div>
  );
}

function App(props: { way: Way | undefined; onCodes: (codes: string[]) => void }) {
  const [made, setMade] = useState<Schemas["TotpMade"] | null>(null);
  const begin = () =>
    act("totp", async () => {
      setMade(await answer(api.POST("/v1/me/totp")));
    });
  return (
    <div className="flex flex-col gap-3 p-4">
      <p className="text-muted">{t("An app on your phone shows six digits that change every half minute; signing in asks for them besides the password.")}</p>
      {props.way ? (
        <ul>
          <WayRow way={props.way} />
        </ul>
      ) : (
        <Button className="self-start" busy="totp" icon={<Plus size={15} aria-hidden />} onPress={() => void begin()}>
          {t("Set up an app")}
        </Button>
      )}
      {made ? <AppSetUp made={made} onClose={() => setMade(null)} onCodes={props.onCodes} /> : null}
    </div>
  );
}

function AppSetUp(props: { made: Schemas["TotpMade"]; onClose: () => void; onCodes: (codes: string[]) => void }) {
  const { made, onClose } = props;
  const [code, setCode] = useState("");
  const { busy, error, attempt } = useAttempt();
  const confirm = async () => {
    const { recovery_codes } = await answer(api.POST("/v1/me/totp/confirm", { body: { code: code.replace(/\s/g, "") } }));
    onClose();
    await changed();
    notify(t("From now on signing in asks for a code of the app."), "good");
    props.onCodes(recovery_codes);
  };
  return (
    <Dialog title={t("Set up an authenticator app")} isOpen onClose={onClose}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          attempt(confirm);
        }}
      >
        <p>{t("Scan this with the app, or type the key into it. Then type what it shows.")}</p>
        <img src={`data:image/svg+xml,${encodeURIComponent(made.qr)}`} alt={t("QR code for the app")} className="size-48 self-center rounded-md bg-white" />
        <Secret label={t("Key")} value={made.secret} />
        <TextField label={t("Code of the authenticator app")} value={code} onChange={setCode} autoComplete="one-time-code" maxLength={16} mono isRequired />
        <Problem text={error} />
        <Button type="submit" look="primary" size="large" isDisabled={busy || code.trim().length < 6}>
          {t("Confirm")}
        </Button>
      </form>
    </Dialog>
  );
}

function Recovery(props: { possible: boolean; onCodes: (codes: string[]) => void }) {
  const make = () =>
    act("recovery", async () => {
      props.onCodes((await answer(api.POST("/v1/me/recovery-codes"))).recovery_codes);
      await changed();
    });
  return (
    <div className="flex flex-col gap-3 p-4">
      <p className="text-muted">{props.possible ? t("For the day the phone is lost. New codes end the old ones.") : t("They come with the first passkey or app.")}</p>
      {props.possible ? (
        <Button className="self-start" busy="recovery" onPress={() => void make()}>
          {t("Make new recovery codes")}
        </Button>
      ) : null}
    </div>
  );
}

type Row = Schemas["SessionRow"];

/** Ways of proof by RFC 8176. */
const methodWord = (m: string): string => ({ pwd: t("password"), otp: t("app"), hwk: t("passkey"), kba: t("recovery code"), fed: t("identity provider"), setup: t("set-up") })[m] ?? m;

/** A browser as people name it; what it says of itself is long and mostly untrue. */
function browserWord(agent: string): string {
  const found = /(Firefox|Edg|OPR|Chrome|Safari|curl|python-requests|baresip)[/ ]?(\d+)?/.exec(agent);
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera" };
  const system = /(Windows|Macintosh|Android|iPhone|iPad|Linux)/.exec(agent)?.[1];
  const name = found ? `${names[found[1]!] ?? found[1]} ${found[2] ?? ""}`.trim() : agent.slice(0, 40) || t("unknown");
  return system ? `${name}, ${system === "Macintosh" ? "macOS" : system}` : name;
}

/** Sessions of somebody, each with what can be done about it. */
export function SessionList(props: { rows: Row[]; action?: (row: Row) => ReactNode }) {
  return (
    <ul className="divide-y divide-line">
      {props.rows.map((s) => (
        <li key={s.id as string} className="flex items-center gap-3 py-2" data-session={s.id as string}>
          <div className="min-w-0 flex-1">
            <p className="flex flex-wrap items-center gap-2 font-medium">
              {browserWord(s.user_agent)}
              {s.current ? <Badge tone="good">{t("This one")}</Badge> : null}
            </p>
            <p className="text-xs text-muted">{t("From {address}, last seen {time}", { address: s.address || "–", time: when(s.seen_at) })}</p>
            <p className="text-xs text-muted">{t("Proven by {ways}", { ways: s.methods.map(methodWord).join(", ") || "–" })}</p>
          </div>
          {props.action?.(s)}
        </li>
      ))}
    </ul>
  );
}

export function MySessions() {
  const query = useQuery({ queryKey: ["me", "sessions"], queryFn: async () => (await answer(api.GET("/v1/me/sessions"))).items });
  const rows = query.data ?? [];
  const end = (id: string) =>
    act(`session ${id}`, async () => {
      await api.DELETE("/v1/me/sessions/{id}", { params: { path: { id } } });
      await queries.invalidateQueries({ queryKey: ["me", "sessions"] });
    });
  const endOthers = () =>
    act("sessions", async () => {
      await api.DELETE("/v1/me/sessions");
      await queries.invalidateQueries({ queryKey: ["me", "sessions"] });
      notify(t("You are signed in only here."), "good");
    });
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return (
    <div className="flex flex-col gap-3 p-4">
      <SessionList
        rows={rows}
        action={(s) =>
          s.current ? null : (
            <Button size="small" busy={`session ${s.id as string}`} aria-label={t("Sign out there: {name}", { name: browserWord(s.user_agent) })} onPress={() => void end(s.id as string)}>
              {t("Sign out")}
            </Button>
          )
        }
      />
      {rows.length > 1 ? (
        <Button className="self-start" busy="sessions" onPress={() => void endOthers()}>
          {t("Sign out everywhere else")}
        </Button>
      ) : null}
    </div>
  );
}
