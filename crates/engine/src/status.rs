//! What a final SIP status tells about the person called.

use cp_vocab::EndReason;

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
