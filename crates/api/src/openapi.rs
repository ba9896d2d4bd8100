//! The OpenAPI 3.1 document, put together from the table of operations.

use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The whole document; the same as `openapi.json` in the repository.
pub fn openapi() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| crate::operations().into_parts().2);
    &DOCUMENT
}

/// The named schemas, for checking bodies.
pub(crate) fn schemas() -> &'static Map<String, Value> {
    openapi()["components"]["schemas"]
        .as_object()
        .expect("the document has schemas")
}

/// The document as it is served and committed.
pub fn openapi_text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let text = serde_json::to_string_pretty(openapi()).expect("the document is plain data");
        format!("{text}\n")
    });
    &TEXT
}

const DESCRIPTION: &str = "Crosspoint: contact centre and call control.\n\n\
Sign in with `POST /v1/sessions` (people) or send an API key as `Authorization: Bearer cp_…` (programs). \
Browsers get a cookie and send `X-CSRF-Token` with everything but GET. \
Errors are problem details (RFC 9457); programs decide by `code`. \
Lists are paged by `cursor`. Rows carry an `ETag`; send it as `If-Match` to change what you saw and nothing newer. \
What creates or places something honours `Idempotency-Key`. \
Follow `GET /v1/events` (WebSocket) instead of polling.";

pub(crate) fn document(paths: Map<String, Value>, mut schemas: Map<String, Value>) -> Value {
    add_schema::<crate::problem::ProblemDocument>(&mut schemas);
    let permissions: Map<String, Value> = crate::auth::permission::Permission::ALL
        .iter()
        .map(|p| (p.as_str().to_string(), json!(p.what())))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Crosspoint", "version": "1", "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }, { "cookie": [] }],
        "x-permissions": permissions,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "An API key (`cp_…`) or the token of a session (`cps_…`)." },
                "cookie": { "type": "apiKey", "in": "cookie", "name": "cp_session", "description": "Set by `POST /v1/sessions`; unsafe methods also need `X-CSRF-Token`." },
            },
        },
    })
}

fn add_schema<T: utoipa::ToSchema>(schemas: &mut Map<String, Value>) {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    for (name, schema) in found {
        let schema = serde_json::to_value(schema).expect("a schema is plain data");
        schemas.entry(name).or_insert(schema);
    }
}
