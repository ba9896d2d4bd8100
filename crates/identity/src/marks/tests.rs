use super::*;

#[test]
fn reasons() {
    assert_eq!(
        reason(Fault::FetchFailed, Some("..abc"), ReasonForm::Stir).unwrap(),
        "STIR ;cause=436 ;text=\"Bad Identity Info\" ;ppi=\"..abc\""
    );
    assert_eq!(
        reason(Fault::NoIdentity, None, ReasonForm::Legacy).unwrap(),
        "SIP;cause=428;text=\"Use Identity Header\""
    );
    assert_eq!(reason(Fault::Anonymous, None, ReasonForm::Stir), None);
    assert!(reason_is_about(
        "STIR ;cause=438 ;ppi=\"..sig1\"",
        &["a.b.sig1"]
    ));
    assert!(!reason_is_about(
        "STIR ;cause=438 ;ppi=\"..sig1\"",
        &["a.b.sig2"]
    ));
    assert!(!reason_is_about("SIP ;text=\"sig1\"", &["a.b.sig1"]));
}

#[test]
fn what_a_failure_does_to_the_call() {
    let stale = Some(Fault::Stale);
    assert_eq!(OnFailure::default().answer(stale, false), None);
    assert_eq!(
        OnFailure::Reject.answer(stale, false),
        Some((403, "Stale Date"))
    );
    assert_eq!(OnFailure::Reject.answer(stale, true), None);
    assert_eq!(
        OnFailure::RejectFailed.answer(Some(Fault::NoIdentity), false),
        None
    );
    assert_eq!(
        OnFailure::Reject.answer(Some(Fault::NoIdentity), false),
        Some((428, "Use Identity Header"))
    );
    assert_eq!(
        OnFailure::Reject.answer(Some(Fault::Anonymous), false),
        None
    );
    assert_eq!(OnFailure::Reject.answer(None, false), None);
}

#[test]
fn verstats() {
    assert_eq!(read_verstat("TN-Validation-Passed-B"), Some(Verdict::Valid));
    assert_eq!(read_verstat("tn-validation-failed"), Some(Verdict::Invalid));
    assert_eq!(read_verstat("No-TN-Validation"), Some(Verdict::None));
    assert_eq!(read_verstat("passed"), None);
    assert_eq!(
        with_verstat("12155551212", Verdict::Valid),
        "tel:+12155551212;verstat=TN-Validation-Passed"
    );
}

#[test]
fn marks_of_strangers() {
    for (name, value, expected) in [
        (
            "From",
            "<sip:+12155551212;verstat=TN-Validation-Passed@h;user=phone>;tag=1",
            Some("<sip:+12155551212@h;user=phone>;tag=1"),
        ),
        (
            "p-asserted-identity ",
            "<tel:+12155551212;verstat=TN-Validation-Passed>",
            Some("<tel:+12155551212>"),
        ),
        (
            "From",
            "\"a\" <sip:x@h;VerStat = TN-Validation-Passed>;tag=2",
            Some("\"a\" <sip:x@h>;tag=2"),
        ),
        (
            "From",
            "<sip:1;verstat=a;verstat=b@h;verstat>",
            Some("<sip:1@h>"),
        ),
        (
            "From",
            "<sip:1%3bverstat=TN-Validation-Passed@h>",
            Some("<sip:1@h>"),
        ),
        (
            "From",
            "<sip:verstat@h;verstatus=1>",
            Some("<sip:verstat@h;verstatus=1>"),
        ),
        ("P-Attestation-Indicator", "A", None),
        ("ATTESTATION-INFO", "A", None),
        (
            "Call-Info",
            "<https://x/c.json>;purpose=jcard;call-reason=\"For, you\"",
            None,
        ),
        (
            "Call-Info",
            "<https://x/c.png>;purpose=icon, <https://x/i>;purpose=info",
            Some(" <https://x/i>;purpose=info"),
        ),
        (
            "Call-Info",
            "<https://x/i>;purpose=info",
            Some("<https://x/i>;purpose=info"),
        ),
        (
            "Call-Info",
            "<https://x/i>;purpose=info;verified=\"true\"",
            None,
        ),
        (
            "Identity",
            "a.b.c;info=<https://x>",
            Some("a.b.c;info=<https://x>"),
        ),
    ] {
        assert_eq!(strip(name, value).as_deref(), expected, "{name}: {value}");
    }
}
