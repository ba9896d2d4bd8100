//! Secrets at rest: AES-256-GCM with a key that does not lie in the database.
//!
//! A sealed text is `sealed1:<key id>:<base64 of nonce, ciphertext and tag>`. The key's id is
//! derived from the key, so a record says which key opens it. What a text belongs to (kind and id
//! of its row) is authenticated with it: moved to another row it does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// What every sealed text begins with.
pub const SEALED: &str = "sealed1:";
/// Keys a file may hold: the present one and those of old backups. More are refused.
pub const KEYS_MAX: usize = 32;
const KEY_BYTES: usize = 32;

/// What is wrong with keys or with what they should open.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VaultError {
    #[error("there is no key in it; `crosspoint secrets new-key` prints one")]
    Empty,
    #[error("line {0} is not 32 bytes in base64; `crosspoint secrets new-key` prints a key")]
    Malformed(usize),
    #[error("there are more than {KEYS_MAX} keys; take out those that no backup needs")]
    TooMany,
    #[error("it was sealed with key {0}, which is not among the keys given")]
    KeyMissing(String),
    #[error("it does not open: changed, or moved from another place")]
    Tampered,
    #[error("the operating system gives no random numbers")]
    NoRandom,
}

/// First eight hex digits of the key's SHA-256.
pub type KeyId = String;

struct Key {
    id: KeyId,
    seal: LessSafeKey,
    mac: hmac::Key,
}

/// The keys of an installation; the first one seals, the others open what is older.
pub struct Vault {
    keys: Vec<Key>,
}

impl fmt::Debug for Vault {
    // Keys must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl PartialEq for Vault {
    fn eq(&self, other: &Self) -> bool {
        self.ids().eq(other.ids())
    }
}

impl Vault {
    /// Reads keys: one per line (or separated by commas), 32 bytes in base64 each; lines that begin
    /// with `#` are passed over. The first seals.
    ///
    /// # Errors
    /// `Empty`, `Malformed`, `TooMany`.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let mut keys = Vec::new();
        let lines = text.split(['\n', ',']).map(str::trim).enumerate();
        for (i, line) in lines.filter(|(_, l)| !l.is_empty() && !l.starts_with('#')) {
            let raw = STANDARD.decode(line).ok().filter(|k| k.len() == KEY_BYTES);
            let raw = raw.ok_or(VaultError::Malformed(i + 1))?;
            keys.push(Key::new(&raw));
        }
        match keys.len() {
            0 => Err(VaultError::Empty),
            n if n > KEYS_MAX => Err(VaultError::TooMany),
            _ => Ok(Self { keys }),
        }
    }

    /// A new key as a line of a key file.
    ///
    /// # Errors
    /// `NoRandom`.
    pub fn new_key() -> Result<String, VaultError> {
        let mut raw = [0u8; KEY_BYTES];
        rand::fill(&mut raw).map_err(|_| VaultError::NoRandom)?;
        Ok(STANDARD.encode(raw))
    }

    /// The keys' ids, the sealing one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|k| k.id.as_str())
    }

    /// The key that seals.
    pub fn active(&self) -> &str {
        &self.keys[0].id
    }

    /// Seals `plain` for the place `of`.
    ///
    /// # Errors
    /// `NoRandom`.
    pub fn seal(&self, of: &[u8], plain: &[u8]) -> Result<String, VaultError> {
        let key = &self.keys[0];
        let mut nonce = [0u8; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| VaultError::NoRandom)?;
        let mut body = plain.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        key.seal
            .seal_in_place_append_tag(unique, Aad::from(of), &mut body)
            .expect("invariant: a row is far smaller than what the cipher takes");
        let sealed = STANDARD.encode([&nonce[..], &body].concat());
        Ok(format!("{SEALED}{}:{sealed}", key.id))
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// `KeyMissing`, `Tampered`.
    pub fn open(&self, of: &[u8], sealed: &str) -> Result<Vec<u8>, VaultError> {
        let rest = sealed.strip_prefix(SEALED).ok_or(VaultError::Tampered)?;
        let (id, body) = rest.split_once(':').ok_or(VaultError::Tampered)?;
        let key = self.keys.iter().find(|k| k.id == id);
        let key = key.ok_or_else(|| VaultError::KeyMissing(id.chars().take(8).collect()))?;
        let mut body = STANDARD.decode(body).map_err(|_| VaultError::Tampered)?;
        let (nonce, cipher) = body
            .split_at_mut_checked(NONCE_LEN)
            .ok_or(VaultError::Tampered)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Tampered)?;
        let plain = key
            .seal
            .open_in_place(nonce, Aad::from(of), cipher)
            .map_err(|_| VaultError::Tampered)?;
        Ok(plain.to_vec())
    }

    /// Proves that whoever wrote `text` had a key: `<key id>:<hex>`.
    pub(crate) fn mark(&self, text: &[u8]) -> String {
        let key = &self.keys[0];
        let tag = hmac::sign(&key.mac, text);
        format!("{}:{}", key.id, crate::config::hex(tag.as_ref()))
    }

    /// Whether [`Self::mark`] made this. `None` when its key is not given.
    pub(crate) fn marked(&self, text: &[u8], mark: &str) -> Option<bool> {
        let (id, tag) = mark.split_once(':').unwrap_or(("", mark));
        let key = self.keys.iter().find(|k| k.id == id)?;
        let right = crate::config::hex(hmac::sign(&key.mac, text).as_ref());
        Some(right == tag)
    }
}

impl Key {
    fn new(raw: &[u8]) -> Self {
        let id = crate::config::hex(&digest::digest(&digest::SHA256, raw).as_ref()[..4]);
        let unbound = UnboundKey::new(&AES_256_GCM, raw).expect("invariant: 32 bytes");
        // Another key for the other purpose, derived so that neither tells of the other.
        let root = hmac::Key::new(hmac::HMAC_SHA256, raw);
        let derived = hmac::sign(&root, b"crosspoint audit head");
        Self {
            id,
            seal: LessSafeKey::new(unbound),
            mac: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(keys: &[&str]) -> Vault {
        Vault::parse(&keys.join("\n")).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let key = Vault::new_key().unwrap();
        let v = vault(&[&key]);
        let sealed = v.seal(b"phone 1", b"hunter2").unwrap();
        assert!(sealed.starts_with(&format!("sealed1:{}:", v.active())));
        assert!(!sealed.contains("hunter2"));
        assert_eq!(v.open(b"phone 1", &sealed).unwrap(), b"hunter2");
        assert_eq!(v.open(b"phone 2", &sealed), Err(VaultError::Tampered));
        assert_ne!(sealed, v.seal(b"phone 1", b"hunter2").unwrap());
        for at in [9, sealed.len() - 3] {
            let mut bent = sealed.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            assert!(
                v.open(b"phone 1", std::str::from_utf8(&bent).unwrap())
                    .is_err()
            );
        }
        for text in ["", "sealed1:", "sealed1:x", "hunter2"] {
            assert!(v.open(b"", text).is_err(), "{text}");
        }
    }

    #[test]
    fn old_keys_open_and_the_first_seals() {
        let (old, new) = (Vault::new_key().unwrap(), Vault::new_key().unwrap());
        let before = vault(&[&old]);
        let sealed = before.seal(b"", b"x").unwrap();
        let both = vault(&["# new one first", &new, &old]);
        assert_eq!(both.open(b"", &sealed).unwrap(), b"x");
        let again = both.seal(b"", b"x").unwrap();
        let missing = VaultError::KeyMissing(both.active().into());
        assert_eq!(before.open(b"", &again), Err(missing));
    }

    #[test]
    fn bad_keys_are_told() {
        assert_eq!(Vault::parse("\n# none\n"), Err(VaultError::Empty));
        assert_eq!(Vault::parse("\nc2hvcnQ="), Err(VaultError::Malformed(2)));
        let many = vec![Vault::new_key().unwrap(); KEYS_MAX + 1].join(",");
        assert_eq!(Vault::parse(&many), Err(VaultError::TooMany));
    }

    #[test]
    fn marks_need_the_key() {
        let (a, b) = (Vault::new_key().unwrap(), Vault::new_key().unwrap());
        let mark = vault(&[&a]).mark(b"head");
        assert_eq!(vault(&[&b, &a]).marked(b"head", &mark), Some(true));
        assert_eq!(vault(&[&a]).marked(b"other", &mark), Some(false));
        assert_eq!(vault(&[&b]).marked(b"head", &mark), None);
    }
}
