// The browser as the agent's phone: this tab attaches as the device, legs ring here, and the media
// is plain RTCPeerConnection. The signalling is docs/webrtc.md; what the call is about stays with REST.

import { useSyncExternalStore } from "react";
import { currentDevices, lookAtPermission, microphone } from "./devices";
import { Emitter } from "./emitter";
import type { Address, RingCard } from "./live-types";
import { serverNow } from "./live";
import { session } from "./session";
import { socket, type MediaFrame } from "./socket";
import { Stage, type Party } from "../seats/stage";

/** `off`: the desk phone is the device. `elsewhere`: another tab is. `unavailable`: no server side or no microphone. */
export type SoftphoneState = "off" | "starting" | "on" | "elsewhere" | "unavailable";

interface WireLeg {
  leg: string;
  interaction: string;
  state: "ringing" | "calling" | "connected";
  direction: "inbound" | "outbound";
  from: string | Address;
  from_name?: string | null;
  auto_answer?: boolean;
  offer?: string | null;
  card?: RingCard | null;
}

export interface SoftLeg extends WireLeg {
  media: "none" | "connecting" | "connected" | "disconnected";
  pc: RTCPeerConnection | null;
  remote: MediaStream | null;
  /** This side's camera, while it is on. */
  camera: MediaStream | null;
  /** The far side's picture, while there is one. */
  picture: MediaStream | null;
  /** Those who are heard, and from where. */
  stage: Stage | null;
  since: number;
}

interface Softphone {
  state: SoftphoneState;
  /** Why it is unavailable: a code of docs/webrtc.md or of the microphone. */
  why: string;
  legs: SoftLeg[];
  /** Round trip and loss of the media, of the newest report. */
  quality: { rttMs: number | null; lossPct: number | null } | null;
  muted: boolean;
}

const STORED = "softphone";
const REPLY_MS_MAX = 10_000;
const STATS_MS = 2_000;
const RESTART_MS = 2_000;

let phone: Softphone = { state: "off", why: "", legs: [], quality: null, muted: false };
const changed = new Emitter();
let iceServers: RTCIceServer[] = [];
let local: MediaStream | null = null;
let refs = 0;
const waiting = new Map<string, (frame: MediaFrame) => void>();
/** The slept tab lost its place; told once. */
export const lostPlace = new Emitter();
/** A leg rings that no offer announces: a colleague, a consultation. */
export const rings = new Emitter<SoftLeg>();

function set(part: Partial<Softphone>): void {
  phone = { ...phone, ...part };
  changed.emit();
}
function setLeg(leg: string, part: Partial<SoftLeg>): void {
  set({ legs: phone.legs.map((l) => (l.leg === leg ? { ...l, ...part } : l)) });
}

export const useSoftphone = (): Softphone => useSyncExternalStore(changed.on, () => phone);
export const softphone = (): Softphone => phone;
export const softphoneChanged = changed.on;
export const softphoneWanted = (): boolean => localStorage.getItem(STORED) !== "off";

class Refused extends Error {
  constructor(readonly code: string, detail: string) {
    super(detail || code);
  }
}

function ask(frame: MediaFrame): Promise<MediaFrame> {
  const ref = String(++refs);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      waiting.delete(ref);
      reject(new Refused("timeout", "The server did not answer."));
    }, REPLY_MS_MAX);
    waiting.set(ref, (reply) => {
      clearTimeout(late);
      if (reply.media === "error") reject(new Refused(String(reply.code), String(reply.detail ?? "")));
      else resolve(reply);
    });
    if (!socket.send({ ...frame, ref })) {
      clearTimeout(late);
      waiting.delete(ref);
      reject(new Refused("offline", "The server does not answer."));
    }
  });
}

/* Being the device */

/** Makes this tab the agent's phone. Asks for the microphone when it has not been given yet. */
let beginning: Promise<void> | null = null;

export function startSoftphone(): Promise<void> {
  // Whoever asks while it begins gets the same beginning: two would take the tab from each other.
  beginning ??= begin().finally(() => (beginning = null));
  return beginning;
}

async function begin(): Promise<void> {
  localStorage.setItem(STORED, "on");
  set({ state: "starting", why: "" });
  try {
    await openMicrophone();
    await attach();
  } catch (error) {
    if (!(error instanceof Refused)) detach();
    set({ state: "unavailable", why: error instanceof Refused ? error.code : currentDevices().state });
  }
}

/** The desk phone rings again; calls of this tab go on here. */
export function stopSoftphone(): void {
  localStorage.setItem(STORED, "off");
  detach();
  closeMicrophone();
  set({ state: "off", why: "" });
}

function detach(): void {
  socket.send({ media: "detach" });
}

async function attach(): Promise<void> {
  // A tab that begins has lost nothing.
  const before = phone.state === "on";
  const carried = phone.legs.filter((l) => l.pc).map((l) => l.leg);
  const reply = await ask({ media: "attach", legs: carried });
  iceServers = (reply.ice_servers as RTCIceServer[] | undefined) ?? [];
  if (reply.lost && before) lostPlace.emit();
  set({ state: "on", why: "" });
  const legs = (reply.legs as WireLeg[] | undefined) ?? [];
  for (const leg of legs) {
    const known = phone.legs.find((l) => l.leg === leg.leg);
    if (!known) await adopt(leg);
    // The network that took the socket took the sound as well, and nobody could be told.
    else if (known.pc && known.media === "disconnected") await freshIce(known.leg, known.pc).catch(() => {});
  }
  // What ended while the socket was away.
  for (const leg of carried) if (!legs.some((l) => l.leg === leg)) drop(leg);
}

/** A call of this agent that lived in the tab before a reload. */
async function adopt(leg: WireLeg): Promise<void> {
  hear(leg);
  if (leg.state !== "ringing") await again(leg.leg);
}

/** The leg goes on with a new peer connection. */
async function again(leg: string): Promise<void> {
  const sdp = await peer(leg);
  await ask({ media: "offer", leg, sdp, peer: "new" });
}

/** After signing in: attach when the microphone was given before, else wait to be asked. */
export async function resumeSoftphone(): Promise<void> {
  if (!softphoneWanted() || !session()?.agent) return;
  if ((await lookAtPermission()) === "granted") await startSoftphone();
  else if (currentDevices().state === "denied") set({ state: "unavailable", why: "denied" });
}

export function forgetSoftphone(): void {
  for (const leg of phone.legs) {
    leg.pc?.close();
    leg.stage?.close();
  }
  closeMicrophone();
  set({ state: "off", why: "", legs: [], quality: null });
}

socket.open.on(() => {
  if (phone.state === "on" || phone.state === "elsewhere") void attach().catch(() => {});
});

/* The microphone */

async function openMicrophone(): Promise<MediaStream> {
  if (local?.getAudioTracks().some((x) => x.readyState === "live")) return local;
  local = await microphone();
  const track = local.getAudioTracks()[0];
  if (track) {
    track.enabled = !phone.muted;
    track.onended = () => void openMicrophone().then(replaceTracks).catch(() => {});
  }
  return local;
}

function closeMicrophone(): void {
  if (phone.legs.length) return;
  local?.getTracks().forEach((x) => x.stop());
  local = null;
}

export const localStream = (): MediaStream | null => local;

async function replaceTracks(): Promise<void> {
  const track = local?.getAudioTracks()[0] ?? null;
  for (const leg of phone.legs) {
    for (const sender of leg.pc?.getSenders() ?? []) if (sender.track?.kind !== "video") await sender.replaceTrack(track);
  }
}

/** Another microphone was chosen: running calls take it at once. */
export async function changeMicrophone(): Promise<void> {
  if (!local) return;
  const old = local;
  local = null;
  await openMicrophone();
  await replaceTracks();
  old.getTracks().forEach((x) => x.stop());
}

/* Legs */

function hear(leg: WireLeg): SoftLeg {
  const found = phone.legs.find((l) => l.leg === leg.leg);
  if (found) return found;
  const made: SoftLeg = { ...leg, media: "none", pc: null, remote: null, camera: null, picture: null, stage: null, since: serverNow() };
  set({ legs: [...phone.legs, made] });
  return made;
}

/** A peer connection for the leg and this browser's offer. */
async function peer(leg: string): Promise<string> {
  const stream = await openMicrophone();
  const before = phone.legs.find((l) => l.leg === leg);
  before?.pc?.close();
  const pc = new RTCPeerConnection({ iceServers });
  for (const track of stream.getAudioTracks()) pc.addTrack(track, stream);
  for (const track of before?.camera?.getTracks() ?? []) pc.addTrack(track, stream);
  follow(leg, pc);
  await pc.setLocalDescription();
  return pc.localDescription?.sdp ?? "";
}

/** What comes by a leg's peer connection, and how it fares. */
function follow(leg: string, pc: RTCPeerConnection): void {
  phone.legs.find((l) => l.leg === leg)?.stage?.close();
  const stage = new Stage();
  pc.ontrack = (event) => {
    const stream = new MediaStream([event.track]);
    if (event.track.kind === "video") setLeg(leg, { picture: stream });
    else if (event.transceiver === pc.getTransceivers()[0]) setLeg(leg, { remote: stream });
    else stage.line(event.transceiver.mid ?? "", stream);
  };
  pc.onconnectionstatechange = () => {
    if (pc.connectionState === "connected") {
      setLeg(leg, { media: "connected" });
      // Of several, each voice alone: the seats are this page's.
      void ask({ media: "seats", leg, tracks: true }).catch(() => {});
    }
    if (pc.connectionState === "disconnected" || pc.connectionState === "failed") restartIce(leg, pc);
  };
  setLeg(leg, { pc, stage, media: "connecting" });
}

/** Makes room for that many more voices alone. */
async function addLines(leg: string, count: number): Promise<void> {
  const pc = phone.legs.find((l) => l.leg === leg)?.pc;
  if (!pc) return;
  if (pc.signalingState !== "stable") {
    pc.addEventListener("signalingstatechange", () => void addLines(leg, count).catch(() => {}), { once: true });
    return;
  }
  for (let n = 0; n < count; n++) pc.addTransceiver("audio", { direction: "recvonly" });
  await pc.setLocalDescription();
  await ask({ media: "offer", leg, sdp: pc.localDescription?.sdp });
}

/* Pictures. Who asks whom for them is the contact's matter (docs/context-to-call.md); here is the camera. */

/** A camera's picture is not larger than what a call's window shows. */
const PICTURE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { max: 30 } };
const filming = new Set<string>();

/** Turns the camera on in a call; without one, the other side's picture is taken all the same. */
export async function startVideo(leg: string): Promise<void> {
  const pc = phone.legs.find((l) => l.leg === leg)?.pc;
  if (!pc || filming.has(leg) || pc.getSenders().some((x) => x.track?.kind === "video")) return;
  filming.add(leg);
  try {
    const camera = await navigator.mediaDevices.getUserMedia({ video: PICTURE }).catch(() => null);
    const track = camera?.getVideoTracks()[0];
    if (phone.legs.find((l) => l.leg === leg)?.pc !== pc) return track?.stop();
    const asleep = pc.getTransceivers().find((x) => x.receiver.track.kind === "video" && !x.sender.track);
    if (asleep) {
      asleep.direction = track ? "sendrecv" : "recvonly";
      await asleep.sender.replaceTrack(track ?? null);
    } else if (track && local) pc.addTrack(track, local);
    else pc.addTransceiver("video", { direction: "recvonly" });
    setLeg(leg, { camera });
    await reoffer(leg, pc);
  } finally {
    filming.delete(leg);
  }
}

export async function stopVideo(leg: string): Promise<void> {
  const found = phone.legs.find((l) => l.leg === leg);
  if (!found?.pc || !found.pc.getTransceivers().some((x) => x.receiver.track.kind === "video" && x.direction !== "inactive")) return;
  found.camera?.getTracks().forEach((x) => x.stop());
  for (const line of found.pc.getTransceivers()) {
    if (line.receiver.track.kind !== "video") continue;
    await line.sender.replaceTrack(null);
    line.direction = "inactive";
  }
  setLeg(leg, { camera: null, picture: null });
  await reoffer(leg, found.pc);
}

async function reoffer(leg: string, pc: RTCPeerConnection): Promise<void> {
  if (pc.signalingState !== "stable") {
    pc.addEventListener("signalingstatechange", () => void reoffer(leg, pc).catch(() => {}), { once: true });
    return;
  }
  await pc.setLocalDescription();
  await ask({ media: "offer", leg, sdp: pc.localDescription?.sdp });
}

/** The network changed: the same leg goes on from the new address. */
function restartIce(leg: string, pc: RTCPeerConnection): void {
  setLeg(leg, { media: "disconnected" });
  const again = async () => {
    const now = phone.legs.find((l) => l.leg === leg);
    if (now?.pc !== pc || now.media !== "disconnected") return;
    // The next state change, or the socket's return, tries again.
    await freshIce(leg, pc).catch(() => {});
  };
  setTimeout(() => void again(), RESTART_MS);
}

async function freshIce(leg: string, pc: RTCPeerConnection): Promise<void> {
  await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
  await ask({ media: "offer", leg, sdp: pc.localDescription?.sdp });
}

const accepting = new Set<string>();

/** Takes a ringing leg. */
export async function answerLeg(leg: string): Promise<void> {
  if (accepting.has(leg)) return;
  accepting.add(leg);
  try {
    const sdp = await peer(leg);
    await ask({ media: "accept", leg, sdp });
    setLeg(leg, { state: "connected" });
  } finally {
    accepting.delete(leg);
  }
}

export const rejectLeg = (leg: string): Promise<MediaFrame> => ask({ media: "reject", leg });
export const hangUpLeg = (leg: string): Promise<MediaFrame> => ask({ media: "hangup", leg });
export const sendDigits = (leg: string, digits: string): Promise<MediaFrame> => ask({ media: "digits", leg, digits });

/** Dials from this browser. */
export async function dial(to: string | object): Promise<void> {
  const stream = await openMicrophone();
  const pc = new RTCPeerConnection({ iceServers });
  for (const track of stream.getAudioTracks()) pc.addTrack(track, stream);
  await pc.setLocalDescription();
  const reply = await ask({ media: "call", to, sdp: pc.localDescription?.sdp });
  const leg = String(reply.leg);
  hear({ leg, interaction: String(reply.interaction), state: "calling", direction: "outbound", from: "" });
  follow(leg, pc);
}

/** Mutes at the microphone itself, at once, whatever the network does. */
export function setMuted(muted: boolean): void {
  for (const track of local?.getAudioTracks() ?? []) track.enabled = !muted;
  set({ muted });
}

/* What the server says */

const heard: Record<string, (frame: MediaFrame) => void> = {
  ring: (frame) => {
    const leg = hear(frame.leg as unknown as WireLeg);
    if (leg.auto_answer) void answerLeg(leg.leg).catch(() => {});
    else rings.emit(leg);
  },
  card: (frame) => setLeg(String(frame.leg), { card: frame.card as unknown as RingCard }),
  auto_answer: (frame) => void answerLeg(String(frame.leg)).catch(() => {}),
  answer: (frame) => void describe(String(frame.leg), "answer", String(frame.sdp)),
  offer: (frame) => void describe(String(frame.leg), "offer", String(frame.sdp)),
  answered: (frame) => setLeg(String(frame.leg), { state: "connected", since: serverNow() }),
  connection: (frame) => setLeg(String(frame.leg), { media: frame.state === "connected" ? "connected" : "disconnected" }),
  tracks: (frame) => {
    const leg = String(frame.leg);
    phone.legs.find((l) => l.leg === leg)?.stage?.hear(frame.tracks as Party[]);
    const lacking = Number(frame.lacking);
    if (lacking > 0) void addLines(leg, lacking).catch(() => {});
  },
  speaking: (frame) => phone.legs.find((l) => l.leg === frame.leg)?.stage?.speaks(frame.parties as string[]),
  // The call goes on at another worker of the server.
  reconnect: (frame) => void again(String(frame.leg)).catch(() => setLeg(String(frame.leg), { media: "disconnected" })),
  replaced: () => set({ state: "elsewhere" }),
  ended: (frame) => drop(String(frame.leg)),
};

/** The leg is over. */
function drop(leg: string): void {
  const over = phone.legs.find((l) => l.leg === leg);
  over?.pc?.close();
  over?.stage?.close();
  over?.camera?.getTracks().forEach((x) => x.stop());
  set({ legs: phone.legs.filter((l) => l.leg !== leg), quality: null });
  if (!phone.legs.length && phone.muted) setMuted(false);
}

socket.media.on((frame) => {
  const reply = frame.ref ? waiting.get(frame.ref) : undefined;
  if (reply && frame.ref) {
    waiting.delete(frame.ref);
    reply(frame);
  }
  heard[frame.media]?.(frame);
});

async function describe(leg: string, type: "answer" | "offer", sdp: string): Promise<void> {
  // `calling` and `answer` follow each other so closely that the leg may not be here yet.
  for (let n = 0; n < 40 && !phone.legs.some((l) => l.leg === leg && l.pc); n++) await new Promise((go) => setTimeout(go, 25));
  const pc = phone.legs.find((l) => l.leg === leg)?.pc;
  if (!pc) return;
  try {
    await pc.setRemoteDescription({ type, sdp });
    if (type !== "offer") return;
    await pc.setLocalDescription();
    await ask({ media: "answer", leg, sdp: pc.localDescription?.sdp });
  } catch {
    setLeg(leg, { media: "disconnected" });
  }
}

/* How well it goes */

setInterval(() => void measure(), STATS_MS);

let before = { lost: 0, received: 0 };
async function measure(): Promise<void> {
  const pc = phone.legs.find((l) => l.state === "connected" && l.pc)?.pc;
  if (!pc) return;
  let rttMs: number | null = null;
  let lossPct: number | null = null;
  (await pc.getStats()).forEach((report: Record<string, unknown> & { type: string }) => {
    if (report.type === "candidate-pair" && report.nominated && typeof report.currentRoundTripTime === "number") rttMs = Math.round(report.currentRoundTripTime * 1000);
    if (report.type === "inbound-rtp" && report.kind === "audio") {
      const [lost, received] = [Number(report.packetsLost ?? 0), Number(report.packetsReceived ?? 0)];
      const all = lost - before.lost + (received - before.received);
      lossPct = all > 0 ? Math.max(0, Math.round(((lost - before.lost) / all) * 1000) / 10) : null;
      before = { lost, received };
    }
  });
  set({ quality: { rttMs, lossPct } });
}
