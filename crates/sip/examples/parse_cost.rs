//! What it costs to read and judge a usual INVITE (1.4 kB, with Identity and SDP), to write its
//! answer, and to negotiate its SDP. Run with `cargo run --release -p cp-sip --example parse_cost`.

use bytes::Bytes;
use cp_sip::build::Builder;
use cp_sip::digest::{
    Authorization, ClientCredential, ClientSession, NonceKeeper, Request, Secrets,
};
use cp_sip::message::Message;
use cp_sip::sdp::{LocalMedia, SrtpPolicy, answer};
use cp_sip::validate::{Verdict, validate};
use cp_vocab::media::Codec;
use cp_vocab::net::Transport;
use cp_vocab::time::Timestamp;
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: u32 = 7;
const TURNS: u32 = 100_000;

/// Best of some rounds, in nanoseconds for each turn.
fn measure(what: &str, mut turn: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..TURNS).for_each(|_| turn());
            start.elapsed().as_nanos() / u128::from(TURNS)
        })
        .min();
    println!("{what:<44} {:>6} ns", best.unwrap_or(0));
}

fn invite() -> Bytes {
    let sdp = "v=0\r\no=- 3724394400 3724394405 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
        m=audio 40376 RTP/AVP 111 9 0 8 101\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n\
        a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
    let identity = "eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3AuY2VyIn0.\
        eyJhdHRlc3QiOiJBIiwiZGVzdCI6eyJ0biI6WyIxMjE1NTU1MTIxMyJdfSwiaWF0IjoxNDcxMzc1NDE4LCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifSwib3JpZ2lkIjoiMTIzZTQ1NjcifQ.\
        28kAwRWnheXyA6nY4MvmK5JKHZH9hSYkWI4g75mnq9Tj2lW4WPm0PlvudoGaj7wM5XujZUTb_3MA4modoDtCA";
    format!(
        "INVITE sip:+12155551213@tel.example.com;user=phone SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport\r\n\
        Max-Forwards: 70\r\n\
        From: \"Alice\" <sip:+12155551212@tel.example.com;user=phone>;tag=614bdb40\r\n\
        To: <sip:+12155551213@tel.example.com;user=phone>\r\n\
        Call-ID: 79048YzkxNDA5NTI1MzA0OWFjOTFkMmFlODhiNTI2OWQ1ZTI\r\n\
        CSeq: 2 INVITE\r\n\
        Contact: <sip:alice@192.0.2.10:5060;transport=udp>\r\n\
        Allow: SUBSCRIBE, NOTIFY, INVITE, ACK, CANCEL, BYE, REFER, INFO, MESSAGE, OPTIONS\r\n\
        Supported: 100rel, timer, replaces\r\n\
        Session-Expires: 1800;refresher=uac\r\n\
        P-Asserted-Identity: <sip:+12155551212@tel.example.com>\r\n\
        User-Agent: Example Phone 1.0\r\n\
        Identity: {identity};info=<https://cert.example.org/p.cer>;alg=ES256;ppt=shaken\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
    .into()
}

fn main() {
    let bytes = invite();
    println!("INVITE of {} bytes", bytes.len());
    let message = Message::parse(bytes.clone()).expect("a message");
    assert_eq!(validate(&message, Transport::Udp), Verdict::Ok);
    let local = LocalMedia {
        rtp: ([198, 51, 100, 7], 20_000).into(),
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        srtp: SrtpPolicy::Allow,
        srtp_key: [9; 44],
        send: true,
        receive: true,
        session_id: 7,
        version: 1,
        ptime_ms: 20,
    };

    measure("parse", || {
        black_box(Message::parse(black_box(bytes.clone())).expect("a message"));
    });
    measure("validate", || {
        black_box(validate(black_box(&message), Transport::Udp));
    });
    measure("parse + validate", || {
        let m = Message::parse(black_box(bytes.clone())).expect("a message");
        black_box(validate(&m, Transport::Udp));
    });
    measure("top Via, From, To, CSeq, Contact", || {
        let m = black_box(&message);
        black_box((m.top_via(), m.from(), m.to(), m.cseq(), m.contact()));
    });
    let source = Some(([192, 0, 2, 10], 5060).into());
    measure("build 180", || {
        black_box(Builder::response_from(&message, source, 180, "Ringing", Some("t")).finish());
    });
    let sdp = message.sdp().expect("an SDP");
    measure("SDP offer -> answer and plan", || {
        black_box(answer(&local, black_box(sdp)).expect("an answer"));
    });
    digest();
}

fn digest() {
    let (now, realm, uri) = (Timestamp::from_secs(1), "example.com", "sip:example.com");
    let credential = ClientCredential {
        user: "anna".into(),
        password: "secret".into(),
    };
    let [md5, sha256] = [
        cp_sip::digest::Algorithm::Md5,
        cp_sip::digest::Algorithm::Sha256,
    ]
    .map(|a| cp_sip::digest::ha1(a, "anna", realm, "secret"));
    for (name, skip) in [("SHA-256", 0), ("MD5", 1)] {
        let mut keeper = NonceKeeper::new([1; 32]);
        let values = keeper.challenge(now, realm, false);
        let mut session =
            ClientSession::pick(values.iter().skip(skip).map(String::as_str), "c0ffee")
                .expect("one");
        let value = session.authorization(&credential, "REGISTER", uri, b"");
        let request = Request {
            method: "REGISTER",
            uri,
            body: b"",
            realm,
        };
        measure(&format!("digest verify, {name}"), || {
            let authorization = Authorization::parse(black_box(&value)).expect("credentials");
            let secrets = Secrets {
                ha1_md5: &md5,
                ha1_sha256: &sha256,
            };
            black_box(keeper.verify(now, &authorization, &request, Some(secrets)));
        });
    }
    let mut keeper = NonceKeeper::new([1; 32]);
    measure("digest challenge", || {
        black_box(keeper.challenge(now, realm, false));
    });
}
