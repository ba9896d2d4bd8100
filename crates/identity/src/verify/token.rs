//! One header: syntax, claims, certificate, signature.

use super::{Call, Checked, DIVERSIONS_MAX, Directory, Lookup, Policy, Read};
use crate::certificate::{Credential, Trust};
use crate::header::IdentityHeader;
use crate::json::{Object, Value};
use crate::passport::{Passport, Ppt, sign};
use crate::{Fault, fetch, rcd};
use cp_vocab::Timestamp;
use std::borrow::Cow;

pub(super) struct Check<'c> {
    pub(super) call: &'c Call<'c>,
    pub(super) orig: &'c str,
    pub(super) directory: &'c dyn Directory,
    pub(super) trust: &'c Trust,
    pub(super) policy: &'c Policy,
    pub(super) now: Timestamp,
}

/// The certificate addresses a header value names, nested tokens included.
pub(super) fn addresses(value: &str, policy: &Policy) -> Vec<String> {
    let Ok(header) = IdentityHeader::parse(value) else {
        return Vec::new();
    };
    if header.is_compact() {
        return vec![header.info.to_string()];
    }
    match unfold(Cow::Borrowed(header.token), policy) {
        Ok(passports) => passports.into_iter().map(|p| p.x5u).collect(),
        Err(_) => Vec::new(),
    }
}

/// A token and all that is nested in it, innermost first.
fn unfold<'a>(token: Cow<'a, str>, policy: &Policy) -> Result<Vec<Passport<'a>>, Fault> {
    let mut out: Vec<Passport<'a>> = Vec::new();
    let mut next = Some(token);
    while let Some(token) = next {
        // One more than the diversions: the token that was diverted first.
        if out.len() > DIVERSIONS_MAX {
            return Err(Fault::ChainTooLong);
        }
        let passport = Passport::read(token, policy.leniency)?;
        if !out.is_empty() && passport.ppt == Ppt::Div {
            return Err(Fault::ClaimMalformed);
        }
        next = passport.opt.clone().map(Cow::Owned);
        out.push(passport);
    }
    out.reverse();
    Ok(out)
}

impl Check<'_> {
    pub(super) fn header<'a>(&self, value: &'a str) -> Read<'a> {
        match self.read(value) {
            Ok(passports) => {
                let tokens: Vec<_> = passports
                    .into_iter()
                    .map(|p| {
                        let fault = self.token(&p).err();
                        let age_s = self.age_s(p.iat);
                        Checked {
                            passport: p,
                            fault,
                            age_s,
                        }
                    })
                    .collect();
                let fault = tokens.iter().find_map(|t| t.fault);
                Read {
                    tokens,
                    fault,
                    index: 0,
                }
            }
            Err(fault) => Read {
                tokens: Vec::new(),
                fault: Some(fault),
                index: 0,
            },
        }
    }

    fn read<'a>(&self, value: &'a str) -> Result<Vec<Passport<'a>>, Fault> {
        let header = IdentityHeader::parse(value)?;
        // Parameter values are compared without case (RFC 3261 7.3.1), what was signed exactly.
        if header.alg.is_some_and(|a| !a.eq_ignore_ascii_case("ES256")) {
            return Err(Fault::Algorithm);
        }
        let ppt = header.ppt.map(str::to_ascii_lowercase);
        let declared = Ppt::parse(ppt.as_deref())?;
        let token = if header.is_compact() {
            Cow::Owned(self.rebuild(&header, declared)?)
        } else {
            Cow::Borrowed(header.token)
        };
        // The parameter names a type we know, the token is of one that we do not; inside a div-o the
        // parameter says nothing of it.
        let says_otherwise = header.ppt.is_some() && declared != Ppt::DivO;
        let passports = unfold(token, self.policy).map_err(|fault| match fault {
            Fault::UnsupportedPpt if says_otherwise => Fault::ParameterMismatch,
            other => other,
        })?;
        let outer = passports.last().ok_or(Fault::TokenMalformed)?;
        // Simple comparison (RFC 8224 6.2): the address that was signed is the one that was sent.
        if outer.x5u != header.info || (header.ppt.is_some() && outer.ppt != declared) {
            return Err(Fault::ParameterMismatch);
        }
        Ok(passports)
    }

    /// The full form of a compact token, from what the request says (RFC 8224 4.1).
    fn rebuild(&self, header: &IdentityHeader<'_>, ppt: Ppt) -> Result<String, Fault> {
        // RFC 8588 3, RFC 8946 3: extensions come in full form only.
        let signature = header.token.strip_prefix("..");
        let (Ppt::Base, Some(signature)) = (ppt, signature) else {
            return Err(Fault::CompactForm);
        };
        let date_s = self.call.date_s.ok_or(Fault::CompactForm)?;
        let id = |text: &str, list: bool| {
            let kind = if text.contains(':') { "uri" } else { "tn" };
            let value = if list {
                Value::List(vec![text.into()])
            } else {
                text.into()
            };
            Value::Object(Object::from([(kind.to_string(), value)]))
        };
        let mut claims = Object::from([
            ("dest".to_string(), id(self.call.dest, true)),
            ("iat".to_string(), Value::Int(date_s)),
            ("orig".to_string(), id(self.orig, false)),
        ]);
        if let Some(keys) = self.call.fingerprints.filter(|f| !f.is_empty()) {
            claims.insert("mky".into(), media_keys(keys));
        }
        let input = sign::signing_input(None, header.info, claims);
        Ok(format!("{input}.{signature}"))
    }

    /// All that can be said of one token without the others. The order decides which fault is
    /// told: what may be fetched, the certificate, the signature, then what is claimed.
    fn token(&self, p: &Passport<'_>) -> Result<(), Fault> {
        fetch::check_url(&p.x5u).map_err(|_| Fault::FetchRefused)?;
        let credential = match self.directory.credential(&p.x5u) {
            Lookup::Ready(c) => c,
            Lookup::Failed(fault) => return Err(fault),
        };
        credential.usable(self.trust, self.now)?;
        if !credential.verify(p.signing_input(), &p.signature) {
            return Err(Fault::Signature);
        }
        if credential
            .constraints()
            .iter()
            .any(|c| !c.allows(&p.claims))
        {
            return Err(Fault::ClaimConstraint);
        }
        self.authority(p, credential)?;
        self.media_keys(p)?;
        self.lifetime(p)?;
        // Elsewhere bad rich call data is merely not shown; here it is all there is.
        if p.ppt == Ppt::Rcd {
            let issuer = p.claims.get("iss").map(|v| v.as_text().unwrap_or(""));
            if issuer.is_some_and(|i| !credential.leaf().is_named(i)) {
                return Err(Fault::SubjectMismatch);
            }
            rcd::read(&p.claims).map_err(|_| Fault::ClaimMalformed)?;
        }
        Ok(())
    }

    /// Whether the certificate speaks for the number signed: the caller's, or for a diversion the
    /// diverting one (RFC 8226 9, RFC 8946 4.2).
    fn authority(&self, p: &Passport<'_>, credential: &Credential) -> Result<(), Fault> {
        let list = credential.tn_auth();
        let number = p.div.as_deref().unwrap_or(&p.orig);
        if list.has_numbers() && !list.covers(number) && list.spc().is_none() {
            return Err(Fault::NotAuthoritative);
        }
        if p.ppt.is_diversion()
            && let Some(holder) = self.directory.holder(number)
            && credential.spc() != Some(holder)
        {
            return Err(Fault::NotAuthoritative);
        }
        Ok(())
    }

    fn media_keys(&self, p: &Passport<'_>) -> Result<(), Fault> {
        let Some(signed) = p.claims.get("mky") else {
            return Ok(());
        };
        let signed = signed_keys(signed).ok_or(Fault::ClaimMalformed)?;
        let Some(offered) = self.call.fingerprints else {
            return Ok(());
        };
        let same = signed.canonical() == media_keys(offered).canonical();
        same.then_some(()).ok_or(Fault::MediaKeyMismatch)
    }

    /// `exp` and `nbf`, where a signer uses them (RFC 7519 4.1.4, 4.1.5).
    fn lifetime(&self, p: &Passport<'_>) -> Result<(), Fault> {
        let now_s = (self.now.as_micros() / 1_000_000) as i64;
        let at = |claim: &str| match p.claims.get(claim) {
            None => Ok(None),
            Some(Value::Int(at)) => Ok(Some(*at)),
            Some(_) => Err(Fault::ClaimMalformed),
        };
        let window_s = self.policy.freshness.as_secs() as i64;
        let over = at("exp")?.is_some_and(|exp| exp <= now_s);
        let early = at("nbf")?.is_some_and(|nbf| nbf > now_s.saturating_add(window_s));
        if over || early {
            return Err(Fault::Stale);
        }
        Ok(())
    }

    /// Seconds between the token and now, on either side.
    pub(super) fn age_s(&self, iat: i64) -> i64 {
        let now_s = (self.now.as_micros() / 1_000_000) as i64;
        now_s.saturating_sub(iat).saturating_abs()
    }
}

/// A `mky` claim as [`media_keys`] writes it: a list of hashes and hexadecimal digits without
/// colons, in order (RFC 8225 5.2.2). `None`: it is malformed.
fn signed_keys(claim: &Value) -> Option<Value> {
    let entry = |v: &Value| {
        let key = v.as_object().filter(|o| o.len() == 2)?;
        let (hash, digits) = (key.get("alg")?.as_text()?, key.get("dig")?.as_text()?);
        let hex = !digits.is_empty()
            && digits.len() % 2 == 0
            && digits.bytes().all(|b| b.is_ascii_hexdigit());
        (hex && !hash.is_empty()).then(|| (hash.to_string(), digits.to_string()))
    };
    let keys: Vec<(String, String)> = claim.as_list()?.iter().map(entry).collect::<Option<_>>()?;
    let sorted = keys.is_sorted_by_key(|(hash, digits)| format!("{hash}{digits}"));
    if keys.is_empty() || !sorted {
        return None;
    }
    let pairs: Vec<(&str, &str)> = keys.iter().map(|(h, d)| (h.as_str(), d.as_str())).collect();
    Some(media_keys(&pairs))
}

/// The `mky` claim: sorted by hash and digits (RFC 8225 5.2.2).
pub(crate) fn media_keys(offered: &[(&str, &str)]) -> Value {
    let mut keys: Vec<(String, String)> = offered
        .iter()
        .map(|(hash, digits)| {
            let digits = digits.replace(':', "").to_ascii_uppercase();
            (hash.to_ascii_lowercase(), digits)
        })
        .collect();
    keys.sort();
    keys.dedup();
    let object = |(hash, digits): (String, String)| {
        Value::Object(Object::from([
            ("alg".to_string(), hash.into()),
            ("dig".to_string(), digits.into()),
        ]))
    };
    Value::List(keys.into_iter().map(object).collect())
}
