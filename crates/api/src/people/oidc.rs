//! Signing in at an identity provider: authorization code with PKCE (OpenID Connect Core 3.1,
//! RFC 7636). The browser carries a code only; the token comes straight from the provider.

use super::Step;
use crate::auth::token;
use crate::backend::Outside;
use crate::extract::{Id, PageView, Query};
use crate::http::connection::Connection;
use crate::operation::{self, Api};
use crate::people::provisioning::{Refused, person};
use crate::problem::{Problem, Reply};
use crate::schema::vocabulary as published;
use crate::session::{Visitor, make, set_cookie};
use crate::state::ApiState;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cp_identity::oidc::{Discovery, Expected, Keys, OidcError, pkce_challenge, verify};
use cp_store::{IdentityProvider, Origin, PAGE_ROWS_MAX, PageRequest, StoreExt};
use cp_vocab::id::TypedId;
use cp_vocab::{IdentityProviderId, Pii};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// What a browser takes along, so that nobody else's answer is taken for its own.
const COOKIE: &str = "cp_oidc";
/// Longest place to come back to.
const RETURN_CHARS_MAX: usize = 500;

/// One sign-in under way.
pub(crate) struct Flow {
    provider: IdentityProviderId,
    /// SHA-256 of the cookie.
    browser: [u8; 32],
    verifier: String,
    nonce: String,
    redirect_uri: String,
    back_to: String,
}

/// A button of the sign-in page.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderButton {
    #[schema(value_type = published::IdentityProviderId)]
    id: IdentityProviderId,
    #[schema(example = "Company account")]
    name: String,
    /// Where the browser goes.
    #[schema(example = "/v1/oidc/idp_01J…/start")]
    start: String,
}

/// Why somebody comes back without a session; the code is in the page's address.
pub(super) enum Fault {
    Provider(OidcError),
    Person(Refused),
    /// A word of ours, for what is neither.
    Word(&'static str),
    Ours(Problem),
}

impl From<OidcError> for Fault {
    fn from(e: OidcError) -> Self {
        Self::Provider(e)
    }
}
impl From<Problem> for Fault {
    fn from(p: Problem) -> Self {
        Self::Ours(p)
    }
}

impl Fault {
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Provider(e) => e.code(),
            Self::Person(e) => e.code(),
            Self::Word(word) => word,
            Self::Ours(p) => p.code.as_str(),
        }
    }
}

pub(crate) fn add(api: &mut Api) {
    let tag = "Sign-in elsewhere";
    api.add(
        operation::get(
            "/v1/sign-in/providers",
            "signInProviders",
            tag,
            "Identity providers people can sign in with",
        )
        .open()
        .query(
            "tenant",
            json!({ "type": "string", "maxLength": 253 }),
            "Domain of the tenant; without it, those of the only tenant there is.",
        )
        .lists::<ProviderButton>("Buttons for the page"),
        buttons,
    );
    api.add(
        operation::get("/v1/oidc/{id}/start", "oidcStart", tag, "Go to the identity provider")
            .describe("For browsers: answers with a redirect. Comes back to `return` (a path of this server) with a session cookie.")
            .open()
            .path_id(IdentityProviderId::PREFIX)
            .query("return", json!({ "type": "string", "maxLength": RETURN_CHARS_MAX }), "Path to come back to; `/` without it.")
            .content(303, "text/plain", "To the provider"),
        start,
    );
    api.add(
        operation::get(
            "/v1/oidc/callback",
            "oidcCallback",
            tag,
            "Come back from the identity provider",
        )
        .describe(
            "Register this address as the redirect URI. On success the session cookie is set; otherwise the page is opened \
             with `?sign_in_error=` and a stable word.",
        )
        .open()
        .content(303, "text/plain", "To the page"),
        callback,
    );
}

async fn buttons(State(state): State<ApiState>, query: Query) -> Reply {
    let domain = query.text("tenant");
    query.finish()?;
    let snapshot = state.snapshot().await?;
    let tenant = match (&domain, snapshot.tenants.as_slice()) {
        (Some(d), all) => all.iter().find(|t| t.domain.eq_ignore_ascii_case(d)),
        (None, [only]) => Some(only),
        // Who shares this server is not told to strangers.
        (None, _) => None,
    };
    let Some(tenant) = tenant.map(|t| t.id) else {
        let items = Vec::<ProviderButton>::new();
        return Ok(axum::Json(PageView { items, next: None }).into_response());
    };
    let first = PageRequest::first(PAGE_ROWS_MAX);
    let all = state
        .store(move |s| s.list::<IdentityProvider>(tenant, &first))
        .await?;
    let open = all.items.into_iter().filter(|p| !p.row.disabled);
    let items: Vec<ProviderButton> = open
        .map(|p| ProviderButton {
            id: p.row.id,
            start: format!("/v1/oidc/{}/start", p.row.id),
            name: p.row.name,
        })
        .collect();
    Ok(axum::Json(PageView { items, next: None }).into_response())
}

/// Our own address as browsers see it.
fn base(state: &ApiState, headers: &HeaderMap) -> String {
    if let Some(origin) = state.0.settings.origins.first() {
        return origin.clone();
    }
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let scheme = if state.0.settings.tls {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

pub(super) fn outside(state: &ApiState) -> Result<&dyn Outside, Fault> {
    state
        .0
        .backend
        .outside()
        .ok_or(Fault::Word("oidc_unreachable"))
}

pub(super) async fn discover(
    state: &ApiState,
    provider: &IdentityProvider,
) -> Result<Discovery, Fault> {
    let address = Discovery::address(&provider.issuer);
    let document = outside(state)?
        .get(&address, None)
        .await
        .map_err(|e| unreachable(&e))?;
    Ok(Discovery::read(&document, &provider.issuer)?)
}

pub(super) fn unreachable(why: &str) -> Fault {
    tracing::warn!(why, "an identity provider was not reached");
    Fault::Word("oidc_unreachable")
}

/// A provider that is there and open.
pub(super) async fn provider(
    state: &ApiState,
    id: IdentityProviderId,
) -> Result<IdentityProvider, Fault> {
    let found = state.store(move |s| s.identity_provider(id)).await;
    let found = found.map_err(|e| Fault::Ours(e.into()))?;
    found
        .filter(|p| !p.disabled)
        .ok_or(Fault::Word("oidc_provider_unknown"))
}

async fn start(
    State(state): State<ApiState>,
    Id(id): Id<IdentityProviderId>,
    headers: HeaderMap,
    query: Query,
) -> Reply {
    let back_to = query.text("return").filter(|p| own_path(p));
    query.finish()?;
    let back_to = back_to.unwrap_or_else(|| "/".into());
    let begun = async {
        let provider = provider(&state, id).await?;
        Ok::<_, Fault>((discover(&state, &provider).await?, provider))
    };
    let (discovery, provider) = match begun.await {
        Ok(found) => found,
        Err(Fault::Word("oidc_provider_unknown")) => return Err(Problem::not_found("provider")),
        Err(fault) => return Ok(home("/", Some(fault.code()))),
    };
    let browser = token::generate("");
    let flow = Flow {
        provider: id,
        browser: token::sha256(browser.as_bytes()),
        verifier: token::generate(""),
        nonce: token::generate(""),
        redirect_uri: format!("{}/v1/oidc/callback", base(&state, &headers)),
        back_to,
    };
    let scopes = std::iter::once("openid").chain(provider.scopes.iter().map(String::as_str));
    let mut asked = vec![
        ("response_type", "code".to_string()),
        ("client_id", provider.client_id.clone()),
        ("redirect_uri", flow.redirect_uri.clone()),
        ("scope", scopes.collect::<Vec<_>>().join(" ")),
        ("nonce", flow.nonce.clone()),
        ("code_challenge", pkce_challenge(&flow.verifier)),
        ("code_challenge_method", "S256".into()),
    ];
    asked.push((
        "state",
        state.0.steps.put(state.now(), Step::Oidc(Box::new(flow))),
    ));
    let endpoint = &discovery.authorization_endpoint;
    let joint = if endpoint.contains('?') { '&' } else { '?' };
    let mut response = redirect(&format!("{endpoint}{joint}{}", encoded(&asked)));
    remember(&state, &mut response, &browser, 300);
    Ok(response)
}

/// A path of this server and nothing that a browser could take for another one.
fn own_path(path: &str) -> bool {
    let second = path.as_bytes().get(1);
    path.starts_with('/')
        && !matches!(second, Some(b'/' | b'\\'))
        && path.len() <= RETURN_CHARS_MAX
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

/// Lax, since the browser comes back from another site.
fn remember(state: &ApiState, response: &mut Response, value: &str, max_age_s: u32) {
    let secure = if state.0.settings.tls { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE}={value}; Path=/v1/oidc; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}"
    );
    if let Ok(v) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, v);
    }
}

fn redirect(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => home("/", Some("oidc_discovery_malformed")),
    }
}

/// Back to the page, with what went wrong.
fn home(path: &str, error: Option<&str>) -> Response {
    let to = match error {
        None => path.to_string(),
        Some(code) => format!("/?sign_in_error={code}"),
    };
    let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

async fn callback(
    State(state): State<ApiState>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    query: Query,
) -> Reply {
    let visitor = Visitor::of(&state, connection.as_ref().map(|c| &c.0), &headers);
    let (answer, code) = (query.text("state"), query.text("code"));
    let (refused, issuer) = (query.text("error"), query.text("iss"));
    query.finish()?;
    let cookie = crate::auth::gate::cookie(&headers, COOKIE).unwrap_or_default();
    let flow = match state.0.steps.take(state.now(), &answer.unwrap_or_default()) {
        Some(Step::Oidc(flow)) if flow.browser == token::sha256(cookie.as_bytes()) => flow,
        // An answer that this browser did not ask for: replayed, late, or somebody else's.
        _ => return Ok(home("/", Some("oidc_state"))),
    };
    let done = async {
        if refused.is_some() {
            return Err(Fault::Word("oidc_refused"));
        }
        let provider = provider(&state, flow.provider).await?;
        // RFC 9207: an answer of another provider than was asked is not taken to this one.
        let plain = |issuer: &str| issuer.trim_end_matches('/').to_string();
        if issuer.is_some_and(|i| plain(&i) != plain(&provider.issuer)) {
            return Err(OidcError::IssuerMismatch.into());
        }
        let code = code.ok_or(Fault::Word("oidc_refused"))?;
        let claims = claims(&state, &provider, &flow, &code).await?;
        let user = person(&state, &provider, &claims)
            .await
            .map_err(Fault::Person)?;
        let sid = claims.get("sid").and_then(Value::as_str);
        let origin = Origin {
            provider: Some(provider.id),
            provider_session: sid.map(|s| Pii(s.to_string())),
            ..visitor.proven(&["fed"])
        };
        Ok(make(&state, &user, origin).await?)
    };
    let mut response = match done.await {
        Ok((secret, _)) => {
            if let Some(c) = connection {
                c.proved();
            }
            let mut response = home(&flow.back_to, None);
            set_cookie(&state, &mut response, &secret, state.0.settings.session_s);
            response
        }
        Err(fault) => {
            state.0.meters.sign_ins_failed.add(1);
            tracing::warn!(
                code = fault.code(),
                "a sign-in at an identity provider failed"
            );
            home("/", Some(fault.code()))
        }
    };
    remember(&state, &mut response, "", 0);
    Ok(response)
}

/// Trades the code for an ID token and verifies it.
async fn claims(
    state: &ApiState,
    provider: &IdentityProvider,
    flow: &Flow,
    code: &str,
) -> Result<Map<String, Value>, Fault> {
    let discovery = discover(state, provider).await?;
    let outside = outside(state)?;
    let secret = provider.client_secret.expose();
    let mut form = vec![
        ("grant_type", "authorization_code".to_string()),
        ("code", code.to_string()),
        ("redirect_uri", flow.redirect_uri.clone()),
        ("code_verifier", flow.verifier.clone()),
    ];
    let methods = &discovery.token_endpoint_auth_methods_supported;
    let basic = methods.is_empty() || methods.iter().any(|m| m == "client_secret_basic");
    let authorization = (basic && !secret.is_empty()).then(|| {
        let pair = format!("{}:{}", percent(&provider.client_id), percent(secret));
        format!(
            "Basic {}",
            cp_identity::b64::encode_standard(pair.as_bytes())
        )
    });
    if authorization.is_none() {
        form.push(("client_id", provider.client_id.clone()));
        if !secret.is_empty() {
            form.push(("client_secret", secret.clone()));
        }
    }
    let answer = outside
        .post_form(&discovery.token_endpoint, authorization, encoded(&form))
        .await;
    let (status, body) = answer.map_err(|e| unreachable(&e))?;
    #[derive(Deserialize)]
    struct Answer {
        id_token: String,
        #[serde(default)]
        access_token: String,
    }
    let answer = serde_json::from_slice::<Answer>(&body);
    let answer = answer.ok().filter(|_| status == 200);
    let answer = answer.ok_or(Fault::Word("oidc_code_refused"))?;
    let keys = keys(state, &discovery).await?;
    let expected = Expected {
        issuer: &provider.issuer,
        client_id: &provider.client_id,
        nonce: &flow.nonce,
        now_s: (state.now().as_micros() / 1_000_000) as i64,
    };
    let mut claims = verify(&answer.id_token, &keys, expected)?;
    let wanted = [&provider.login_claim, &provider.roles_claim];
    let lacks = wanted
        .iter()
        .any(|c| !c.is_empty() && !claims.contains_key(*c));
    if let Some(endpoint) = discovery.userinfo_endpoint.filter(|_| lacks) {
        let bearer = Some(format!("Bearer {}", answer.access_token));
        let more = outside.get(&endpoint, bearer).await;
        add_userinfo(&mut claims, &more.map_err(|e| unreachable(&e))?)?;
    }
    Ok(claims)
}

/// The keys that the provider signs with now.
pub(super) async fn keys(state: &ApiState, discovery: &Discovery) -> Result<Keys, Fault> {
    let keys = outside(state)?.get(&discovery.jwks_uri, None).await;
    Ok(Keys::read(&keys.map_err(|e| unreachable(&e))?)?)
}

/// Adds what the ID token left out; it counts only when it is about the same person (5.3.2).
fn add_userinfo(claims: &mut Map<String, Value>, more: &[u8]) -> Result<(), Fault> {
    let more = serde_json::from_slice::<Map<String, Value>>(more);
    let more = more.map_err(|_| Fault::Word("oidc_userinfo_malformed"))?;
    if more.get("sub") != claims.get("sub") {
        return Err(Fault::Word("oidc_userinfo_mismatch"));
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
    Ok(())
}

/// `application/x-www-form-urlencoded`.
fn encoded(fields: &[(&str, String)]) -> String {
    let pairs = fields.iter().map(|(n, v)| format!("{n}={}", percent(v)));
    pairs.collect::<Vec<_>>().join("&")
}

fn percent(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_back_to_this_server_only() {
        for good in ["/", "/desk?tab=2", "/a/b#c"] {
            assert!(own_path(good), "{good}");
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "desk",
            "/a b",
            "/\r\nset-cookie: x",
        ] {
            assert!(!own_path(bad), "{bad}");
        }
        assert_eq!(percent("a b/ö"), "a%20b%2F%C3%B6");
    }

    #[test]
    fn userinfo_adds_and_never_replaces() {
        let signed = json!({ "sub": "1", "email": "ann@example.com" });
        let mut claims = signed.as_object().unwrap().clone();
        let same = br#"{ "sub": "1", "email": "eve@example.com", "groups": ["a"] }"#;
        assert!(add_userinfo(&mut claims, same).is_ok());
        assert_eq!(claims["email"], "ann@example.com");
        assert_eq!(claims["groups"], json!(["a"]));
        for other in [&br#"{ "sub": "2" }"#[..], b"{}", b"[]"] {
            assert!(add_userinfo(&mut claims, other).is_err());
        }
    }
}
