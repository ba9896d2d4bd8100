use super::*;
use std::collections::HashMap;

const ALL: &[Transport] = &[Transport::Udp, Transport::Tcp, Transport::Tls];

/// A zone as text: `name TYPE data`, and what a look-up of a URI gives, in order.
fn check(uri: &str, able: &[Transport], zone: &str, expected: &str) {
    let parsed = crate::uri::SipUri::parse(uri).unwrap();
    let transport = crate::ua::uri_transport(&parsed);
    let mut locate = Locate::new(
        parsed.host,
        parsed.port,
        transport,
        parsed.is_secure(),
        able,
        1,
    );
    let mut records: HashMap<(&str, &str), Vec<Vec<&str>>> = HashMap::new();
    for line in zone.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        records
            .entry((words[0], words[1]))
            .or_default()
            .push(words[2..].to_vec());
    }
    let get = |name: &str, kind: &str| records.get(&(name, kind)).cloned().unwrap_or_default();
    let got = loop {
        match locate.next_step() {
            Step::Ask(Question::Naptr(name)) => {
                let list = get(&name, "NAPTR").into_iter().map(|w| Naptr {
                    order: w[0].parse().unwrap(),
                    preference: w[1].parse().unwrap(),
                    flags: "s".into(),
                    service: w[2].into(),
                    replacement: w[3].into(),
                });
                locate.answer(Answer::Naptr(list.collect()));
            }
            Step::Ask(Question::Srv(name)) => {
                let list = get(&name, "SRV").into_iter().map(|w| Srv {
                    priority: w[0].parse().unwrap(),
                    weight: w[1].parse().unwrap(),
                    port: w[2].parse().unwrap(),
                    target: w[3].into(),
                });
                locate.answer(Answer::Srv(list.collect()));
            }
            Step::Ask(Question::Addresses(name)) if !get(&name, "FAIL").is_empty() => {
                locate.answer(Answer::Failed);
            }
            Step::Ask(Question::Addresses(name)) => {
                let list = get(&name, "A")
                    .iter()
                    .map(|w| w[0].parse().unwrap())
                    .collect();
                locate.answer(Answer::Addresses(list));
            }
            Step::Done(targets) => {
                let text = |t: &Target| match t {
                    Target::Addr {
                        transport,
                        addr,
                        server_name,
                    } => {
                        format!(
                            "{} {addr}{}",
                            transport.via(),
                            server_name
                                .as_ref()
                                .map_or(String::new(), |n| format!(" {n}"))
                        )
                    }
                    Target::Flow(_) => panic!("a flow"),
                };
                break targets.iter().map(text).collect::<Vec<_>>().join(", ");
            }
            Step::Failed(error) => break format!("{error:?}"),
        }
    };
    assert_eq!(got, expected, "{uri}");
}

const ZONE: &str = "
    example.com NAPTR 50 50 SIPS+D2T _sips._tcp.example.com.
    example.com NAPTR 90 50 SIP+D2T _sip._tcp.example.com.
    example.com NAPTR 100 50 SIP+D2U _sip._udp.example.com.
    _sips._tcp.example.com SRV 0 1 5061 s1.example.com.
    _sip._tcp.example.com SRV 0 1 5060 s1.example.com
    _sip._udp.example.com SRV 10 1 5070 s2.example.com
    _sip._udp.example.com SRV 0 1 5060 s1.example.com
    s1.example.com A 192.0.2.1
    s1.example.com A 2001:db8::1
    s2.example.com A 192.0.2.2
    plain.example A 192.0.2.3
    _sip._udp.srv.example SRV 0 0 5080 s2.example.com
    _sip._tcp.none.example SRV 0 0 0 .
    none.example A 192.0.2.4
    broken.example FAIL x
";

#[test]
fn names_are_located_as_rfc_3263_says() {
    let udp = &[Transport::Udp];
    for (uri, able, expected) in [
        ("sip:192.0.2.9", ALL, "UDP 192.0.2.9:5060"),
        (
            "sip:192.0.2.9:5080;transport=tcp",
            ALL,
            "TCP 192.0.2.9:5080",
        ),
        ("sips:192.0.2.9", ALL, "TLS 192.0.2.9:5061 192.0.2.9"),
        ("sip:[2001:db8::9]", ALL, "UDP [2001:db8::9]:5060"),
        (
            "sip:example.com;transport=udp",
            ALL,
            "UDP 192.0.2.1:5060, UDP [2001:db8::1]:5060, UDP 192.0.2.2:5070",
        ),
        (
            "sip:example.com",
            udp,
            "UDP 192.0.2.1:5060, UDP [2001:db8::1]:5060, UDP 192.0.2.2:5070",
        ),
        (
            "sip:example.com",
            ALL,
            "TLS 192.0.2.1:5061 example.com, TLS [2001:db8::1]:5061 example.com, \
             TCP 192.0.2.1:5060, TCP [2001:db8::1]:5060, \
             UDP 192.0.2.1:5060, UDP [2001:db8::1]:5060, UDP 192.0.2.2:5070",
        ),
        (
            "sips:EXAMPLE.com",
            ALL,
            "TLS 192.0.2.1:5061 example.com, TLS [2001:db8::1]:5061 example.com",
        ),
        ("sip:plain.example", ALL, "UDP 192.0.2.3:5060"),
        ("sip:plain.example:5090", ALL, "UDP 192.0.2.3:5090"),
        (
            "sip:plain.example;transport=tls",
            ALL,
            "TLS 192.0.2.3:5061 plain.example",
        ),
        ("sip:srv.example", ALL, "UDP 192.0.2.2:5080"),
        ("sip:none.example;transport=tcp", ALL, "TCP 192.0.2.4:5060"),
        ("sip:nowhere.example", ALL, "NotFound"),
        ("sip:broken.example:5060", ALL, "Timeout"),
        ("sips:plain.example", udp, "NoTransport"),
        ("sip:plain.example;transport=ws", ALL, "NoTransport"),
    ] {
        check(uri, able, ZONE, expected);
    }
}

#[test]
fn weights_are_chances() {
    let record = |priority, weight, name: &str| Srv {
        priority,
        weight,
        port: 5060,
        target: name.into(),
    };
    let mut seed = 42;
    let mut first: HashMap<String, u32> = HashMap::new();
    for _ in 0..10_000 {
        let records = vec![
            record(1, 10, "backup"),
            record(0, 60, "a"),
            record(0, 20, "b"),
            record(0, 20, "c"),
            record(0, 0, "zero"),
        ];
        let ordered = order_srv(records, &mut seed);
        assert_eq!(ordered.len(), 5);
        assert_eq!(ordered[4].target, "backup");
        *first.entry(ordered[0].target.clone()).or_default() += 1;
    }
    let share = |name: &str| f64::from(first.get(name).copied().unwrap_or(0)) / 10_000.0;
    assert!((share("a") - 0.6).abs() < 0.03, "{first:?}");
    assert!((share("b") - 0.2).abs() < 0.03, "{first:?}");
    assert!(share("zero") < 0.03, "{first:?}");
}

#[test]
fn endless_answers_are_cut() {
    let mut locate = Locate::new("x.example", None, None, false, ALL, 7);
    let mut asked = 0;
    loop {
        match locate.next_step() {
            Step::Ask(Question::Naptr(_)) => locate.answer(Answer::Naptr(vec![])),
            Step::Ask(Question::Srv(_)) => {
                let many = (0..60_000).map(|i| Srv {
                    priority: 0,
                    weight: 1,
                    port: i as u16,
                    target: format!("h{i}"),
                });
                locate.answer(Answer::Srv(many.collect()));
            }
            Step::Ask(Question::Addresses(_)) => {
                let n = asked;
                locate.answer(Answer::Addresses(
                    (0..50_000_u32)
                        .map(|i| IpAddr::V4((n * 100_000 + i).into()))
                        .collect(),
                ));
            }
            Step::Done(targets) => {
                assert_eq!(targets.len(), TARGETS_MAX);
                break;
            }
            Step::Failed(e) => panic!("{e:?}"),
        }
        asked += 1;
        assert!(asked <= QUESTIONS_MAX as u32);
    }
}

#[test]
fn failed_targets_go_last_and_come_back() {
    let target = |n: u8| Target::Addr {
        transport: Transport::Udp,
        addr: SocketAddr::new([192, 0, 2, n].into(), 5060),
        server_name: None,
    };
    let now = cp_vocab::Timestamp::from_secs(1);
    let mut list = Blacklist::default();
    list.failed(now, target(1));
    let order = |list: &Blacklist, now| list.order(now, vec![target(1), target(2)]);
    assert_eq!(order(&list, now), [target(2), target(1)]);
    let later = now + std::time::Duration::from_secs(31);
    assert_eq!(order(&list, later), [target(1), target(2)]);
}
