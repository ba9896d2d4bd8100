//! What a browser needs beside our own candidates: TURN servers, with a user and password that
//! hold for a time (draft-uberti-behave-turn-rest-00, as coturn's `use-auth-secret` does it).

use super::WebRtcSettings;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cp_vocab::Timestamp;
use serde_json::{Value, json};

/// `RTCConfiguration.iceServers` for one device.
pub(crate) fn servers(settings: &WebRtcSettings, now: Timestamp, who: &str) -> Value {
    if settings.turn.is_empty() {
        return json!([]);
    }
    let Some(secret) = &settings.turn_secret else {
        return json!([{ "urls": settings.turn }]);
    };
    let expires = now.as_micros() / 1_000_000 + settings.turn_ttl_s;
    let username = format!("{expires}:{who}");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    json!([{ "urls": settings.turn, "username": username, "credential": credential }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_what_a_turn_server_computes() {
        let settings = WebRtcSettings {
            turn: vec!["turn:turn.example:3478".into()],
            turn_secret: Some("north".into()),
            turn_ttl_s: 600,
            ..WebRtcSettings::default()
        };
        let list = servers(&settings, Timestamp::from_secs(1_000), "dev_1");
        assert_eq!(list[0]["username"], "1600:dev_1");
        // printf '1600:dev_1' | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(list[0]["credential"], "f6PAbgewQxKVmcmVKPcQjpXSdK8=");
        assert_eq!(
            servers(&WebRtcSettings::default(), Timestamp::ZERO, "x"),
            json!([])
        );
    }
}
