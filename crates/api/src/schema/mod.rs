//! JSON Schemas: of the vocabulary's types, of ids, and the check of bodies against them.

pub(crate) mod identity;
pub(crate) mod validate;
pub(crate) mod vocabulary;

use serde_json::{Value, json};

/// Schema of an id with this prefix. `x-id` is what the checker reads.
pub(crate) fn id_schema(prefix: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$"), "x-id": prefix })
}
