use crate::site::{ANY, PATIENCE, Site, options};
use crate::tls::Authority;
use cp_edge::ListenConfig;
use cp_edge::signalling::Limits;
use cp_vocab::net::{Target, Transport};
use futures_util::{SinkExt, StreamExt};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

fn site_with(limits: Limits) -> Site {
    Site::new(ListenConfig {
        ws: vec![ANY],
        limits,
        ..ListenConfig::default()
    })
}

type Browser<S> = WebSocketStream<S>;

async fn browser<S>(stream: S, protocol: Option<&str>) -> Result<Browser<S>, Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut request = "ws://sip.example/".into_client_request().expect("request");
    if let Some(protocol) = protocol {
        request.headers_mut().insert(
            "Sec-WebSocket-Protocol",
            HeaderValue::from_str(protocol).expect("value"),
        );
    }
    let (socket, response) = client_async(request, stream).await?;
    assert_eq!(
        response.headers().get("Sec-WebSocket-Protocol"),
        Some(&HeaderValue::from_static("sip"))
    );
    Ok(socket)
}

fn connect(site: &Site, protocol: Option<&str>) -> Result<Browser<tokio::net::TcpStream>, Error> {
    let addr = site.address(Transport::Ws);
    site.runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(addr).await.expect("connect");
        browser(stream, protocol).await
    })
}

fn next<S>(site: &Site, browser: &mut Browser<S>) -> Option<Message>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    site.runtime.block_on(async {
        tokio::time::timeout(PATIENCE, browser.next())
            .await
            .expect("an answer in time")
            .and_then(Result::ok)
    })
}

#[test]
fn text_and_binary_messages_pass_and_keep_alives_are_answered() {
    let mut site = site_with(Limits::default());
    let mut browser = connect(&site, Some("foo, sip")).expect("handshake");
    site.runtime.block_on(async {
        let text = String::from_utf8(options(1).to_vec()).expect("text");
        browser.send(Message::text(text)).await.expect("send");
        browser
            .send(Message::binary(options(2)))
            .await
            .expect("send");
        browser.send(Message::text("\r\n\r\n")).await.expect("send");
    });
    let (flow, _, bytes) = site.message();
    assert_eq!((flow.transport, bytes), (Transport::Ws, options(1)));
    assert_eq!(site.message().2, options(2));
    assert_eq!(next(&site, &mut browser), Some(Message::text("\r\n")));
    site.signalling.send(Target::Flow(flow), options(3));
    let expected = String::from_utf8(options(3).to_vec()).expect("text");
    assert_eq!(next(&site, &mut browser), Some(Message::text(expected)));
    let latin: bytes::Bytes = b"OPTIONS sip:a SIP/2.0\r\nSubject: \xe9\r\n\r\n"[..].into();
    site.signalling.send(Target::Flow(flow), latin.clone());
    assert_eq!(next(&site, &mut browser), Some(Message::binary(latin)));
    // The address of a browser finds its connection.
    let target = Target::Addr {
        transport: Transport::Ws,
        addr: flow.remote,
        server_name: None,
    };
    site.signalling.send(target, options(4));
    assert!(next(&site, &mut browser).is_some());
    drop(browser);
    assert_eq!(Some(site.closed()), flow.connection);
}

#[test]
fn a_client_that_does_not_speak_sip_is_refused() {
    let site = site_with(Limits::default());
    for protocol in [None, Some("mqtt"), Some("sipx")] {
        match connect(&site, protocol) {
            Err(Error::Http(response)) => assert_eq!(response.status(), 400),
            other => panic!("{protocol:?}: {other:?}"),
        }
    }
}

#[test]
fn too_long_slow_and_silent_sockets_are_closed() {
    let quick = Duration::from_millis(400);
    let site = site_with(Limits {
        handshake_time_max: quick,
        first_message_time_max: quick,
        ..Limits::default()
    });
    let mut long = connect(&site, Some("sip")).expect("handshake");
    site.runtime.block_on(async {
        let _ = long.send(Message::binary(vec![b'x'; 100_000])).await;
    });
    while next(&site, &mut long).is_some() {}
    let mut silent = connect(&site, Some("sip")).expect("handshake");
    while next(&site, &mut silent).is_some() {}
    for bytes in [
        &b""[..],
        b"GET / HTTP/1.1\r\nHost: ",
        b"\xff\xfe\xfd\r\n\r\n",
    ] {
        let addr: SocketAddr = site.address(Transport::Ws);
        let mut stream = TcpStream::connect(addr).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("time-out");
        stream.write_all(bytes).expect("write");
        match stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn secure_sockets_pass_messages_both_ways() {
    let authority = Authority::new();
    authority.sign("server", &["sip.example"]);
    let mut site = Site::new(ListenConfig {
        wss: vec![ANY],
        certificate: authority.files("server"),
        ..ListenConfig::default()
    });
    let addr = site.address(Transport::Wss);
    let config = Arc::new(authority.client(None));
    let mut browser = site.runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(addr).await.expect("connect");
        let name = "sip.example".try_into().expect("name");
        let stream = tokio_rustls::TlsConnector::from(config)
            .connect(name, stream)
            .await
            .expect("TLS");
        let mut browser = browser(stream, Some("sip")).await.expect("handshake");
        browser
            .send(Message::binary(options(1)))
            .await
            .expect("send");
        browser
    });
    let (flow, _, bytes) = site.message();
    assert_eq!((flow.transport, bytes), (Transport::Wss, options(1)));
    site.signalling.send(Target::Flow(flow), options(2));
    assert!(next(&site, &mut browser).is_some());
}
