//! Web Push: an incoming call reaches a browser whose tab is closed (S3.1).
//!
//! [`Subscription`] is where a browser wants to be reached, [`seal`] encrypts a message for it
//! (RFC 8291), [`Vapid`] signs who sends (RFC 8292), [`request`] puts both into one HTTP request
//! (RFC 8030) and [`Outcome`] judges the answer. [`payload`] has the bodies, those for the push
//! services of phone makers too.

mod outcome;
pub mod payload;
mod seal;
mod subscription;
mod vapid;

pub use outcome::Outcome;
pub use seal::{PLAINTEXT_BYTES_MAX, Sealing, open, seal};
pub use subscription::Subscription;
pub use vapid::Vapid;

/// Why a push could not be made. Nothing was sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PushError {
    #[error("the subscription's endpoint is no https address of a push service")]
    Endpoint,
    #[error("the subscription's key {0} is not what a browser makes")]
    Key(&'static str),
    #[error("the message has {found} bytes, a push carries {max} at most")]
    TooLong { found: usize, max: usize },
    #[error("the key that signs pushes is damaged: make a new one")]
    Signer,
    #[error("the message cannot be opened: wrong key or altered")]
    Unopened,
    #[error("cryptography failed")]
    Crypto,
}

impl PushError {
    /// Stable code for problem details and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Endpoint => "push_endpoint_invalid",
            Self::Key(_) => "push_key_invalid",
            Self::TooLong { .. } => "push_too_long",
            Self::Signer => "push_signer_invalid",
            Self::Unopened => "push_unopened",
            Self::Crypto => "push_crypto_failed",
        }
    }
}

/// How urgent a message is to a sleeping device (RFC 8030 5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// An incoming call, the RFC's own example.
    High,
    Normal,
}

/// An HTTP POST to the push service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushRequest {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// The request that brings `plaintext` to a browser. A later one with the same `topic` replaces it
/// while it waits at the push service, which is how a ring is taken back.
///
/// `ttl_s` is how long the service may keep it; `now_s` seconds since 1970.
///
/// # Errors
/// See [`PushError`]; nothing leaves the house for a subscription that is not sound.
pub fn request(
    to: &Subscription,
    plaintext: &[u8],
    vapid: &Vapid,
    (urgency, topic, ttl_s): (Urgency, &str, u32),
    now_s: u64,
    sealing: &Sealing,
) -> Result<PushRequest, PushError> {
    let body = seal(to, plaintext, sealing)?;
    let urgency = match urgency {
        Urgency::High => "high",
        Urgency::Normal => "normal",
    };
    Ok(PushRequest {
        url: to.endpoint.clone(),
        headers: vec![
            ("TTL", ttl_s.to_string()),
            ("Urgency", urgency.into()),
            ("Topic", topic_of(topic)),
            ("Content-Encoding", "aes128gcm".into()),
            ("Content-Type", "application/octet-stream".into()),
            ("Authorization", vapid.authorization(&to.origin(), now_s)?),
        ],
        body,
    })
}

/// A topic is at most 32 characters of URL-safe Base64 (RFC 8030 5.4); ours are ids, kept by their
/// end, where they differ.
fn topic_of(id: &str) -> String {
    let plain: Vec<char> = id
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect();
    plain[plain.len().saturating_sub(32)..].iter().collect()
}

#[cfg(test)]
mod tests;
