// Customers: who they are over all their numbers and addresses, what agents see of them, what routing may
// use, and what they prove themselves with.

import { t } from "../lib/i18n";
import { Badge } from "../ui/parts";
import { CollectionPage, type AnyRow, type CollectionSpec } from "./collection";
import { CustomerProofs } from "./customer-proofs";
import { column, text } from "./spec-parts";

const list = <T,>(row: AnyRow, name: string) => (row[name] as T[] | undefined) ?? [];

function spec(): CollectionSpec {
  const name = (row: AnyRow) => String(row.name || row.id);
  return {
    collection: "persons", add: t("Add a customer"), empty: t("Whoever calls from a number of a customer's record is shown with it, and can prove to be that customer."), title: name,
    columns: [
      column(t("Name"), name),
      column(t("Known by"), (r) => (
        <span className="flex flex-wrap gap-1" dir="ltr">
          {list<{ value: string }>(r, "identities").map((i) => (
            <Badge key={i.value}>{i.value}</Badge>
          ))}
        </span>
      )),
      column(t("Fields"), (r) => String(list(r, "fields").length)),
      column(t("Facts"), (r) => Object.keys((r.facts as object | undefined) ?? {}).join(", ") || "–"),
    ],
    fields: [
      text("name", t("Name"), { required: true }), { name: "photo", label: t("Address of the picture"), hint: t("An agent compares it with whom they see."), kind: { is: "text", nullable: true, placeholder: "https://" } },
      { name: "identities", label: t("Known by"), kind: { is: "identities" } }, { name: "fields", label: t("Fields"), kind: { is: "record" } }, { name: "facts", label: t("Facts"), kind: { is: "facts" } },
    ],
    fresh: { name: "", photo: null, identities: [], fields: [], facts: {} },
    actions: (r) => <CustomerProofs id={r.id} name={name(r)} />,
  };
}

export const Customers = () => <CollectionPage spec={spec()} />;
