//! SDES: keys in `a=crypto` (RFC 4568, RFC 7714). Attributes that would weaken the stream or that the
//! media leg does not do (MKI, several keys, key derivation rate) are not taken.

use crate::message::text;
use aws_lc_rs::hmac;
use cp_vocab::media::SrtpSuite;

/// Suites we offer, in our order: what every phone knows first.
pub(super) const OFFERED: [SrtpSuite; 2] =
    [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes256Gcm];
const KNOWN: [SrtpSuite; 4] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AesCm128HmacSha1_32,
    SrtpSuite::AeadAes128Gcm,
    SrtpSuite::AeadAes256Gcm,
];

/// One usable `a=crypto`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Crypto {
    pub(super) tag: u32,
    pub(super) suite: SrtpSuite,
    /// Master key followed by master salt.
    pub(super) key: Vec<u8>,
}

impl Crypto {
    /// `1 AES_CM_128_HMAC_SHA1_80 inline:…[|2^20] [session parameters]`.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = text::number(words.next()?, 999_999_999)? as u32;
        let name = words.next()?;
        let suite = KNOWN
            .into_iter()
            .find(|s| s.name().eq_ignore_ascii_case(name))?;
        let params = words.next()?;
        let scheme = params.get(..7)?;
        if !scheme.eq_ignore_ascii_case("inline:") {
            return None;
        }
        let mut parts = params[7..].split('|');
        let key = decode64(parts.next()?)?;
        // The only part after the key may be a lifetime; `n:len` is an MKI, `;` begins a second key.
        let lifetime = parts
            .next()
            .is_none_or(|l| !l.contains([':', ';']) && !l.is_empty());
        if !lifetime || parts.next().is_some() || !words.all(harmless) {
            return None;
        }
        let (key_len, salt_len) = suite.key_and_salt_len();
        (key.len() == key_len + salt_len).then_some(Self { tag, suite, key })
    }
}

/// Session parameters that change nothing for us. A leading `-` marks one that may be ignored
/// (RFC 4568 6.3.7).
fn harmless(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    name.starts_with('-')
        || name.eq_ignore_ascii_case("WSH")
        || (name.eq_ignore_ascii_case("KDR") && value == "0")
}

/// Our master key and salt for a suite, from the randomness of the leg: another one for each suite,
/// the same one each time.
pub(super) fn own_key(random: &[u8; 44], suite: SrtpSuite) -> Vec<u8> {
    let (key_len, salt_len) = suite.key_and_salt_len();
    let key = hmac::Key::new(hmac::HMAC_SHA256, random);
    let mut out = Vec::with_capacity(64);
    for block in [b"1", b"2"] {
        let mut mac = hmac::Context::with_key(&key);
        mac.update(suite.name().as_bytes());
        mac.update(block);
        out.extend_from_slice(mac.sign().as_ref());
    }
    out.truncate(key_len + salt_len);
    out
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut word = 0_u32;
        for i in 0..3 {
            word = word << 8 | u32::from(chunk.get(i).copied().unwrap_or(0));
        }
        for i in 0..4 {
            out.push(if i <= chunk.len() {
                char::from(ALPHABET[(word >> (18 - 6 * i)) as usize & 63])
            } else {
                '='
            });
        }
    }
    out
}

/// Padding may be missing, as some leave it out.
pub(super) fn decode64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut word, mut bits) = (0_u32, 0);
    for c in text {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    (text.len() % 4 != 1).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode64(plain.as_bytes()), coded);
            assert_eq!(decode64(coded).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(decode64("Z"), None);
        assert_eq!(decode64("Zm9v!"), None);
    }

    #[test]
    fn own_keys_are_stable_and_differ_by_suite() {
        let random = [7; 44];
        let mut keys: Vec<_> = KNOWN.iter().map(|s| own_key(&random, *s)).collect();
        assert_eq!(
            keys.iter().map(Vec::len).collect::<Vec<_>>(),
            [30, 30, 28, 44]
        );
        assert_eq!(keys[0], own_key(&random, KNOWN[0]));
        keys.iter_mut().for_each(|k| k.truncate(16));
        keys.dedup();
        assert_eq!(keys.len(), 4);
    }
}
