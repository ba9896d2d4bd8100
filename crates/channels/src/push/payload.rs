//! What a push says: to our service worker, and in the forms that apps of phone makers take.
//!
//! Crosspoint sends Web Push itself. An operator with an app of their own sends [`apns`] and
//! [`fcm`] bodies with their credentials: both are made here, so that the app reads the same
//! fields everywhere.

use super::PushError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A VoIP push of Apple takes 5,120 bytes, a message of FCM 4,096 (documented by both).
const APNS_BYTES_MAX: usize = 5_120;
const FCM_BYTES_MAX: usize = 4_096;

/// How a ring came to its end on the devices that did not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RingEnd {
    AnsweredElsewhere,
    Missed,
}

/// What a device is told. Texts are plain text, made inert before they come here; a device shows
/// them as text, never as markup.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    Ring {
        /// What is being answered: the later end names it too.
        ring: String,
        title: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        picture: Option<String>,
        /// Page that answers, on our own origin.
        url: String,
        /// Milliseconds since 1970 after which nobody answers any more.
        until_ms: u64,
        /// It rings already, and shows more now: without a further sound.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        renewed: bool,
    },
    RingEnded {
        ring: String,
        how: RingEnd,
    },
}

impl Message {
    /// The plaintext of a Web Push.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a message of texts serialises")
    }

    fn ring(&self) -> &str {
        match self {
            Self::Ring { ring, .. } | Self::RingEnded { ring, .. } => ring,
        }
    }
}

/// A request to Apple's push service, `POST /3/device/{token}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Apns {
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// A message in the form that Apple's push service takes.
///
/// A ring goes as a VoIP push, which the app must report as a call at once; its end as an
/// ordinary silent one, since a VoIP push may carry nothing but calls.
///
/// # Errors
/// `TooLong`.
pub fn apns(message: &Message, bundle: &str) -> Result<Apns, PushError> {
    let ring = matches!(message, Message::Ring { .. });
    let (kind, topic, aps) = if ring {
        ("voip", format!("{bundle}.voip"), json!({}))
    } else {
        ("background", bundle.into(), json!({"content-available": 1}))
    };
    let headers = vec![
        ("apns-push-type", kind.into()),
        ("apns-topic", topic),
        ("apns-priority", if ring { "10" } else { "5" }.into()),
        // 0: now or never; a call that rang an hour ago is no call.
        ("apns-expiration", "0".into()),
        ("apns-collapse-id", super::topic_of(message.ring())),
    ];
    let body = json!({"aps": aps, "crosspoint": message});
    let body = bounded(&body, APNS_BYTES_MAX)?;
    Ok(Apns { headers, body })
}

/// The body of `POST /v1/projects/{project}/messages:send` of Firebase Cloud Messaging. All data
/// are texts, as FCM wants them.
///
/// # Errors
/// `TooLong`.
pub fn fcm(message: &Message, token: &str, ttl_s: u32) -> Result<Vec<u8>, PushError> {
    let fields = serde_json::to_value(message).expect("a message of texts serialises");
    let data: serde_json::Map<String, Value> = fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), String::from);
            (name.clone(), Value::String(text))
        })
        .collect();
    let body = json!({"message": {
        "token": token,
        "android": {
            "priority": "HIGH",
            "ttl": format!("{ttl_s}s"),
            "collapse_key": super::topic_of(message.ring()),
        },
        "data": data,
    }});
    bounded(&body, FCM_BYTES_MAX)
}

fn bounded(body: &Value, max: usize) -> Result<Vec<u8>, PushError> {
    let bytes = body.to_string().into_bytes();
    let found = bytes.len();
    if found > max {
        return Err(PushError::TooLong { found, max });
    }
    Ok(bytes)
}
