//! Numbers that must never be dialled by accident. The check runs on what is about to leave, after
//! every rewrite, so that no dialling habit gets around it.

/// Short codes that reach emergency services somewhere (ITU-T E.161 Supplement 1 and national plans).
const EMERGENCY: &[&str] = &[
    "000", "066", "08", "100", "101", "102", "103", "104", "105", "106", "107", "108", "110",
    "111", "112", "113", "114", "115", "117", "118", "119", "120", "122", "123", "127", "128",
    "130", "131", "132", "133", "140", "144", "150", "155", "158", "160", "166", "190", "191",
    "192", "193", "194", "195", "196", "197", "198", "199", "911", "912", "913", "933", "991",
    "992", "993", "994", "995", "997", "998", "999",
];

/// Prefixes people put before a number to get out of a house (`9,911`, `0112`).
const ACCESS: &[&str] = &["", "0", "00", "000", "9", "90", "8", "1", "+", "011"];

/// Whether what leaves a trunk could reach an emergency service: any way of writing or prefixing it.
pub fn is_emergency(dial: &str) -> bool {
    let lower = dial.to_ascii_lowercase();
    if lower.contains("urn:service:sos") || lower.starts_with("sos") {
        return true;
    }
    let user = lower.split(['@', ';', '?']).next().unwrap_or("");
    let user = user.rsplit(':').next().unwrap_or(user);
    let user = decode_percent(user);
    if user.chars().any(|c| c.is_ascii_alphabetic()) {
        return false; // A name is no number.
    }
    let digits: String = user.chars().filter(char::is_ascii_digit).collect();
    if digits.len() > 8 {
        return false;
    }
    ACCESS.iter().any(|p| {
        let p: String = p.chars().filter(char::is_ascii_digit).collect();
        digits
            .strip_prefix(p.as_str())
            .is_some_and(|rest| rest.len() >= 3 && EMERGENCY.contains(&rest))
    })
}

fn decode_percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(b) => {
                out.push(b as char);
                i += 3;
            }
            None => {
                out.push(bytes[i] as char);
                i += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emergency_numbers_in_every_dress() {
        for dial in [
            "911",
            "112",
            "999",
            "000",
            "+911",
            "+112",
            "9911",
            "9-911",
            "0112",
            "00112",
            "1911",
            "sip:911@pbx",
            "sip:112@10.0.0.1;transport=tcp",
            "tel:911",
            "tel:112;phone-context=+1",
            "urn:service:sos",
            "urn:service:sos.police",
            "sos",
            "SIP:911@x",
            "sip:%39%31%31@x",
            "sips:112@x",
            "911;ext=1",
            "011911",
            "90911",
            "(911)",
            "9.1.1",
            "110",
            "119",
            "sip:+112@x",
            "911@x",
        ] {
            assert!(is_emergency(dial), "{dial}");
        }
        for dial in [
            "+4930123456",
            "1001",
            "2001",
            "sip:alice@example.org",
            "answer",
            "+12125550911",
            "agent0911",
            "700",
        ] {
            assert!(!is_emergency(dial), "{dial}");
        }
    }
}
