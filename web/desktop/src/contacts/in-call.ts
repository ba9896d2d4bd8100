// The contact behind a call that came by a communication point: what it looked at, in which mode it is, what is asked.

import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { act } from "../lib/action";
import { api, type Schemas } from "../lib/api";
import { onEvent } from "../lib/live";
import { queries } from "../lib/names";
import { may } from "../lib/session";
import { useTrail } from "../history/trail";

export type Contact = Schemas["Contact"];

/** Looked at this often beside the events. */
const LOOK_MS = 5_000;

export interface FromPage {
  /** The context as the call brought it. */
  context: unknown;
  contact: Contact | undefined;
}

export function useFromPage(interaction: string): FromPage {
  const trail = useTrail(interaction).data ?? [];
  const told = trail.filter((e) => e.type === "customer.context").at(-1)?.data;
  const id = typeof told?.subject === "string" && told.subject.startsWith("ctc_") ? told.subject : null;
  const query = useQuery({
    queryKey: ["contact", id],
    enabled: Boolean(id) && may("contacts:read"),
    refetchInterval: LOOK_MS,
    queryFn: async () => (await api.GET("/v1/contacts/{id}", { params: { path: { id: id ?? "" } } })).data as Contact,
  });
  useEffect(
    () =>
      onEvent((event) => {
        if (event.type === "contact.changed" && event.data.contact === id) void queries.invalidateQueries({ queryKey: ["contact", id] });
      }),
    [id],
  );
  return { context: query.data?.context ?? parsed(told?.context), contact: query.data };
}

function parsed(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

async function changed(id: string, run: () => Promise<{ data?: unknown }>): Promise<boolean> {
  return act(`mode ${id}`, async () => {
    const { data } = await run();
    queries.setQueryData(["contact", id], data);
  });
}
const at = (id: string) => ({ params: { path: { id } } });

/** Asks the customer for pictures, or goes back to voice, which nobody has to agree to. */
export const askMode = (id: string, mode: "audio" | "video"): Promise<boolean> => changed(id, () => api.POST("/v1/contacts/{id}/mode", { ...at(id), body: { mode } }));
export const answerMode = (id: string, accept: boolean): Promise<boolean> => changed(id, () => api.POST("/v1/contacts/{id}/mode/answer", { ...at(id), body: { accept } }));
