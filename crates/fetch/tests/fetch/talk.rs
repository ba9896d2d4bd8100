//! What is said, and what servers do to it.

use crate::server::{client, config, ok, says, serve};
use cp_fetch::{Client, Config, FetchError, Limits, Request};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn local() -> Client {
    client(&["127.0.0.1"], &[])
}

async fn ask(answer: &str, limits: Limits) -> Result<cp_fetch::Response, FetchError> {
    let server = says(HERE, answer.to_string());
    local()
        .fetch(Request::get(server.url("127.0.0.1", "/")).limits(limits))
        .await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made() {
    let server = says(HERE, ok("thanks"));
    let url = server.url("127.0.0.1", "/hook?a=b");
    let request = Request::post(url)
        .header("Content-Type", "application/json")
        .header("webhook-id", "msg_1")
        .body(r#"{"a":1}"#);
    let response = local().fetch(request).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (200, &b"thanks"[..]));
    assert!(response.is_success());
    assert_eq!(response.header("content-type"), Some("text/plain"));
    let got = server.last_request();
    assert!(got.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{got}");
    let host = format!("host: 127.0.0.1:{}\r\n", server.addr.port());
    for part in [
        &host,
        "content-type: application/json\r\n",
        "webhook-id: msg_1\r\n",
        "content-length: 7\r\n",
        "{\"a\":1}",
    ] {
        assert!(got.contains(part), "{part} in {got}");
    }
    let smuggle = Request::get(server.url("127.0.0.1", "/")).header("x", "a\r\nHost: evil");
    let error = local().fetch(smuggle).await.unwrap_err();
    assert_eq!(error.code(), "fetch_request_header");
}

#[tokio::test]
async fn an_error_status_is_an_answer() {
    let answer = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(ask(answer, Limits::default()).await.unwrap().status, 410);
}

#[tokio::test]
async fn huge_answers_are_not_read() {
    let small = Limits {
        body_bytes_max: 100,
        header_bytes_max: 8_192,
        ..Limits::default()
    };
    let long = ok(&"x".repeat(101));
    assert_eq!(
        ask(&long, small).await.unwrap_err(),
        FetchError::BodyTooLarge { max: 100 }
    );
    assert_eq!(
        ask(&ok(&"x".repeat(100)), small).await.unwrap().body.len(),
        100
    );
    let endless = serve(HERE, |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4_096]).is_ok() {}
    });
    let request = Request::get(endless.url("127.0.0.1", "/")).limits(small);
    let error = local().fetch(request).await.unwrap_err();
    assert_eq!(error.code(), "fetch_body_too_large");
    let header = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(
        ask(&header, small).await.unwrap_err().code(),
        "fetch_header_too_large"
    );
}

#[tokio::test]
async fn slow_servers_do_not_hold_it_up() {
    let dribble = serve(HERE, |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        // Half a byte more than nothing, until the client has had enough.
        let pause = Duration::from_millis(50);
        stream.set_read_timeout(Some(pause)).unwrap();
        while stream.write_all(b"x").is_ok() && !matches!(stream.read(&mut [0; 8]), Ok(0)) {}
    });
    let silent = serve(HERE, |_, stream| {
        let _ = stream.read(&mut [0; 8]);
    });
    let limits = Limits {
        total: Duration::from_millis(400),
        first_byte: Duration::from_millis(200),
        ..Limits::default()
    };
    for (server, code) in [
        (&dribble, "fetch_timed_out"),
        (&silent, "fetch_first_byte_late"),
    ] {
        let began = Instant::now();
        let request = Request::get(server.url("127.0.0.1", "/")).limits(limits);
        let error = local().fetch(request).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn nonsense_is_called_so() {
    for answer in [
        "",
        "hello\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    ] {
        let error = ask(answer, Limits::default()).await.unwrap_err();
        assert_eq!(error.code(), "fetch_protocol", "{answer:?}");
    }
    let zipped = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx";
    let error = ask(zipped, Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), "fetch_encoded");
}

#[tokio::test]
async fn only_the_types_asked_for() {
    let server = says(HERE, ok("x"));
    let ask = |kind: &str| {
        let request = Request::get(server.url("127.0.0.1", "/")).accept(kind);
        async move { local().fetch(request).await }
    };
    assert!(ask("text/plain").await.is_ok());
    assert_eq!(
        ask("application/json").await.unwrap_err(),
        FetchError::ContentType
    );
}

#[tokio::test]
async fn many_who_want_the_same_cause_one_fetch() {
    let server = serve(HERE, |_, stream| {
        // Long enough for all to be on board.
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        let _ = stream.read(&mut [0; 8]);
        let _ = stream.write_all(ok("once").as_bytes());
    });
    let client = local();
    let url = server.url("127.0.0.1", "/");
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (client, url) = (client.clone(), url.clone());
            tokio::spawn(async move { client.fetch_shared(Request::get(url)).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().body, "once");
    }
    assert_eq!(server.connects(), 1);
    client.fetch_shared(Request::get(url)).await.unwrap();
    assert_eq!(server.connects(), 2);
}

#[tokio::test]
async fn too_many_at_once_are_told_so() {
    let silent = serve(HERE, |_, stream| {
        let _ = stream.read(&mut [0; 8]);
    });
    let client = Client::new(Config {
        in_flight_max: 1,
        ..config(&["127.0.0.1"], &[])
    })
    .unwrap();
    let limits = |ms| Limits {
        total: Duration::from_millis(ms),
        ..Limits::default()
    };
    let url = silent.url("127.0.0.1", "/");
    let first = client.fetch(Request::get(&url).limits(limits(900)));
    let second = client.fetch(Request::get(&url).limits(limits(200)));
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap_err(), FetchError::TimedOut);
    assert_eq!(second.unwrap_err(), FetchError::Busy);
}

/// A server with a certificate of an authority of its own.
fn tls_server(name: &str) -> (std::net::SocketAddr, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_string()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls_pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind((HERE, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::Stream::new(&mut tls, &mut stream);
            if tls.read(&mut [0; 4_096]).is_ok() {
                let _ = tls.write_all(ok("sealed").as_bytes());
            }
        }
    });
    (addr, certificate.pem())
}

#[tokio::test]
async fn tls_proves_the_name_or_nothing_is_said() {
    let (addr, pem) = tls_server("cert.example");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, pem).unwrap();
    let hosts = [
        ("cert.example", "127.0.0.1"),
        ("other.example", "127.0.0.1"),
    ];
    let trusting = Client::new(Config {
        authorities: Some(file.clone()),
        ..config(&["127.0.0.1"], &hosts)
    })
    .unwrap();
    let stranger = client(&["127.0.0.1"], &hosts);
    let get = |host| Request::get(format!("https://{host}:{}/", addr.port()));
    assert_eq!(
        trusting.fetch(get("cert.example")).await.unwrap().body,
        "sealed"
    );
    let wrong_name = trusting.fetch(get("other.example")).await.unwrap_err();
    assert_eq!(wrong_name.code(), "fetch_tls");
    let untrusted = stranger.fetch(get("cert.example")).await.unwrap_err();
    assert_eq!(untrusted.code(), "fetch_tls");
    std::fs::write(&file, "no certificate").unwrap();
    let broken = Client::new(Config {
        authorities: Some(file),
        ..Config::default()
    });
    assert_eq!(broken.err().unwrap().code(), "fetch_authorities");
}
