import { Api, Refused, type Contact, type Mode, type PointView } from "./api";
import { Call, microphone, type NoMicrophone } from "./call";
import { gather, markedFields, type PageContext } from "./context";
import { el, icon } from "./dom";
import { fill, language, type Language } from "./messages";
import { STYLES } from "./styles";

export interface Settings {
  origin: string;
  point: string;
  language?: string | null;
  theme?: string | null;
  /** Opened at once, for pages that are nothing but the point. */
  open?: boolean;
}

/** How often the page looks whether the other side asks for another mode. */
const STATUS_EVERY_MS = 2_000;

/** The button and the panel behind it, in a shadow root of its own. */
export class Widget {
  readonly host = document.createElement("crosspoint-widget");
  private readonly api: Api;
  private readonly words: Language;
  private readonly launch: HTMLButtonElement;
  private readonly panel: HTMLElement;
  private readonly body = el("div", { class: "ways" });
  private readonly heading = el("h2", { id: "title", tabindex: "-1" });
  private readonly live = el("div", { class: "quiet", role: "status", "aria-live": "polite" });
  private view?: PointView;
  private agreed = false;
  private name = "";
  private fields: Record<string, unknown> = {};
  private call?: Call;
  private contact?: Contact;
  private watch?: ReturnType<typeof setInterval>;
  /** Microphone (and camera) while the customer decides; given back with whatever is shown next. */
  private held?: MediaStream;
  /** What is on its way belongs to this turn; closing the panel begins another. */
  private turn = 0;

  constructor(private readonly settings: Settings) {
    this.api = new Api(settings.origin, settings.point);
    this.words = language(settings.language || document.documentElement.lang || navigator.language);
    if (settings.theme === "dark" || settings.theme === "light") this.host.dataset.theme = settings.theme;
    const root = this.host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    root.adoptedStyleSheets = [sheet];
    const text = this.words.text;
    this.launch = el("button", { class: "launch", type: "button", "aria-expanded": "false", click: () => this.open() });
    this.launch.append(icon("audio"), text.open);
    const close = el("button", { class: "close", type: "button", "aria-label": text.close, click: () => this.close() }, "✕");
    this.panel = el("section", { class: "panel", role: "dialog", "aria-labelledby": "title", hidden: true });
    this.panel.append(el("div", { class: "head" }, this.heading, close), this.body, this.live);
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    const dock = el("div", { class: "dock", lang: this.words.tag, dir: this.words.direction }, this.launch, this.panel);
    root.append(dock);
    document.body.append(this.host);
    if (settings.open) void this.open();
  }

  /** Fields of the page that come along, besides those marked in it. */
  setContext(fields: Record<string, unknown>): void {
    this.fields = { ...this.fields, ...fields };
  }

  async open(): Promise<void> {
    this.panel.hidden = false;
    this.launch.hidden = true;
    this.launch.setAttribute("aria-expanded", "true");
    if (this.call) return this.heading.focus();
    try {
      this.view = await this.api.view();
      this.choose();
    } catch (error) {
      this.refused(error, () => void this.open());
    }
  }

  close(): void {
    if (!this.call) {
      this.turn++;
      this.release();
    }
    this.launch.lastChild?.replaceWith(this.call ? this.words.text.inCall : this.words.text.open);
    this.panel.hidden = true;
    this.launch.hidden = false;
    this.launch.setAttribute("aria-expanded", "false");
    this.launch.focus();
  }

  private context(): PageContext {
    const page = { url: location.href, title: document.title, language: this.words.tag };
    return gather(page, markedFields(document), this.fields);
  }

  private release(): void {
    for (const track of this.held?.getTracks() ?? []) track.stop();
    this.held = undefined;
  }

  private show(title: string, ...children: (Node | string | false | null)[]): void {
    this.release();
    this.heading.textContent = title;
    this.body.replaceChildren(...children.filter((c): c is Node | string => Boolean(c)));
    this.heading.focus();
    this.say(title);
  }

  private say(what: string): void {
    this.live.textContent = what;
  }

  private word(mode: Mode): string {
    return this.words.text[mode];
  }

  private choose(): void {
    const text = this.words.text;
    const agree = el("input", { type: "checkbox", id: "agree", change: () => (this.agreed = agree.checked) });
    agree.checked = this.agreed;
    const name = el("input", { autocomplete: "name", maxlength: "100", input: () => (this.name = name.value) });
    name.value = this.name;
    const way = (what: Mode | "callback", go: () => void) => {
      const press = () => {
        if (!this.agreed) {
          agree.setAttribute("aria-invalid", "true");
          agree.focus();
          return this.say(text.consentFirst);
        }
        go();
      };
      const button = el("button", { class: "way", type: "button", "data-way": what, click: press });
      button.append(icon(what), text[what]);
      return button;
    };
    this.show(
      this.view?.title || text.title,
      !this.view?.open && el("p", { class: "help" }, text.closedNow),
      el("label", { class: "consent" }, agree, el("span", {}, this.view?.consent || text.consent)),
      el("label", { class: "field" }, text.name, name),
      // Every way is offered: what the business takes now is matched when it is asked for.
      way("audio", () => void this.ask("audio")),
      way("video", () => void this.ask("video")),
      way("chat", () => void this.ask("chat")),
      way("callback", () => this.askCallback()),
    );
  }

  private async ask(mode: Mode): Promise<void> {
    const turn = ++this.turn;
    this.show(this.words.text.connecting);
    if (mode !== "chat" && !(await this.listen(mode, turn))) return;
    const can: Mode[] = ["audio", "chat"];
    if (mode !== "video" || this.held?.getVideoTracks().length) can.push("video");
    try {
      const contact = await this.api.ask(mode, can, this.context(), this.name);
      if (turn !== this.turn) return;
      if (contact.state === "offered" && contact.mode) return this.offer(contact, contact.mode);
      this.begin(contact);
    } catch (error) {
      if (turn === this.turn) this.refused(error, () => void this.ask(mode));
    }
  }

  /** Takes the microphone; false when there is none, which is told, or nobody wants it any more. */
  private async listen(mode: Mode, turn: number): Promise<boolean> {
    if (this.held) return true;
    const stream = await microphone(mode === "video");
    if (turn !== this.turn) {
      if (typeof stream !== "string") for (const track of stream.getTracks()) track.stop();
      return false;
    }
    if (typeof stream === "string") {
      this.noMicrophone(stream, mode);
      return false;
    }
    this.held = stream;
    return true;
  }

  /** The business takes another mode than the wanted one. */
  private offer(contact: Contact, mode: Mode): void {
    const text = this.words.text;
    const { turn, held } = this;
    const answer = async (accept: boolean) => {
      try {
        if (accept && mode !== "chat" && !(await this.listen(mode, turn))) return;
        const answered = await this.api.answer(contact, accept);
        if (turn === this.turn) this.begin(answered);
      } catch (error) {
        if (turn === this.turn) this.refused(error, () => void this.open());
      }
    };
    this.held = undefined;
    this.show(
      text.offerTitle,
      el("p", {}, fill(text.offer, { mode: this.word(mode) })),
      el(
        "div",
        { class: "row" },
        el("button", { class: "main", type: "button", "data-do": "accept", click: () => void answer(true) }, text.accept),
        el("button", { type: "button", "data-do": "decline", click: () => void answer(false) }, text.decline),
      ),
    );
    this.held = held;
  }

  private begin(contact: Contact): void {
    const stream = this.held;
    if (contact.state !== "start" || !contact.token || contact.mode === "chat" || !stream) return this.write(contact);
    this.held = undefined;
    if (contact.mode === "audio") {
      for (const track of stream.getVideoTracks()) {
        track.stop();
        stream.removeTrack(track);
      }
    }
    this.contact = contact;
    const socket = `${this.settings.origin.replace(/^http/, "ws")}/v1/customer/call`;
    const context = { ...this.context(), contact: contact.contact };
    this.call = this.talk(socket, contact.token, stream, context);
    this.call.start();
  }

  /** Shown while the call is not answered by somebody: the server has taken it, and plays music. */
  private waiting?: (talking: boolean) => void;

  private talk(socket: string, token: string, stream: MediaStream, context: PageContext & { contact: string }): Call {
    const text = this.words.text;
    const remote = el("video", { autoplay: true, playsinline: true, "aria-label": text.remoteVideo });
    const own = el("video", { class: "own", autoplay: true, playsinline: true, "aria-label": text.localVideo });
    own.muted = true;
    const pictures = el("div", { class: "pictures", hidden: true }, remote, own);
    const state = el("p", { class: "state" }, text.connecting);
    const question = el("div", { class: "ways" });
    let muted = false;
    const mute = el("button", { type: "button", "data-do": "mute", "aria-pressed": "false" }, text.mute);
    mute.addEventListener("click", () => {
      muted = !muted;
      this.call?.mute(muted);
      mute.textContent = muted ? text.unmute : text.mute;
      mute.setAttribute("aria-pressed", String(muted));
      this.say(muted ? text.muted : text.unmuted);
    });
    const camera = el("button", { type: "button", "data-do": "camera" }, text.camera);
    camera.addEventListener("click", () => void this.toggleCamera(camera, question));
    const end = el("button", { class: "end", type: "button", "data-do": "hang-up", click: () => this.call?.hangUp() }, text.hangUp);
    this.show(this.view?.title || text.title, state, pictures, question, el("div", { class: "row" }, mute, camera, end));
    const seen = () => {
      const any = (v: HTMLVideoElement) => ((v.srcObject as MediaStream | null)?.getVideoTracks().length ?? 0) > 0;
      pictures.hidden = !any(remote) && !any(own);
    };
    this.watch = setInterval(() => void this.lookForMode(camera, question), STATUS_EVERY_MS);
    let [line, talking] = [text.connecting, false];
    const tell = (next: string) => {
      if (next === line) return;
      line = state.textContent = next;
      this.say(next);
    };
    this.waiting = (answered) => {
      talking = answered;
      if (line === text.connected || line === text.waiting) tell(answered ? text.connected : text.waiting);
    };
    return new Call(socket, token, stream, context, this.name, {
      state: (now, reason) => {
        if (now === "ended") return this.ended(reason ?? "");
        tell(now === "connected" && !talking ? text.waiting : text[now]);
      },
      remote: (stream) => {
        remote.srcObject = stream;
        stream.addEventListener("addtrack", seen);
        seen();
      },
      local: (stream) => {
        own.srcObject = stream;
        const video = stream.getVideoTracks().length > 0;
        camera.textContent = video ? text.cameraOff : text.camera;
        seen();
      },
    });
  }

  /** Video begins in the call when both agree: this side asks, the other's yes turns the camera on. */
  private async toggleCamera(camera: HTMLButtonElement, question: HTMLElement): Promise<void> {
    if (!this.call || !this.contact) return;
    if (this.call.hasVideo()) {
      await this.api.askMode(this.contact, "audio").catch(() => undefined);
      return this.call.dropVideo();
    }
    camera.disabled = true;
    try {
      await this.api.askMode(this.contact, "video");
      question.replaceChildren(el("p", {}, this.words.text.cameraAsked));
    } catch {
      camera.disabled = false;
    }
  }

  private async lookForMode(camera: HTMLButtonElement, question: HTMLElement): Promise<void> {
    if (!this.call || !this.contact) return;
    const text = this.words.text;
    const status = await this.api.status(this.contact).catch(() => undefined);
    if (!status || !this.call) return;
    this.waiting?.(status.talking ?? true);
    if (status.asked && !status.asked.by_customer) {
      if (question.dataset.asked === status.asked.mode) return;
      question.dataset.asked = status.asked.mode;
      const answer = async (yes: boolean) => {
        question.replaceChildren();
        delete question.dataset.asked;
        const kept = this.contact && (await this.api.answerMode(this.contact, yes).then(() => true, () => false));
        if (yes && kept) await this.call?.addVideo();
      };
      question.replaceChildren(
        el("p", {}, text.videoAsk),
        el(
          "div",
          { class: "row" },
          el("button", { class: "main", type: "button", "data-do": "yes", click: () => void answer(true) }, text.yes),
          el("button", { type: "button", "data-do": "no", click: () => void answer(false) }, text.no),
        ),
      );
      return this.say(text.videoAsk);
    }
    if (!status.asked && question.dataset.asked) {
      question.replaceChildren();
      delete question.dataset.asked;
    }
    // The other side went back to voice: the camera goes off, whoever turned it on.
    if (status.mode === "audio" && !status.asked && !camera.disabled && this.call.hasVideo()) return this.call.dropVideo();
    if (!camera.disabled || status.asked) return;
    camera.disabled = false;
    question.replaceChildren();
    if (status.mode === "video") await this.call.addVideo();
    else question.replaceChildren(el("p", {}, text.cameraRefused));
  }

  private ended(reason: string): void {
    const text = this.words.text;
    clearInterval(this.watch);
    this.call = undefined;
    this.contact = undefined;
    this.launch.lastChild?.replaceWith(text.open);
    const again = el("button", { class: "main", type: "button", "data-do": "again", click: () => void this.open() }, text.again);
    const back = el("button", { type: "button", "data-do": "callback", click: () => this.askCallback() }, text.callback);
    const write = el("button", { type: "button", "data-do": "write", click: () => this.write() }, text.chat);
    const kept = reason === "hung_up" || reason === "released";
    const closed = this.panel.hidden;
    this.show(kept ? text.ended : text.failed, !kept && el("p", { class: "help" }, text.closedNow), el("div", { class: "row" }, again, back, !kept && write));
    if (closed) this.launch.focus();
  }

  private noMicrophone(why: NoMicrophone, mode: Mode): void {
    const text = this.words.text;
    const help = { denied: text.microphoneDenied, missing: text.microphoneMissing, insecure: text.microphoneInsecure }[why];
    this.show(
      text.noMicrophone,
      el("p", { class: "help" }, help),
      el(
        "div",
        { class: "row" },
        el("button", { class: "main", type: "button", "data-do": "callback", click: () => this.askCallback() }, text.callback),
        el("button", { type: "button", "data-do": "write", click: () => this.write() }, text.chat),
        el("button", { type: "button", "data-do": "retry", click: () => void this.ask(mode) }, text.retry),
      ),
    );
  }

  private field(label: string, input: HTMLElement): HTMLElement {
    return el("label", { class: "field" }, label, input);
  }

  private form(title: string, fields: HTMLElement[], send: () => Promise<unknown>, thanks: string): void {
    const text = this.words.text;
    const note = el("p", { class: "help", role: "alert", hidden: true });
    const form = el("form", {}, ...fields, note);
    const button = el("button", { class: "main", type: "submit" }, text.send);
    form.append(el("div", { class: "row" }, button, el("button", { type: "button", click: () => this.choose() }, text.back)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      button.disabled = true;
      send().then(
        () => this.show(thanks, el("button", { type: "button", click: () => this.close() }, text.close)),
        (error) => {
          button.disabled = false;
          note.hidden = false;
          note.textContent = this.reason(error);
        },
      );
    });
    this.show(title, form);
  }

  private askCallback(): void {
    const text = this.words.text;
    const number = el("input", { type: "tel", autocomplete: "tel", required: true, maxlength: "32", name: "number" });
    const when = el("input", { type: "datetime-local", name: "when" });
    this.form(
      text.callback,
      [this.field(text.number, number), this.field(text.when, when)],
      () => {
        const at = when.value ? new Date(when.value).toISOString() : undefined;
        return this.api.callback({ number: number.value, name: this.name || undefined, at, context: this.context() });
      },
      text.thanksCallback,
    );
  }

  /** `from`: the request that led to no call, and becomes the message. */
  private write(from?: Contact): void {
    const text = this.words.text;
    const reply = el("input", { required: true, maxlength: "200", name: "reply", autocomplete: "email" });
    const message = el("textarea", { required: true, maxlength: "4000", name: "text" });
    this.form(
      text.chat,
      [this.field(text.text, message), this.field(text.replyTo, reply)],
      () =>
        this.api.message(
          { reply_to: reply.value, text: message.value, name: this.name || undefined, context: this.context() },
          from,
        ),
      text.thanksMessage,
    );
  }

  private reason(error: unknown): string {
    const text = this.words.text;
    if (!(error instanceof Refused)) return text.offline;
    if (error.code === "origin_refused") return text.originRefused;
    if (error.status === 429) return text.tooMany;
    if (error.status === 404) return text.gone;
    return fill(text.bad, { detail: error.message });
  }

  private refused(error: unknown, again: () => void): void {
    const text = this.words.text;
    this.show(
      text.failed,
      el("p", { class: "help" }, this.reason(error)),
      el("div", { class: "row" }, el("button", { class: "main", type: "button", "data-do": "retry", click: again }, text.retry)),
    );
  }
}
