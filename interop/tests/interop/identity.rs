//! Who calls, proven by signed tokens, with real peers: SIPp as the carrier, Kamailio as a customer's
//! exchange that sends calls on, certificates fetched over HTTPS.

use crate::stir::{Authority, INSIDE, Provider, SITE, SITE_PORT, SLOW, Site, claims, now_s};
use cp_interop::digest::Algorithm;
use cp_interop::kamailio::{CARRIER as EXCHANGE, Kamailio};
use cp_interop::phone::Setup;
use cp_interop::probe::{Probe, Received};
use cp_interop::server::{DOMAIN, binary, media_ports, number, password, phone, tenant, trunk};
use cp_interop::{Server, Sipp, ports, wait};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

mod forwarding;
mod rich;

/// The carrier's address, a caller far away, our numbers, and a number at the carrier.
const CARRIER: [u8; 4] = [127, 0, 0, 2];
const A: &str = "+12155551212";
const ANSWERS: &str = "+12155551213";
const EXCHANGE_NUMBER: &str = "+12155551214";
const DESK: &str = "+12155551215";
const QUEUE: &str = "+12155551216";
const C: &str = "+12155557777";

struct World {
    server: Server,
    site: Site,
    root: Authority,
    /// The far carrier's signer, and ours.
    far: Provider,
    ours: Provider,
    _folder: tempfile::TempDir,
}

/// `carrier`: where the carrier takes calls; `exchange`: where the customer's exchange is.
fn world(
    carrier: Option<SocketAddr>,
    exchange: Option<SocketAddr>,
    change: impl FnOnce(&mut Value),
) -> World {
    world_with(carrier, exchange, change, |_, _| Vec::new())
}

/// `more`: settings that need the site and the authority.
fn world_with(
    carrier: Option<SocketAddr>,
    exchange: Option<SocketAddr>,
    change: impl FnOnce(&mut Value),
    more: impl FnOnce(&Site, &Authority) -> Vec<(&'static str, String)>,
) -> World {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let site = Site::start(folder.path());
    let root = Authority::new("Root");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, root.pem()).expect("write");
    let far = root.provider("709J", "/far.pem");
    let mut ours = root.provider("810K", "/ours.pem");
    ours.url = format!("https://cert.ours.test:{SITE_PORT}/ours.pem");
    site.publish(&far);
    let host = |a: Option<SocketAddr>| a.map(|a| a.to_string()).unwrap_or_default();
    let mut by_carrier = trunk("carrier", &["127.0.0.2/32"], &host(carrier));
    by_carrier["dial_prefixes"] = json!(["+1215555777"]);
    by_carrier["rules"] = json!({"country_code": "1", "send_plus": true});
    let mut by_exchange = trunk("exchange", &["127.0.0.3/32"], &host(exchange));
    by_exchange["dial_prefixes"] = json!([]);
    by_exchange["may_dial_out"] = json!(true);
    by_exchange["rules"] = json!({"country_code": "1", "send_plus": true});
    by_exchange["identity"] = json!({"keep": "always"});
    let mut desk = phone("1001");
    desk["may_dial_out"] = json!(true);
    let agent = |name: &str, extension: &str, user: &str| {
        json!({"name": name, "extension": extension, "queues": ["support", "second"], "phone": user,
               "available_when_registered": true, "wrap_up_ms": 0})
    };
    let mut parts = json!({
        "phones": [desk, phone("1002"), phone("1003")],
        "agents": [agent("Ann", "201", "1002"), agent("Bob", "202", "1003")],
        "queues": [{"name": "support", "wrap_up_ms": 0, "ring_ms_max": 20_000}, {"name": "second", "wrap_up_ms": 0, "ring_ms_max": 20_000}],
        "trunks": [by_carrier, by_exchange],
        "identity_certificates": [
            {"name": "ours", "chain": ours.chain, "key": ours.key_pem(), "url": ours.url},
        ],
        "numbers": [
            number(ANSWERS, json!({"to": "answer"})),
            number(EXCHANGE_NUMBER, json!({"to": "trunk", "trunk": "exchange", "number": EXCHANGE_NUMBER})),
            number(DESK, json!({"to": "phone", "phone": "1001"})),
            number(QUEUE, json!({"to": "queue", "queue": "support"})),
        ],
    });
    change(&mut parts);
    let mut settings = site.settings(folder.path(), &roots);
    settings.push(("CROSSPOINT_MEDIA_PORTS", media_ports(700)));
    let more = more(&site, &root);
    if !more.is_empty() {
        // Who signs the list is whom everybody trusts here.
        let signer = roots.display().to_string();
        settings.push(("CROSSPOINT_IDENTITY_REVOCATIONS_SIGNER", signer));
    }
    settings.extend(more);
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    World {
        server: Server::start_with(&tenant(parts), &settings),
        site,
        root,
        far,
        ours,
        _folder: folder,
    }
}

fn plain() -> World {
    world(None, None, |_| {})
}

impl World {
    /// A call of the carrier's by SIPp, to its good end. Its messages, and what is known of it.
    fn call(&self, to: &str, headers: &[String]) -> (String, Value) {
        let before = self.server.trails().len();
        let lines: String = headers
            .iter()
            .map(|h| format!("\n      Identity: {h}"))
            .collect();
        let messages = Sipp::new("uac_identity")
            .from(CARRIER)
            .value("FROM", A)
            .value("EXTRA", lines)
            .dial(to)
            .hold_ms(50)
            .run(self.server.sip);
        let trails = self.server.trails();
        assert_eq!(trails.len(), before + 1, "one interaction a call");
        let newest = &trails[trails.len() - 1].interaction;
        (messages, self.trust(newest))
    }

    fn trust(&self, interaction: &str) -> Value {
        self.server.get(&format!("/v1/interactions/{interaction}"))["trust"].clone()
    }

    /// The words of a call's trace.
    fn steps(&self, interaction: &str) -> Vec<String> {
        let trace = self
            .server
            .get(&format!("/v1/identity/traces/{interaction}"));
        let steps = trace["steps"].as_array().cloned().unwrap_or_default();
        let word = |s: &Value| format!("{} {}", s["step"], s["detail"]).replace('"', "");
        steps.iter().map(word).collect()
    }
}

/// Spoils the signature.
fn forged(header: &str) -> String {
    let at = header.find(";info").expect("a parameter") - 10;
    let other = if &header[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &header[..at], &header[at + 1..])
}

#[test]
fn every_verdict_is_told_and_the_call_goes_on() {
    let w = plain();
    let foreign = Authority::new("Foreign").provider("709J", "/foreign.pem");
    w.site.publish(&foreign);
    let at = |url: &str| {
        let mut p = w.root.provider("709J", "/elsewhere.pem");
        p.url = url.to_string();
        p.shaken(A, ANSWERS)
    };
    let private = at("https://127.0.0.1:8443/far.pem");
    let inside = at(&format!("https://{INSIDE}:{SITE_PORT}/far.pem"));
    let missing = at(&format!(
        "https://cert.interop.test:{SITE_PORT}/nothing.pem"
    ));
    let good = w.far.shaken(A, ANSWERS);
    let again = w.far.shaken_at(A, ANSWERS, now_s() - 5);
    type Row = (
        &'static str,
        Vec<String>,
        &'static str,
        Option<u16>,
        &'static str,
    );
    let table: Vec<Row> = vec![
        ("valid", vec![good.clone()], "valid", None, "number"),
        (
            "the same token in another call",
            vec![good],
            "valid",
            None,
            "asserted",
        ),
        (
            "forged",
            vec![forged(&again)],
            "invalid",
            Some(438),
            "refuted",
        ),
        (
            "stale",
            vec![w.far.shaken_at(A, ANSWERS, now_s() - 75)],
            "stale",
            Some(403),
            "unknown",
        ),
        (
            "of tomorrow",
            vec![w.far.shaken_at(A, ANSWERS, now_s() + 90)],
            "stale",
            Some(403),
            "unknown",
        ),
        (
            "another caller's",
            vec![w.far.shaken("+12155559999", ANSWERS)],
            "invalid",
            Some(438),
            "refuted",
        ),
        (
            "for somebody else",
            vec![w.far.shaken(A, C)],
            "invalid",
            Some(438),
            "refuted",
        ),
        (
            "a foreign certificate",
            vec![foreign.shaken(A, ANSWERS)],
            "invalid",
            Some(437),
            "refuted",
        ),
        (
            "an address inside",
            vec![private],
            "refused",
            Some(436),
            "unknown",
        ),
        (
            "a name that leads inside",
            vec![inside],
            "refused",
            Some(436),
            "unknown",
        ),
        (
            "no certificate there",
            vec![missing],
            "refused",
            Some(436),
            "unknown",
        ),
        (
            "one bad, one good",
            vec![forged(&again), again.clone()],
            "valid",
            None,
            "number",
        ),
        ("nothing", vec![], "none", Some(428), "unknown"),
    ];
    for (what, headers, verdict, code, level) in table {
        let (messages, trust) = w.call(ANSWERS, &headers);
        assert_eq!(trust["verdict"], verdict, "{what}: {trust}");
        assert_eq!(trust["code"], json!(code), "{what}: {trust}");
        assert_eq!(trust["level"], level, "{what}: {trust}");
        let reason = messages.lines().find(|l| l.starts_with("Reason: STIR"));
        match code {
            None => assert_eq!(reason, None, "{what}"),
            Some(code) => {
                let reason = reason.unwrap_or_else(|| panic!("{what}: no Reason in {messages}"));
                assert!(
                    reason.contains(&format!(";cause={code} ")),
                    "{what}: {reason}"
                );
                let compact = headers
                    .first()
                    .and_then(|h| h.split(';').next()?.rsplit('.').next());
                if let Some(signature) = compact {
                    assert!(
                        reason.contains(&format!("..{signature}")),
                        "{what}: {reason}"
                    );
                }
            }
        }
    }
    // One certificate, one fetch; nobody connected to the name that was not allowed, nor to us.
    let asked = w.site.asked();
    let count = |path: &str| asked.iter().filter(|p| *p == path).count();
    assert_eq!(
        (count("/far.pem"), count("/foreign.pem"), count("")),
        (1, 1, 0),
        "{asked:?}"
    );
}

/// T1.8: a certificate that comes one byte a second delays nobody for more than two.
#[test]
fn a_slow_certificate_delays_no_call() {
    let w = plain();
    let slow = w.root.provider("709J", SLOW);
    w.site.publish(&slow);
    let mut carrier = Probe::udp(Ipv4Addr::from(CARRIER), 0);
    let token = format!("Identity: {}", slow.shaken(A, ANSWERS));
    let begun = Instant::now();
    let (answer, dialog) = carrier.invite(&w.server.uri(ANSWERS), A, w.server.sip, &[token]);
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(
        begun.elapsed() < Duration::from_millis(2_500),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        answer.header("Reason").contains("cause=436"),
        "{}",
        answer.text
    );
    carrier.in_dialog(&mut dialog.expect("a call"), "BYE", &[]);
    assert_eq!(
        w.trust(&w.server.wait_only_trail().interaction)["verdict"],
        "refused"
    );
}

/// T1.8: a thousand calls at once whose certificate never comes: one fetch, and all of them go on.
#[test]
fn a_thousand_calls_with_one_dead_certificate_cause_one_fetch() {
    const CALLS: usize = 1_000;
    let w = plain();
    let slow = w.root.provider("709J", SLOW);
    w.site.publish(&slow);
    let socket = UdpSocket::bind((Ipv4Addr::from(CARRIER), 0)).expect("a socket");
    let timeout = Some(Duration::from_millis(100));
    socket.set_read_timeout(timeout).expect("a time limit");
    let local = socket.local_addr().expect("a bound socket");
    let iat = now_s();
    let begun = Instant::now();
    let mut told: HashSet<String> = HashSet::new();
    let mut buffer = [0; 4_096];
    let mut listen = |told: &mut HashSet<String>| {
        while let Ok(n) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..n]);
            let id = text.lines().find_map(|l| l.strip_prefix("Call-ID: "));
            if text.contains("STIR ;cause=436") {
                told.extend(id.map(str::to_string));
            }
        }
    };
    let invite = |n: usize| {
        let token = slow.shaken_at(A, EXCHANGE_NUMBER, iat - (n % 50) as i64);
        format!(
            "INVITE {to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKdead{n};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{A}@{local}>;tag=t{n}\r\nTo: <{to}>\r\nCall-ID: dead{n}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:{A}@{local}>\r\nIdentity: {token}\r\nContent-Length: 0\r\n\r\n",
            to = w.server.uri(EXCHANGE_NUMBER),
        )
    };
    let invites: Vec<String> = (0..CALLS).map(invite).collect();
    // What a buffer on the way had no room for is sent again (RFC 3261 17.1.1.2).
    while told.len() < CALLS && begun.elapsed() < Duration::from_secs(30) {
        for (n, text) in invites.iter().enumerate() {
            if !told.contains(&format!("dead{n}")) {
                socket.send_to(text.as_bytes(), w.server.sip).expect("send");
            }
        }
        listen(&mut told);
    }
    println!(
        "{} of {CALLS} went on within {:?}",
        told.len(),
        begun.elapsed()
    );
    assert_eq!(
        told.len(),
        CALLS,
        "each is told that its certificate could not be had"
    );
    let fetches = w.site.asked().iter().filter(|p| *p == SLOW).count();
    assert_eq!(fetches, 1, "{:?}", w.site.asked());
}

/// T1.9: the list of what was revoked is fetched from its address, and again when told to.
#[test]
fn a_revoked_certificate_proves_nothing() {
    const LIST: &str = "/list.crl";
    let mut w = world_with(
        None,
        None,
        |_| {},
        |site, root| {
            site.put(LIST, root.revoked(&["999X"]));
            let url = format!("https://{SITE}:{SITE_PORT}{LIST}");
            vec![("CROSSPOINT_IDENTITY_REVOCATIONS_URL", url)]
        },
    );
    wait::until("the list", || {
        w.server
            .log()
            .contains("revocation list fetched")
            .then_some(())
    });
    let (_, trust) = w.call(ANSWERS, &[w.far.shaken(A, ANSWERS)]);
    assert_eq!(trust["verdict"], "valid", "{trust}");
    // A list that cannot be read changes nothing, one that names the certificate does.
    w.site.put(LIST, "nonsense".into());
    w.server.process().reload();
    wait::until("a complaint", || {
        w.server.log().contains("the old one stays").then_some(())
    });
    let (_, trust) = w.call(ANSWERS, &[w.far.shaken_at(A, ANSWERS, now_s() - 1)]);
    assert_eq!(trust["verdict"], "valid", "{trust}");
    w.site.put(LIST, w.root.revoked(&["999X", "709J"]));
    w.server.process().reload();
    wait::until("the new list", || {
        let fetched = w.server.log().matches("revocation list fetched").count();
        (fetched == 2).then_some(())
    });
    let (messages, trust) = w.call(ANSWERS, &[w.far.shaken_at(A, ANSWERS, now_s() - 2)]);
    assert_eq!(
        (&trust["verdict"], &trust["code"]),
        (&json!("invalid"), &json!(437)),
        "{trust}"
    );
    assert_eq!(trust["reasons"], json!(["certificate_revoked"]));
    assert!(messages.contains("Reason: STIR ;cause=437"), "{messages}");
}

/// The list as the policy administrator of the real world publishes it: signed by somebody who issued
/// none of the certificates on it, each entry with its issuer (RFC 5280 5.3.3). Made by another make.
#[test]
fn a_list_of_the_policy_administrator_revokes_certificates_of_others() {
    const LIST: &str = "/indirect.crl";
    let program = "import json,sys,datetime\n\
        from cryptography import x509\n\
        from cryptography.hazmat.primitives import hashes,serialization\n\
        q=json.load(sys.stdin); t=datetime.datetime(2026,1,1); y=datetime.timedelta(days=7000)\n\
        signer=x509.load_pem_x509_certificate(q['signer'].encode()); key=serialization.load_pem_private_key(q['key'].encode(),None)\n\
        root=x509.load_pem_x509_certificate(q['root'].encode())\n\
        b=x509.CertificateRevocationListBuilder().issuer_name(signer.subject).last_update(t).next_update(t+y)\n\
        b=b.add_extension(x509.IssuingDistributionPoint(None,None,False,False,None,True,False),True)\n\
        for i,code in enumerate(q['codes']):\n\
        \x20 r=x509.RevokedCertificateBuilder().serial_number(int.from_bytes(code.encode(),'big')).revocation_date(t)\n\
        \x20 if i==0: r=r.add_extension(x509.CertificateIssuer([x509.DirectoryName(root.subject)]),True)\n\
        \x20 b=b.add_revoked_certificate(r.build())\n\
        print(b.sign(key,hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode())\n";
    let administrator = Authority::new("Policy administrator");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let signer = folder.path().join("administrator.pem");
    std::fs::write(&signer, administrator.pem()).expect("write");
    let list = |root: &Authority, codes: &[&str]| {
        let input = json!({"signer": administrator.pem(), "key": administrator.key_pem(), "root": root.pem(), "codes": codes});
        python(program, &input.to_string())
    };
    let w = world_with(
        None,
        None,
        |_| {},
        |site, root| {
            site.put(LIST, list(root, &["999X", "709J"]));
            let url = format!("https://{SITE}:{SITE_PORT}{LIST}");
            vec![
                ("CROSSPOINT_IDENTITY_REVOCATIONS_URL", url),
                (
                    "CROSSPOINT_IDENTITY_REVOCATIONS_SIGNER",
                    signer.display().to_string(),
                ),
            ]
        },
    );
    wait::until("the list", || {
        let log = w.server.log();
        log.contains("revocation list fetched").then_some(())
    });
    let (messages, trust) = w.call(ANSWERS, &[w.far.shaken(A, ANSWERS)]);
    assert_eq!(trust["reasons"], json!(["certificate_revoked"]), "{trust}");
    assert!(messages.contains("Reason: STIR ;cause=437"), "{messages}");
    // A serial of the same number under another issuer is another certificate.
    let other = w.root.provider("888Y", "/other.pem");
    w.site.publish(&other);
    let (_, trust) = w.call(ANSWERS, &[other.shaken(A, ANSWERS)]);
    assert_eq!(trust["verdict"], "valid", "{trust}");
}

#[test]
fn a_trunk_may_refuse_what_does_not_hold() {
    let w = world(None, None, |parts| {
        parts["trunks"][0]["identity"] = json!({"on_failure": "reject_failed"});
    });
    let mut carrier = Probe::udp(Ipv4Addr::from(CARRIER), 0);
    let mut call = |headers: Vec<String>| {
        let headers: Vec<String> = headers.iter().map(|h| format!("Identity: {h}")).collect();
        let (answer, dialog) = carrier.invite(&w.server.uri(ANSWERS), A, w.server.sip, &headers);
        if let Some(mut dialog) = dialog {
            carrier.in_dialog(&mut dialog, "BYE", &[]);
        }
        answer.expect("an answer")
    };
    let refused = call(vec![forged(&w.far.shaken(A, ANSWERS))]);
    assert_eq!(refused.status, 438, "{}", refused.text);
    assert!(
        refused
            .text
            .starts_with("SIP/2.0 438 Invalid Identity Header"),
        "{}",
        refused.text
    );
    assert_eq!(
        call(vec![w.far.shaken_at(A, ANSWERS, now_s() - 3_600)]).status,
        403
    );
    assert_eq!(
        call(vec![]).status,
        200,
        "an unsigned call is none that failed"
    );
    assert_eq!(call(vec![w.far.shaken(A, ANSWERS)]).status, 200);
}

/// Phone 1001, by hand: registered, and told of each INVITE that comes.
fn desk(w: &World) -> Probe {
    let mut desk = Probe::udp(Ipv4Addr::LOCALHOST, 0);
    let answer = desk.register(
        "1001",
        DOMAIN,
        &password("1001"),
        Algorithm::Sha256,
        w.server.sip,
    );
    assert_eq!(answer.map(|a| a.status), Some(200));
    desk
}

fn next_invite(desk: &mut Probe) -> Received {
    wait::until("an INVITE at the phone", || {
        let got = desk.receive(Duration::from_millis(200))?;
        got.text.starts_with("INVITE ").then_some(got)
    })
}

/// The carrier calls; the phone refuses after a look. The INVITE at the phone and the carrier's answer.
fn ring(w: &World, desk: &mut Probe, from: &str, headers: Vec<String>) -> (Received, Received) {
    let (uri, peer, from) = (w.server.uri(DESK), w.server.sip, from.to_string());
    let carrier = std::thread::spawn(move || {
        let mut carrier = Probe::udp(Ipv4Addr::from(CARRIER), 0);
        carrier.patience = Duration::from_secs(15);
        carrier
            .invite(&uri, &from, peer, &headers)
            .0
            .expect("an answer")
    });
    let rung = next_invite(desk);
    desk.answer(&rung, "486 Busy Here");
    (rung, carrier.join().expect("the carrier's call"))
}

#[test]
fn phones_are_told_the_verdict_and_strangers_marks_are_taken_off() {
    let w = plain();
    let mut desk = desk(&w);
    let token = format!("Identity: {}", w.far.shaken(A, DESK));
    let (rung, _) = ring(&w, &mut desk, A, vec![token]);
    let asserted: Vec<&str> = rung.headers("P-Asserted-Identity").collect();
    assert_eq!(
        asserted,
        ["<tel:+12155551212;verstat=TN-Validation-Passed>"],
        "{}",
        rung.text
    );
    // A stranger claims what only a verifier may say.
    let marks = [
        "P-Asserted-Identity: <tel:+12155550000;verstat=TN-Validation-Passed>",
        "P-Attestation-Indicator: A",
        "P-Origination-ID: 123e4567-e89b-12d3-a456-426655440000",
        "Call-Info: <https://evil.test/card.json>;purpose=jcard;verified=\"true\"",
    ];
    let forge = |name: &str| marks.map(|m| m.replacen(':', name, 1)).to_vec();
    for headers in [forge(":"), forge(" :")] {
        let (rung, refusal) = ring(&w, &mut desk, A, headers);
        assert_eq!(refusal.status, 486);
        assert!(
            refusal.header("Reason").contains("cause=428"),
            "{}",
            refusal.text
        );
        let asserted: Vec<&str> = rung.headers("P-Asserted-Identity").collect();
        assert_eq!(
            asserted,
            ["<tel:+12155551212;verstat=No-TN-Validation>"],
            "{}",
            rung.text
        );
        for word in [
            "TN-Validation-Passed",
            "evil.test",
            "12155550000",
            "P-Attestation",
            "P-Origination",
        ] {
            assert!(!rung.text.contains(word), "{word} in {}", rung.text);
        }
    }
    let bad = format!("Identity: {}", forged(&w.far.shaken(A, DESK)));
    let (rung, _) = ring(&w, &mut desk, A, vec![bad]);
    assert!(
        rung.header("P-Asserted-Identity")
            .contains("TN-Validation-Failed"),
        "{}",
        rung.text
    );
}

/// The Identity headers of the INVITE that a SIPp callee got.
fn identities(messages: &str) -> Vec<String> {
    let invite = messages.split("INVITE sip:").nth(1).unwrap_or("");
    let head = invite.split("\n\n").next().unwrap_or(invite);
    let lines = head.lines().map(str::trim).take_while(|l| !l.is_empty());
    let values = lines.filter_map(|l| l.strip_prefix("Identity: "));
    values.map(str::to_string).collect()
}

/// What a verifier of another make (Python's cryptography) finds: 1 for each signature that holds.
fn verified_elsewhere(tokens: &[(&str, &str)]) -> Vec<bool> {
    let program = "import base64,json,sys\n\
        from cryptography import x509\n\
        from cryptography.hazmat.primitives import hashes\n\
        from cryptography.hazmat.primitives.asymmetric import ec,utils\n\
        d=lambda s: base64.urlsafe_b64decode(s+'='*(-len(s)%4))\n\
        for token,pem in json.load(sys.stdin):\n\
        \x20 i,s=token.split(';')[0].rsplit('.',1); s=d(s)\n\
        \x20 key=x509.load_pem_x509_certificate(pem.encode()).public_key()\n\
        \x20 der=utils.encode_dss_signature(int.from_bytes(s[:32],'big'),int.from_bytes(s[32:],'big'))\n\
        \x20 try: key.verify(der,i.encode(),ec.ECDSA(hashes.SHA256())); print(1)\n\
        \x20 except Exception: print(0)\n";
    let out = python(program, &json!(tokens).to_string());
    out.lines().map(|l| l == "1").collect()
}

fn python(program: &str, input: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("input.json");
    std::fs::write(&file, input).expect("write");
    let out = Command::new("python3")
        .args(["-c", program])
        .stdin(std::fs::File::open(&file).expect("open"))
        .output()
        .expect("python3 runs");
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{errors}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// T1.4 the other way round: what another make signs, `crosspoint identity check` takes; what is not
/// signed so, it does not.
#[test]
fn tokens_of_another_make() {
    let program = "import base64,json,sys,datetime\n\
        from cryptography import x509\n\
        from cryptography.x509.oid import NameOID\n\
        from cryptography.hazmat.primitives import hashes,serialization\n\
        from cryptography.hazmat.primitives.asymmetric import ec,utils\n\
        e=lambda x: base64.urlsafe_b64encode(x).rstrip(b'=').decode()\n\
        pem=lambda c: c.public_bytes(serialization.Encoding.PEM).decode()\n\
        name=lambda n: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME,n)])\n\
        t=datetime.datetime(2026,1,1)\n\
        def cert(cn,key,issuer,by,ca,ext):\n\
        \x20 b=x509.CertificateBuilder().subject_name(name(cn)).issuer_name(name(issuer)).public_key(key.public_key())\n\
        \x20 b=b.serial_number(x509.random_serial_number()).not_valid_before(t).not_valid_after(t+datetime.timedelta(days=900))\n\
        \x20 b=b.add_extension(x509.BasicConstraints(ca,None),True)\n\
        \x20 if ext: b=b.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier('1.3.6.1.5.5.7.1.26'),ext),False)\n\
        \x20 return b.sign(by,hashes.SHA256())\n\
        rk,k,other=[ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]\n\
        certs={'root':pem(cert('R',rk,'R',rk,True,None)),'leaf':pem(cert('SHAKEN 1234',k,'R',rk,False,bytes.fromhex('3008a006160431323334')))}\n\
        u='https://cert.example.org/leaf.pem'; now=1780000000; cases=[]\n\
        for n in range(int(sys.stdin.read())):\n\
        \x20 orig=str(12155550000+n%9999); dest=str(442071230000+n)\n\
        \x20 c={'attest':'ABC'[n%3],'dest':{'tn':[dest]},'iat':now+n%121-60,'orig':{'tn':orig},'origid':'123e4567-e89b-12d3-a456-%012x'%n}\n\
        \x20 j={'alg':'ES256','ppt':'shaken','typ':'passport','x5u':u}\n\
        \x20 i='.'.join(e(json.dumps(x,separators=(',',':'),sort_keys=True).encode()) for x in (j,c))\n\
        \x20 r,s=utils.decode_dss_signature((other if n%10==9 else k).sign(i.encode(),ec.ECDSA(hashes.SHA256())))\n\
        \x20 cases.append({'id':str(n),'identity':[i+'.'+e(r.to_bytes(32,'big')+s.to_bytes(32,'big'))+';info=<'+u+'>;alg=ES256;ppt=shaken'],'from_tn':orig,'request_uri_tn':dest,'now':now})\n\
        print(json.dumps({'certs':certs,'x5u':{u:'leaf'},'cases':cases}))\n";
    // `CP_CASES=10000` for a long run.
    let wanted = std::env::var("CP_CASES").ok().and_then(|n| n.parse().ok());
    let count = wanted.unwrap_or(1_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cases.json");
    std::fs::write(&file, python(program, &count.to_string())).expect("write");
    let out = Command::new(binary())
        .args(["identity", "check"])
        .arg(&file)
        .output();
    let out = out.expect("crosspoint runs");
    let text = String::from_utf8(out.stdout).expect("text");
    assert_eq!(
        text.lines().count(),
        count,
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    for (n, line) in text.lines().enumerate() {
        let wanted = if n % 10 == 9 {
            r#""reason":"signature""#
        } else {
            r#""verdict":"valid""#
        };
        assert!(line.contains(wanted), "{line}");
    }
}
