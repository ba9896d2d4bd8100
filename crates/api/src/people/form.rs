//! `application/x-www-form-urlencoded`, as programs of the OAuth family send it.

use axum::http::{HeaderMap, header};
use std::collections::HashMap;

pub(super) const MIME: &str = "application/x-www-form-urlencoded";

/// The fields of a form.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<HashMap<String, String>, &'static str> {
    let form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.starts_with(MIME));
    if !form {
        return Err("send application/x-www-form-urlencoded");
    }
    fields(body).ok_or("the form cannot be read, or names a field twice")
}

/// One that is there twice makes the request invalid (RFC 6749 3.2).
fn fields(body: &[u8]) -> Option<HashMap<String, String>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut fields = HashMap::new();
    for pair in text.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if fields.insert(decoded(name)?, decoded(value)?).is_some() {
            return None;
        }
    }
    Some(fields)
}

/// One name or value back to text.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match b {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = after;
            }
            b => bytes.push(b),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_strictly() {
        let f = fields(b"grant_type=client_credentials&scope=a%3Ab+c%3Ad&x").unwrap();
        assert_eq!(f["scope"], "a:b c:d");
        assert_eq!(f["x"], "");
        for bad in [
            &b"a=1&a=2"[..],
            b"a=%",
            b"a=%4",
            b"a=%zz",
            b"a=%ff",
            b"a=\xff",
        ] {
            assert!(fields(bad).is_none(), "{bad:?}");
        }
    }
}
