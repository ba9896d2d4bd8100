//! One closed input, one closed output.

use bytes::Bytes;
use cp_vocab::command::{CommandEnvelope, CommandResult};
use cp_vocab::event::{EventRecord, LogPosition};
use cp_vocab::media::{MediaCommand, MediaEvent, PortPair};
use cp_vocab::model::{Presence, Snapshot};
use cp_vocab::net::{ConnectionId, Flow, Target, Transport};
use cp_vocab::web::Signal;
use cp_vocab::*;
use std::sync::Arc;

/// Everything that can happen to the engine. The driver hands each over with the time of its batch
/// and drains [`crate::Engine::poll`] before the next.
#[derive(Debug)]
pub enum Input {
    /// A SIP message, whole.
    Datagram {
        flow: Flow,
        tls_name: Option<String>,
        bytes: Bytes,
    },
    FlowClosed(ConnectionId),
    SendFailed(Target),
    /// Answer to [`Output::Resolve`]; `None`: nothing found.
    Resolved {
        id: u64,
        targets: Option<Vec<Target>>,
    },
    Media(MediaEvent),
    Command(CommandEnvelope),
    /// The time of [`crate::Engine::next_timeout`] has come.
    Timeout,
    /// The store can no longer (or can again) make records durable.
    StoreHealth {
        writable: bool,
    },
    /// Answer to [`Output::FetchCertificate`].
    CertificateFetched {
        url: String,
        fetched: cp_identity::fetch::Fetched,
    },
    /// Other roots or a newer revocation list are in force.
    IdentityTrust(Option<Arc<cp_identity::certificate::Trust>>),
    /// The process stops with calls running: they are ended politely, and nothing new begins.
    EndCalls,
    /// What the log knew before this process started. Once, first.
    Restore(Box<Restore>),
}

/// The state a restart begins with.
#[derive(Debug, Default)]
pub struct Restore {
    pub snapshot: Arc<Snapshot>,
    /// Interactions without an end, with their logs: they died with the process.
    pub open: Vec<(InteractionId, TenantId, Vec<EventRecord>)>,
    /// Registrations that still hold, as [`cp_vocab::Event::PhoneRegistered`] told them.
    pub bindings: Vec<(PhoneId, String, Timestamp)>,
    pub presence: Vec<(AgentId, Presence, bool)>,
    /// Spent on outgoing calls by tenant and day (`20261120`), oldest first: this month's at least.
    pub spent: Vec<(TenantId, u32, u64)>,
    /// Incentives given out, by brand.
    pub incentives: Vec<(BrandId, u64)>,
    /// Agents who are told by a push that they are called while no tab of theirs is open.
    pub pushed: Vec<AgentId>,
    /// Callers that people reported, the oldest first.
    pub reports: Vec<crate::Reported>,
    /// How often numbers forward, those called last first.
    pub forwarding: Vec<Forwarded>,
}

/// What the log knows of one number's forwarding.
#[derive(Clone, Debug)]
pub struct Forwarded {
    pub tenant: TenantId,
    /// Canonical, without a plus.
    pub number: String,
    /// Of each call of the last hundred, newest first, whether it was forwarded.
    pub calls: Vec<bool>,
    pub kept: u64,
    pub hits: u64,
    pub misses: u64,
}

/// Everything the engine wants done.
#[derive(Debug)]
pub enum Output {
    /// Make these durable. They are numbered on from the last; `upto` is the position of the last.
    Append {
        records: Vec<EventRecord>,
        upto: LogPosition,
    },
    /// Send, but not before the log is durable up to `after`.
    Transmit {
        target: Target,
        bytes: Bytes,
        after: LogPosition,
    },
    Close(ConnectionId),
    Resolve {
        id: u64,
        host: String,
        port: Option<u16>,
        transport: Option<Transport>,
        secure: bool,
    },
    /// Fetch a certificate, from public addresses only and by `deadline`.
    FetchCertificate {
        url: String,
        deadline: Timestamp,
    },
    /// `tenant`: whose prompts are meant.
    Media {
        worker: u16,
        tenant: TenantId,
        command: MediaCommand,
    },
    /// The worker of `port` gives the leg, if it has it, and the sockets of the port to another.
    MoveLeg {
        leg: LegId,
        port: PortPair,
        to: u16,
    },
    /// Bind more ports.
    GrowPorts {
        worker: u16,
    },
    /// Tell a browser, but not before the log is durable up to `after`.
    Signal {
        device: DeviceId,
        signal: Signal,
        after: LogPosition,
    },
    Reply {
        command: CommandId,
        result: CommandResult,
        after: LogPosition,
    },
    /// Digits that were asked for in private (`Command::Collect`): to the program that asked.
    Entered {
        tenant: TenantId,
        interaction: InteractionId,
        leg: LegId,
        digits: Pii<String>,
        /// Ended by `#` or full; otherwise time ran out.
        complete: bool,
    },
    /// Something for the audit or the operator, without personal data.
    Note(Note),
}

/// Facts for logs and counters that are not part of any interaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// A fault inside one interaction; it was ended, the others go on.
    Fault {
        interaction: InteractionId,
        what: String,
    },
    Denied {
        what: &'static str,
    },
    Refused {
        code: Code,
    },
}
