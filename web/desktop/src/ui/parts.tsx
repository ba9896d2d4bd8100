// Small parts that every page uses.

import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { t } from "../lib/i18n";
import { IconButton } from "./button";
import { X } from "./icons";

export type Tone = "good" | "warn" | "bad" | "info" | "plain";

const badgeTones: Record<Tone, string> = {
  good: "bg-good-soft text-good",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  info: "bg-info-soft text-info",
  plain: "bg-sunken text-muted",
};

export function Badge(props: { tone?: Tone; children: ReactNode; className?: string }) {
  return <span className={`inline-flex h-5 items-center gap-1 rounded-full px-2 text-xs font-medium whitespace-nowrap ${badgeTones[props.tone ?? "plain"]} ${props.className ?? ""}`}>{props.children}</span>;
}

const dotTones: Record<Tone, string> = { good: "bg-good", warn: "bg-warn", bad: "bg-bad", info: "bg-info", plain: "bg-edge" };
export function Dot(props: { tone: Tone; className?: string }) {
  return <span aria-hidden="true" className={`inline-block size-2 shrink-0 rounded-full ${dotTones[props.tone]} ${props.className ?? ""}`} />;
}

export function Empty(props: { icon?: ReactNode; title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center justify-center gap-2 px-6 py-10 text-center">
      {props.icon ? <span className="mb-1 flex size-11 items-center justify-center rounded-full bg-sunken text-muted">{props.icon}</span> : null}
      <p className="font-medium">{props.title}</p>
      {props.children ? <div className="max-w-sm text-muted">{props.children}</div> : null}
    </div>
  );
}

export function Card(props: { title?: ReactNode; actions?: ReactNode; children: ReactNode; className?: string; label?: string }) {
  return (
    <section aria-label={props.label} className={`rounded-lg border border-line bg-surface ${props.className ?? ""}`}>
      {props.title ? (
        <header className="flex min-h-11 items-center justify-between gap-2 border-b border-line px-4 py-1.5">
          <h2 className="font-semibold">{props.title}</h2>
          <div className="flex items-center gap-2">{props.actions}</div>
        </header>
      ) : null}
      {props.children}
    </section>
  );
}

/** A page below the top bar: heading, what can be done, content that scrolls. */
export function Page(props: { title: string; actions?: ReactNode; children: ReactNode; wide?: boolean }) {
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex min-h-14 flex-wrap items-center justify-between gap-x-4 gap-y-2 px-5 py-2.5">
        <h1 className="text-lg font-semibold">{props.title}</h1>
        <div className="flex flex-wrap items-center gap-2">{props.actions}</div>
      </header>
      <div className="min-h-0 flex-1 overflow-auto px-5 pb-6">{props.children}</div>
    </div>
  );
}

export function Dialog(props: { title: string; isOpen: boolean; onClose: () => void; children: ReactNode; wide?: boolean; footer?: ReactNode }) {
  return (
    <ModalOverlay isOpen={props.isOpen} onOpenChange={(open) => !open && props.onClose()} isDismissable className="fixed inset-0 z-40 flex items-start justify-center overflow-auto bg-black/50 p-4 pt-[8vh]">
      <Modal className={`w-full ${props.wide ? "max-w-3xl" : "max-w-lg"}`}>
        <AriaDialog className="flex max-h-[84vh] flex-col rounded-lg border border-line bg-raised shadow-xl outline-none">
          <header className="flex items-center justify-between gap-2 border-b border-line py-2 ps-5 pe-2">
            <Heading slot="title" className="font-semibold">
              {props.title}
            </Heading>
            <IconButton look="quiet" label={t("Close")} icon={<X size={16} aria-hidden />} onPress={props.onClose} />
          </header>
          <div className="relative min-h-0 flex-1 overflow-auto px-5 py-4">{props.children}</div>
          {props.footer ? <footer className="flex items-center justify-end gap-2 border-t border-line px-5 py-3">{props.footer}</footer> : null}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

/** Something could not be read: what, and the way to try again. */
export function Failed(props: { error: unknown; retry?: () => void }) {
  const text = props.error instanceof Error ? props.error.message : String(props.error);
  return (
    <div role="alert" className="m-4 flex flex-wrap items-center justify-between gap-3 rounded-md border border-line bg-bad-soft px-4 py-3 text-bad">
      <span>{text}</span>
      {props.retry ? (
        <button type="button" className="font-medium underline" onClick={props.retry}>
          {t("Try again")}
        </button>
      ) : null}
    </div>
  );
}

export function Definition(props: { items: [string, ReactNode][]; className?: string }) {
  return (
    <dl className={`grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5 ${props.className ?? ""}`}>
      {props.items.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export const th = "px-3 py-2 text-start text-xs font-medium text-muted whitespace-nowrap";
export const td = "px-3 py-2 align-middle";
