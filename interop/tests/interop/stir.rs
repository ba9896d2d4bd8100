//! What carriers beyond us have: an authority for telephone numbers, providers that sign with
//! certificates of it, and the web site their certificates are fetched from. It shares no code with
//! the server.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CustomExtension, DnType, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Certificates are fetched from here; the port is one of the two that verifiers take.
pub(crate) const SITE: &str = "cert.interop.test";
pub(crate) const SITE_PORT: u16 = 8443;
/// Leads to the same machine, but nobody allowed it.
pub(crate) const INSIDE: &str = "inside.interop.test";
/// A certificate that comes one byte a second.
pub(crate) const SLOW: &str = "/slow.pem";
const ORIGID: &str = "123e4567-e89b-12d3-a456-426655440000";
const TN_AUTH_LIST: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];

pub(crate) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs() as i64
}

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A list of revoked certificates, those of the providers with these codes.
    pub(crate) fn revoked(&self, codes: &[&str]) -> String {
        let one = |code: &&str| RevokedCertParams {
            serial_number: SerialNumber::from(code.as_bytes().to_vec()),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2046, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: codes.iter().map(one).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = list.signed_by(&self.issuer).expect("sign");
        signed.pem().expect("PEM")
    }

    /// A provider with this code; its certificate is at `https://<SITE>:<SITE_PORT><path>`.
    pub(crate) fn provider(&self, code: &str, path: &str) -> Provider {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        let name = format!("SHAKEN {code}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // SEQUENCE { [0] { IA5String code } }
        let mut list = vec![0x30, code.len() as u8 + 4, 0xa0, code.len() as u8 + 2, 0x16];
        list.push(code.len() as u8);
        list.extend(code.bytes());
        let extension = CustomExtension::from_oid_content(TN_AUTH_LIST, list);
        params.custom_extensions.push(extension);
        params.serial_number = Some(SerialNumber::from(code.as_bytes().to_vec()));
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &self.issuer).expect("sign");
        Provider {
            chain: made.pem(),
            key,
            url: format!("https://{SITE}:{SITE_PORT}{path}"),
        }
    }
}

pub(crate) struct Provider {
    pub(crate) chain: String,
    key: KeyPair,
    pub(crate) url: String,
}

impl Provider {
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A shaken token with attestation A, as an Identity header value.
    pub(crate) fn shaken(&self, from: &str, to: &str) -> String {
        self.shaken_at(from, to, now_s())
    }

    pub(crate) fn shaken_at(&self, from: &str, to: &str, iat: i64) -> String {
        let more = serde_json::json!({"attest": "A", "origid": ORIGID});
        self.token("shaken", from, to, iat, &more)
    }

    /// A token of this type with these claims beside parties and time, as an Identity header value.
    pub(crate) fn token(
        &self,
        ppt: &str,
        from: &str,
        to: &str,
        iat: i64,
        more: &serde_json::Value,
    ) -> String {
        let plain = |n: &str| n.trim_start_matches('+').to_string();
        let mut claims = more.clone();
        claims["dest"] = serde_json::json!({"tn": [plain(to)]});
        claims["orig"] = serde_json::json!({"tn": plain(from)});
        claims["iat"] = iat.into();
        // Members come out sorted.
        let claims = claims.to_string();
        let jose = format!(
            r#"{{"alg":"ES256","ppt":"{ppt}","typ":"passport","x5u":"{}"}}"#,
            self.url
        );
        let input = format!("{}.{}", b64(jose.as_bytes()), b64(claims.as_bytes()));
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key.serialize_der());
        let signature = key
            .expect("a P-256 key")
            .sign(&SystemRandom::new(), input.as_bytes());
        let signature = b64(signature.expect("sign").as_ref());
        format!(
            "{input}.{signature};info=<{}>;alg=ES256;ppt={ppt}",
            self.url
        )
    }
}

/// Base64url without padding.
fn b64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = [0, 1, 2].map(|i| u32::from(chunk.get(i).copied().unwrap_or(0)));
        let bits = group[0] << 16 | group[1] << 8 | group[2];
        for i in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * i)) & 0x3f;
            out.push(char::from(ALPHABET[index as usize]));
        }
    }
    out
}

/// The claims of a token.
pub(crate) fn claims(header: &str) -> serde_json::Value {
    let part = header.split('.').nth(1).unwrap_or("");
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0u32, 0);
    for c in part.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// An HTTPS server with certificates, on a loopback address of its own.
pub(crate) struct Site {
    pub(crate) ip: Ipv4Addr,
    files: Arc<Mutex<HashMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// `folder` gets `web.pem`, the authority of its TLS certificate.
    pub(crate) fn start(folder: &Path) -> Self {
        let authority = Authority::new("Web");
        std::fs::write(folder.join("web.pem"), authority.pem()).expect("write");
        let names = vec![SITE.to_string(), INSIDE.to_string()];
        let params = CertificateParams::new(names).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &authority.issuer).expect("sign");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = CertificateDer::from_pem_slice(made.pem().as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("PEM");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .expect("an identity");
        let (ip, listener) = bind();
        let site = Self {
            ip,
            files: Arc::default(),
            asked: Arc::default(),
        };
        let (files, asked) = (Arc::clone(&site.files), Arc::clone(&site.asked));
        let config = Arc::new(config);
        // Ends with the test process; what it holds is a socket.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, files) = (Arc::clone(&config), Arc::clone(&files));
                let asked = Arc::clone(&asked);
                thread::spawn(move || serve(stream, config, &files, &asked));
            }
        });
        site
    }

    pub(crate) fn publish(&self, provider: &Provider) {
        let path = provider.url.rsplit_once("8443").map_or("/", |(_, p)| p);
        self.put(path, provider.chain.clone());
    }

    /// Puts a file there.
    pub(crate) fn put(&self, path: &str, text: String) {
        let mut files = self.files.lock().expect("no thread has panicked");
        files.insert(path.to_string(), text);
    }

    /// The paths asked for so far; an empty one is a connection that asked for nothing.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread has panicked").clone()
    }

    /// Settings by which the server believes `roots` and fetches from here.
    pub(crate) fn settings(&self, folder: &Path, roots: &Path) -> Vec<(&'static str, String)> {
        let file = |p: PathBuf| p.display().to_string();
        vec![
            ("CROSSPOINT_IDENTITY_ROOTS", file(roots.to_path_buf())),
            ("CROSSPOINT_FETCH_AUTHORITIES", file(folder.join("web.pem"))),
            ("CROSSPOINT_FETCH_ALLOW", SITE.to_string()),
            (
                "CROSSPOINT_FETCH_HOSTS",
                format!("{SITE}={0},{INSIDE}={0}", self.ip),
            ),
        ]
    }
}

/// The port is given, so each site takes an address of its own.
fn bind() -> (Ipv4Addr, TcpListener) {
    let spread = std::process::id();
    for n in 0..250u32 {
        let ip = Ipv4Addr::new(127, 9, (spread % 200) as u8 + 1, n as u8 + 1);
        if let Ok(listener) = TcpListener::bind((ip, SITE_PORT)) {
            return (ip, listener);
        }
    }
    panic!("no loopback address with a free port {SITE_PORT}");
}

fn serve(
    mut stream: TcpStream,
    config: Arc<ServerConfig>,
    files: &Mutex<HashMap<String, String>>,
    asked: &Mutex<Vec<String>>,
) {
    let note = |path: &str| {
        if let Ok(mut asked) = asked.lock() {
            asked.push(path.to_string());
        }
    };
    let mut connection = ServerConnection::new(config).expect("a server");
    if stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .is_err()
    {
        return;
    }
    while connection.is_handshaking() {
        if connection.complete_io(&mut stream).is_err() {
            return note("");
        }
    }
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    let mut chunk = [0; 1_024];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(n) if n > 0 => request.extend(&chunk[..n]),
            _ => return note(""),
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or("");
    note(path);
    let body = files.lock().ok().and_then(|f| f.get(path).cloned());
    let (status, body) = match body {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/pem-certificate-chain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // Whoever stopped listening needs no answer.
    let _ = stream.write_all(head.as_bytes());
    if path == SLOW {
        for byte in body.bytes() {
            let sent = stream.write_all(&[byte]).and_then(|()| stream.flush());
            if sent.is_err() {
                return;
            }
            thread::park_timeout(Duration::from_secs(1));
        }
    }
    let _ = stream.write_all(body.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

#[test]
fn base64_both_ways() {
    let text = format!("x.{}.y", b64(br#"{"a":["b~?"]}"#));
    assert_eq!(claims(&text), serde_json::json!({"a": ["b~?"]}));
}
