//! Checks a JSON body against its published schema and tells every fault, each with its place.
//! Knows the part of JSON Schema 2020-12 that the schemas of this API use.

use crate::problem::{FIELD_ERRORS_MAX, FieldError};
use serde_json::{Map, Value};

/// Nesting allowed in a body; deeper is refused at that place (menus within menus end somewhere).
pub(crate) const DEPTH_MAX: usize = 32;

/// All faults of `value`, in the order of the schema. Empty: the value has the published form.
pub(crate) fn check(
    schemas: &Map<String, Value>,
    schema: &Value,
    value: &Value,
) -> Vec<FieldError> {
    let mut checker = Checker {
        schemas,
        errors: Vec::new(),
    };
    checker.check(schema, value, "", 0);
    checker.errors
}

struct Checker<'a> {
    schemas: &'a Map<String, Value>,
    errors: Vec<FieldError>,
}

impl<'a> Checker<'a> {
    fn fail(&mut self, pointer: &str, code: &str, detail: String) {
        if self.errors.len() < FIELD_ERRORS_MAX {
            self.errors.push(FieldError::new(pointer, code, detail));
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        while let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or(name);
            schema = &self.schemas[name];
        }
        schema
    }

    fn check(&mut self, schema: &'a Value, value: &Value, at: &str, depth: usize) {
        if depth > DEPTH_MAX {
            return self.fail(
                at,
                "too_large",
                format!("nested more than {DEPTH_MAX} deep"),
            );
        }
        let schema = self.resolve(schema);
        if let Some(options) = schema.get("oneOf").and_then(Value::as_array) {
            return self.one_of(options, value, at, depth);
        }
        for part in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.check(part, value, at, depth);
        }
        if !self.kind(schema, value, at) {
            return;
        }
        self.choice(schema, value, at);
        match value {
            Value::String(s) => self.text(schema, s, at),
            Value::Number(n) => self.number(schema, n, at),
            Value::Array(items) => self.array(schema, items, at, depth),
            Value::Object(map) => self.object(schema, map, at, depth),
            _ => {}
        }
    }

    /// Whether the value is of a type the schema names.
    fn kind(&mut self, schema: &Value, value: &Value, at: &str) -> bool {
        let wanted: Vec<&str> = match schema.get("type") {
            Some(Value::String(t)) => vec![t],
            Some(Value::Array(ts)) => ts.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let fits = wanted.iter().any(|t| match *t {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "null" => value.is_null(),
            _ => false,
        });
        if !fits {
            let detail = format!("{} must be {}", name_of(at), wanted.join(" or "));
            self.fail(at, "type", detail);
        }
        fits
    }

    fn choice(&mut self, schema: &Value, value: &Value, at: &str) {
        let Some(choices) = schema.get("enum").and_then(Value::as_array) else {
            return;
        };
        if !choices.contains(value) && !value.is_null() {
            let detail = format!("{} must be one of {}", name_of(at), words(choices));
            self.fail(at, "not_one_of", detail);
        }
    }

    fn text(&mut self, schema: &Value, s: &str, at: &str) {
        let length = s.chars().count() as u64;
        if let Some(min) = schema.get("minLength").and_then(Value::as_u64)
            && length < min
        {
            let detail = match min {
                1 => format!("{} must not be empty", name_of(at)),
                _ => format!("{} must have at least {min} characters", name_of(at)),
            };
            self.fail(at, "too_short", detail);
        }
        if let Some(max) = schema.get("maxLength").and_then(Value::as_u64)
            && length > max
        {
            let detail = format!("{} may have at most {max} characters", name_of(at));
            self.fail(at, "too_long", detail);
        }
        // Files that are text have lines; everything else is one.
        let is_file = schema.get("contentMediaType").is_some();
        let forbidden = |c: char| c.is_control() && !(is_file && matches!(c, '\n' | '\r' | '\t'));
        if s.chars().any(forbidden) {
            let detail = format!("{} must not have control characters", name_of(at));
            self.fail(at, "format", detail);
        }
        if let Some(prefix) = schema.get("x-id").and_then(Value::as_str)
            && !is_id(s, prefix)
        {
            let detail = format!("{} must be an id of the form {prefix}_…", name_of(at));
            self.fail(at, "format", detail);
        }
    }

    fn number(&mut self, schema: &Value, n: &serde_json::Number, at: &str) {
        let v = n.as_f64().unwrap_or(0.0);
        if let Some(min) = schema.get("minimum").and_then(Value::as_f64)
            && v < min
        {
            let detail = format!("{} must be at least {min}", name_of(at));
            self.fail(at, "too_small", detail);
        }
        let format_max = match schema.get("format").and_then(Value::as_str) {
            Some("int32") if schema.get("minimum").is_some() => Some(f64::from(u32::MAX)),
            Some("int32") => Some(f64::from(i32::MAX)),
            _ => None,
        };
        let max = schema.get("maximum").and_then(Value::as_f64).or(format_max);
        if let Some(max) = max
            && v > max
        {
            let detail = format!("{} may be at most {max}", name_of(at));
            self.fail(at, "too_large", detail);
        }
    }

    fn array(&mut self, schema: &'a Value, items: &[Value], at: &str, depth: usize) {
        if let Some(max) = schema.get("maxItems").and_then(Value::as_u64)
            && items.len() as u64 > max
        {
            let detail = format!("{} may have at most {max} entries", name_of(at));
            return self.fail(at, "too_long", detail);
        }
        if let Some(of) = schema.get("items") {
            for (i, item) in items.iter().enumerate() {
                self.check(of, item, &format!("{at}/{i}"), depth + 1);
            }
        }
    }

    fn object(&mut self, schema: &'a Value, map: &Map<String, Value>, at: &str, depth: usize) {
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(name) {
                let detail = format!("{name} is required");
                self.fail(&child(at, name), "required", detail);
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in map {
            match properties.and_then(|p| p.get(name)) {
                Some(of) => self.check(of, value, &child(at, name), depth + 1),
                None => self.additional(schema, name, value, at, depth),
            }
        }
        if let Some(max) = schema.get("maxProperties").and_then(Value::as_u64)
            && map.len() as u64 > max
        {
            let detail = format!("{} may have at most {max} entries", name_of(at));
            self.fail(at, "too_long", detail);
        }
    }

    fn additional(&mut self, schema: &'a Value, name: &str, value: &Value, at: &str, depth: usize) {
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => {
                let detail = format!("there is no field {:?} here", shorten(name));
                self.fail(&child(at, name), "unknown_field", detail);
            }
            Some(of @ Value::Object(_)) => self.check(of, value, &child(at, name), depth + 1),
            _ => {}
        }
    }

    /// A tagged union is judged by the branch its tag names, so that the faults told are those of
    /// what the writer meant; `null` or a bare word by whichever branch takes it.
    fn one_of(&mut self, options: &'a [Value], value: &Value, at: &str, depth: usize) {
        if value.is_null() {
            let nullable = options
                .iter()
                .any(|o| o.get("type").and_then(Value::as_str) == Some("null"));
            if !nullable {
                self.fail(at, "type", format!("{} must not be null", name_of(at)));
            }
            return;
        }
        let branches: Vec<&'a Value> = options
            .iter()
            .map(|o| self.resolve(o))
            .filter(|o| o.get("type").and_then(Value::as_str) != Some("null"))
            .collect();
        if let [only] = branches.as_slice() {
            return self.check(only, value, at, depth);
        }
        if let Some(tag) = branches.iter().find_map(|b| tag_of(b)) {
            return self.tagged(tag, &branches, value, at, depth);
        }
        let fits = branches.iter().any(|b| {
            let mut trial = Checker {
                schemas: self.schemas,
                errors: Vec::new(),
            };
            trial.check(b, value, at, depth + 1);
            trial.errors.is_empty()
        });
        if !fits {
            let detail = format!("{} has none of the forms allowed", name_of(at));
            self.fail(at, "not_one_of", detail);
        }
    }

    fn tagged(&mut self, tag: &str, branches: &[&'a Value], value: &Value, at: &str, depth: usize) {
        let Some(map) = value.as_object() else {
            return self.fail(at, "type", format!("{} must be object", name_of(at)));
        };
        let Some(word) = map.get(tag) else {
            return self.fail(&child(at, tag), "required", format!("{tag} is required"));
        };
        let branch = branches
            .iter()
            .find(|b| tag_values(b, tag).any(|v| v == word));
        match branch {
            Some(b) => self.check(b, value, at, depth),
            None => {
                let all: Vec<Value> = branches
                    .iter()
                    .flat_map(|b| tag_values(b, tag).cloned())
                    .collect();
                let detail = format!("{tag} must be one of {}", words(&all));
                self.fail(&child(at, tag), "not_one_of", detail);
            }
        }
    }
}

/// The property of a branch that has exactly one allowed value.
fn tag_of(branch: &Value) -> Option<&str> {
    let properties = branch.get("properties")?.as_object()?;
    properties.iter().find_map(|(name, schema)| {
        let one = schema.get("enum")?.as_array()?.len() == 1;
        one.then_some(name.as_str())
    })
}

fn tag_values<'v>(branch: &'v Value, tag: &str) -> impl Iterator<Item = &'v Value> {
    branch["properties"][tag]["enum"]
        .as_array()
        .into_iter()
        .flatten()
}

fn is_id(s: &str, prefix: &str) -> bool {
    s.strip_prefix(prefix)
        .and_then(|r| r.strip_prefix('_'))
        .is_some_and(|r| r.len() == 26 && r.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn child(at: &str, name: &str) -> String {
    let name = shorten(name).replace('~', "~0").replace('/', "~1");
    format!("{at}/{name}")
}

/// A field name of a stranger's body, short enough to give back.
fn shorten(name: &str) -> String {
    name.chars().take(64).collect()
}

fn name_of(at: &str) -> &str {
    match at.rsplit_once('/') {
        Some((_, name)) if !name.is_empty() => name,
        _ => "the body",
    }
}

fn words(values: &[Value]) -> String {
    let words: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(schema: Value, value: Value) -> Vec<String> {
        let schemas = json!({
            "Colour": { "type": "string", "enum": ["red", "green"] },
            "Shape": { "oneOf": [
                { "type": "object", "required": ["kind", "r"], "additionalProperties": false,
                  "properties": { "kind": { "type": "string", "enum": ["circle"] }, "r": { "type": "integer", "minimum": 1 } } },
                { "type": "object", "required": ["kind"], "additionalProperties": false,
                  "properties": { "kind": { "type": "string", "enum": ["group"] },
                                  "of": { "type": "array", "maxItems": 2, "items": { "$ref": "#/components/schemas/Shape" } } } },
            ]},
        });
        check(schemas.as_object().unwrap(), &schema, &value)
            .into_iter()
            .map(|e| format!("{} {}", e.pointer, e.code))
            .collect()
    }

    #[test]
    fn all_faults_at_once_with_their_places() {
        let schema = json!({
            "type": "object", "required": ["name", "level"], "additionalProperties": false,
            "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": 4 },
                "level": { "type": "integer", "minimum": 1, "maximum": 10 },
                "colour": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Colour" }] },
                "note": { "type": ["string", "null"] },
                "queue": { "type": "string", "x-id": "que" },
            },
        });
        let bad = json!({ "name": "far too long", "colour": "blue", "note": 7, "x/y": 1, "queue": "agt_1" });
        let mut got = faults(schema.clone(), bad);
        got.sort();
        assert_eq!(
            got,
            [
                "/colour not_one_of",
                "/level required",
                "/name too_long",
                "/note type",
                "/queue format",
                "/x~1y unknown_field"
            ]
        );
        let good = json!({ "name": "ab", "level": 10, "colour": null, "note": null });
        assert!(faults(schema, good).is_empty());
    }

    #[test]
    fn unions_are_judged_by_their_tag() {
        let shape = json!({ "$ref": "#/components/schemas/Shape" });
        let table = [
            (json!({ "kind": "circle", "r": 2 }), vec![]),
            (
                json!({ "kind": "circle", "r": 0, "z": 1 }),
                vec!["/r too_small", "/z unknown_field"],
            ),
            (json!({ "kind": "square" }), vec!["/kind not_one_of"]),
            (json!({}), vec!["/kind required"]),
            (json!(3), vec![" type"]),
            (json!(null), vec![" type"]),
            (
                json!({ "kind": "group", "of": [{ "kind": "circle" }, { "kind": "group", "of": [1] }] }),
                vec!["/of/0/r required", "/of/1/of/0 type"],
            ),
            (
                json!({ "kind": "group", "of": [1, 2, 3] }),
                vec!["/of too_long"],
            ),
        ];
        for (value, want) in table {
            assert_eq!(faults(shape.clone(), value.clone()), want, "{value}");
        }
    }

    #[test]
    fn deep_nesting_ends() {
        let mut value = json!({ "kind": "group" });
        for _ in 0..DEPTH_MAX {
            value = json!({ "kind": "group", "of": [value] });
        }
        let got = faults(json!({ "$ref": "#/components/schemas/Shape" }), value);
        assert!(!got.is_empty());
        assert!(got.iter().all(|f| f.ends_with("too_large")), "{got:?}");
    }
}
