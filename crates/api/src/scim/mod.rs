//! Provisioning by SCIM 2.0 (RFC 7643, RFC 7644), the part that identity systems use: people with
//! filter, pages, PATCH and deactivation; groups, which are roles here.
//!
//! The token is an API key or an OAuth 2 token with `scim:manage`. It hands out roles only within
//! what it may do itself: a key that is to make agents has what agents have.

mod groups;
mod patch;
mod users;

use crate::auth::permission::Permission;
use crate::extract::QUERY_BYTES_MAX;
use crate::operation::{self, Api, Op};
use crate::problem::{Problem, Reply};
use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use cp_store::StoreError;
use cp_vocab::Code;
use serde_json::{Value, json};
use std::collections::HashMap;

const NEEDS: &[Permission] = &[Permission::ScimManage];
const MIME: &str = "application/scim+json";
const TAG: &str = "SCIM";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// Resources of a page at most; a larger `count` is lowered to this.
const COUNT_MAX: usize = 200;
/// Resources without `count`.
const COUNT: usize = 100;

/// An error as RFC 7644 3.12 says it.
#[derive(Debug)]
struct ScimError {
    status: StatusCode,
    /// `invalidFilter`, `uniqueness` …; empty: none fits.
    kind: &'static str,
    detail: String,
}

impl ScimError {
    fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind,
            detail: detail.into(),
        }
    }
    fn missing(what: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            kind: "",
            detail: format!("there is no {what} of this id"),
        }
    }
}

impl From<Problem> for ScimError {
    fn from(p: Problem) -> Self {
        Self {
            status: p.status(),
            kind: match p.code {
                Code::Conflict => "uniqueness",
                Code::BadRequest => "invalidValue",
                _ => "",
            },
            detail: p.detail,
        }
    }
}
impl From<StoreError> for ScimError {
    fn from(e: StoreError) -> Self {
        Problem::from(e).into()
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.as_str(), "detail": self.detail,
        });
        if !self.kind.is_empty() {
            body["scimType"] = json!(self.kind);
        }
        answer(self.status, &body)
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let mime = HeaderValue::from_static(MIME);
    let mut response = (status, [(header::CONTENT_TYPE, mime)], body.to_string()).into_response();
    let location = body["meta"]["location"]
        .as_str()
        .filter(|_| status == StatusCode::CREATED);
    if let Some(v) = location.and_then(|l| HeaderValue::from_str(l).ok()) {
        response.headers_mut().insert(header::LOCATION, v);
    }
    response
}

/// Both outcomes are answers.
fn told(result: Result<(StatusCode, Value), ScimError>) -> Reply {
    Ok(match result {
        Ok((StatusCode::NO_CONTENT, _)) => StatusCode::NO_CONTENT.into_response(),
        Ok((status, body)) => answer(status, &body),
        Err(e) => e.into_response(),
    })
}

fn document(body: &Bytes) -> Result<Value, ScimError> {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let object = value.filter(Value::is_object);
    object.ok_or_else(|| ScimError::bad("invalidSyntax", "the body is not a JSON object"))
}

/// `attribute eq "value"`, the one filter that is served.
fn filter(query: &HashMap<String, String>) -> Result<Option<(String, String)>, ScimError> {
    let Some(text) = query.get("filter") else {
        return Ok(None);
    };
    let mut parts = text.trim().splitn(3, ' ');
    let (attribute, op, value) = (parts.next(), parts.next(), parts.next());
    let value = value.and_then(|v| serde_json::from_str::<Value>(v.trim()).ok());
    match (attribute, op, value) {
        (Some(a), Some(op), Some(Value::String(v))) if op.eq_ignore_ascii_case("eq") => {
            Ok(Some((a.to_ascii_lowercase(), v)))
        }
        _ => {
            let detail = "only `attribute eq \"value\"` is served";
            Err(ScimError::bad("invalidFilter", detail))
        }
    }
}

fn query(uri: &Uri) -> Result<HashMap<String, String>, ScimError> {
    let bad = || ScimError::bad("invalidValue", "the query cannot be read");
    if uri.query().unwrap_or("").len() > QUERY_BYTES_MAX {
        return Err(bad());
    }
    let map = axum::extract::Query::<HashMap<String, String>>::try_from_uri(uri);
    map.map(|m| m.0).map_err(|_| bad())
}

/// A page of resources (RFC 7644 3.4.2.4).
fn listed(all: Vec<Value>, query: &HashMap<String, String>) -> Result<Value, ScimError> {
    let number = |name: &str, without: usize| match query.get(name) {
        None => Ok::<usize, ScimError>(without),
        Some(text) => {
            let detail = format!("{name} must be a number");
            let n: i64 = text
                .parse()
                .map_err(|_| ScimError::bad("invalidValue", detail))?;
            Ok(usize::try_from(n).unwrap_or(0))
        }
    };
    let start = number("startIndex", 1)?.max(1);
    let count = number("count", COUNT)?.min(COUNT_MAX);
    let total = all.len();
    let page: Vec<Value> = all.into_iter().skip(start - 1).take(count).collect();
    Ok(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total, "startIndex": start, "itemsPerPage": page.len(), "Resources": page,
    }))
}

/// A list of resources by pages. `filter`: what they are found by.
fn listing(op: Op, filter: &str) -> Op {
    let text = |max: u32| json!({ "type": "string", "maxLength": max });
    op.needs(NEEDS)
        .query("filter", text(500), filter)
        .query("startIndex", text(20), "First of the page, from 1.")
        .query("count", text(20), "Resources of a page, at most 200.")
        .content(200, MIME, "A list")
}

pub(crate) fn add(api: &mut Api) {
    let get = |path, id, what| operation::get(path, id, TAG, what).needs(NEEDS);
    api.add(
        get(
            "/scim/v2/ServiceProviderConfig",
            "scimConfig",
            "What is served of SCIM",
        )
        .content(200, MIME, "The configuration"),
        config,
    );
    api.add(
        get(
            "/scim/v2/ResourceTypes",
            "scimResourceTypes",
            "Kinds of resources",
        )
        .content(200, MIME, "Users and groups"),
        resource_types,
    );
    api.add(
        get(
            "/scim/v2/Schemas",
            "scimSchemas",
            "Attributes of users and groups",
        )
        .content(200, MIME, "The schemas"),
        schemas,
    );
    users::add(api);
    groups::add(api);
}

async fn config() -> Reply {
    let off = json!({ "supported": false });
    let scheme = json!({ "type": "oauthbearertoken", "name": "Bearer token",
        "description": "An API key or an OAuth 2 token with scim:manage" });
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": COUNT_MAX },
        "changePassword": { "supported": true }, "sort": off, "etag": { "supported": true },
        "authenticationSchemes": [scheme],
    });
    Ok(answer(StatusCode::OK, &body))
}

async fn resource_types() -> Reply {
    let kind = |name: &str, endpoint: &str, schema: &str| {
        json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                "id": name, "name": name, "endpoint": endpoint, "schema": schema })
    };
    let all = vec![
        kind("User", "/Users", USER),
        kind("Group", "/Groups", GROUP),
    ];
    told(listed(all, &HashMap::new()).map(|b| (StatusCode::OK, b)))
}

async fn schemas() -> Reply {
    let attribute = |name: &str, kind: &str, required: bool| {
        json!({ "name": name, "type": kind, "required": required, "multiValued": name == "members",
                "mutability": "readWrite", "returned": "default",
                "uniqueness": if required { "server" } else { "none" } })
    };
    let user = json!({ "id": USER, "name": "User", "attributes": [
        attribute("userName", "string", true), attribute("displayName", "string", false),
        attribute("name", "complex", false), attribute("externalId", "string", false),
        attribute("active", "boolean", false),
    ]});
    let group = json!({ "id": GROUP, "name": "Group", "attributes": [
        attribute("displayName", "string", true), attribute("members", "complex", false),
    ]});
    told(listed(vec![user, group], &HashMap::new()).map(|b| (StatusCode::OK, b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_filter_is_served_and_others_are_told() {
        let of = |f: &str| filter(&HashMap::from([("filter".to_string(), f.to_string())]));
        let pair = |a: &str, v: &str| Some((a.to_string(), v.to_string()));
        assert_eq!(of("userName eq \"ann\"").unwrap(), pair("username", "ann"));
        assert_eq!(
            of("externalId EQ \"a \\\"b\\\" c\"").unwrap(),
            pair("externalid", "a \"b\" c")
        );
        for bad in [
            "",
            "userName",
            "userName eq",
            "userName sw \"a\"",
            "userName eq a",
            "active eq true",
            "a eq \"b\" and c eq \"d\"",
        ] {
            assert_eq!(of(bad).unwrap_err().kind, "invalidFilter", "{bad}");
        }
        assert_eq!(filter(&HashMap::new()).unwrap(), None);
    }

    #[test]
    fn pages_are_cut_as_the_rfc_says() {
        let all = || (0..250).map(|i| json!(i)).collect::<Vec<_>>();
        let of = |pairs: &[(&str, &str)]| {
            let query = pairs
                .iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect();
            listed(all(), &query)
        };
        let page = of(&[("startIndex", "241"), ("count", "50")]).unwrap();
        assert_eq!(
            (&page["totalResults"], &page["itemsPerPage"]),
            (&json!(250), &json!(10))
        );
        assert_eq!(page["Resources"][0], 240);
        assert_eq!(of(&[]).unwrap()["itemsPerPage"], 100);
        assert_eq!(of(&[("count", "9999")]).unwrap()["itemsPerPage"], 200);
        assert_eq!(of(&[("count", "0")]).unwrap()["itemsPerPage"], 0);
        assert_eq!(
            of(&[("startIndex", "-3"), ("count", "-1")]).unwrap()["itemsPerPage"],
            0
        );
        assert!(of(&[("count", "x")]).is_err());
    }
}
