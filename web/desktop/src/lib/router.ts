// Addresses of pages: `/app/…`, so that Back, Forward, bookmarks and links work.

import { useSyncExternalStore } from "react";
import { Emitter } from "./emitter";

const moved = new Emitter();
window.addEventListener("popstate", () => moved.emit());

export const href = (path: string): string => `/app/${path}`;

export function go(path: string): void {
  const to = href(path);
  if (to === location.pathname + location.search) return;
  history.pushState(null, "", to);
  moved.emit();
  document.getElementById("main")?.focus({ preventScroll: true });
}

/** Changes the query where one is, without a step of the history and without moving the focus. */
export function putQuery(values: Record<string, string>): void {
  const query = new URLSearchParams(Object.entries(values).filter(([, v]) => v)).toString();
  history.replaceState(null, "", location.pathname + (query ? `?${query}` : ""));
  moved.emit();
}

/** The path below `/app/`, without the query. */
export function usePath(): string {
  return useSyncExternalStore(moved.on, () => location.pathname.replace(/^\/app\/?|^\/$/, ""));
}

/** One value of the query. */
export function useParam(name: string): string | null {
  return useSyncExternalStore(moved.on, () => new URLSearchParams(location.search).get(name));
}
