use crate::site::{ANY, PATIENCE, Site, options};
use cp_edge::ListenConfig;
use cp_edge::signalling::{CertificateFiles, Limits};
use cp_vocab::net::{Target, Transport};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// An authority and what it signs, in a directory of its own.
pub(crate) struct Authority {
    pub(crate) dir: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().expect("key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("authority");
        let dir = tempfile::tempdir().expect("directory");
        fs::write(dir.path().join("ca.pem"), issuer.pem()).expect("write");
        Self { dir, issuer }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Sign a certificate for `names` (a `sip:` name becomes a URI) into `<file>.pem`, `<file>.key`.
    pub(crate) fn sign(&self, file: &str, names: &[&str]) {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.subject_alt_names = names
            .iter()
            .map(|n| match (n.parse(), n.starts_with("sip:")) {
                (Ok(ip), _) => SanType::IpAddress(ip),
                (_, true) => SanType::URI((*n).try_into().expect("ascii")),
                _ => SanType::DnsName((*n).try_into().expect("ascii")),
            })
            .collect();
        let key = KeyPair::generate().expect("key");
        let certificate = params.signed_by(&key, &self.issuer).expect("sign");
        fs::write(self.path(&format!("{file}.pem")), certificate.pem()).expect("write");
        fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).expect("write");
    }

    pub(crate) fn files(&self, file: &str) -> CertificateFiles {
        CertificateFiles {
            chain: Some(self.path(&format!("{file}.pem"))),
            key: Some(self.path(&format!("{file}.key"))),
            server_authorities: Some(self.path("ca.pem")),
            ..CertificateFiles::default()
        }
    }

    pub(crate) fn client(&self, identity: Option<&str>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(pem(&self.path("ca.pem")));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{file}.key")));
                builder
                    .with_client_auth_cert(
                        pem(&self.path(&format!("{file}.pem"))),
                        key.expect("key"),
                    )
                    .expect("identity")
            }
        }
    }
}

fn pem(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path)
        .expect("file")
        .collect::<Result<_, _>>()
        .expect("certificates")
}

fn site(certificate: CertificateFiles, limits: Limits) -> Site {
    Site::new(ListenConfig {
        tls: vec![ANY],
        certificate,
        limits,
        ..ListenConfig::default()
    })
}

type Phone = StreamOwned<ClientConnection, TcpStream>;

fn phone(site: &Site, config: ClientConfig) -> Phone {
    let stream = TcpStream::connect(site.address(Transport::Tls)).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("time-out");
    let name = ServerName::try_from("sip.example").expect("name");
    StreamOwned::new(
        ClientConnection::new(Arc::new(config), name).expect("client"),
        stream,
    )
}

fn read_exact(phone: &mut Phone, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    phone.read_exact(&mut bytes).expect("enough bytes");
    bytes
}

fn shown(phone: &Phone) -> Vec<u8> {
    phone.conn.peer_certificates().expect("shown")[0].to_vec()
}

#[test]
fn messages_pass_split_and_glued_and_a_reload_changes_new_handshakes_only() {
    let authority = Authority::new();
    authority.sign("server", &["sip.example"]);
    let mut site = site(authority.files("server"), Limits::default());
    let mut first = phone(&site, authority.client(None));
    let glued: Vec<u8> = (0..30).flat_map(|n| options(n).to_vec()).collect();
    for piece in glued.chunks(41) {
        first.write_all(piece).expect("write");
    }
    let mut flow = None;
    for n in 0..30 {
        let (f, name, bytes) = site.message();
        assert_eq!((bytes, name), (options(n), None));
        flow = Some(f);
    }
    let flow = flow.expect("a flow");
    let before = shown(&first);

    authority.sign("server", &["sip.example"]);
    site.signalling.reload_certificates().expect("reload");
    site.signalling.send(Target::Flow(flow), options(1));
    assert_eq!(read_exact(&mut first, options(1).len()), options(1));
    let mut second = phone(&site, authority.client(None));
    second.write_all(&options(2)).expect("write");
    assert_eq!(site.message().2, options(2));
    assert_ne!(shown(&second), before);

    fs::write(authority.path("server.pem"), "nonsense").expect("write");
    let error = site.signalling.reload_certificates().expect_err("refused");
    assert_eq!(error.code(), "certificate_unusable");
    assert!(error.to_string().contains("server.pem"), "{error}");
    let mut third = phone(&site, authority.client(None));
    third.write_all(&options(3)).expect("the old one serves on");
    assert_eq!(site.message().2, options(3));
}

#[test]
fn a_client_certificate_gives_a_name() {
    let authority = Authority::new();
    authority.sign("server", &["sip.example"]);
    authority.sign("carrier", &["gw.carrier.example", "sip:Carrier.example"]);
    authority.sign("host", &["gw.carrier.example"]);
    let files = CertificateFiles {
        client_authorities: Some(authority.path("ca.pem")),
        ..authority.files("server")
    };
    let mut site = site(files, Limits::default());
    for (identity, expected) in [
        (None, None),
        (Some("carrier"), Some("carrier.example")),
        (Some("host"), Some("gw.carrier.example")),
    ] {
        let mut phone = phone(&site, authority.client(identity));
        phone.write_all(&options(1)).expect("write");
        assert_eq!(site.message().1.as_deref(), expected);
    }
    let stranger = Authority::new();
    stranger.sign("fake", &["carrier.example"]);
    fs::copy(stranger.path("fake.pem"), authority.path("fake.pem")).expect("copy");
    fs::copy(stranger.path("fake.key"), authority.path("fake.key")).expect("copy");
    let mut phone = phone(&site, authority.client(Some("fake")));
    let refused = phone
        .write_all(&options(2))
        .and_then(|()| phone.read_exact(&mut [0; 1]));
    assert!(refused.is_err(), "a certificate of a stranger was taken");
}

#[test]
fn slow_and_senseless_handshakes_are_closed() {
    let authority = Authority::new();
    authority.sign("server", &["sip.example"]);
    let limits = Limits {
        handshake_time_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let site = site(authority.files("server"), limits);
    for bytes in [&b""[..], b"\x16\x03\x01", b"OPTIONS sip:a SIP/2.0\r\n\r\n"] {
        let mut stream = TcpStream::connect(site.address(Transport::Tls)).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("time-out");
        stream.write_all(bytes).expect("write");
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let counters = site.signalling.counters();
    let deadline = Instant::now() + PATIENCE;
    while counters.handshakes_failed.load(Relaxed) < 3 {
        assert!(Instant::now() < deadline, "handshakes still open");
        std::thread::yield_now();
    }
}

#[test]
fn we_connect_only_to_servers_that_prove_their_name() {
    let authority = Authority::new();
    authority.sign("server", &["sip.example", "127.0.0.1"]);
    let mut far = site(authority.files("server"), Limits::default());
    let mut near = site(authority.files("server"), Limits::default());
    let addr = far.address(Transport::Tls);
    let target = |name: Option<&str>| Target::Addr {
        transport: Transport::Tls,
        addr,
        server_name: name.map(str::to_owned),
    };
    near.signalling
        .send(target(Some("other.example")), options(1));
    assert_eq!(near.send_failed(), target(Some("other.example")));
    near.signalling
        .send(target(Some("sip.example")), options(2));
    let (flow, _, bytes) = far.message();
    assert_eq!(bytes, options(2));
    far.signalling.send(Target::Flow(flow), options(3));
    let (_, name, bytes) = near.message();
    assert_eq!((name.as_deref(), bytes), (Some("sip.example"), options(3)));
    near.signalling.send(target(None), options(4));
    let (by_address, _, bytes) = far.message();
    assert_eq!(bytes, options(4));
    assert_ne!(
        by_address.connection, flow.connection,
        "another name, another connection"
    );
}

#[test]
fn tls_without_a_certificate_is_an_error_with_the_address() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let config = ListenConfig {
        tls: vec![ANY],
        ..ListenConfig::default()
    };
    let clock = cp_edge::Clock::start();
    let Err(error) = cp_edge::Signalling::bind(config, runtime.handle(), clock) else {
        panic!("bound");
    };
    assert_eq!(error.code(), "no_certificate");
    assert!(error.to_string().contains("127.0.0.1:0"), "{error}");
}
