//! The driver: one thread that owns the engine and the signalling sockets. It carries; it decides
//! nothing. A round is: take everything that is ready, hand it to the engine, hand what became true
//! to the store, send what the log already covers.

use cp_edge::media::{EventSource, MediaWorkers};
use cp_edge::{Clock, SignalIn, Signalling};
use cp_engine::{Engine, Input, Note, Output, Stats};
use cp_store::{Refused, Store, StoreError};
use cp_vocab::command::{CommandEnvelope, CommandResult};
use cp_vocab::event::{EventRecord, LogPosition};
use cp_vocab::media::{MediaCommand, MediaEvent, Samples};
use cp_vocab::net::Target;
use cp_vocab::web::Signal;
use cp_vocab::*;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot, watch};

use crate::identity::Certificates;
use crate::metrics::{Figures, QUEUES_MAX, SipCounts};
use crate::sounds::Sounds;

/// Commands and reports that may wait for the engine; a command beyond is refused with `overload`.
pub const INBOX_MAX: usize = 16_384;
/// Inputs of the inbox taken in one round, so that signalling is never starved.
const INBOX_PER_ROUND: usize = 1_024;
/// Answers held for the log at most. Beyond it new calls are refused (the store is not keeping up).
const HELD_MAX: usize = 100_000;

/// Batches the store has not taken yet at most (a disk that hangs for minutes under load). At the
/// limit signalling is not read on until some are taken.
const BATCHES_MAX: usize = 500_000;

/// What other threads bring to the engine.
pub enum Message {
    Command {
        envelope: CommandEnvelope,
        reply: oneshot::Sender<CommandResult>,
    },
    /// A playback whose sounds are ready.
    Ready {
        worker: u16,
        command: MediaCommand<Samples>,
    },
    Health {
        writable: bool,
    },
    Restore(Box<cp_engine::Restore>),
    /// The metrics page is asked for.
    Figures(SyncSender<Figures>),
    /// Calls that are still up are ended: the process stops.
    EndCalls,
    /// What fetching a caller's certificate came to.
    Certificate {
        url: String,
        fetched: cp_identity::fetch::Fetched,
    },
    /// Whom to believe about callers has changed.
    IdentityTrust(Option<Arc<cp_identity::certificate::Trust>>),
    /// The certificate files have changed.
    ReloadCertificates,
    Stop,
}

/// Digits that a caller entered in private, on their way to the program that asked for them.
pub struct Entered {
    pub tenant: TenantId,
    pub interaction: InteractionId,
    pub leg: LegId,
    pub digits: Pii<String>,
    pub complete: bool,
}

/// Private entries that may wait to be looked at. One beyond is dropped: the caller is asked for
/// nothing more, and what was awaited ends by its time.
pub const ENTERED_MAX: usize = 1_024;

/// The way to the engine for everybody else; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    inbox: SyncSender<Message>,
    waker: cp_edge::Waker,
    shared: Arc<Shared>,
}

/// What the driver shows to others without being asked.
pub struct Shared {
    pub committed: AtomicU64,
    /// Batches the log refused for good (a fault of ours): what waited for them must not leave.
    refused: Mutex<Vec<LogPosition>>,
    any_refused: AtomicBool,
    pub draining: AtomicBool,
    /// The store closes because the process stops; that is no fault.
    pub closing: AtomicBool,
    pub writable: AtomicBool,
    pub stats: Mutex<Stats>,
    pub denied: AtomicU64,
    pub faults: AtomicU64,
    pub held: AtomicU64,
    pub commits: watch::Sender<LogPosition>,
    /// Where private entries go; nowhere until somebody asks for them.
    pub entered: std::sync::OnceLock<SyncSender<Entered>>,
    pub devices: Devices,
}

/// Signals that may wait for one browser's socket; one that takes none is cut.
const SIGNALS_MAX: usize = 256;

/// Browsers' sockets that wait for signals.
#[derive(Default)]
pub struct Devices(Mutex<HashMap<DeviceId, mpsc::Sender<Signal>>>);

impl Devices {
    /// What `device` is told from now on.
    pub fn listen(&self, device: DeviceId) -> mpsc::Receiver<Signal> {
        let (sender, receiver) = mpsc::channel(SIGNALS_MAX);
        if let Ok(mut devices) = self.0.lock() {
            devices.retain(|_, s| !s.is_closed());
            devices.insert(device, sender);
        }
        receiver
    }

    fn tell(&self, device: DeviceId, signal: Signal) {
        let Ok(mut devices) = self.0.lock() else {
            return;
        };
        let told = devices.get(&device).map(|s| s.try_send(signal));
        if let Some(Err(_)) = told {
            // Gone, or so far behind that it had better begin anew.
            devices.remove(&device);
        }
    }
}

impl Shared {
    pub fn refuse(&self, position: LogPosition) {
        if let Ok(mut refused) = self.refused.lock() {
            refused.push(position);
        }
        self.any_refused.store(true, Ordering::Release);
    }

    fn is_refused(&self, position: LogPosition) -> bool {
        self.any_refused.load(Ordering::Acquire)
            && self.refused.lock().is_ok_and(|r| r.contains(&position))
    }
}

impl Handle {
    /// Brings a message; `false` when the inbox is full or the engine gone.
    pub fn send(&self, message: Message) -> bool {
        match self.inbox.try_send(message) {
            Ok(()) => {
                self.waker.wake();
                true
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
    /// As [`Handle::send`], but waits for room; for threads that may wait (media workers, start-up).
    pub fn send_waiting(&self, message: Message) -> bool {
        let sent = self.inbox.send(message).is_ok();
        self.waker.wake();
        sent
    }
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
    pub fn wake(&self) {
        self.waker.wake();
    }
}

/// Makes the inbox before the parts that feed it exist.
pub fn channel(waker: cp_edge::Waker) -> (Handle, Receiver<Message>) {
    let (inbox, receiver) = sync_channel(INBOX_MAX);
    let shared = Arc::new(Shared {
        committed: AtomicU64::new(0),
        refused: Mutex::default(),
        any_refused: AtomicBool::new(false),
        draining: AtomicBool::new(false),
        closing: AtomicBool::new(false),
        writable: AtomicBool::new(true),
        stats: Mutex::new(Stats::default()),
        denied: AtomicU64::new(0),
        faults: AtomicU64::new(0),
        held: AtomicU64::new(0),
        commits: watch::Sender::new(LogPosition::default()),
        entered: std::sync::OnceLock::new(),
        devices: Devices::default(),
    });
    (
        Handle {
            inbox,
            waker,
            shared,
        },
        receiver,
    )
}

enum Held {
    Transmit {
        target: Target,
        bytes: bytes::Bytes,
    },
    Reply {
        command: CommandId,
        result: CommandResult,
    },
    Signal {
        device: DeviceId,
        signal: Signal,
    },
}

pub struct Driver {
    pub engine: Engine,
    pub signalling: Signalling,
    pub media: MediaWorkers,
    media_events: EventSource,
    media_batch: Vec<MediaEvent>,
    pub store: Arc<dyn Store>,
    pub sounds: Sounds,
    certificates: Certificates,
    pub clock: Clock,
    inbox: Receiver<Message>,
    shared: Arc<Shared>,
    /// What became true and the store has not taken yet: one batch for each input, so that a fault
    /// in one interaction refuses its own records only.
    batches: VecDeque<(Vec<EventRecord>, LogPosition)>,
    held: VecDeque<(LogPosition, Held)>,
    replies: HashMap<CommandId, oneshot::Sender<CommandResult>>,
    choked: bool,
    stopping: bool,
    received: SipCounts,
    sent: SipCounts,
}

impl Driver {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        engine: Engine,
        signalling: Signalling,
        (media, media_events): (MediaWorkers, EventSource),
        store: Arc<dyn Store>,
        sounds: Sounds,
        certificates: Certificates,
        clock: Clock,
        inbox: Receiver<Message>,
        handle: &Handle,
    ) -> Self {
        Self {
            engine,
            signalling,
            media,
            media_events,
            media_batch: Vec::new(),
            store,
            sounds,
            certificates,
            clock,
            inbox,
            shared: handle.shared.clone(),
            batches: VecDeque::new(),
            held: VecDeque::new(),
            replies: HashMap::new(),
            choked: false,
            stopping: false,
            received: SipCounts::default(),
            sent: SipCounts::default(),
        }
    }

    /// Runs until told to stop. Owns its thread.
    pub fn run(mut self) {
        let mut batch: Vec<SignalIn> = Vec::new();
        while !self.stopping {
            let deadline = self.engine.next_timeout();
            let now = self.signalling.poll(deadline, &mut batch);
            // Beyond the limit nothing more is taken in: phones repeat themselves, and what was
            // acknowledged stays whole. See BATCHES_MAX.
            let full = self.batches.len() >= BATCHES_MAX;
            for input in batch.drain(..) {
                if !full {
                    self.signal(now, input);
                }
            }
            self.take_media(now);
            self.take_inbox(now);
            if self.engine.next_timeout().is_some_and(|t| t <= now) {
                self.give(now, Input::Timeout);
            }
            self.commit();
            self.release();
            self.watch_pressure(now);
        }
        self.signalling.flush();
    }

    fn signal(&mut self, now: Timestamp, input: SignalIn) {
        let input = match input {
            SignalIn::Datagram { flow, bytes } => Input::Datagram {
                flow,
                tls_name: None,
                bytes,
            },
            SignalIn::Message {
                flow,
                tls_name,
                bytes,
            } => Input::Datagram {
                flow,
                tls_name,
                bytes,
            },
            SignalIn::Closed { connection } => Input::FlowClosed(connection),
            SignalIn::SendFailed { target } => Input::SendFailed(target),
            SignalIn::Resolved { id, targets } => Input::Resolved {
                id,
                targets: targets.ok(),
            },
            SignalIn::Woken => return,
        };
        if let Input::Datagram { bytes, .. } = &input {
            self.received.count(bytes);
        }
        self.give(now, input);
    }

    fn take_media(&mut self, now: Timestamp) {
        let mut events = std::mem::take(&mut self.media_batch);
        self.media_events.drain(&mut events);
        for event in events.drain(..) {
            self.give(now, Input::Media(event));
        }
        self.media_batch = events;
    }

    fn take_inbox(&mut self, now: Timestamp) {
        for _ in 0..INBOX_PER_ROUND {
            let Ok(message) = self.inbox.try_recv() else {
                return;
            };
            match message {
                Message::Command { envelope, reply } => {
                    self.replies.insert(envelope.id, reply);
                    self.give(now, Input::Command(envelope));
                }
                Message::Ready { worker, command } => {
                    if let Some(command) = self.sounds.still_wanted(command) {
                        self.media_send(worker, command);
                    }
                }
                Message::Health { writable } => {
                    self.shared.writable.store(writable, Ordering::Relaxed);
                    let writable = writable && !self.choked;
                    self.give(now, Input::StoreHealth { writable });
                }
                Message::Restore(restore) => self.give(now, Input::Restore(restore)),
                Message::Figures(reply) => {
                    // Who asked may have given up.
                    let _ = reply.try_send(self.figures(now));
                }
                Message::Certificate { url, fetched } => {
                    self.give(now, Input::CertificateFetched { url, fetched });
                }
                Message::IdentityTrust(trust) => self.give(now, Input::IdentityTrust(trust)),
                Message::ReloadCertificates => match self.signalling.reload_certificates() {
                    Ok(()) => tracing::info!("certificates read again"),
                    Err(error) => {
                        tracing::error!(code = error.code(), %error, "the old certificates stay");
                    }
                },
                Message::EndCalls => self.give(now, Input::EndCalls),
                Message::Stop => self.stopping = true,
            }
        }
        // More is waiting: do not sleep in the next poll.
        self.signalling.waker().wake();
    }

    fn give(&mut self, now: Timestamp, input: Input) {
        self.engine.handle(now, input);
        while let Some(output) = self.engine.poll() {
            self.carry(output);
        }
    }

    fn carry(&mut self, output: Output) {
        match output {
            Output::Append { records, upto } => self.batches.push_back((records, upto)),
            Output::Transmit {
                target,
                bytes,
                after,
            } => {
                self.sent.count(&bytes);
                if self.is_durable(after) {
                    self.signalling.send(target, bytes);
                } else {
                    self.held
                        .push_back((after, Held::Transmit { target, bytes }));
                }
            }
            Output::Reply {
                command,
                result,
                after,
            } => {
                if self.is_durable(after) {
                    self.reply(command, result);
                } else {
                    self.held
                        .push_back((after, Held::Reply { command, result }));
                }
            }
            Output::Signal {
                device,
                signal,
                after,
            } => {
                if self.is_durable(after) {
                    self.shared.devices.tell(device, signal);
                } else {
                    self.held
                        .push_back((after, Held::Signal { device, signal }));
                }
            }
            Output::Close(connection) => self.signalling.close(connection),
            Output::Resolve {
                id,
                host,
                port,
                transport,
                secure,
            } => self.signalling.resolve(id, &host, port, transport, secure),
            Output::FetchCertificate { url, deadline } => {
                self.certificates.fetch(url, self.clock.now(), deadline);
            }
            Output::Media {
                worker,
                tenant,
                command,
            } => {
                if let Some(command) = self.sounds.resolve(worker, tenant, command) {
                    self.media_send(worker, command);
                }
            }
            Output::MoveLeg { leg, port, to } => {
                if let Err(error) = self.media.move_leg(leg, port, to) {
                    tracing::error!(%error, to, "a leg cannot be moved");
                }
            }
            Output::GrowPorts { worker } => {
                if let Err(error) = self.media.grow(worker, crate::serve::PORTS_PER_STEP) {
                    tracing::error!(%error, "no more ports");
                }
            }
            Output::Entered {
                tenant,
                interaction,
                leg,
                digits,
                complete,
            } => self.entered(Entered {
                tenant,
                interaction,
                leg,
                digits,
                complete,
            }),
            Output::Note(note) => self.note(note),
        }
    }

    fn entered(&self, entered: Entered) {
        let interaction = entered.interaction;
        let taken = self.shared.entered.get().map(|to| to.try_send(entered));
        if !matches!(taken, Some(Ok(()))) {
            tracing::warn!(%interaction, "nobody took a private entry");
        }
    }

    fn media_send(&mut self, worker: u16, command: MediaCommand<Samples>) {
        if let Err(error) = self.media.send(worker, command) {
            tracing::error!(%error, worker, "a media worker did not take an order");
        }
    }

    fn is_durable(&self, after: LogPosition) -> bool {
        after.0 <= self.shared.committed.load(Ordering::Acquire)
    }

    fn reply(&mut self, command: CommandId, result: CommandResult) {
        if let Some(reply) = self.replies.remove(&command) {
            // The asker may have gone; the command was carried out all the same.
            let _ = reply.send(result);
        }
    }

    /// Hands the round's batches to the store, in order.
    fn commit(&mut self) {
        while let Some((batch, position)) = self.batches.pop_front() {
            if let Err(Refused { batch, error }) = self.store.append(batch, position) {
                if !matches!(error, StoreError::Backlogged { .. }) {
                    tracing::error!(error = %error, "the log takes no records");
                }
                self.batches.push_front((batch, position));
                return;
            }
        }
    }

    /// Sends what the log covers by now.
    fn release(&mut self) {
        let committed = self.shared.committed.load(Ordering::Acquire);
        while self
            .held
            .front()
            .is_some_and(|(after, _)| after.0 <= committed)
        {
            match self.held.pop_front() {
                Some((after, held)) if self.shared.is_refused(after) => self.take_back(held),
                Some((_, Held::Transmit { target, bytes })) => self.signalling.send(target, bytes),
                Some((_, Held::Reply { command, result })) => self.reply(command, result),
                Some((_, Held::Signal { device, signal })) => {
                    self.shared.devices.tell(device, signal);
                }
                None => {}
            }
        }
        self.shared
            .held
            .store(self.held.len() as u64, Ordering::Relaxed);
        self.shared.draining.store(
            self.engine.is_draining() || self.stopping,
            Ordering::Relaxed,
        );
        if let Ok(mut stats) = self.shared.stats.try_lock() {
            *stats = self.engine.stats();
        }
    }

    /// The log refused what this rests on: nothing is sent, and who asked is told.
    fn take_back(&mut self, held: Held) {
        if let Held::Reply { command, .. } = held {
            let refusal = Refusal::new(Code::Internal, "The log refused what this command did.");
            self.reply(command, Err(refusal));
        }
    }

    /// A store that does not keep up means no new calls; running ones go on.
    fn watch_pressure(&mut self, now: Timestamp) {
        let choked = !self.batches.is_empty() || self.held.len() > HELD_MAX;
        if choked != self.choked {
            self.choked = choked;
            let writable = !choked && self.shared.writable.load(Ordering::Relaxed);
            self.give(now, Input::StoreHealth { writable });
        }
    }

    fn figures(&self, now: Timestamp) -> Figures {
        let queues = self.engine.snapshot().queues.iter().take(QUEUES_MAX);
        Figures {
            received: self.received.clone(),
            sent: self.sent.clone(),
            tables: self.engine.table_sizes(),
            queues: queues
                .filter_map(|q| self.engine.router().queue_stats(q.id, now))
                .collect(),
            workers: (0..self.media.count())
                .filter_map(|w| self.media.counters(w))
                .collect(),
            speech: self.sounds.stats(),
            batches_waiting: self.batches.len(),
            replies_waiting: self.replies.len(),
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Fault { interaction, .. } => {
                self.shared.faults.fetch_add(1, Ordering::Relaxed);
                // Its words may quote a caller; the place was logged when it panicked.
                tracing::error!(%interaction, "an interaction failed and was ended");
            }
            Note::Denied { what } => {
                self.shared.denied.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(what, "denied");
            }
            Note::Refused { code } => tracing::debug!(code = code.as_str(), "refused"),
        }
    }
}
