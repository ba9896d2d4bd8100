//! ID tokens: those that hold, and a table of those that must not.
#![allow(clippy::unwrap_used)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use cp_identity::b64;
use cp_identity::oidc::*;
use serde_json::{Value, json};

const NOW_S: i64 = 1_767_000_000;

struct Issuer {
    es256: EcdsaKeyPair,
    eddsa: Ed25519KeyPair,
}

impl Issuer {
    fn new() -> Self {
        Self {
            es256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            eddsa: Ed25519KeyPair::generate().unwrap(),
        }
    }
    fn keys(&self) -> Value {
        let point = self.es256.public_key().as_ref();
        json!({ "keys": [
            { "kty": "RSA", "use": "enc", "kid": "for encryption", "n": "AQ", "e": "AQ" },
            { "kty": "oct", "kid": "secret", "k": "c2VjcmV0" },
            { "kty": "EC", "crv": "P-256", "kid": "e", "alg": "ES256", "x": b64::encode(&point[1..33]), "y": b64::encode(&point[33..]) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "d", "x": b64::encode(self.eddsa.public_key().as_ref()) },
        ]})
    }
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |v: &Value| b64::encode(v.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = match header["kid"].as_str() {
            Some("d") => self.eddsa.sign(signed.as_bytes()).as_ref().to_vec(),
            _ => {
                let s = self.es256.sign(&SystemRandom::new(), signed.as_bytes());
                s.unwrap().as_ref().to_vec()
            }
        };
        format!("{signed}.{}", b64::encode(&signature))
    }
}

fn claims() -> Value {
    json!({ "iss": "https://login.example.com", "aud": "crosspoint", "sub": "248289761001", "nonce": "n-0S6",
            "exp": NOW_S + 300, "iat": NOW_S - 1, "email": "ann@example.com" })
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: "https://login.example.com",
        client_id: "crosspoint",
        nonce: "n-0S6",
        now_s: NOW_S,
    }
}

fn check(issuer: &Issuer, token: &str) -> Result<String, OidcError> {
    let keys = Keys::read(issuer.keys().to_string().as_bytes()).unwrap();
    verify(token, &keys, expected()).map(|c| c["sub"].as_str().unwrap().to_string())
}

#[test]
fn what_the_provider_signed_holds() {
    let issuer = Issuer::new();
    for header in [
        json!({ "alg": "ES256", "kid": "e" }),
        json!({ "alg": "EdDSA", "kid": "d", "typ": "JWT" }),
    ] {
        let token = issuer.sign(&header, &claims());
        assert_eq!(check(&issuer, &token).as_deref(), Ok("248289761001"));
    }
    let mut several = claims();
    several["aud"] = json!(["other", "crosspoint"]);
    several["azp"] = json!("crosspoint");
    let token = issuer.sign(&json!({ "alg": "ES256", "kid": "e" }), &several);
    assert!(check(&issuer, &token).is_ok());
}

#[test]
fn what_does_not_hold_has_its_word() {
    let issuer = Issuer::new();
    let es256 = json!({ "alg": "ES256", "kid": "e" });
    let bent = |name: &str, value: Value| {
        let mut c = claims();
        c[name] = value;
        issuer.sign(&es256, &c)
    };
    let good = issuer.sign(&es256, &claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (head, payload) = signed.split_once('.').unwrap();
    let signature = good.rsplit_once('.').unwrap().1;
    let none = b64::encode(br#"{"alg":"none"}"#);
    let hs256 = json!({ "alg": "HS256", "kid": "secret" });
    let elsewhere = b64::encode(claims().to_string().replace("248", "249").as_bytes());
    use OidcError as E;
    let table: Vec<(String, E)> = vec![
        (
            bent("iss", json!("https://evil.example")),
            E::IssuerMismatch,
        ),
        (bent("aud", json!("another")), E::Audience),
        (bent("aud", json!(["another"])), E::Audience),
        (bent("aud", json!(["crosspoint", "another"])), E::Audience),
        (bent("azp", json!("another")), E::Audience),
        (bent("aud", Value::Null), E::Audience),
        (bent("exp", json!(NOW_S - 61)), E::Expired),
        (bent("exp", json!("later")), E::TokenMalformed),
        (bent("iat", json!(NOW_S + 61)), E::NotFresh),
        (bent("iat", json!(NOW_S - 601)), E::NotFresh),
        (bent("nonce", json!("n-other")), E::Nonce),
        (bent("nonce", Value::Null), E::Nonce),
        (bent("sub", json!("")), E::TokenMalformed),
        (bent("sub", json!("x".repeat(256))), E::TokenMalformed),
        // No signature, somebody else's, one over other claims, by a key for another algorithm.
        (format!("{none}.{payload}."), E::Algorithm),
        (issuer.sign(&hs256, &claims()), E::Algorithm),
        (
            issuer.sign(&json!({ "alg": "EdDSA", "kid": "e" }), &claims()),
            E::Algorithm,
        ),
        (
            issuer.sign(
                &json!({ "alg": "RS256", "kid": "for encryption" }),
                &claims(),
            ),
            E::KeyUnknown,
        ),
        (
            issuer.sign(
                &json!({ "alg": "ES256", "kid": "../../etc/passwd" }),
                &claims(),
            ),
            E::KeyUnknown,
        ),
        (
            issuer.sign(&json!({ "alg": "ES256" }), &claims()),
            E::KeyUnknown,
        ),
        (
            issuer.sign(
                &json!({ "alg": "ES256", "kid": "e", "crit": ["b64"] }),
                &claims(),
            ),
            E::Algorithm,
        ),
        (Issuer::new().sign(&es256, &claims()), E::Signature),
        (format!("{head}.{elsewhere}.{signature}"), E::Signature),
        (format!("{good}="), E::TokenMalformed),
        ("a.b".into(), E::TokenMalformed),
        (String::new(), E::TokenMalformed),
        ("x".repeat(TOKEN_BYTES_MAX + 1), E::TokenMalformed),
    ];
    for (i, (token, want)) in table.into_iter().enumerate() {
        assert_eq!(check(&issuer, &token), Err(want), "case {i}");
    }
    // A nonce that was lost on our side matches nothing.
    let keys = Keys::read(issuer.keys().to_string().as_bytes()).unwrap();
    let mut c = claims();
    c["nonce"] = json!("");
    let lost = Expected {
        nonce: "",
        ..expected()
    };
    assert_eq!(verify(&issuer.sign(&es256, &c), &keys, lost), Err(E::Nonce));
}

#[test]
fn a_discovery_document_speaks_for_its_issuer_only() {
    let document = json!({ "issuer": "https://login.example.com/", "authorization_endpoint": "https://login.example.com/auth",
        "token_endpoint": "https://login.example.com/token", "jwks_uri": "https://login.example.com/jwks" }).to_string();
    let read = |issuer| Discovery::read(document.as_bytes(), issuer);
    assert_eq!(
        read("https://login.example.com").unwrap().jwks_uri,
        "https://login.example.com/jwks"
    );
    assert_eq!(
        read("https://evil.example").unwrap_err(),
        OidcError::IssuerMismatch
    );
    let cut = &document.as_bytes()[..50];
    assert_eq!(
        Discovery::read(cut, "x").unwrap_err(),
        OidcError::DiscoveryMalformed
    );
    assert!(Keys::read(b"{}").is_err());
    assert_eq!(
        Discovery::address("https://a.example/b/"),
        "https://a.example/b/.well-known/openid-configuration"
    );
}

#[test]
fn pkce_of_the_rfc() {
    let challenge = pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn logout_claims() -> Value {
    json!({ "iss": "https://login.example.com", "aud": "crosspoint", "sub": "248289761001", "sid": "s-1",
            "jti": "t-1", "exp": NOW_S + 120, "iat": NOW_S - 1, "events": { LOGOUT_EVENT: {} } })
}

#[test]
fn a_logout_token_signs_out_and_nothing_else_does() {
    let issuer = Issuer::new();
    let keys = Keys::read(issuer.keys().to_string().as_bytes()).unwrap();
    let check = |header: Value, claims: &Value, place: (&str, &str)| {
        verify_logout(&issuer.sign(&header, claims), &keys, place, NOW_S)
    };
    let place = ("https://login.example.com", "crosspoint");
    let head = || json!({ "alg": "ES256", "kid": "e", "typ": "logout+jwt" });
    let said = check(head(), &logout_claims(), place).unwrap();
    assert_eq!(said.subject.as_deref(), Some("248289761001"));
    assert_eq!(
        (said.session.as_deref(), said.id.as_str()),
        (Some("s-1"), "t-1")
    );
    assert_eq!(said.expires_s, NOW_S + 120);

    // Without one of the two it is still somebody; each change below makes it nothing.
    for gone in ["sub", "sid"] {
        let mut claims = logout_claims();
        claims.as_object_mut().unwrap().remove(gone);
        assert!(check(head(), &claims, place).is_ok(), "without {gone}");
    }
    let changed = |name: &str, value: Value| {
        let mut claims = logout_claims();
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.into(), value),
        };
        claims
    };
    use OidcError::*;
    let table = [
        (changed("events", Value::Null), NotALogout),
        (changed("events", json!({ "another": {} })), NotALogout),
        (changed("events", json!({ LOGOUT_EVENT: true })), NotALogout),
        (changed("nonce", json!("n-0S6")), NotALogout),
        (changed("jti", Value::Null), TokenMalformed),
        (changed("jti", json!("")), TokenMalformed),
        (changed("sid", json!(7)), TokenMalformed),
        (changed("sub", json!("x".repeat(256))), TokenMalformed),
        (changed("exp", Value::Null), TokenMalformed),
        (changed("exp", json!(NOW_S - 61)), Expired),
        (changed("iat", json!(NOW_S - 601)), NotFresh),
        (changed("iat", json!(NOW_S + 61)), NotFresh),
        (changed("aud", json!("another")), Audience),
        (
            changed("iss", json!("https://evil.example")),
            IssuerMismatch,
        ),
    ];
    for (claims, fault) in table {
        assert_eq!(check(head(), &claims, place), Err(fault), "{claims}");
    }
    let mut nobody = changed("sub", Value::Null);
    nobody.as_object_mut().unwrap().remove("sid");
    assert_eq!(check(head(), &nobody, place), Err(NotALogout));
    // Of another kind, by nobody's key, without a signature.
    let other = json!({ "alg": "ES256", "kid": "e", "typ": "at+jwt" });
    assert_eq!(check(other, &logout_claims(), place), Err(TokenMalformed));
    let none = json!({ "alg": "none", "kid": "e" });
    assert_eq!(check(none, &logout_claims(), place), Err(Algorithm));
    let foreign = Issuer::new().sign(&head(), &logout_claims());
    assert_eq!(verify_logout(&foreign, &keys, place, NOW_S), Err(Signature));
    // Nor is a logout token good for signing in.
    let token = issuer.sign(&head(), &logout_claims());
    assert_eq!(verify(&token, &keys, expected()), Err(TokenMalformed));
    assert!(says_it_is_for(&token, place.0, place.1));
    assert!(!says_it_is_for(&token, place.0, "another"));
    assert!(!says_it_is_for("a.b.c", place.0, place.1));
}
