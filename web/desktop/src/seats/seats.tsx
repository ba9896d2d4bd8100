// Pictures of a conference that can be selected and come close to; their voices follow.

import { useRef, type KeyboardEvent, type PointerEvent } from "react";
import { roleWord } from "../lib/format";
import { t } from "../lib/i18n";
import { useSoftphone } from "../lib/softphone";
import { seat, type Seat } from "./geometry";
import { useStage, type Stage } from "./stage";

/** How far an arrow key moves one's own picture. */
const STEP = 0.08;
const KEYS: Record<string, [number, number]> = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };

const style = (at: Seat) => ({ left: `${(at.x + 1) * 40 + 10}%`, top: `${(1 - at.y) * 66 + 5}%` });

/** The seats of the call this leg is in; nothing while there are not several to hear. */
export function Seats(props: { leg: string }) {
  const leg = useSoftphone().legs.find((l) => l.leg === props.leg);
  const stage = useStage(leg?.stage ?? null);
  if (!stage || stage.parties.length < 2) return null;
  return <Pictures stage={stage} />;
}

function Pictures(props: { stage: Stage }) {
  const { stage } = props;
  const area = useRef<HTMLDivElement>(null);
  const name = (id: string | null) => {
    const party = stage.parties.find((p) => p.party === id);
    return party ? party.name || roleWord(party.role) : "";
  };
  const close = stage.room.whispersTo(stage.own);
  const near = stage.room.nearest;
  const told = close ? t("Close to {name}", { name: name(close) }) : near ? t("{name} is near", { name: name(near) }) : "";

  const drag = (event: PointerEvent<HTMLButtonElement>) => {
    const box = area.current?.getBoundingClientRect();
    if (!box || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const x = ((event.clientX - box.left) / box.width - 0.5) * 2.5;
    const top = event.clientY - event.currentTarget.offsetHeight / 2 - box.top;
    stage.move(seat(x, 1 - (top / box.height - 0.05) / 0.66));
  };
  const keys = (event: KeyboardEvent) => {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    stage.move({ x: stage.own.x + step[0], y: stage.own.y + step[1] });
  };

  return (
    <div ref={area} role="group" aria-label={t("Seats of the call")} dir="ltr" className="relative h-64 w-full overflow-hidden rounded-lg border border-line bg-surface">
      {stage.parties.map((p) => (
        <button
          key={p.party}
          type="button"
          data-seat={p.party}
          data-role={p.role}
          aria-pressed={near === p.party}
          onClick={() => stage.select(p.party)}
          style={style(stage.room.seatOf(p.party))}
          className={`absolute flex -translate-x-1/2 flex-col items-center rounded-xl border bg-surface px-4 py-2 transition-all motion-reduce:transition-none ${near === p.party ? "z-10 scale-110 border-accent font-semibold" : "border-line"} ${close === p.party ? "border-dashed" : ""}`}
        >
          <span dir="auto">{name(p.party)}</span>
          <span className="text-xs text-muted">
            {roleWord(p.role)}
            {stage.speaking.includes(p.party) ? ` · ${t("speaks")}` : ""}
          </span>
        </button>
      ))}
      <button
        type="button"
        data-seat="own"
        style={style(stage.own)}
        className="absolute -translate-x-1/2 cursor-grab touch-none rounded-xl border-2 border-accent bg-surface px-4 py-2"
        onPointerDown={(e) => e.currentTarget.setPointerCapture(e.pointerId)}
        onPointerMove={drag}
        onKeyDown={keys}
      >
        {t("You")}
      </button>
      <p role="status" dir="auto" className="absolute inset-x-0 bottom-1 text-center text-sm text-muted">
        {told}
      </p>
    </div>
  );
}
