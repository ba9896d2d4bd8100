//! Call identity in the path of calls (RFC 8224, RFC 8588, RFC 8946; spec page S1.2): a call whose
//! certificates are not known yet waits a little for them at the door, then it is judged and goes
//! on; what was found is kept beside the interaction for as long as it lives, and decides what
//! outgoing legs carry.

mod attach;
mod door;
mod figures;
mod judge;
mod marks;
mod replay;

pub(crate) use door::Pending;
pub(crate) use judge::CallIdentity;
pub(crate) use marks::{asserted, identifier, of_address as identifier_of};

use aws_lc_rs::rand::SystemRandom;
use cp_identity::certificate::Trust;
use cp_identity::fetch::{Cache, CacheLimits};
use cp_identity::forward::{CallKey, CustomerKey, ForwardLimits, Forwarding};
use cp_identity::passport::sign::Signer;
use cp_identity::verify::Policy;
use cp_sip::ua::{CallRef, Principal};
use cp_vocab::model::Snapshot;
use cp_vocab::*;
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Calls that wait for certificates; beyond it a call goes on unverified at once.
const WAITING_MAX: usize = 10_000;
/// Keys of calls whose original interaction is remembered for the trace; the oldest goes.
const ORIGINALS_MAX: usize = 50_000;

/// How call identity works on this node.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// Whom to believe; `None`: nothing is verified.
    pub trust: Option<Arc<Trust>>,
    pub policy: Policy,
    /// How long a call waits at the door for certificates; then it goes on unverified.
    pub wait: Duration,
    pub cache: CacheLimits,
    pub forwarding: ForwardLimits,
    /// Where verifiers reach our certificates: `https://host[:8443]`; empty: nowhere.
    pub public_url: String,
    /// Where phones and verifiers reach pictures; empty: nowhere, so none is shown to them.
    pub pictures_url: String,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            trust: None,
            policy: Policy::default(),
            wait: Duration::from_millis(1_500),
            cache: CacheLimits::default(),
            forwarding: ForwardLimits::default(),
            public_url: String::new(),
            pictures_url: String::new(),
        }
    }
}

/// What the engine knows of call identity.
pub(crate) struct Identity {
    pub(crate) config: IdentityConfig,
    cache: Option<Cache>,
    waiting: FxHashMap<CallRef, Pending>,
    deadlines: BTreeSet<(Timestamp, CallRef)>,
    pub(crate) forwarding: Forwarding,
    /// By interaction, while it lives.
    pub(crate) known: FxHashMap<InteractionId, CallIdentity>,
    signers: FxHashMap<TenantId, Vec<Signer>>,
    originals: FxHashMap<CallKey, InteractionId>,
    originals_by_age: VecDeque<CallKey>,
    replays: replay::Replays,
    customers: FxHashMap<(TenantId, CustomerKey), figures::Counters>,
    rng: SystemRandom,
}

impl Identity {
    pub(crate) fn new(config: IdentityConfig) -> Self {
        let cache = config.trust.clone().map(|t| Cache::new(config.cache, t));
        Self {
            cache,
            waiting: FxHashMap::default(),
            deadlines: BTreeSet::new(),
            forwarding: Forwarding::new(config.forwarding),
            known: FxHashMap::default(),
            signers: FxHashMap::default(),
            originals: FxHashMap::default(),
            originals_by_age: VecDeque::new(),
            replays: replay::Replays::default(),
            customers: FxHashMap::default(),
            rng: SystemRandom::new(),
            config,
        }
    }

    /// New roots or revocations: what was judged by the old ones is fetched and judged again.
    pub(crate) fn trust(&mut self, trust: Option<Arc<Trust>>) {
        self.cache = trust.clone().map(|t| Cache::new(self.config.cache, t));
        self.config.trust = trust;
    }

    /// The tenants' certificates have changed.
    pub(crate) fn configure(&mut self, snapshot: &Snapshot) {
        self.signers.clear();
        for c in &snapshot.certificates {
            let url = match c.url.as_str() {
                "" => format!(
                    "{}/identity/certificates/{}.pem",
                    self.config.public_url.trim_end_matches('/'),
                    c.id
                ),
                own => own.to_string(),
            };
            // The API checks what it takes; one that went bad since signs nothing.
            if let Ok(signer) = Signer::from_pem(c.key.expose(), &c.chain, &url) {
                self.signers.entry(c.tenant).or_default().push(signer);
            }
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        let door = self.deadlines.first().map(|(at, _)| *at);
        let cache = self.cache.as_ref().and_then(Cache::next_timeout);
        let kept = self.forwarding.next_timeout();
        [door, cache, kept].into_iter().flatten().min()
    }

    /// How full its tables are: waiting calls, calls with an identity, identities kept.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.waiting.len(), self.known.len(), self.forwarding.len()]
    }

    fn remember(&mut self, key: CallKey, of: InteractionId) {
        if self.originals.insert(key, of).is_none() {
            self.originals_by_age.push_back(key);
        }
        while self.originals_by_age.len() > ORIGINALS_MAX {
            if let Some(oldest) = self.originals_by_age.pop_front() {
                self.originals.remove(&oldest);
            }
        }
    }

    /// The certificate that may sign for the identifier: one that lists it, else one by its code.
    fn signer(&self, tenant: TenantId, identifier: &str) -> Option<&Signer> {
        let all = self.signers.get(&tenant)?;
        all.iter()
            .find(|s| s.lists(identifier))
            .or_else(|| all.iter().find(|s| s.speaks_for(identifier)))
    }
}

/// The connection a call came by or goes to, as the forwarding knows it.
fn customer(of: Principal) -> CustomerKey {
    let id = match of {
        Principal::Trunk(t) => t.as_u128(),
        Principal::Phone(p) => p.as_u128(),
    };
    // The low half of an id is random.
    CustomerKey(id as u64)
}
