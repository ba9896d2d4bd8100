use crate::site::{Site, to};
use cp_edge::signalling::DnsConfig;
use cp_edge::{ListenConfig, SignalIn};
use cp_vocab::net::{ResolveError, Target, Transport};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const NAPTR: u16 = 35;

/// One record of the stub's zone: owner, type, rdata.
type Record = (&'static str, u16, Vec<u8>);

fn name(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text.split('.').filter(|l| !l.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend(label.bytes());
    }
    wire.push(0);
    wire
}

fn a(ip: [u8; 4]) -> Vec<u8> {
    ip.to_vec()
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Vec<u8> {
    let mut rdata: Vec<u8> = [priority, weight, port]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    rdata.extend(name(target));
    rdata
}

fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Vec<u8> {
    let mut rdata: Vec<u8> = [order, preference]
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    for text in ["s", service, ""] {
        rdata.push(text.len() as u8);
        rdata.extend(text.bytes());
    }
    rdata.extend(name(replacement));
    rdata
}

/// A name server on loopback that knows `zone` and speaks real DNS (RFC 1035 4). Names that end in
/// `silent.example` get no answer, in `broken.example` SERVFAIL.
fn name_server(zone: Vec<Record>) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let addr = socket.local_addr().expect("addr");
    std::thread::spawn(move || {
        let mut query = [0; 1_500];
        while let Ok((n, from)) = socket.recv_from(&mut query) {
            if let Some(reply) = reply(&zone, &query[..n]) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    addr
}

fn reply(zone: &[Record], query: &[u8]) -> Option<Vec<u8>> {
    let end = 12 + query[12..].iter().position(|b| *b == 0)? + 1;
    let asked = &query[12..end];
    let kind = u16::from_be_bytes([query[end], query[end + 1]]);
    let is_below = |zone: &str| asked.to_ascii_lowercase().ends_with(&name(zone));
    if is_below("silent.example") {
        return None;
    }
    let same = |owner: &str| name(owner).eq_ignore_ascii_case(asked);
    let answers: Vec<_> = zone
        .iter()
        .filter(|(owner, k, _)| same(owner) && *k == kind)
        .collect();
    let exists = zone.iter().any(|(owner, ..)| same(owner));
    let code = match (is_below("broken.example"), exists) {
        (true, _) => 2,
        (_, true) => 0,
        _ => 3,
    };
    let mut reply = query[..2].to_vec();
    reply.extend([0x85, 0x80 | code, 0, 1, 0, answers.len() as u8, 0, 0, 0, 0]);
    reply.extend(&query[12..end + 4]);
    for (_, kind, rdata) in answers {
        reply.extend(asked);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 60]);
        reply.extend((rdata.len() as u16).to_be_bytes());
        reply.extend(rdata);
    }
    Some(reply)
}

fn site(zone: Vec<Record>) -> Site {
    Site::new(ListenConfig {
        dns: DnsConfig {
            servers: vec![name_server(zone)],
            hosts: vec![("gateway.test".to_owned(), Ipv4Addr::new(10, 9, 8, 7).into())],
            time_max: Duration::from_secs(2),
        },
        ..ListenConfig::default()
    })
}

struct Ask {
    host: &'static str,
    port: Option<u16>,
    transport: Option<Transport>,
    secure: bool,
}

fn ask(host: &'static str) -> Ask {
    Ask {
        host,
        port: None,
        transport: None,
        secure: false,
    }
}

fn answer(site: &mut Site, ask: &Ask) -> Result<Vec<Target>, ResolveError> {
    let id = site.clock.now().as_micros();
    site.signalling
        .resolve(id, ask.host, ask.port, ask.transport, ask.secure);
    site.until("resolved", |e| match e {
        SignalIn::Resolved { id: i, targets } if *i == id => Some(targets.clone()),
        _ => None,
    })
}

fn target(transport: Transport, ip: [u8; 4], port: u16, host: &str) -> Target {
    Target::Addr {
        transport,
        addr: (IpAddr::from(ip), port).into(),
        server_name: transport.is_secure().then(|| host.to_owned()),
    }
}

#[test]
fn addresses_need_no_name_server() {
    let mut site = site(Vec::new());
    let v6: SocketAddr = "[2001:db8::1]:5070".parse().expect("address");
    for (ask, expected) in [
        (
            ask("192.0.2.1"),
            to(Transport::Udp, ([192, 0, 2, 1], 5060).into()),
        ),
        (
            Ask {
                secure: true,
                ..ask("192.0.2.1")
            },
            to(Transport::Tls, ([192, 0, 2, 1], 5061).into()),
        ),
        (
            Ask {
                transport: Some(Transport::Tcp),
                ..ask("192.0.2.1")
            },
            to(Transport::Tcp, ([192, 0, 2, 1], 5060).into()),
        ),
        (
            Ask {
                port: Some(5070),
                ..ask("[2001:db8::1]")
            },
            to(Transport::Udp, v6),
        ),
    ] {
        assert_eq!(answer(&mut site, &ask), Ok(vec![expected]));
    }
}

#[test]
fn the_house_list_and_the_hosts_file_come_before_dns() {
    let mut site = site(Vec::new());
    assert_eq!(
        answer(&mut site, &ask("Gateway.test")),
        Ok(vec![target(Transport::Udp, [10, 9, 8, 7], 5060, "")])
    );
    let local = Ask {
        port: Some(5080),
        ..ask("localhost")
    };
    let targets = answer(&mut site, &local).expect("localhost is known");
    assert!(
        targets.contains(&target(Transport::Udp, [127, 0, 0, 1], 5080, "")),
        "{targets:?}"
    );
}

#[test]
fn naptr_chooses_the_transport_and_srv_the_server() {
    let mut site = site(vec![
        (
            "example.com",
            NAPTR,
            naptr(20, 0, "SIP+D2U", "_sip._udp.example.com"),
        ),
        (
            "example.com",
            NAPTR,
            naptr(10, 5, "SIP+D2T", "_sip._tcp.example.com"),
        ),
        (
            "example.com",
            NAPTR,
            naptr(10, 1, "SIPS+D2T", "_sips._tcp.example.com"),
        ),
        (
            "example.com",
            NAPTR,
            naptr(1, 1, "E2U+web", "nothing.example.com"),
        ),
        (
            "_sips._tcp.example.com",
            SRV,
            srv(1, 1, 5071, "a.example.com"),
        ),
        (
            "_sip._tcp.example.com",
            SRV,
            srv(2, 0, 5062, "b.example.com"),
        ),
        (
            "_sip._tcp.example.com",
            SRV,
            srv(1, 0, 5063, "a.example.com"),
        ),
        (
            "_sip._udp.example.com",
            SRV,
            srv(1, 0, 5064, "b.example.com"),
        ),
        ("a.example.com", A, a([10, 0, 0, 1])),
        ("b.example.com", A, a([10, 0, 0, 2])),
        ("b.example.com", A, a([10, 0, 0, 3])),
    ]);
    let host = "example.com";
    let tls = target(Transport::Tls, [10, 0, 0, 1], 5071, host);
    let first = answer(&mut site, &ask(host)).expect("targets");
    assert_eq!(first[0], tls);
    assert_eq!(first[1], target(Transport::Tcp, [10, 0, 0, 1], 5063, host));
    let tail: BTreeSet<String> = first[2..].iter().map(|t| format!("{t:?}")).collect();
    let expected: BTreeSet<String> = [
        target(Transport::Tcp, [10, 0, 0, 2], 5062, host),
        target(Transport::Tcp, [10, 0, 0, 3], 5062, host),
        target(Transport::Udp, [10, 0, 0, 2], 5064, host),
        target(Transport::Udp, [10, 0, 0, 3], 5064, host),
    ]
    .iter()
    .map(|t| format!("{t:?}"))
    .collect();
    assert_eq!(tail, expected);
    // sips: nothing but TLS.
    let secure = Ask {
        secure: true,
        ..ask(host)
    };
    assert_eq!(answer(&mut site, &secure), Ok(vec![tls]));
    // The transport is said: SRV of that alone. The port is said: addresses alone.
    let tcp = Ask {
        transport: Some(Transport::Tcp),
        ..ask(host)
    };
    assert_eq!(answer(&mut site, &tcp).expect("targets").len(), 3);
    let port = Ask {
        port: Some(5099),
        ..ask("a.example.com")
    };
    assert_eq!(
        answer(&mut site, &port),
        Ok(vec![target(Transport::Udp, [10, 0, 0, 1], 5099, "")])
    );
}

#[test]
fn without_naptr_srv_and_without_srv_the_address() {
    let mut site = site(vec![
        (
            "_sip._udp.srv.example",
            SRV,
            srv(1, 0, 5064, "x.srv.example"),
        ),
        ("x.srv.example", A, a([10, 0, 0, 4])),
        ("plain.example", A, a([10, 0, 0, 5])),
        (
            "six.example",
            AAAA,
            Ipv4Addr::new(10, 0, 0, 6)
                .to_ipv6_mapped()
                .octets()
                .to_vec(),
        ),
        ("_sip._udp.refused.example", SRV, srv(0, 0, 0, ".")),
    ]);
    assert_eq!(
        answer(&mut site, &ask("srv.example")),
        Ok(vec![target(Transport::Udp, [10, 0, 0, 4], 5064, "")])
    );
    assert_eq!(
        answer(&mut site, &ask("plain.example")),
        Ok(vec![target(Transport::Udp, [10, 0, 0, 5], 5060, "")])
    );
    assert_eq!(
        answer(&mut site, &ask("six.example"))
            .expect("an address")
            .len(),
        1
    );
    let refused = Ask {
        transport: Some(Transport::Udp),
        ..ask("refused.example")
    };
    assert_eq!(answer(&mut site, &refused), Err(ResolveError::NotFound));
}

#[test]
fn weights_spread_and_priorities_hold() {
    let mut site = site(vec![
        ("_sip._udp.w.example", SRV, srv(1, 50, 1, "h.w.example")),
        ("_sip._udp.w.example", SRV, srv(1, 50, 2, "h.w.example")),
        ("_sip._udp.w.example", SRV, srv(2, 50, 3, "h.w.example")),
        ("h.w.example", A, a([10, 0, 0, 1])),
    ]);
    let query = Ask {
        transport: Some(Transport::Udp),
        ..ask("w.example")
    };
    let mut firsts = BTreeSet::new();
    for _ in 0..100 {
        let ports: Vec<u16> = answer(&mut site, &query)
            .expect("targets")
            .iter()
            .map(|t| match t {
                Target::Addr { addr, .. } => addr.port(),
                Target::Flow(_) => 0,
            })
            .collect();
        assert_eq!((ports.len(), ports[2]), (3, 3));
        firsts.insert(ports[0]);
    }
    assert_eq!(firsts, BTreeSet::from([1, 2]));
}

#[test]
fn failures_are_told_apart_and_in_time() {
    let mut site = site(Vec::new());
    for (host, expected) in [
        ("nowhere.example", ResolveError::NotFound),
        ("x.broken.example", ResolveError::Failed),
        ("x.silent.example", ResolveError::TimedOut),
        ("not a name", ResolveError::NotFound),
        ("", ResolveError::NotFound),
        ("a..b", ResolveError::NotFound),
    ] {
        assert_eq!(answer(&mut site, &ask(host)), Err(expected), "{host:?}");
    }
}

#[test]
fn too_many_questions_are_turned_away_not_queued() {
    let mut site = site(Vec::new());
    for id in 0..300 {
        site.signalling
            .resolve(id, "x.silent.example", None, None, false);
    }
    let busy = (0..300)
        .filter(|_| {
            site.until("resolved", |e| match e {
                SignalIn::Resolved { targets, .. } => Some(*targets == Err(ResolveError::Busy)),
                _ => None,
            })
        })
        .count();
    assert_eq!(busy, 300 - 256);
}
