//! The shared cases and keys.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod pki;

use std::path::Path;

/// Text of `shared/<path>`; `None` only when it is switched off.
pub fn shared(path: &str) -> Option<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(_) if std::env::var_os("CP_NO_SHARED").is_some_and(|v| v == "1") => None,
        Err(e) => panic!(
            "{} is needed (CP_NO_SHARED=1 goes without): {e}",
            file.display()
        ),
    }
}

/// The document of identity cases.
pub fn vectors() -> Option<serde_json::Value> {
    shared("vectors/identity.json").map(|t| serde_json::from_str(&t).unwrap())
}
