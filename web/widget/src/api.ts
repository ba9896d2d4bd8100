import type { PageContext } from "./context";

export type Mode = "audio" | "video" | "chat";

export interface PointView {
  title: string;
  consent: string;
  /** What the business takes at this moment. */
  modes: Mode[];
  open: boolean;
}

export interface Contact {
  contact: string;
  state: "start" | "offered" | "message";
  mode: Mode | null;
  secret: string;
  token?: string;
}

export interface ContactStatus {
  mode: Mode | null;
  /** Whether somebody has answered the call; until then the customer waits. */
  talking?: boolean;
  /** A change of mode that waits for an answer. */
  asked: { mode: Mode; by_customer: boolean } | null;
}

/** An answer of the server that was no success. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

export class Api {
  constructor(
    readonly origin: string,
    readonly point: string,
  ) {}

  private async send<T>(path: string, body?: unknown, secret?: string): Promise<T> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["content-type"] = "application/json";
    if (secret) headers["x-contact-secret"] = secret;
    const answer = await fetch(`${this.origin}/v1/contact/${this.point}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      mode: "cors",
    });
    const text = await answer.text();
    const value = text ? JSON.parse(text) : {};
    if (!answer.ok) throw new Refused(answer.status, value.code ?? "", value.detail ?? "");
    return value as T;
  }

  view = () => this.send<PointView>("");
  ask = (mode: Mode, can: Mode[], context: PageContext, name: string) =>
    this.send<Contact>("/requests", { mode, can, context, name: name || undefined, consent: true });
  answer = (contact: Contact, accept: boolean) =>
    this.send<Contact>(`/requests/${contact.contact}/answer`, { accept }, contact.secret);
  status = (contact: Contact) =>
    this.send<ContactStatus>(`/requests/${contact.contact}`, undefined, contact.secret);
  askMode = (contact: Contact, mode: Mode) =>
    this.send<ContactStatus>(`/requests/${contact.contact}/mode`, { mode }, contact.secret);
  answerMode = (contact: Contact, accept: boolean) =>
    this.send<ContactStatus>(`/requests/${contact.contact}/mode/answer`, { accept }, contact.secret);
  callback = (body: { number: string; name?: string; at?: string; context: PageContext }) =>
    this.send<{ contact: string }>("/callbacks", { ...body, consent: true });
  /** `from`: the request that came to nothing but this. */
  message = (body: { reply_to: string; text: string; name?: string; context: PageContext }, from?: Contact) =>
    this.send<{ contact: string }>("/messages", { ...body, request: from?.contact, consent: true }, from?.secret);
}
