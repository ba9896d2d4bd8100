// The sound of an offer, made here (no file to load), and the system's notification when the page
// is not looked at.

let context: AudioContext | null = null;
let timer: ReturnType<typeof setInterval> | undefined;
let shown: Notification | null = null;

const EVERY_MS = 3_000;
const STORED_VOLUME = "ring-volume";

export const ringVolume = (): number => Number(localStorage.getItem(STORED_VOLUME) ?? "0.6");
export const setRingVolume = (volume: number): void => localStorage.setItem(STORED_VOLUME, String(volume));

/** Two soft notes. */
export function chime(sink?: string): void {
  const volume = ringVolume();
  if (volume <= 0) return;
  context ??= new AudioContext();
  void context.resume();
  if (sink !== undefined && "setSinkId" in context) void (context as AudioContext & { setSinkId(id: string): Promise<void> }).setSinkId(sink).catch(() => {});
  const now = context.currentTime;
  [0, 0.25, 0.9, 1.15].forEach((at, n) => {
    if (!context) return;
    const note = context.createOscillator();
    const gain = context.createGain();
    note.frequency.value = n % 2 ? 784 : 659;
    gain.gain.setValueAtTime(0, now + at);
    gain.gain.linearRampToValueAtTime(0.25 * volume, now + at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, now + at + 0.5);
    note.connect(gain).connect(context.destination);
    note.start(now + at);
    note.stop(now + at + 0.6);
  });
}

export function ring(title: string, body: string, sink?: string): void {
  stopRinging();
  chime(sink);
  timer = setInterval(() => chime(sink), EVERY_MS);
  if (document.visibilityState === "hidden" || !document.hasFocus()) {
    if ("Notification" in window && Notification.permission === "granted") {
      shown = new Notification(title, { body, tag: "crosspoint-offer", requireInteraction: true, icon: "/icon.svg" });
      shown.onclick = () => {
        window.focus();
        shown?.close();
      };
    }
  }
}

export function stopRinging(): void {
  clearInterval(timer);
  timer = undefined;
  shown?.close();
  shown = null;
}

export const mayNotify = (): NotificationPermission | "unsupported" => ("Notification" in window ? Notification.permission : "unsupported");
