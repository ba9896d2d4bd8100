//! Passkeys: the W3C's vectors, a passkey in software, and everything that must be refused.
#![allow(clippy::unwrap_used)]

use cp_identity::webauthn::soft::Soft;
use cp_identity::webauthn::*;
use proptest::prelude::*;
use serde_json::Value;

const CHALLENGE: [u8; 32] = [7; 32];
const RP: &str = "desk.example.com";
const ORIGIN: &str = "https://desk.example.com";

fn rp() -> RelyingParty {
    RelyingParty {
        id: RP.into(),
        origins: vec![ORIGIN.into(), "https://desk.example.com:8443".into()],
    }
}

fn strict() -> Policy {
    Policy {
        user_verification: true,
        ..Policy::default()
    }
}

fn soft() -> Soft {
    Soft::new(Algorithm::Es256, b"one", RP, ORIGIN)
}

fn registered(soft: &Soft, policy: Policy) -> Result<Credential, WebAuthnError> {
    let made = soft.create(&CHALLENGE);
    let new = Registration {
        client_data_json: &made.client_data_json,
        attestation_object: &made.attestation_object,
    };
    register(&rp(), policy, &CHALLENGE, new)
}

fn used(soft: &mut Soft, credential: &Credential, policy: Policy) -> Result<Proof, WebAuthnError> {
    let got = soft.get(&CHALLENGE);
    let id = soft.credential_id.clone();
    let assertion = Assertion {
        credential_id: &id,
        client_data_json: &got.client_data_json,
        authenticator_data: &got.authenticator_data,
        signature: &got.signature,
    };
    authenticate(&rp(), policy, &CHALLENGE, credential, assertion)
}

fn hex(v: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(v.as_str().unwrap().as_bytes())
        .unwrap()
}

#[test]
fn the_w3cs_vectors() {
    let all: Value = serde_json::from_str(include_str!("data/webauthn.json")).unwrap();
    let example = RelyingParty {
        id: "example.org".into(),
        origins: vec!["https://example.org".into()],
    };
    for v in all["vectors"].as_array().unwrap() {
        let name = &v["name"];
        let r = &v["register"];
        let credential = if r.is_null() {
            Credential {
                id: hex(&v["id"]),
                public_key: hex(&v["public_key"]),
                algorithm: Algorithm::Rs256,
                sign_count: 0,
                backup_eligible: true,
                backed_up: false,
                aaguid: [0; 16],
                user_verified: false,
            }
        } else {
            let new = Registration {
                client_data_json: &hex(&r["client_data_json"]),
                attestation_object: &hex(&r["attestation_object"]),
            };
            register(&example, Policy::default(), &hex(&r["challenge"]), new).unwrap()
        };
        let a = &v["authenticate"];
        let (client, data) = (hex(&a["client_data_json"]), hex(&a["authenticator_data"]));
        let mut signature = hex(&a["signature"]);
        let check = |policy, signature: &[u8]| {
            let assertion = Assertion {
                credential_id: &credential.id,
                client_data_json: &client,
                authenticator_data: &data,
                signature,
            };
            authenticate(
                &example,
                policy,
                &hex(&a["challenge"]),
                &credential,
                assertion,
            )
        };
        assert!(check(Policy::default(), &signature).is_ok(), "{name}");
        // None of them says that its user was verified.
        assert_eq!(
            check(strict(), &signature),
            Err(WebAuthnError::UserNotVerified)
        );
        *signature.last_mut().unwrap() ^= 1;
        assert_eq!(
            check(Policy::default(), &signature),
            Err(WebAuthnError::Signature)
        );
    }
}

#[test]
fn each_algorithm_registers_and_signs_in() {
    for algorithm in Algorithm::ALL {
        for self_attestation in [false, true] {
            let mut soft = Soft::new(algorithm, b"id", RP, ORIGIN);
            soft.self_attestation = self_attestation;
            let credential = registered(&soft, strict()).unwrap();
            assert_eq!(
                (credential.algorithm, credential.id.as_slice()),
                (algorithm, &b"id"[..])
            );
            let proof = used(&mut soft, &credential, strict()).unwrap();
            assert!(proof.user_verified && proof.sign_count == 0);
        }
    }
}

/// Whatever is wrong has its own word, at registration and at use.
#[test]
fn what_is_not_ours_is_refused() {
    use WebAuthnError as E;
    type Bend = fn(&mut Soft);
    let table: [(Bend, E); 8] = [
        (
            |s| s.origin = "https://evil.example".into(),
            E::OriginMismatch,
        ),
        (
            |s| s.origin = "http://desk.example.com".into(),
            E::OriginMismatch,
        ),
        (
            |s| s.origin = "https://desk.example.com.evil.example".into(),
            E::OriginMismatch,
        ),
        (|s| s.rp_id = "example.com".into(), E::RelyingPartyMismatch),
        (|s| s.flags = 0x04, E::UserNotPresent),
        (|s| s.flags = 0x01, E::UserNotVerified),
        (|s| s.flags = 0x15, E::AuthenticatorDataMalformed),
        (
            |s| s.more_client_data = r#","crossOrigin":true"#.into(),
            E::CrossOrigin,
        ),
    ];
    let mut good = soft();
    let credential = registered(&good, strict()).unwrap();
    for (i, (bend, want)) in table.into_iter().enumerate() {
        let mut bent = soft();
        bend(&mut bent);
        assert_eq!(registered(&bent, strict()), Err(want), "register {i}");
        let before = (good.origin.clone(), good.rp_id.clone());
        bend(&mut good);
        assert_eq!(used(&mut good, &credential, strict()), Err(want), "use {i}");
        (good.origin, good.rp_id) = before;
        good.flags = 0x05;
        good.more_client_data.clear();
    }
    assert!(used(&mut good, &credential, strict()).is_ok());
}

#[test]
fn challenges_are_compared_whole() {
    let soft = soft();
    let made = soft.create(&CHALLENGE);
    let new = Registration {
        client_data_json: &made.client_data_json,
        attestation_object: &made.attestation_object,
    };
    let with = |challenge: &[u8]| register(&rp(), strict(), challenge, new);
    assert!(with(&CHALLENGE).is_ok());
    // Another one, a part of it, and one that was lost on our side.
    for other in [&[8; 32][..], &CHALLENGE[..31], &CHALLENGE[..16], &[]] {
        assert_eq!(with(other), Err(WebAuthnError::ChallengeMismatch));
    }
    let empty = soft.create(&[]);
    let new = Registration {
        client_data_json: &empty.client_data_json,
        attestation_object: &empty.attestation_object,
    };
    let lost = register(&rp(), strict(), &[], new);
    assert_eq!(lost, Err(WebAuthnError::ChallengeMismatch));
}

#[test]
fn one_ceremony_does_not_serve_as_the_other() {
    let mut soft = soft();
    let credential = registered(&soft, strict()).unwrap();
    let got = soft.get(&CHALLENGE);
    let made = soft.create(&CHALLENGE);
    let crossed = Registration {
        client_data_json: &got.client_data_json,
        attestation_object: &made.attestation_object,
    };
    let refused = register(&rp(), strict(), &CHALLENGE, crossed);
    assert_eq!(refused, Err(WebAuthnError::WrongCeremony));
    let crossed = Assertion {
        credential_id: b"one",
        client_data_json: &made.client_data_json,
        authenticator_data: &got.authenticator_data,
        signature: &got.signature,
    };
    let refused = authenticate(&rp(), strict(), &CHALLENGE, &credential, crossed);
    assert_eq!(refused, Err(WebAuthnError::WrongCeremony));
}

#[test]
fn another_key_does_not_open() {
    let credential = registered(&soft(), strict()).unwrap();
    let mut thief = soft();
    assert_eq!(
        used(&mut thief, &credential, strict()),
        Err(WebAuthnError::Signature)
    );
    thief.credential_id = b"two".to_vec();
    assert_eq!(
        used(&mut thief, &credential, strict()),
        Err(WebAuthnError::CredentialMismatch)
    );
    // A key of another kind in the record does not make a signature good either.
    let mut mixed = credential.clone();
    let other = Soft::new(Algorithm::EdDsa, b"one", RP, ORIGIN);
    mixed.public_key = registered(&other, strict()).unwrap().public_key;
    assert_eq!(
        used(&mut soft(), &mixed, strict()),
        Err(WebAuthnError::Signature)
    );
}

#[test]
fn a_counter_that_does_not_rise_is_told() {
    let mut soft = soft();
    soft.sign_count = 10;
    let mut credential = registered(&soft, strict()).unwrap();
    assert_eq!(credential.sign_count, 10);
    credential.sign_count = used(&mut soft, &credential, strict()).unwrap().sign_count;
    assert_eq!(credential.sign_count, 11);
    // The copy of the key is behind; so is a replayed answer; so is one that stopped counting.
    for stands_at in [9, 10] {
        soft.sign_count = stands_at;
        let back = used(&mut soft, &credential, strict());
        assert_eq!(back, Err(WebAuthnError::CounterBack), "{stands_at}");
    }
    soft.sign_count = 0;
    assert_eq!(
        used(&mut soft, &credential, strict()),
        Err(WebAuthnError::CounterBack)
    );
}

#[test]
fn whether_it_may_be_copied_does_not_change() {
    let mut soft = soft();
    soft.flags = 0x0d;
    let credential = registered(&soft, strict()).unwrap();
    assert!(credential.backup_eligible && !credential.backed_up);
    soft.flags = 0x1d;
    assert!(used(&mut soft, &credential, strict()).unwrap().backed_up);
    soft.flags = 0x05;
    assert_eq!(
        used(&mut soft, &credential, strict()),
        Err(WebAuthnError::BackupChanged)
    );
}

#[test]
fn statements_of_makers_are_refused_or_passed_over() {
    // "packed" with certificates, and a format nobody knows; made by changing words of the same length.
    let made = soft().create(&CHALLENGE);
    let bent = |from: &[u8], to: &[u8]| {
        let object = &made.attestation_object;
        let at = object.windows(from.len()).position(|w| w == from).unwrap();
        [&object[..at], to, &object[at + from.len()..]].concat()
    };
    let certified = bent(
        b"\x64none\x67attStmt\xa0",
        b"\x66packed\x67attStmt\xa1\x63x5c\x81\x41\x00",
    );
    let unknown = bent(b"\x64none", b"\x64nine");
    for object in [&certified, &unknown] {
        let new = Registration {
            client_data_json: &made.client_data_json,
            attestation_object: object,
        };
        let strictly = register(&rp(), strict(), &CHALLENGE, new);
        assert_eq!(strictly, Err(WebAuthnError::AttestationRefused));
        let policy = Policy {
            attestation: Attestation::Ignored,
            ..strict()
        };
        assert!(register(&rp(), policy, &CHALLENGE, new).is_ok());
    }
}

#[test]
fn a_self_attestation_must_hold() {
    let mut soft = soft();
    soft.self_attestation = true;
    let made = soft.create(&CHALLENGE);
    // The origin is allowed, but it is not what was signed.
    soft.origin = "https://desk.example.com:8443".into();
    let other = soft.create(&CHALLENGE);
    let new = Registration {
        client_data_json: &other.client_data_json,
        attestation_object: &made.attestation_object,
    };
    let refused = register(&rp(), strict(), &CHALLENGE, new);
    assert_eq!(refused, Err(WebAuthnError::AttestationSignature));
}

#[test]
fn limits_and_repeated_members() {
    let made = soft().create(&CHALLENGE);
    let with = |client: &[u8], object: &[u8]| {
        let new = Registration {
            client_data_json: client,
            attestation_object: object,
        };
        register(&rp(), strict(), &CHALLENGE, new)
    };
    let long = vec![b' '; CLIENT_DATA_BYTES_MAX + 1];
    assert_eq!(
        with(&long, &made.attestation_object),
        Err(WebAuthnError::TooLarge)
    );
    let long = vec![0; ATTESTATION_BYTES_MAX + 1];
    assert_eq!(
        with(&made.client_data_json, &long),
        Err(WebAuthnError::TooLarge)
    );
    // Deeper than anything real: no stack is spent on it.
    let deep = vec![0x81; ATTESTATION_BYTES_MAX];
    let malformed = Err(WebAuthnError::AttestationMalformed);
    assert_eq!(with(&made.client_data_json, &deep), malformed);
    // A map that promises more than there is costs nothing.
    let huge = [0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(with(&made.client_data_json, &huge), malformed);
    let mut trailing = made.attestation_object.clone();
    trailing.push(0);
    assert_eq!(with(&made.client_data_json, &trailing), malformed);
    let mut twice = made.client_data_json.clone();
    twice.pop();
    twice.extend(br#","origin":"https://desk.example.com"}"#);
    assert_eq!(
        with(&twice, &made.attestation_object),
        Err(WebAuthnError::ClientDataMalformed)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_it_panic(client in prop::collection::vec(any::<u8>(), 0..300), object in prop::collection::vec(any::<u8>(), 0..300)) {
        let new = Registration { client_data_json: &client, attestation_object: &object };
        prop_assert!(register(&rp(), strict(), &CHALLENGE, new).is_err());
    }

    #[test]
    fn a_changed_byte_is_noticed_or_means_nothing(at in 0usize..400, bit in 0u8..8) {
        let mut soft = soft();
        soft.self_attestation = true;
        let made = soft.create(&CHALLENGE);
        let mut object = made.attestation_object.clone();
        let at = at % object.len();
        object[at] ^= 1 << bit;
        let new = Registration { client_data_json: &made.client_data_json, attestation_object: &object };
        prop_assert!(register(&rp(), strict(), &CHALLENGE, new).is_err());
    }
}
