//! What a voice assistant's words ask for. The recogniser is the device's own; here are only the few
//! sentences that bring a call over, in English and German.

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// The call is to come; the place in the list when one was named.
    Fetch(Option<usize>),
    Nothing,
}

const VERBS: &[&str] = &[
    "take",
    "bring",
    "move",
    "switch",
    "get",
    "pull",
    "fetch",
    "continue",
    "answer",
    "hol",
    "hole",
    "bring",
    "nimm",
    "übernimm",
    "verschieb",
    "verschiebe",
];
const NOUNS: &[&str] = &[
    "call",
    "conversation",
    "phone",
    "it",
    "anruf",
    "gespräch",
    "telefonat",
];
const NEVER: &[&str] = &["not", "don't", "dont", "never", "nicht", "kein", "keinen"];
const ORDINALS: &[&[&str]] = &[
    &["first", "one", "1", "erste", "ersten", "erster", "eins"],
    &["second", "two", "2", "zweite", "zweiten", "zwei"],
    &["third", "three", "3", "dritte", "dritten", "drei"],
    &["fourth", "four", "4", "vierte", "vierten", "vier"],
    &["fifth", "five", "5", "fünfte", "fünften", "fünf"],
    &["sixth", "six", "6", "sechste", "sechsten", "sechs"],
    &["seventh", "seven", "7", "siebte", "siebten", "sieben"],
    &["eighth", "eight", "8", "achte", "achten", "acht"],
    &["ninth", "nine", "9", "neunte", "neunten", "neun"],
];

/// Understands a sentence of at most a few words.
pub(super) fn hear(text: &str) -> Heard {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|w| !w.is_empty())
        .collect();
    let any = |list: &[&str]| words.iter().any(|w| list.contains(w));
    if any(NEVER) {
        return Heard::Nothing;
    }
    let which = words
        .iter()
        .find_map(|w| ORDINALS.iter().position(|forms| forms.contains(w)));
    if (any(VERBS) && any(NOUNS)) || which.is_some() {
        return Heard::Fetch(which);
    }
    Heard::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        for (text, heard) in [
            ("Take the call.", Heard::Fetch(None)),
            ("bring my call here", Heard::Fetch(None)),
            (
                "Move the conversation to this phone, please",
                Heard::Fetch(None),
            ),
            ("Hol den Anruf hierher", Heard::Fetch(None)),
            ("take the second call", Heard::Fetch(Some(1))),
            ("the first one", Heard::Fetch(Some(0))),
            ("number 3", Heard::Fetch(Some(2))),
            ("don't take the call", Heard::Nothing),
            ("call my mother", Heard::Nothing),
            ("what time is it", Heard::Nothing),
            ("", Heard::Nothing),
        ] {
            assert_eq!(hear(text), heard, "{text}");
        }
    }
}
