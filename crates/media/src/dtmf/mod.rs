//! Digits: as RFC 4733 events ([`event`]) and as tones in the voice ([`tone`], [`detect`]).

pub mod detect;
pub mod event;
pub mod tone;

/// The digits in the order of their event codes (RFC 4733 3.2).
pub const DIGITS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
];

/// Event code of a digit; `None` for other characters.
pub fn code_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    DIGITS.iter().position(|d| *d == digit).map(|i| i as u8)
}

/// Digit of an event code; `None` for flash, tones and data events.
pub fn digit_of(code: u8) -> Option<char> {
    DIGITS.get(usize::from(code)).copied()
}

/// Low and high frequency of a digit, in Hz (ITU-T Q.23).
pub fn frequencies(digit: char) -> Option<(f64, f64)> {
    const ROWS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
    let digit = digit.to_ascii_uppercase();
    ROWS.iter().enumerate().find_map(|(row, keys)| {
        keys.find(digit)
            .map(|column| (detect::LOW_HZ[row], detect::HIGH_HZ[column]))
    })
}
