//! Servers of others over TLS: where brands keep pictures and answer links, and a push service that
//! speaks RFC 8030 to us and RFC 8291 to its browsers.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey as Verifier};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// The name all of them go by; the test's authority vouches for it.
const NAME: &str = "localhost";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: SystemTime,
    /// Method and path with query.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, v)| v)
    }
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or("")
    }
}

/// Status, content type and body of an answer, and how long it takes.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) after: Duration,
}

impl Answer {
    pub(crate) fn new(status: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let (body, after) = (body.into(), Duration::ZERO);
        Self {
            status,
            kind,
            body,
            after,
        }
    }
    pub(crate) fn late(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

pub(crate) struct Far {
    pub(crate) port: u16,
    /// PEM of the authority that vouches for it.
    pub(crate) authority: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Far {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let (config, authority) = tls();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("a bound socket").port();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (seen, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, seen, answer) = (config.clone(), seen.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, config, &seen, &*answer));
            }
        });
        Self {
            port,
            authority,
            asked,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{NAME}:{}{path}", self.port)
    }

    /// All requests to paths that begin so, as they came.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.lock().expect("no test panics with it");
        let fits = |a: &&Asked| a.path().starts_with(path);
        asked.iter().filter(fits).cloned().collect()
    }
}

fn tls() -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec![NAME.to_string()]).expect("a name");
    let leaf = leaf.signed_by(&key, &authority).expect("a certificate");
    let secret = PrivateKeyDer::try_from(key.serialize_der()).expect("the key just made");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], secret)
        .expect("a certificate for its key");
    (Arc::new(config), authority.pem())
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    seen: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked) -> Answer,
) {
    let Ok(connection) = ServerConnection::new(config) else {
        return;
    };
    let mut stream = StreamOwned::new(connection, stream);
    let Some(asked) = request(&mut stream) else {
        return;
    };
    let answer = answer(&asked);
    seen.lock().expect("no test panics with it").push(asked);
    std::thread::park_timeout(answer.after);
    let head = format!(
        "HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&answer.body);
    let _ = stream.flush();
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn request(stream: &mut impl Read) -> Option<Asked> {
    let (mut got, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        let end = got.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&got[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let line = lines.next()?.to_string();
            let headers: Vec<(String, String)> = lines
                .filter_map(|l| l.split_once(": "))
                .map(|(n, v)| (n.to_string(), v.to_string()))
                .collect();
            let named = |n: &&(String, String)| n.0.eq_ignore_ascii_case("content-length");
            let length = headers.iter().find(named);
            let length = length.and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
            let body = &got[end + 4..];
            if body.len() >= length {
                return Some(Asked {
                    at: SystemTime::now(),
                    line,
                    body: body[..length].to_vec(),
                    headers,
                });
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(n) => got.extend_from_slice(&chunk[..n]),
        }
    }
}

/// A browser as its push service knows it: with the keys that open what is sent to it.
pub(crate) struct Receiver {
    key: PrivateKey,
    public: Vec<u8>,
    auth: [u8; 16],
}

impl Receiver {
    pub(crate) fn new() -> Self {
        let key = PrivateKey::generate(&ECDH_P256).expect("a key");
        let public = key.compute_public_key().expect("its public half");
        let public = public.as_ref().to_vec();
        let mut auth = [0; 16];
        aws_lc_rs::rand::fill(&mut auth).expect("random bytes");
        Self { key, public, auth }
    }

    /// `PushSubscription.toJSON().keys`.
    pub(crate) fn keys(&self) -> Value {
        serde_json::json!({"p256dh": base64(&self.public), "auth": base64(&self.auth)})
    }

    pub(crate) fn secret(&self) -> String {
        base64(&self.auth)
    }

    /// Opens a body (RFC 8291 3.4, RFC 8188 2): the browser's half, written from the RFCs.
    pub(crate) fn open(&self, body: &[u8]) -> Value {
        let (salt, rest) = body.split_at(16);
        assert_eq!(rest[4], 65, "the sender's key is a point");
        let (sender, record) = rest[5..].split_at(65);
        let peer = UnparsedPublicKey::new(&ECDH_P256, sender);
        let shared = agree(&self.key, peer, (), |s| Ok(s.to_vec())).expect("a shared secret");
        let mut info = b"WebPush: info\0".to_vec();
        info.extend_from_slice(&self.public);
        info.extend_from_slice(sender);
        let secret = derive(&self.auth, &shared, &info, 32);
        let key = derive(salt, &secret, b"Content-Encoding: aes128gcm\0", 16);
        let nonce = derive(salt, &secret, b"Content-Encoding: nonce\0", 12);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key"));
        let nonce = Nonce::try_assume_unique_for_key(&nonce).expect("12 bytes");
        let mut record = record.to_vec();
        let plain = key
            .open_in_place(nonce, Aad::empty(), &mut record)
            .expect("it is for this browser");
        let end = plain.iter().rposition(|b| *b != 0).expect("a delimiter");
        assert_eq!(plain[end], 2, "the last record");
        serde_json::from_slice(&plain[..end]).expect("JSON")
    }
}

struct Bytes(usize);
impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8], bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    let prk = Salt::new(HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let okm = prk.expand(&info, Bytes(bytes)).expect("a length that fits");
    okm.fill(&mut out).expect("a length that fits");
    out
}

/// Checks `Authorization: vapid t=…, k=…` (RFC 8292); the claims.
pub(crate) fn vapid(header: &str) -> Value {
    let rest = header.strip_prefix("vapid ").expect("the scheme");
    let part = |name: &str| {
        let mut parts = rest.split(',').map(str::trim);
        parts
            .find_map(|p| p.strip_prefix(name))
            .expect("a parameter")
    };
    let (token, key) = (part("t="), part("k="));
    let (input, signature) = token.rsplit_once('.').expect("a token");
    let signature = unbase64(signature);
    Verifier::new(&ECDSA_P256_SHA256_FIXED, unbase64(key))
        .verify(input.as_bytes(), &signature)
        .expect("signed by the key it names");
    let claims = input.split('.').nth(1).expect("claims");
    serde_json::from_slice(&unbase64(claims)).expect("JSON")
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for n in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(word >> (18 - 6 * n)) as usize & 63]));
        }
    }
    out
}

fn unbase64(text: &str) -> Vec<u8> {
    let (mut out, mut word, mut bits) = (Vec::new(), 0u32, 0);
    for b in text.bytes() {
        let value = ALPHABET.iter().position(|a| *a == b).expect("base64");
        word = word << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    out
}
