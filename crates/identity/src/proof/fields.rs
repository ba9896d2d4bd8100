//! How a customer's record looks to an agent before and after proof (S0.1 rule 5).

use cp_vocab::person::{Field, FieldClass};
use cp_vocab::proof::LockedFields;
use serde::Serialize;

/// Characters of a covered value that still show.
const SHOWN: usize = 2;

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shown {
    pub name: String,
    pub label: String,
    pub secure: bool,
    /// Not to be spoken: the caller is not proven.
    pub locked: bool,
    pub value: String,
}

/// The field as it may be shown. `proven`: to the level that secure fields take.
pub fn show(field: &Field, proven: bool, how: LockedFields) -> Shown {
    let secure = field.class == FieldClass::Secure;
    let locked = secure && !proven;
    let value = field.value.expose();
    let value = match (locked, how) {
        (false, _) | (true, LockedFields::Marked) => value.clone(),
        (true, LockedFields::Hidden) => String::new(),
        (true, LockedFields::Masked) => cover(value),
    };
    Shown {
        name: field.name.clone(),
        label: field.label.clone(),
        secure,
        locked,
        value,
    }
}

/// The last two characters of longer values; of short ones nothing. The length does not show.
fn cover(value: &str) -> String {
    let count = value.chars().count();
    let shown = if count >= 3 * SHOWN { SHOWN } else { 0 };
    let tail: String = value.chars().skip(count - shown).collect();
    format!("••••{tail}")
}
