use crate::site::{ANY, PATIENCE, Site, options, to};
use cp_edge::{Clock, EdgeError, ListenConfig, SignalIn, Signalling};
use cp_vocab::net::{Target, Transport};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

fn site() -> Site {
    Site::new(ListenConfig {
        udp: vec![ANY],
        ..ListenConfig::default()
    })
}

fn phone(ip: [u8; 4]) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::from(ip), 0)).expect("bind");
    socket.set_read_timeout(Some(PATIENCE)).expect("time-out");
    socket
}

fn read(phone: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 65_535];
    let (n, from) = phone.recv_from(&mut buffer).expect("an answer");
    (buffer[..n].to_vec(), from)
}

#[test]
fn a_burst_arrives_whole_and_in_order_and_is_answered() {
    let mut site = site();
    let server = site.address(Transport::Udp);
    let phone = phone([127, 0, 0, 1]);
    // More than one batch, and less than the phone's kernel buffer holds.
    let count = 150;
    for n in 0..count {
        phone.send_to(&options(n), server).expect("send");
    }
    for n in 0..count {
        let (flow, bytes) = site.datagram();
        assert_eq!(bytes, options(n));
        assert_eq!(
            (flow.local, flow.remote),
            (server, phone.local_addr().expect("addr"))
        );
        assert_eq!((flow.transport, flow.connection), (Transport::Udp, None));
        site.signalling.send(Target::Flow(flow), bytes);
    }
    site.signalling.flush();
    for n in 0..count {
        assert_eq!(read(&phone), (options(n).to_vec(), server));
    }
}

#[test]
fn the_largest_datagram_passes_and_keep_alives_do_not() {
    let mut site = site();
    let server = site.address(Transport::Udp);
    let phone = phone([127, 0, 0, 1]);
    for keep_alive in [&b"\r\n\r\n"[..], b"", b"\0", b"\r\n"] {
        phone.send_to(keep_alive, server).expect("send");
    }
    let large = vec![b'A'; 65_507];
    phone.send_to(&large, server).expect("send");
    let (_, bytes) = site.datagram();
    assert!(bytes == large, "{} bytes came", bytes.len());
}

#[test]
fn a_wildcard_socket_answers_from_the_address_that_was_called() {
    let mut site = Site::new(ListenConfig {
        udp: vec![(Ipv4Addr::UNSPECIFIED, 0).into()],
        ..ListenConfig::default()
    });
    let port = site.address(Transport::Udp).port();
    let phone = phone([127, 0, 0, 1]);
    let called: SocketAddr = (Ipv4Addr::new(127, 0, 0, 77), port).into();
    phone.send_to(&options(1), called).expect("send");
    let (flow, bytes) = site.datagram();
    assert_eq!(flow.local, called);
    site.signalling.send(Target::Flow(flow), bytes);
    site.signalling.flush();
    assert_eq!(read(&phone).1, called);
}

#[test]
fn ipv6_works_beside_ipv4_on_one_port() {
    let first = site();
    let port = first.address(Transport::Udp).port();
    drop(first);
    let v6: SocketAddr = format!("[::1]:{port}").parse().expect("address");
    let v4: SocketAddr = ([127, 0, 0, 1], port).into();
    let mut site = Site::new(ListenConfig {
        udp: vec![v4, v6],
        ..ListenConfig::default()
    });
    let phone = UdpSocket::bind("[::1]:0").expect("bind");
    phone.send_to(&options(1), v6).expect("send");
    let (flow, _) = site.datagram();
    assert_eq!(flow.local, v6);
    let other = UdpSocket::bind("[::1]:0").expect("bind");
    other.set_read_timeout(Some(PATIENCE)).expect("time-out");
    site.signalling.send(
        to(Transport::Udp, other.local_addr().expect("addr")),
        options(2),
    );
    site.signalling.flush();
    assert_eq!(read(&other).1, v6);
}

#[test]
fn nobody_listening_is_told_and_others_still_get_theirs() {
    let mut site = site();
    let gone = phone([127, 0, 0, 1]).local_addr().expect("addr");
    let phones: Vec<UdpSocket> = (0..5).map(|_| phone([127, 0, 0, 1])).collect();
    for round in 0..20 {
        site.signalling.send(to(Transport::Udp, gone), options(0));
        for phone in &phones {
            let addr = phone.local_addr().expect("addr");
            site.signalling
                .send(to(Transport::Udp, addr), options(round));
        }
        site.signalling.flush();
        for phone in &phones {
            assert_eq!(read(phone).0, options(round));
        }
        assert_eq!(site.send_failed(), to(Transport::Udp, gone));
    }
}

#[test]
fn what_no_socket_can_send_fails_at_the_next_poll() {
    let mut site = site();
    let v6: SocketAddr = "[::1]:5060".parse().expect("address");
    site.signalling.send(to(Transport::Udp, v6), options(1));
    assert_eq!(site.send_failed(), to(Transport::Udp, v6));
    let too_long = vec![b'x'; 70_000];
    let phone = phone([127, 0, 0, 1]).local_addr().expect("addr");
    site.signalling
        .send(to(Transport::Udp, phone), too_long.into());
    assert_eq!(site.send_failed(), to(Transport::Udp, phone));
}

#[test]
fn other_threads_wake_the_poll() {
    let mut site = site();
    let waker = site.signalling.waker();
    let others: Vec<_> = (0..4)
        .map(|_| {
            let waker = waker.clone();
            std::thread::spawn(move || (0..100).for_each(|_| waker.wake()))
        })
        .collect();
    site.until("wake", |e| matches!(e, SignalIn::Woken).then_some(()));
    for other in others {
        other.join().expect("thread");
    }
    waker.wake();
    site.until("wake", |e| matches!(e, SignalIn::Woken).then_some(()));
}

#[test]
fn a_deadline_ends_the_poll() {
    let mut site = site();
    let deadline = site.clock.now() + std::time::Duration::from_millis(3);
    let mut out = Vec::new();
    let now = site.signalling.poll(Some(deadline), &mut out);
    assert!(now >= deadline && out.is_empty(), "{out:?}");
}

#[test]
fn a_taken_port_is_told_with_its_holder() {
    let holder = phone([127, 0, 0, 1]);
    let addr = holder.local_addr().expect("addr");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let config = ListenConfig {
        udp: vec![addr],
        ..ListenConfig::default()
    };
    let Err(error) = Signalling::bind(config, runtime.handle(), Clock::start()) else {
        panic!("bound a taken port");
    };
    assert_eq!(error.code(), "address_in_use");
    let text = error.to_string();
    let mine = format!("(process {})", std::process::id());
    assert!(
        text.contains(&addr.to_string()) && text.contains(&mine),
        "{text}"
    );

    let foreign = ListenConfig {
        tcp: vec!["192.0.2.1:5060".parse().expect("address")],
        ..ListenConfig::default()
    };
    let failed = Signalling::bind(foreign, runtime.handle(), Clock::start());
    assert!(matches!(failed, Err(EdgeError::Bind { .. })));
}

#[test]
fn many_phones_at_once() {
    let mut site = site();
    let server = site.address(Transport::Udp);
    let phones: Vec<UdpSocket> = (0..100).map(|_| phone([127, 0, 0, 1])).collect();
    for (n, phone) in phones.iter().enumerate() {
        phone.send_to(&options(n), server).expect("send");
    }
    let flows: BTreeSet<SocketAddr> = (0..100).map(|_| site.datagram().0.remote).collect();
    assert_eq!(flows.len(), 100);
}
