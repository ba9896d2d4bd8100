//! Digest authentication (RFC 7616, RFC 8760): MD5 and SHA-256, both sides. Nonces and client nonces
//! come from what is passed in; nothing here has a clock or randomness.

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use client::{ClientCredential, ClientSession};
pub use server::{NONCE_LIFETIME, NONCES_MAX, NonceKeeper, Outcome, Request, Secrets};

use crate::header::HeaderName;
use crate::message::{Message, text};
use aws_lc_rs::digest;
use md5::{Digest, Md5};

/// Hash of a challenge, strongest first as RFC 8760 2.4 wants them sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Algorithm {
    Sha256,
    Md5,
}

impl Algorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Hex of the hash of the parts joined by colons.
    fn hex(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => {
                let mut hash = Md5::new();
                for (i, part) in parts.iter().enumerate() {
                    hash.update(if i > 0 { &b":"[..] } else { b"" });
                    hash.update(part);
                }
                hex(&hash.finalize())
            }
            Self::Sha256 => {
                let mut hash = digest::Context::new(&digest::SHA256);
                for (i, part) in parts.iter().enumerate() {
                    hash.update(if i > 0 { b":" } else { b"" });
                    hash.update(part);
                }
                hex(hash.finish().as_ref())
            }
        }
    }
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// `H(user:realm:password)` in hex: what is stored in place of a password.
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> String {
    algorithm.hex(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()])
}

/// What one `response` is computed over (RFC 7616 3.4.1).
struct Computation<'a> {
    algorithm: Algorithm,
    ha1: &'a str,
    nonce: &'a str,
    method: &'a str,
    uri: &'a str,
    body: &'a [u8],
    qop: Option<Qop>,
    /// As written: eight hex digits.
    nc: &'a str,
    cnonce: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Qop {
    Auth,
    AuthInt,
}

impl Qop {
    fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

impl Computation<'_> {
    fn response(&self) -> String {
        let hash = |parts: &[&[u8]]| self.algorithm.hex(parts);
        let (method, uri) = (self.method.as_bytes(), self.uri.as_bytes());
        let ha2 = match self.qop {
            Some(Qop::AuthInt) => hash(&[method, uri, hash(&[self.body]).as_bytes()]),
            _ => hash(&[method, uri]),
        };
        let (ha1, nonce) = (self.ha1.as_bytes(), self.nonce.as_bytes());
        match self.qop {
            Some(qop) => hash(&[
                ha1,
                nonce,
                self.nc.as_bytes(),
                self.cnonce.as_bytes(),
                qop.as_str().as_bytes(),
                ha2.as_bytes(),
            ]),
            // RFC 2069 form, still sent by old clients.
            None => hash(&[ha1, nonce, ha2.as_bytes()]),
        }
    }
}

/// Authorization or Proxy-Authorization with scheme Digest. Values are without quotes, escapes as
/// written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Authorization<'a> {
    pub username: &'a str,
    pub realm: &'a str,
    pub nonce: &'a str,
    pub uri: &'a str,
    pub response: &'a str,
    pub algorithm: Option<&'a str>,
    pub cnonce: Option<&'a str>,
    pub qop: Option<&'a str>,
    pub nc: Option<&'a str>,
    pub opaque: Option<&'a str>,
}

impl<'a> Authorization<'a> {
    /// `None` for another scheme (RFC 4475 3.3.7) and for a value that cannot be read.
    pub fn parse(value: &'a str) -> Option<Self> {
        let mut this = Self::default();
        for (name, value) in parameters(scheme_digest(value)?) {
            let field = match name {
                n if n.eq_ignore_ascii_case("username") => &mut this.username,
                n if n.eq_ignore_ascii_case("realm") => &mut this.realm,
                n if n.eq_ignore_ascii_case("nonce") => &mut this.nonce,
                n if n.eq_ignore_ascii_case("uri") => &mut this.uri,
                n if n.eq_ignore_ascii_case("response") => &mut this.response,
                n if n.eq_ignore_ascii_case("algorithm") => this.algorithm.insert(""),
                n if n.eq_ignore_ascii_case("cnonce") => this.cnonce.insert(""),
                n if n.eq_ignore_ascii_case("qop") => this.qop.insert(""),
                n if n.eq_ignore_ascii_case("nc") => this.nc.insert(""),
                n if n.eq_ignore_ascii_case("opaque") => this.opaque.insert(""),
                _ => continue,
            };
            *field = value;
        }
        let whole = !this.username.is_empty() && !this.nonce.is_empty() && !this.uri.is_empty();
        (whole && !this.response.is_empty()).then_some(this)
    }

    /// The credentials for a realm among all a message has.
    pub fn find(message: &'a Message, name: HeaderName, realm: &str) -> Option<Self> {
        message
            .headers(name)
            .filter_map(Self::parse)
            .find(|a| a.realm == realm)
    }
}

/// What stands after the scheme, if it is Digest.
fn scheme_digest(value: &str) -> Option<&str> {
    let value = text::trim(value);
    let (scheme, rest) = value.split_at_checked(6)?;
    let spaced = rest.starts_with([' ', '\t']);
    (scheme.eq_ignore_ascii_case("Digest") && spaced).then(|| text::trim(rest))
}

/// `name=value` or `name="value"`, comma-separated; what is neither is left out.
fn parameters(list: &str) -> impl Iterator<Item = (&str, &str)> {
    text::split_list(list).filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = text::trim(value);
        let value = match value.strip_prefix('"') {
            Some(inner) => inner.strip_suffix('"')?,
            None => value,
        };
        Some((text::trim(name), value))
    })
}

/// Undoes `\x` in a quoted string.
fn unescape(s: &str) -> std::borrow::Cow<'_, str> {
    if !s.contains('\\') {
        return s.into();
    }
    let mut out = String::with_capacity(s.len());
    let mut chars = s.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out.into()
}

/// Writes a quoted string; line ends cannot stand in one.
fn quote(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
