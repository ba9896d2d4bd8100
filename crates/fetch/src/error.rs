//! What can go wrong with a fetch.

/// Why nothing was fetched. [`FetchError::code`] is stable; no variant quotes the address, which
/// may be somebody's secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    #[error("the address is not a URL that can be fetched: {why}")]
    Url { why: &'static str },
    #[error("only https is fetched")]
    Scheme,
    #[error("port {port} is not one that may be fetched from")]
    Port { port: u16 },
    /// The name leads (also) to an address that is not of the public internet, or is our own.
    #[error("the host leads to an address that may not be connected to")]
    AddressRefused,
    #[error("the host name has no address")]
    NameNotFound,
    #[error("the name servers did not answer")]
    NameFailed,
    #[error("no connection: {why}")]
    Connect { why: String },
    #[error("no TLS session: {why}")]
    Tls { why: String },
    /// [`crate::Limits::first_byte`] passed.
    #[error("the server did not begin to answer in time")]
    FirstByteLate,
    /// [`crate::Limits::total`] passed.
    #[error("the fetch did not end in time")]
    TimedOut,
    #[error("the answer's header is over the limit")]
    HeaderTooLarge,
    #[error("the answer is over the limit of {max} bytes")]
    BodyTooLarge { max: usize },
    #[error("the server redirects, which is not followed")]
    Redirected,
    #[error("the answer is of a type that was not asked for")]
    ContentType,
    #[error("the answer is compressed, which was not asked for")]
    Encoded,
    #[error("the server does not speak proper HTTP: {why}")]
    Protocol { why: String },
    #[error("a header of the request has characters it cannot have")]
    RequestHeader,
    /// [`crate::Config::in_flight_max`] fetches are under way.
    #[error("too many fetches are under way")]
    Busy,
    #[error("the authorities cannot be read: {why}")]
    Authorities { why: String },
    #[error("no resolver: {why}")]
    Resolver { why: String },
}

impl FetchError {
    /// Stable word for logs, metrics and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "fetch_url",
            Self::Scheme => "fetch_scheme",
            Self::Port { .. } => "fetch_port",
            Self::AddressRefused => "fetch_address_refused",
            Self::NameNotFound => "fetch_name_not_found",
            Self::NameFailed => "fetch_name_failed",
            Self::Connect { .. } => "fetch_connect",
            Self::Tls { .. } => "fetch_tls",
            Self::FirstByteLate => "fetch_first_byte_late",
            Self::TimedOut => "fetch_timed_out",
            Self::HeaderTooLarge => "fetch_header_too_large",
            Self::BodyTooLarge { .. } => "fetch_body_too_large",
            Self::Redirected => "fetch_redirected",
            Self::ContentType => "fetch_content_type",
            Self::Encoded => "fetch_encoded",
            Self::Protocol { .. } => "fetch_protocol",
            Self::RequestHeader => "fetch_request_header",
            Self::Busy => "fetch_busy",
            Self::Authorities { .. } => "fetch_authorities",
            Self::Resolver { .. } => "fetch_resolver",
        }
    }

    /// Whether the address itself is at fault: trying again will not help before it changes.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Url { .. } | Self::Scheme | Self::Port { .. } | Self::AddressRefused
        )
    }
}
