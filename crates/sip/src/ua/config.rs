//! What a user agent is configured with, and the questions it asks of its owner.

pub use crate::digest::ClientCredential;
use crate::message::Message;
use crate::transaction::Timers;
use cp_vocab::net::{Flow, Transport};
use cp_vocab::{PhoneId, TrunkId};
use std::net::SocketAddr;
use std::time::Duration;

/// One listening socket of the edge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    pub transport: Transport,
    pub local: SocketAddr,
    /// What peers are told to reach us at (Via, Contact); differs from `local` behind NAT.
    pub advertised: SocketAddr,
}

/// Bounds of what strangers and bugs can make us hold. At each, the newest request is refused
/// (503 for calls, silence for the rest) and a `Denied` event says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UaLimits {
    pub calls_max: usize,
    pub server_transactions_max: usize,
    /// Source addresses remembered by the limiter; the longest idle goes first.
    pub sources_max: usize,
    /// Unanswered challenges and other unauthenticated requests per source: steady rate and burst.
    /// A successful authentication gives its token back, so that busy offices are not hit.
    pub unauthenticated_per_s: u32,
    pub unauthenticated_burst: u32,
    /// Wrong digests per source (one is forgiven each minute) before it is banned.
    pub digest_failures_max: u32,
    /// First ban; each further one is twice as long, up to `ban_max`.
    pub ban: Duration,
    pub ban_max: Duration,
    pub bindings_per_phone_max: usize,
    pub expires_min_s: u32,
    pub expires_max_s: u32,
}

impl Default for UaLimits {
    fn default() -> Self {
        Self {
            calls_max: 100_000,
            // What 15,000 calls/s leave behind over UDP in 32 s; about 0.7 kB each.
            server_transactions_max: 1_000_000,
            sources_max: 20_000,
            unauthenticated_per_s: 500,
            unauthenticated_burst: 5_000,
            digest_failures_max: 10,
            ban: Duration::from_secs(600),
            ban_max: Duration::from_secs(3_600),
            bindings_per_phone_max: 8,
            expires_min_s: 60,
            expires_max_s: 3_600,
        }
    }
}

/// What a [`crate::ua::UserAgent`] is made from.
#[derive(Clone, Debug)]
pub struct UaConfig {
    /// Product name for `Server` and `User-Agent`.
    pub product: String,
    /// Seed of tags, branches, Call-IDs and back-offs.
    pub seed: u64,
    pub nonce_secret: [u8; 32],
    pub listen: Vec<Listen>,
    pub timers: Timers,
    /// Session interval we ask for, in seconds (RFC 4028); at least 90. 0: no session timers.
    pub session_expires_s: u32,
    pub limits: UaLimits,
}

impl UaConfig {
    /// Everything at its default.
    pub fn new(seed: u64, nonce_secret: [u8; 32], listen: Vec<Listen>) -> Self {
        Self {
            product: "Crosspoint".into(),
            seed,
            nonce_secret,
            listen,
            timers: Timers::default(),
            session_expires_s: 1_800,
            limits: UaLimits::default(),
        }
    }
}

/// Who an authenticated request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Principal {
    Trunk(TrunkId),
    Phone(PhoneId),
}

/// Digest secrets of one user: `H(user:realm:password)` in lower-case hex.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub ha1_md5: String,
    pub ha1_sha256: String,
    pub principal: Principal,
}

impl std::fmt::Debug for Credential {
    // Secrets are never printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({:?})", self.principal)
    }
}

/// The owner's judgement of a request from outside any dialog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It is this trunk (by address or certificate): let it in.
    Trunk(TrunkId),
    /// It must prove by digest who it is.
    Challenge {
        realm: String,
    },
    Refuse {
        status: u16,
    },
    /// Say nothing.
    Silent,
}

/// Implemented by the engine over its configuration snapshot.
pub trait Directory {
    /// Who may this be? Called for every out-of-dialog request before anything else.
    fn admit(&self, flow: &Flow, tls_name: Option<&str>, request: &Message) -> Admission;
    /// Digest secrets. Called for unknown users too, who must cost the same.
    fn credential(&self, realm: &str, user: &str) -> Option<Credential>;
}

/// A name and an address as they go into From and To.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NameAddrOwned {
    pub display: Option<String>,
    pub uri: String,
}

/// A part of a body of several, referred to by `cid:` and its id (RFC 2392).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BodyPart {
    pub content_type: String,
    pub content_id: String,
    pub body: String,
}

/// A call to make.
#[derive(Clone, Debug)]
pub struct OutgoingCall {
    pub request_uri: String,
    /// Where to send it; `None`: the first `Route` of `headers`, else `request_uri`, by RFC 3263.
    pub target: Option<cp_vocab::net::Target>,
    pub from: NameAddrOwned,
    pub to: NameAddrOwned,
    /// User part of our Contact.
    pub contact_user: String,
    /// Our offer; `None`: the far side offers in its 2xx and we answer in the ACK (`ack_with`).
    pub sdp: Option<String>,
    /// Further headers. `Max-Forwards` replaces the default of 70.
    pub headers: Vec<(String, String)>,
    /// What travels beside the offer; with any the body is `multipart/mixed` (RFC 5621).
    pub parts: Vec<BodyPart>,
    pub credential: Option<ClientCredential>,
    pub via_trunk: Option<TrunkId>,
    /// Without a final response for so long, the call is cancelled and fails with 408.
    pub ring_timeout: Duration,
    /// Offer reliable provisional responses (RFC 3262). Only with an offer of ours.
    pub supported_100rel: bool,
}

/// One trunk as the user agent sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkConfig {
    pub id: TrunkId,
    /// Host or `host:port` calls leave to; empty: inbound only.
    pub host: String,
    pub transport: Transport,
    pub user: String,
    pub password: String,
    /// Keep a registration there.
    pub register: bool,
    /// OPTIONS every so many seconds; 0: never.
    pub health_interval_s: u32,
    /// Known addresses; empty: resolve `host`.
    pub addresses: Vec<SocketAddr>,
}

impl std::fmt::Debug for TrunkConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrunkConfig({})", self.id)
    }
}
