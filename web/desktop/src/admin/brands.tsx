// How the business shows itself when it calls: brands, and the pictures they show.

import { useRef } from "react";
import { act } from "../lib/action";
import { api } from "../lib/api";
import { t } from "../lib/i18n";
import { queries, useRows } from "../lib/names";
import { may } from "../lib/session";
import { notify } from "../lib/tell";
import { Button } from "../ui/button";
import { Card } from "../ui/parts";
import { CollectionPage, type CollectionSpec } from "./collection";

/** What the server takes. */
const PICTURE_BYTES_MAX = 96 * 1024;

export function Brands(props: { spec: CollectionSpec }) {
  return (
    <div className="flex flex-col gap-6">
      <CollectionPage spec={props.spec} />
      <Pictures />
    </div>
  );
}

function base64(bytes: ArrayBuffer): string {
  let text = "";
  for (const b of new Uint8Array(bytes)) text += String.fromCharCode(b);
  return btoa(text);
}

function Pictures() {
  const { data } = useRows("pictures");
  const input = useRef<HTMLInputElement>(null);
  const again = () => queries.invalidateQueries({ queryKey: ["config", "pictures"] });
  const add = (file: File) =>
    act("picture", async () => {
      if (file.size > PICTURE_BYTES_MAX) {
        notify(t("A picture has 96 kB at most: 256 by 256 pixels will do."), "bad");
        return;
      }
      const name = file.name.replace(/\.\w+$/, "").slice(0, 100);
      await api.POST("/v1/pictures", { body: { name, data: base64(await file.arrayBuffer()) } });
      await again();
      notify(t("Saved."), "good");
    });
  return (
    <Card
      title={t("Pictures")}
      actions={
        may("numbers:write") ? (
          <>
            <input ref={input} type="file" accept="image/png,image/jpeg,image/webp" aria-label={t("Picture file")} className="sr-only" tabIndex={-1} onChange={(e) => {
              const file = e.target.files?.[0];
              e.target.value = "";
              if (file) void add(file);
            }} />
            <Button size="small" busy="picture" onPress={() => input.current?.click()}>
              {t("Add a picture")}
            </Button>
          </>
        ) : null
      }
    >
      <ul className="flex flex-wrap gap-3 p-4">
        {(data ?? []).map((p) => (
          <li key={p.id} className="flex items-center gap-2 rounded-md border border-line p-2">
            <img src={`/pictures/${p.digest}`} alt="" className="size-10 rounded-full object-cover" />
            <span className="max-w-40 truncate">{p.name}</span>
          </li>
        ))}
        {data?.length === 0 ? <li className="text-muted">{t("A logo as PNG, JPEG or WebP. It is shown round, on telephones at 256 by 256 pixels.")}</li> : null}
      </ul>
    </Card>
  );
}
