use crate::site::{ANY, PATIENCE, Site, options, to};
use cp_edge::ListenConfig;
use cp_edge::signalling::Limits;
use cp_vocab::net::{Target, Transport};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

fn site_with(limits: Limits) -> Site {
    Site::new(ListenConfig {
        tcp: vec![ANY],
        limits,
        ..ListenConfig::default()
    })
}

fn phone(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(site.address(Transport::Tcp)).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("time-out");
    stream
}

fn read_exact(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).expect("enough bytes");
    bytes
}

fn assert_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "not closed"),
    }
}

#[test]
fn split_and_glued_messages_arrive_whole_and_are_answered_on_the_same_connection() {
    let mut site = site_with(Limits::default());
    let mut phone = phone(&site);
    let glued: Vec<u8> = (0..40).flat_map(|n| options(n).to_vec()).collect();
    for piece in glued.chunks(37) {
        phone.write_all(piece).expect("write");
        phone.flush().expect("flush");
    }
    let mut connection = None;
    for n in 0..40 {
        let (flow, name, bytes) = site.message();
        assert_eq!((bytes, name), (options(n), None));
        assert_eq!(flow.remote, phone.local_addr().expect("addr"));
        assert_eq!(*connection.get_or_insert(flow.connection), flow.connection);
        site.signalling.send(Target::Flow(flow), options(n + 1));
    }
    for n in 0..40 {
        let expected = options(n + 1);
        assert_eq!(read_exact(&mut phone, expected.len()), expected);
    }
    // The address of the phone finds the same connection.
    let addr = phone.local_addr().expect("addr");
    site.signalling.send(to(Transport::Tcp, addr), options(7));
    assert_eq!(read_exact(&mut phone, options(7).len()), options(7));
    drop(phone);
    assert_eq!(Some(site.closed()), connection.flatten());
}

#[test]
fn a_ping_is_answered_and_a_lone_line_end_is_not() {
    let mut site = site_with(Limits::default());
    let mut phone = phone(&site);
    phone.write_all(b"\r\n").expect("write");
    phone.write_all(&options(1)).expect("write");
    phone.write_all(b"\r\n\r\n").expect("write");
    let (flow, ..) = site.message();
    assert_eq!(read_exact(&mut phone, 2), b"\r\n");
    site.signalling.send(Target::Flow(flow), options(2));
    assert_eq!(read_exact(&mut phone, options(2).len()), options(2));
}

#[test]
fn connections_that_misbehave_are_closed_and_others_live() {
    let quick = Duration::from_millis(400);
    let mut site = site_with(Limits {
        message_time_max: quick,
        first_message_time_max: quick,
        ..Limits::default()
    });
    let mut good = phone(&site);
    good.write_all(&options(1)).expect("write");
    let (flow, ..) = site.message();
    let endless_head = [b"OPTIONS sip:a SIP/2.0\r\nX: ".as_slice(), &[b'x'; 40_000]].concat();
    for (what, bytes) in [
        ("TLS hello", &b"\x16\x03\x01\x02\x00\x01"[..]),
        (
            "HTTP body too long",
            b"INVITE sip:a SIP/2.0\r\nContent-Length: 999999\r\n\r\n",
        ),
        ("endless head", &endless_head),
        ("half a message", b"INVITE sip:a SIP/2.0\r\nVia: "),
        ("line ends only", b"\r\n"),
        ("nothing", b""),
    ] {
        let mut bad = phone(&site);
        bad.write_all(bytes).expect(what);
        assert_closed(&mut bad);
    }
    let expelled = site
        .signalling
        .counters()
        .connections_expelled
        .load(Relaxed);
    assert_eq!(expelled, 6);
    site.signalling.send(Target::Flow(flow), options(2));
    assert_eq!(read_exact(&mut good, options(2).len()), options(2));
}

#[test]
fn a_length_that_makes_no_sense_can_still_be_answered() {
    let mut site = site_with(Limits::default());
    let mut phone = phone(&site);
    let broken = b"INVITE sip:a SIP/2.0\r\nContent-Length: -5\r\n\r\n";
    phone.write_all(broken).expect("write");
    let (flow, _, bytes) = site.message();
    assert_eq!(bytes, &broken[..]);
    site.signalling.send(Target::Flow(flow), options(3));
    assert_eq!(read_exact(&mut phone, options(3).len()), options(3));
    assert_closed(&mut phone);
    assert_eq!(Some(site.closed()), flow.connection);
}

#[test]
fn idle_connections_are_closed() {
    let mut site = site_with(Limits {
        idle_time_max: Duration::from_millis(100),
        ..Limits::default()
    });
    let mut phone = phone(&site);
    phone.write_all(&options(1)).expect("write");
    let (flow, ..) = site.message();
    assert_closed(&mut phone);
    assert_eq!(Some(site.closed()), flow.connection);
}

#[test]
fn a_source_gets_so_many_connections_and_a_place_comes_free() {
    let mut site = site_with(Limits {
        connections_per_source_max: 2,
        ..Limits::default()
    });
    let mut first = phone(&site);
    first.write_all(&options(1)).expect("write");
    let (flow, ..) = site.message();
    let mut second = phone(&site);
    second.write_all(&options(2)).expect("write");
    site.message();
    assert_closed(&mut phone(&site));
    drop(first);
    assert_eq!(Some(site.closed()), flow.connection);
    // The permit is given back when the task ends, just after its last word.
    let counters = site.signalling.counters();
    let deadline = std::time::Instant::now() + PATIENCE;
    while counters.connections_open.load(Relaxed) > 1 {
        assert!(
            std::time::Instant::now() < deadline,
            "the place is not free"
        );
        std::thread::yield_now();
    }
    let mut third = phone(&site);
    third.write_all(&options(3)).expect("write");
    assert_eq!(site.message().2, options(3));
}

#[test]
fn the_engine_closes_after_its_last_word() {
    let mut site = site_with(Limits::default());
    let mut phone = phone(&site);
    phone.write_all(&options(1)).expect("write");
    let (flow, ..) = site.message();
    site.signalling.send(Target::Flow(flow), options(2));
    let connection = flow.connection.expect("a connection");
    site.signalling.close(connection);
    assert_eq!(read_exact(&mut phone, options(2).len()), options(2));
    assert_closed(&mut phone);
    assert_eq!(site.closed(), connection);
    // Gone is gone: the flow is not opened anew.
    site.signalling.send(Target::Flow(flow), options(3));
    assert_eq!(site.send_failed(), Target::Flow(flow));
}

#[test]
fn one_connection_is_opened_for_many_messages_and_serves_both_ways() {
    let mut site = site_with(Limits::default());
    let listener = TcpListener::bind(ANY).expect("bind");
    let peer = listener.local_addr().expect("addr");
    let sent: Vec<u8> = (0..20).flat_map(|n| options(n).to_vec()).collect();
    for n in 0..20 {
        site.signalling.send(to(Transport::Tcp, peer), options(n));
    }
    let (mut stream, _) = listener.accept().expect("a connection");
    assert_eq!(read_exact(&mut stream, sent.len()), sent);
    stream.write_all(&options(99)).expect("write");
    let (flow, _, bytes) = site.message();
    assert_eq!((bytes, flow.remote), (options(99), peer));
    drop(stream);
    assert_eq!(Some(site.closed()), flow.connection);
    // A new message opens a new one.
    site.signalling.send(to(Transport::Tcp, peer), options(1));
    let (mut stream, _) = listener.accept().expect("a second connection");
    assert_eq!(read_exact(&mut stream, options(1).len()), options(1));
}

#[test]
fn refused_and_impossible_connections_fail() {
    let mut site = site_with(Limits::default());
    let gone: SocketAddr = {
        let listener = TcpListener::bind(ANY).expect("bind");
        listener.local_addr().expect("addr")
    };
    for target in [
        to(Transport::Tcp, gone),
        to(Transport::Tls, gone),
        // Browsers cannot be called.
        to(Transport::Ws, gone),
        to(Transport::Wss, gone),
    ] {
        site.signalling.send(target.clone(), options(1));
        assert_eq!(site.send_failed(), target);
    }
}

#[test]
fn a_peer_that_does_not_read_costs_a_bounded_queue() {
    let mut site = site_with(Limits {
        queued_per_connection_max: 8,
        write_time_max: Duration::from_millis(200),
        ..Limits::default()
    });
    let listener = TcpListener::bind(ANY).expect("bind");
    let target = to(Transport::Tcp, listener.local_addr().expect("addr"));
    let large: bytes::Bytes = vec![b'x'; 1 << 20].into();
    for _ in 0..64 {
        site.signalling.send(target.clone(), large.clone());
    }
    let (_stream, _) = listener.accept().expect("a connection");
    assert_eq!(site.send_failed(), target, "the queue is full");
    site.closed();
}
