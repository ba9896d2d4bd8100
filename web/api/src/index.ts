// The typed client of the API: `schema.d.ts` is generated from openapi.json (`scripts/gen`), the
// rest is thin: one place for the CSRF header, problem details, and paging.

import createClient, { type Client, type Middleware } from "openapi-fetch";
import type { components, operations, paths } from "./schema.js";

export type { components, operations, paths };
export type Schemas = components["schemas"];

/** What the API answers when it cannot (RFC 9457). */
export interface ProblemDetails {
  code: string;
  title?: string;
  detail?: string;
  status: number;
  errors?: { pointer: string; code: string; detail: string }[];
}

/** A refused request. `code` is stable, `message` is for people. `offline`: it was not even heard. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly problem: ProblemDetails;
  constructor(problem: ProblemDetails) {
    super(problem.detail ?? problem.title ?? problem.code);
    this.name = "ApiError";
    this.code = problem.code;
    this.status = problem.status;
    this.problem = problem;
  }
  get offline(): boolean {
    return this.status === 0;
  }
}

export interface ApiOptions {
  /** Origin of the server; the page's own when left out. */
  baseUrl?: string;
  /** `Authorization: Bearer …`, for programs; browsers have a cookie. */
  token?: string;
  fetch?: (request: Request) => Promise<Response>;
}

export interface Api extends Client<paths> {
  /** Sent with everything that changes something; comes with the session. */
  csrf: string;
}

const READS = new Set(["GET", "HEAD"]);

/** A client whose every failure is an `ApiError`. */
export function connect(options: ApiOptions = {}): Api {
  const client = createClient<paths>({
    baseUrl: options.baseUrl ?? "",
    credentials: "same-origin",
    ...(options.fetch ? { fetch: options.fetch } : {}),
  }) as Api;
  client.csrf = "";
  const middleware: Middleware = {
    onRequest({ request }) {
      if (options.token) request.headers.set("authorization", `Bearer ${options.token}`);
      if (client.csrf && !READS.has(request.method)) request.headers.set("x-csrf-token", client.csrf);
      return request;
    },
    async onResponse({ response }) {
      if (response.ok) return response;
      throw new ApiError(await problemOf(response));
    },
    onError({ error }) {
      if (error instanceof ApiError) return error;
      return new ApiError({ code: "offline", status: 0, detail: "The server does not answer." });
    },
  };
  client.use(middleware);
  return client;
}

async function problemOf(response: Response): Promise<ProblemDetails> {
  const fallback: ProblemDetails = { code: "internal", status: response.status, detail: response.statusText };
  try {
    const body = (await response.json()) as Partial<ProblemDetails>;
    return { ...fallback, ...body, status: response.status };
  } catch {
    return fallback;
  }
}

/** The answer of a call that throws instead of returning an error. */
export async function answer<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call;
  return data as T;
}

/** Pages read at most by `all`: 200 rows each. */
const PAGES_MAX = 50;

/** All rows of a paged list. */
export async function all<T>(page: (cursor?: string) => Promise<{ data?: { items: T[]; next?: string } }>): Promise<T[]> {
  const rows: T[] = [];
  let cursor: string | undefined;
  for (let n = 0; n < PAGES_MAX; n++) {
    const { data } = await page(cursor);
    if (!data) break;
    rows.push(...data.items);
    if (!data.next) break;
    cursor = data.next;
  }
  return rows;
}
