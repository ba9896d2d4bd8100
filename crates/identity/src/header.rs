//! The Identity header field (RFC 8224 4, 8): one token and its parameters.

use crate::Fault;

/// Longest Identity header value that is read.
pub const HEADER_BYTES_MAX: usize = 17 * 1_024;
/// Longest token, with all that is nested in it.
pub const TOKEN_BYTES_MAX: usize = 16 * 1_024;
/// Parameters of one header; more make it malformed.
const PARAMS_MAX: usize = 16;

/// One Identity header value, borrowed from the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdentityHeader<'a> {
    pub token: &'a str,
    pub info: &'a str,
    pub alg: Option<&'a str>,
    pub ppt: Option<&'a str>,
}

impl<'a> IdentityHeader<'a> {
    /// Reads a header value. The parameters may come in any order, `ppt` quoted or not.
    pub fn parse(value: &'a str) -> Result<Self, Fault> {
        if value.len() > HEADER_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        let (token, rest) = value.split_once(';').unwrap_or((value, ""));
        let token = token.trim_matches(is_space);
        if token.is_empty() || token.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(Fault::HeaderMalformed);
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        let mut found = [None; 3];
        let mut rest = rest;
        for _ in 0..PARAMS_MAX {
            if rest.trim_matches(is_space).is_empty() {
                break;
            }
            let (name, value, after) = param(rest).ok_or(Fault::HeaderMalformed)?;
            rest = after;
            let slot = match name.to_ascii_lowercase().as_str() {
                "info" => 0,
                "alg" => 1,
                "ppt" => 2,
                _ => continue,
            };
            if found[slot].replace(value).is_some() {
                return Err(Fault::HeaderMalformed);
            }
        }
        let [info, alg, ppt] = found;
        if !rest.trim_matches(is_space).is_empty() {
            return Err(Fault::HeaderMalformed);
        }
        Ok(Self {
            token,
            info: info
                .filter(|i| !i.is_empty())
                .ok_or(Fault::HeaderMalformed)?,
            alg,
            ppt,
        })
    }

    /// `..signature`: the verifier must rebuild header and claims (RFC 8224 4.1).
    pub fn is_compact(&self) -> bool {
        self.token.starts_with("..")
    }
}

/// Writes a header value in the order everyone expects; `ppt` unquoted, as most stacks do.
pub fn format(token: &str, info: &str, ppt: Option<&str>) -> String {
    let mut out = format!("{token};info=<{info}>;alg=ES256");
    if let Some(ppt) = ppt {
        out.push_str(";ppt=");
        out.push_str(ppt);
    }
    out
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// One `name=value` and what follows its `;`.
fn param(text: &str) -> Option<(&str, &str, &str)> {
    let end = text.find(['=', ';']).unwrap_or(text.len());
    let name = text[..end].trim_matches(is_space);
    let token = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return None;
    }
    let Some(rest) = text[end..].strip_prefix('=') else {
        return Some((name, "", text[end..].strip_prefix(';').unwrap_or("")));
    };
    let rest = rest.trim_start_matches(is_space);
    let (value, after) = if let Some(inner) = rest.strip_prefix('<') {
        inner.split_at(inner.find('>')?)
    } else if let Some(inner) = rest.strip_prefix('"') {
        inner.split_at(inner.find('"')?)
    } else {
        let end = rest.find(';').unwrap_or(rest.len());
        (rest[..end].trim_end_matches(is_space), &rest[end..])
    };
    let after = after
        .strip_prefix(['>', '"'])
        .unwrap_or(after)
        .trim_start_matches(is_space);
    if value.bytes().any(|b| !b.is_ascii_graphic()) {
        return None;
    }
    match after.strip_prefix(';') {
        Some(more) => Some((name, value, more)),
        None => after.is_empty().then_some((name, value, "")),
    }
}
