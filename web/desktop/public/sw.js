// The service worker: shows a call that comes in while no tab is looked at, answers it in a tab,
// and takes it away when it is over. Written plainly: it is not built.

/** Tags of notifications, so that what comes later finds what was shown. */
const tagOf = (ring) => `ring-${ring}`;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => event.waitUntil(heard(event)));

async function heard(event) {
  let message = {};
  try {
    message = event.data ? event.data.json() : {};
  } catch {
    // Not one of ours; browsers want something shown all the same.
  }
  if (message.kind === "ring") return rings(message);
  if (message.kind === "ring_ended") return ended(message);
}

/** Only a path of this origin: a picture from elsewhere would tell a stranger who sits here. */
const ownPath = (path) => (typeof path === "string" && /^\/(?![/\\])/.test(path) ? path : undefined);

async function rings(message) {
  const tag = tagOf(message.ring);
  const over = typeof message.until_ms === "number" && message.until_ms < Date.now();
  const before = await self.registration.getNotifications({ tag });
  // More about a call that was taken or turned away here meanwhile.
  if (message.renewed && !before.length) return;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (windows.some((w) => w.focused) && !before.length) return; // The page rings itself.
  const picture = ownPath(message.picture);
  await self.registration.showNotification(String(message.title ?? ""), {
    body: over ? "" : String(message.body ?? ""),
    icon: picture ?? "/icon.svg",
    badge: "/icon.svg",
    tag,
    renotify: !message.renewed,
    silent: Boolean(message.renewed) || over,
    requireInteraction: !over,
    dir: "auto",
    vibrate: message.renewed || over ? undefined : [300, 200, 300, 200, 300],
    actions: over ? [] : [{ action: "answer", title: "✓" }, { action: "dismiss", title: "✕" }],
    data: { ring: message.ring, url: ownPath(message.url) ?? "/app/desk", until_ms: message.until_ms },
  });
}

async function ended(message) {
  const shown = await self.registration.getNotifications({ tag: tagOf(message.ring) });
  for (const notification of shown) notification.close();
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  if (event.action === "dismiss") return;
  event.waitUntil(answer(event.notification.data ?? {}));
});

/** In a tab that is there, else in a new one. */
async function answer(data) {
  const url = ownPath(data.url) ?? "/app/desk";
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const desk = windows.find((w) => new URL(w.url).pathname.startsWith("/app") || new URL(w.url).pathname === "/");
  if (!desk) return self.clients.openWindow(url);
  desk.postMessage({ answer: data.ring });
  return desk.focus();
}
