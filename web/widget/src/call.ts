import type { PageContext } from "./context";

/** What a call tells the page it is in. */
export interface CallEvents {
  state(state: "connecting" | "ringing" | "connected" | "reconnecting" | "ended", reason?: string): void;
  remote(stream: MediaStream): void;
  local(stream: MediaStream): void;
}

const HEARTBEAT_MS = 5_000;
/** The server answers each heartbeat: so long without a word, and the socket counts as dead. */
const SILENCE_MS_MAX = 12_000;
/** The same once the sound has stopped. */
const ANSWER_MS_MAX = 2_000;
/** The server keeps a leg this long for a page that lost its socket. */
const RESUME_MS_MAX = 10_000;

/** Why no microphone can be used. */
export type NoMicrophone = "denied" | "missing" | "insecure";

export async function microphone(video: boolean): Promise<MediaStream | NoMicrophone> {
  if (!navigator.mediaDevices?.getUserMedia) return "insecure";
  const audio = { echoCancellation: true, noiseSuppression: true };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio, video });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    // Without a camera the call goes on as far as it can.
    if (video && name !== "NotAllowedError") return microphone(false);
    return name === "NotAllowedError" || name === "SecurityError" ? "denied" : "missing";
  }
}

/** One call of a customer: the socket and the peer connection of docs/webrtc.md. */
export class Call {
  private socket?: WebSocket;
  private peer?: RTCPeerConnection;
  private leg?: string;
  private resume?: string;
  private over = false;
  private beat?: ReturnType<typeof setInterval>;
  private lostAt = 0;
  private heardAt = 0;
  /** The call stands, its sound does not: another way is looked for. */
  private searching = false;

  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly stream: MediaStream,
    private readonly context: PageContext & { contact: string },
    private readonly name: string,
    private readonly events: CallEvents,
  ) {}

  start(): void {
    this.events.state("connecting");
    this.events.local(this.stream);
    this.connect(`token=${encodeURIComponent(this.token)}`);
  }

  private connect(query: string): void {
    const socket = new WebSocket(`${this.url}?${query}`);
    this.socket = socket;
    socket.onmessage = (event) => {
      this.heardAt = Date.now();
      let message: Record<string, unknown>;
      try {
        message = JSON.parse(String(event.data)) as Record<string, unknown>;
      } catch {
        return;
      }
      void this.heard(message);
    };
    socket.onclose = (event) => this.closed(event.code);
    clearInterval(this.beat);
    this.heardAt = Date.now();
    this.beat = setInterval(() => this.ask(SILENCE_MS_MAX), HEARTBEAT_MS);
  }

  /** A heartbeat; where nothing was heard for so long, another socket is tried. */
  private ask(silentMs: number): void {
    this.tell({ control: "heartbeat" });
    if (Date.now() - this.heardAt <= silentMs) return;
    const socket = this.socket;
    if (!socket || socket.readyState > WebSocket.OPEN) return;
    // A dead network tells nobody: this socket's end would not come for minutes.
    socket.onclose = socket.onmessage = null;
    socket.close();
    this.closed(0);
  }

  /** The sound has stopped: the socket may be as dead, which is known soon. */
  private suspect(): void {
    this.tell({ control: "heartbeat" });
    setTimeout(() => {
      if (!this.over && this.peer?.connectionState !== "connected") this.ask(ANSWER_MS_MAX);
    }, ANSWER_MS_MAX);
  }

  private tell(message: Record<string, unknown>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private async heard(message: Record<string, unknown>): Promise<void> {
    switch (message.media) {
      case "hello":
        return this.hello(message);
      case "calling":
        this.leg = message.leg as string;
        this.resume = message.resume as string | undefined;
        return;
      case "answer":
        if (this.peer?.signalingState === "have-local-offer")
          await this.peer.setRemoteDescription({ type: "answer", sdp: message.sdp as string });
        return;
      case "offer":
        await this.peer?.setRemoteDescription({ type: "offer", sdp: message.sdp as string });
        await this.peer?.setLocalDescription();
        return this.tell({ media: "answer", leg: this.leg, sdp: this.peer?.localDescription?.sdp });
      case "ringing":
        return this.events.state("ringing");
      case "answered":
        return this.events.state("connected");
      case "connection":
        if (message.state === "disconnected") await this.renegotiate(true);
        return;
      case "ended":
        return this.finish(message.reason as string);
      case "error":
        if (!this.leg) this.finish(message.code as string);
        return;
    }
  }

  private async hello(message: Record<string, unknown>): Promise<void> {
    const again = message.leg as string | undefined;
    this.lostAt = 0;
    // The socket alone was lost: the sound found another way by itself, or had never stopped.
    if (again && this.peer?.connectionState === "connected") {
      this.searching = false;
      return this.events.state("connected");
    }
    this.peer?.close();
    const peer = new RTCPeerConnection({ iceServers: (message.ice_servers as RTCIceServer[]) ?? [] });
    this.peer = peer;
    for (const track of this.stream.getTracks()) peer.addTrack(track, this.stream);
    const remote = new MediaStream();
    peer.ontrack = (event) => {
      for (const old of remote.getTracks()) if (old.kind === event.track.kind) remote.removeTrack(old);
      remote.addTrack(event.track);
      this.events.remote(remote);
    };
    peer.onconnectionstatechange = () => {
      if (peer !== this.peer || this.over) return;
      if (peer.connectionState === "disconnected") this.suspect();
      if (peer.connectionState === "failed") void this.renegotiate(true);
      if (peer.connectionState === "connected" && this.searching) {
        this.searching = false;
        this.events.state("connected");
      }
    };
    await peer.setLocalDescription();
    const sdp = peer.localDescription?.sdp;
    if (again) {
      this.leg = again;
      this.tell({ media: "offer", leg: again, sdp, peer: "new" });
    } else {
      this.tell({ media: "call", sdp, context: this.context, name: this.name || undefined });
    }
  }

  private async renegotiate(restart: boolean): Promise<void> {
    // One that was never answered is still on its way.
    if (!this.peer?.remoteDescription || this.over || this.peer.signalingState !== "stable") return;
    if (restart) this.lose();
    await this.peer.setLocalDescription(await this.peer.createOffer({ iceRestart: restart }));
    this.tell({ media: "offer", leg: this.leg, sdp: this.peer.localDescription?.sdp });
  }

  /** Turns the camera on, once the other side has agreed. False: there is none to be used. */
  async addVideo(): Promise<boolean> {
    try {
      const camera = await navigator.mediaDevices.getUserMedia({ video: true });
      for (const track of camera.getVideoTracks()) {
        this.stream.addTrack(track);
        this.peer?.addTrack(track, this.stream);
      }
    } catch {
      return false;
    }
    this.events.local(this.stream);
    await this.renegotiate(false);
    return true;
  }

  async dropVideo(): Promise<void> {
    for (const sender of this.peer?.getSenders() ?? []) {
      if (sender.track?.kind !== "video") continue;
      sender.track.stop();
      this.stream.removeTrack(sender.track);
      this.peer?.removeTrack(sender);
    }
    this.events.local(this.stream);
    await this.renegotiate(false);
  }

  hasVideo(): boolean {
    return this.stream.getVideoTracks().some((t) => t.readyState === "live");
  }

  mute(on: boolean): void {
    for (const track of this.stream.getAudioTracks()) track.enabled = !on;
    this.tell({ media: "mute", leg: this.leg, on });
  }

  hangUp(): void {
    this.tell({ media: "hangup", leg: this.leg });
    this.finish("hung_up");
  }

  private closed(code: number): void {
    if (this.over) return;
    const refused = code >= 4400 && code !== 4408;
    this.lostAt ||= Date.now();
    if (refused || !this.resume || Date.now() - this.lostAt > RESUME_MS_MAX) {
      return this.finish(refused ? `closed_${code}` : "dropped");
    }
    this.lose();
    const resume = this.resume;
    setTimeout(() => this.connect(`resume=${encodeURIComponent(resume)}`), 500);
  }

  /** Until the peer connection stands again. */
  private lose(): void {
    this.searching = true;
    this.events.state("reconnecting");
  }

  private finish(reason: string): void {
    if (this.over) return;
    this.over = true;
    clearInterval(this.beat);
    for (const track of this.stream.getTracks()) track.stop();
    this.peer?.close();
    this.socket?.close();
    this.events.state("ended", reason);
  }
}
