let worker: Worker | null | undefined;

/** The worker that keeps time, or null where there are none. */
function keeper(): Worker | null {
  if (worker !== undefined) return worker;
  try {
    worker = new Worker(new URL("./beat.worker.ts", import.meta.url), { type: "module" });
    worker.onerror = () => (worker = null);
  } catch {
    worker = null;
  }
  return worker;
}

/** Runs it every so often, in background tabs too; returns the way to stop. */
export function every(ms: number, run: () => void): () => void {
  const own = keeper();
  if (own) {
    own.onmessage = run;
    own.postMessage(ms);
  }
  // Where the worker is missing or fails, and to see that it did: this one is slow in the background, no more.
  const timer = setInterval(() => !worker && run(), ms);
  return () => {
    own?.postMessage(0);
    clearInterval(timer);
  };
}
