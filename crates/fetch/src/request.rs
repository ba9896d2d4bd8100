//! What is asked for.

use bytes::Bytes;
use http::Method;
use std::time::Duration;

/// Bounds of one fetch; at each it fails with the error named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// From the name to the last byte, redirects included: `TimedOut`.
    pub total: Duration,
    /// From the request sent to the answer's header: `FirstByteLate`.
    pub first_byte: Duration,
    /// Header lines of an answer together: `HeaderTooLarge`. At least 8,192.
    pub header_bytes_max: usize,
    /// `BodyTooLarge`; the rest is not read.
    pub body_bytes_max: usize,
    /// Each hop is checked like the first. 0: `Redirected`.
    pub redirects_max: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(10),
            first_byte: Duration::from_secs(5),
            header_bytes_max: 16 * 1_024,
            body_bytes_max: 1_024 * 1_024,
            redirects_max: 0,
        }
    }
}

/// Ports of the public internet that may be connected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ports {
    /// 443 and 8443.
    #[default]
    Https,
    /// Those, and all from 1,024 up, where people run their own receivers.
    HttpsAndHigh,
}

impl Ports {
    pub(crate) fn admit(self, port: u16) -> bool {
        match self {
            Self::Https => matches!(port, 443 | 8443),
            Self::HttpsAndHigh => port == 443 || port >= 1_024,
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub limits: Limits,
    pub ports: Ports,
    /// Types taken of a 2xx answer (`application/json`); empty takes any.
    pub content_types: Vec<String>,
}

impl Request {
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            limits: Limits::default(),
            ports: Ports::default(),
            content_types: Vec::new(),
        }
    }
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::POST, url)
    }
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
    pub fn ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }
    /// Takes only answers of this type; call it again for further ones.
    pub fn accept(mut self, content_type: impl Into<String>) -> Self {
        self.content_types.push(content_type.into());
        self
    }
}
