//! Numbering facts: assigned country codes (ITU-T E.164) and how people dial within a country.

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
    /// By ISO code in any case; `None` for countries without a row.
    pub fn find(iso: &str) -> Option<&'static Self> {
        REGIONS.iter().find(|r| r.iso.eq_ignore_ascii_case(iso))
    }

    pub(super) fn international(&self) -> &'static str {
        self.international_prefix
    }

    /// Country code and national number of what is dialled within the country, or `None`.
    pub(super) fn national(&self, digits: &str) -> Option<String> {
        let dialled = match digits.strip_prefix(self.trunk_prefix) {
            // A second zero is a mistake, not a number.
            Some(rest) => (self.trunk_prefix != "0" || !rest.starts_with('0')).then_some(rest),
            None => None,
        };
        // Without its prefix a number is national only where the plan has one length, or it is a
        // mobile of China: elsewhere it cannot be told from an international one.
        let bare = self.national_digits.0 == self.national_digits.1
            || (self.iso == "CN" && digits.len() == 11 && digits.starts_with('1'));
        let rest = dialled.or(bare.then_some(digits))?;
        let (least, most) = self.national_digits;
        let fits = (usize::from(least)..=usize::from(most)).contains(&rest.len());
        (fits && national_plan_holds(self.country_code, rest))
            .then(|| format!("{}{rest}", self.country_code))
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

/// Countries whose national dialling is known. Another country as default region means that only
/// international forms are taken.
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
    region("BG", "359", "0", "00", (7, 9)),
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
    region("KE", "254", "0", "000", (9, 9)),
    region("EG", "20", "0", "00", (8, 10)),
    region("MX", "52", "", "00", (10, 10)),
    region("BR", "55", "0", "00", (10, 11)),
    region("AR", "54", "0", "00", (10, 11)),
    region("CL", "56", "", "00", (9, 9)),
    region("CO", "57", "", "00", (8, 10)),
    region("PE", "51", "0", "00", (8, 9)),
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

/// Fewest digits after an unknown country's code; shorter ones are fragments.
const NATIONAL_DIGITS_MIN: usize = 4;

/// Whether the digits are a country code and a national number that its plan allows.
pub(super) fn is_e164(digits: &str) -> bool {
    if digits.len() > super::E164_DIGITS_MAX {
        return false;
    }
    if let Some(rest) = digits.strip_prefix('1') {
        return national_plan_holds("1", rest) && rest.len() == 10;
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
            let (least, most) = r.national_digits;
            (usize::from(least)..=usize::from(most)).contains(&rest.len())
                // A kept trunk zero (`+44 (0)20`) is a mistake, not a number; Italy's zero is one.
                && !(r.trunk_prefix == "0" && rest.starts_with('0'))
        }
        None => rest.len() >= NATIONAL_DIGITS_MIN,
    }
}

/// Rules beyond the length; the North American plan has them: area and exchange begin with 2-9.
fn national_plan_holds(country_code: &str, national: &str) -> bool {
    if country_code != "1" {
        return true;
    }
    let b = national.as_bytes();
    b.len() == 10 && b[0] >= b'2' && b[3] >= b'2'
}

/// Numbers that stay as they are dialled (RFC 8224 8.3): emergency and short services. Without a
/// region, those that mean help somewhere.
pub(super) fn is_service(digits: &str, region: Option<&Region>) -> bool {
    if matches!(digits, "112" | "911") {
        return true;
    }
    let harmonised = digits.len() == 6 && digits.starts_with("116");
    match region.map(|r| r.country_code) {
        Some("1") => matches!(
            digits,
            "211" | "311" | "411" | "511" | "611" | "711" | "811" | "933" | "988"
        ),
        Some("44") => {
            harmonised
                || matches!(
                    digits,
                    "999" | "100" | "101" | "105" | "111" | "119" | "123" | "155"
                )
                || (digits.len() == 6 && digits.starts_with("118"))
        }
        Some("33") => harmonised || matches!(digits, "15" | "17" | "18" | "114" | "115" | "119"),
        Some("61") => matches!(digits, "000" | "106"),
        Some("64") => digits == "111",
        Some("353" | "48" | "65" | "852" | "60" | "971" | "254") => harmonised || digits == "999",
        Some(_) => harmonised || (digits.len() == 3 && digits.starts_with('1')),
        None => matches!(
            digits,
            "000" | "110" | "111" | "113" | "115" | "117" | "118" | "119" | "120" | "122" | "999"
        ),
    }
}
