//! What changed in a row, without its secrets.

use serde_json::{Map, Value, json};

/// A detail longer than this keeps the names of what changed and not the values.
pub const DETAIL_BYTES_MAX: usize = 16 * 1024;

/// Parts of names whose values are never shown. A name that only sounds like one costs an auditor a
/// value; a missing one would cost a secret.
const SECRET_NAMES: [&str; 11] = [
    "password",
    "secret",
    "hash",
    "ha1",
    "token",
    "seed",
    "private",
    "pin",
    "credential",
    "_key",
    "recovery",
];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "key" || SECRET_NAMES.iter().any(|s| name.contains(s))
}

/// The value with every secret in it replaced by `"***"`.
pub fn redacted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().map(|(k, v)| (k.clone(), shown(k, v))).collect())
        }
        Value::Array(list) => list.iter().map(redacted).collect(),
        other => other.clone(),
    }
}

fn shown(name: &str, value: &Value) -> Value {
    let plain = value.is_null() || value.is_boolean() || value.as_str() == Some("");
    if is_secret(name) && !plain {
        return json!("***");
    }
    redacted(value)
}

/// `before` and `after` of the members that differ; a secret that changed shows as `"***"` in both.
pub(crate) fn difference(before: Option<&Value>, after: Option<&Value>) -> Value {
    let empty = Map::new();
    let of = |v: Option<&Value>| v.and_then(Value::as_object).unwrap_or(&empty).clone();
    let (old, new) = (of(before), of(after));
    let mut was = Map::new();
    let mut is = Map::new();
    for name in old
        .keys()
        .chain(new.keys().filter(|k| !old.contains_key(*k)))
    {
        if name == "tenant" || old.get(name) == new.get(name) {
            continue;
        }
        if let Some(v) = old.get(name) {
            was.insert(name.clone(), shown(name, v));
        }
        if let Some(v) = new.get(name) {
            is.insert(name.clone(), shown(name, v));
        }
    }
    let mut detail = Map::new();
    if before.is_some() {
        detail.insert("before".into(), was.into());
    }
    if after.is_some() {
        detail.insert("after".into(), is.into());
    }
    bounded(Value::Object(detail))
}

/// Only which members differ, of rows whose values are customers' own.
pub(crate) fn names(before: Option<&Value>, after: Option<&Value>) -> Value {
    let of = |part: &str| -> Vec<String> {
        let all = difference(before, after);
        let map = all[part].as_object();
        map.map(|m| m.keys().cloned().collect()).unwrap_or_default()
    };
    let mut changed = of("before");
    changed.extend(of("after"));
    changed.sort();
    changed.dedup();
    json!({ "changed": changed })
}

/// A detail within the limit.
pub(super) fn bounded(detail: Value) -> Value {
    if detail.to_string().len() <= DETAIL_BYTES_MAX {
        return detail;
    }
    let names = |part: &str| -> Vec<String> {
        let map = detail[part].as_object();
        map.map(|m| m.keys().take(100).cloned().collect())
            .unwrap_or_default()
    };
    json!({ "too_long": true, "before": names("before"), "after": names("after") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_and_no_secret() {
        let before = json!({ "id": "usr_1", "tenant": "t", "name": "Ann", "password_hash": "old", "roles": ["agent"] });
        let after = json!({ "id": "usr_1", "tenant": "t", "name": "Anna", "password_hash": "new", "roles": ["agent"] });
        assert_eq!(
            difference(Some(&before), Some(&after)),
            json!({ "before": { "name": "Ann", "password_hash": "***" }, "after": { "name": "Anna", "password_hash": "***" } })
        );
        let made = difference(
            None,
            Some(&json!({ "auth": { "by": "digest", "ha1_md5": "0f" }, "password": "" })),
        );
        assert_eq!(
            made,
            json!({ "after": { "auth": { "by": "digest", "ha1_md5": "***" }, "password": "" } })
        );
    }

    #[test]
    fn of_customers_only_names_are_kept() {
        let (before, after) = (
            json!({ "id": "per_1", "name": "Ann" }),
            json!({ "id": "per_1", "name": "Eve", "note": "x" }),
        );
        assert_eq!(
            names(Some(&before), Some(&after)),
            json!({ "changed": ["name", "note"] })
        );
        assert!(!names(None, Some(&after)).to_string().contains("Eve"));
    }

    #[test]
    fn long_rows_keep_their_names() {
        let long = json!({ "rules": "x".repeat(DETAIL_BYTES_MAX) });
        assert_eq!(difference(None, Some(&long))["after"], json!(["rules"]));
    }
}
