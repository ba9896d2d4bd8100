//! An OpenTelemetry collector as small as can be: takes OTLP over HTTP and reads the spans out of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace: Vec<u8>,
    pub(crate) id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) name: String,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    /// Values as text.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) spans: Vec<Span>,
    pub(crate) paths: Vec<String>,
    /// Everything that came, to look for what must not be in it.
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Collector {
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Collector {
    pub(crate) fn start(addr: SocketAddr) -> Self {
        let listener = TcpListener::bind(addr).expect("bind the collector");
        let addr = listener
            .local_addr()
            .expect("a bound socket has an address");
        let seen = Arc::<Mutex<Seen>>::default();
        let to = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let to = to.clone();
                std::thread::spawn(move || serve(stream, &to));
            }
        });
        Self { addr, seen }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&Seen) -> T) -> T {
        at(&self.seen.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// The spans of an interaction, root first; empty while its root has not come.
    pub(crate) fn trace_of(&self, interaction: &str) -> Vec<Span> {
        self.look(|seen| {
            let id = Some(interaction);
            let is_root = |s: &&Span| {
                s.attributes
                    .get("crosspoint.interaction")
                    .map(String::as_str)
                    == id
            };
            let Some(root) = seen.spans.iter().find(is_root) else {
                return vec![];
            };
            let others = seen
                .spans
                .iter()
                .filter(|s| s.trace == root.trace && s.id != root.id);
            std::iter::once(root).chain(others).cloned().collect()
        })
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Seen>) {
    let mut buffer = Vec::new();
    while let Some((head, body)) = request(&mut stream, &mut buffer) {
        let path = head.split(' ').nth(1).unwrap_or("").to_string();
        let spans = spans(&body);
        {
            let mut seen = seen.lock().unwrap_or_else(|e| e.into_inner());
            seen.spans.extend(spans);
            seen.paths.push(path);
            seen.bytes.extend(body);
        }
        let answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length: usize = head.lines().find_map(|l| {
                let (name, value) = l.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            })?;
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some((head, body));
            }
        }
        let mut chunk = [0; 16_384];
        let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
        buffer.extend(&chunk[..n]);
    }
}

/// A field of a protobuf message: numbers as they are, the rest as bytes.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message with their numbers. Stops at what is malformed.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut out = Vec::new();
    while let Some(key) = varint(&mut bytes) {
        let field = match key & 7 {
            0 => varint(&mut bytes).map(Field::Number),
            1 => take(&mut bytes, 8)
                .map(|b| Field::Number(u64::from_le_bytes(b.try_into().expect("8 bytes")))),
            2 => {
                let n = varint(&mut bytes).unwrap_or(u64::MAX) as usize;
                take(&mut bytes, n).map(Field::Bytes)
            }
            5 => take(&mut bytes, 4)
                .map(|b| Field::Number(u32::from_le_bytes(b.try_into().expect("4 bytes")).into())),
            _ => None,
        };
        let Some(field) = field else { break };
        out.push((key >> 3, field));
    }
    out
}

fn take<'b>(bytes: &mut &'b [u8], n: usize) -> Option<&'b [u8]> {
    let (head, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(head)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn inner(bytes: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(bytes).into_iter().filter_map(move |(n, f)| match f {
        Field::Bytes(b) if n == number => Some(b),
        _ => None,
    })
}

/// `ExportTraceServiceRequest` > `ResourceSpans` > `ScopeSpans` > `Span`.
fn spans(body: &[u8]) -> Vec<Span> {
    let resources = inner(body, 1);
    let scopes = resources.flat_map(|r| inner(r, 2).collect::<Vec<_>>());
    let spans = scopes.flat_map(|s| inner(s, 2).collect::<Vec<_>>());
    spans.map(span).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn span(bytes: &[u8]) -> Span {
    let mut span = Span::default();
    for (number, field) in fields(bytes) {
        match (number, field) {
            (1, Field::Bytes(b)) => span.trace = b.to_vec(),
            (2, Field::Bytes(b)) => span.id = b.to_vec(),
            (4, Field::Bytes(b)) => span.parent = b.to_vec(),
            (5, Field::Bytes(b)) => span.name = text(b),
            (7, Field::Number(n)) => span.start_ns = n,
            (8, Field::Number(n)) => span.end_ns = n,
            (9, Field::Bytes(b)) => span.attributes.extend(attribute(b)),
            (11, Field::Bytes(b)) => span.events.extend(inner(b, 2).map(text)),
            _ => {}
        }
    }
    span
}

/// `KeyValue` with an `AnyValue`.
fn attribute(bytes: &[u8]) -> Option<(String, String)> {
    let key = text(inner(bytes, 1).next()?);
    let value = inner(bytes, 2).next()?;
    let value = match fields(value).into_iter().next()? {
        (1, Field::Bytes(b)) => text(b),
        (2, Field::Number(n)) => (n != 0).to_string(),
        (3, Field::Number(n)) => (n as i64).to_string(),
        (4, Field::Number(n)) => f64::from_bits(n).to_string(),
        _ => return None,
    };
    Some((key, value))
}
