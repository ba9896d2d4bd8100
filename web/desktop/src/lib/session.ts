// Who is signed in. One for the page; other modules ask `session()` and `may()`.

import { useSyncExternalStore } from "react";
import { api, answer, ApiError, type Schemas } from "./api";

export type Session = Schemas["Session"];

let current: Session | null = null;
const listeners = new Set<() => void>();

function set(session: Session | null): void {
  current = session;
  api.csrf = session?.csrf_token ?? "";
  listeners.forEach((f) => f());
}

export const session = (): Session | null => current;
export const may = (permission: string): boolean => current?.permissions.includes(permission) ?? false;

export function useSession(): Session | null {
  return useSyncExternalStore(
    (f) => {
      listeners.add(f);
      return () => listeners.delete(f);
    },
    () => current,
  );
}

/** The session of the cookie, if there is one. Throws when the server cannot be asked. */
export async function resume(): Promise<Session | null> {
  try {
    set(await answer(api.GET("/v1/sessions/current")));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    set(null);
  }
  return current;
}

export async function signIn(login: string, password: string): Promise<void> {
  set(await answer(api.POST("/v1/sessions", { body: { login, password } })));
}

export async function signOut(): Promise<void> {
  await api.DELETE("/v1/sessions/current").catch(() => {});
  set(null);
}

/** The server says that the session is over. */
export const signedOut = (): void => set(null);
