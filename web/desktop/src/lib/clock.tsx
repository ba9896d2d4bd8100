// Times that run. One timer for all of them writes the text itself: a table of 500 rows is not
// rendered again each second.

import { useEffect, useRef } from "react";
import { clock } from "./format";
import { serverNow } from "./live";

type Tick = (now: number) => void;
const ticking = new Set<Tick>();
let timer: ReturnType<typeof setInterval> | undefined;

function add(tick: Tick): () => void {
  ticking.add(tick);
  timer ??= setInterval(() => {
    const now = serverNow();
    ticking.forEach((f) => f(now));
  }, 1_000);
  return () => {
    ticking.delete(tick);
    if (!ticking.size) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** Time since (counting up) or until (counting down) an instant. */
export function Clock(props: { since?: string | number; until?: string; className?: string; warnAfterMs?: number }) {
  const { since, until, warnAfterMs } = props;
  const element = useRef<HTMLTimeElement>(null);
  useEffect(() => {
    const draw: Tick = (now) => {
      if (!element.current) return;
      const ms = until ? Date.parse(until) - now : now - (typeof since === "number" ? since : Date.parse(since ?? ""));
      element.current.textContent = Number.isFinite(ms) ? clock(ms) : "–";
      if (warnAfterMs) element.current.dataset.late = String(ms > warnAfterMs);
    };
    draw(serverNow());
    return add(draw);
  }, [since, until, warnAfterMs]);
  // A running time is noise to a screen reader; it is there to be read, not announced.
  return <time ref={element} aria-live="off" className={props.className} />;
}

/** A bar that shrinks until the deadline. */
export function Countdown(props: { from: number; until: string; className?: string }) {
  const { from, until } = props;
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const left = Date.parse(until) - serverNow();
    const whole = Math.max(1, Date.parse(until) - from);
    const bar = element.current;
    if (!bar) return;
    const share = Math.max(0, Math.min(1, left / whole));
    const animation = bar.animate([{ transform: `scaleX(${share})` }, { transform: "scaleX(0)" }], { duration: Math.max(1, left), fill: "forwards" });
    return () => animation.cancel();
  }, [from, until]);
  return (
    <div aria-hidden="true" className={`h-1 overflow-hidden rounded-full bg-line ${props.className ?? ""}`}>
      <div ref={element} className="h-full origin-left rounded-full bg-accent rtl:origin-right" />
    </div>
  );
}
