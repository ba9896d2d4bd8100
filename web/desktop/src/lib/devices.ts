// Microphone and loudspeaker: which ones, how loud, and what to do when there is none.

import { useSyncExternalStore } from "react";
import { Emitter } from "./emitter";

export type MicrophoneState = "unknown" | "asking" | "ready" | "denied" | "missing" | "busy" | "insecure";

const STORED = { input: "device-input", output: "device-output", wanted: "softphone" } as const;

interface Devices {
  state: MicrophoneState;
  inputs: MediaDeviceInfo[];
  outputs: MediaDeviceInfo[];
  input: string;
  output: string;
}

let devices: Devices = {
  state: navigator.mediaDevices ? "unknown" : "insecure",
  inputs: [],
  outputs: [],
  input: localStorage.getItem(STORED.input) ?? "",
  output: localStorage.getItem(STORED.output) ?? "",
};
const changed = new Emitter();

function set(part: Partial<Devices>): void {
  devices = { ...devices, ...part };
  changed.emit();
}

export const useDevices = (): Devices => useSyncExternalStore(changed.on, () => devices);
export const currentDevices = (): Devices => devices;

export function chooseDevice(kind: "input" | "output", id: string): void {
  localStorage.setItem(STORED[kind], id);
  set({ [kind]: id });
}

async function list(): Promise<void> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const named = (kind: MediaDeviceKind) => all.filter((d) => d.kind === kind && d.deviceId !== "");
  set({ inputs: named("audioinput"), outputs: named("audiooutput") });
}
navigator.mediaDevices?.addEventListener("devicechange", () => void list());

function stateOf(error: unknown): MicrophoneState {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  return "busy";
}

/** The microphone, in the chosen device or any; throws when there is none to be had. */
export async function microphone(): Promise<MediaStream> {
  if (!navigator.mediaDevices) {
    set({ state: "insecure" });
    throw new DOMException("microphones need HTTPS or localhost", "SecurityError");
  }
  if (devices.state !== "ready") set({ state: "asking" });
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  try {
    let stream: MediaStream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { ...audio, ...(devices.input ? { deviceId: { exact: devices.input } } : {}) } });
    } catch (error) {
      // The chosen one was unplugged: any other is better than none.
      if (!(error instanceof DOMException && error.name === "OverconstrainedError")) throw error;
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    }
    set({ state: "ready" });
    await list();
    return stream;
  } catch (error) {
    set({ state: stateOf(error) });
    throw error;
  }
}

/** Whether the permission was given or refused already, without asking. */
export async function lookAtPermission(): Promise<PermissionState | "unknown"> {
  try {
    const status = await navigator.permissions.query({ name: "microphone" as PermissionName });
    status.onchange = () => {
      if (status.state === "denied") set({ state: "denied" });
      else if (devices.state === "denied") set({ state: "unknown" });
    };
    if (status.state === "denied") set({ state: "denied" });
    return status.state;
  } catch {
    return "unknown";
  }
}

/** Follows how loud a stream is, 0 to 1; returns the way to stop. */
export function meter(stream: MediaStream, level: (value: number) => void): () => void {
  const context = new AudioContext();
  const source = context.createMediaStreamSource(stream);
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const rms = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    // -50 dB is silence, 0 dB full.
    level(Math.max(0, Math.min(1, 1 + (20 * Math.log10(rms + 1e-6)) / 50)));
  }, 80);
  return () => {
    clearInterval(timer);
    if (context.state === "closed") return;
    source.disconnect();
    void context.close();
  };
}
