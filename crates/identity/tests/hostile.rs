//! Tokens and headers as a hostile or careless signer makes them: what each is called, and its code.
#![allow(clippy::unwrap_used)]

mod common;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use common::pki::{Authority, number_list, spc_list, tlv};
use cp_identity::certificate::{Credential, Trust};
use cp_identity::verify::{Call, Directory, Lookup, Policy, Report, verify};
use cp_identity::{Fault, b64};
use cp_vocab::Timestamp;
use rcgen::CustomExtension;
use std::collections::HashMap;

const NOW_S: i64 = 1_800_000_000;
const X5U: &str = "https://cert.example.org/1.pem";
const A: &str = "12155551212";
const B: &str = "12155551213";
const C: &str = "12155551214";

struct Maker {
    trust: Trust,
    key: EcdsaKeyPair,
    known: HashMap<String, Result<Credential, Fault>>,
}

impl Directory for Maker {
    fn credential(&self, x5u: &str) -> Lookup<'_> {
        match self.known.get(x5u) {
            Some(Ok(c)) => Lookup::Ready(c),
            Some(Err(f)) => Lookup::Failed(*f),
            None => Lookup::Failed(Fault::FetchFailed),
        }
    }
    fn holder(&self, _: &str) -> Option<&str> {
        None
    }
}

fn maker(list: Vec<u8>, extension: Option<(u64, Vec<u8>)>) -> Maker {
    let root = Authority::root("Root");
    let trust = Trust::new(&root.pem).unwrap();
    let (pem, key) = root.leaf("SHAKEN 709J", list, |params| {
        if let Some((last, content)) = extension {
            let oid = [1, 3, 6, 1, 5, 5, 7, 1, last];
            let e = CustomExtension::from_oid_content(&oid, content);
            params.custom_extensions.push(e);
        }
    });
    let credential = Credential::read(pem.as_bytes(), &trust);
    Maker {
        key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key).unwrap(),
        known: HashMap::from([(X5U.to_string(), credential)]),
        trust,
    }
}

impl Maker {
    fn token(&self, jose: &str, claims: &str) -> String {
        let input = format!(
            "{}.{}",
            b64::encode(jose.as_bytes()),
            b64::encode(claims.as_bytes())
        );
        let signature = self
            .key
            .sign(&SystemRandom::new(), input.as_bytes())
            .unwrap();
        format!("{input}.{}", b64::encode(signature.as_ref()))
    }

    fn header(&self, jose: &str, claims: &str, params: &str) -> String {
        format!("{};info=<{X5U}>{params}", self.token(jose, claims))
    }

    fn judge(&self, values: &[String], to: &str, change: impl FnOnce(&mut Call<'_>)) -> Report {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let mut call = Call {
            orig: Some(A),
            dest: to,
            date_s: None,
            date_binds: true,
            fingerprints: None,
            trusted_transfer: false,
        };
        change(&mut call);
        let now = Timestamp::from_secs(NOW_S as u64);
        verify(&values, &call, self, &self.trust, &Policy::default(), now)
    }
}

fn jose(ppt: &str) -> String {
    let ppt = match ppt {
        "" => String::new(),
        p => format!(r#""ppt":"{p}","#),
    };
    format!(r#"{{"alg":"ES256",{ppt}"typ":"passport","x5u":"{X5U}"}}"#)
}

/// Claims of a good shaken token, with one piece of text in place of another.
fn claims(from: &str, to: &str) -> String {
    let good = format!(
        r#"{{"attest":"A","dest":{{"tn":["{B}"]}},"iat":{NOW_S},"orig":{{"tn":"{A}"}},"origid":"123e4567-e89b-12d3-a456-426655440000"}}"#
    );
    assert!(good.contains(from), "{from}");
    good.replacen(from, to, 1)
}

fn good() -> String {
    claims("A", "A")
}

#[test]
fn claims_of_every_wrong_form() {
    let m = maker(spc_list("709J"), None);
    let iat = format!(r#""iat":{NOW_S}"#);
    let orig = format!(r#""orig":{{"tn":"{A}"}}"#);
    let dest = format!(r#""dest":{{"tn":["{B}"]}}"#);
    let table: Vec<(String, Option<u16>)> = vec![
        (good(), None),
        // Order and space are the signer's affair once it has signed: what was signed counts.
        (claims(",", " ,\n "), None),
        (
            claims(r#""attest":"A","#, r#""zzz":{"a":[1,null]},"attest":"A","#),
            None,
        ),
        (claims(r#""orig":"#, r#""\u006frig":"#), None),
        // The same member twice, once with an escape.
        (
            claims(&orig, &format!(r#"{orig},"\u006frig":{{"tn":"{C}"}}"#)),
            Some(438),
        ),
        (claims(&iat, r#""x":1"#), Some(438)),
        (claims(&iat, r#""iat":1.8e9"#), Some(438)),
        (claims(&iat, r#""iat":null"#), Some(438)),
        (claims(&iat, r#""iat":[1800000000]"#), Some(438)),
        (claims(&iat, r#""iat":18446744073709551616"#), Some(438)),
        (claims(&iat, r#""iat":1e999"#), Some(438)),
        (claims(&iat, r#""iat":0"#), Some(403)),
        (claims(&iat, r#""iat":253402300799"#), Some(403)),
        (claims(&iat, &format!(r#""iat":{}"#, NOW_S - 60)), None),
        (claims(&iat, &format!(r#""iat":{}"#, NOW_S - 61)), Some(403)),
        (claims(&iat, &format!(r#""iat":{}"#, NOW_S + 60)), None),
        (claims(&iat, &format!(r#""iat":{}"#, NOW_S + 61)), Some(403)),
        (claims(&iat, &format!(r#"{iat},"exp":{NOW_S}"#)), Some(403)),
        (claims(&iat, &format!(r#"{iat},"exp":{}"#, NOW_S + 1)), None),
        (
            claims(&iat, &format!(r#"{iat},"nbf":{}"#, NOW_S + 90)),
            Some(403),
        ),
        (claims(&iat, &format!(r#"{iat},"exp":"soon""#)), Some(438)),
        // Media keys: a list in order, hash and hexadecimal digits each (RFC 8225 5.2.2).
        (
            claims(
                &iat,
                &format!("{iat},\"mky\":{}", r#"[{"alg":"sha-256","dig":"AB01"}]"#),
            ),
            None,
        ),
        (
            claims(
                &iat,
                &format!(
                    "{iat},\"mky\":{}",
                    r#"[{"alg":"sha-256","dig":"ab01"},{"alg":"sha-256","dig":"cd"}]"#
                ),
            ),
            None,
        ),
        (
            claims(&iat, &format!("{iat},\"mky\":{}", r#""x""#)),
            Some(438),
        ),
        (
            claims(&iat, &format!("{iat},\"mky\":{}", r#"[]"#)),
            Some(438),
        ),
        (
            claims(&iat, &format!("{iat},\"mky\":{}", r#"{}"#)),
            Some(438),
        ),
        (
            claims(&iat, &format!("{iat},\"mky\":{}", r#"[{"dig":"AB01"}]"#)),
            Some(438),
        ),
        (
            claims(&iat, &format!("{iat},\"mky\":{}", r#"[{"alg":"sha-256"}]"#)),
            Some(438),
        ),
        (
            claims(
                &iat,
                &format!("{iat},\"mky\":{}", r#"[{"alg":"sha-256","dig":"AB:01"}]"#),
            ),
            Some(438),
        ),
        (
            claims(
                &iat,
                &format!("{iat},\"mky\":{}", r#"[{"alg":"sha-256","dig":"AB0"}]"#),
            ),
            Some(438),
        ),
        (
            claims(
                &iat,
                &format!("{iat},\"mky\":{}", r#"[{"alg":"sha-256","dig":7}]"#),
            ),
            Some(438),
        ),
        (
            claims(
                &iat,
                &format!(
                    "{iat},\"mky\":{}",
                    r#"[{"alg":"sha-256","dig":"CD"},{"alg":"sha-256","dig":"AB"}]"#
                ),
            ),
            Some(438),
        ),
        (claims(&orig, r#""orig":{}"#), Some(438)),
        (claims(&orig, r#""orig":"12155551212""#), Some(438)),
        (
            claims(&orig, &format!(r#""orig":{{"tn":"+{A}"}}"#)),
            Some(438),
        ),
        (
            claims(&orig, r#""orig":{"tn":"1-215-555-1212"}"#),
            Some(438),
        ),
        (claims(&orig, r#""orig":{"tn":12155551212}"#), Some(438)),
        (
            claims(
                &orig,
                &format!(r#""orig":{{"tn":"{A}","uri":"sip:a@b.example"}}"#),
            ),
            Some(438),
        ),
        (
            claims(&orig, r#""orig":{"uri":"sip:a@b.example"}"#),
            Some(438),
        ),
        (
            claims(&orig, r#""orig":{"tn":"１２１５５５５１２１２"}"#),
            Some(438),
        ),
        (claims(&dest, r#""dest":{}"#), Some(438)),
        (claims(&dest, r#""dest":{"tn":[]}"#), Some(438)),
        (claims(&dest, r#""dest":["12155551213"]"#), Some(438)),
        (
            claims(&dest, &format!(r#""dest":{{"tn":["{B}",5]}}"#)),
            Some(438),
        ),
        (
            claims(&dest, &format!(r#""dest":{{"tn":["+{B}"]}}"#)),
            Some(438),
        ),
        (
            claims(&dest, &format!(r#""dest":{{"tel":["{B}"]}}"#)),
            Some(438),
        ),
        (
            claims(
                &dest,
                &format!(r#""dest":{{"tn":["{C}","{B}"],"uri":["sip:x@y.example"]}}"#),
            ),
            None,
        ),
        (
            claims(&dest, &format!(r#""dest":{{"uri":["sip:{B}@h.example"]}}"#)),
            Some(438),
        ),
        (
            claims(
                &dest,
                &format!(
                    r#""dest":{{"tn":[{}"{B}"]}}"#,
                    format!(r#""{C}","#).repeat(64)
                ),
            ),
            Some(438),
        ),
        (claims(r#""A""#, r#""a""#), Some(438)),
        (claims(r#""A""#, r#""D""#), Some(438)),
        (claims(r#""A""#, r#"["A"]"#), Some(438)),
        (claims(r#""origid":"123e"#, r#""origin":"123e"#), Some(438)),
        (claims("123e4567-", "123e4567"), Some(438)),
        (claims("123e4567-", "123E4567-"), None),
        (format!("{}x", good()), Some(438)),
        (format!("\u{feff}{}", good()), Some(438)),
        ("[]".into(), Some(438)),
        ("null".into(), Some(438)),
        ("{".repeat(5_000), Some(438)),
        (r#"{"a":"\ud800"}"#.into(), Some(438)),
    ];
    for (claims, code) in table {
        let header = m.header(&jose("shaken"), &claims, ";alg=ES256;ppt=shaken");
        let report = m.judge(&[header], B, |_| {});
        assert_eq!(report.sip_code(), code, "{claims}: {:?}", report.fault);
    }
}

#[test]
fn jose_headers_of_every_wrong_form() {
    let m = maker(spc_list("709J"), None);
    let j = |from: &str, to: &str| {
        let good = jose("shaken");
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let table: Vec<(String, Option<u16>)> = vec![
        (jose("shaken"), None),
        (j(r#""typ""#, r#""kid":"x","typ""#), None),
        // A key of the signer's own is not looked at.
        (
            j(r#""typ""#, r#""jwk":{"kty":"EC"},"x5c":["AA"],"typ""#),
            None,
        ),
        (j("ES256", "es256"), Some(438)),
        (j("ES256", "ES384"), Some(438)),
        (j("ES256", "none"), Some(438)),
        (j("ES256", "HS256"), Some(438)),
        (j(r#""alg":"ES256","#, ""), Some(438)),
        (j("passport", "JWT"), Some(438)),
        (j("passport", "PASSporT"), Some(438)),
        (j(r#""typ":"passport","#, ""), Some(438)),
        (j(r#""typ""#, r#""crit":["x"],"typ""#), Some(438)),
        (j(r#""shaken""#, r#"["shaken"]"#), Some(438)),
        (
            j(r#""alg":"ES256""#, r#""alg":"none","alg":"ES256""#),
            Some(438),
        ),
        (
            r#"{"alg":"ES256","ppt":"shaken","typ":"passport"}"#.to_string(),
            Some(438),
        ),
        (j(X5U, ""), Some(438)),
        (j(X5U, "https://cert.example.org/2.pem"), Some(438)),
    ];
    for (jose, code) in table {
        let report = m.judge(
            &[m.header(&jose, &good(), ";alg=ES256;ppt=shaken")],
            B,
            |_| {},
        );
        assert_eq!(report.sip_code(), code, "{jose}: {:?}", report.fault);
    }
}

#[test]
fn parameters_and_spelling_of_the_header() {
    let m = maker(spc_list("709J"), None);
    let token = m.token(&jose("shaken"), &good());
    let base = m.token(&jose(""), &good());
    let future = m.token(&jose("rph"), &good());
    let cut = |n: usize| token[..token.len() - n].to_string();
    let parts: Vec<&str> = token.split('.').collect();
    let table: Vec<(String, Option<u16>)> = vec![
        (format!("{token};info=<{X5U}>"), None),
        (
            format!("{token} ; ppt = \"shaken\" ; alg=ES256 ; info = <{X5U}>"),
            None,
        ),
        (
            format!("{token};INFO=<{X5U}>;Alg=es256;PPT=SHAKEN;x=y;z"),
            None,
        ),
        (format!("{token};info=<{X5U}>;alg=ES256;ppt=shaken;"), None),
        (token.clone(), Some(438)),
        (format!("{token};info=<>"), Some(438)),
        (format!("{token};info=<{X5U}>;info=<{X5U}>"), Some(438)),
        (
            format!("{token};info=<{X5U}>;ppt=shaken;ppt=div"),
            Some(438),
        ),
        (format!("{token};info=<{X5U}>;alg=RS256"), Some(438)),
        (format!("{token};info=<{X5U}>;alg=none"), Some(438)),
        (format!("{token};info=<{X5U}"), Some(438)),
        (format!("{token};info=<{X5U}>;ppt=\"shaken"), Some(438)),
        (format!("{token};info=<{X5U}> x"), Some(438)),
        (
            format!("{token};info=<https://cert.example.org/1.pem/>"),
            Some(438),
        ),
        (
            format!("{token};info=<HTTPS://cert.example.org/1.pem>"),
            Some(438),
        ),
        (format!("{token};info=<{X5U}>;ppt=div"), Some(438)),
        (format!("{token};info=<{X5U}>;ppt=foo"), Some(428)),
        (format!("{base};info=<{X5U}>;ppt=shaken"), Some(438)),
        (format!("{base};info=<{X5U}>"), None),
        (format!("{future};info=<{X5U}>;ppt=rph"), Some(428)),
        (format!("{future};info=<{X5U}>"), Some(428)),
        (format!("{future};info=<{X5U}>;ppt=shaken"), Some(438)),
        (format!("{}=;info=<{X5U}>", token), Some(438)),
        (format!("{};info=<{X5U}>", cut(1)), Some(438)),
        (format!("{};info=<{X5U}>", cut(2)), Some(438)),
        (format!("{}.{};info=<{X5U}>", parts[0], parts[1]), Some(438)),
        (format!("{token}.x;info=<{X5U}>"), Some(438)),
        (
            format!("{}..{};info=<{X5U}>", parts[0], parts[2]),
            Some(438),
        ),
        (format!("..{};info=<{X5U}>;ppt=shaken", parts[2]), Some(438)),
        (
            format!("{}.{}.;info=<{X5U}>", parts[0], parts[1]),
            Some(438),
        ),
        (
            format!("{}.{}.{};info=<{X5U}>", parts[0], parts[1], "A".repeat(86)),
            Some(438),
        ),
        (
            format!("{}.{}.{};info=<{X5U}>", parts[0], parts[1], "_".repeat(86)),
            Some(438),
        ),
        (
            format!("{};info=<{X5U}>", token.replacen('.', " .", 1)),
            Some(438),
        ),
        (
            format!(
                "{}.{}.{};info=<{X5U}>",
                parts[0],
                "A".repeat(17_000),
                parts[2]
            ),
            Some(438),
        ),
        (String::new(), Some(438)),
        (";".into(), Some(438)),
        (format!("{token};{}", "a;".repeat(50)), Some(438)),
    ];
    for (value, code) in table {
        let report = m.judge(std::slice::from_ref(&value), B, |_| {});
        assert_eq!(report.sip_code(), code, "{value}: {:?}", report.fault);
    }
}

/// The request's own Date must be fresh as well, and says when a compact token was signed.
#[test]
fn dates() {
    let m = maker(spc_list("709J"), None);
    let header = m.header(&jose("shaken"), &good(), "");
    for (date_s, binds, code) in [
        (NOW_S + 60, true, None),
        (NOW_S - 61, true, Some(403)),
        (NOW_S + 61, true, Some(403)),
        (NOW_S - 61, false, None),
    ] {
        let report = m.judge(std::slice::from_ref(&header), B, |c| {
            (c.date_s, c.date_binds) = (Some(date_s), binds);
        });
        assert_eq!(report.sip_code(), code, "{date_s} {binds}");
    }
}

#[test]
fn several_headers() {
    let m = maker(spc_list("709J"), None);
    let params = ";alg=ES256;ppt=shaken";
    let good = m.header(&jose("shaken"), &good(), params);
    let stale = m.header(&jose("shaken"), &claims("1800000000", "1700000000"), params);
    let other = m.header(&jose("shaken"), &claims(A, "12155559999"), params);
    let unknown = m.header(&jose("rph"), &claims("A", "A"), ";ppt=rph");
    let broken = "x.y.z;info=<https://cert.example.org/1.pem>".to_string();
    let div = |from: &str, to: &str| {
        let c = format!(
            r#"{{"dest":{{"tn":["{to}"]}},"div":{{"tn":"{from}"}},"iat":{NOW_S},"orig":{{"tn":"{A}"}}}}"#
        );
        m.header(&jose("div"), &c, ";ppt=div")
    };
    let divo = |inner: &str| {
        let inner = inner.split(';').next().unwrap();
        let c = format!(
            r#"{{"dest":{{"tn":["{C}"]}},"div":{{"tn":"{B}"}},"iat":{NOW_S},"opt":"{inner}","orig":{{"tn":"{A}"}}}}"#
        );
        m.header(&jose("div-o"), &c, ";ppt=div-o")
    };
    let table: Vec<(&str, Vec<&String>, &str, Option<u16>)> = vec![
        (
            "one good one",
            vec![&broken, &stale, &other, &unknown, &good],
            B,
            None,
        ),
        (
            "unknown ones count for nothing beside a bad one",
            vec![&unknown, &stale],
            B,
            Some(403),
        ),
        ("only unknown ones", vec![&unknown, &unknown], B, Some(428)),
        (
            "the first kind of fault is told",
            vec![&broken, &stale],
            B,
            Some(403),
        ),
        ("nobody", vec![], B, Some(428)),
    ];
    for (what, values, to, code) in table {
        let values: Vec<String> = values.into_iter().cloned().collect();
        assert_eq!(m.judge(&values, to, |_| {}).sip_code(), code, "{what}");
    }
    // Diversions of a token of unknown type mean nothing; so does one that leads elsewhere.
    let one = |values: Vec<String>, to: &str| m.judge(&values, to, |_| {}).sip_code();
    assert_eq!(one(vec![good.clone(), div(B, C)], C), None);
    assert_eq!(one(vec![unknown.clone(), div(B, C)], C), Some(428));
    assert_eq!(one(vec![good.clone(), div(B, B)], B), Some(438));
    assert_eq!(one(vec![good.clone(), div("12155550000", C)], B), None);
    assert_eq!(one(vec![good.clone(), div("12155550000", C)], C), Some(438));
    assert_eq!(one(vec![stale, div(B, C)], C), Some(403));
    assert_eq!(one(vec![divo(&good)], C), None);
    assert_eq!(one(vec![divo(&good)], B), Some(438));
    assert_eq!(one(vec![divo(&unknown)], C), Some(428));
    assert_eq!(one(vec![divo(&other)], C), Some(438));
    assert_eq!(one(vec![divo("..AAAA")], C), Some(438));
    assert_eq!(one(vec![divo(&div(B, C))], C), Some(438));
    // An anonymous caller has no identity, whatever stands there.
    let anonymous = m.judge(&[good], B, |c| c.orig = None);
    assert_eq!(
        (anonymous.sip_code(), anonymous.fault),
        (None, Some(Fault::Anonymous))
    );
}

/// What a certificate allows: numbers it lists, claims it demands or forbids.
#[test]
fn what_certificates_allow() {
    let text = |tag: u8, t: &str| tlv(tag, t.as_bytes());
    let names = |tag: u8, list: &[&str]| {
        let all: Vec<u8> = list.iter().flat_map(|n| text(0x16, n)).collect();
        tlv(tag, &tlv(0x30, &all))
    };
    let values: Vec<u8> = ["B", "C"].iter().flat_map(|v| text(0x0c, v)).collect();
    let permitted = [text(0x16, "attest"), tlv(0x30, &values)].concat();
    let permitted = tlv(0xa1, &tlv(0x30, &tlv(0x30, &permitted)));
    let range = |start: &str, count: u8| {
        let range = [text(0x16, start), vec![2, 1, count]].concat();
        tlv(0x30, &tlv(0xa1, &tlv(0x30, &range)))
    };
    let spc = || spc_list("709J");
    let constraint = |last: u64, parts: &[Vec<u8>]| Some((last, tlv(0x30, &parts.concat())));
    let table: Vec<(&str, Maker, Option<u16>)> = vec![
        ("its number", maker(number_list(A), None), None),
        ("another number", maker(number_list(C), None), Some(437)),
        ("in the range", maker(range("12155551200", 13), None), None),
        (
            "just beyond the range",
            maker(range("12155551200", 12), None),
            Some(437),
        ),
        (
            "just before the range",
            maker(range("12155551213", 9), None),
            Some(437),
        ),
        ("a range of one", maker(range(A, 1), None), Some(437)),
        (
            "a range over the digits",
            maker(range("999", 2), None),
            Some(437),
        ),
        (
            "demands what is there",
            maker(spc(), constraint(27, &[names(0xa0, &["attest"])])),
            None,
        ),
        (
            "demands what is not",
            maker(spc(), constraint(27, &[names(0xa0, &["rcd"])])),
            Some(437),
        ),
        (
            "another value",
            maker(spc(), constraint(27, std::slice::from_ref(&permitted))),
            Some(437),
        ),
        (
            "forbids what is there",
            maker(spc(), constraint(33, &[names(0xa2, &["origid"])])),
            Some(437),
        ),
        (
            "forbids what is not",
            maker(spc(), constraint(33, &[names(0xa2, &["rcd"])])),
            None,
        ),
        ("says nothing", maker(spc(), constraint(27, &[])), Some(437)),
        (
            "is no constraint",
            maker(spc(), Some((27, vec![5, 0]))),
            Some(437),
        ),
    ];
    for (what, m, code) in table {
        let header = m.header(&jose("shaken"), &good(), ";ppt=shaken");
        let report = m.judge(&[header], B, |_| {});
        assert_eq!(report.sip_code(), code, "{what}: {:?}", report.fault);
    }
}
