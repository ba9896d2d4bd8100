// How the far side of a trunk proves that it is this trunk: by where it sends from, by a password, by a certificate.

import { t } from "../lib/i18n";
import { Select, TextField } from "../ui/field";
import { Networks, type Props } from "./fields";

interface Auth {
  by: "address" | "digest" | "tls";
  networks?: unknown;
  user?: string;
  password?: string | null;
  name?: string;
}

const fresh: Record<Auth["by"], Auth> = {
  address: { by: "address", networks: [] },
  digest: { by: "digest", user: "" },
  tls: { by: "tls", name: "" },
};

export function TrunkAuth(props: Props) {
  const value = (props.value as Auth | undefined) ?? fresh.address;
  const set = (part: Partial<Auth>) => props.onChange({ ...value, ...part });
  // A password that is left empty stays what it was.
  const password = (text: string) => {
    const rest = { ...value };
    delete rest.password;
    props.onChange(text ? { ...rest, password: text } : rest);
  };
  const ways = [
    { id: "address", name: t("By the address it sends from") },
    { id: "digest", name: t("By user and password") },
    { id: "tls", name: t("By its TLS certificate") },
  ];
  return (
    <fieldset className="flex flex-col gap-3 rounded-md border border-line p-3">
      <legend className="px-1 text-xs font-medium">{props.spec.label}</legend>
      <Select label={t("Proof")} hideLabel value={value.by} choices={ways} onChange={(by) => by !== value.by && props.onChange(fresh[by as Auth["by"]])} className="max-w-80" />
      {value.by === "address" ? <Networks {...props} spec={{ ...props.spec, label: t("Addresses and networks") }} value={value.networks} onChange={(networks) => set({ networks })} error={undefined} /> : null}
      {value.by === "digest" ? (
        <div className="grid gap-3 sm:grid-cols-2">
          <TextField label={t("User of the far side")} value={value.user ?? ""} onChange={(user) => set({ user })} isRequired autoComplete="off" />
          <TextField label={t("Password of the far side")} type="password" value={value.password ?? ""} onChange={password} hint={t("At least 8 characters. Left empty, it stays; it is never shown again.")} autoComplete="new-password" />
        </div>
      ) : null}
      {value.by === "tls" ? <TextField label={t("Name in the certificate")} value={value.name ?? ""} onChange={(name) => set({ name })} isRequired hint={t("As sip.carrier.example; it has to call in by TLS.")} className="max-w-80" /> : null}
      {props.error ? <p className="text-xs text-bad">{props.error}</p> : null}
    </fieldset>
  );
}
