//! The one catalogue of what happened. Events are past tense, versioned, added to and never
//! edited; screens, reports, CDRs and webhooks are derived from them.

use crate::command::{Actor, SuperviseMode};
use crate::end::EndReason;
use crate::id::*;
use crate::media::Quality;
use crate::model::{Presence, RoutingState};
use crate::party::Address;
use crate::person::{Awaited, ProofMethod, ProofStep};
use crate::pii::Pii;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Whose log a record is in. Sequence numbers count from 1 within a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "stream", content = "id", rename_all = "snake_case")]
pub enum StreamId {
    Interaction(InteractionId),
    Agent(AgentId),
    Phone(PhoneId),
    Trunk(TrunkId),
    Tenant(TenantId),
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interaction(i) => i.fmt(f),
            Self::Agent(i) => i.fmt(f),
            Self::Phone(i) => i.fmt(f),
            Self::Trunk(i) => i.fmt(f),
            Self::Tenant(i) => i.fmt(f),
        }
    }
}

impl std::str::FromStr for StreamId {
    type Err = IdParseError;
    fn from_str(s: &str) -> Result<Self, IdParseError> {
        match s.get(..3) {
            Some("int") => s.parse().map(Self::Interaction),
            Some("agt") => s.parse().map(Self::Agent),
            Some("phn") => s.parse().map(Self::Phone),
            Some("trk") => s.parse().map(Self::Trunk),
            Some("ten") => s.parse().map(Self::Tenant),
            _ => Err(IdParseError {
                expected: "int|agt|phn|trk|ten",
                text: s.chars().take(64).collect(),
            }),
        }
    }
}

/// One line of a log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventRecord {
    pub stream: StreamId,
    /// 1, 2, 3 … within the stream; the store refuses a gap or a repeat.
    pub seq: u64,
    /// Wall-clock time.
    pub at: Timestamp,
    pub tenant: TenantId,
    pub event: Event,
}

/// Position in the node's order of appended records; what is promised outside waits for it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct LogPosition(pub u64);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Inbound,
    Outbound,
    Internal,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegRole {
    /// The party the interaction is about.
    Customer,
    Agent,
    /// A third party rung for a consultation; not part of the shared operation (S1.3).
    Consulted,
    Supervisor,
    /// Anybody else in the call.
    Party,
}

/// What a leg is connected by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Endpoint {
    Trunk(TrunkId),
    Phone(PhoneId),
    /// A bare SIP URI.
    Uri,
    /// A browser tab: of the leg's agent, or of a customer without an account.
    Browser,
}

/// Status of one of the related calls (S1.3 rule 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    Dialing,
    Ringing,
    Connected,
    Disconnected,
}

/// One of the related calls as clients see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RelatedCall {
    /// The parties: caller first.
    pub legs: Vec<LegId>,
    pub status: CallStatus,
    /// Whether the call carries the UCI (the user's own consult call does not).
    pub shared: bool,
}

/// State of a shared operation, computed from its calls, never set by hand (S1.3 rules 5 and 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedState {
    /// One call, nothing asked for.
    Single,
    /// The second call is being set up while the first lives (parking, transferring).
    Pending,
    /// The first ended, the second is still being set up.
    OriginalEnded,
    /// The second is connected, confirmation is pending.
    SuccessPending,
    /// Done: parked, transferred, merged.
    Succeeded,
    /// The second failed; the original is being set up again.
    RevivalPending,
    Ended,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueExit {
    Answered,
    Abandoned,
    Overflowed,
    TimedOut,
    Transferred,
    Released,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferEnd {
    Accepted,
    Rejected,
    TimedOut,
    /// The caller left, or the work went elsewhere.
    Cancelled,
    /// The agent could not be reached (phone gone, lease lost).
    Rescinded,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferKind {
    Blind,
    Attended,
    Queue,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$fm:meta])* $field:ident : $ty:ty),* $(,)? })*) => {
        /// What happened. The serialised form is `{"kind": "leg.answered", …}`.
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $kind)] $name { $($(#[$fm])* $field: $ty),* },)*
        }
        impl Event {
            /// The catalogue: every kind with the version of its body.
            pub const CATALOGUE: &'static [(&'static str, u16)] = &[$(($kind, 1),)*];
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name { .. } => $kind,)* }
            }
            pub fn version(&self) -> u16 { 1 }
            /// Takes everything of people out of it; the rest stays, so that a replay gives the same
            /// state but for them. Says whether there was any.
            pub fn erase(&mut self) -> bool {
                #[allow(unused_imports)]
                use crate::erase::{Field, Personal as _, Plain as _};
                let mut any = false;
                match self {
                    $(Self::$name { $($field),* } => { $(any |= (&mut Field($field)).erase();)* })*
                }
                any
            }
        }
    };
}

events! {
    Started = "interaction.started" {
        direction: Direction,
        from: Pii<Address>,
        from_name: Option<Pii<String>>,
        /// As dialled, normalised.
        to: Pii<Address>,
        uci: Uci,
        /// Which number row matched, when one did.
        number: Option<NumberId>,
        trunk: Option<TrunkId>,
    }
    LegAdded = "leg.added" {
        leg: LegId,
        role: LegRole,
        direction: Direction,
        endpoint: Endpoint,
        address: Pii<Address>,
        agent: Option<AgentId>,
        /// SIP Call-ID, for finding a call in a capture.
        call_id: String,
        /// The leg this one was made for (transfer, consult): the asker.
        cause: Option<LegId>,
    }
    LegRinging = "leg.ringing" {
        leg: LegId,
        early_media: bool,
        /// What is needed to stop the ringing after a crash of this node; as in `leg.answered`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dialog: Option<String>,
    }
    LegAnswered = "leg.answered" {
        leg: LegId,
        codec: Option<String>,
        secure: bool,
        /// What is needed to end the dialog after a crash of this node; opaque outside the SIP layer.
        dialog: Option<String>,
    }
    LegHeld = "leg.held" { leg: LegId, by_far_end: bool }
    LegResumed = "leg.resumed" { leg: LegId, by_far_end: bool }
    LegMuted = "leg.muted" { leg: LegId, muted: bool }
    /// The leg went on in another interaction (attended transfer between two calls of one phone, pick-up).
    LegMovedOut = "leg.moved_out" { leg: LegId, to: InteractionId }
    LegMovedIn = "leg.moved_in" {
        leg: LegId,
        from: InteractionId,
        role: LegRole,
        direction: Direction,
        endpoint: Endpoint,
        address: Pii<Address>,
        agent: Option<AgentId>,
        answered: bool,
        dialog: Option<String>,
    }
    LegEnded = "leg.ended" {
        leg: LegId,
        reason: EndReason,
        /// SIP status or Q.850 cause as received, for the trail.
        detail: Option<String>,
    }
    LegQuality = "leg.quality" { leg: LegId, quality: Quality }
    /// What the page of a customer in the browser said of itself: data, as JSON text.
    CustomerContext = "customer.context" { leg: LegId, subject: Option<String>, context: Option<Pii<String>> }
    DigitReceived = "leg.digit" { leg: LegId, digit: Pii<char> }
    /// The party is asked for digits in private; the digits themselves are nowhere.
    CollectStarted = "collect.started" { leg: LegId }
    CollectEnded = "collect.ended" { leg: LegId, digits: u32, complete: bool }
    AwaitStarted = "await.started" { leg: LegId, what: Awaited, until: Timestamp, queue: Option<QueueId> }
    AwaitEnded = "await.ended" { leg: LegId, met: bool }
    /// Who the customer is, and how well it is proven from now on. Screens read the customer again.
    ProofChanged = "proof.changed" {
        step: ProofStep,
        person: Option<PersonId>,
        level: u8,
        methods: Vec<ProofMethod>,
        proven_at: Option<Timestamp>,
        expires_at: Option<Timestamp>,
        /// What it is enough for, of what the rules name.
        scope: Vec<String>,
        /// The same in the shape of every proof of a call.
        trust: Option<crate::trust::Trust>,
    }
    PromptStarted = "prompt.started" { leg: LegId, playback: PlaybackId, what: String }
    PromptEnded = "prompt.ended" { leg: LegId, playback: PlaybackId, interrupted: bool }
    Queued = "queue.entered" { queue: QueueId, priority: i32, position: u32, wait_estimate_ms: Option<u64> }
    QueueAnnounced = "queue.announced" { queue: QueueId, position: u32, wait_estimate_ms: Option<u64> }
    Dequeued = "queue.left" { queue: QueueId, exit: QueueExit, waited_ms: u64 }
    OfferMade = "offer.made" { offer: OfferId, agent: AgentId, queue: Option<QueueId>, deadline: Timestamp, explain: String }
    OfferEnded = "offer.ended" { offer: OfferId, agent: AgentId, how: OfferEnd }
    Bridged = "call.bridged" { legs: Vec<LegId> }
    Unbridged = "call.unbridged" { legs: Vec<LegId> }
    TransferStarted = "transfer.started" { kind_of: TransferKind, by: LegId, to: Pii<String> }
    TransferCompleted = "transfer.completed" { kind_of: TransferKind, by: LegId, to_leg: Option<LegId> }
    TransferFailed = "transfer.failed" { kind_of: TransferKind, by: LegId, reason: EndReason }
    ConsultStarted = "consult.started" { by: LegId, leg: LegId }
    ConsultEnded = "consult.ended" { by: LegId, leg: LegId, completed: bool }
    /// The person of `leg` asked to go on with device `to_leg` (S1.6).
    SwitchStarted = "switch.started" { leg: LegId, to_leg: LegId, source: Endpoint, target: Endpoint, pull: bool }
    /// `to` has taken the place of `from` in everything; `from` ends next.
    LegSwitched = "switch.completed" { from: LegId, to: LegId }
    SwitchFailed = "switch.failed" { leg: LegId, to_leg: LegId, reason: EndReason }
    Merged = "conference.merged" { legs: Vec<LegId> }
    ConferenceJoined = "conference.joined" { conference: ConferenceId, leg: LegId, members: u32 }
    ConferenceLeft = "conference.left" { conference: ConferenceId, leg: LegId, members: u32 }
    Parked = "park.parked" { leg: LegId, slot: String, by: Option<LegId> }
    ParkReturned = "park.returned" { slot: String, attempt: u32 }
    ParkRetrieved = "park.retrieved" { slot: String, by: LegId }
    SuperviseStarted = "supervise.started" { leg: LegId, mode: SuperviseMode }
    SuperviseChanged = "supervise.changed" { leg: LegId, mode: SuperviseMode }
    TakenOver = "supervise.taken_over" { by: LegId, from: LegId }
    /// The left channel has `left`, the right one what `left` hears: at first `right` and its `agent`, when
    /// one party alone is at the other end.
    RecordingStarted = "recording.started" {
        recording: RecordingId,
        left: LegId,
        right: Option<LegId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        path: String,
    }
    /// A party was told of the recording (the tenant's recording consent): by words, or by a beep.
    RecordingAnnounced = "recording.announced" { recording: RecordingId, leg: LegId, spoken: bool }
    RecordingPaused = "recording.paused" { recording: RecordingId, by: Actor }
    RecordingResumed = "recording.resumed" { recording: RecordingId, by: Actor }
    RecordingEnded = "recording.ended" { recording: RecordingId, duration_ms: u64, error: Option<String> }
    SharedOpChanged = "shared_op.state_changed" { uci: Uci, from: SharedState, to: SharedState, calls: Vec<RelatedCall> }
    WrapUpStarted = "wrap_up.started" { agent: AgentId, until: Timestamp }
    WrapUpNoted = "wrap_up.noted" { agent: AgentId, code: Option<WrapUpCodeId>, note: Option<Pii<String>> }
    WrapUpEnded = "wrap_up.ended" { agent: AgentId, timed_out: bool }
    /// Who calls, and how well it is proven: by Identity headers, the word of a trunk, or because it
    /// is a phone of ours. `verdict` is valid, invalid, stale, refused or none; `code` the SIP status
    /// that goes with it.
    IdentityJudged = "identity.judged" {
        leg: LegId,
        trust: crate::trust::Trust,
        verdict: String,
        code: Option<u16>,
        attestation: Option<String>,
        origid: Option<String>,
        /// Who diverted it, first to last.
        diversions: Vec<Pii<String>>,
        /// Identity headers it came with.
        headers: u32,
    }
    /// One step of keeping an identity over forwarding (S1.2): verified, decided, kept, matched,
    /// attached, not_attached, diverted, forwarded, div_made, div_absent, signed, not_signed.
    IdentityStepTaken = "identity.step" {
        leg: Option<LegId>,
        step: String,
        /// Why or how, as a stable word, and figures (`rate=20.0%`).
        detail: String,
        number: Option<Pii<String>>,
        /// The call whose identity it is, when it is another one.
        original: Option<InteractionId>,
    }
    /// The metadata that came with the call, decoded and found to be of this call (S3.1): what it
    /// shows, and where further content of it is. Addresses are those of the sender; screens show
    /// our own copies.
    CardDecoded = "card.decoded" {
        leg: LegId,
        proof: crate::card::CardProof,
        by: Option<String>,
        name: Option<Pii<String>>,
        reason: Option<Pii<String>>,
        picture: Option<Pii<String>>,
        picture_digest: Option<String>,
        details: Option<Pii<String>>,
        /// JSON pointer into the details, empty for the whole, and the digest of what is there.
        details_digests: Vec<(String, String)>,
        /// Filled for this call.
        link: Option<Pii<String>>,
        incentive: Option<crate::card::CardIncentive>,
    }
    /// The call came with metadata that is not shown, and why: it rings with its caller id alone.
    CardRefused = "card.refused" { leg: LegId, why: String }
    /// Content of a card came, or did not.
    CardContent = "card.content" {
        of: crate::card::ContentOf,
        name: Option<Pii<String>>,
        reason: Option<Pii<String>>,
        /// Path of our copy.
        picture: Option<String>,
        fault: Option<crate::card::ContentFault>,
        after_ms: u64,
    }
    /// An outgoing leg shows a brand of ours.
    CardSent = "card.sent" { leg: LegId, brand: BrandId, incentive: Option<crate::card::CardIncentive> }
    /// The call was accepted, so what was offered is given: once for a call. `brand`: it was ours.
    CardIncentiveGiven = "card.incentive_given" { leg: LegId, incentive: crate::card::CardIncentive, brand: Option<BrandId> }
    /// Somebody who was called says that the caller abuses it (S3.1 rule 6); of `number`, in canonical
    /// form. `proven`: the call was verified to be of that number.
    CallerReported = "caller.reported" { by: Actor, number: Pii<String>, proven: bool }
    CommandTaken = "command.taken" { command: CommandId, actor: Actor, what: String }
    Ended = "interaction.ended" { reason: EndReason, by: Option<LegId>, detail: Option<String> }

    PresenceChanged = "agent.presence_changed" { agent: AgentId, presence: Presence, by: Actor }
    /// What the presence becomes after the work at hand; none: it stays after all.
    NextPresenceSet = "agent.next_presence_set" { agent: AgentId, presence: Option<Presence>, by: Actor }
    RoutingStateChanged = "agent.state_changed" { agent: AgentId, state: RoutingState, interaction: Option<InteractionId> }
    LeaseLost = "agent.lease_lost" { agent: AgentId, what: String }

    PhoneRegistered = "phone.registered" { phone: PhoneId, contact: Pii<String>, expires_s: u32, transport: String }
    PhoneUnregistered = "phone.unregistered" { phone: PhoneId, why: String }
    TrunkUp = "trunk.up" { trunk: TrunkId, rtt_ms: u32 }
    TrunkDown = "trunk.down" { trunk: TrunkId, why: String }
    /// A call was refused for its identity, as the trunk's policy wants it.
    IdentityRefused = "trunk.identity_refused" { trunk: TrunkId, code: u16, reason: String }
    ConfigurationChanged = "tenant.configuration_changed" { by: Actor, what: String, id: String }
    /// Something came by a communication point: a call, a callback, a message.
    ContactCame = "contact.came" { contact: ContactId, point: PointId, what: String, mode: Option<String> }
    ContactChanged = "contact.changed" {
        contact: ContactId,
        state: String,
        mode: Option<String>,
        /// A change of mode that waits for an answer.
        asked: Option<String>,
        asked_by_customer: bool,
        interaction: Option<InteractionId>,
    }
    AccessDenied = "tenant.access_denied" { what: String, detail: String }
    /// A call was not let out; `why` is the code of the reason.
    OutboundRefused = "tenant.outbound_refused" { interaction: InteractionId, to: Pii<String>, why: EndReason }
    /// Something about outgoing calls that a person should look at: `spend`, `calls`, `rate`, `same_number`, `refusals`.
    OutboundAlert = "tenant.outbound_alert" { what: String, detail: String }
    /// What an answered outgoing call cost, in millionths of the tenant's currency; `day` is `20261120`.
    OutboundCharged = "tenant.outbound_charged" { interaction: InteractionId, leg: LegId, prefix: String, seconds: u64, micros: u64, day: u32 }
    /// The file of a recording was deleted; `why` is `retention` or `erasure`.
    RecordingDeleted = "tenant.recording_deleted" { recording: RecordingId, interaction: InteractionId, why: String }
    /// A customer was erased on the wish of somebody; `job` has the certificate.
    PersonErased = "tenant.person_erased" { person: PersonId, by: String, job: PrivacyJobId }
    /// Consent of a customer was written down, or taken back.
    ConsentChanged = "tenant.consent_changed" { consent: ConsentId, what: String, given: bool }
    /// Somebody lifted the limits of outgoing calls, or (without `until`) let them hold again.
    OutboundLifted = "tenant.outbound_lifted" { by: String, reason: String, until: Option<Timestamp> }
    /// An emergency call left on the short path.
    EmergencyCalled = "tenant.emergency_called" { interaction: InteractionId, leg: LegId, phone: Option<PhoneId>, callback: Pii<String> }
    /// A step towards emergency calls being live, or away from it: `requested`, `live`, `off`.
    EmergencyChanged = "tenant.emergency_changed" { what: String, by: String }
}

impl Event {
    /// Events that features beside the call may write into an interaction's log.
    pub fn is_aside(&self) -> bool {
        matches!(self, Self::ProofChanged { .. } | Self::CardContent { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialises_with_kind() {
        let e = Event::Ended {
            reason: EndReason::HungUp,
            by: None,
            detail: None,
        };
        let json = serde_json::to_value(&e).unwrap();
        assert_eq!(json["kind"], "interaction.ended");
        assert_eq!(json["reason"], "hung_up");
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), e);
    }

    #[test]
    fn kinds_are_unique() {
        let mut kinds: Vec<_> = Event::CATALOGUE.iter().map(|(k, _)| *k).collect();
        kinds.sort_unstable();
        let n = kinds.len();
        kinds.dedup();
        assert_eq!(kinds.len(), n);
    }
}
