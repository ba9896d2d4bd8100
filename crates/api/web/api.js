// Requests and the event socket. Failures arrive as `Problem`s whose text may be shown to people.

import { t } from "./messages.js";

export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? t("The server cannot be reached."));
    this.status = status;
    this.code = body?.code ?? "unreachable";
    this.errors = body?.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

let csrf = "";
let signedOut = () => {};
export const setCsrf = (token) => (csrf = token ?? "");
export const onSignedOut = (f) => (signedOut = f);

/** Sends a request; gives the body (with its tag as `etag` when the server told one). */
export async function call(method, path, body, headers = {}) {
  const init = { method, headers: { accept: "application/json", ...headers }, credentials: "same-origin" };
  if (method !== "GET") init.headers["x-csrf-token"] = csrf;
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new Problem(0, null);
  }
  const json = (response.headers.get("content-type") ?? "").includes("json");
  const answer = json ? await response.json().catch(() => null) : null;
  if (!response.ok) {
    const problem = new Problem(response.status, answer, Number(response.headers.get("retry-after")) || 0);
    if (response.status === 401 && path !== "/v1/sessions") signedOut();
    throw problem;
  }
  return answer;
}

export const get = (path) => call("GET", path);
/** A POST that may be repeated by accident without being done twice. */
export const post = (path, body = {}) => call("POST", path, body, { "idempotency-key": crypto.randomUUID?.() ?? String(Math.random()) });
export const put = (path, body) => call("PUT", path, body);

/** All pages of a list (at most 2,000 rows; more is not for a page to show). */
export async function all(path) {
  const items = [];
  let cursor = "";
  do {
    const page = await get(`${path}?limit=500${cursor}`);
    items.push(...page.items);
    cursor = page.next ? `&cursor=${encodeURIComponent(page.next)}` : "";
  } while (cursor && items.length < 2000);
  return items;
}

/**
 * The event socket: reconnects with back-off and resumes after the last event it saw.
 * `on.event(event)`, `on.health("connected" | "connecting" | "offline", detail)`.
 */
export class Events {
  constructor(on) {
    this.on = on;
    this.cursor = null;
    this.attempt = 0;
    this.closed = false;
    addEventListener("online", () => this.again(0));
    addEventListener("offline", () => this.socket?.close());
  }
  start(cursor) {
    this.cursor = cursor;
    this.closed = false;
    this.open();
  }
  stop() {
    this.closed = true;
    clearTimeout(this.timer);
    clearInterval(this.beat);
    this.socket?.close(1000);
  }
  open() {
    clearTimeout(this.timer);
    this.on.health("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const resume = this.cursor === null ? "" : `?cursor=${this.cursor}`;
    const socket = new WebSocket(`${scheme}://${location.host}/v1/events${resume}`);
    this.socket = socket;
    socket.onmessage = ({ data }) => socket === this.socket && this.take(JSON.parse(data));
    socket.onclose = ({ code }) => {
      if (socket !== this.socket) return;
      clearInterval(this.beat);
      if (this.closed) return;
      if (code === 4401) return signedOut();
      this.on.health(navigator.onLine ? "connecting" : "offline");
      this.again(Math.min(10_000, 250 * 2 ** this.attempt++) * (0.7 + 0.6 * Math.random()));
    };
  }
  again(delay) {
    if (this.closed || this.socket?.readyState === WebSocket.OPEN) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      // An expired sign-in shows as a failed socket only; a request tells the two apart.
      if (this.attempt % 4 === 3) get("/v1/sessions/current").catch(() => {});
      this.open();
    }, delay);
  }
  take(frame) {
    if (frame.cursor) this.cursor = frame.cursor;
    if (frame.control === "hello") {
      this.attempt = 0;
      clearInterval(this.beat);
      this.beat = setInterval(() => this.heartbeat(), frame.heartbeat_ms);
      this.on.health("connected", null, true);
      this.heartbeat();
    } else if (frame.control === "heartbeat") {
      this.on.health("connected", performance.now() - this.sent);
    } else this.on.event(frame);
  }
  heartbeat() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.sent = performance.now();
    this.socket.send('{"control":"heartbeat"}');
  }
}
