//! The one door through which Crosspoint fetches anything over HTTP: certificates, webhooks,
//! identity providers, push services. Most addresses that come here were written by somebody
//! else, so a [`Client`] connects to the public internet only, over `https` only, to the very
//! address that it checked, and follows no redirect unless asked to. What an operator wants
//! beyond that (an identity provider in the house, a server in a test) is named in
//! [`Config::allow`].
//!
//! ```ignore
//! let client = Client::new(Config::default())?;
//! let request = Request::post("https://example.com/hook").header("content-type", "application/json").body(json);
//! let response = client.fetch(request).await?;
//! ```

mod allow;
mod client;
mod connect;
mod error;
mod names;
mod request;
mod response;
mod scan;
mod shared;
mod url;

pub use allow::{Allowed, AllowedError};
pub use client::{Client, Config};
pub use error::FetchError;
pub use http::Method;
pub use request::{Limits, Ports, Request};
pub use response::Response;
pub use scan::{Scan, ScanError, Scanner};
