use super::payload::{Apns, Message, RingEnd, apns, fcm};
use super::*;
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;

/// RFC 8291 5.
const PLAIN: &[u8] = b"When I grow up, I want to be a watermelon";
const BROWSER_PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
const BROWSER_PUBLIC: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
const SENDER_PRIVATE: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
const SALT: &str = "DGv6ra1nlYgDCS1FRnbzlw";
const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    B64.decode(text).unwrap().try_into().unwrap()
}

fn browser() -> (Subscription, PrivateKey) {
    let to = Subscription::new("https://push.example.net/p/1", BROWSER_PUBLIC, AUTH).unwrap();
    let key = PrivateKey::from_private_key(&ECDH_P256, &bytes::<32>(BROWSER_PRIVATE)).unwrap();
    (to, key)
}

#[test]
fn the_example_of_rfc_8291_comes_out_to_the_byte() {
    let (to, key) = browser();
    let sealing = Sealing::new(&bytes(SENDER_PRIVATE), bytes(SALT)).unwrap();
    let body = seal(&to, PLAIN, &sealing).unwrap();
    assert_eq!(B64.encode(&body), BODY);
    assert_eq!(open(&to, &key, &body).unwrap(), PLAIN);
}

#[test]
fn what_is_sealed_opens_and_nothing_else() {
    let (to, key) = browser();
    for n in 0..1_000_usize {
        let text: Vec<u8> = (0..n % 200).map(|i| (i * n) as u8).collect();
        let body = seal(&to, &text, &Sealing::fresh().unwrap()).unwrap();
        assert_eq!(
            open(&to, &key, &body).unwrap(),
            text,
            "length {}",
            text.len()
        );
        let mut altered = body.clone();
        altered[n % body.len()] ^= 1;
        // The record size (bytes 16 to 19) is not authenticated, and one record is all we read.
        if !(16..20).contains(&(n % body.len())) {
            assert_eq!(
                open(&to, &key, &altered),
                Err(PushError::Unopened),
                "byte {n}"
            );
        }
    }
    for short in [0, 1, 85, 86, 90] {
        let body = seal(&to, b"x", &Sealing::fresh().unwrap()).unwrap();
        assert_eq!(open(&to, &key, &body[..short]), Err(PushError::Unopened));
    }
}

#[test]
fn a_message_that_no_service_takes_is_refused_before_it_is_sent() {
    let (to, _) = browser();
    let fits = seal(
        &to,
        &[b'x'; PLAINTEXT_BYTES_MAX],
        &Sealing::fresh().unwrap(),
    )
    .unwrap();
    assert_eq!(fits.len(), 4_096);
    let refused = seal(
        &to,
        &[b'x'; PLAINTEXT_BYTES_MAX + 1],
        &Sealing::fresh().unwrap(),
    );
    assert_eq!(
        refused,
        Err(PushError::TooLong {
            found: 3_994,
            max: 3_993
        })
    );
}

#[test]
fn subscriptions_that_no_browser_makes_are_refused() {
    let ok = "https://push.example.net/p/1";
    for endpoint in [
        "",
        "http://push.example.net/p",
        "https://",
        "https:///p",
        "https://user@inside/p",
        "https://push.example.net/a b",
        "https://push.example.net/\r\nX: y",
    ] {
        let refused = Subscription::new(endpoint, BROWSER_PUBLIC, AUTH);
        assert_eq!(refused, Err(PushError::Endpoint), "{endpoint:?}");
    }
    for (p256dh, auth, field) in [
        ("", AUTH, "p256dh"),
        ("AAAA", AUTH, "p256dh"),
        ("!!", AUTH, "p256dh"),
        (BROWSER_PUBLIC, "AAAA", "auth"),
        (BROWSER_PUBLIC, "", "auth"),
    ] {
        let refused = Subscription::new(ok, p256dh, auth);
        assert_eq!(refused, Err(PushError::Key(field)), "{p256dh:?} {auth:?}");
    }
    // 65 bytes that look right and are no point of the curve.
    let mut no_point = bytes::<65>(BROWSER_PUBLIC);
    no_point[64] ^= 1;
    let to = Subscription::new(ok, &B64.encode(no_point), AUTH).unwrap();
    let refused = seal(&to, PLAIN, &Sealing::fresh().unwrap());
    assert_eq!(refused, Err(PushError::Key("p256dh")));
}

#[test]
fn a_request_says_who_sends_and_how_urgent_it_is() {
    let (to, key) = browser();
    let (private, public) = Vapid::generate().unwrap();
    let vapid = Vapid::new(&private, &public, "mailto:operator@example.com").unwrap();
    let made = request(
        &to,
        PLAIN,
        &vapid,
        (Urgency::High, "leg_01JCH2M0000000000000000000", 30),
        1_700_000_000,
        &Sealing::fresh().unwrap(),
    )
    .unwrap();
    assert_eq!(made.url, "https://push.example.net/p/1");
    assert_eq!(open(&to, &key, &made.body).unwrap(), PLAIN);
    let header = |name| {
        let found = made.headers.iter().find(|(n, _)| *n == name);
        found.map(|(_, v)| v.as_str()).unwrap()
    };
    assert_eq!(header("TTL"), "30");
    assert_eq!(header("Urgency"), "high");
    assert_eq!(header("Topic"), "leg_01JCH2M0000000000000000000");
    assert_eq!(header("Content-Encoding"), "aes128gcm");
    let authorization = header("Authorization").strip_prefix("vapid t=").unwrap();
    let (token, k) = authorization.split_once(", k=").unwrap();
    assert_eq!(k, vapid.public_key());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, B64.decode(k).unwrap())
        .verify(signed.as_bytes(), &B64.decode(signature).unwrap())
        .unwrap();
    let claims = B64.decode(signed.split_once('.').unwrap().1).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], "https://push.example.net");
    assert_eq!(claims["exp"], 1_700_000_000 + 12 * 3600);
    assert_eq!(claims["sub"], "mailto:operator@example.com");
}

#[test]
fn the_token_of_rfc_8292_verifies_by_what_signs_ours() {
    let key =
        "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
    let signed = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0";
    let signature =
        "i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA";
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, B64.decode(key).unwrap())
        .verify(signed.as_bytes(), &B64.decode(signature).unwrap())
        .unwrap();
}

#[test]
fn a_damaged_signer_is_told_at_once() {
    let (private, public) = Vapid::generate().unwrap();
    let (_, other) = Vapid::generate().unwrap();
    for (private, public, contact) in [
        (&private[..], &other[..], "mailto:a@b.c"),
        (&private[..31], &public[..], "mailto:a@b.c"),
        (&private[..], &public[..], "operator"),
    ] {
        let refused = Vapid::new(private, public, contact).err();
        assert_eq!(refused, Some(PushError::Signer), "{contact}");
    }
}

#[test]
fn answers_of_push_services() {
    for (status, after, outcome) in [
        (201, None, Outcome::Taken),
        (404, None, Outcome::Gone),
        (410, None, Outcome::Gone),
        (429, Some("7"), Outcome::Later { after_s: 7 }),
        (429, Some("99999"), Outcome::Later { after_s: 3_600 }),
        (503, Some("soon"), Outcome::Later { after_s: 5 }),
        (413, None, Outcome::Refused { status: 413 }),
        (403, None, Outcome::Refused { status: 403 }),
        (302, None, Outcome::Refused { status: 302 }),
    ] {
        assert_eq!(Outcome::of(status, after), outcome, "{status} {after:?}");
    }
}

fn ring(body: &str) -> Message {
    Message::Ring {
        ring: "leg_1".into(),
        title: "Example Bank".into(),
        body: Some(body.into()),
        picture: None,
        url: "/ring/leg_1".into(),
        until_ms: 30_000,
        renewed: false,
    }
}

#[test]
fn apps_of_phone_makers_get_the_same_fields() {
    let Apns { headers, body } = apns(&ring("Your card"), "com.example.bank").unwrap();
    let header = |name| headers.iter().find(|(n, _)| *n == name).unwrap().1.as_str();
    assert_eq!(header("apns-push-type"), "voip");
    assert_eq!(header("apns-topic"), "com.example.bank.voip");
    assert_eq!(header("apns-expiration"), "0");
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["crosspoint"]["title"], "Example Bank");

    let ended = Message::RingEnded {
        ring: "leg_1".into(),
        how: RingEnd::AnsweredElsewhere,
    };
    let Apns { headers, .. } = apns(&ended, "com.example.bank").unwrap();
    assert!(headers.contains(&("apns-push-type", "background".into())));

    let body: serde_json::Value =
        serde_json::from_slice(&fcm(&ring("Your card"), "device", 30).unwrap()).unwrap();
    assert_eq!(body["message"]["android"]["ttl"], "30s");
    assert_eq!(body["message"]["data"]["until_ms"], "30000");
    assert_eq!(body["message"]["data"]["kind"], "ring");

    let long = ring(&"x".repeat(6_000));
    assert_eq!(apns(&long, "b").unwrap_err().code(), "push_too_long");
    assert_eq!(fcm(&long, "t", 30).unwrap_err().code(), "push_too_long");
}
