//! What came back.

use bytes::Bytes;
use http::HeaderMap;

/// An answer, whole and within its limits. Any status is an answer: judging it is the asker's.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// First value of a header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Seconds the answer may be kept (RFC 9111 4.2.1): by Cache-Control, else by Expires less
    /// Date. 0: not at all; `None`: it does not say.
    pub fn max_age_s(&self) -> Option<u64> {
        let control = self.headers.get_all("cache-control");
        let directives = control
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .map(|d| d.trim().to_ascii_lowercase());
        let mut age = None;
        for d in directives {
            if d == "no-store" || d == "no-cache" {
                return Some(0);
            }
            if let Some(s) = d.strip_prefix("max-age=") {
                age = age.or(s.trim_matches('"').parse().ok());
            }
        }
        age.or_else(|| {
            let expires = self.header("expires")?;
            let Some(expires) = http_date(expires) else {
                return Some(0); // "0" and other nonsense mean: already over.
            };
            let date = http_date(self.header("date")?)?;
            Some(u64::try_from(expires - date).unwrap_or(0))
        })
    }
}

/// Seconds since 1970 of an HTTP date.
fn http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text)
        .ok()
        .map(|t| t.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(headers: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (n, v) in headers {
            map.append(*n, http::HeaderValue::from_static(v));
        }
        let r = Response {
            status: 200,
            headers: map,
            body: Bytes::new(),
        };
        r.max_age_s()
    }

    #[test]
    fn says_how_long_it_may_be_kept() {
        assert_eq!(age(&[]), None);
        assert_eq!(age(&[("cache-control", "public, max-age=60")]), Some(60));
        assert_eq!(age(&[("cache-control", "max-age=60, no-store")]), Some(0));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let later = ("expires", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(age(&[date, later]), Some(60));
        assert_eq!(age(&[date, ("expires", "0")]), Some(0));
        assert_eq!(
            age(&[later, ("date", "Sun, 06 Nov 1994 08:55:37 GMT")]),
            Some(0)
        );
    }
}
