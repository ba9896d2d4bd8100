//! The client's side: answers the best of several challenges and counts the uses of its nonce.

use super::{Algorithm, Computation, Qop, parameters, quote, scheme_digest, unescape};
use crate::message::text;
use std::fmt::{self, Write};

/// User and password for a registrar or trunk. Prints no password.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCredential {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCredential")
    }
}

/// One challenge taken up; good for many requests until the server says stale.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientSession {
    algorithm: Algorithm,
    /// The `-sess` variant, whose secret holds nonce and client nonce.
    session: bool,
    /// The server named the algorithm; then so do we.
    named: bool,
    /// As written, escapes and all, to be sent back so.
    realm: String,
    nonce: String,
    opaque: Option<String>,
    qop: Option<Qop>,
    cnonce: String,
    count: u32,
    /// `stale=true`: the secret was right, only the nonce was old.
    pub stale: bool,
}

impl ClientSession {
    /// Takes the best challenge among the values of WWW-Authenticate or Proxy-Authenticate: SHA-256
    /// before MD5, unknown algorithms and qop passed over (RFC 8760 2.4). `cnonce` is randomness.
    pub fn pick<'a>(values: impl Iterator<Item = &'a str>, cnonce: &str) -> Option<Self> {
        values
            .flat_map(challenges)
            .filter_map(|challenge| Self::read(challenge, cnonce))
            .min_by_key(|session| session.algorithm)
    }

    fn read(challenge: &str, cnonce: &str) -> Option<Self> {
        let mut this = Self {
            algorithm: Algorithm::Md5,
            session: false,
            named: false,
            realm: String::new(),
            nonce: String::new(),
            opaque: None,
            qop: None,
            cnonce: cnonce.to_owned(),
            count: 0,
            stale: false,
        };
        for (name, value) in parameters(scheme_digest(challenge)?) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => this.realm = value.to_owned(),
                "nonce" => this.nonce = value.to_owned(),
                "opaque" => this.opaque = Some(value.to_owned()),
                "stale" => this.stale = value.eq_ignore_ascii_case("true"),
                "algorithm" => {
                    this.named = true;
                    (this.algorithm, this.session) = match value.to_ascii_uppercase().as_str() {
                        "MD5" => (Algorithm::Md5, false),
                        "MD5-SESS" => (Algorithm::Md5, true),
                        "SHA-256" => (Algorithm::Sha256, false),
                        "SHA-256-SESS" => (Algorithm::Sha256, true),
                        _ => return None,
                    };
                }
                "qop" => {
                    let offers = |qop: Qop| {
                        text::split_list(value).any(|q| q.eq_ignore_ascii_case(qop.as_str()))
                    };
                    let qop = [Qop::Auth, Qop::AuthInt].into_iter().find(|q| offers(*q));
                    this.qop = Some(qop?);
                }
                _ => {}
            }
        }
        (!this.nonce.is_empty()).then_some(this)
    }

    /// The realm as the server wrote it.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Value of Authorization or Proxy-Authorization for a request. `uri` is its Request-URI.
    pub fn authorization(
        &mut self,
        credential: &ClientCredential,
        method: &str,
        uri: &str,
        body: &[u8],
    ) -> String {
        self.count = self.count.saturating_add(1);
        let nc = format!("{:08x}", self.count);
        let realm = unescape(&self.realm);
        let user = credential.user.as_str();
        let mut ha1 = super::ha1(self.algorithm, user, &realm, &credential.password);
        if self.session {
            let parts = [
                ha1.as_bytes(),
                self.nonce.as_bytes(),
                self.cnonce.as_bytes(),
            ];
            ha1 = self.algorithm.hex(&parts);
        }
        let response = Computation {
            algorithm: self.algorithm,
            ha1: &ha1,
            nonce: &self.nonce,
            method,
            uri,
            body,
            qop: self.qop,
            nc: &nc,
            cnonce: &self.cnonce,
        }
        .response();
        let mut out = String::with_capacity(320);
        out.push_str("Digest username=");
        quote(&mut out, user);
        // Writing into a string cannot fail.
        let _ = write!(out, ", realm=\"{}\", nonce=\"{}\"", self.realm, self.nonce);
        out.push_str(", uri=");
        quote(&mut out, uri);
        let _ = write!(out, ", response=\"{response}\"");
        if self.named {
            let suffix = if self.session { "-sess" } else { "" };
            let _ = write!(out, ", algorithm={}{suffix}", self.algorithm.as_str());
        }
        if let Some(qop) = self.qop {
            let _ = write!(out, ", cnonce=\"{}\"", self.cnonce);
            let _ = write!(out, ", qop={}, nc={nc}", qop.as_str());
        } else if self.session {
            let _ = write!(out, ", cnonce=\"{}\"", self.cnonce);
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(out, ", opaque=\"{opaque}\"");
        }
        out
    }
}

/// Splits a field into challenges. RFC 3261 has one in each field; HTTP allows several.
fn challenges(value: &str) -> impl Iterator<Item = &str> {
    let base = value.as_ptr() as usize;
    let mut starts = text::split_list(value)
        .filter(|element| {
            let word = element.split([' ', '\t']).next().unwrap_or("");
            !word.contains('=') && word.len() < element.len()
        })
        .map(move |element| element.as_ptr() as usize - base)
        .collect::<smallvec::SmallVec<[usize; 4]>>();
    if starts.is_empty() {
        starts.push(0);
    }
    let ends: smallvec::SmallVec<[usize; 4]> = starts
        .iter()
        .skip(1)
        .copied()
        .chain([value.len()])
        .collect();
    starts
        .into_iter()
        .zip(ends)
        .map(move |(from, to)| value[from..to].trim_end_matches([',', ' ', '\t']))
}
