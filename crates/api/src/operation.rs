//! The table of operations: each is added once and becomes a route, a permission gate and a part
//! of the OpenAPI document, so that the three cannot disagree.

use crate::auth::gate::{Access, Audited, Gate, Gates, Idempotence};
use crate::auth::permission::Permission;
use crate::state::ApiState;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// One operation under construction.
pub(crate) struct Op {
    method: Method,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: String,
    description: String,
    access: Access,
    step_up: bool,
    audit: Audited,
    idempotence: Idempotence,
    weight: u32,
    parameters: Vec<Value>,
    body: Option<Value>,
    replies: Map<String, Value>,
    schemas: Vec<(String, Value)>,
}

fn op(
    method: Method,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &str,
) -> Op {
    Op {
        audit: if method == Method::GET {
            Audited::No
        } else {
            Audited::Yes
        },
        step_up: false,
        method,
        path,
        id,
        tag,
        summary: summary.into(),
        description: String::new(),
        access: Access::SignedIn,
        idempotence: Idempotence::None,
        weight: 0,
        parameters: Vec::new(),
        body: None,
        replies: Map::new(),
        schemas: Vec::new(),
    }
}

/// `GET path`, named `id` in generated clients.
pub(crate) fn get(path: &'static str, id: &'static str, tag: &'static str, summary: &str) -> Op {
    op(Method::GET, path, id, tag, summary)
}
pub(crate) fn post(path: &'static str, id: &'static str, tag: &'static str, summary: &str) -> Op {
    op(Method::POST, path, id, tag, summary)
}
pub(crate) fn put(path: &'static str, id: &'static str, tag: &'static str, summary: &str) -> Op {
    op(Method::PUT, path, id, tag, summary)
}
pub(crate) fn patch(path: &'static str, id: &'static str, tag: &'static str, summary: &str) -> Op {
    op(Method::PATCH, path, id, tag, summary)
}
pub(crate) fn delete(path: &'static str, id: &'static str, tag: &'static str, summary: &str) -> Op {
    op(Method::DELETE, path, id, tag, summary)
}

impl Op {
    pub(crate) fn describe(mut self, text: &str) -> Self {
        self.description = text.into();
        self
    }
    /// Anybody may call it.
    pub(crate) fn open(mut self) -> Self {
        self.access = Access::Open;
        self
    }
    /// Each address has a share of a minute ([`crate::auth::pace`]), of which this takes so much.
    pub(crate) fn weighs(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }
    /// Anybody may call it, from pages of other sites too; the handler checks their origin.
    pub(crate) fn page(mut self) -> Self {
        self.access = Access::Page;
        self
    }
    /// Whoever holds one of these may call it.
    pub(crate) fn needs(mut self, any_of: &'static [Permission]) -> Self {
        self.access = Access::AnyOf(any_of);
        self
    }
    /// A person's session must have been proven lately (403 `step_up_required` otherwise).
    pub(crate) fn step_up(self) -> Self {
        self.step_up_if(true)
    }
    pub(crate) fn step_up_if(mut self, wanted: bool) -> Self {
        self.step_up |= wanted;
        self
    }
    /// The change itself writes the audit entry; the gate only those of refusals.
    pub(crate) fn audited_by_edit(mut self) -> Self {
        self.audit = Audited::Refusals;
        self
    }
    /// Written into the audit log though it changes nothing.
    pub(crate) fn audited(mut self) -> Self {
        self.audit = Audited::Yes;
        self
    }
    /// Not written into the audit log: it changes nothing, or writes its own entry.
    pub(crate) fn unaudited(mut self) -> Self {
        self.audit = Audited::No;
        self
    }
    /// Honours `Idempotency-Key`; the gate keeps the answer.
    pub(crate) fn idempotent(mut self) -> Self {
        self.idempotence = Idempotence::Gate;
        self.idempotency_parameter()
    }
    /// Honours `Idempotency-Key`; the handler keeps the answer together with what it makes.
    pub(crate) fn idempotent_edit(mut self) -> Self {
        self.idempotence = Idempotence::Handler;
        self.idempotency_parameter()
    }
    fn idempotency_parameter(mut self) -> Self {
        self.parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Repeating the request with the same key gives the first answer instead of doing it twice; kept for 24 hours.",
            "schema": { "type": "string", "minLength": 1, "maxLength": crate::idempotency::KEY_CHARS_MAX },
        }));
        self
    }
    /// `{id}` in the path, an id with this prefix.
    pub(crate) fn path_id(self, prefix: &str) -> Self {
        let schema = crate::schema::id_schema(prefix);
        self.path_param("id", schema)
    }
    pub(crate) fn path_param(mut self, name: &str, schema: Value) -> Self {
        let parameter = json!({ "name": name, "in": "path", "required": true, "schema": schema });
        self.parameters.push(parameter);
        self
    }
    pub(crate) fn query(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "query", "required": false, "description": description, "schema": schema,
        }));
        self
    }
    pub(crate) fn header(mut self, name: &str, description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": description,
            "schema": { "type": "string" },
        }));
        self
    }
    /// An edit of what was read: 428 without `If-Match`, 412 when it changed since.
    pub(crate) fn if_match(mut self) -> Self {
        self.parameters.push(json!({
            "name": "If-Match", "in": "header", "required": true,
            "description": "The `ETag` that was read; `*` for any version. 428 without it, 412 when somebody was faster.",
            "schema": { "type": "string" }, "example": "\"3\"",
        }));
        self
    }
    /// `limit` and `cursor`.
    pub(crate) fn paged(self) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": cp_store::PAGE_ROWS_MAX, "default": 50 });
        self.query("limit", limit, "Rows of a page at most.").query(
            "cursor",
            json!({ "type": "string", "maxLength": 256 }),
            "`next` of the page before.",
        )
    }
    pub(crate) fn body<T: ToSchema>(self) -> Self {
        self.body_as::<T>("application/json", true)
    }
    pub(crate) fn optional_body<T: ToSchema>(self) -> Self {
        self.body_as::<T>("application/json", false)
    }
    fn body_as<T: ToSchema>(mut self, mime: &str, required: bool) -> Self {
        let schema = self.schema_of::<T>();
        self.body =
            Some(json!({ "required": required, "content": { mime: { "schema": schema } } }));
        self
    }
    /// A form with these text fields.
    pub(crate) fn form(mut self, mime: &str, fields: &[&str]) -> Self {
        let text = json!({ "type": "string" });
        let properties: Map<String, Value> = fields
            .iter()
            .map(|f| ((*f).to_string(), text.clone()))
            .collect();
        let schema = json!({ "type": "object", "properties": properties });
        self.body = Some(json!({ "required": true, "content": { mime: { "schema": schema } } }));
        self
    }
    /// A merge patch (RFC 7396) of `T`: any part of it.
    pub(crate) fn merge_patch<T: ToSchema>(mut self) -> Self {
        let schema = self.schema_of::<T>();
        let of = json!({ "type": "object", "description": format!("Any part of {}; null takes a value away.", T::name()),
                         "x-patch-of": schema });
        self.body = Some(json!({ "required": true, "content": {
            "application/merge-patch+json": { "schema": of.clone() }, "application/json": { "schema": of },
        }}));
        self
    }
    pub(crate) fn replies<T: ToSchema>(mut self, status: u16, what: &str) -> Self {
        let schema = self.schema_of::<T>();
        let reply =
            json!({ "description": what, "content": { "application/json": { "schema": schema } } });
        self.replies.insert(status.to_string(), reply);
        self
    }
    /// A page of `T`.
    pub(crate) fn lists<T: ToSchema>(mut self, what: &str) -> Self {
        let item = self.schema_of::<T>();
        self.replies.insert("200".into(), page_of(item, what));
        self
    }
    /// A configuration row: `T` with id, version and times, published as `name`.
    pub(crate) fn replies_row<T: ToSchema>(mut self, status: u16, name: &str, what: &str) -> Self {
        let schema = self.row_schema_of::<T>(name);
        let headers = json!({ "ETag": { "description": "Version of the row.", "schema": { "type": "string" } } });
        let reply = json!({ "description": what, "headers": headers, "content": { "application/json": { "schema": schema } } });
        self.replies.insert(status.to_string(), reply);
        self
    }
    pub(crate) fn lists_rows<T: ToSchema>(mut self, name: &str, what: &str) -> Self {
        let item = self.row_schema_of::<T>(name);
        self.replies.insert("200".into(), page_of(item, what));
        self
    }
    fn row_schema_of<T: ToSchema>(&mut self, name: &str) -> Value {
        self.schema_of::<T>();
        let input = serde_json::to_value(T::schema()).expect("a schema is plain data");
        self.schemas.push((name.to_string(), row_schema(input)));
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
    pub(crate) fn empty(mut self, what: &str) -> Self {
        self.replies
            .insert("204".into(), json!({ "description": what }));
        self
    }
    pub(crate) fn content(mut self, status: u16, mime: &str, what: &str) -> Self {
        let reply = json!({ "description": what, "content": { mime: { "schema": {} } } });
        self.replies.insert(status.to_string(), reply);
        self
    }

    fn schema_of<T: ToSchema>(&mut self) -> Value {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        for (name, schema) in found {
            let schema = serde_json::to_value(schema).expect("a schema is plain data");
            self.schemas.push((name, schema));
        }
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    fn to_value(&self) -> Value {
        let mut replies = self.replies.clone();
        replies.insert("default".into(), json!({
            "description": "What went wrong",
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        }));
        let mut value = json!({
            "operationId": self.id, "tags": [self.tag], "summary": self.summary,
            "parameters": self.parameters, "responses": replies,
        });
        if !self.description.is_empty() {
            value["description"] = json!(self.description);
        }
        if self.step_up {
            value["x-step-up"] = json!(true);
        }
        if let Some(body) = &self.body {
            value["requestBody"] = body.clone();
        }
        match self.access {
            Access::Open | Access::Page => value["security"] = json!([]),
            Access::SignedIn => {}
            Access::AnyOf(of) => {
                value["x-permissions"] = of.iter().map(|p| p.as_str()).collect();
            }
        }
        value
    }
}

/// All operations: router, gates and document grow together.
#[derive(Default)]
pub(crate) struct Api {
    router: Router<ApiState>,
    gates: Gates,
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Api {
    pub(crate) fn add<H, T>(&mut self, op: Op, handler: H)
    where
        H: Handler<T, ApiState>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(op.method.clone()).expect("a method of the table");
        self.router = std::mem::take(&mut self.router).route(op.path, on(filter, handler));
        let gate = Gate {
            id: op.id,
            access: op.access,
            step_up: op.step_up,
            audit: op.audit,
            idempotence: op.idempotence,
            weight: op.weight,
        };
        let before = self.gates.insert(op.method.clone(), op.path, gate);
        assert!(before.is_none(), "{} {} is there twice", op.method, op.path);
        let path = self.paths.entry(op.path).or_insert_with(|| json!({}));
        path[op.method.as_str().to_lowercase()] = op.to_value();
        for (name, schema) in op.schemas {
            self.schemas.insert(name, close_branches(schema));
        }
    }

    pub(crate) fn into_parts(self) -> (Router<ApiState>, Gates, Value) {
        let document = crate::openapi::document(self.paths, self.schemas);
        (self.router, self.gates, document)
    }
}

fn page_of(item: Value, what: &str) -> Value {
    let page = json!({ "type": "object", "required": ["items"], "properties": {
        "items": { "type": "array", "items": item },
        "next": { "type": "string", "description": "Cursor of the next page; absent on the last." },
    }});
    json!({ "description": what, "content": { "application/json": { "schema": page } } })
}

/// What is read of a row: the input without what is only written, and what every row has.
fn row_schema(mut input: Value) -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    let of_every_row = [
        ("id", json!({ "type": "string" })),
        (
            "version",
            json!({ "type": "integer", "description": "Rises with each change; the `ETag` without quotes." }),
        ),
        ("created_at", time.clone()),
        ("updated_at", time),
    ];
    let mut required: Vec<Value> = of_every_row.iter().map(|(n, _)| json!(n)).collect();
    let properties = input["properties"]
        .as_object_mut()
        .expect("an input is an object");
    properties.retain(|_, p| p.get("writeOnly") != Some(&json!(true)));
    required.extend(properties.keys().filter(|n| *n != "id").map(|n| json!(n)));
    properties.extend(of_every_row.map(|(n, s)| (n.to_string(), s)));
    let nullable = |p: &Value| {
        p["type"]
            .as_array()
            .is_some_and(|t| t.contains(&json!("null")))
            || p.get("oneOf").is_some()
    };
    required.retain(|n| !nullable(&properties[n.as_str().unwrap_or_default()]));
    input["required"] = Value::Array(required);
    if let Some(map) = input.as_object_mut() {
        map.remove("additionalProperties");
        map.remove("description");
    }
    input
}

/// Branches of a union take no other fields than theirs.
fn close_branches(mut schema: Value) -> Value {
    let branches = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for branch in branches.into_iter().flatten() {
        if branch.get("properties").is_some() {
            branch["additionalProperties"] = json!(false);
        }
    }
    schema
}
