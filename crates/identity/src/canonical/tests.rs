use super::*;
use proptest::prelude::*;

#[test]
fn table() {
    for (input, region, expected) in [
        ("+1 (215) 555-1212", "US", "12155551212"),
        ("+12155551212", "", "12155551212"),
        ("+1.215.555.1212", "GB", "12155551212"),
        ("tel:+1-215-555-1212;ext=5", "US", "12155551212"),
        ("TEL:+12155551212", "US", "12155551212"),
        ("tel:5551212;phone-context=+1215", "GB", "12155551212"),
        (
            "tel:2155551212;phone-context=example.com",
            "US",
            "12155551212",
        ),
        (
            "sip:+12155551212;npdi;rn=+12155550000@h.example;user=phone",
            "US",
            "12155551212",
        ),
        ("sip:+12155551212@h.example", "", "12155551212"),
        (
            "<sip:+12155551212@h.example;user=phone>",
            "US",
            "12155551212",
        ),
        ("sips:+12155551212@h.example:5061", "US", "12155551212"),
        ("sip:%2B12155551212@h.example", "US", "12155551212"),
        (
            "sip:+1%2D215-555-1212:secret@h.example",
            "US",
            "12155551212",
        ),
        ("sip:2155551212@h.example", "US", "12155551212"),
        ("sip:12155551212@h.example", "", "sip:12155551212@h.example"),
        ("sip:911@h.example", "", "911"),
        ("9876543210", "IN", "919876543210"),
        ("13812345678", "CN", "8613812345678"),
        ("2155551212", "US", "12155551212"),
        ("12155551212", "US", "12155551212"),
        ("12155551212", "", "12155551212"),
        ("0012155551212", "US", "12155551212"),
        ("0012155551212", "GB", "12155551212"),
        ("01112155551212", "US", "12155551212"),
        ("011442071234567", "US", "442071234567"),
        ("02071234567", "GB", "442071234567"),
        ("020 7123 4567", "gb", "442071234567"),
        ("0044 20 7123 4567", "DE", "442071234567"),
        ("+44 (0)20 7123 4567", "GB", "442071234567"),
        ("+49 (0)30/123456", "US", "4930123456"),
        ("+44 020 7123 4567", "GB", "INVALID"),
        ("030 123456", "DE", "4930123456"),
        ("0612345678", "FR", "33612345678"),
        ("06 1 234 5678", "HU", "3612345678"),
        ("+39 06 698 1234", "IT", "39066981234"),
        ("911", "US", "911"),
        ("112", "US", "112"),
        ("933", "US", "933"),
        ("999", "GB", "999"),
        ("sip:911@h.example;user=phone", "US", "911"),
        ("tel:112", "DE", "112"),
        ("*6712155551212", "US", "*6712155551212"),
        ("*67 (215) 555-1212", "US", "*672155551212"),
        ("#31#2155551212", "US", "#31#2155551212"),
        ("sip:Bob@Example.COM:5060;x=y", "US", "sip:bob@example.com"),
        (
            "sip:bob:secret@Example.com?Subject=x",
            "US",
            "sip:bob@example.com",
        ),
        (
            "SIPS:Alice%2fb@Example.com",
            "US",
            "sips:alice%2fb@example.com",
        ),
        ("sip:%41lice@example.com", "US", "sip:alice@example.com"),
        ("sip:1001@pbx.example.com", "US", "sip:1001@pbx.example.com"),
        (
            "sip:anonymous@anonymous.invalid",
            "US",
            "sip:anonymous@anonymous.invalid",
        ),
        (
            "sip:alice@[2001:DB8::1]:5060",
            "US",
            "sip:alice@[2001:db8::1]",
        ),
        ("sip:example.com", "US", "sip:example.com"),
        ("", "US", "INVALID"),
        (" ", "US", "INVALID"),
        ("+", "US", "INVALID"),
        ("++12155551212", "US", "INVALID"),
        ("12+155551212", "US", "INVALID"),
        ("anonymous", "US", "INVALID"),
        ("1234567890123456", "US", "INVALID"),
        ("+1234567890123456789", "US", "INVALID"),
        ("+10155551212", "US", "INVALID"),
        ("+999123456789", "US", "INVALID"),
        ("5551212", "US", "INVALID"),
        ("15", "US", "INVALID"),
        ("+911", "US", "INVALID"),
        ("２１５５５５１２１２", "US", "INVALID"),
        ("215\u{00a0}5551212", "US", "INVALID"),
        ("215\u{0}5551212", "US", "INVALID"),
        ("1-800-FLOWERS", "US", "INVALID"),
        ("sip:@example.com", "US", "INVALID"),
        ("sip:", "US", "INVALID"),
        ("sip:a@", "US", "INVALID"),
        ("sip:a@b:99999", "US", "INVALID"),
        ("sip:a%zz@b.example", "US", "INVALID"),
        ("sip:a%4", "US", "INVALID"),
        ("sip:a b@c.example", "US", "INVALID"),
        ("http://example.com", "US", "INVALID"),
        ("mailto:a@b.example", "US", "INVALID"),
        ("tel:", "US", "INVALID"),
        ("tel:abc", "US", "INVALID"),
        ("<sip:a@b.example", "US", "INVALID"),
    ] {
        assert_eq!(line(input, region), expected, "{input:?} in {region:?}");
    }
}

proptest! {
    #[test]
    fn never_panics(input in "\\PC*", region in "(US|GB|DE|)") {
        line(&input, &region);
    }

    #[test]
    fn once_is_enough(input in "(\\+|00|0|1|sip:|tel:|\\*67|)[0-9 ()#.-]{0,14}(@[A-Za-z.]{1,9})?", region in "(US|GB|DE|FR|)") {
        let once = line(&input, &region);
        if once != "INVALID" {
            // A number in international form is read as such, whatever the region.
            let again = match canonical(&input, Region::find(&region)) {
                Some(Identifier::Number(n)) if n.len() > 6 && n.bytes().all(|b| b.is_ascii_digit()) => line(&format!("+{n}"), &region),
                _ => line(&once, &region),
            };
            prop_assert_eq!(again, once);
        }
    }

    #[test]
    fn every_number_is_canonical(input in "[+0-9*# ().-]{0,20}", region in "(US|GB|)") {
        if let Some(Identifier::Number(n)) = canonical(&input, Region::find(&region)) {
            prop_assert!(is_canonical_number(&n), "{}", n);
        }
    }
}
