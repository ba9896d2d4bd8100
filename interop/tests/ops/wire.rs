//! SIP over TLS and over WebSocket, plain and secure (RFC 7118), as a client speaks it; and a carrier
//! that is called over TLS.

use cp_interop::probe::{Channel, whole_message};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

/// What certificates here are for.
pub(crate) const NAME: &str = "sip.interop.test";

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A stream that gives up reading after a while.
pub(crate) trait Timed: Read + Write + Send {
    fn limit(&self, limit: Duration) -> std::io::Result<()>;
}

impl Timed for TcpStream {
    fn limit(&self, limit: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}
impl Timed for Tls {
    fn limit(&self, limit: Duration) -> std::io::Result<()> {
        self.sock.set_read_timeout(Some(limit))
    }
}
impl Timed for StreamOwned<ServerConnection, TcpStream> {
    fn limit(&self, limit: Duration) -> std::io::Result<()> {
        self.sock.set_read_timeout(Some(limit))
    }
}

/// An authority and what it signs, as files of a folder.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("write");
        Self { folder, issuer }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for a host: `<host>.pem` and `<host>.key`.
    pub(crate) fn sign(&self, host: &str) {
        let params = CertificateParams::new(vec![host.to_string()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &self.issuer).expect("sign");
        std::fs::write(self.file(&format!("{host}.pem")), made.pem()).expect("write");
        std::fs::write(self.file(&format!("{host}.key")), key.serialize_pem()).expect("write");
    }

    fn identity(&self, host: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::from_pem_file(self.file(&format!("{host}.pem")));
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{host}.key")));
        (vec![chain.expect("a certificate")], key.expect("a key"))
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file("ca.pem")).expect("a certificate")
    }
}

/// A carrier that waits for one connection over TLS.
pub(crate) struct TlsCarrier {
    listener: TcpListener,
    config: Arc<ServerConfig>,
}

impl TlsCarrier {
    /// Shows the certificate that `authority` signed for `host`.
    pub(crate) fn listen_at(authority: &Authority, host: &str, port: u16) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (chain, key) = authority.identity(host);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("an identity");
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind");
        Self {
            listener,
            config: Arc::new(config),
        }
    }

    /// Takes the connection; an error when the handshake fails.
    pub(crate) fn accept(
        self,
    ) -> std::io::Result<OverTls<StreamOwned<ServerConnection, TcpStream>>> {
        let (mut stream, _) = self.listener.accept()?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut connection = ServerConnection::new(self.config).expect("a server");
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(OverTls::new(StreamOwned::new(connection, stream)))
    }
}

/// A self-signed certificate and its key as files.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Writes a new one over what is there.
    pub(crate) fn write(folder: &Path) -> Self {
        let made =
            rcgen::generate_simple_self_signed(vec![NAME.to_string()]).expect("a certificate");
        let certificate = Self {
            chain: folder.join("chain.pem"),
            key: folder.join("key.pem"),
        };
        std::fs::write(&certificate.chain, made.cert.pem()).expect("write the chain");
        std::fs::write(&certificate.key, made.signing_key.serialize_pem()).expect("write the key");
        certificate
    }

    pub(crate) fn read(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.chain).expect("read the chain")
    }
}

/// Connects and does the handshake, trusting this certificate and no other.
pub(crate) fn tls(peer: SocketAddr, trusted: CertificateDer<'static>) -> std::io::Result<Tls> {
    tls_as(peer, trusted, None)
}

/// [`tls`] that shows the certificate an authority signed for a host.
pub(crate) fn tls_as(
    peer: SocketAddr,
    trusted: CertificateDer<'static>,
    own: Option<(&Authority, &str)>,
) -> std::io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).expect("a usable certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match own.map(|(authority, host)| authority.identity(host)) {
        Some((chain, key)) => config
            .with_client_auth_cert(chain, key)
            .expect("an identity"),
        None => config.with_no_client_auth(),
    };
    let name = ServerName::try_from(NAME).expect("a name");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = TcpStream::connect(peer)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

fn is_quiet(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn wait_at_most(stream: &impl Timed, end: Instant) -> Option<()> {
    let left = end.checked_duration_since(Instant::now())?;
    let left = left.max(Duration::from_millis(1));
    stream.limit(left).ok()
}

pub(crate) struct OverTls<S = Tls> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: Timed> OverTls<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: vec![],
        }
    }
}

impl<S: Timed> Channel for OverTls<S> {
    fn transport(&self) -> &'static str {
        "TLS"
    }
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
            .is_ok()
    }
    fn receive(&mut self, limit: Duration) -> Option<String> {
        let end = Instant::now() + limit;
        loop {
            if let Some(message) = whole_message(&mut self.buffer) {
                return Some(message);
            }
            wait_at_most(&self.stream, end)?;
            let mut chunk = [0; 16_384];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(n) => self.buffer.extend(&chunk[..n]),
                Err(e) if is_quiet(&e) => {}
                Err(_) => return None,
            }
        }
    }
}

pub(crate) struct OverWss<S = Tls> {
    socket: WebSocket<S>,
    scheme: &'static str,
}

impl<S: Timed> OverWss<S> {
    /// Upgrades, asking for this subprotocol; the status of the refusal when there is one.
    pub(crate) fn open(stream: S, scheme: &'static str, protocol: &str) -> Result<Self, u16> {
        let mut request = format!("{scheme}://{NAME}/")
            .into_client_request()
            .expect("a request");
        let value = HeaderValue::from_str(protocol).expect("a header value");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", value);
        match client(request, stream) {
            Ok((socket, answer)) => {
                assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "sip");
                Ok(Self { socket, scheme })
            }
            Err(tokio_tungstenite::tungstenite::HandshakeError::Failure(Error::Http(answer))) => {
                Err(answer.status().as_u16())
            }
            Err(e) => panic!("WebSocket handshake: {e}"),
        }
    }
}

impl<S: Timed> Channel for OverWss<S> {
    fn transport(&self) -> &'static str {
        match self.scheme {
            "wss" => "WSS",
            _ => "WS",
        }
    }
    fn send(&mut self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.socket.send(Message::text(text)).is_ok()
    }
    fn receive(&mut self, limit: Duration) -> Option<String> {
        let end = Instant::now() + limit;
        loop {
            wait_at_most(self.socket.get_ref(), end)?;
            match self.socket.read() {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Binary(bytes)) => {
                    return Some(String::from_utf8_lossy(&bytes).into_owned());
                }
                Ok(_) => {}
                Err(Error::Io(e)) if is_quiet(&e) => {}
                Err(_) => return None,
            }
        }
    }
}
