import { Widget } from "./widget";

// <script src="https://…/widget.js" data-point="cpt_…" async></script>
const script = document.currentScript as HTMLScriptElement | null;

declare global {
  interface Window {
    Crosspoint?: Widget;
  }
}

function start(tag: HTMLScriptElement): void {
  const point = tag.dataset.point;
  if (!point || window.Crosspoint) return;
  window.Crosspoint = new Widget({
    origin: new URL(tag.src).origin,
    point,
    language: tag.dataset.language,
    theme: tag.dataset.theme,
    open: tag.dataset.open !== undefined,
  });
}

if (script) {
  if (document.body) start(script);
  else addEventListener("DOMContentLoaded", () => start(script));
}
