//! SIP over TLS and over secure WebSocket (RFC 7118), as a client speaks it.

use cp_interop::probe::{Channel, whole_message};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

/// What certificates here are for.
pub(crate) const NAME: &str = "sip.interop.test";

type Tls = StreamOwned<ClientConnection, TcpStream>;

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
    let mut roots = RootCertStore::empty();
    roots.add(trusted).expect("a usable certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
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

fn wait_at_most(stream: &Tls, end: Instant) -> Option<()> {
    let left = end.checked_duration_since(Instant::now())?;
    let left = left.max(Duration::from_millis(1));
    stream.sock.set_read_timeout(Some(left)).ok()
}

pub(crate) struct OverTls {
    stream: Tls,
    buffer: Vec<u8>,
}

impl OverTls {
    pub(crate) fn new(stream: Tls) -> Self {
        Self {
            stream,
            buffer: vec![],
        }
    }
}

impl Channel for OverTls {
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

pub(crate) struct OverWss {
    socket: WebSocket<Tls>,
}

impl OverWss {
    /// Upgrades, asking for this subprotocol; the status of the refusal when there is one.
    pub(crate) fn open(stream: Tls, protocol: &str) -> Result<Self, u16> {
        let mut request = format!("wss://{NAME}/")
            .into_client_request()
            .expect("a request");
        let value = HeaderValue::from_str(protocol).expect("a header value");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", value);
        match client(request, stream) {
            Ok((socket, answer)) => {
                assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "sip");
                Ok(Self { socket })
            }
            Err(tokio_tungstenite::tungstenite::HandshakeError::Failure(Error::Http(answer))) => {
                Err(answer.status().as_u16())
            }
            Err(e) => panic!("WebSocket handshake: {e}"),
        }
    }
}

impl Channel for OverWss {
    fn transport(&self) -> &'static str {
        "WSS"
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
