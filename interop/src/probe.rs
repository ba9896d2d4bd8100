//! A bare SIP client for what no phone does: broken messages, foreign dialogs, single requests.
//! It builds messages by hand and reads as much of an answer as a test asks for.

use crate::digest::{Algorithm, Challenge};
use crate::{ports, wait};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long an answer may take. Shorter than the 32 s of a transaction; none comes later on loopback.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

static UNIQUE: AtomicU64 = AtomicU64::new(1);

/// Something never used before in this process, and hardly in another.
fn unique() -> String {
    let n = UNIQUE.fetch_add(1, Ordering::Relaxed);
    format!("{:x}x{n:x}", std::process::id())
}

/// A message that came.
#[derive(Debug, Clone)]
pub struct Received {
    /// 0 for a request.
    pub status: u16,
    pub text: String,
}

impl Received {
    fn new(text: String) -> Self {
        let status = text
            .strip_prefix("SIP/2.0 ")
            .and_then(|r| r.get(..3))
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        Self { status, text }
    }

    /// Values of a header, in order.
    pub fn headers<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s str> {
        let lines = self
            .text
            .split("\r\n")
            .skip(1)
            .take_while(|l| !l.is_empty());
        lines.filter_map(move |l| {
            let (n, v) = l.split_once(':')?;
            n.trim().eq_ignore_ascii_case(name).then_some(v.trim())
        })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers(name).next().unwrap_or("")
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, b)| b)
    }

    fn tag_of(&self, name: &str) -> String {
        let value = self.header(name);
        let tag = value.split(';').find_map(|p| p.trim().strip_prefix("tag="));
        tag.unwrap_or("").to_string()
    }

    fn contact(&self) -> String {
        let value = self.header("Contact");
        let inner = value.split_once('<').map_or(value, |(_, r)| r);
        inner.split('>').next().unwrap_or(inner).to_string()
    }
}

enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
    Other(Box<dyn Channel>),
}

/// A connection of another kind (TLS, WebSocket): whole messages both ways.
pub trait Channel: Send {
    /// The token in Via.
    fn transport(&self) -> &'static str;
    /// `false` when the far side has closed.
    fn send(&mut self, bytes: &[u8]) -> bool;
    fn receive(&mut self, limit: Duration) -> Option<String>;
}

pub struct Probe {
    wire: Wire,
    pub local: SocketAddr,
    /// How long it waits for an answer.
    pub patience: Duration,
    /// Offers are RTP/SAVP with a key of SDES.
    pub srtp: bool,
}

/// A call this client placed and that was answered.
#[derive(Debug, Clone)]
pub struct Dialog {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
    pub target: String,
    routes: Vec<String>,
    to: String,
    from: String,
    peer: SocketAddr,
    cseq: u32,
}

impl Dialog {
    /// `Replaces` value with which somebody else takes this call over (RFC 3891), as seen by the
    /// server: its tag is the to-tag.
    pub fn replaces(&self) -> String {
        format!(
            "{};to-tag={};from-tag={}",
            self.call_id, self.remote_tag, self.local_tag
        )
    }
}

impl Probe {
    /// `port` 0 takes any.
    pub fn udp(ip: Ipv4Addr, port: u16) -> Self {
        let socket =
            UdpSocket::bind((ip, port)).unwrap_or_else(|e| panic!("bind {ip}:{port}: {e}"));
        let local = socket.local_addr().expect("a bound socket has an address");
        Self {
            wire: Wire::Udp(socket),
            local,
            patience: ANSWER_LIMIT,
            srtp: false,
        }
    }

    /// Over a connection of another kind; `local` is what it tells of itself.
    pub fn over(channel: Box<dyn Channel>, local: SocketAddr) -> Self {
        Self {
            wire: Wire::Other(channel),
            local,
            patience: ANSWER_LIMIT,
            srtp: false,
        }
    }

    /// Connects from `ip`.
    pub fn tcp(ip: Ipv4Addr, peer: SocketAddr) -> Self {
        let stream =
            connect_from(ip, peer).unwrap_or_else(|e| panic!("connect {ip} to {peer}: {e}"));
        let local = stream.local_addr().expect("a connection has an address");
        Self {
            wire: Wire::Tcp(stream, vec![]),
            local,
            patience: ANSWER_LIMIT,
            srtp: false,
        }
    }

    pub fn transport(&self) -> &'static str {
        match &self.wire {
            Wire::Udp(_) => "UDP",
            Wire::Tcp(..) => "TCP",
            Wire::Other(channel) => channel.transport(),
        }
    }

    /// Sends bytes as they are. `false` when the far side has closed the connection.
    pub fn send(&mut self, bytes: &[u8], peer: SocketAddr) -> bool {
        match &mut self.wire {
            Wire::Udp(socket) => socket.send_to(bytes, peer).is_ok(),
            Wire::Tcp(stream, _) => stream.write_all(bytes).is_ok(),
            Wire::Other(channel) => channel.send(bytes),
        }
    }

    /// The next message within `limit`; `None` when none came or the connection is closed.
    pub fn receive(&mut self, limit: Duration) -> Option<Received> {
        let end = Instant::now() + limit;
        loop {
            let left = end.checked_duration_since(Instant::now())?;
            let left = left.max(Duration::from_millis(1));
            match &mut self.wire {
                Wire::Udp(socket) => {
                    let mut buffer = [0; 65_536];
                    socket.set_read_timeout(Some(left)).ok()?;
                    let (n, _) = socket.recv_from(&mut buffer).ok()?;
                    return Some(Received::new(String::from_utf8_lossy(&buffer[..n]).into()));
                }
                Wire::Other(channel) => return channel.receive(left).map(Received::new),
                Wire::Tcp(stream, buffer) => {
                    if let Some(message) = whole_message(buffer) {
                        return Some(Received::new(message));
                    }
                    let mut chunk = [0; 16_384];
                    stream.set_read_timeout(Some(left)).ok()?;
                    let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
                    buffer.extend(&chunk[..n]);
                }
            }
        }
    }

    /// The next final response to the given Call-ID and CSeq method; what else comes is passed over.
    fn final_response(&mut self, call_id: &str, method: &str) -> Option<Received> {
        let end = Instant::now() + self.patience;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let got = self.receive(left)?;
            let ours = got.header("Call-ID") == call_id && got.header("CSeq").ends_with(method);
            if ours && got.status >= 200 {
                return Some(got);
            }
        }
        None
    }

    /// One request outside a dialog; `extra` are whole header lines without line ends.
    pub fn request(
        &mut self,
        method: &str,
        uri: &str,
        from_user: &str,
        peer: SocketAddr,
        extra: &[String],
        body: Option<&str>,
    ) -> Option<Received> {
        let call_id = unique();
        let text = self.build(method, uri, from_user, &call_id, &unique(), extra, body);
        self.send(text.as_bytes(), peer);
        self.final_response(&call_id, method)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a SIP request")]
    fn build(
        &self,
        method: &str,
        uri: &str,
        from_user: &str,
        call_id: &str,
        tag: &str,
        extra: &[String],
        body: Option<&str>,
    ) -> String {
        let local = self.local;
        let body = body.unwrap_or("");
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{} {local};branch=z9hG4bK{};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:{from_user}@{}>;tag={tag}\r\n\
             To: <{uri}>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: 1 {method}\r\n\
             Contact: <sip:{from_user}@{local};transport={}>\r\n",
            self.transport(),
            unique(),
            local.ip(),
            self.transport().to_lowercase(),
        );
        for line in extra {
            text.push_str(&format!("{line}\r\n"));
        }
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        text
    }

    pub fn options(&mut self, peer: SocketAddr) -> Option<Received> {
        let uri = format!("sip:{peer}");
        self.request("OPTIONS", &uri, "probe", peer, &[], None)
    }

    /// REGISTER with the first challenge of the wanted algorithm.
    ///
    /// # Panics
    /// When the server does not challenge, or not with this algorithm.
    pub fn register(
        &mut self,
        user: &str,
        domain: &str,
        password: &str,
        algorithm: Algorithm,
        peer: SocketAddr,
    ) -> Option<Received> {
        let uri = format!("sip:{domain}");
        let to = format!("To: <sip:{user}@{domain}>");
        let first = self.register_once(user, &uri, &to, &[], peer)?;
        assert_eq!(first.status, 401, "{}", first.text);
        let challenges: Vec<Challenge> = first
            .headers("WWW-Authenticate")
            .filter_map(Challenge::parse)
            .collect();
        let challenge = challenges.iter().find(|c| c.algorithm == Some(algorithm));
        let challenge =
            challenge.unwrap_or_else(|| panic!("no {} among {challenges:?}", algorithm.name()));
        let answer = challenge.answer("REGISTER", &uri, user, password, 1);
        self.register_once(user, &uri, &to, &[format!("Authorization: {answer}")], peer)
    }

    fn register_once(
        &mut self,
        user: &str,
        uri: &str,
        to: &str,
        extra: &[String],
        peer: SocketAddr,
    ) -> Option<Received> {
        let call_id = unique();
        let mut lines = vec!["Expires: 300".to_string()];
        lines.extend_from_slice(extra);
        let text = self.build("REGISTER", uri, user, &call_id, &unique(), &lines, None);
        // The address of record is the user's, not the domain's.
        let text = text.replace(&format!("To: <{uri}>"), to);
        self.send(text.as_bytes(), peer);
        self.final_response(&call_id, "REGISTER")
    }

    /// [`Probe::invite`] by a phone: answers the challenge with its password.
    pub fn invite_as(
        &mut self,
        user: &str,
        password: &str,
        uri: &str,
        peer: SocketAddr,
    ) -> (Option<Received>, Option<Dialog>) {
        let (first, none) = self.invite(uri, user, peer, &[]);
        let name = match first.as_ref().map(|f| f.status) {
            Some(401) => ("WWW-Authenticate", "Authorization"),
            Some(407) => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return (first, none),
        };
        let value = first.as_ref().map_or("", |f| f.header(name.0));
        let Some(challenge) = Challenge::parse(value) else {
            return (first, none);
        };
        let answer = challenge.answer("INVITE", uri, user, password, 1);
        self.invite(uri, user, peer, &[format!("{}: {answer}", name.1)])
    }

    /// INVITE, ACK. The final response, and the dialog when it was a 2xx.
    pub fn invite(
        &mut self,
        uri: &str,
        from_user: &str,
        peer: SocketAddr,
        extra: &[String],
    ) -> (Option<Received>, Option<Dialog>) {
        let call_id = unique();
        let tag = unique();
        let sdp = self.sdp();
        let text = self.build("INVITE", uri, from_user, &call_id, &tag, extra, Some(&sdp));
        self.send(text.as_bytes(), peer);
        let Some(answer) = self.final_response(&call_id, "INVITE") else {
            return (None, None);
        };
        let mut routes: Vec<String> = answer
            .headers("Record-Route")
            .flat_map(|h| h.split(','))
            .map(|r| r.trim().to_string())
            .collect();
        routes.reverse();
        let mut dialog = Dialog {
            call_id,
            remote_tag: answer.tag_of("To"),
            target: answer.contact(),
            routes,
            to: format!("<{uri}>"),
            from: format!("<sip:{from_user}@{}>", self.local.ip()),
            local_tag: tag,
            peer,
            cseq: 1,
        };
        if answer.status >= 300 {
            // The ACK of a failure belongs to the transaction: same branch, same URI.
            let via = text.lines().nth(1).unwrap_or("").to_string();
            let ack = format!(
                "ACK {uri} SIP/2.0\r\n{via}\r\nMax-Forwards: 70\r\nFrom: {};tag={}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
                dialog.from,
                dialog.local_tag,
                answer.header("To"),
                dialog.call_id
            );
            self.send(ack.as_bytes(), peer);
            return (Some(answer), None);
        }
        self.in_dialog(&mut dialog, "ACK", &[]);
        (Some(answer), Some(dialog))
    }

    /// A request inside a dialog; an ACK gets no answer.
    pub fn in_dialog(
        &mut self,
        dialog: &mut Dialog,
        method: &str,
        extra: &[String],
    ) -> Option<Received> {
        if method != "ACK" {
            dialog.cseq += 1;
        }
        let mut text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{};rport\r\nMax-Forwards: 70\r\n",
            dialog.target,
            self.transport(),
            self.local,
            unique()
        );
        for route in &dialog.routes {
            text.push_str(&format!("Route: {route}\r\n"));
        }
        text.push_str(&format!(
            "From: {};tag={}\r\nTo: {};tag={}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n",
            dialog.from,
            dialog.local_tag,
            dialog.to,
            dialog.remote_tag,
            dialog.call_id,
            dialog.cseq
        ));
        for line in extra {
            text.push_str(&format!("{line}\r\n"));
        }
        text.push_str(&format!(
            "Contact: <sip:probe@{}>\r\nContent-Length: 0\r\n\r\n",
            self.local
        ));
        self.send(text.as_bytes(), dialog.peer);
        if method == "ACK" {
            return None;
        }
        let call_id = dialog.call_id.clone();
        self.final_response(&call_id, method)
    }

    /// The next request with this method, answered with 200.
    pub fn answer_next(&mut self, method: &str) -> Option<Received> {
        wait::try_until(self.patience, || {
            let got = self.receive(Duration::from_millis(200))?;
            (got.status == 0).then(|| self.answer(&got, "200 OK"))?;
            got.text.starts_with(method).then_some(got)
        })
    }

    /// Answers a request that came.
    pub fn answer(&mut self, request: &Received, status: &str) {
        self.answer_with(request, status, &[]);
    }

    /// [`Probe::answer`] with further header lines, and a tag of ours where there is none.
    pub fn answer_with(&mut self, request: &Received, status: &str, extra: &[String]) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route"] {
            for value in request.headers(name) {
                let untagged = name == "To" && !value.contains(";tag=");
                let tag = if untagged { ";tag=probe" } else { "" };
                text.push_str(&format!("{name}: {value}{tag}\r\n"));
            }
        }
        for line in extra {
            text.push_str(&format!("{line}\r\n"));
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        if let Some(peer) = via_source(request) {
            self.send(text.as_bytes(), peer);
        }
    }

    /// A call that must work: INVITE `uri`, 200, ACK, BYE, 200.
    ///
    /// # Panics
    /// When it does not; `after` names what came before.
    pub fn normal_call(&mut self, uri: &str, peer: SocketAddr, after: &str) {
        let (answer, dialog) = self.invite(uri, "15550199", peer, &[]);
        let status = answer.as_ref().map(|a| a.status);
        let mut dialog = dialog.unwrap_or_else(|| panic!("call after {after}: {status:?}"));
        let bye = self.in_dialog(&mut dialog, "BYE", &[]);
        assert_eq!(
            bye.map(|b| b.status),
            Some(200),
            "BYE of the call after {after}"
        );
    }

    /// An offer of G.711 to a port where nobody listens for long.
    pub fn sdp(&self) -> String {
        let (ip, port) = (self.local.ip(), ports::one());
        let (profile, key) = if self.srtp {
            (
                "RTP/SAVP",
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n",
            )
        } else {
            ("RTP/AVP", "")
        };
        format!(
            "v=0\r\no=probe 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {profile} 0 101\r\n{key}a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
        )
    }
}

/// Where the answer to a request goes: its top Via.
fn via_source(request: &Received) -> Option<SocketAddr> {
    let via = request.header("Via");
    let sent_by = via.split_whitespace().nth(1)?.split(';').next()?;
    sent_by.parse().ok()
}

/// Cuts the first whole message off a stream.
pub fn whole_message(buffer: &mut Vec<u8>) -> Option<String> {
    while buffer.starts_with(b"\r\n") {
        buffer.drain(..2);
    }
    let head = buffer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
    let length = text
        .lines()
        .find_map(|l| {
            let (n, v) = l.split_once(':')?;
            let known = n.trim().eq_ignore_ascii_case("content-length") || n.trim() == "l";
            known.then(|| v.trim().parse::<usize>().ok())?
        })
        .unwrap_or(0);
    if buffer.len() < head + length {
        return None;
    }
    let rest = buffer.split_off(head + length);
    let message = String::from_utf8_lossy(buffer).into_owned();
    *buffer = rest;
    Some(message)
}

/// std connects from any address; a trunk is known by its own.
/// Connects to `peer` from an address of our own choice.
///
/// # Errors
/// When the address is not ours, or nobody listens.
#[expect(unsafe_code, reason = "std cannot bind a socket before it connects")]
pub fn connect_from(ip: Ipv4Addr, peer: SocketAddr) -> std::io::Result<TcpStream> {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    let SocketAddr::V4(peer) = peer else {
        return TcpStream::connect(peer);
    };
    let address = |ip: Ipv4Addr, port: u16| libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(ip).to_be(),
        },
        sin_zero: [0; 8],
    };
    let length = std::mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    let (local, remote) = (address(ip, 0), address(*peer.ip(), peer.port()));
    // SAFETY: plain socket calls; the addresses live until they return, and the descriptor is owned
    // from the moment it exists.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(std::io::Error::last_os_error());
        }
        let fd = OwnedFd::from_raw_fd(fd);
        let raw = fd.as_raw_fd();
        if libc::bind(raw, (&raw const local).cast(), length) < 0
            || libc::connect(raw, (&raw const remote).cast(), length) < 0
        {
            return Err(std::io::Error::last_os_error());
        }
        Ok(TcpStream::from(fd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_cut_into_messages() {
        let mut buffer =
            b"\r\n\r\nSIP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabcSIP/2.0 1".to_vec();
        let first = whole_message(&mut buffer).expect("a message");
        assert!(first.ends_with("abc"));
        assert_eq!(whole_message(&mut buffer), None);
        assert_eq!(buffer, b"SIP/2.0 1");
    }

    #[test]
    fn responses_are_read() {
        let text = "SIP/2.0 200 OK\r\nTo: <sip:a@b>;tag=x1\r\nContact: \"A\" <sip:c@d:1>;q=1\r\nCSeq: 1 INVITE\r\n\r\nbody";
        let got = Received::new(text.into());
        assert_eq!((got.status, got.body()), (200, "body"));
        assert_eq!(
            (got.tag_of("To").as_str(), got.contact().as_str()),
            ("x1", "sip:c@d:1")
        );
    }
}
