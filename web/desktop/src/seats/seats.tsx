// Pictures of a conference that can be selected and whispered to; their voices follow.

import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { NEAR_FOR_MS, Room, seat, type Seat } from "./geometry";
import { Spatial } from "./spatial";

export interface Voice {
  id: string;
  name: string;
  /** A track of this person alone. */
  stream: MediaStream;
}

export interface SeatWords {
  /** Names the group of pictures. */
  seats: string;
  you: string;
  near: (name: string) => string;
  whisper: (name: string) => string;
}

/** How far an arrow key moves one's own picture. */
const STEP = 0.08;
const OWN_SEAT: Seat = { x: 0, y: 0 };

const style = (at: Seat) => ({ left: `${(at.x + 1) * 45 + 5}%`, top: `${(1 - at.y) * 70 + 6}%` });

/** The pictures of `voices`. `onWhisper` tells whom one's own picture stands close to. */
export function Seats(props: { voices: Voice[]; words: SeatWords; onWhisper?: (to: string | null) => void }) {
  const { voices, words, onWhisper } = props;
  const room = useMemo(() => new Room(), []);
  const sound = useRef<Spatial | null>(null);
  const area = useRef<HTMLDivElement>(null);
  const [own, setOwn] = useState<Seat>(OWN_SEAT);
  const [, redraw] = useState(0);
  const [told, setTold] = useState("");
  const ids = voices.map((v) => v.id).join(" ");

  const follow = () => {
    for (const v of voices) sound.current?.place(v.id, room.placeOf(v.id));
    redraw((n) => n + 1);
  };

  useEffect(() => {
    const context = new AudioContext();
    const spatial = new Spatial(context);
    sound.current = spatial;
    room.arrange(voices.map((v) => v.id));
    for (const v of voices) spatial.add(v.id, v.stream);
    follow();
    return () => {
      sound.current = null;
      void context.close();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- seats are given anew only when somebody comes or goes
  }, [ids]);

  const select = (voice: Voice) => {
    room.select(performance.now(), voice.id);
    setTold(words.near(voice.name));
    follow();
    setTimeout(() => {
      if (room.tick(performance.now())) follow();
    }, NEAR_FOR_MS + 20);
  };

  const move = (to: Seat) => {
    setOwn(to);
    const close = room.whispersTo(to);
    const name = voices.find((v) => v.id === close)?.name;
    setTold(name ? words.whisper(name) : "");
    onWhisper?.(close);
  };

  const drag = (event: PointerEvent<HTMLButtonElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const box = area.current?.getBoundingClientRect();
    if (!box) return;
    const x = ((event.clientX - box.left) / box.width - 0.5) * 2;
    move(seat(x, 1 - (event.clientY - box.top) / box.height));
  };

  const keys = (event: KeyboardEvent) => {
    const by: Record<string, [number, number]> = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    const step = by[event.key];
    if (!step) return;
    event.preventDefault();
    move(seat(own.x + step[0], own.y + step[1]));
  };

  const close = room.whispersTo(own);
  return (
    <div ref={area} role="group" aria-label={words.seats} className="relative h-72 w-full overflow-hidden rounded-lg bg-muted/10">
      {voices.map((v) => (
        <button
          key={v.id}
          type="button"
          aria-pressed={room.nearest === v.id}
          data-seat={v.id}
          onClick={() => select(v)}
          style={style(room.seatOf(v.id))}
          className={`absolute -translate-x-1/2 rounded-full border px-4 py-3 transition-all ${room.nearest === v.id ? "scale-125" : ""} ${close === v.id ? "border-dashed" : ""}`}
        >
          {v.name}
        </button>
      ))}
      <button
        type="button"
        data-seat="own"
        style={style(own)}
        className="absolute -translate-x-1/2 touch-none rounded-full border-2 px-4 py-3"
        onPointerDown={(e) => e.currentTarget.setPointerCapture(e.pointerId)}
        onPointerMove={drag}
        onKeyDown={keys}
      >
        {words.you}
      </button>
      <p role="status" className="absolute bottom-1 w-full text-center text-sm">
        {told}
      </p>
    </div>
  );
}
