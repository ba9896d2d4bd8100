//! The server's side: challenges with nonces that need no memory, and a memory of the nonces in use
//! that stops replays.

use super::{Algorithm, Authorization, Computation, Qop, hex, quote};
use crate::uri::SipUri;
use aws_lc_rs::{constant_time, hmac};
use cp_vocab::time::Timestamp;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

/// How long a nonce is good for; then its user is told `stale` and comes again with a new one.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(300);
/// Most nonces whose use is remembered. At the limit the oldest is forgotten, and every nonce as old
/// or older counts as stale, so that forgetting never lets a replay in.
pub const NONCES_MAX: usize = 1 << 17;
/// How far a nonce count may lie behind the highest one seen (requests overtake each other on UDP).
const WINDOW: u32 = 64;
/// Bytes of a nonce: time, counter, truncated HMAC. In hex on the wire.
const TIME_LEN: usize = 8;
const PLAIN_LEN: usize = TIME_LEN + 4;
const MAC_LEN: usize = 12;

/// Makes nonces and judges credentials.
#[derive(Debug)]
pub struct NonceKeeper {
    key: hmac::Key,
    /// The secret before the last rotation; its nonces stay good for their lifetime.
    previous: Option<hmac::Key>,
    counter: u32,
    used: FxHashMap<Plain, Counts>,
    /// In order of first use.
    order: VecDeque<Plain>,
    /// Nonces made at or before this time that are not in `used` are stale.
    forgotten: Timestamp,
    capacity: usize,
}

type Plain = [u8; PLAIN_LEN];

/// Nonce counts seen: the highest, and a bit for each of those before it.
#[derive(Clone, Copy, Debug)]
struct Counts {
    highest: u32,
    seen: u64,
}

/// H(A1) of a user, in lower-case hex.
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    pub ha1_md5: &'a str,
    pub ha1_sha256: &'a str,
}

/// Stands for a user there is not, so that the work is the same.
const NOBODY: Secrets<'_> = Secrets {
    ha1_md5: "00000000000000000000000000000000",
    ha1_sha256: "0000000000000000000000000000000000000000000000000000000000000000",
};

/// The request whose credentials are judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Request-URI as it came.
    pub uri: &'a str,
    pub body: &'a [u8],
    pub realm: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Ok,
    /// The secret is right, the nonce too old, used up, or of another life of this server: challenge
    /// again with `stale=true`, no failure of the user.
    Stale,
    Bad,
}

impl NonceKeeper {
    pub fn new(secret: [u8; 32]) -> Self {
        Self::with_capacity(secret, NONCES_MAX)
    }

    fn with_capacity(secret: [u8; 32], capacity: usize) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            previous: None,
            counter: 0,
            used: FxHashMap::default(),
            order: VecDeque::new(),
            forgotten: Timestamp::ZERO,
            capacity,
        }
    }

    /// New nonces are made with `secret`; those of the last secret stay good.
    pub fn rotate(&mut self, secret: [u8; 32]) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        self.previous = Some(std::mem::replace(&mut self.key, key));
    }

    /// Values for WWW-Authenticate or Proxy-Authenticate, in the order to send: SHA-256, then MD5
    /// (RFC 8760 2.4). Both have one nonce.
    pub fn challenge(&mut self, now: Timestamp, realm: &str, stale: bool) -> [String; 2] {
        self.counter = self.counter.wrapping_add(1);
        let mut plain = [0; PLAIN_LEN];
        plain[..TIME_LEN].copy_from_slice(&now.as_micros().to_be_bytes());
        plain[TIME_LEN..].copy_from_slice(&self.counter.to_be_bytes());
        let nonce = hex(&plain) + &hex(&mac(&self.key, &plain, realm));
        [Algorithm::Sha256, Algorithm::Md5].map(|algorithm| {
            let mut value = String::with_capacity(192);
            value.push_str("Digest realm=");
            quote(&mut value, realm);
            // Writing into a string cannot fail.
            let _ = write!(value, ", nonce=\"{nonce}\", qop=\"auth\"");
            let _ = write!(value, ", algorithm={}", algorithm.as_str());
            if stale {
                value.push_str(", stale=true");
            }
            value
        })
    }

    /// Judges credentials. For an unknown user `secrets` is `None`; the work done is the same.
    pub fn verify(
        &mut self,
        now: Timestamp,
        authorization: &Authorization<'_>,
        request: &Request<'_>,
        secrets: Option<Secrets<'_>>,
    ) -> Outcome {
        let a = authorization;
        let (Some(algorithm), Some(qop)) = (algorithm_of(a), qop_of(a)) else {
            return Outcome::Bad;
        };
        let known = secrets.unwrap_or(NOBODY);
        let expected = Computation {
            algorithm,
            ha1: match algorithm {
                Algorithm::Md5 => known.ha1_md5,
                Algorithm::Sha256 => known.ha1_sha256,
            },
            nonce: a.nonce,
            method: request.method,
            uri: a.uri,
            body: request.body,
            qop,
            nc: a.nc.unwrap_or(""),
            cnonce: a.cnonce.unwrap_or(""),
        }
        .response();
        let given = a.response.to_ascii_lowercase();
        let right =
            constant_time::verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok();
        let fits = a.realm == request.realm && same_target(a.uri, request.uri);
        let count = match (qop, a.nc, a.cnonce) {
            // Without a count a nonce serves once.
            (None, _, _) => Some(1),
            (Some(_), Some(nc), Some(_)) if nc.len() == 8 => u32::from_str_radix(nc, 16).ok(),
            _ => None,
        };
        match count {
            Some(count) if count > 0 && right && fits && secrets.is_some() => {
                match self.genuine(now, a.nonce, request.realm) {
                    Some(plain) if self.first_use(plain, count) => Outcome::Ok,
                    _ => Outcome::Stale,
                }
            }
            _ => Outcome::Bad,
        }
    }

    /// The inside of a nonce that we made and that is not too old.
    fn genuine(&self, now: Timestamp, nonce: &str, realm: &str) -> Option<Plain> {
        let mut bytes = [0; PLAIN_LEN + MAC_LEN];
        if nonce.len() != 2 * bytes.len() || !nonce.bytes().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&nonce[2 * i..2 * i + 2], 16).ok()?;
        }
        let mut plain = [0; PLAIN_LEN];
        plain.copy_from_slice(&bytes[..PLAIN_LEN]);
        let ours = std::iter::once(&self.key).chain(&self.previous).any(|key| {
            let expected = mac(key, &plain, realm);
            constant_time::verify_slices_are_equal(&expected, &bytes[PLAIN_LEN..]).is_ok()
        });
        let made = made(&plain);
        (ours && made <= now && now.since(made) <= NONCE_LIFETIME).then_some(plain)
    }

    /// Notes the use of a nonce; false when this count was used, or may have been.
    fn first_use(&mut self, plain: Plain, count: u32) -> bool {
        if let Some(counts) = self.used.get_mut(&plain) {
            return counts.note(count);
        }
        if made(&plain) <= self.forgotten {
            return false;
        }
        while self.order.len() >= self.capacity {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.used.remove(&oldest);
            self.forgotten = self.forgotten.max(made(&oldest));
        }
        self.order.push_back(plain);
        self.used.insert(
            plain,
            Counts {
                highest: count,
                seen: 1,
            },
        );
        true
    }

    /// Forgets nonces that are too old to be used. Call now and then; cheap when there is nothing to do.
    pub fn sweep(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.front() {
            if now.since(made(oldest)) <= NONCE_LIFETIME {
                break;
            }
            self.used.remove(oldest);
            self.order.pop_front();
        }
    }

    /// How many nonces are remembered.
    pub fn remembered(&self) -> usize {
        self.used.len()
    }
}

impl Counts {
    fn note(&mut self, count: u32) -> bool {
        if count > self.highest {
            let by = count - self.highest;
            self.seen = if by < WINDOW { self.seen << by | 1 } else { 1 };
            self.highest = count;
            return true;
        }
        let back = self.highest - count;
        if back >= WINDOW || self.seen & (1 << back) != 0 {
            return false;
        }
        self.seen |= 1 << back;
        true
    }
}

fn made(plain: &Plain) -> Timestamp {
    let mut time = [0; TIME_LEN];
    time.copy_from_slice(&plain[..TIME_LEN]);
    Timestamp(u64::from_be_bytes(time))
}

fn mac(key: &hmac::Key, plain: &Plain, realm: &str) -> [u8; MAC_LEN] {
    let mut context = hmac::Context::with_key(key);
    context.update(plain);
    context.update(realm.as_bytes());
    let mut out = [0; MAC_LEN];
    out.copy_from_slice(&context.sign().as_ref()[..MAC_LEN]);
    out
}

/// MD5 when none is named (RFC 7616 3.3); `None` for one we did not offer.
fn algorithm_of(a: &Authorization<'_>) -> Option<Algorithm> {
    let Some(name) = a.algorithm else {
        return Some(Algorithm::Md5);
    };
    [Algorithm::Md5, Algorithm::Sha256]
        .into_iter()
        .find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str()))
}

/// `Some(None)` when the client sent none.
fn qop_of(a: &Authorization<'_>) -> Option<Option<Qop>> {
    let Some(name) = a.qop else {
        return Some(None);
    };
    [Qop::Auth, Qop::AuthInt]
        .into_iter()
        .find(|qop| name.eq_ignore_ascii_case(qop.as_str()))
        .map(Some)
}

/// Whether the `uri` of the credentials calls whom the Request-URI calls. Hosts may differ: a proxy in
/// between may have put another (RFC 7616 3.4.6 leaves room); the one called may not.
fn same_target(uri: &str, request_uri: &str) -> bool {
    uri == request_uri
        || match (SipUri::parse(uri), SipUri::parse(request_uri)) {
            (Some(a), Some(b)) => a.user_decoded() == b.user_decoded(),
            _ => false,
        }
}

#[cfg(test)]
pub(super) fn small_keeper(secret: [u8; 32], capacity: usize) -> NonceKeeper {
    NonceKeeper::with_capacity(secret, capacity)
}
