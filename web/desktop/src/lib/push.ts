// Calls while no tab is open: this browser's subscription, and what the service worker says.

import { api, answer as whole, type Schemas } from "./api";
import { t } from "./i18n";
import { socket } from "./socket";
import { answerLeg, rings, softphone, softphoneChanged, startSoftphone } from "./softphone";
import { notify, problemText } from "./tell";

const WORKER = "/sw.js";
/** How long a call that is to be answered may take to ring here. */
const RING_MS_MAX = 15_000;

export type Subscription = Schemas["PushSubscription"];
/** `blocked`: by the person, in the browser's settings. */
export type PushState = "unsupported" | "blocked" | "off" | "on";

export const pushSupported = (): boolean => "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

/** The worker, registered where it is not yet. */
async function worker(): Promise<ServiceWorkerRegistration> {
  await navigator.serviceWorker.register(WORKER, { scope: "/" });
  return navigator.serviceWorker.ready;
}

export async function pushState(): Promise<PushState> {
  if (!pushSupported()) return "unsupported";
  if (Notification.permission === "denied") return "blocked";
  const registered = await navigator.serviceWorker.getRegistration("/");
  return (await registered?.pushManager.getSubscription()) ? "on" : "off";
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (c) => c.charCodeAt(0));
};

/** What a person would call this browser. */
function label(): string {
  const brand = /Edg\//.test(navigator.userAgent) ? "Edge" : /Firefox\//.test(navigator.userAgent) ? "Firefox" : /Chrome\//.test(navigator.userAgent) ? "Chrome" : /Safari\//.test(navigator.userAgent) ? "Safari" : "Browser";
  const system = /Android|iPhone|iPad|Windows|Mac|Linux/.exec(navigator.userAgent)?.[0] ?? "";
  return [brand, system].filter(Boolean).join(" · ");
}

/** Lets this browser ring when no tab is open. Must be called from a click. */
export async function turnOnPush(): Promise<PushState> {
  if ((await Notification.requestPermission()) !== "granted") return pushState();
  const { public_key } = await whole(api.GET("/v1/push-key"));
  const { pushManager } = await worker();
  const options = { userVisibleOnly: true, applicationServerKey: bytesOf(public_key) };
  // One made for another server's key is of no use here.
  const made = await pushManager.subscribe(options).catch(async () => {
    await (await pushManager.getSubscription())?.unsubscribe();
    return pushManager.subscribe(options);
  });
  const { endpoint, keys } = made.toJSON();
  await api.POST("/v1/push-subscriptions", { body: { endpoint: endpoint ?? "", keys: { p256dh: keys?.p256dh ?? "", auth: keys?.auth ?? "" }, label: label() } });
  return "on";
}

/** Forgets the subscription of a browser; this one's own is ended too when nothing else is left. */
export async function removePush(id: string, own: boolean): Promise<void> {
  await api.DELETE("/v1/push-subscriptions/{id}", { params: { path: { id } } });
  if (!own) return;
  const registered = await navigator.serviceWorker.getRegistration("/");
  await (await registered?.pushManager.getSubscription())?.unsubscribe();
}

/* Answering */

let wanted = "";
let over: ReturnType<typeof setTimeout> | undefined;

function take(): void {
  const leg = softphone().legs.find((l) => l.leg === wanted && l.state === "ringing");
  if (!leg) return;
  wanted = "";
  clearTimeout(over);
  void answerLeg(leg.leg).catch((error: unknown) => notify(problemText(error), "bad"));
}

/** A page that was just opened has no connection yet. */
function online(): Promise<void> {
  if (socket.connected) return Promise.resolve();
  return new Promise((go) => {
    const over = socket.open.on(() => {
      over();
      go();
    });
  });
}

/** Takes the leg as soon as it rings in this tab. */
export function answerWhenItRings(leg: string): void {
  wanted = leg;
  clearTimeout(over);
  over = setTimeout(() => {
    if (wanted !== leg) return;
    wanted = "";
    notify(t("This call is over, or was answered elsewhere."), "bad");
  }, RING_MS_MAX);
  // Who touched the notification wants to speak here, whatever the device was before.
  void online().then(() => (softphone().state === "on" ? undefined : startSoftphone()));
  take();
}

rings.on(take);
softphoneChanged(take);
if ("serviceWorker" in navigator)
  navigator.serviceWorker.addEventListener("message", (event: MessageEvent<{ answer?: unknown } | null>) => {
    const leg = event.data?.answer;
    if (typeof leg === "string") answerWhenItRings(leg);
  });
