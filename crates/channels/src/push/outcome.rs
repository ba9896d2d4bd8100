//! What a push service's answer means (RFC 8030 5 and 7, RFC 8292 4.2).

/// Longest pause that a push service may ask for; an incoming call is over long before.
const RETRY_AFTER_S_MAX: u32 = 3_600;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The service has it and will deliver it.
    Taken,
    /// Nobody is there any more: forget the subscription.
    Gone,
    /// Ask again after so many seconds.
    Later { after_s: u32 },
    /// It will never be taken like this: our mistake, to be logged.
    Refused { status: u16 },
}

impl Outcome {
    /// From the status and, when there is one, `Retry-After` in seconds.
    pub fn of(status: u16, retry_after: Option<&str>) -> Self {
        let after_s = || {
            let asked = retry_after.and_then(|t| t.trim().parse().ok());
            asked.unwrap_or(5).min(RETRY_AFTER_S_MAX)
        };
        match status {
            200..=299 => Self::Taken,
            404 | 410 => Self::Gone,
            429 | 500..=599 => Self::Later { after_s: after_s() },
            _ => Self::Refused { status },
        }
    }
}
