use super::*;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

#[test]
fn lists() {
    let spc = TnAuthList::parse(&hex("3008a006160431323334")).unwrap();
    assert_eq!(spc.spc(), Some("1234"));
    assert!(!spc.has_numbers() && !spc.covers("12155551212"));
    assert_eq!(
        TnAuthList::parse(&hex("3005a003160131")).unwrap().spc(),
        Some("1")
    );
    let range = TnAuthList::parse(&hex("3014a1123010160b313231353535353132303002010d")).unwrap();
    for (number, inside) in [
        ("12155551199", false),
        ("12155551200", true),
        ("12155551212", true),
        ("12155551213", false),
        ("012155551200", false),
        ("1215555120", false),
    ] {
        assert_eq!(range.covers(number), inside, "{number}");
    }
}

#[test]
fn refused() {
    for (name, bytes) in [
        ("empty", "3000"),
        ("no sequence", ""),
        ("bare text", "160431323334"),
        ("implicit tag", "3006800431323334"),
        ("trailing bytes", "3008a00616043132333400"),
        ("trailing in choice", "300aa0081604313233340500"),
        ("empty code", "3004a0021600"),
        ("count one", "3014a1123010160b3132313535353531323030020101"),
        (
            "count negative",
            "3014a1123010160b31323135353535313230300201ff",
        ),
        ("over the digits", "300ba10930071602393902010 5"),
        ("letters in a number", "3008a206160431324133"),
        ("long form of a short length", "308108a006160431323334"),
        ("indefinite length", "3080a0061604313233340000"),
        ("length beyond the end", "3009a006160431323334"),
        ("unknown choice", "3008a306160431323334"),
    ] {
        let bytes = hex(&bytes.replace(' ', ""));
        assert_eq!(TnAuthList::parse(&bytes), None, "{name}");
    }
}

#[test]
fn a_delegate_stays_within_its_parent() {
    let list = |entries: &[TnEntry]| TnAuthList(entries.to_vec());
    let range = |start: &str, count| TnEntry::Range {
        start: start.into(),
        count,
    };
    let spc = TnEntry::Spc("709J".into());
    let parent = list(&[range("12155551200", 13), spc.clone()]);
    for (child, inside) in [
        (list(&[TnEntry::One("12155551212".into())]), true),
        (list(&[TnEntry::One("12155551213".into())]), false),
        (list(&[range("12155551202", 11)]), true),
        (list(&[range("12155551202", 12)]), false),
        (list(std::slice::from_ref(&spc)), true),
        (list(&[TnEntry::Spc("810K".into())]), false),
    ] {
        assert_eq!(child.within(&parent), inside, "{child:?}");
    }
    // Entries are additive: two that adjoin have what lies across their border.
    let parts = list(&[
        range("12155551210", 10),
        TnEntry::One("12155551209".into()),
        range("12155551200", 9),
        range("2155551220", 50),
    ]);
    for (child, inside) in [
        (range("12155551200", 20), true),
        (range("12155551205", 8), true),
        (range("12155551205", 16), false),
        (range("12155551199", 3), false),
        (range("2155551205", 8), false),
    ] {
        assert_eq!(
            list(std::slice::from_ref(&child)).within(&parts),
            inside,
            "{child:?}"
        );
    }
    assert!(list(&[TnEntry::One("1".into())]).within(&list(&[spc])));
}

#[test]
fn constraints_of_rfc_9118() {
    let bytes = hex(
        "3040a00e300c160a636f6e666964656e6365a120301e301c160a636f6e666964656e6365300e0c04686967680c066d656469756da20c300a16087072696f72697479",
    );
    let c = ClaimConstraints::parse(&bytes, true).unwrap();
    assert_eq!(c.must_include, ["confidence"]);
    assert_eq!(c.must_exclude, ["priority"]);
    assert_eq!(ClaimConstraints::parse(&bytes, false), None);
    for (claims, allowed) in [
        (r#"{"confidence":"high"}"#, true),
        (r#"{"confidence":"low"}"#, false),
        (r#"{}"#, false),
        (r#"{"confidence":"medium","priority":1}"#, false),
    ] {
        let value = Value::parse(claims.as_bytes()).unwrap();
        assert_eq!(c.allows(value.as_object().unwrap()), allowed, "{claims}");
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = TnAuthList::parse(&bytes);
        let _ = ClaimConstraints::parse(&bytes, true);
    }

    #[test]
    fn mutated(at in 0usize..66, to in any::<u8>()) {
        let mut bytes = hex("3040a00e300c160a636f6e666964656e6365a120301e301c160a636f6e666964656e6365300e0c04686967680c066d656469756da20c300a16087072696f72697479");
        bytes[at] = to;
        let _ = ClaimConstraints::parse(&bytes, true);
        let _ = TnAuthList::parse(&bytes);
    }
}
