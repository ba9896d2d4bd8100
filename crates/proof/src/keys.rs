//! The keys that sign assertions and notices. The newest signs; one that was replaced verifies for
//! as long as what it signed can last, so that a renewal is noticed by nobody.

use crate::desk::{Desk, lock, random};
use crate::error::{ProofError, Result};
use aws_lc_rs::rand::SystemRandom;
use cp_identity::proof::jws::SigningKey;
use cp_store::Store;
use cp_vocab::{Pii, Timestamp};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// What was signed lasts this long at most: notices an hour, assertions a quarter of it; and a
/// minute for clocks that differ.
const SIGNED_TIME_MAX: Duration = Duration::from_secs(61 * 60);

/// Keys as they stand in the store, the newest first.
pub(crate) struct Ring {
    keys: Vec<SigningKey>,
    made: Vec<Timestamp>,
}

impl Ring {
    fn read(store: &dyn Store) -> Result<Self> {
        let kept = store.signing_keys()?;
        let key = |k: &cp_store::SigningKey| SigningKey::from_pkcs8(&k.id, k.pkcs8.expose());
        let keys: Option<Vec<_>> = kept.iter().map(key).collect();
        Ok(Self {
            keys: keys.ok_or(ProofError::Crypto)?,
            made: kept.iter().map(|k| k.created_at).collect(),
        })
    }

    /// The one that signs.
    pub(crate) fn signing(&self) -> Option<&SigningKey> {
        self.keys.first()
    }

    /// Those whose signatures may still be good: the newest, and what was replaced lately.
    pub(crate) fn live(&self, now: Timestamp) -> &[SigningKey] {
        let replaced = self.made.iter();
        let lately = replaced.take_while(|made| now.since(**made) < SIGNED_TIME_MAX);
        &self.keys[..(lately.count() + 1).min(self.keys.len())]
    }
}

/// The ring in use, exchanged whole.
pub(crate) struct Keys {
    ring: RwLock<Arc<Ring>>,
    renewing: Mutex<()>,
}

impl Keys {
    /// The first start makes a key.
    pub(crate) fn load(store: &dyn Store, now: Timestamp) -> Result<Self> {
        let mut ring = Ring::read(store)?;
        if ring.keys.is_empty() {
            make(store, now)?;
            ring = Ring::read(store)?;
        }
        Ok(Self {
            ring: RwLock::new(Arc::new(ring)),
            renewing: Mutex::default(),
        })
    }

    pub(crate) fn ring(&self) -> Arc<Ring> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.clone()
    }
}

/// What a renewal did.
#[derive(Clone, Debug, Serialize)]
pub struct KeyRenewed {
    /// The name of the key that signs from now on.
    pub kid: String,
    /// Those before it, which verify what they signed until then.
    pub retiring: Vec<String>,
    pub retired_at: String,
}

impl Desk {
    /// The keys in use now.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.keys.ring()
    }

    /// Makes a new key and signs with it from now on.
    pub fn renew_signing_key(&self) -> Result<KeyRenewed> {
        let _turn = lock(&self.keys.renewing);
        let now = self.now();
        let kid = make(self.store.as_ref(), now)?;
        let ring = Arc::new(Ring::read(self.store.as_ref())?);
        let before = ring.live(now).iter().skip(1);
        let renewed = KeyRenewed {
            kid,
            retiring: before.map(|k| k.kid.clone()).collect(),
            retired_at: (now + SIGNED_TIME_MAX).to_rfc3339(),
        };
        let mut place = self
            .keys
            .ring
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *place = ring;
        Ok(renewed)
    }

    /// The public keys that verify assertions and notices (RFC 7517).
    pub fn key_set(&self) -> serde_json::Value {
        let ring = self.ring();
        let keys: Vec<_> = ring.live(self.now()).iter().map(SigningKey::jwk).collect();
        serde_json::json!({ "keys": keys })
    }
}

fn make(store: &dyn Store, now: Timestamp) -> Result<String> {
    let made = SigningKey::generate(&SystemRandom::new()).ok_or(ProofError::Crypto)?;
    let id = cp_identity::b64::encode(&random::<9>()?);
    store.signing_key_put(cp_store::SigningKey {
        id: id.clone(),
        created_at: now,
        pkcs8: Pii(made),
    })?;
    Ok(id)
}
