//! What is particular to one country: prefixes beside the usual ones, numbers with a length of
//! their own, old ways of writing, and short numbers that stay as they are dialled.

use super::Region;
use std::borrow::Cow;

/// Trunk prefixes beside the country's usual one: former ones that people still write.
pub(super) fn other_trunks(country_code: &str) -> &'static [&'static str] {
    match country_code {
        "370" => &["8"],
        "375" => &["8"],
        "52" => &["01", "044", "045"],
        _ => &[],
    }
}

/// Prefixes before a country code beside the region's own and `00`.
pub(super) fn other_internationals(country_code: &str) -> &'static [&'static str] {
    match country_code {
        "358" => &["990", "994", "999"],
        "972" => &["012", "013", "014", "015", "016", "017", "018", "019"],
        "81" => &["0033010", "0061010", "001010"],
        "82" => &["00300", "00345", "00700", "00727", "00755", "00770"],
        // `00` and the carrier that is to carry the call.
        "55" => &[
            "0012", "0014", "0015", "0021", "0023", "0025", "0031", "0041",
        ],
        _ => &[],
    }
}

/// The national number behind the code of the carrier that is to carry the call, after the trunk
/// prefix.
pub(super) fn without_carrier<'d>(country_code: &str, digits: &'d str) -> Option<&'d str> {
    match (country_code, digits.len()) {
        ("55", 12 | 13) => digits.get(2..),
        ("57", 11) if digits.starts_with(['3', '5', '7', '9']) => digits.get(1..),
        _ => None,
    }
}

/// The national part of an international number as it is written today: Mexico's mobile `1` is gone
/// since 2019.
pub(super) fn today<'d>(country_code: &str, national: &'d str) -> Cow<'d, str> {
    match (country_code, national.len()) {
        ("52", 11) => Cow::Borrowed(national.strip_prefix('1').unwrap_or(national)),
        _ => mobile(country_code, national),
    }
}

/// Argentina's mobiles have a 9 in front of the area, where at home a 15 is dialled behind it.
pub(super) fn mobile<'d>(country_code: &str, national: &'d str) -> Cow<'d, str> {
    let plain = Cow::Borrowed(national);
    match (country_code, national.len()) {
        ("54", 12) => {
            // Buenos Aires is 11; the other areas have three or four digits.
            let widths: &[usize] = match national.starts_with("11") {
                true => &[2],
                false => &[3, 4],
            };
            let behind = |width: &&usize| national.get(**width..**width + 2) == Some("15");
            match widths.iter().find(behind) {
                Some(&w) => Cow::Owned(format!("9{}{}", &national[..w], &national[w + 2..])),
                None => plain,
            }
        }
        _ => plain,
    }
}

/// Whether digits dialled at home are the country's own beyond doubt, though its code may seem to
/// stand in front: Italy's mobiles begin with 39 too.
pub(super) fn is_own(country_code: &str, digits: &str) -> bool {
    country_code == "39" && digits.starts_with('3') && plan_holds(country_code, digits)
}

/// Whether [`plan_holds`] knows more of the country than lengths.
pub(super) fn has_plan(country_code: &str) -> bool {
    matches!(country_code, "1" | "39" | "352")
}

/// Rules beyond the length. In the North American plan area and exchange begin with 2-9; in Italy
/// the zero of an area belongs to the number and mobiles begin with 3.
pub(super) fn plan_holds(country_code: &str, national: &str) -> bool {
    let b = national.as_bytes();
    match country_code {
        "1" => b.len() == 10 && b[0] >= b'2' && b[3] >= b'2',
        "39" => match b.first() {
            Some(b'0') => (6..=11).contains(&b.len()),
            Some(b'3') => matches!(b.len(), 9 | 10),
            Some(b'5') => b.len() == 10,
            Some(b'8') => (6..=10).contains(&b.len()),
            _ => national.starts_with("199") || national.starts_with("178"),
        },
        "352" => b.first().is_some_and(|d| *d >= b'2'),
        // Brazil's mobiles have a 9 behind the area; what is not mobile is shorter.
        "55" => b.len() != 11 || b[2] == b'9',
        _ => true,
    }
}

/// Country code, beginning and lengths of numbers that are shorter or longer than the country's
/// usual ones: freephone, shared cost, premium rate and numbers of companies.
const SPECIAL: &[(&str, &str, u8, u8)] = &[
    ("31", "14", 5, 6),
    ("31", "90", 7, 11),
    ("353", "15", 10, 10),
    ("353", "18", 10, 10),
    ("375", "8", 6, 11),
    ("375", "9", 10, 10),
    ("44", "845464", 7, 7),
    ("47", "0", 5, 5),
    ("501", "0800", 11, 11),
    ("502", "18", 11, 11),
    ("502", "19", 11, 11),
    ("503", "80", 7, 11),
    ("503", "90", 7, 11),
    ("506", "900", 10, 10),
    ("55", "300", 9, 10),
    ("55", "400", 8, 8),
    ("55", "500", 9, 10),
    ("55", "900", 9, 10),
    ("56", "600", 10, 11),
    ("57", "190", 11, 11),
    ("598", "80", 7, 7),
    ("598", "90", 7, 7),
    ("61", "13", 6, 6),
    ("61", "180", 7, 7),
    ("61", "190", 10, 10),
    ("63", "180", 11, 13),
    ("65", "18", 10, 11),
    ("65", "19", 11, 11),
    ("65", "7000", 11, 11),
    ("66", "1", 10, 10),
    ("679", "0800", 11, 11),
    ("84", "1900", 8, 10),
    ("852", "900", 11, 11),
    ("86", "16", 8, 8),
    ("886", "70", 10, 10),
    ("90", "444", 7, 7),
    ("91", "18", 10, 13),
    ("92", "900", 8, 8),
    ("92", "21111", 11, 11),
    ("960", "900", 10, 10),
    ("965", "18", 7, 7),
    ("970", "1", 10, 10),
    ("972", "1", 7, 10),
    ("977", "16", 11, 11),
    ("267", "0800", 10, 10),
];

/// Whether a national number is one of those with a length of their own.
pub(super) fn is_special(country_code: &str, national: &str) -> bool {
    SPECIAL.iter().any(|(code, start, least, most)| {
        *code == country_code
            && national.starts_with(start)
            && (usize::from(*least)..=usize::from(*most)).contains(&national.len())
    })
}

/// Numbers that stay as they are dialled (RFC 8224 8.3): emergency and short services. Without a
/// region, those that mean help somewhere.
pub(super) fn is_service(digits: &str, region: Option<&Region>) -> bool {
    if matches!(digits, "112" | "911") {
        return true;
    }
    let three = digits.len() == 3;
    let harmonised = digits.len() == 6 && digits.starts_with("116");
    let directory = matches!(digits.len(), 5 | 6) && digits.starts_with("118");
    match region.map(|r| r.country_code) {
        Some("1") => matches!(
            digits,
            "211" | "311" | "411" | "511" | "611" | "711" | "811" | "933" | "988"
        ),
        Some("44") => {
            harmonised
                || directory
                || matches!(
                    digits,
                    "999" | "100" | "101" | "105" | "111" | "119" | "123" | "155"
                )
        }
        Some("33") => {
            let four = digits.len() == 4 && (digits.starts_with('3') || digits.starts_with("10"));
            harmonised
                || directory
                || four
                || matches!(digits, "15" | "17" | "18" | "114" | "115" | "119")
        }
        Some("34") => {
            let three = three && (digits.starts_with('0') || digits.starts_with('1'));
            harmonised || directory || three
        }
        Some("61") => matches!(digits, "000" | "106"),
        Some("64") => matches!(digits, "111" | "105"),
        Some("27") => three && digits.starts_with('1') || matches!(digits, "10111" | "10177"),
        Some("86") => {
            three && digits.starts_with('1')
                || digits.len() == 5 && (digits.starts_with('1') || digits.starts_with("95"))
        }
        // Countries whose help is a nine and a nine.
        Some("353" | "48" | "65" | "852" | "60" | "971" | "254" | "966") => {
            harmonised
                || directory
                || three && (digits.starts_with("99") || digits.starts_with('1'))
        }
        Some(_) => harmonised || directory || (three && digits.starts_with('1')),
        None => matches!(
            digits,
            "000" | "110" | "111" | "113" | "115" | "117" | "118" | "119" | "120" | "122" | "999"
        ),
    }
}
