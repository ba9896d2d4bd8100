//! Personal data prints redacted unless it is asked for by name.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Wraps a number, name, address or words of a person. `Debug` and `Display` print `‹pii›`;
/// serialisation (log store, API) keeps the value, since those are the places that may hold it.
#[derive(Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pii<T>(pub T);

impl<T> Pii<T> {
    pub fn expose(&self) -> &T {
        &self.0
    }
    pub fn into_inner(self) -> T {
        self.0
    }
}
impl<T> From<T> for Pii<T> {
    fn from(v: T) -> Self {
        Self(v)
    }
}
impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹pii›")
    }
}
impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹pii›")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn never_prints() {
        let p = Pii("+15551234567".to_string());
        assert_eq!(format!("{p} {p:?}"), "‹pii› ‹pii›");
        assert_eq!(serde_json::to_string(&p).unwrap(), "\"+15551234567\"");
    }
}
