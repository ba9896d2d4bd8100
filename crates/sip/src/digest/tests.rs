//! Vectors of the RFCs, and what happens to guessers, replays and late comers.

use super::server::small_keeper;
use super::*;
use cp_vocab::time::Timestamp;
use std::time::Duration;

const REALM: &str = "pbx.example.com";
const URI: &str = "sip:100@pbx.example.com";

fn credential() -> ClientCredential {
    ClientCredential {
        user: "anna".into(),
        password: "correct horse".into(),
    }
}

struct Server {
    keeper: NonceKeeper,
    ha1_md5: String,
    ha1_sha256: String,
}

impl Server {
    fn new() -> Self {
        Self::of(NonceKeeper::new([1; 32]))
    }
    fn of(keeper: NonceKeeper) -> Self {
        let c = credential();
        Self {
            keeper,
            ha1_md5: ha1(Algorithm::Md5, &c.user, REALM, &c.password),
            ha1_sha256: ha1(Algorithm::Sha256, &c.user, REALM, &c.password),
        }
    }
    fn challenged(&mut self, now: Timestamp, of: usize) -> ClientSession {
        let values = self.keeper.challenge(now, REALM, false);
        ClientSession::pick(values.iter().skip(of).map(String::as_str), "c0ffee")
            .expect("a challenge we can answer")
    }
    fn judge(&mut self, now: Timestamp, value: &str) -> Outcome {
        self.judge_for(now, value, "INVITE", URI)
    }
    fn judge_for(&mut self, now: Timestamp, value: &str, method: &str, uri: &str) -> Outcome {
        let authorization = Authorization::parse(value).expect("credentials");
        let secrets = (authorization.username == "anna").then_some(Secrets {
            ha1_md5: &self.ha1_md5,
            ha1_sha256: &self.ha1_sha256,
        });
        let request = Request {
            method,
            uri,
            body: b"",
            realm: REALM,
        };
        self.keeper.verify(now, &authorization, &request, secrets)
    }
}

fn send(session: &mut ClientSession) -> String {
    session.authorization(&credential(), "INVITE", URI, b"")
}

const START: Timestamp = Timestamp::from_secs(1_000);

#[test]
fn vectors_of_rfc7616_and_rfc2617() {
    let rfc7616 = |algorithm| {
        Computation {
            algorithm,
            ha1: &ha1(
                algorithm,
                "Mufasa",
                "http-auth@example.org",
                "Circle of Life",
            ),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
            qop: Some(Qop::Auth),
            nc: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        }
        .response()
    };
    assert_eq!(rfc7616(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(
        rfc7616(Algorithm::Sha256),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
    let rfc2617 = Computation {
        algorithm: Algorithm::Md5,
        ha1: &ha1(
            Algorithm::Md5,
            "Mufasa",
            "testrealm@host.com",
            "Circle Of Life",
        ),
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
        qop: Some(Qop::Auth),
        nc: "00000001",
        cnonce: "0a4f113b",
    };
    assert_eq!(rfc2617.response(), "6629fae49393a05397450978507c4ef1");
    // RFC 2069, as corrected by its erratum: no qop.
    let rfc2069 = Computation {
        ha1: &ha1(
            Algorithm::Md5,
            "Mufasa",
            "testrealm@host.com",
            "CircleOfLife",
        ),
        qop: None,
        ..rfc2617
    };
    assert_eq!(rfc2069.response(), "1949323746fe6a43ef61f9606e7febea");
}

#[test]
fn client_and_server_agree_on_both_algorithms() {
    for (skip, name) in [(0, "algorithm=SHA-256"), (1, "algorithm=MD5")] {
        let mut server = Server::new();
        let value = send(&mut server.challenged(START, skip));
        assert!(value.contains(name), "{value}");
        assert_eq!(server.judge(START, &value), Outcome::Ok);
    }
}

#[test]
fn a_count_serves_once_in_any_order_within_the_window() {
    let mut server = Server::new();
    let mut session = server.challenged(START, 0);
    let values: Vec<_> = (0..80).map(|_| send(&mut session)).collect();
    for i in [0, 2, 1, 70, 69, 7] {
        assert_eq!(server.judge(START, &values[i]), Outcome::Ok, "{i}");
        assert_eq!(server.judge(START, &values[i]), Outcome::Stale, "{i}");
    }
    // 70 counts behind the highest: not known any more whether it was used.
    assert_eq!(server.judge(START, &values[3]), Outcome::Stale);
    assert_eq!(server.judge(START, &values[79]), Outcome::Ok);
}

#[test]
fn a_nonce_ends_and_comes_from_us_only() {
    let mut server = Server::new();
    let mut session = server.challenged(START, 0);
    let late = START + NONCE_LIFETIME + Duration::from_secs(1);
    assert_eq!(server.judge(late, &send(&mut session)), Outcome::Stale);
    let early = Timestamp::from_secs(999);
    assert_eq!(server.judge(early, &send(&mut session)), Outcome::Stale);
    // Another server's nonce, or ours for another realm.
    let mut other = Server::of(NonceKeeper::new([2; 32]));
    assert_eq!(
        server.judge(START, &send(&mut other.challenged(START, 0))),
        Outcome::Stale
    );
    for nonce in ["x", "", "é", &"0".repeat(48), &"é".repeat(24)] {
        let challenge = format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", qop=\"auth\"");
        if let Some(mut forged) = ClientSession::pick([challenge.as_str()].into_iter(), "c") {
            assert_eq!(server.judge(START, &send(&mut forged)), Outcome::Stale);
        }
    }
}

#[test]
fn rotation_keeps_the_nonces_of_one_secret_before() {
    let mut server = Server::new();
    let mut session = server.challenged(START, 0);
    server.keeper.rotate([5; 32]);
    assert_eq!(server.judge(START, &send(&mut session)), Outcome::Ok);
    server.keeper.rotate([6; 32]);
    assert_eq!(server.judge(START, &send(&mut session)), Outcome::Stale);
}

#[test]
fn forgetting_under_pressure_lets_no_replay_in() {
    let mut server = Server::of(small_keeper([1; 32], 3));
    let mut first = None;
    for i in 0..5 {
        let now = Timestamp::from_secs(1_000 + i);
        let value = send(&mut server.challenged(now, 0));
        assert_eq!(server.judge(now, &value), Outcome::Ok);
        first.get_or_insert(value);
    }
    assert_eq!(server.keeper.remembered(), 3);
    let now = Timestamp::from_secs(1_005);
    let replay = first.expect("five were sent");
    assert_eq!(server.judge(now, &replay), Outcome::Stale);
    server.keeper.sweep(Timestamp::from_secs(2_000));
    assert_eq!(server.keeper.remembered(), 0);
}

#[test]
fn wrong_credentials_are_bad_and_leave_no_trace() {
    let mut server = Server::new();
    let mut session = server.challenged(START, 0);
    let good = send(&mut session);
    let wrong = ClientCredential {
        password: "wrong".into(),
        ..credential()
    };
    let stranger = ClientCredential {
        user: "eve".into(),
        ..credential()
    };
    let (nc, qop) = ("nc=00000001", "qop=auth");
    for value in [
        session.authorization(&wrong, "INVITE", URI, b""),
        session.authorization(&stranger, "INVITE", URI, b""),
        session.authorization(&credential(), "REGISTER", URI, b""),
        good.replace("anna", "eve"),
        good.replace("SHA-256", "MD5"),
        good.replace("SHA-256", "SHA-512-256"),
        good.replace(nc, "nc=1"),
        good.replace(nc, "nc=00000000"),
        good.replace(nc, "nc=+0000001"),
        good.replace(nc, "x=1"),
        good.replace(qop, "qop=nothing"),
        good.replace("cnonce", "x"),
        good.replace(REALM, "other.example.com"),
    ] {
        assert_eq!(server.judge(START, &value), Outcome::Bad, "{value}");
    }
    // The credentials of one call do not open another; a host changed on the way is no matter.
    let elsewhere = "sip:+900123456@pbx.example.com";
    assert_eq!(
        server.judge_for(START, &good, "INVITE", elsewhere),
        Outcome::Bad
    );
    assert_eq!(server.keeper.remembered(), 0);
    let inside = "sip:100@10.0.0.7:5080;transport=tcp";
    assert_eq!(
        server.judge_for(START, &good, "INVITE", inside),
        Outcome::Ok
    );
}

#[test]
fn a_client_of_rfc2069_is_served_once_for_each_nonce() {
    let mut server = Server::new();
    let value = server.keeper.challenge(START, REALM, false)[1].replace(", qop=\"auth\"", "");
    let mut session = ClientSession::pick([value.as_str()].into_iter(), "c").expect("one");
    let value = send(&mut session);
    assert!(
        !value.contains("qop") && !value.contains("cnonce"),
        "{value}"
    );
    assert_eq!(server.judge(START, &value), Outcome::Ok);
    assert_eq!(server.judge(START, &value), Outcome::Stale);
}

#[test]
fn the_client_picks_the_best_it_knows() {
    let pick = |values: &[&str]| {
        ClientSession::pick(values.iter().copied(), "c").map(|mut s| {
            let value = s.authorization(&credential(), "REGISTER", "sip:h", b"x");
            assert!(Authorization::parse(&value).is_some(), "{value}");
            value
        })
    };
    let has = |values: &[&str], wanted: &[&str]| {
        let value = pick(values).expect("an answer");
        for part in wanted {
            assert!(value.contains(part), "{value} lacks {part}");
        }
    };
    let (md5, sha) = (
        r#"Digest realm="r", nonce="m", algorithm=MD5, qop="auth""#,
        r#"Digest realm="r", nonce="s", algorithm=SHA-256, qop="auth""#,
    );
    let unknown = r#"Digest realm="r", nonce="u", algorithm=SHA-512-256, qop="auth""#;
    has(&[md5, sha], &[r#"nonce="s""#, "algorithm=SHA-256"]);
    has(&[unknown, md5], &[r#"nonce="m""#, "nc=00000001"]);
    has(&[r#"Basic realm="r""#, md5], &[r#"nonce="m""#]);
    has(
        &[r#"Digest realm="r", nonce="n", qop="auth,auth-int", opaque="o,p""#],
        &["qop=auth,", r#"opaque="o,p""#],
    );
    has(
        &[r#"Digest realm="r", nonce="n", qop="auth-int""#],
        &["qop=auth-int"],
    );
    has(
        &[r#"Digest realm="a \"b\"", nonce="n""#],
        &[r#"realm="a \"b\"""#],
    );
    has(
        &["digest REALM=r,NONCE=n,Algorithm=md5-sess"],
        &["algorithm=MD5-sess", "cnonce"],
    );
    let two = format!("{md5}, {sha}");
    has(&[&two], &[r#"nonce="s""#]);
    for hopeless in [
        unknown,
        "Basic realm=\"r\"",
        "Digest",
        "",
        "Digest realm=\"r\"",
        "Digest nonce=n, qop=\"x\"",
    ] {
        assert_eq!(pick(&[hopeless]), None, "{hopeless}");
    }
}

#[test]
fn integrity_covers_the_body() {
    let mut server = Server::new();
    let challenge =
        server.keeper.challenge(START, REALM, false)[0].replace("\"auth\"", "\"auth-int\"");
    let mut session = ClientSession::pick([challenge.as_str()].into_iter(), "c").expect("one");
    let value = session.authorization(&credential(), "INVITE", URI, b"v=0");
    let authorization = Authorization::parse(&value).expect("credentials");
    let mut judge = |body: &[u8]| {
        let request = Request {
            method: "INVITE",
            uri: URI,
            body,
            realm: REALM,
        };
        let secrets = Secrets {
            ha1_md5: &server.ha1_md5,
            ha1_sha256: &server.ha1_sha256,
        };
        server
            .keeper
            .verify(START, &authorization, &request, Some(secrets))
    };
    assert_eq!(judge(b"v=1"), Outcome::Bad);
    assert_eq!(judge(b"v=0"), Outcome::Ok);
}

#[test]
fn other_schemes_and_scraps_are_no_credentials() {
    for value in [
        "NoOneKnowsThisScheme opaque-data=here",
        "Digest",
        "Digestusername=a",
        "Digest username=\"a",
        "Digest username=\"a\", nonce=\"b\"",
        "",
    ] {
        assert_eq!(Authorization::parse(value), None, "{value}");
    }
}
