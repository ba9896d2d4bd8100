//! Where a number in E.164 leads, as far as a guard against fraud must know: the country, and
//! whether calls there are a business of their own.
//!
//! Sources: ITU-T E.164 list of assigned codes (country and network codes), North American
//! Numbering Plan area codes by country, national plans for premium ranges. A code that is not in
//! the table has no country; a guard that allows countries refuses it.

/// Countries that share `+1`, by area code. What is not named is the United States.
const NANP: &[(&str, &[&str])] = &[
    (
        "CA",
        &[
            "204", "226", "236", "249", "250", "257", "263", "289", "306", "343", "354", "365",
            "367", "368", "382", "387", "403", "416", "418", "428", "431", "437", "438", "450",
            "460", "468", "474", "506", "514", "519", "548", "579", "581", "584", "587", "604",
            "613", "639", "647", "672", "683", "705", "709", "742", "753", "778", "780", "782",
            "807", "819", "825", "867", "873", "879", "902", "905", "942",
        ],
    ),
    ("BS", &["242"]),
    ("BB", &["246"]),
    ("AI", &["264"]),
    ("AG", &["268"]),
    ("VG", &["284"]),
    ("VI", &["340"]),
    ("KY", &["345"]),
    ("BM", &["441"]),
    ("GD", &["473"]),
    ("TC", &["649"]),
    ("JM", &["658", "876"]),
    ("MP", &["670"]),
    ("GU", &["671"]),
    ("AS", &["684"]),
    ("SX", &["721"]),
    ("LC", &["758"]),
    ("DM", &["767"]),
    ("VC", &["784"]),
    ("PR", &["787", "939"]),
    ("DO", &["809", "829", "849"]),
    ("TT", &["868"]),
    ("KN", &["869"]),
];

/// Country codes and their countries; the longest that fits wins.
const COUNTRIES: &str = "\
20EG 211SS 212MA 213DZ 216TN 218LY 220GM 221SN 222MR 223ML 224GN 225CI 226BF 227NE 228TG 229BJ 230MU \
231LR 232SL 233GH 234NG 235TD 236CF 237CM 238CV 239ST 240GQ 241GA 242CG 243CD 244AO 245GW 246IO 247AC \
248SC 249SD 250RW 251ET 252SO 253DJ 254KE 255TZ 256UG 257BI 258MZ 260ZM 261MG 262RE 263ZW 264NA 265MW \
266LS 267BW 268SZ 269KM 27ZA 290SH 291ER 297AW 298FO 299GL 30GR 31NL 32BE 33FR 34ES 350GI 351PT 352LU \
353IE 354IS 355AL 356MT 357CY 358FI 359BG 36HU 370LT 371LV 372EE 373MD 374AM 375BY 376AD 377MC 378SM \
380UA 381RS 382ME 383XK 385HR 386SI 387BA 389MK 39IT 3906698VA 379VA 40RO 41CH 420CZ 421SK 423LI 43AT \
44GB 441481GG 441534JE 441624IM 45DK 46SE 47NO 4779SJ 48PL 49DE 500FK 501BZ 502GT 503SV 504HN 505NI \
506CR 507PA 508PM 509HT 51PE 52MX 53CU 54AR 55BR 56CL 57CO 58VE 590GP 591BO 592GY 593EC 594GF 595PY \
596MQ 597SR 598UY 599CW 60MY 61AU 62ID 63PH 64NZ 65SG 66TH 670TL 672NF 673BN 674NR 675PG 676TO 677SB \
678VU 679FJ 680PW 681WF 682CK 683NU 685WS 686KI 687NC 688TV 689PF 690TK 691FM 692MH 7RU 76KZ 77KZ \
81JP 82KR 84VN 850KP 852HK 853MO 855KH 856LA 86CN 880BD 886TW 90TR 91IN 92PK 93AF 94LK 95MM 960MV \
961LB 962JO 963SY 964IQ 965KW 966SA 967YE 968OM 970PS 971AE 972IL 973BH 974QA 975BT 976MN 977NP 98IR \
992TJ 993TM 994AZ 995GE 996KG 998UZ";

/// Prefixes whose calls pay the one who is called, or a network in between: premium rate.
const PREMIUM: &[&str] = &[
    "979", "1900", "1976", "4490", "4491", "4498", "4487", "49900", "49137", "49190", "43900",
    "43901", "43930", "43931", "41900", "41901", "41906", "3389", "33897", "33899", "39892",
    "39893", "39894", "39895", "39899", "39166", "34803", "34806", "34807", "34905", "34907",
    "3190", "32900", "32901", "32902", "32903", "32904", "32905", "32906", "32907", "32908",
    "32909", "3531550", "3531560", "3531570", "3531580", "3531590", "48300", "48400", "48700",
    "45901", "45909", "46900", "46939", "46944", "47820", "47829", "351601", "351607", "351646",
    "351648", "420900", "420906", "420908", "420909", "421900", "3690", "3691", "40900", "40903",
    "40906", "61190", "64900", "27862", "81990",
];

/// Satellites and networks without a country (ITU shared codes): dear, and loved by fraudsters.
const NETWORKS: &[&str] = &["870", "878", "881", "882", "883", "888"];

/// What kind of place a number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Ordinary,
    Premium,
    /// A satellite, or a network without a country.
    Network,
}

/// The country (ISO 3166-1 alpha-2) of a number in E.164, with or without its `+`.
pub fn country_of(number: &str) -> Option<&'static str> {
    let digits = number.trim_start_matches('+');
    if let Some(rest) = digits.strip_prefix('1') {
        let area = rest.get(..3)?;
        let found = NANP.iter().find(|(_, areas)| areas.contains(&area));
        return Some(found.map_or("US", |(iso, _)| iso));
    }
    COUNTRIES
        .split(' ')
        .filter_map(|entry| entry.split_at_checked(entry.len() - 2))
        .filter(|(code, _)| digits.starts_with(code))
        .max_by_key(|(code, _)| code.len())
        .map(|(_, iso)| iso)
}

/// Whether `iso` is a country some number leads to.
pub fn is_country(iso: &str) -> bool {
    iso == "US"
        || NANP.iter().any(|(i, _)| *i == iso)
        || COUNTRIES
            .split(' ')
            .any(|e| e.len() > 2 && e.ends_with(iso) && iso.len() == 2)
}

/// What kind of place a number in E.164 is.
pub fn kind_of(number: &str) -> Kind {
    let digits = number.trim_start_matches('+');
    let any = |list: &[&str]| list.iter().any(|p| digits.starts_with(p));
    match () {
        () if any(PREMIUM) => Kind::Premium,
        () if any(NETWORKS) => Kind::Network,
        () => Kind::Ordinary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_countries_and_kinds() {
        for (number, country, kind) in [
            ("+4930123456", Some("DE"), Kind::Ordinary),
            ("+12125551234", Some("US"), Kind::Ordinary),
            ("+14165551234", Some("CA"), Kind::Ordinary),
            ("+18765551234", Some("JM"), Kind::Ordinary),
            ("+19005551234", Some("US"), Kind::Premium),
            ("+447700900123", Some("GB"), Kind::Ordinary),
            ("+441534123456", Some("JE"), Kind::Ordinary),
            ("+449012345678", Some("GB"), Kind::Premium),
            ("+77011234567", Some("KZ"), Kind::Ordinary),
            ("+74951234567", Some("RU"), Kind::Ordinary),
            ("+88213300655", None, Kind::Network),
            ("+8816123456", None, Kind::Network),
            ("+979123456789", None, Kind::Premium),
            ("+3906698123", Some("VA"), Kind::Ordinary),
            ("+390612345", Some("IT"), Kind::Ordinary),
            ("+12", None, Kind::Ordinary),
            ("", None, Kind::Ordinary),
        ] {
            assert_eq!(country_of(number), country, "{number}");
            assert_eq!(kind_of(number), kind, "{number}");
        }
        for (iso, is) in [
            ("DE", true),
            ("US", true),
            ("JM", true),
            ("de", false),
            ("XX", false),
            ("", false),
            ("4D", false),
        ] {
            assert_eq!(is_country(iso), is, "{iso}");
        }
    }
}
