//! Digest authentication as a client does it, for the algorithms SIPp and baresip of Debian 12 lack.

use md5::{Digest as _, Md5};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }
    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => {
                hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref())
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// One `WWW-Authenticate` or `Proxy-Authenticate` value.
#[derive(Debug, Clone)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub algorithm: Option<Algorithm>,
    pub qop_auth: bool,
    pub opaque: Option<String>,
    pub stale: bool,
}

impl Challenge {
    /// Reads `Digest realm="…", nonce="…", …`.
    pub fn parse(value: &str) -> Option<Self> {
        let rest = value.trim().strip_prefix("Digest ")?;
        let algorithm = match parameter(rest, "algorithm").as_deref() {
            None => Some(Algorithm::Md5),
            Some(a) if a.eq_ignore_ascii_case("MD5") => Some(Algorithm::Md5),
            Some(a) if a.eq_ignore_ascii_case("SHA-256") => Some(Algorithm::Sha256),
            Some(_) => None,
        };
        Some(Self {
            realm: parameter(rest, "realm")?,
            nonce: parameter(rest, "nonce")?,
            algorithm,
            qop_auth: parameter(rest, "qop")
                .is_some_and(|q| q.split(',').any(|q| q.trim() == "auth")),
            opaque: parameter(rest, "opaque"),
            stale: parameter(rest, "stale").is_some_and(|s| s.eq_ignore_ascii_case("true")),
        })
    }

    /// The value of the answering header; `count` is the nonce count.
    pub fn answer(
        &self,
        method: &str,
        uri: &str,
        user: &str,
        password: &str,
        count: u32,
    ) -> String {
        let algorithm = self.algorithm.unwrap_or(Algorithm::Md5);
        let ha1 = algorithm.hash(&format!("{user}:{}:{password}", self.realm));
        let ha2 = algorithm.hash(&format!("{method}:{uri}"));
        let (nonce, nc, cnonce) = (&self.nonce, format!("{count:08x}"), "0a4f113b");
        let response = if self.qop_auth {
            algorithm.hash(&format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}"))
        } else {
            algorithm.hash(&format!("{ha1}:{nonce}:{ha2}"))
        };
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm={}",
            self.realm,
            algorithm.name()
        );
        if self.qop_auth {
            value.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        value
    }
}

/// The value of `name` among comma-separated parameters, quotes taken off.
fn parameter(list: &str, name: &str) -> Option<String> {
    let mut rest = list;
    loop {
        let (key, after) = rest.split_once('=')?;
        let key = key.trim_start_matches([',', ' ']).trim();
        let (value, next) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value.trim().to_string());
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_as_rfc_7616_section_3_9_1() {
        // The example has its own cnonce; parameters are what can be compared.
        let value = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe\"";
        let challenge = Challenge::parse(value).expect("a challenge");
        assert_eq!(challenge.realm, "http-auth@example.org");
        assert_eq!(challenge.algorithm, Some(Algorithm::Sha256));
        assert!(challenge.qop_auth && !challenge.stale);
        assert_eq!(challenge.opaque.as_deref(), Some("FQhe"));
    }

    #[test]
    fn answers_as_rfc_2617_without_qop() {
        let value = "Digest realm=\"atlanta.com\", nonce=\"84a4cc6f3082121f32b42a2187831a9e\"";
        let challenge = Challenge::parse(value).expect("a challenge");
        let answer = challenge.answer("INVITE", "sip:bob@biloxi.com", "alice", "secret", 1);
        let ha1 = Algorithm::Md5.hash("alice:atlanta.com:secret");
        let ha2 = Algorithm::Md5.hash("INVITE:sip:bob@biloxi.com");
        let want = Algorithm::Md5.hash(&format!("{ha1}:84a4cc6f3082121f32b42a2187831a9e:{ha2}"));
        assert!(answer.contains(&format!("response=\"{want}\"")), "{answer}");
    }
}
