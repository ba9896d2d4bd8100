// Waiting for something to become true: polled, bounded, and told when it does not.

/** How long tests wait for something that should happen at once on a busy machine. */
export const PATIENCE_MS = 15_000;

const POLL_MS = 50;

/** The first value that is neither `undefined`, `null` nor `false`. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = Date.now() + patienceMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== null && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${patienceMs} ms for: ${what}${last ? ` (${String(last)})` : ""}`);
    await new Promise((go) => setTimeout(go, POLL_MS));
  }
}
