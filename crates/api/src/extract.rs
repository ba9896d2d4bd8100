//! Bodies, ids and parameters, parsed at the edge with all their faults told at once.

use crate::problem::{FieldError, Problem};
use crate::schema::validate;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use cp_store::{PageRequest, Version};
use cp_vocab::Code;
use cp_vocab::id::TypedId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Mutex;
use utoipa::ToSchema;

/// Longest body of a request; longer ones are answered 413 without being read to the end.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;
/// Longest query string; longer ones are answered 400.
pub(crate) const QUERY_BYTES_MAX: usize = 4 * 1024;

/// A JSON body that has the published form of `T`. An empty body counts as `{}`, so that
/// operations whose every field is optional need none.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + ToSchema> FromRequest<S> for Body<T> {
    type Rejection = Problem;
    async fn from_request(req: Request, state: &S) -> Result<Self, Problem> {
        let value = Document::from_request(req, state).await?.0;
        Ok(Self(from_value(value)?))
    }
}

/// A JSON object as it came, for merge patches.
pub(crate) struct Document(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = Problem;
    async fn from_request(req: Request, state: &S) -> Result<Self, Problem> {
        let mime = content_type(req.headers());
        let bytes = Bytes::from_request(req, state)
            .await
            .map_err(|_| Problem::new(Code::BadRequest, "the body could not be read"))?;
        if bytes.is_empty() {
            return Ok(Self(Value::Object(Map::new())));
        }
        if !mime.is_some_and(|m| m == "application/json" || m == "application/merge-patch+json") {
            let detail = "send JSON with Content-Type: application/json";
            return Err(Problem::new(Code::UnsupportedMedia, detail));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|e| {
            let detail = format!(
                "the body is not JSON: line {}, column {}",
                e.line(),
                e.column()
            );
            Problem::new(Code::BadRequest, detail)
        })
    }
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

/// Checks against the published schema of `T`, then reads.
///
/// # Errors
/// All faults the schema shows; or the one thing that only reading shows.
pub(crate) fn from_value<T: DeserializeOwned + ToSchema>(value: Value) -> Result<T, Problem> {
    let schemas = crate::openapi::schemas();
    let name = T::name();
    let errors = validate::check(schemas, &schemas[name.as_ref()], &value);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    serde_json::from_value(value)
        .map_err(|e| Problem::invalid(vec![FieldError::new("", "format", e.to_string())]))
}

/// `{id}` of the path. What cannot be an id names nothing: 404.
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: TypedId + FromStr + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unknown = || Problem::new(Code::NotFound, "nothing has this id");
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| unknown())?;
        text.parse().map(Self).map_err(|_| unknown())
    }
}

/// The query string, each name once.
pub(crate) struct Query(HashMap<String, String>, Mutex<Vec<FieldError>>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.uri.query().unwrap_or("").len() > QUERY_BYTES_MAX {
            return Err(Problem::new(
                Code::BadRequest,
                "the query string is too long",
            ));
        }
        let map = axum::extract::Query::<HashMap<String, String>>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::new(Code::BadRequest, "the query string cannot be read"))?;
        Ok(Self(map.0, Mutex::default()))
    }
}

impl Query {
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|v| !v.is_empty()).cloned()
    }
    /// A value that parses; faults gather until [`Query::finish`].
    pub(crate) fn parse<T>(
        &self,
        name: &str,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            let detail = format!("{name} must be {what}");
            self.1
                .lock()
                .expect("no panic while held")
                .push(FieldError::new(name, "format", detail));
        }
        value
    }
    pub(crate) fn id<T: FromStr>(&self, name: &str) -> Option<T> {
        self.parse(name, "an id", |v| v.parse().ok())
    }
    /// A word of an enumeration of the vocabulary.
    pub(crate) fn word<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.parse(name, "one of the words documented", |v| {
            serde_json::from_value(Value::String(v.to_string())).ok()
        })
    }
    pub(crate) fn page(&self) -> PageRequest {
        let limit = self.parse("limit", "a number from 1 on", |v| {
            v.parse().ok().filter(|n: &usize| *n > 0)
        });
        PageRequest {
            after: self.text("cursor"),
            limit: limit.unwrap_or(0),
        }
    }
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.1.into_inner().unwrap_or_default() {
            errors if errors.is_empty() => Ok(()),
            errors => Err(Problem::invalid(errors)),
        }
    }
}

/// One page of a list as it is sent.
#[derive(Serialize)]
pub(crate) struct PageView<T> {
    pub(crate) items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// The entity tag of a row at a version.
pub(crate) fn etag(version: Version) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{}\"", version.0)).expect("digits are header text")
}

/// The version named by `If-Match`: none with `*`, which asks for whatever is there.
///
/// # Errors
/// 428 without the header: two people who edit at once would overwrite each other unseen. 412 when
/// it names something that was never a version of ours.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Version>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        let detail = "Send If-Match with the ETag you read, so that nobody's change is overwritten; * takes any version";
        return Err(Problem::new(Code::PreconditionRequired, detail));
    };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    match tag.and_then(|t| t.parse().ok()) {
        Some(v) => Ok(Some(Version(v))),
        None => Err(Problem::new(
            Code::PreconditionFailed,
            "If-Match names no version of this row",
        )),
    }
}

/// Whether `If-None-Match` says the client has this version.
pub(crate) fn none_match(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Some(value) = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
    else {
        return false;
    };
    let tag = tag.to_str().unwrap_or("");
    value
        .split(',')
        .any(|t| t.trim().trim_start_matches("W/") == tag || t.trim() == "*")
}

/// 304 with the tag.
pub(crate) fn not_modified(tag: HeaderValue) -> axum::response::Response {
    use axum::response::IntoResponse;
    (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response()
}

/// Applies a merge patch (RFC 7396).
pub(crate) fn merge_patch(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else {
        return;
    };
    for (name, value) in patch {
        match value {
            Value::Null => {
                map.remove(&name);
            }
            // A union's branch is replaced whole when its tag changes: fields of the old branch
            // would be unknown in the new one.
            Value::Object(ref new) if changes_tag(map.get(&name), new) => {
                let mut fresh = Value::Null;
                merge_patch(&mut fresh, value);
                map.insert(name, fresh);
            }
            value => merge_patch(map.entry(name).or_insert(Value::Null), value),
        }
    }
}

fn changes_tag(old: Option<&Value>, new: &Map<String, Value>) -> bool {
    ["to", "kind", "by"].iter().any(|tag| {
        new.get(*tag)
            .is_some_and(|t| old.and_then(|o| o.get(*tag)) != Some(t))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patches_as_in_rfc7396() {
        let table = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (
                json!({"d":{"to":"queue","queue":"q"}}),
                json!({"d":{"to":"echo"}}),
                json!({"d":{"to":"echo"}}),
            ),
            (
                json!({"d":{"to":"queue","queue":"q"}}),
                json!({"d":{"to":"echo","queue":null}}),
                json!({"d":{"to":"echo"}}),
            ),
        ];
        for (mut target, patch, want) in table {
            merge_patch(&mut target, patch.clone());
            assert_eq!(target, want, "{patch}");
        }
    }

    #[test]
    fn if_match_reads_our_tags_only() {
        let with = |v: &str| {
            let mut h = HeaderMap::new();
            h.insert(header::IF_MATCH, v.parse().unwrap());
            if_match(&h)
        };
        assert_eq!(with("\"3\""), Ok(Some(Version(3))));
        assert_eq!(with("*"), Ok(None));
        let without = if_match(&HeaderMap::new()).unwrap_err();
        assert_eq!(without.code, Code::PreconditionRequired);
        for bad in ["3", "\"x\"", "W/\"3\""] {
            assert_eq!(
                with(bad).unwrap_err().code,
                Code::PreconditionFailed,
                "{bad}"
            );
        }
    }
}
