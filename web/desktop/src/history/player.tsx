// A recording: both sides as a waveform, played from anywhere by mouse or keyboard.

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api, type Schemas } from "../lib/api";
import { clock, when } from "../lib/format";
import { t } from "../lib/i18n";
import { may } from "../lib/session";
import { Button, IconButton } from "../ui/button";
import { Select } from "../ui/field";
import { Failed } from "../ui/parts";
import { Download, Pause, Play, SkipBack, SkipForward } from "../ui/icons";

type Recording = Schemas["Recording"];

/** Bars of the waveform. */
const BARS = 240;
/** Longer recordings are played without their picture: decoding them would take the page's memory. */
const DECODED_BYTES_MAX = 120_000_000;
const SKIP_S = 10;

export function Recordings(props: { interaction: string }) {
  const query = useQuery({
    queryKey: ["recordings", props.interaction],
    queryFn: async () => (await api.GET("/v1/recordings", { params: { query: { interaction: props.interaction, limit: 20 } } })).data?.items ?? [],
    enabled: may("recordings:read"),
  });
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />;
  if (!query.data?.length) return null;
  return (
    <div className="flex flex-col gap-3">
      {query.data.map((r) => (
        <Player key={r.id} recording={r} />
      ))}
    </div>
  );
}

interface Peaks {
  left: number[];
  right: number[];
}

async function peaksOf(url: string): Promise<Peaks | null> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(t("The recording cannot be read."));
  if (Number(response.headers.get("content-length") ?? 0) > DECODED_BYTES_MAX) return null;
  const context = new OfflineAudioContext(2, 1, 8_000);
  const audio = await context.decodeAudioData(await response.arrayBuffer());
  const side = (n: number): number[] => {
    const data = audio.getChannelData(Math.min(n, audio.numberOfChannels - 1));
    const step = Math.max(1, Math.floor(data.length / BARS));
    return Array.from({ length: BARS }, (_, i) => {
      let peak = 0;
      for (let k = i * step; k < Math.min(data.length, (i + 1) * step); k += 4) peak = Math.max(peak, Math.abs(data[k] ?? 0));
      return peak;
    });
  };
  return { left: side(0), right: audio.numberOfChannels > 1 ? side(1) : side(0) };
}

export function Player(props: { recording: Recording }) {
  const { recording } = props;
  const url = `/v1/recordings/${recording.id}/audio`;
  const audio = useRef<HTMLAudioElement>(null);
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [length, setLength] = useState((recording.duration_ms ?? 0) / 1000);
  const [speed, setSpeed] = useState("1");
  const peaks = useQuery({ queryKey: ["peaks", recording.id], queryFn: () => peaksOf(url), staleTime: Infinity, retry: false });
  useEffect(() => {
    if (audio.current) audio.current.playbackRate = Number(speed);
  }, [speed]);
  const seek = (to: number) => {
    if (audio.current) audio.current.currentTime = Math.max(0, Math.min(length, to));
  };
  const toggle = () => void (playing ? audio.current?.pause() : audio.current?.play());
  return (
    <section aria-label={t("Recording")} className="rounded-lg border border-line bg-surface p-3" data-recording={recording.id}>
      <audio
        ref={audio} src={url} preload="metadata"
        onPlay={() => setPlaying(true)} onPause={() => setPlaying(false)} onEnded={() => setPlaying(false)}
        onTimeUpdate={(e) => setAt(e.currentTarget.currentTime)}
        onLoadedMetadata={(e) => {
          if (Number.isFinite(e.currentTarget.duration)) setLength(e.currentTarget.duration);
        }}
      >
        <track kind="captions" />
      </audio>
      <Waveform peaks={peaks.data ?? null} at={at} length={length} onSeek={seek} />
      <div className="mt-2 flex flex-wrap items-center gap-2">
        <IconButton look="quiet" label={t("Back 10 seconds")} icon={<SkipBack size={16} aria-hidden />} onPress={() => seek(at - SKIP_S)} />
        <Button look="primary" onPress={toggle} icon={playing ? <Pause size={15} aria-hidden /> : <Play size={15} aria-hidden />}>
          {playing ? t("Pause") : t("Play")}
        </Button>
        <IconButton look="quiet" label={t("Forward 10 seconds")} icon={<SkipForward size={16} aria-hidden />} onPress={() => seek(at + SKIP_S)} />
        <span className="text-muted" dir="ltr">
          {clock(at * 1000)} / {clock(length * 1000)}
        </span>
        <span className="ms-auto text-xs text-muted">{recording.started_at ? when(recording.started_at) : ""}</span>
        <Select label={t("Speed")} hideLabel value={speed} onChange={setSpeed} className="w-24" choices={["0.75", "1", "1.25", "1.5", "2"].map((s) => ({ id: s, name: `${s} ×` }))} />
        <a href={url} download={`${recording.id}.wav`} aria-label={t("Download")} className="inline-flex size-8 items-center justify-center rounded-md text-muted hover:bg-sunken hover:text-ink">
          <Download size={16} aria-hidden />
        </a>
      </div>
    </section>
  );
}

/** Customer above the line, agent below. A slider for the keyboard and for screen readers. */
function Waveform(props: { peaks: Peaks | null; at: number; length: number; onSeek: (to: number) => void }) {
  const { peaks, at, length, onSeek } = props;
  const played = length ? (at / length) * BARS : 0;
  const bars = (side: number[], up: boolean) =>
    side.map((p, i) => {
      const h = Math.max(1, p * 30);
      return <rect key={i} x={i * 3} y={up ? 32 - h : 33} width="2" height={h} rx="1" className={i < played ? (up ? "fill-accent" : "fill-info") : "fill-edge"} opacity={i < played ? 1 : 0.55} />;
    });
  return (
    <div className="relative" dir="ltr">
      <svg viewBox={`0 0 ${BARS * 3} 66`} preserveAspectRatio="none" className="h-16 w-full" aria-hidden="true">
        {peaks ? (
          <>
            {bars(peaks.left, true)}
            {bars(peaks.right, false)}
          </>
        ) : (
          <line x1="0" x2={BARS * 3} y1="33" y2="33" className="stroke-line" />
        )}
      </svg>
      <span className="absolute top-0 start-0 text-[0.6875rem] text-muted">{t("Customer")}</span>
      <span className="absolute bottom-0 start-0 text-[0.6875rem] text-muted">{t("Agent")}</span>
      <input
        type="range" min="0" max={Math.max(0.1, length)} step="0.1" value={Math.min(at, length)} onChange={(e) => onSeek(Number(e.target.value))}
        aria-label={t("Position in the recording")} aria-valuetext={t("{at} of {length}", { at: clock(at * 1000), length: clock(length * 1000) })}
        className="absolute inset-0 h-full w-full cursor-pointer appearance-none bg-transparent accent-accent"
      />
    </div>
  );
}
