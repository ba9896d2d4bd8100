//! Tokens of calls that are sent on: by an exchange, a redirecting phone, transfers (S1.2).

use super::*;

/// The whole of S1.2 over real peers: the exchange drops the token and sends the call on; it leaves for
/// the new number with the original and a div, by TCP since it does not fit a datagram.
#[test]
fn a_forwarded_call_keeps_its_identity() {
    let (far_port, exchange_port) = (ports::one(), ports::one());
    let far = SocketAddr::from((CARRIER, far_port));
    let exchange = SocketAddr::from((EXCHANGE, exchange_port));
    for keeps_key in [true, false] {
        let w = world(Some(far), Some(exchange), |_| {});
        let callee = Sipp::new("uas")
            .from(CARRIER)
            .port(far_port)
            .tcp()
            .start(w.server.sip);
        let pbx = Kamailio::forwarding(exchange_port, w.server.sip, C, keeps_key);
        let token = w.far.shaken(A, EXCHANGE_NUMBER);
        let lines = format!("\n      Identity: {token}");
        Sipp::new("uac_identity")
            .from(CARRIER)
            .value("FROM", A)
            .value("EXTRA", lines)
            .dial(EXCHANGE_NUMBER)
            .run(w.server.sip);
        let messages = callee.succeed();
        let found = identities(&messages);
        assert_eq!(found.len(), 2, "{messages}\n{}", pbx.log());
        assert_eq!(found[0], token, "the original, byte for byte");
        let div = claims(&found[1]);
        assert_eq!(div["orig"]["tn"], "12155551212");
        assert_eq!(div["div"]["tn"], "12155551214");
        assert_eq!(div["dest"]["tn"], json!(["12155557777"]));
        assert!(found[1].contains("ppt=div"), "{}", found[1]);
        let pair = [
            (found[0].as_str(), w.far.chain.as_str()),
            (found[1].as_str(), w.ours.chain.as_str()),
        ];
        assert_eq!(verified_elsewhere(&pair), [true, true]);
        let diversion = messages.lines().find(|l| l.starts_with("Diversion:"));
        assert!(
            diversion.is_some_and(|d| d.contains(EXCHANGE_NUMBER)),
            "{diversion:?}"
        );
        // Two interactions: to the exchange, and from it. The second's trace tells both.
        let trails = w.server.trails();
        assert_eq!(trails.len(), 2);
        let steps = w.steps(&trails[1].interaction);
        let by = if keeps_key {
            "matched by_key"
        } else {
            "matched by_numbers"
        };
        let order = [
            "judged valid",
            "verified valid",
            "decided likely",
            "kept stored",
            by,
            "attached headers=1",
            "div_made div",
        ];
        let mut rest = steps.iter();
        for step in order {
            assert!(rest.any(|s| s.starts_with(step)), "{step} in {steps:?}");
        }
        let page = w.server.get(&format!(
            "/v1/identity/forwarding?number=%2B{}",
            &EXCHANGE_NUMBER[1..]
        ));
        assert_eq!(
            (&page["numbers"][0]["hits"], &page["numbers"][0]["kept"]),
            (&json!(1), &json!(1)),
            "{page}"
        );
    }
}

/// T1.14: what was kept is gone with the process; the call that comes back is a new one, never a wrong one.
#[test]
fn killed_between_the_two_calls_it_attaches_nothing() {
    let far = SocketAddr::from((CARRIER, ports::one()));
    let exchange = SocketAddr::from((EXCHANGE, ports::one()));
    let mut w = world(Some(far), Some(exchange), |_| {});
    let mut pbx = Probe::udp(EXCHANGE, exchange.port());
    let mut callee = Probe::udp(Ipv4Addr::from(CARRIER), far.port());
    let (uri, peer) = (w.server.uri(EXCHANGE_NUMBER), w.server.sip);
    let original = w.far.shaken(A, EXCHANGE_NUMBER);
    let header = format!("Identity: {original}");
    let first = std::thread::spawn(move || {
        let mut carrier = Probe::udp(Ipv4Addr::from(CARRIER), 0);
        carrier.patience = Duration::from_secs(3);
        carrier.invite(&uri, A, peer, &[header]).0
    });
    let arrived = next_invite(&mut pbx);
    let key = arrived.header("X-Crosspoint-Call").to_string();
    assert_eq!(key.len(), 32, "{}", arrived.text);
    // The INVITE does not wait for the log (ADR 5): only what is in it survives.
    wait::until("the step in the log", || {
        let kept = |e: &Value| e["type"] == "identity.step" && e["data"]["step"] == "kept";
        let trails = w.server.trails();
        trails
            .iter()
            .any(|t| t.events.iter().any(kept))
            .then_some(())
    });
    w.server.crash_and_restart();
    // How the number forwards is known again; what was kept is not.
    let number = format!(
        "/v1/identity/forwarding?number=%2B{}",
        &EXCHANGE_NUMBER[1..]
    );
    let page = w.server.get(&number);
    let of = &page["numbers"][0];
    assert_eq!(
        (&of["calls"], &of["kept"]),
        (&json!(1), &json!(1)),
        "{page}"
    );
    assert_eq!(page["kept_now"], 0, "{page}");
    let (uri, peer) = (w.server.uri(C), w.server.sip);
    let back = std::thread::spawn(move || {
        let headers = vec![
            format!("Diversion: <sip:{EXCHANGE_NUMBER}@127.0.0.3>;reason=no-answer"),
            format!("X-Crosspoint-Call: {key}"),
        ];
        pbx.patience = Duration::from_secs(15);
        pbx.invite(&uri, A, peer, &headers).0
    });
    let left = next_invite(&mut callee);
    let sent: Vec<&str> = left.headers("Identity").collect();
    assert!(!left.text.contains(&original), "{}", left.text);
    assert_eq!(sent.len(), 1, "our own attestation alone: {}", left.text);
    let own = claims(sent[0]);
    assert_eq!(
        (&own["attest"], &own["dest"]["tn"][0]),
        (&json!("B"), &json!("12155557777")),
        "{own}"
    );
    assert_eq!(
        verified_elsewhere(&[(sent[0], w.ours.chain.as_str())]),
        [true]
    );
    callee.answer(&left, "486 Busy Here");
    let status = back.join().expect("the exchange's call").map(|a| a.status);
    assert_eq!(status, Some(486), "{}", w.server.log_tail());
    drop(first.join());
}

/// A phone that answers 302 diverts as well.
#[test]
fn a_phone_that_redirects_keeps_the_identity() {
    let far_port = ports::one();
    let w = world(Some(SocketAddr::from((CARRIER, far_port))), None, |_| {});
    let callee = Sipp::new("uas")
        .from(CARRIER)
        .port(far_port)
        .tcp()
        .start(w.server.sip);
    let mut desk = desk(&w);
    let token = w.far.shaken(A, DESK);
    let carrier = Sipp::new("uac_identity")
        .from(CARRIER)
        .value("FROM", A)
        .value("EXTRA", format!("\n      Identity: {token}"))
        .dial(DESK)
        .start(w.server.sip);
    let rung = next_invite(&mut desk);
    let contact = format!("Contact: <sip:{C}@{DOMAIN}>");
    desk.answer_with(&rung, "302 Moved Temporarily", &[contact]);
    carrier.succeed();
    let messages = callee.succeed();
    let found = identities(&messages);
    assert_eq!(found.len(), 2, "{messages}");
    assert_eq!(found[0], token);
    let div = claims(&found[1]);
    assert_eq!(
        (&div["div"]["tn"], &div["dest"]["tn"][0]),
        (&json!("12155551215"), &json!("12155557777"))
    );
}

/// What was proven of a caller goes along through a queue, a blind and an attended transfer.
#[test]
fn trust_survives_queue_blind_and_attended_transfer() {
    let w = plain();
    let server = &w.server;
    let mut ann = Setup::new("1002").tone(1_000).start(server);
    let mut bob = Setup::new("1003").tone(600).start(server);
    let token = w.far.shaken(A, QUEUE);
    let caller = Sipp::new("uac_identity")
        .from(CARRIER)
        .value("FROM", A)
        .value("EXTRA", format!("\n      Identity: {token}"))
        .dial(QUEUE)
        .hold_ms(20_000)
        .start(server.sip);
    let proven = |interaction: &str, when: &str| {
        let trust = w.trust(interaction);
        assert_eq!(
            (&trust["level"], &trust["verdict"]),
            (&json!("number"), &json!("valid")),
            "{when}: {trust}"
        );
        assert_eq!(trust["who"], "12155551212", "{when}: {trust}");
        assert_eq!(trust["by"], "709J", "{when}: {trust}");
        trust["at"].clone()
    };
    let first = wait::until("a phone that rings", || {
        let rings = [&ann, &bob].map(|p| p.has_seen("CALL_INCOMING"));
        rings.contains(&true).then_some(rings[0])
    });
    let (one, other) = if first {
        (&mut ann, &mut bob)
    } else {
        (&mut bob, &mut ann)
    };
    let other_agent = if first { "Bob" } else { "Ann" };
    let (one_extension, other_extension) = if first {
        ("201", "202")
    } else {
        ("202", "201")
    };
    one.expect("CALL_INCOMING");
    one.accept();
    let trail = server.wait_trail("a bridge", |t| t.has("call.bridged"));
    let at = proven(&trail.interaction, "at the first agent");
    // Blind, to the other agent.
    let to = json!({"destination": {"to": "agent", "agent": server.id_of("agents", "name", other_agent)}});
    server.command(
        &format!("/v1/legs/{}/transfer", trail.leg_of(one_extension)),
        &to,
    );
    other.expect("CALL_INCOMING");
    other.accept();
    let trail = server.wait_trail("the blind transfer", |t| t.count("call.bridged") == 2);
    assert_eq!(proven(&trail.interaction, "after the blind transfer"), at);
    // Attended, back to the first.
    let leg = trail.leg_of(other_extension);
    let target = json!({"target": {"kind": "extension", "extension": one_extension}});
    server.command(&format!("/v1/legs/{leg}/consult"), &target);
    one.expect("CALL_INCOMING");
    one.accept();
    server.wait_trail("the consultation", |t| t.has("consult.started"));
    server.command(&format!("/v1/legs/{leg}/complete"), &json!({}));
    let trail = server.wait_trail("the attended transfer", |t| t.count("call.bridged") >= 3);
    assert_eq!(
        proven(&trail.interaction, "after the attended transfer"),
        at
    );
    // Into another queue: who takes it there sees the same.
    let legs: Vec<String> = trail
        .all("leg.added")
        .filter(|e| e["address"].to_string().contains(one_extension))
        .filter_map(|e| e["leg"].as_str().map(str::to_string))
        .collect();
    let leg = legs.last().expect("the leg of the consultation");
    let to =
        json!({"destination": {"to": "queue", "queue": server.id_of("queues", "name", "second")}});
    server.command(&format!("/v1/legs/{leg}/transfer"), &to);
    let trail = server.wait_trail("a second offer", |t| t.count("offer.made") >= 2);
    assert_eq!(proven(&trail.interaction, "in the other queue"), at);
    let offered = trail.all("offer.made").last().expect("an offer")["agent"].clone();
    let to_ann = offered == json!(server.id_of("agents", "name", "Ann"));
    let taker = if to_ann == first { one } else { other };
    taker.expect("CALL_INCOMING");
    taker.accept();
    let bridged = trail.count("call.bridged");
    let trail = server.wait_trail("its answer", |t| t.count("call.bridged") > bridged);
    assert_eq!(
        proven(&trail.interaction, "after the other queue's answer"),
        at
    );
    drop(caller);
}
