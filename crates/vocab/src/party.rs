//! Who a leg talks to: a number, a SIP address, or an anonymous caller.

use serde::{Deserialize, Serialize};

/// An address as people dial and read it. Numbers are E.164 with `+` once a trunk's rules have run.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Address {
    /// E.164 with leading `+`.
    Number(String),
    /// Short number or name inside a tenant, as dialled.
    Extension(String),
    /// A full SIP URI.
    Sip(String),
    #[default]
    Anonymous,
}

impl Address {
    /// The user part that goes on the wire: digits with `+`, the extension, or the URI's user.
    pub fn user(&self) -> &str {
        match self {
            Self::Number(n) | Self::Extension(n) => n,
            Self::Sip(uri) => {
                let rest = uri.split_once(':').map_or(uri.as_str(), |(_, r)| r);
                rest.split_once('@').map_or("", |(u, _)| u)
            }
            Self::Anonymous => "anonymous",
        }
    }
}

/// Rules by which a trunk's numbers become E.164 and back.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberRules {
    /// Country code without `+`, put before national numbers. Empty: numbers are left as they are.
    pub country_code: String,
    /// What a national number starts with when dialled (`0` in most of Europe, empty in North America).
    pub national_prefix: String,
    /// What an international number starts with when dialled (`00`, `011`).
    pub international_prefix: String,
    /// Whether numbers go out with the leading `+`.
    pub send_plus: bool,
    /// Shortest digit string that is taken for a telephone number; shorter ones are extensions. 0 means 7.
    pub digits_min: u8,
}

impl NumberRules {
    /// Turns what a trunk or phone sent into an [`Address`]: E.164 where the rules say it is a number,
    /// an extension otherwise. Visual separators (RFC 3966 `-.()`) are dropped from numbers.
    pub fn normalise(&self, user: &str) -> Address {
        let user = user.split(';').next().unwrap_or("");
        if user.is_empty() || user.eq_ignore_ascii_case("anonymous") {
            return Address::Anonymous;
        }
        let plus = user.starts_with('+') || user.starts_with("%2B") || user.starts_with("%2b");
        let body = user
            .trim_start_matches('+')
            .trim_start_matches("%2B")
            .trim_start_matches("%2b");
        if !body
            .chars()
            .all(|c| c.is_ascii_digit() || "-.()".contains(c))
        {
            return Address::Extension(user.to_string());
        }
        let digits: String = body.chars().filter(char::is_ascii_digit).collect();
        let min = if self.digits_min == 0 {
            7
        } else {
            self.digits_min as usize
        };
        if plus {
            // E.164: at most 15 digits; longer ones are no number.
            return if (3..=15).contains(&digits.len()) {
                Address::Number(format!("+{digits}"))
            } else {
                Address::Extension(user.to_string())
            };
        }
        if digits.len() < min {
            return Address::Extension(digits);
        }
        if self.country_code.is_empty() {
            return Address::Extension(digits);
        }
        let full = if !self.international_prefix.is_empty()
            && digits.starts_with(&self.international_prefix)
        {
            digits[self.international_prefix.len()..].to_string()
        } else if !self.national_prefix.is_empty() && digits.starts_with(&self.national_prefix) {
            format!(
                "{}{}",
                self.country_code,
                &digits[self.national_prefix.len()..]
            )
        } else if self.national_prefix.is_empty()
            && digits.starts_with(&self.country_code)
            && digits.len() > 10
        {
            digits
        } else {
            format!("{}{}", self.country_code, digits)
        };
        if full.len() > 15 {
            Address::Extension(user.to_string())
        } else {
            Address::Number(format!("+{full}"))
        }
    }

    /// The user part for a call leaving by this trunk.
    pub fn render(&self, address: &Address) -> String {
        match address {
            Address::Number(n) if !self.send_plus => n.trim_start_matches('+').to_string(),
            other => other.user().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_e164() {
        let de = NumberRules {
            country_code: "49".into(),
            national_prefix: "0".into(),
            international_prefix: "00".into(),
            send_plus: true,
            digits_min: 0,
        };
        let us = NumberRules {
            country_code: "1".into(),
            national_prefix: String::new(),
            international_prefix: "011".into(),
            send_plus: false,
            digits_min: 0,
        };
        let table = [
            (&de, "+4930123456", "+4930123456"),
            (&de, "030123456", "+4930123456"),
            (&de, "004930123456", "+4930123456"),
            (&us, "2125551234", "+12125551234"),
            (&us, "12125551234", "+12125551234"),
            (&us, "(212)555-1234", "+12125551234"),
            (&us, "0114930123456", "+4930123456"),
            (&us, "%2B12125551234", "+12125551234"),
        ];
        for (rules, input, want) in table {
            assert_eq!(
                rules.normalise(input),
                Address::Number(want.into()),
                "{input}"
            );
        }
        assert_eq!(de.normalise("100"), Address::Extension("100".into()));
        assert_eq!(de.normalise("*98#"), Address::Extension("*98#".into()));
        assert_eq!(
            de.normalise("+4930123456789012345"),
            Address::Extension("+4930123456789012345".into())
        );
        assert_eq!(de.normalise(""), Address::Anonymous);
        assert_eq!(
            us.render(&Address::Number("+12125551234".into())),
            "12125551234"
        );
    }
}
