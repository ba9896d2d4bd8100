// Commands: one at a time per key, refusals told in the server's words.

import { useSyncExternalStore } from "react";
import { Emitter } from "./emitter";
import { reloadSoon } from "./live";
import { notify, problemText } from "./tell";

const running = new Set<string>();
const changed = new Emitter();

/** Runs it unless the same is running; tells what goes wrong. Whether it went well. */
export async function act(key: string, run: () => Promise<unknown>): Promise<boolean> {
  if (running.has(key)) return false;
  running.add(key);
  changed.emit();
  try {
    await run();
    return true;
  } catch (error) {
    notify(problemText(error), "bad");
    reloadSoon();
    return false;
  } finally {
    running.delete(key);
    changed.emit();
  }
}

export const useBusy = (key: string): boolean => useSyncExternalStore(changed.on, () => running.has(key));
