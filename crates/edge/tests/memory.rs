//! Memory per idle WebSocket; alone in its process, since it reads the size of the process.

#[allow(dead_code)] // what the other test binary uses
#[path = "edge/site.rs"]
mod site;

use cp_edge::ListenConfig;
use cp_vocab::net::Transport;
use futures_util::SinkExt;
use site::{ANY, Site, options};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: usize = text
        .split(' ')
        .nth(1)
        .expect("field")
        .parse()
        .expect("number");
    pages * 4_096
}

fn open(site: &mut Site, n: usize) -> std::net::TcpStream {
    let addr = site.address(Transport::Ws);
    let stream = site.runtime.block_on(async {
        let stream = TcpStream::connect(addr).await.expect("connect");
        let mut request = "ws://sip.example/".into_client_request().expect("request");
        let protocol = HeaderValue::from_static("sip");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", protocol);
        let (mut browser, _) = client_async(request, stream).await.expect("handshake");
        browser
            .send(Message::binary(options(n)))
            .await
            .expect("send");
        browser.into_inner()
    });
    site.message();
    // Only the server's side is to be measured.
    stream.into_std().expect("a bare socket")
}

/// A stack with default buffers takes 141 kB per idle connection.
#[test]
fn an_idle_socket_costs_little_memory() {
    let mut site = Site::new(ListenConfig {
        ws: vec![ANY],
        ..ListenConfig::default()
    });
    let count = 800;
    let _warm: Vec<_> = (0..100).map(|n| open(&mut site, n)).collect();
    let before = resident_bytes();
    let _browsers: Vec<_> = (0..count).map(|n| open(&mut site, n)).collect();
    let each = resident_bytes().saturating_sub(before) / count;
    println!("{each} bytes per idle WebSocket");
    assert!(each <= 20_000, "{each} bytes per idle WebSocket");
}
