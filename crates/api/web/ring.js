// An offer makes itself heard and seen: two soft tones, a system notification, the title.

import { t } from "./messages.js";

let context = null;
let ringing = null;
let note = null;

/** Sound may start only after the reader did something on the page. */
export function prepare() {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
}
export const soundReady = () => context?.state === "running";
addEventListener("pointerdown", prepare, { once: true });
addEventListener("keydown", prepare, { once: true });

function tone(frequency, from, length) {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.frequency.value = frequency;
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime(0.12, from + 0.03);
  gain.gain.exponentialRampToValueAtTime(0.001, from + length);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(from);
  oscillator.stop(from + length);
}

function chime() {
  if (!soundReady()) return;
  tone(660, context.currentTime, 0.35);
  tone(880, context.currentTime + 0.22, 0.5);
}

export function start(text) {
  if (ringing) return;
  chime();
  ringing = setInterval(chime, 2000);
  document.title = `● ${t("Incoming")} – Crosspoint`;
  if (globalThis.Notification?.permission === "granted" && document.hidden) {
    note = new Notification(t("Incoming call"), { body: text, tag: "offer", icon: "/assets/icon.svg" });
    note.onclick = () => focus();
  }
}

export function stop() {
  clearInterval(ringing);
  ringing = null;
  note?.close();
  note = null;
  document.title = "Crosspoint";
}

export const notifications = () => globalThis.Notification?.permission ?? "denied";
export const askNotifications = () => globalThis.Notification?.requestPermission();
