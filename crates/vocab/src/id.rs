//! Typed ids: 128 bits in ULID layout (48 bits of milliseconds, 80 random), printed with a prefix
//! and Crockford base 32 (`int_01J…`). Made only by an [`IdSource`] that is passed in.

use crate::time::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// What every id type can do; lets [`IdSource::next`] make any of them.
pub trait TypedId: Copy + Eq + std::hash::Hash {
    const PREFIX: &'static str;
    fn from_u128(raw: u128) -> Self;
    fn as_u128(self) -> u128;
}

/// A text that is not an id of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {expected}_…: {text:?}")]
pub struct IdParseError {
    pub expected: &'static str,
    pub text: String,
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn encode(raw: u128, out: &mut [u8; 26]) {
    for (i, slot) in out.iter_mut().enumerate() {
        let shift = 125 - 5 * i as u32;
        *slot = CROCKFORD[((raw >> shift) & 31) as usize];
    }
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != 26 {
        return None;
    }
    let mut raw: u128 = 0;
    for (i, c) in text.bytes().enumerate() {
        let v = CROCKFORD
            .iter()
            .position(|x| *x == c.to_ascii_uppercase())? as u128;
        if i == 0 && v > 7 {
            return None;
        }
        raw = (raw << 5) | v;
    }
    Some(raw)
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl TypedId for $name {
            const PREFIX: &'static str = $prefix;
            fn from_u128(raw: u128) -> Self { Self(raw) }
            fn as_u128(self) -> u128 { self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buf = [0u8; 26];
                encode(self.0, &mut buf);
                f.write_str($prefix)?;
                f.write_str("_")?;
                f.write_str(std::str::from_utf8(&buf).expect("base 32 is ASCII"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = IdParseError;
            fn from_str(s: &str) -> Result<Self, IdParseError> {
                s.strip_prefix($prefix)
                    .and_then(|r| r.strip_prefix('_'))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| IdParseError { expected: $prefix, text: s.chars().take(64).collect() })
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

typed_ids! {
    /// A customer of the platform; everything belongs to exactly one.
    TenantId = "ten";
    /// A piece of work over all its legs, channels and transfers.
    InteractionId = "int";
    /// One party's connection on one channel.
    LegId = "leg";
    /// User call identifier: shared by the related calls of one operation (S1.3). Not a call key.
    Uci = "uci";
    /// A person who takes work.
    AgentId = "agt";
    /// A person who signs in (agent, supervisor, administrator).
    UserId = "usr";
    QueueId = "que";
    SkillId = "skl";
    NumberId = "num";
    TrunkId = "trk";
    PhoneId = "phn";
    OfferId = "off";
    RecordingId = "rec";
    PlaybackId = "ply";
    PromptId = "prm";
    ConferenceId = "cnf";
    /// A mix inside a media worker.
    MixId = "mix";
    WrapUpCodeId = "wuc";
    /// A communication point: where customers come in (S4.2).
    PointId = "cpt";
    /// A request that came by one.
    ContactId = "ctc";
    /// Business hours.
    ScheduleId = "sch";
    ApiKeyId = "key";
    /// A role that a tenant made for itself.
    RoleId = "rol";
    /// A program that gets tokens by the client credentials grant of OAuth 2.
    OAuthClientId = "ocl";
    /// An OpenID Connect provider that people of a tenant sign in with.
    IdentityProviderId = "idp";
    /// A passkey, authenticator app or recovery code that somebody signs in with.
    FactorId = "fac";
    SessionId = "ses";
    /// A customer, over all numbers, addresses and devices.
    PersonId = "per";
    /// A customer's consent to something.
    ConsentId = "cns";
    /// An erasure, or a sweep of what has been kept long enough.
    PrivacyJobId = "pvj";
    /// Something a person can prove itself with.
    CredentialId = "crd";
    /// A browser or app beside a call.
    DataSessionId = "dat";
    /// A caller who announces calls beforehand (S4.3).
    CallerPartnerId = "cpa";
    /// An announced call (S4.3).
    PrecallId = "pre";
    /// A tenant's rules of proof.
    ProofPolicyId = "ppo";
    /// How a business shows itself when it calls.
    BrandId = "brd";
    PictureId = "pic";
    /// A browser that is reached by Web Push.
    PushId = "psh";
    /// A receiver of events by HTTP.
    WebhookId = "whk";
    /// One command as it was accepted; answers and events name it.
    CommandId = "cmd";
    /// A certificate that signs for telephone numbers.
    CertificateId = "crt";
    NodeId = "nod";
    /// A browser tab that carries calls, for the life of its socket.
    DeviceId = "dev";
}

/// The only source of ids. Seeded by the driver (operating-system randomness) or the simulator (its seed).
pub struct IdSource {
    rng: StdRng,
}

impl IdSource {
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self {
            rng: StdRng::from_seed(seed),
        }
    }
    /// For tests and the simulator.
    pub fn from_u64(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
        }
    }
    /// A new id whose leading bits sort by `now`.
    pub fn next<T: TypedId>(&mut self, now: Timestamp) -> T {
        let ms = (now.as_millis() as u128) & ((1 << 48) - 1);
        let random =
            (u128::from(self.rng.next_u64()) << 16) | u128::from(self.rng.next_u32() & 0xffff);
        T::from_u128((ms << 80) | (random & ((1 << 80) - 1)))
    }
    /// 64 random bits, for tags, branches, SSRCs and seeds of children.
    pub fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses() {
        let mut ids = IdSource::from_u64(7);
        let id: InteractionId = ids.next(Timestamp::from_secs(1_700_000_000));
        let text = id.to_string();
        assert!(text.starts_with("int_01"), "{text}");
        assert_eq!(text.parse::<InteractionId>().unwrap(), id);
        assert!(text.parse::<LegId>().is_err());
        assert!("int_zz".parse::<InteractionId>().is_err());
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<InteractionId>(&json).unwrap(), id);
    }

    #[test]
    fn later_sorts_after() {
        let mut ids = IdSource::from_u64(7);
        let a: LegId = ids.next(Timestamp::from_secs(10));
        let b: LegId = ids.next(Timestamp::from_secs(11));
        assert!(a < b && a.to_string() < b.to_string());
    }
}
