//! Numbering facts: assigned country codes (ITU-T E.164) and how people dial within a country.

use super::habits;
use std::borrow::Cow;

/// How a number is dialled within a country.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// ISO 3166-1 alpha-2.
    pub iso: &'static str,
    pub country_code: &'static str,
    /// Dropped in front of a national number; empty where there is none.
    trunk_prefix: &'static str,
    /// Dialled before a country code, beside `00`.
    international_prefix: &'static str,
    /// Digits of a national significant number, least and most.
    national_digits: (u8, u8),
}

impl Region {
    /// By ISO code in any case (`UK` is taken for `GB`); `None` for what is no country.
    pub fn find(iso: &str) -> Option<&'static Self> {
        let iso = if iso.eq_ignore_ascii_case("UK") {
            "GB"
        } else {
            iso
        };
        REGIONS.iter().find(|r| r.iso.eq_ignore_ascii_case(iso))
    }

    /// The first country with the code.
    pub(super) fn of_country_code(code: &str) -> Option<&'static Self> {
        REGIONS.iter().find(|r| r.country_code == code)
    }

    pub(super) fn international(&self) -> &'static str {
        self.international_prefix
    }

    /// Country code and national number of what is dialled within the country with its trunk
    /// prefix, or `None`. Where there is none, all is dialled so.
    pub(super) fn national(&self, digits: &str) -> Option<String> {
        if self.trunk_prefix.is_empty() {
            // A number of variable length may as well be an international one, or the country's
            // own with its code in front.
            let code_first = !self.is_fixed() && !habits::is_own(self.country_code, digits);
            let coded = code_first.then(|| self.without_plus(digits)).flatten();
            let read = || self.is_plain().then(|| self.complete(digits)).flatten();
            return coded.or_else(read).or_else(|| self.by_other_trunk(digits));
        }
        let Some(rest) = digits.strip_prefix(self.trunk_prefix) else {
            return self.by_other_trunk(digits);
        };
        // A second zero is a mistake, not a number.
        if self.trunk_prefix == "0" && rest.starts_with('0') {
            return None;
        }
        self.complete(rest)
            .or_else(|| self.complete(habits::without_carrier(self.country_code, rest)?))
            .or_else(|| self.by_other_trunk(digits))
    }

    fn by_other_trunk(&self, digits: &str) -> Option<String> {
        habits::other_trunks(self.country_code)
            .iter()
            .filter_map(|trunk| digits.strip_prefix(trunk))
            .find_map(|rest| {
                (!rest.starts_with('0'))
                    .then(|| self.complete(rest))
                    .flatten()
            })
    }

    /// The country's own number written internationally, but for the `+`.
    pub(super) fn without_plus(&self, digits: &str) -> Option<String> {
        self.complete(digits.strip_prefix(self.country_code)?)
    }

    /// A national number whose trunk prefix was left out. Where lengths vary much it cannot be told
    /// from a foreign one, which then goes before.
    pub(super) fn bare(&self, digits: &str) -> Option<String> {
        if self.trunk_prefix == "0" && digits.starts_with('0') {
            return None;
        }
        let foreign = !self.is_plain() && is_e164(digits);
        (!foreign).then(|| self.complete(digits)).flatten()
    }

    /// Whether so many digits, dialled without any prefix, can only be a number of this country: one
    /// that its plan does not know is then wrong, and no foreign one.
    pub(super) fn claims(&self, digits: &str) -> bool {
        self.is_fixed() && digits.len() == usize::from(self.national_digits.0)
    }

    fn complete(&self, national: &str) -> Option<String> {
        let national = habits::mobile(self.country_code, national);
        (self.fits(&national) && habits::plan_holds(self.country_code, &national))
            .then(|| format!("{}{national}", self.country_code))
    }

    /// Whether a national number may be so long; freephone numbers often have a length of their own.
    fn fits(&self, national: &str) -> bool {
        let (least, most) = self.national_digits;
        let prefixes = ["800", "1800", "1300"];
        let freephone = prefixes.iter().any(|p| national.starts_with(p));
        (usize::from(least)..=usize::from(most)).contains(&national.len())
            || (freephone && self.country_code != "1" && FREEPHONE_DIGITS.contains(&national.len()))
            || habits::is_special(self.country_code, national)
    }

    /// Numbers of one length.
    fn is_fixed(&self) -> bool {
        self.national_digits.1 == self.national_digits.0
    }

    /// What is dialled without any prefix is the country's own number, and can be told by itself.
    fn is_plain(&self) -> bool {
        !self.is_wide() || habits::has_plan(self.country_code)
    }

    /// Numbers of many lengths.
    fn is_wide(&self) -> bool {
        self.national_digits.1 - self.national_digits.0 > 3
    }
}

const fn region(
    iso: &'static str,
    country_code: &'static str,
    trunk_prefix: &'static str,
    international_prefix: &'static str,
    national_digits: (u8, u8),
) -> Region {
    Region {
        iso,
        country_code,
        trunk_prefix,
        international_prefix,
        national_digits,
    }
}

/// How each country dials. Of those that share a country code the first is the one whose lengths
/// count for international numbers.
const REGIONS: &[Region] = &[
    region("US", "1", "1", "011", (10, 10)),
    region("CA", "1", "1", "011", (10, 10)),
    region("PR", "1", "1", "011", (10, 10)),
    region("JM", "1", "1", "011", (10, 10)),
    region("DO", "1", "1", "011", (10, 10)),
    region("GB", "44", "0", "00", (9, 10)),
    region("IE", "353", "0", "00", (7, 9)),
    region("DE", "49", "0", "00", (5, 13)),
    region("AT", "43", "0", "00", (4, 13)),
    region("CH", "41", "0", "00", (9, 9)),
    region("FR", "33", "0", "00", (9, 9)),
    region("BE", "32", "0", "00", (8, 9)),
    region("NL", "31", "0", "00", (9, 9)),
    region("LU", "352", "", "00", (4, 11)),
    region("ES", "34", "", "00", (9, 9)),
    region("PT", "351", "", "00", (9, 9)),
    region("IT", "39", "", "00", (6, 12)),
    region("DK", "45", "", "00", (8, 8)),
    region("NO", "47", "", "00", (8, 8)),
    region("SE", "46", "0", "00", (7, 10)),
    region("FI", "358", "0", "00", (5, 12)),
    region("PL", "48", "", "00", (9, 9)),
    region("CZ", "420", "", "00", (9, 9)),
    region("SK", "421", "0", "00", (9, 9)),
    region("HU", "36", "06", "00", (8, 9)),
    region("RO", "40", "0", "00", (9, 9)),
    region("BG", "359", "0", "00", (6, 9)),
    region("GR", "30", "", "00", (10, 10)),
    region("TR", "90", "0", "00", (10, 10)),
    region("UA", "380", "0", "00", (9, 9)),
    region("EE", "372", "", "00", (7, 8)),
    region("LV", "371", "", "00", (8, 8)),
    region("LT", "370", "0", "00", (8, 8)),
    region("IL", "972", "0", "00", (8, 9)),
    region("AE", "971", "0", "00", (8, 9)),
    region("SA", "966", "0", "00", (8, 9)),
    region("IN", "91", "0", "00", (10, 10)),
    region("PK", "92", "0", "00", (9, 10)),
    region("CN", "86", "0", "00", (9, 11)),
    region("HK", "852", "", "001", (8, 8)),
    region("TW", "886", "0", "002", (8, 9)),
    region("JP", "81", "0", "010", (9, 10)),
    region("KR", "82", "0", "001", (8, 10)),
    region("SG", "65", "", "001", (8, 8)),
    region("MY", "60", "0", "00", (8, 10)),
    region("TH", "66", "0", "001", (8, 9)),
    region("PH", "63", "0", "00", (8, 10)),
    region("ID", "62", "0", "001", (8, 12)),
    region("VN", "84", "0", "00", (9, 10)),
    region("AU", "61", "0", "0011", (9, 9)),
    region("NZ", "64", "0", "00", (8, 10)),
    region("ZA", "27", "0", "00", (9, 9)),
    region("NG", "234", "0", "009", (8, 10)),
    region("KE", "254", "0", "000", (7, 9)),
    region("EG", "20", "0", "00", (8, 10)),
    region("MX", "52", "", "00", (10, 10)),
    region("BR", "55", "0", "00", (10, 11)),
    region("AR", "54", "0", "00", (10, 11)),
    region("CL", "56", "", "00", (9, 9)),
    region("CO", "57", "0", "00", (8, 10)),
    region("PE", "51", "0", "00", (8, 9)),
    region("AG", "1", "1", "011", (10, 10)),
    region("AI", "1", "1", "011", (10, 10)),
    region("AS", "1", "1", "011", (10, 10)),
    region("BB", "1", "1", "011", (10, 10)),
    region("BM", "1", "1", "011", (10, 10)),
    region("BS", "1", "1", "011", (10, 10)),
    region("DM", "1", "1", "011", (10, 10)),
    region("GD", "1", "1", "011", (10, 10)),
    region("GU", "1", "1", "011", (10, 10)),
    region("KN", "1", "1", "011", (10, 10)),
    region("KY", "1", "1", "011", (10, 10)),
    region("LC", "1", "1", "011", (10, 10)),
    region("MP", "1", "1", "011", (10, 10)),
    region("MS", "1", "1", "011", (10, 10)),
    region("SX", "1", "1", "011", (10, 10)),
    region("TC", "1", "1", "011", (10, 10)),
    region("TT", "1", "1", "011", (10, 10)),
    region("VC", "1", "1", "011", (10, 10)),
    region("VG", "1", "1", "011", (10, 10)),
    region("VI", "1", "1", "011", (10, 10)),
    region("RU", "7", "8", "810", (10, 10)),
    region("KZ", "7", "8", "810", (10, 10)),
    region("VA", "39", "", "00", (6, 12)),
    region("GG", "44", "0", "00", (10, 10)),
    region("IM", "44", "0", "00", (10, 10)),
    region("JE", "44", "0", "00", (10, 10)),
    region("SJ", "47", "", "00", (8, 8)),
    region("CU", "53", "0", "119", (6, 10)),
    region("VE", "58", "0", "00", (10, 10)),
    region("CC", "61", "0", "0011", (9, 9)),
    region("CX", "61", "0", "0011", (9, 9)),
    region("AF", "93", "0", "00", (9, 9)),
    region("LK", "94", "0", "00", (9, 9)),
    region("MM", "95", "0", "00", (6, 10)),
    region("IR", "98", "0", "00", (10, 10)),
    region("SS", "211", "0", "00", (9, 9)),
    region("MA", "212", "0", "00", (9, 9)),
    region("EH", "212", "0", "00", (9, 9)),
    region("DZ", "213", "0", "00", (8, 9)),
    region("TN", "216", "", "00", (8, 8)),
    region("LY", "218", "0", "00", (9, 9)),
    region("GM", "220", "", "00", (7, 9)),
    region("SN", "221", "", "00", (9, 9)),
    region("MR", "222", "", "00", (8, 8)),
    region("ML", "223", "", "00", (8, 8)),
    region("GN", "224", "", "00", (8, 9)),
    region("CI", "225", "", "00", (10, 10)),
    region("BF", "226", "", "00", (8, 8)),
    region("NE", "227", "", "00", (8, 8)),
    region("TG", "228", "", "00", (8, 8)),
    region("BJ", "229", "", "00", (10, 10)),
    region("MU", "230", "", "020", (7, 8)),
    region("LR", "231", "0", "00", (7, 9)),
    region("SL", "232", "0", "00", (8, 8)),
    region("GH", "233", "0", "00", (8, 9)),
    region("TD", "235", "", "00", (8, 8)),
    region("CF", "236", "", "00", (8, 8)),
    region("CM", "237", "", "00", (8, 9)),
    region("CV", "238", "", "0", (7, 7)),
    region("ST", "239", "", "00", (7, 7)),
    region("GQ", "240", "", "00", (9, 9)),
    region("GA", "241", "", "00", (7, 8)),
    region("CG", "242", "", "00", (9, 9)),
    region("CD", "243", "0", "00", (7, 10)),
    region("AO", "244", "", "00", (9, 9)),
    region("GW", "245", "", "00", (7, 9)),
    region("IO", "246", "", "00", (7, 7)),
    region("AC", "247", "", "00", (5, 6)),
    region("SC", "248", "", "00", (7, 7)),
    region("SD", "249", "0", "00", (9, 9)),
    region("RW", "250", "0", "00", (8, 9)),
    region("ET", "251", "0", "00", (9, 9)),
    region("SO", "252", "0", "00", (6, 9)),
    region("DJ", "253", "", "00", (8, 8)),
    region("TZ", "255", "0", "00", (9, 9)),
    region("UG", "256", "0", "00", (9, 9)),
    region("BI", "257", "", "00", (8, 8)),
    region("MZ", "258", "", "00", (8, 9)),
    region("ZM", "260", "0", "00", (9, 9)),
    region("MG", "261", "0", "00", (9, 9)),
    region("RE", "262", "0", "00", (9, 9)),
    region("YT", "262", "0", "00", (9, 9)),
    region("ZW", "263", "0", "00", (7, 10)),
    region("NA", "264", "0", "00", (8, 9)),
    region("MW", "265", "0", "00", (7, 9)),
    region("LS", "266", "", "00", (8, 8)),
    region("BW", "267", "", "00", (7, 8)),
    region("SZ", "268", "", "00", (8, 9)),
    region("KM", "269", "", "00", (7, 7)),
    region("SH", "290", "", "00", (4, 5)),
    region("TA", "290", "", "00", (4, 4)),
    region("ER", "291", "0", "00", (7, 7)),
    region("AW", "297", "", "00", (7, 7)),
    region("FO", "298", "", "00", (6, 6)),
    region("GL", "299", "", "00", (6, 6)),
    region("GI", "350", "", "00", (8, 8)),
    region("IS", "354", "", "00", (7, 7)),
    region("AL", "355", "0", "00", (6, 9)),
    region("MT", "356", "", "00", (8, 8)),
    region("CY", "357", "", "00", (8, 8)),
    region("AX", "358", "0", "00", (5, 12)),
    region("MD", "373", "0", "00", (8, 8)),
    region("AM", "374", "0", "00", (8, 8)),
    region("BY", "375", "80", "810", (9, 9)),
    region("AD", "376", "", "00", (6, 9)),
    region("MC", "377", "0", "00", (8, 9)),
    region("SM", "378", "", "00", (8, 10)),
    region("RS", "381", "0", "00", (7, 10)),
    region("ME", "382", "0", "00", (8, 9)),
    region("XK", "383", "0", "00", (8, 10)),
    region("HR", "385", "0", "00", (7, 9)),
    region("SI", "386", "0", "00", (5, 8)),
    region("BA", "387", "0", "00", (8, 9)),
    region("MK", "389", "0", "00", (8, 8)),
    region("LI", "423", "0", "00", (7, 9)),
    region("FK", "500", "", "00", (5, 5)),
    region("BZ", "501", "", "00", (7, 7)),
    region("GT", "502", "", "00", (8, 8)),
    region("SV", "503", "", "00", (8, 8)),
    region("HN", "504", "", "00", (8, 8)),
    region("NI", "505", "", "00", (8, 8)),
    region("CR", "506", "", "00", (8, 8)),
    region("PA", "507", "", "00", (7, 8)),
    region("PM", "508", "0", "00", (6, 9)),
    region("HT", "509", "", "00", (8, 8)),
    region("GP", "590", "0", "00", (9, 9)),
    region("BL", "590", "0", "00", (9, 9)),
    region("MF", "590", "0", "00", (9, 9)),
    region("BO", "591", "0", "00", (8, 9)),
    region("GY", "592", "", "001", (7, 7)),
    region("EC", "593", "0", "00", (8, 9)),
    region("GF", "594", "0", "00", (9, 9)),
    region("PY", "595", "0", "00", (6, 11)),
    region("MQ", "596", "0", "00", (9, 9)),
    region("SR", "597", "", "00", (6, 7)),
    region("UY", "598", "0", "00", (8, 8)),
    region("CW", "599", "", "00", (7, 8)),
    region("BQ", "599", "", "00", (7, 7)),
    region("TL", "670", "", "00", (7, 8)),
    region("NF", "672", "", "00", (6, 6)),
    region("BN", "673", "", "00", (7, 7)),
    region("NR", "674", "", "00", (7, 7)),
    region("PG", "675", "", "00", (7, 8)),
    region("TO", "676", "", "00", (5, 7)),
    region("SB", "677", "", "00", (5, 7)),
    region("VU", "678", "", "00", (5, 7)),
    region("FJ", "679", "", "00", (7, 7)),
    region("PW", "680", "", "011", (7, 7)),
    region("WF", "681", "", "00", (6, 9)),
    region("CK", "682", "", "00", (5, 5)),
    region("NU", "683", "", "00", (4, 7)),
    region("WS", "685", "", "0", (5, 10)),
    region("KI", "686", "0", "00", (5, 8)),
    region("NC", "687", "", "00", (6, 6)),
    region("TV", "688", "", "00", (5, 7)),
    region("PF", "689", "", "00", (8, 9)),
    region("TK", "690", "", "00", (4, 7)),
    region("FM", "691", "", "00", (7, 7)),
    region("MH", "692", "1", "011", (7, 7)),
    region("KP", "850", "0", "00", (8, 10)),
    region("MO", "853", "", "00", (7, 8)),
    region("KH", "855", "0", "00", (8, 10)),
    region("LA", "856", "0", "00", (8, 10)),
    region("BD", "880", "0", "00", (6, 10)),
    region("MV", "960", "", "00", (7, 7)),
    region("LB", "961", "0", "00", (7, 8)),
    region("JO", "962", "0", "00", (8, 9)),
    region("SY", "963", "0", "00", (8, 9)),
    region("IQ", "964", "0", "00", (8, 10)),
    region("KW", "965", "", "00", (8, 8)),
    region("YE", "967", "0", "00", (7, 9)),
    region("OM", "968", "", "00", (7, 8)),
    region("PS", "970", "0", "00", (8, 9)),
    region("BH", "973", "", "00", (8, 8)),
    region("QA", "974", "", "00", (7, 8)),
    region("BT", "975", "", "00", (7, 8)),
    region("MN", "976", "0", "001", (8, 10)),
    region("NP", "977", "0", "00", (8, 10)),
    region("TJ", "992", "", "810", (9, 9)),
    region("TM", "993", "8", "810", (8, 8)),
    region("AZ", "994", "0", "00", (9, 9)),
    region("GE", "995", "0", "00", (9, 9)),
    region("KG", "996", "0", "00", (9, 9)),
    region("UZ", "998", "", "00", (9, 9)),
];

/// Two- and three-digit codes in use; `1` and `7` stand alone.
const COUNTRY_CODES: &[&str] = &[
    "20", "211", "212", "213", "216", "218", "220", "221", "222", "223", "224", "225", "226",
    "227", "228", "229", "230", "231", "232", "233", "234", "235", "236", "237", "238", "239",
    "240", "241", "242", "243", "244", "245", "246", "247", "248", "249", "250", "251", "252",
    "253", "254", "255", "256", "257", "258", "260", "261", "262", "263", "264", "265", "266",
    "267", "268", "269", "27", "290", "291", "297", "298", "299", "30", "31", "32", "33", "34",
    "350", "351", "352", "353", "354", "355", "356", "357", "358", "359", "36", "370", "371",
    "372", "373", "374", "375", "376", "377", "378", "379", "380", "381", "382", "383", "385",
    "386", "387", "389", "39", "40", "41", "420", "421", "423", "43", "44", "45", "46", "47", "48",
    "49", "500", "501", "502", "503", "504", "505", "506", "507", "508", "509", "51", "52", "53",
    "54", "55", "56", "57", "58", "590", "591", "592", "593", "594", "595", "596", "597", "598",
    "599", "60", "61", "62", "63", "64", "65", "66", "670", "672", "673", "674", "675", "676",
    "677", "678", "679", "680", "681", "682", "683", "685", "686", "687", "688", "689", "690",
    "691", "692", "800", "808", "81", "82", "84", "850", "852", "853", "855", "856", "86", "870",
    "878", "880", "881", "882", "883", "886", "888", "90", "91", "92", "93", "94", "95", "960",
    "961", "962", "963", "964", "965", "966", "967", "968", "970", "971", "972", "973", "974",
    "975", "976", "977", "979", "98", "992", "993", "994", "995", "996", "998",
];

/// Lengths of national freephone numbers.
const FREEPHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=11;

/// Fewest digits after an unknown country's code; shorter ones are fragments.
const NATIONAL_DIGITS_MIN: usize = 4;

/// An international number as it is written today.
pub(super) fn today(digits: &str) -> Cow<'_, str> {
    for code in ["52", "54"] {
        if let Some(national) = digits.strip_prefix(code) {
            return Cow::Owned(format!("{code}{}", habits::today(code, national)));
        }
    }
    Cow::Borrowed(digits)
}

/// Whether the digits are a country code and a national number that its plan allows.
pub(super) fn is_e164(digits: &str) -> bool {
    if digits.len() > super::E164_DIGITS_MAX {
        return false;
    }
    if let Some(rest) = digits.strip_prefix('1') {
        return habits::plan_holds("1", rest) && rest.len() == 10;
    }
    if let Some(rest) = digits.strip_prefix('7') {
        return rest.len() == 10 && !rest.starts_with('0');
    }
    let Some(code) = COUNTRY_CODES.iter().find(|c| digits.starts_with(**c)) else {
        return false;
    };
    let rest = &digits[code.len()..];
    match REGIONS.iter().find(|r| r.country_code == *code) {
        Some(r) => {
            r.fits(rest)
                && habits::plan_holds(code, rest)
                // A kept trunk zero (`+44 (0)20`) is a mistake, not a number; Italy's zero is one.
                && !(r.trunk_prefix == "0" && rest.starts_with('0'))
        }
        // Freephone, shared cost and premium rate of no country (ITU-T E.169).
        None if matches!(*code, "800" | "808") => rest.len() == 8,
        None if *code == "979" => rest.len() == 9,
        None => rest.len() >= NATIONAL_DIGITS_MIN,
    }
}
