//! Which mode two sides meet in (S4.2): what the customer chose, what the business takes now.

use cp_store::Mode;

/// What comes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    /// Both want it: begin.
    Start(Mode),
    /// The best both can; the customer says yes or no.
    Offer(Mode),
    /// Nothing in common: a message can be left.
    Message,
}

/// Nearest first: what a person who chose this would rather have. Voice stands nearer to video than
/// writing does, and nobody who chose to write is asked to speak before anything else is tried.
fn nearest(wanted: Mode) -> [Mode; 2] {
    match wanted {
        Mode::Video => [Mode::Audio, Mode::Chat],
        Mode::Audio => [Mode::Video, Mode::Chat],
        Mode::Chat => [Mode::Audio, Mode::Video],
    }
}

/// Matches `wanted` with what the business takes `now`; `can` is what the customer's device can do.
pub(crate) fn meet(wanted: Mode, can: &[Mode], now: &[Mode]) -> Match {
    if now.contains(&wanted) {
        return Match::Start(wanted);
    }
    let common = nearest(wanted)
        .into_iter()
        .find(|m| now.contains(m) && can.contains(m));
    common.map_or(Match::Message, Match::Offer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Mode::{Audio, Chat, Video};

    #[test]
    fn both_sides_are_matched() {
        let all = [Audio, Video, Chat];
        for (wanted, can, now, met) in [
            (Video, &all[..], &[Audio, Video][..], Match::Start(Video)),
            // The page's own example: video wanted, audio and chat taken.
            (Video, &all, &[Audio, Chat], Match::Offer(Audio)),
            (Video, &all, &[Chat], Match::Offer(Chat)),
            (Video, &[Video], &[Audio, Chat], Match::Message),
            (Audio, &all, &[Chat], Match::Offer(Chat)),
            (Audio, &all, &[Video, Chat], Match::Offer(Video)),
            (Audio, &[Audio, Chat], &[Video, Chat], Match::Offer(Chat)),
            (Chat, &all, &[Audio], Match::Offer(Audio)),
            (Chat, &all, &[Chat], Match::Start(Chat)),
            (Audio, &all, &[], Match::Message),
        ] {
            assert_eq!(meet(wanted, can, now), met, "{wanted:?} {can:?} {now:?}");
        }
    }
}
