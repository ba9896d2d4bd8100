//! Every shared case has the verdict and the code it is listed with.
#![allow(clippy::unwrap_used)]

mod common;

use cp_identity::{Verdict, check};
use cp_vocab::Timestamp;

/// What the words of the file mean as a verdict under our default policy.
fn expected(case: &serde_json::Value) -> Verdict {
    let words = case["expect"].as_str().unwrap();
    let code = case["sip_code"].as_u64();
    match (words, code) {
        (w, None) if w.starts_with("valid") => Verdict::Valid,
        ("ignored", _) => Verdict::None,
        (_, Some(403)) => Verdict::Stale,
        (_, Some(436)) => Verdict::Refused,
        (_, Some(437 | 438)) => Verdict::Invalid,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_case() {
    let Some(file) = common::vectors() else {
        return;
    };
    let lines = check::check(&file.to_string(), Timestamp::ZERO).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(lines.len(), cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .zip(&lines)
        .filter(|(case, line)| {
            line.verdict != expected(case)
                || line.sip_code.map(u64::from) != case["sip_code"].as_u64()
        })
        .map(|(case, line)| format!("{line:?}, expected {} {}", case["expect"], case["sip_code"]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lines_are_json_with_four_members() {
    let Some(file) = common::vectors() else {
        return;
    };
    let lines = check::run(&file.to_string(), Timestamp::ZERO).unwrap();
    assert_eq!(
        lines[0],
        r#"{"id":"P01-base","verdict":"valid","sip_code":null,"reason":null}"#
    );
    let alg = lines.iter().find(|l| l.contains("N01-alg-none")).unwrap();
    assert_eq!(
        alg,
        r#"{"id":"N01-alg-none","verdict":"invalid","sip_code":438,"reason":"algorithm"}"#
    );
}

#[test]
fn not_the_format() {
    for text in ["", "[]", "{}", "\u{0}"] {
        assert!(check::run(text, Timestamp::ZERO).is_err(), "{text:?}");
    }
}
