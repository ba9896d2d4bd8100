// Each voice from its place: a panner with the ear's own filters (HRTF) for every track. The listener
// looks ahead and never turns: places belong to the session, whatever a head or headset does.

import { ACOUSTICS, type Category, type Place } from "./geometry";

/** A voice that moves glides there in this time. */
const GLIDE_S = 0.12;
/** Seconds of silence kept of a reverberation at most. */
const DECAY_S_MAX = 2;

interface Voice {
  source: AudioNode;
  gain: GainNode;
  panner: PannerNode;
}

export class Spatial {
  private readonly voices = new Map<string, Voice>();
  private readonly dry: GainNode;
  private readonly wet: GainNode;
  private readonly room: ConvolverNode;

  constructor(private readonly context: BaseAudioContext) {
    this.dry = new GainNode(context);
    this.wet = new GainNode(context, { gain: 0 });
    this.room = new ConvolverNode(context, { disableNormalization: false });
    this.dry.connect(context.destination);
    this.room.connect(this.wet).connect(context.destination);
    this.acoustics("speech");
  }

  /** A track of its own per person, as a stream or as any node. */
  add(who: string, from: MediaStream | AudioNode): void {
    this.remove(who);
    const source = from instanceof MediaStream ? (this.context as AudioContext).createMediaStreamSource(from) : from;
    const gain = new GainNode(this.context, { gain: 0 });
    const panner = new PannerNode(this.context, {
      panningModel: "HRTF",
      // Loudness is the room's decision: the panner gives direction alone.
      distanceModel: "linear",
      rolloffFactor: 0,
    });
    source.connect(gain).connect(panner);
    panner.connect(this.dry);
    panner.connect(this.room);
    this.voices.set(who, { source, gain, panner });
  }

  remove(who: string): void {
    const voice = this.voices.get(who);
    if (!voice) return;
    voice.source.disconnect(voice.gain);
    voice.panner.disconnect();
    this.voices.delete(who);
  }

  place(who: string, at: Place, now = this.context.currentTime): void {
    const voice = this.voices.get(who);
    if (!voice) return;
    const azimuth = (at.azimuthDeg * Math.PI) / 180;
    const glide = (parameter: AudioParam, value: number) => parameter.setTargetAtTime(value, now, GLIDE_S / 3);
    glide(voice.panner.positionX, Math.sin(azimuth) * at.distance);
    glide(voice.panner.positionZ, -Math.cos(azimuth) * at.distance);
    glide(voice.gain.gain, 10 ** (at.gainDb / 20));
  }

  /** The room for what is talked about. */
  acoustics(category: Category): void {
    const { wet, decayS } = ACOUSTICS[category];
    this.wet.gain.value = wet;
    const length = Math.max(1, Math.round(Math.min(decayS, DECAY_S_MAX) * this.context.sampleRate));
    const impulse = this.context.createBuffer(2, length, this.context.sampleRate);
    for (let channel = 0; channel < 2; channel++) {
      const data = impulse.getChannelData(channel);
      // The same noise each time: a room does not change with every call.
      let seed = channel + 1;
      for (let i = 0; i < length; i++) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        data[i] = (seed / 2 ** 31 - 1) * Math.exp((-6.9 * i) / length);
      }
    }
    this.room.buffer = impulse;
  }
}
