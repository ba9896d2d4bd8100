//! Certificates that must be refused, delegation, and the indirect revocation list.
#![allow(clippy::unwrap_used)]

mod common;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use common::pki::{Authority, TN_AUTH_LIST, number_list, spc_list, tlv};
use cp_identity::Fault;
use cp_identity::certificate::{Certificate, Credential, Trust};
use cp_identity::crl::RevocationList;
use cp_vocab::Timestamp;
use proptest::prelude::*;
use rcgen::{BasicConstraints, CustomExtension, IsCa, KeyUsagePurpose};
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn use_of(chain: &str, trust: &Trust) -> Result<(), Fault> {
    Credential::read(chain.as_bytes(), trust)?.usable(trust, NOW)
}

#[test]
fn the_shared_certificates() {
    let Some(file) = common::vectors() else {
        return;
    };
    let pem = |name: &str| file["certs"][name].as_str().unwrap().to_string();
    let trust = Trust::new(&pem("root")).unwrap();
    let now = Timestamp::from_secs(1_764_000_000);
    for (name, fault) in [
        ("k1_spc", None),
        ("k2_spc", None),
        ("k1_range_A_only", None),
        ("k2_one_B", None),
        ("k1_expired", Some(Fault::CertificateExpired)),
        ("k1_future", Some(Fault::CertificateExpired)),
        ("k1_no_tnauth", Some(Fault::TnAuthList)),
        ("k1_tnauth_malformed", Some(Fault::TnAuthList)),
        ("k1_tnauth_implicit_tag", Some(Fault::TnAuthList)),
        ("k1_tnauth_empty", Some(Fault::TnAuthList)),
        ("k1_ca_true", Some(Fault::CertificateUnsuitable)),
        ("k1_cn_spc_mismatch", Some(Fault::SubjectMismatch)),
        ("p384", Some(Fault::CertificateUnsuitable)),
        ("k1_untrusted", Some(Fault::CertificateUntrusted)),
        ("k1_ejwt_excl_rcd", None),
    ] {
        let chain = pem(name) + &pem("intermediate");
        let found = Credential::read(chain.as_bytes(), &trust).and_then(|c| c.usable(&trust, now));
        assert_eq!(found.err(), fault, "{name}");
        if let Some(f) = fault {
            assert_eq!(f.sip_code(), Some(437));
        }
        if name == "k1_spc" {
            // Without the one between it leads nowhere.
            let alone = Credential::read(pem(name).as_bytes(), &trust).err();
            assert_eq!(alone, Some(Fault::CertificateUntrusted));
        }
    }
    // The signature of a listed case holds, but the certificate in its place does not: 437.
    for (name, code) in [
        ("k1_expired", 437),
        ("k1_untrusted", 437),
        ("k1_range_A_only", 0),
    ] {
        let mut changed = file.clone();
        changed["x5u"]["https://cert.example.org/k1.pem"] = format!("{name}+intermediate").into();
        let lines = cp_identity::check::check(&changed.to_string(), now).unwrap();
        let shaken = lines.iter().find(|l| l.id == "P02-shaken").unwrap();
        assert_eq!(shaken.sip_code.unwrap_or(0), code, "{name}");
    }
}

#[test]
fn spoiled() {
    let root = Authority::root("Root");
    let trust = Trust::new(&root.pem).unwrap();
    let good = |change: fn(&mut rcgen::CertificateParams)| {
        root.leaf("SHAKEN 709J", spc_list("709J"), change).0
    };
    let unknown = |critical: bool| {
        let (pem, _) = root.leaf("SHAKEN 709J", spc_list("709J"), |p| {
            let mut e = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            e.set_criticality(critical);
            p.custom_extensions.push(e);
        });
        pem
    };
    for (name, chain, expected) in [
        ("good", good(|_| {}), Ok(())),
        ("unknown extension", unknown(false), Ok(())),
        (
            "unknown critical",
            unknown(true),
            Err(Fault::CertificateUnsuitable),
        ),
        (
            "may not sign",
            good(|p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
            Err(Fault::CertificateUnsuitable),
        ),
        (
            "an authority",
            good(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            Err(Fault::CertificateUnsuitable),
        ),
        (
            "two lists",
            good(|p| {
                p.custom_extensions.push(CustomExtension::from_oid_content(
                    TN_AUTH_LIST,
                    spc_list("810K"),
                ))
            }),
            Err(Fault::CertificateMalformed),
        ),
        ("empty", String::new(), Err(Fault::CertificateMalformed)),
        ("no PEM", "<html>".into(), Err(Fault::CertificateMalformed)),
        (
            "a key in the file",
            good(|_| {}) + &rcgen::KeyPair::generate().unwrap().serialize_pem(),
            Err(Fault::CertificateMalformed),
        ),
        (
            "six certificates",
            good(|_| {}).repeat(6),
            Err(Fault::CertificateMalformed),
        ),
        (
            "a large file",
            good(|_| {}) + &" ".repeat(40_000),
            Err(Fault::CertificateMalformed),
        ),
    ] {
        assert_eq!(use_of(&chain, &trust), expected, "{name}");
    }
    let (other, _) = Authority::root("Root").leaf("SHAKEN 709J", spc_list("709J"), |_| {});
    assert_eq!(
        use_of(&other, &trust),
        Err(Fault::CertificateUntrusted),
        "same name, other key"
    );
}

#[test]
fn delegates() {
    let root = Authority::root("Root");
    let trust = Trust::new(&root.pem).unwrap();
    let carrier = root.below("Carrier", Some(number_list("12155551212")));
    let codes_only = root.below("Codes", Some(spc_list("709J")));
    let broken = root.below("Broken", Some(vec![0x30, 0]));
    for (name, parent, list, expected) in [
        ("within", &carrier, number_list("12155551212"), Ok(())),
        (
            "beyond",
            &carrier,
            number_list("12155551213"),
            Err(Fault::NotAuthoritative),
        ),
        (
            "a code from numbers",
            &carrier,
            spc_list("709J"),
            Err(Fault::NotAuthoritative),
        ),
        (
            "numbers from a code",
            &codes_only,
            number_list("12155551213"),
            Ok(()),
        ),
        (
            "parent's list is empty",
            &broken,
            number_list("12155551213"),
            Err(Fault::TnAuthList),
        ),
    ] {
        let chain = parent.leaf("Delegate 709J", list, |_| {}).0 + &parent.pem;
        assert_eq!(use_of(&chain, &trust), expected, "{name}");
    }
    // Five certificates are followed, in any order after the leaf; a loop of two is not.
    let mut chain = vec![root.below("L0", None)];
    for i in 1..4 {
        let next = chain[i - 1].below(&format!("L{i}"), None);
        chain.push(next);
    }
    let (leaf, _) = chain[3].leaf("SHAKEN 709J", spc_list("709J"), |_| {});
    let file: String = std::iter::once(leaf)
        .chain(chain.iter().map(|a| a.pem.clone()))
        .collect();
    assert_eq!(use_of(&file, &trust), Ok(()));
}

fn certificate(pem: &str) -> Certificate {
    let body: String = pem.lines().filter(|l| !l.starts_with('-')).collect();
    let url = body.replace('+', "-").replace('/', "_").replace('=', "");
    Certificate::parse(&cp_identity::b64::decode(&url).unwrap()).unwrap()
}

/// A list in DER, written by hand: (serial, issuer of the entry) in order.
fn list(
    signer: &Authority,
    indirect: bool,
    entries: &[(&[u8], Option<&[u8]>)],
    next_update: &str,
) -> Vec<u8> {
    let algorithm = tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
    let name = certificate(&signer.pem).issuer_and_serial().0.to_vec();
    let mut revoked = Vec::new();
    for (serial, issuer) in entries {
        let mut e = tlv(2, serial);
        e.extend(tlv(0x17, b"270101000000Z"));
        if let Some(issuer) = issuer {
            let names = tlv(0x30, &tlv(0xa4, issuer));
            let mut ext = tlv(6, &[0x55, 0x1d, 29]);
            ext.extend(tlv(1, &[0xff]));
            ext.extend(tlv(4, &names));
            e.extend(tlv(0x30, &tlv(0x30, &ext)));
        }
        revoked.extend(tlv(0x30, &e));
    }
    let mut tbs = tlv(2, &[1]);
    tbs.extend(&algorithm);
    tbs.extend(name);
    tbs.extend(tlv(0x17, b"261120000000Z"));
    tbs.extend(tlv(0x17, next_update.as_bytes()));
    if !entries.is_empty() {
        tbs.extend(tlv(0x30, &revoked));
    }
    if indirect {
        let mut ext = tlv(6, &[0x55, 0x1d, 28]);
        ext.extend(tlv(1, &[0xff]));
        ext.extend(tlv(4, &tlv(0x30, &tlv(0x84, &[0xff]))));
        tbs.extend(tlv(0xa0, &tlv(0x30, &tlv(0x30, &ext))));
    }
    let tbs = tlv(0x30, &tbs);
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &signer.key_der).unwrap();
    let signature = key.sign(&SystemRandom::new(), &tbs).unwrap();
    let mut bits = vec![0];
    bits.extend(signature.as_ref());
    let mut out = tbs;
    out.extend(algorithm);
    out.extend(tlv(3, &bits));
    tlv(0x30, &out)
}

#[test]
fn indirect_revocation() {
    let root = Authority::root("Root");
    let administrator = Authority::root("Policy administrator");
    let signer = certificate(&administrator.pem);
    let (chain, _) = root.leaf("SHAKEN 709J", spc_list("709J"), |_| {});
    let issuer = certificate(&chain).issuer_and_serial().0.to_vec();
    let other = certificate(&administrator.pem)
        .issuer_and_serial()
        .0
        .to_vec();
    let serial: &[u8] = &[0x11, 0x22, 0x33];
    let (later, past) = ("280101000000Z", "261121000000Z");
    type Entries<'e> = &'e [(&'e [u8], Option<&'e [u8]>)];
    let table: &[(&str, Entries<'_>, &str, Result<(), Fault>)] = &[
        (
            "listed",
            &[(serial, Some(&issuer))],
            later,
            Err(Fault::CertificateRevoked),
        ),
        (
            "issuer of the entry before",
            &[(&[9], Some(&issuer)), (serial, None)],
            later,
            Err(Fault::CertificateRevoked),
        ),
        (
            "serial of another issuer",
            &[(serial, Some(&other))],
            later,
            Ok(()),
        ),
        ("issuer of the list", &[(serial, None)], later, Ok(())),
        (
            "other serial",
            &[(&[0x11, 0x22, 0x34], Some(&issuer))],
            later,
            Ok(()),
        ),
        ("nothing revoked", &[], later, Ok(())),
        (
            "stale, listed",
            &[(serial, Some(&issuer))],
            past,
            Err(Fault::CertificateRevoked),
        ),
        ("stale", &[], past, Ok(())),
    ];
    for (name, entries, next_update, expected) in table {
        let mut trust = Trust::new(&root.pem).unwrap();
        let read = RevocationList::read(&list(&administrator, true, entries, next_update), &signer);
        trust.set_revocations(Arc::new(read.unwrap()));
        assert_eq!(use_of(&chain, &trust), *expected, "{name}");
        if *name == "stale" {
            trust.stale_list_refuses = true;
            assert_eq!(use_of(&chain, &trust), Err(Fault::RevocationUnknown));
        }
    }
    let der = list(&administrator, true, &[(serial, Some(&issuer))], later);
    let stranger = certificate(&Authority::root("Policy administrator").pem);
    assert_eq!(
        RevocationList::read(&der, &stranger).err(),
        Some(Fault::CertificateUntrusted)
    );
    let direct = list(&administrator, false, &[(serial, Some(&issuer))], later);
    assert_eq!(
        RevocationList::read(&direct, &signer).err(),
        Some(Fault::CertificateMalformed)
    );
    for end in [0, 1, der.len() / 2, der.len() - 1] {
        assert!(RevocationList::read(&der[..end], &signer).is_err());
    }
    let mut changed = der.clone();
    let at = changed.windows(3).position(|w| w == serial).unwrap();
    changed[at] ^= 1;
    assert_eq!(
        RevocationList::read(&changed, &signer).err(),
        Some(Fault::CertificateUntrusted)
    );
}

proptest! {
    #[test]
    fn any_file(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let trust = trust();
        prop_assert!(Credential::read(&bytes, trust).is_err());
        let mut der = vec![0x30];
        der.extend(&bytes);
        prop_assert!(Credential::read(&der, trust).is_err());
    }

    #[test]
    fn one_changed_byte(at in 0usize..2_000, bit in 0u8..8) {
        let trust = trust();
        let mut pem = leaf().clone().into_bytes();
        let at = at % pem.len();
        pem[at] ^= 1 << bit;
        if let Ok(c) = Credential::read(&pem, trust) {
            prop_assert_eq!(c.spc(), Some("709J"));
        }
    }
}

fn authority() -> &'static (Authority, Trust, String) {
    static ALL: std::sync::OnceLock<(Authority, Trust, String)> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let root = Authority::root("Root");
        let trust = Trust::new(&root.pem).unwrap();
        let (leaf, _) = root.leaf("SHAKEN 709J", spc_list("709J"), |_| {});
        (root, trust, leaf)
    })
}
fn trust() -> &'static Trust {
    &authority().1
}
fn leaf() -> &'static String {
    &authority().2
}
