//! The client: one fetch from its URL to its last byte.

use crate::allow::Allowed;
use crate::names::Names;
use crate::shared::Flights;
use crate::url::Place;
use crate::{FetchError, Ports, Request, Response};
use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, LOCATION,
    USER_AGENT,
};
use http::{HeaderName, HeaderValue, Method};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

/// Where systems keep the authorities they trust.
const SYSTEM_AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// What hyper needs for its read buffer at least.
const HEADER_BYTES_MIN: usize = 8_192;
/// Header lines of an answer; more fail as `Protocol`.
const HEADERS_MAX: usize = 100;

/// How a [`Client`] is set up. The default reaches the public internet and nothing else.
#[derive(Clone, Debug)]
pub struct Config {
    /// Targets allowed beside the public internet: for private deployments and tests.
    pub allow: Vec<Allowed>,
    /// Addresses of ours that the machine does not know of (before a NAT): never connected to.
    pub own: Vec<IpAddr>,
    /// Name servers; empty takes those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// Names known without asking.
    pub hosts: Vec<(String, IpAddr)>,
    /// PEM file of the authorities trusted for TLS; `None` takes those of the system.
    pub authorities: Option<PathBuf>,
    /// Fetches under way; further ones wait, within their own time, then fail as `Busy`.
    pub in_flight_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            own: Vec::new(),
            name_servers: Vec::new(),
            hosts: Vec::new(),
            authorities: None,
            in_flight_max: 256,
        }
    }
}

/// Fetches; cheap to clone, made once and handed to whoever needs it.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) names: Names,
    pub(crate) tls: TlsConnector,
    slots: Semaphore,
    flights: Flights,
}

impl Client {
    /// Must be called inside the tokio runtime.
    ///
    /// # Errors
    /// `Authorities` when the named file holds no usable certificate, `Resolver`.
    pub fn new(config: Config) -> Result<Self, FetchError> {
        Ok(Self(Arc::new(Inner {
            names: Names::new(&config.name_servers, config.hosts.clone())?,
            tls: TlsConnector::from(Arc::new(tls(config.authorities.as_deref())?)),
            slots: Semaphore::new(config.in_flight_max),
            flights: Flights::default(),
            config,
        })))
    }

    /// Fetches within the request's limits.
    pub async fn fetch(&self, request: Request) -> Result<Response, FetchError> {
        let total = request.limits.total;
        let whole = async {
            let _slot = self.0.slots.acquire().await.map_err(|_| FetchError::Busy)?;
            self.0.hops(request).await
        };
        match tokio::time::timeout(total, whole).await {
            Ok(result) => result,
            Err(_) if self.0.slots.available_permits() == 0 => Err(FetchError::Busy),
            Err(_) => Err(FetchError::TimedOut),
        }
    }

    /// Whether this address would be connected to as things are now: for telling people at once
    /// when they type it. Every fetch checks again.
    ///
    /// # Errors
    /// As a fetch that gets no further than its connection.
    pub async fn admits(&self, url: &str, ports: Ports) -> Result<(), FetchError> {
        let place = Place::read(url, &self.0.config.allow, ports)?;
        self.0.addresses(&place, ports).await.map(|_| ())
    }

    /// As [`Client::fetch`], but all who ask for the same URL at the same time get the answer of
    /// one fetch. For GET only: the headers and limits of who came first count for all.
    pub async fn fetch_shared(&self, request: Request) -> Result<Response, FetchError> {
        let flight = self.0.flights.board(&request.url);
        flight.get_or_init(|| self.fetch(request)).await.clone()
    }
}

impl Inner {
    async fn hops(&self, mut request: Request) -> Result<Response, FetchError> {
        let mut left = request.limits.redirects_max;
        loop {
            let place = Place::read(&request.url, &self.config.allow, request.ports)?;
            let response = self.hop(&place, &request).await?;
            if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = response.header(LOCATION.as_str());
            let (Some(location), 1..) = (location, left) else {
                return Err(FetchError::Redirected);
            };
            // What was sent for one place is not repeated at another.
            if request.method != Method::GET {
                return Err(FetchError::Redirected);
            }
            left -= 1;
            let next = place.join(location);
            let there = Place::read(&next, &self.config.allow, request.ports)?;
            if (&there.host, there.port) != (&place.host, place.port) {
                let secret = [AUTHORIZATION.as_str(), COOKIE.as_str()];
                request
                    .headers
                    .retain(|(n, _)| !secret.iter().any(|s| n.eq_ignore_ascii_case(s)));
            }
            request.url = next;
        }
    }

    async fn hop(&self, place: &Place, request: &Request) -> Result<Response, FetchError> {
        let limits = &request.limits;
        let stream = self.connect(place, request.ports).await?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(limits.header_bytes_max.max(HEADER_BYTES_MIN))
            .max_headers(HEADERS_MAX)
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(protocol)?;
        // The connection works while it is polled beside the request; both end together.
        let exchange = async {
            let head = sender.send_request(outgoing(place, request)?);
            let response = tokio::time::timeout(limits.first_byte, head)
                .await
                .map_err(|_| FetchError::FirstByteLate)?
                .map_err(protocol)?;
            read(response, request).await
        };
        tokio::pin!(exchange, connection);
        let mut open = true;
        loop {
            tokio::select! {
                biased;
                result = &mut exchange => return result,
                // How it ended is told to the exchange as well.
                _ = &mut connection, if open => open = false,
            }
        }
    }
}

fn outgoing(place: &Place, request: &Request) -> Result<http::Request<Full<Bytes>>, FetchError> {
    let bad = |_| FetchError::RequestHeader;
    let mut out = http::Request::new(Full::new(request.body.clone()));
    *out.method_mut() = request.method.clone();
    *out.uri_mut() = place
        .path
        .parse()
        .map_err(|_| FetchError::Url { why: "bad path" })?;
    let headers = out.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static("Crosspoint"));
    for (name, value) in &request.headers {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| FetchError::RequestHeader)?;
        headers.append(
            name,
            HeaderValue::from_str(value).map_err(|_| FetchError::RequestHeader)?,
        );
    }
    headers.insert(
        HOST,
        HeaderValue::from_str(&place.host_header()).map_err(bad)?,
    );
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(out)
}

async fn read(
    response: http::Response<Incoming>,
    request: &Request,
) -> Result<Response, FetchError> {
    let limits = &request.limits;
    let (parts, mut body) = response.into_parts();
    let header_bytes: usize = parts
        .headers
        .iter()
        .map(|(n, v)| n.as_str().len() + v.len() + 4)
        .sum();
    if header_bytes > limits.header_bytes_max {
        return Err(FetchError::HeaderTooLarge);
    }
    if parts.status.is_success() {
        check_type(&parts.headers, &request.content_types)?;
    }
    let encoding = parts.headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|e| e.as_bytes() != b"identity") {
        return Err(FetchError::Encoded);
    }
    let max = limits.body_bytes_max;
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(protocol)?.into_data() {
            if bytes.len() + data.len() > max {
                return Err(FetchError::BodyTooLarge { max });
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Response {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: bytes.freeze(),
    })
}

fn check_type(headers: &http::HeaderMap, wanted: &[String]) -> Result<(), FetchError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let kind = value.and_then(|v| v.split(';').next()).unwrap_or("").trim();
    let fits = wanted.iter().any(|w| w.eq_ignore_ascii_case(kind));
    fits.then_some(()).ok_or(FetchError::ContentType)
}

fn protocol(error: hyper::Error) -> FetchError {
    if error.is_parse_too_large() {
        return FetchError::HeaderTooLarge;
    }
    FetchError::Protocol {
        why: error.to_string(),
    }
}

fn tls(authorities: Option<&Path>) -> Result<ClientConfig, FetchError> {
    let roots = match authorities {
        Some(path) => roots(path)?,
        // Without any, each fetch over TLS fails with a clear reason.
        None => SYSTEM_AUTHORITIES
            .iter()
            .map(Path::new)
            .find(|p| p.exists())
            .and_then(|p| roots(p).ok())
            .unwrap_or_else(RootCertStore::empty),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| FetchError::Authorities { why: e.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn roots(path: &Path) -> Result<RootCertStore, FetchError> {
    let unusable = |why: String| FetchError::Authorities {
        why: format!("{}: {why}", path.display()),
    };
    let mut store = RootCertStore::empty();
    let list: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|e| unusable(e.to_string()))?;
    if store.add_parsable_certificates(list).0 == 0 {
        return Err(unusable("it holds no usable certificate".into()));
    }
    Ok(store)
}
