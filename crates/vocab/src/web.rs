//! The words between a browser and the engine: what a device asks, what it is told; and between
//! the engine and the media worker that holds the browser's peer connection. The JSON of it is in
//! docs/webrtc.md.

use crate::end::EndReason;
use crate::event::{Direction, LegRole};
use crate::id::*;
use crate::media::{Codec, SeatsAsk};
use crate::model::{Destination, DialTarget};
use serde::{Deserialize, Serialize};

/// Longest SDP taken from a browser, in bytes.
pub const SDP_BYTES_MAX: usize = 32 * 1024;
/// Longest context of a customer's page, in bytes of JSON.
pub const CONTEXT_BYTES_MAX: usize = 8 * 1024;
/// Legs that a tab may say it carries already; an agent has few.
pub const CARRIED_MAX: usize = 32;
/// How long a leg whose browser is away is kept, in ms.
pub const RESUME_MS: u64 = 10_000;

/// What a browser asks. The API has checked who it is; the engine checks what it may touch: the
/// legs of its own device, or of its own agent.
#[derive(Clone, PartialEq, Debug)]
pub enum DeviceAsk {
    /// This device is where the agent's calls ring from now on. `carries`: legs whose peer connections
    /// it has already, since its socket alone was lost.
    Attach {
        agent: AgentId,
        carries: Vec<LegId>,
    },
    /// The agent's phone (if any) rings again.
    Detach {
        agent: AgentId,
    },
    /// Its socket is gone.
    Gone,
    /// An agent dials.
    Call {
        agent: AgentId,
        to: DialTarget,
        sdp: String,
    },
    /// A customer without an account calls where its token says.
    CustomerCall(Box<CustomerCall>),
    /// A customer's new socket takes up its leg.
    Resume {
        leg: LegId,
    },
    /// Takes a ringing leg with the browser's offer.
    Accept {
        leg: LegId,
        sdp: String,
    },
    Reject {
        leg: LegId,
    },
    /// Negotiates anew; `fresh`: with a new peer connection.
    Offer {
        leg: LegId,
        sdp: String,
        fresh: bool,
    },
    Answer {
        leg: LegId,
        sdp: String,
    },
    RequestOffer {
        leg: LegId,
    },
    Candidate {
        leg: LegId,
        candidate: String,
    },
    Digits {
        leg: LegId,
        digits: String,
    },
    Mute {
        leg: LegId,
        muted: bool,
    },
    HangUp {
        leg: LegId,
    },
    /// How it hears several (S3.6).
    Seats {
        leg: LegId,
        seats: SeatsAsk,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub struct CustomerCall {
    pub destination: Destination,
    pub name: Option<String>,
    /// Opaque mark of whoever made the token.
    pub subject: Option<String>,
    /// What the page said, as JSON text; data, never interpreted.
    pub context: Option<String>,
    pub sdp: String,
}

/// A leg as a browser is told of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DeviceLeg {
    pub leg: LegId,
    pub interaction: InteractionId,
    pub state: DeviceLegState,
    pub direction: Direction,
    pub from: String,
    pub from_name: Option<String>,
    pub to: String,
    pub auto_answer: bool,
    /// The offer this leg rings for, when work is offered by a queue.
    pub offer: Option<OfferId>,
    /// Of a customer's page: the mark in its token, and what it said of itself (data, not markup).
    pub subject: Option<String>,
    pub context: Option<serde_json::Value>,
    /// What is shown of the caller, as far as it is there yet; [`Signal::Card`] brings what comes later.
    pub card: Option<crate::card::RingCard>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceLegState {
    Ringing,
    Calling,
    Connected,
}

/// What a browser is told without having asked.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "media", rename_all = "snake_case")]
pub enum Signal {
    Ring {
        leg: Box<DeviceLeg>,
    },
    /// Content of the card of a ringing leg came.
    Card {
        leg: LegId,
        card: Box<crate::card::RingCard>,
    },
    AutoAnswer {
        leg: LegId,
    },
    Answer {
        leg: LegId,
        sdp: String,
        video: bool,
    },
    Offer {
        leg: LegId,
        sdp: String,
    },
    Ringing {
        leg: LegId,
    },
    Answered {
        leg: LegId,
    },
    /// Make a new peer connection for this leg.
    Reconnect {
        leg: LegId,
    },
    Connection {
        leg: LegId,
        state: Connection,
    },
    Ended {
        leg: LegId,
        reason: SignalEnd,
    },
    Replaced,
    /// Whom this leg hears, and which m-line carries each alone.
    Tracks {
        leg: LegId,
        tracks: Vec<TrackShown>,
        /// Audio lines that are missing for all to have one; until they are there all come mixed.
        lacking: usize,
    },
    /// Who of them speaks now.
    Speaking {
        leg: LegId,
        parties: Vec<LegId>,
    },
    Error {
        leg: LegId,
        code: &'static str,
        detail: String,
    },
}

/// One of the voices a browser hears.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TrackShown {
    pub party: LegId,
    /// The m-line (`a=mid`) on which this voice comes alone; `null`: it comes mixed, on the first one.
    pub mid: Option<String>,
    pub name: String,
    pub role: LegRole,
    pub agent: Option<AgentId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    Connected,
    Disconnected,
}

/// Why a leg is no longer this browser's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum SignalEnd {
    Over(EndReason),
    /// Another tab of the same agent took it.
    Moved(Moved),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    MovedTab,
}

/// Engine to worker, about a leg that is a browser's peer connection. The first `TakeOffer` or
/// `MakeOffer` opens the leg.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerAsk {
    /// Their offer; answered by [`PeerSaid::Answer`]. `fresh`: with a new peer connection in place of the old.
    TakeOffer {
        sdp: String,
        fresh: bool,
    },
    /// Answered by [`PeerSaid::Offer`].
    MakeOffer,
    /// Their answer to our offer; answered by [`PeerSaid::Agreed`].
    TakeAnswer {
        sdp: String,
    },
    Candidate {
        candidate: String,
    },
    /// Keys pressed by message instead of media.
    Press {
        digits: String,
    },
}

/// What a negotiation came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerAgreed {
    pub codec: Codec,
    /// Whether they take our audio, and send theirs.
    pub send: bool,
    pub receive: bool,
    pub video: bool,
}

/// A voice, and the line (`a=mid`) that carries it alone.
pub type HeardOn = (LegId, Option<String>);

/// Worker to engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerSaid {
    Answer {
        sdp: String,
        agreed: PeerAgreed,
    },
    Offer {
        sdp: String,
    },
    Agreed(PeerAgreed),
    Connection(Connection),
    /// Whose voices it hears, each with the line that carries it alone; and how many lines are missing.
    Tracks {
        tracks: Vec<HeardOn>,
        lacking: usize,
    },
    /// Who of them speaks now.
    Speaking {
        legs: Vec<LegId>,
    },
    /// The last ask came to nothing. `open`: the leg is still there as it was before.
    Refused {
        code: &'static str,
        detail: String,
        open: bool,
    },
}
