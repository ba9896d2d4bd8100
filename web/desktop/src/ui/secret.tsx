// Something told once: shown whole, to be copied.

import { useState } from "react";
import { t } from "../lib/i18n";
import { notify, say } from "../lib/tell";
import { Button } from "./button";
import { Check, Copy } from "./icons";

export function Secret(props: { label: string; value: string; lines?: number }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(props.value);
    } catch {
      notify(t("It could not be copied: select it and copy it by hand."), "bad");
      return;
    }
    setCopied(true);
    say(t("Copied."));
  };
  return (
    <div className="flex flex-col gap-1">
      <span className="text-xs font-medium">{props.label}</span>
      <div className="flex items-start gap-2">
        <output aria-label={props.label} dir="ltr" className={`min-w-0 flex-1 rounded-md border border-line bg-sunken px-2.5 py-1.5 font-mono text-sm break-all whitespace-pre-wrap select-all ${props.lines && props.lines > 4 ? "columns-2" : ""}`}>
          {props.value}
        </output>
        {navigator.clipboard ? (
          <Button icon={copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />} aria-label={t("Copy {name}", { name: props.label })} onPress={() => void copy()}>
            {copied ? t("Copied") : t("Copy")}
          </Button>
        ) : null}
      </div>
    </div>
  );
}
