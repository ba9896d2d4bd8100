//! What callers are told in words.

/// "You are number 3 in line. The estimated wait is about 2 minutes." Without a wait only the
/// place; the first in line hears that.
pub fn position(place: u32, wait_s: Option<u64>) -> String {
    let mut text = match place {
        0 | 1 => "You are next in line.".to_owned(),
        n => format!("You are number {n} in line."),
    };
    if let Some(wait_s) = wait_s {
        text.push_str(" The estimated wait is ");
        text.push_str(&wait_words(wait_s));
        text.push('.');
    }
    text
}

/// A wait in words that promise no false precision: half minutes up to two, then minutes, then
/// quarter hours.
pub fn wait_words(seconds: u64) -> String {
    match seconds {
        0..30 => "less than one minute".into(),
        30..50 => "about half a minute".into(),
        50..80 => "about one minute".into(),
        80..110 => "about one and a half minutes".into(),
        110..3_300 => format!("about {} minutes", (seconds + 30) / 60),
        3_300..5_400 => "about one hour".into(),
        _ => "more than one hour".into(),
    }
}

/// Digits one by one, for numbers that are not quantities.
pub fn digits(text: &str) -> String {
    let mut spoken = String::new();
    for c in text.chars().filter(char::is_ascii_digit) {
        if !spoken.is_empty() {
            spoken.push_str(", ");
        }
        spoken.push(c);
    }
    spoken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_waits_are_sentences() {
        for (place, wait_s, words) in [
            (
                3,
                Some(120),
                "You are number 3 in line. The estimated wait is about 2 minutes.",
            ),
            (1, None, "You are next in line."),
            (
                1,
                Some(0),
                "You are next in line. The estimated wait is less than one minute.",
            ),
            (
                12,
                Some(90),
                "You are number 12 in line. The estimated wait is about one and a half minutes.",
            ),
            (
                2,
                Some(3_600),
                "You are number 2 in line. The estimated wait is about one hour.",
            ),
            (
                2,
                Some(9_999),
                "You are number 2 in line. The estimated wait is more than one hour.",
            ),
        ] {
            assert_eq!(position(place, wait_s), words);
        }
        assert_eq!(digits("+49 30 12"), "4, 9, 3, 0, 1, 2");
    }
}
