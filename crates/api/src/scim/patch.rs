//! PATCH (RFC 7644 3.5.2) in the shapes that identity systems send.

use super::ScimError;
use serde_json::{Map, Value};

/// Operations of one request at most.
const OPERATIONS_MAX: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Add,
    Replace,
    Remove,
}

/// One change of one attribute, in lower case. `members[value eq "x"]` has the `selected` value.
#[derive(PartialEq, Debug)]
pub(super) struct Change {
    pub(super) op: Op,
    pub(super) attribute: String,
    pub(super) selected: Option<String>,
    pub(super) value: Value,
}

/// The changes of a body, in order.
pub(super) fn changes(body: &Value) -> Result<Vec<Change>, ScimError> {
    let bad = |detail: &str| ScimError::bad("invalidSyntax", detail);
    let operations = body["Operations"].as_array();
    let operations = operations.ok_or_else(|| bad("Operations is missing"))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(bad("there are too many operations"));
    }
    let mut changes = Vec::new();
    for o in operations {
        let op = match o["op"]
            .as_str()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "add" => Op::Add,
            "replace" => Op::Replace,
            "remove" => Op::Remove,
            _ => return Err(bad("op must be add, replace or remove")),
        };
        match o["path"].as_str().map(str::trim) {
            Some(path) => changes.push(at_path(op, path, o["value"].clone())?),
            None if op == Op::Remove => {
                return Err(ScimError::bad("noTarget", "remove needs a path"));
            }
            // Without a path the value is an object of attributes.
            None => {
                let map = o["value"]
                    .as_object()
                    .ok_or_else(|| bad("value is missing"))?;
                for (name, value) in flat(map) {
                    changes.push(at_path(op, &name, value)?);
                }
            }
        }
    }
    Ok(changes)
}

/// `name: { formatted: x }` as `name.formatted: x`; other attributes as they are.
fn flat(map: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (name, value) in map {
        match value {
            Value::Object(inner) if name.eq_ignore_ascii_case("name") => {
                let inner = inner.iter().map(|(n, v)| (format!("name.{n}"), v.clone()));
                out.extend(inner);
            }
            value => out.push((name.clone(), value.clone())),
        }
    }
    out
}

fn at_path(op: Op, path: &str, value: Value) -> Result<Change, ScimError> {
    let invalid = || ScimError::bad("invalidPath", "the path cannot be read");
    // Attributes may carry their schema's name before them.
    let path = path
        .rsplit_once("User:")
        .or(path.rsplit_once("Group:"))
        .map_or(path, |(_, p)| p);
    let (attribute, selected) = match path.split_once('[') {
        None => (path, None),
        Some((attribute, rest)) => {
            let inside = rest.split_once(']').ok_or_else(invalid)?.0;
            let value = inside.split_once(" eq ").ok_or_else(invalid)?.1;
            let value: String = serde_json::from_str(value.trim()).map_err(|_| invalid())?;
            (attribute, Some(value))
        }
    };
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-$:".contains(c);
    if attribute.is_empty() || !attribute.chars().all(fine) {
        return Err(invalid());
    }
    Ok(Change {
        op,
        attribute: attribute.to_ascii_lowercase(),
        selected,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_shapes_that_are_sent() {
        let of = |operations: Value| changes(&json!({ "Operations": operations })).unwrap();
        let one = of(json!([{ "op": "Replace", "path": "active", "value": "False" }]));
        assert_eq!(
            (one[0].op, one[0].attribute.as_str()),
            (Op::Replace, "active")
        );
        let flat = of(
            json!([{ "op": "replace", "value": { "active": false, "name": { "givenName": "Ann" } } }]),
        );
        let names: Vec<&str> = flat.iter().map(|c| c.attribute.as_str()).collect();
        assert_eq!(names, ["active", "name.givenname"]);
        let member = of(json!([{ "op": "remove", "path": "members[value eq \"usr_1\"]" }]));
        assert_eq!(
            (member[0].attribute.as_str(), member[0].selected.as_deref()),
            ("members", Some("usr_1"))
        );
        let named = of(
            json!([{ "op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:displayName", "value": "A" }]),
        );
        assert_eq!(named[0].attribute, "displayname");
    }

    #[test]
    fn what_is_no_patch_is_told() {
        for (body, kind) in [
            (json!({}), "invalidSyntax"),
            (json!({ "Operations": [{ "op": "move" }] }), "invalidSyntax"),
            (json!({ "Operations": [{ "op": "remove" }] }), "noTarget"),
            (json!({ "Operations": [{ "op": "add" }] }), "invalidSyntax"),
            (
                json!({ "Operations": [{ "op": "remove", "path": "members[value" }] }),
                "invalidPath",
            ),
            (
                json!({ "Operations": [{ "op": "add", "path": "a b", "value": 1 }] }),
                "invalidPath",
            ),
            (
                json!({ "Operations": vec![json!({ "op": "remove", "path": "x" }); 1_001] }),
                "invalidSyntax",
            ),
        ] {
            assert_eq!(changes(&body).unwrap_err().kind, kind, "{body}");
        }
    }
}
