//! Who is calling, and how well it is proven: PASSporT tokens in Identity headers (RFC 8224, 8225,
//! 8588, 8946, 9795), the certificates behind them (RFC 8226, 9060, 9118), telephone numbers in
//! their one canonical form, what may be fetched to check a token, and identity that survives
//! forwarding (RFC 8946).
//!
//! And who somebody at a screen is: codes of an authenticator app (RFC 6238) and passkeys
//! (WebAuthn), for people who sign in and for customers who prove themselves.
//!
//! Pure: time is an argument, certificates are handed in, and the shell fetches what
//! [`fetch::Cache`] asks for. Header values come in as text.

pub mod b64;
pub mod canonical;
pub mod card;
pub mod certificate;
pub mod check;
pub mod crl;
mod der;
pub mod divert;
mod fault;
pub mod fetch;
pub mod forward;
pub mod header;
pub mod json;
pub mod marks;
pub mod oidc;
pub mod passport;
pub mod proof;
pub mod rcd;
pub mod tnauth;
pub mod totp;
pub mod verify;
pub mod webauthn;

pub use fault::{Fault, Verdict};
