// Tones: made for fake microphones, measured in what is heard.

import { writeFileSync } from "node:fs";

/** A mono 16 bit WAV of one tone, for `--use-file-for-fake-audio-capture`. */
export function writeTone(path: string, hz: number, seconds = 2, rate = 48_000): void {
  const count = rate * seconds;
  const data = Buffer.alloc(44 + count * 2);
  data.write("RIFF", 0);
  data.writeUInt32LE(36 + count * 2, 4);
  data.write("WAVEfmt ", 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(rate * 2, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36);
  data.writeUInt32LE(count * 2, 40);
  for (let i = 0; i < count; i++) data.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * hz * i) / rate)), 44 + i * 2);
  writeFileSync(path, data);
}

/** Samples (-1 to 1) of one channel of a WAV, also one that is still being written. */
export function wavSamples(file: Buffer, channel = 0): { samples: Float32Array; rate: number; channels: number } {
  const channels = file.readUInt16LE(22);
  const rate = file.readUInt32LE(24);
  const at = file.indexOf("data") + 8;
  const frames = Math.max(0, Math.floor((file.length - at) / (2 * channels)));
  const samples = new Float32Array(frames);
  for (let i = 0; i < frames; i++) samples[i] = file.readInt16LE(at + (i * channels + channel) * 2) / 32_768;
  return { samples, rate, channels };
}

/** Level in dB of what is at `hz`. */
export function toneLevel(samples: Float32Array, rate: number, hz: number): number {
  const k = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let [a, b] = [0, 0];
  for (const x of samples) [a, b] = [x + k * a - b, a];
  return 10 * Math.log10((a * a + b * b - k * a * b) / (samples.length * samples.length) + 1e-12);
}

/** Share (0 to 1) of the energy that is at `hz` (Goertzel); 0 for silence. */
export function toneShare(samples: Float32Array, rate: number, hz: number): number {
  const k = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let [a, b, energy] = [0, 0, 0];
  for (const x of samples) {
    energy += x * x;
    [a, b] = [x + k * a - b, a];
  }
  const mean = energy / samples.length;
  if (mean < 1e-6) return 0;
  const power = (a * a + b * b - k * a * b) / (samples.length * samples.length);
  return Math.min(1, (2 * power) / mean);
}
