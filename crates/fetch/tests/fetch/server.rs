//! Servers: HTTP by hand, so that they can be as wrong as they like, and a name server.

use cp_fetch::{Allowed, Client, Config};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) connects: Arc<AtomicUsize>,
    /// Requests as they came.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn connects(&self) -> usize {
        self.connects.load(Ordering::SeqCst)
    }
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.addr.port())
    }
    pub(crate) fn last_request(&self) -> String {
        self.requests
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }
}

/// Serves each connection with `answer`, which gets the request.
pub(crate) fn serve(
    ip: Ipv4Addr,
    answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
) -> Server {
    let listener = TcpListener::bind((ip, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let connects = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (count, seen, answer) = (connects.clone(), requests.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            count.fetch_add(1, Ordering::SeqCst);
            let (seen, answer) = (seen.clone(), answer.clone());
            std::thread::spawn(move || {
                let request = read_request(&mut stream);
                seen.lock().unwrap().push(request.clone());
                answer(&request, &mut stream);
            });
        }
    });
    Server {
        addr,
        connects,
        requests,
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let mut chunk = [0; 4_096];
    while let Ok(n) = stream.read(&mut chunk) {
        got.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&got).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if n == 0 {
                return text;
            }
            continue;
        };
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|l| l.strip_prefix("content-length: ").map(str::to_string))
            .and_then(|l| l.parse::<usize>().ok())
            .unwrap_or(0);
        if body.len() >= length || n == 0 {
            return text;
        }
    }
    String::new()
}

/// An answer with this body.
pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn says(ip: Ipv4Addr, answer: String) -> Server {
    serve(ip, move |_, stream| {
        let _ = stream.write_all(answer.as_bytes());
    })
}

/// A name server whose answer to the n-th question for an A record is `answers(n)`; it has no
/// AAAA records and nothing may be kept (TTL 0).
pub(crate) fn name_server(
    answers: impl Fn(usize) -> Vec<Ipv4Addr> + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        let mut query = [0; 1_500];
        while let Ok((n, from)) = socket.recv_from(&mut query) {
            let end = 12 + query[12..n].iter().position(|b| *b == 0).unwrap() + 1;
            let is_a = query[end..end + 2] == [0, 1];
            let ips = if is_a {
                answers(count.fetch_add(1, Ordering::SeqCst))
            } else {
                Vec::new()
            };
            let mut reply = query[..2].to_vec();
            reply.extend([0x84, 0, 0, 1, 0, ips.len() as u8, 0, 0, 0, 0]);
            reply.extend(&query[12..end + 4]);
            for ip in ips {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                reply.extend(ip.octets());
            }
            let _ = socket.send_to(&reply, from);
        }
    });
    (addr, asked)
}

/// A client that may go to these places beside the public internet.
pub(crate) fn client(allow: &[&str], hosts: &[(&str, &str)]) -> Client {
    Client::new(config(allow, hosts)).unwrap()
}

pub(crate) fn config(allow: &[&str], hosts: &[(&str, &str)]) -> Config {
    let host = |(name, ip): &(&str, &str)| (name.to_string(), ip.parse::<IpAddr>().unwrap());
    Config {
        allow: allow
            .iter()
            .map(|a| a.parse::<Allowed>().unwrap())
            .collect(),
        hosts: hosts.iter().map(host).collect(),
        ..Config::default()
    }
}
