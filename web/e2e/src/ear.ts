// What an <audio> or <video> element with a live stream plays, measured inside the page.

import type { Page } from "playwright-core";

/** Share (0 to 1) of the loudest part of the spectrum around `hz` in what the element plays within `ms`. */
export async function pageHears(page: Page, selector: string, hz: number, ms = 600): Promise<number> {
  // Playwright's selectors see into shadow roots, where the widget lives.
  const element = await page.$(selector);
  if (!element) return 0;
  return element.evaluate(
    async (element, { hz, ms }) => {
      const stream = (element as HTMLMediaElement).srcObject as MediaStream | null;
      if (!stream?.getAudioTracks().length) return 0;
      const context = new AudioContext();
      await context.resume();
      const analyser = context.createAnalyser();
      analyser.fftSize = 4096;
      context.createMediaStreamSource(stream).connect(analyser);
      await new Promise((go) => setTimeout(go, ms));
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      const width = context.sampleRate / analyser.fftSize;
      const power = [...bins].map((db) => (Number.isFinite(db) ? 10 ** (db / 10) : 0));
      const total = power.reduce((sum, p) => sum + p, 0);
      const at = Math.round(hz / width);
      const near = power.slice(Math.max(0, at - 3), at + 4).reduce((sum, p) => sum + p, 0);
      await context.close();
      return total < 1e-9 ? 0 : near / total;
    },
    { hz, ms },
  );
}

/** The same for what the customer's widget plays. */
export const widgetHears = (page: Page, hz: number): Promise<number> => pageHears(page, "crosspoint-widget video:not(.own)", hz);
