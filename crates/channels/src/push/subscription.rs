//! Where a browser wants to be reached: what `PushSubscription.toJSON()` gives.

use super::PushError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest endpoint that is taken; real ones have about 200 characters.
const ENDPOINT_BYTES_MAX: usize = 2_048;

/// One browser's subscription. Its endpoint is a secret of its owner: who has it can send.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    pub(super) endpoint: String,
    /// The browser's public key, uncompressed P-256.
    pub(super) p256dh: [u8; 65],
    pub(super) auth: [u8; 16],
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscription({})", self.origin())
    }
}

impl Subscription {
    /// Reads the three texts that the browser gave. Whether the host may be reached at all is judged
    /// by the guarded client when something is sent.
    ///
    /// # Errors
    /// `Endpoint`, or `Key` naming the field.
    pub fn new(endpoint: &str, p256dh: &str, auth: &str) -> Result<Self, PushError> {
        let host = endpoint
            .strip_prefix("https://")
            .and_then(|rest| rest.split(['/', '?', '#']).next());
        let sound = endpoint.len() <= ENDPOINT_BYTES_MAX
            && endpoint.bytes().all(|b| b.is_ascii_graphic())
            && host.is_some_and(|h| !h.is_empty() && !h.contains('@'));
        if !sound {
            return Err(PushError::Endpoint);
        }
        let p256dh: [u8; 65] = decoded(p256dh).ok_or(PushError::Key("p256dh"))?;
        if p256dh[0] != 4 {
            return Err(PushError::Key("p256dh"));
        }
        Ok(Self {
            endpoint: endpoint.into(),
            p256dh,
            auth: decoded(auth).ok_or(PushError::Key("auth"))?,
        })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Scheme and host with port: whom a VAPID token is for (RFC 8292 2).
    pub fn origin(&self) -> String {
        let rest = self.endpoint.strip_prefix("https://").unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        format!("https://{host}")
    }
}

/// Browsers give URL-safe Base64, some libraries with padding.
fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    bytes.try_into().ok()
}
