//! Where everybody on a call must know that it is recorded.
//!
//! A place counts as free of that duty only when it is listed here as a place where the knowledge of one
//! party is enough: states of the United States without a law of their own that asks for more than federal
//! law does (18 U.S.C. 2511(2)(d)). Everything else is strict, and so is a number that tells no place:
//! toll-free, mobile networks abroad, internal ones of strangers, anonymous. A number tells where it was given out, not where
//! its owner stands; who wants to be sure announces always.

use crate::media::{Sound, Tone};
use crate::party::Address;
use crate::safety::{RecordingConsent, RecordingPolicy};

/// States where the knowledge of one party is enough, with the area codes given out in them.
const ONE_PARTY: &[(&str, &[u16])] = &[
    ("AK", &[907]),
    ("AL", &[205, 251, 256, 334, 659, 938]),
    ("AR", &[327, 479, 501, 870]),
    ("AZ", &[480, 520, 602, 623, 928]),
    ("CO", &[303, 719, 720, 970, 983]),
    ("DC", &[202, 771]),
    ("GA", &[229, 404, 470, 478, 678, 706, 762, 770, 912, 943]),
    ("HI", &[808]),
    ("IA", &[319, 515, 563, 641, 712]),
    ("ID", &[208, 986]),
    ("IN", &[219, 260, 317, 463, 574, 765, 812, 930]),
    ("KS", &[316, 620, 785, 913]),
    ("KY", &[270, 364, 502, 606, 859]),
    ("LA", &[225, 318, 337, 504, 985]),
    ("ME", &[207]),
    ("MN", &[218, 320, 507, 612, 651, 763, 924, 952]),
    ("MO", &[235, 314, 417, 557, 573, 636, 660, 816, 975]),
    ("MS", &[228, 601, 662, 769]),
    ("NC", &[252, 336, 472, 704, 743, 828, 910, 919, 980, 984]),
    ("ND", &[701]),
    ("NE", &[308, 402, 531]),
    ("NJ", &[201, 551, 609, 640, 732, 848, 856, 862, 908, 973]),
    ("NM", &[505, 575]),
    (
        "NY",
        &[
            212, 315, 329, 332, 347, 363, 516, 518, 585, 607, 624, 631, 646, 680, 716, 718, 838,
            845, 914, 917, 929, 934,
        ],
    ),
    (
        "OH",
        &[
            216, 220, 234, 283, 326, 330, 380, 419, 436, 440, 513, 567, 614, 740, 937,
        ],
    ),
    ("OK", &[405, 539, 572, 580, 918]),
    ("RI", &[401]),
    ("SC", &[803, 821, 839, 843, 854, 864]),
    ("SD", &[605]),
    ("TN", &[423, 615, 629, 731, 865, 901, 931]),
    (
        "TX",
        &[
            210, 214, 254, 281, 325, 346, 361, 409, 430, 432, 469, 512, 621, 682, 713, 726, 737,
            806, 817, 830, 832, 903, 915, 936, 940, 945, 956, 972, 979,
        ],
    ),
    ("UT", &[385, 435, 801]),
    ("VA", &[276, 434, 540, 571, 686, 703, 757, 804, 826, 948]),
    ("WI", &[262, 274, 353, 414, 534, 608, 715, 920]),
    ("WV", &[304, 681]),
    ("WY", &[307]),
];

/// Whether a place of the form `DE` or `US-NY` is known to be content with one party that knows.
fn is_lenient_place(place: &str) -> bool {
    place
        .strip_prefix("US-")
        .is_some_and(|state| ONE_PARTY.iter().any(|(s, _)| *s == state))
}

fn is_lenient_number(number: &str) -> bool {
    let area = number
        .strip_prefix("+1")
        .filter(|n| n.len() == 10 && n.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|n| n.get(..3)?.parse().ok());
    area.is_some_and(|area: u16| ONE_PARTY.iter().any(|(_, areas)| areas.contains(&area)))
}

impl RecordingConsent {
    /// What every party is to hear when a recording begins; `None`: nothing. `parties` are those outside
    /// the house; the tenant's own people are where `home` says.
    pub fn notice<'a>(&self, parties: impl IntoIterator<Item = &'a Address>) -> Option<Sound> {
        let must = match self.policy {
            RecordingPolicy::Silent => false,
            RecordingPolicy::Announce => true,
            RecordingPolicy::ByPlace => {
                !is_lenient_place(&self.home)
                    || parties.into_iter().any(|p| match p {
                        Address::Number(number) => !is_lenient_number(number),
                        Address::Extension(_) | Address::Sip(_) | Address::Anonymous => true,
                    })
            }
        };
        let text = self.announcement.trim();
        must.then(|| match text {
            "" => Sound::Tone { tone: Tone::Beep },
            text => Sound::Speech {
                text: text.into(),
                voice: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_stricter_place_decides() {
        let number = |n: &str| Address::Number(n.into());
        let told = |policy, home: &str, parties: &[Address]| {
            let consent = RecordingConsent {
                policy,
                home: home.into(),
                announcement: " Recorded. ".into(),
            };
            consent.notice(parties).is_some()
        };
        use RecordingPolicy::*;
        let new_york = number("+12125550100");
        for (policy, home, parties, want) in [
            (Silent, "DE", vec![number("+4930123456")], false),
            (Announce, "US-NY", vec![new_york.clone()], true),
            (ByPlace, "US-NY", vec![new_york.clone()], false),
            (ByPlace, "US-NY", vec![], false),
            (ByPlace, "US-CA", vec![new_york.clone()], true),
            (ByPlace, "", vec![new_york.clone()], true),
            (ByPlace, "US-NY", vec![number("+14155550100")], true),
            (ByPlace, "US-NY", vec![number("+18005550100")], true),
            (ByPlace, "US-NY", vec![number("+1212555")], true),
            (ByPlace, "US-NY", vec![number("+442079460000")], true),
            (ByPlace, "US-NY", vec![Address::Anonymous], true),
            (
                ByPlace,
                "US-NY",
                vec![new_york, number("+14155550100")],
                true,
            ),
        ] {
            assert_eq!(
                told(policy, home, &parties),
                want,
                "{policy:?} {home} {parties:?}"
            );
        }
    }

    #[test]
    fn words_or_a_beep() {
        let with = |announcement: &str| RecordingConsent {
            policy: RecordingPolicy::Announce,
            home: String::new(),
            announcement: announcement.into(),
        };
        assert_eq!(with("").notice([]), Some(Sound::Tone { tone: Tone::Beep }));
        assert!(
            matches!(with("Hear, hear").notice([]), Some(Sound::Speech { text, .. }) if text == "Hear, hear")
        );
    }

    #[test]
    fn no_area_code_is_in_two_states_or_in_a_strict_one() {
        let all: Vec<u16> = ONE_PARTY
            .iter()
            .flat_map(|(_, a)| a.iter().copied())
            .collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for strict in [
            415, 213, 305, 312, 410, 617, 406, 603, 215, 206, 203, 302, 702, 313, 503,
        ] {
            assert!(!all.contains(&strict), "{strict}");
        }
    }
}
