//! What SIP statuses and INFO bodies mean to a leg.

use cp_vocab::EndReason;

pub(crate) fn retry_after(status: u16) -> Vec<(String, String)> {
    if status == 503 {
        vec![("Retry-After".to_string(), "5".to_string())]
    } else {
        vec![]
    }
}

/// How much a final status tells about the person called.
pub(crate) fn rank(status: u16) -> u8 {
    match status {
        600..=699 => 4,
        486 => 3,
        480 | 408 => 2,
        _ => 1,
    }
}

pub(crate) fn reason_of(status: u16) -> EndReason {
    match status {
        486 | 600 => EndReason::Busy,
        603 | 607 => EndReason::Declined,
        408 => EndReason::NoAnswer,
        487 => EndReason::Cancelled,
        404 | 410 | 484 | 604 => EndReason::NotFound,
        401 | 402 | 403 | 407 => EndReason::Refused,
        406 | 415 | 488 | 606 => EndReason::Incompatible,
        500 => EndReason::Internal,
        503 => EndReason::Overload,
        _ => EndReason::Unavailable,
    }
}

/// DTMF by INFO: `application/dtmf-relay` with `Signal=5`, or `application/dtmf` with the bare digit.
pub(crate) fn info_digit(content_type: &str, body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    let value = match kind.as_str() {
        "application/dtmf-relay" => text.lines().find_map(|l| {
            let (name, value) = l.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("signal")
                .then(|| value.trim())
        })?,
        "application/dtmf" => text.trim(),
        _ => return None,
    };
    match value {
        "10" => Some('*'),
        "11" => Some('#'),
        v => v
            .chars()
            .next()
            .map(|c| c.to_ascii_uppercase())
            .filter(|c| "0123456789*#ABCD".contains(*c) && v.len() == 1),
    }
}
