// Who is signed in. One for the page; other modules ask `session()` and `may()`.

import { useSyncExternalStore } from "react";
import { api, answer, ApiError, type Schemas } from "./api";
import { socket } from "./socket";

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

export type SecondFactorNeeded = Schemas["SecondFactorNeeded"];
export type SecondProof = Schemas["SecondProof"];

/** Signs in; when the person has a second factor, what is still to be proved (see `secondFactor`). */
export async function signIn(login: string, password: string): Promise<SecondFactorNeeded | null> {
  const result = await answer(api.POST("/v1/sessions", { body: { login, password } }));
  if ("methods" in result) return result;
  set(result);
  return null;
}

/** The second step of a sign-in. */
export async function secondFactor(needed: SecondFactorNeeded, proof: SecondProof): Promise<void> {
  set(await answer(api.POST("/v1/sessions/second-factor", { body: { token: needed.token, proof } })));
}

/** What the browser's passkey says to a challenge of the server. Throws when the person turns away. */
export async function provePasskey(challenge: unknown): Promise<Schemas["PasskeyAssertion"]> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(challenge as PublicKeyCredentialRequestOptionsJSON);
  const credential = await navigator.credentials.get({ publicKey });
  return (credential as PublicKeyCredential).toJSON() as Schemas["PasskeyAssertion"];
}

/** Signs in by a passkey of this browser, without a name. */
export async function signInByPasskey(): Promise<void> {
  const begun = await answer(api.POST("/v1/sessions/passkey/options"));
  const credential = await provePasskey(begun.public_key);
  set(await answer(api.POST("/v1/sessions/passkey", { body: { token: begun.token, credential } })));
}

/** Proves again that it is oneself, before something dangerous. */
export const proveAgain = (input: Schemas["StepUp"]): Promise<unknown> => api.POST("/v1/sessions/current/step-up", { body: input });

/** The same by a passkey. */
export async function proveAgainByPasskey(): Promise<void> {
  const begun = await answer(api.POST("/v1/sessions/current/step-up/options"));
  await proveAgain({ token: begun.token, proof: { passkey: await provePasskey(begun.public_key) } });
}

/** Makes a passkey on this device. Recovery codes, when they are the first: told once. */
export async function makePasskey(name: string): Promise<string[]> {
  const begun = await answer(api.POST("/v1/me/passkeys/options"));
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.public_key as unknown as PublicKeyCredentialCreationOptionsJSON);
  const made = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential;
  const credential = made.toJSON() as Schemas["PasskeyCreated"];
  return (await answer(api.POST("/v1/me/passkeys", { body: { token: begun.token, name, credential } }))).recovery_codes;
}

export async function signOut(): Promise<void> {
  // Before the session ends: else the socket knocks again without one.
  socket.stop();
  await api.DELETE("/v1/sessions/current").catch(() => {});
  set(null);
}

/** The server says that the session is over. */
export const signedOut = (): void => set(null);
