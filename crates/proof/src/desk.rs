//! What the others share: the store, the way to the engine, the keys, and one turn per call.

use crate::ask::Dialog;
use crate::error::{ProofError, Result};
use crate::keys::Keys;
use crate::message::Messages;
use crate::precall::Paces;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use cp_identity::proof::record::Record;
use cp_store::Store;
use cp_vocab::command::{Actor, CommandEnvelope};
use cp_vocab::id::TypedId;
use cp_vocab::proof::ProofPolicy;
use cp_vocab::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Calls that may be worked on at a time without waiting for each other.
const TURNS: usize = 64;
/// Calls with an open question to the caller at a time; a further one is treated as not proven.
pub(crate) const DIALOGS_MAX: usize = 20_000;

/// The way to the engine.
pub trait Engine: Send + Sync + 'static {
    /// Hands a command over and does not wait: what becomes of it is in the log.
    fn tell(&self, envelope: CommandEnvelope);
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// Where customers' browsers reach this server: `https://desk.example`.
    pub public_url: String,
}

/// What a desk is made of.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub engine: Arc<dyn Engine>,
    pub messages: Arc<dyn Messages>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub settings: Settings,
}

/// Customers' proofs of one node.
pub struct Desk {
    pub(crate) store: Arc<dyn Store>,
    engine: Arc<dyn Engine>,
    pub(crate) messages: Arc<dyn Messages>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) settings: Settings,
    pub(crate) keys: Keys,
    ids: Mutex<IdSource>,
    turns: Vec<Mutex<()>>,
    pub(crate) dialogs: Mutex<HashMap<InteractionId, Dialog>>,
    pub(crate) paces: Mutex<Paces>,
    /// A hash nobody knows the PIN of: an unknown caller takes as long as a known one.
    pub(crate) decoy: String,
}

impl Desk {
    /// # Errors
    /// When the store fails, or no key can be made.
    pub fn new(parts: Parts) -> Result<Self> {
        let now = (parts.clock)();
        let keys = Keys::load(parts.store.as_ref(), now)?;
        let (seed, salt) = (random::<32>()?, random::<16>()?);
        let secret = cp_identity::b64::encode(&random::<16>()?);
        let decoy = cp_identity::proof::pin::hash(&secret, &salt).ok_or(ProofError::Crypto)?;
        Ok(Self {
            store: parts.store,
            engine: parts.engine,
            messages: parts.messages,
            clock: parts.clock,
            settings: parts.settings,
            keys,
            ids: Mutex::new(IdSource::from_seed(seed)),
            turns: (0..TURNS).map(|_| Mutex::new(())).collect(),
            dialogs: Mutex::default(),
            paces: Mutex::default(),
            decoy,
        })
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn new_id<T: TypedId>(&self) -> T {
        let now = self.now();
        lock(&self.ids).next(now)
    }

    /// One at a time for one call.
    pub(crate) fn turn(&self, interaction: InteractionId) -> MutexGuard<'_, ()> {
        let at = (interaction.as_u128() % TURNS as u128) as usize;
        lock(&self.turns[at])
    }

    fn envelope(&self, tenant: TenantId, command: Command) -> CommandEnvelope {
        CommandEnvelope {
            id: self.new_id(),
            tenant,
            actor: Actor::System,
            command,
        }
    }

    pub(crate) fn tell(&self, tenant: TenantId, command: Command) {
        self.engine.tell(self.envelope(tenant, command));
    }

    pub fn policy(&self, tenant: TenantId) -> Result<ProofPolicy> {
        let set = self.store.proof_policy(tenant)?;
        let none = ProofPolicyId::from_u128(0);
        Ok(set.unwrap_or_else(|| ProofPolicy::with_defaults(none, tenant)))
    }

    /// What is known of the customer of an interaction, begun from the call itself when nothing is.
    ///
    /// # Errors
    /// `Ended` for one that is over; `Store(NotFound)` for none, or one of another tenant.
    pub(crate) fn record(&self, tenant: TenantId, interaction: InteractionId) -> Result<Record> {
        // Asked each time: a call may have ended with a process that could not revoke any more.
        let row = self.store.interaction(tenant, interaction)?;
        if row.ended_at.is_some() {
            return Err(ProofError::Ended);
        }
        match self.kept(tenant, interaction)? {
            Some(record) if record.revoked => return Err(ProofError::Ended),
            Some(record) => return Ok(record),
            None => {}
        }
        let legs = self.store.legs(tenant, interaction)?;
        let customer = legs
            .iter()
            .find(|l| l.role == cp_vocab::event::LegRole::Customer && l.ended_at.is_none());
        let inbound = row.direction != cp_vocab::event::Direction::Outbound;
        let (caller, called) = if inbound {
            (&row.from, &row.to)
        } else {
            (&row.to, &row.from)
        };
        Ok(Record {
            leg: customer.map(|l| l.id),
            caller: Pii(caller.expose().user().to_string()),
            called: Pii(called.expose().user().to_string()),
            queue: row
                .queue
                .filter(|_| row.state == cp_store::InteractionState::Queued),
            ..Record::default()
        })
    }

    /// What was kept of a call, also of one that is over.
    pub(crate) fn kept(
        &self,
        tenant: TenantId,
        interaction: InteractionId,
    ) -> Result<Option<Record>> {
        let Some(row) = self.store.proof(tenant, interaction)? else {
            return Ok(None);
        };
        let mut record: Record =
            serde_json::from_str(row.body.expose()).map_err(|_| ProofError::NotFound)?;
        record.person = row.person;
        Ok(Some(record))
    }

    pub(crate) fn keep(
        &self,
        tenant: TenantId,
        interaction: InteractionId,
        record: &Record,
    ) -> Result<()> {
        let body = serde_json::to_string(record).map_err(|_| ProofError::Crypto)?;
        let row = cp_store::ProofRow {
            interaction,
            tenant,
            person: record.person,
            body: Pii(body),
        };
        Ok(self.store.proof_put(row, self.now())?)
    }
}

/// Bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| ProofError::Crypto)?;
    Ok(bytes)
}

/// A panic in another call's work does not stop this one's.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
