// Keys for what agents do all day. Alt and a letter: free of the browser's and the screen readers' own.
// `code` names the key's place, so that they work on every layout.

import { useEffect, useRef } from "react";

export interface Hotkey {
  /** As `KeyboardEvent.code` without "Key" or "Digit": "A", "H", "1". */
  key: string;
  run: () => void;
  when?: boolean;
}

const open = new Set<() => Hotkey[]>();

window.addEventListener("keydown", (event) => {
  if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const key = event.code.replace(/^(Key|Digit)/, "");
  for (const list of [...open].reverse()) {
    const found = list().find((h) => h.key === key && h.when !== false);
    if (!found) continue;
    event.preventDefault();
    found.run();
    return;
  }
});

/** These keys work while the component is there. */
export function useHotkeys(keys: Hotkey[]): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const list = () => latest.current;
    open.add(list);
    return () => {
      open.delete(list);
    };
  }, []);
}

/** How the key is written on buttons and in menus. */
export const keyName = (key: string): string => (/Mac|iPhone|iPad/.test(navigator.userAgent) ? `⌥${key}` : `Alt ${key}`);
