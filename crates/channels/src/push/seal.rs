//! Encryption of a message for one browser (RFC 8291, with the coding `aes128gcm` of RFC 8188).

use super::{PushError, Subscription};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};

/// Every push service takes 4,096 bytes of body (RFC 8030 7.2): 86 are the header with our public
/// key, 16 the tag, 1 the delimiter.
pub const PLAINTEXT_BYTES_MAX: usize = BODY_BYTES_MAX - HEADER_BYTES - TAG_BYTES - 1;
const BODY_BYTES_MAX: usize = 4_096;
const HEADER_BYTES: usize = 16 + 4 + 1 + 65;
const TAG_BYTES: usize = 16;
/// Marks the last record of a message (RFC 8188 2).
const LAST_RECORD: u8 = 2;

/// What must be fresh for each message: the sender's one-time key and a salt.
pub struct Sealing {
    key: PrivateKey,
    salt: [u8; 16],
}

impl Sealing {
    /// From 32 bytes of a private key and 16 of salt, both random and never used again.
    ///
    /// # Errors
    /// `Crypto` when the bytes are no private key (one chance in 2^32: draw again).
    pub fn new(private: &[u8; 32], salt: [u8; 16]) -> Result<Self, PushError> {
        let key =
            PrivateKey::from_private_key(&ECDH_P256, private).map_err(|_| PushError::Crypto)?;
        Ok(Self { key, salt })
    }

    /// Drawn from the system's source.
    ///
    /// # Errors
    /// `Crypto` when the system has no randomness to give.
    pub fn fresh() -> Result<Self, PushError> {
        let key = PrivateKey::generate(&ECDH_P256).map_err(|_| PushError::Crypto)?;
        let mut salt = [0; 16];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| PushError::Crypto)?;
        Ok(Self { key, salt })
    }
}

/// The body of the request: header with salt and our public key, then one encrypted record.
///
/// # Errors
/// `TooLong` above [`PLAINTEXT_BYTES_MAX`], `Key` when the browser's key is no point of the curve.
pub fn seal(to: &Subscription, plaintext: &[u8], sealing: &Sealing) -> Result<Vec<u8>, PushError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(PushError::TooLong {
            found: plaintext.len(),
            max: PLAINTEXT_BYTES_MAX,
        });
    }
    let ours = public_of(&sealing.key)?;
    let (key, nonce) = keys(
        &sealing.key,
        &to.p256dh,
        (&to.p256dh, &ours),
        to,
        &sealing.salt,
    )?;
    let mut body = Vec::with_capacity(HEADER_BYTES + plaintext.len() + 1 + TAG_BYTES);
    body.extend_from_slice(&sealing.salt);
    body.extend_from_slice(&(BODY_BYTES_MAX as u32).to_be_bytes());
    body.push(ours.len() as u8);
    body.extend_from_slice(&ours);
    let mut record = Vec::with_capacity(plaintext.len() + 1 + TAG_BYTES);
    record.extend_from_slice(plaintext);
    record.push(LAST_RECORD);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut record)
        .map_err(|_| PushError::Crypto)?;
    body.extend_from_slice(&record);
    Ok(body)
}

/// What a browser does with the body: the other half, for tests and for our own receivers.
/// `private` is the browser's key.
///
/// # Errors
/// `Unopened` for anything but a whole message for this key.
pub fn open(to: &Subscription, private: &PrivateKey, body: &[u8]) -> Result<Vec<u8>, PushError> {
    let (header, record) = body
        .split_at_checked(HEADER_BYTES)
        .ok_or(PushError::Unopened)?;
    let salt: [u8; 16] = header[..16].try_into().map_err(|_| PushError::Unopened)?;
    let theirs: [u8; 65] = header[21..].try_into().map_err(|_| PushError::Unopened)?;
    if header[20] != 65 {
        return Err(PushError::Unopened);
    }
    let (key, nonce) = keys(private, &theirs, (&to.p256dh, &theirs), to, &salt)
        .map_err(|_| PushError::Unopened)?;
    let mut record = record.to_vec();
    let plain = key
        .open_in_place(nonce, Aad::empty(), &mut record)
        .map_err(|_| PushError::Unopened)?;
    let end = plain.iter().rposition(|b| *b != 0);
    match end {
        Some(at) if plain[at] == LAST_RECORD => Ok(plain[..at].to_vec()),
        _ => Err(PushError::Unopened),
    }
}

fn public_of(key: &PrivateKey) -> Result<[u8; 65], PushError> {
    let public = key.compute_public_key().map_err(|_| PushError::Crypto)?;
    public.as_ref().try_into().map_err(|_| PushError::Crypto)
}

/// Length of key material, as HKDF wants to be told.
struct Bytes(usize);
impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// Content key and nonce of a message between a browser's key and a sender's (RFC 8291 3.4).
fn keys(
    mine: &PrivateKey,
    peer: &[u8; 65],
    (browser, sender): (&[u8; 65], &[u8; 65]),
    to: &Subscription,
    salt: &[u8; 16],
) -> Result<(LessSafeKey, Nonce), PushError> {
    let shared = agree(
        mine,
        UnparsedPublicKey::new(&ECDH_P256, peer),
        PushError::Key("p256dh"),
        |shared| Ok(shared.to_vec()),
    )?;
    let ikm = derive::<32>(&to.auth, &shared, &[b"WebPush: info\0", browser, sender])?;
    let key = derive::<16>(salt, &ikm, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce = derive::<12>(salt, &ikm, &[b"Content-Encoding: nonce\0"])?;
    let key = UnboundKey::new(&AES_128_GCM, &key).map_err(|_| PushError::Crypto)?;
    Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(nonce)))
}

fn derive<const N: usize>(
    salt: &[u8],
    secret: &[u8],
    info: &[&[u8]],
) -> Result<[u8; N], PushError> {
    let mut out = [0; N];
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, Bytes(N))
        .and_then(|okm| okm.fill(&mut out))
        .map_err(|_| PushError::Crypto)?;
    Ok(out)
}
