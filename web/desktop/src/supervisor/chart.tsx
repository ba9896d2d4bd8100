// Stacked bars as SVG, with the same figures as a table for those who read it otherwise.

import { useState } from "react";
import { t } from "../lib/i18n";
import { td, th } from "../ui/parts";

export interface Bar {
  name: string;
  parts: { name: string; value: number; className: string }[];
}

const [WIDTH, HEIGHT, TOP, BOTTOM, LEFT] = [960, 226, 8, 22, 34];

/** A round number of steps that reaches the highest bar. */
function steps(max: number): number[] {
  const raw = Math.max(1, max) / 4;
  const size = [1, 2, 5, 10].map((n) => n * 10 ** Math.floor(Math.log10(raw))).find((n) => n >= raw) ?? 1;
  const step = Math.max(1, size);
  return Array.from({ length: Math.ceil(Math.max(1, max) / step) + 1 }, (_, n) => n * step);
}

export function BarChart(props: { label: string; bars: Bar[] }) {
  const { bars, label } = props;
  const [table, setTable] = useState(false);
  const total = (b: Bar) => b.parts.reduce((sum, p) => sum + p.value, 0);
  const ticks = steps(Math.max(...bars.map(total), 1));
  const top = ticks.at(-1) ?? 1;
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const step = (WIDTH - LEFT) / Math.max(1, bars.length);
  const wide = Math.min(step * 0.7, 44);
  const every = Math.ceil(bars.length / 14);
  return (
    <figure className="flex flex-col gap-3">
      <figcaption className="flex flex-wrap items-center gap-4 text-xs text-muted">
        <span>{label}</span>
        {bars[0]?.parts.map((p) => (
          <span key={p.name} className="flex items-center gap-1.5">
            <svg viewBox="0 0 10 10" className="size-2.5" aria-hidden="true">
              <rect width="10" height="10" rx="2" className={p.className} />
            </svg>
            {p.name}
          </span>
        ))}
        <button type="button" aria-expanded={table} className="ms-auto underline" onClick={() => setTable(!table)}>
          {table ? t("Hide the table") : t("Show as a table")}
        </button>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label} className="w-full" direction="ltr">
        {ticks.map((tick) => (
          <g key={tick}>
            <line x1={LEFT} x2={WIDTH} y1={y(tick)} y2={y(tick)} className="stroke-line" strokeWidth="1" />
            <text x={LEFT - 6} y={y(tick) + 4} textAnchor="end" className="fill-muted text-[11px]">
              {tick}
            </text>
          </g>
        ))}
        {bars.map((b, n) => {
          let base = 0;
          return (
            <g key={n}>
              <title>{`${b.name}: ${b.parts.map((p) => `${p.name} ${p.value}`).join(", ")}`}</title>
              {b.parts.map((p) => {
                const from = base;
                base += p.value;
                return p.value ? <rect key={p.name} x={LEFT + (n + 0.5) * step - wide / 2} width={wide} y={y(base)} height={y(from) - y(base)} className={p.className} rx="1.5" /> : null;
              })}
              {n % every === 0 ? (
                <text x={LEFT + (n + 0.5) * step} y={HEIGHT - 6} textAnchor="middle" className="fill-muted text-[11px]">
                  {b.name}
                </text>
              ) : null}
            </g>
          );
        })}
      </svg>
      <div className={table ? "max-h-72 overflow-auto rounded-md border border-line" : "sr-only"}>
        <table className="w-full">
          <caption className="sr-only">{label}</caption>
          <thead>
            <tr>
              <th scope="col" className={th}>
                {t("Begins")}
              </th>
              {bars[0]?.parts.map((p) => (
                <th key={p.name} scope="col" className={th}>
                  {p.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {bars.map((b, n) => (
              <tr key={n}>
                <th scope="row" className={`${td} text-start font-normal`}>
                  {b.name}
                </th>
                {b.parts.map((p) => (
                  <td key={p.name} className={td}>
                    {p.value}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
