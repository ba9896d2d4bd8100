//! An engine with a carrier, a customer's exchange and a phone around it, and a certificate
//! authority. Time is virtual.

use bytes::Bytes;
use cp_engine::{Engine, EngineConfig, IdentityConfig, Input, Output, Restore};
use cp_identity::canonical::Identifier;
use cp_identity::certificate::{Credential, Trust as Roots};
use cp_identity::fetch::Fetched;
use cp_identity::forward::ForwardLimits;
use cp_identity::passport::Attestation;
use cp_identity::passport::sign::{NewPassport, Signer};
use cp_identity::verify::{self, Call, Directory, Lookup, Policy, Report};
use cp_identity::{Fault, Verdict};
use cp_sip::header::HeaderName;
use cp_sip::message::Message;
use cp_sip::ua::Listen;
use cp_vocab::command::{Actor, Command, CommandEnvelope, CommandReply};
use cp_vocab::event::EventRecord;
use cp_vocab::media::{MediaEvent, PortPair};
use cp_vocab::model::*;
use cp_vocab::net::{Flow, Target, Transport};
use cp_vocab::party::NumberRules;
use cp_vocab::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 1], 5060);
/// Where they send from, and are reached.
pub(crate) const CARRIER: [u8; 4] = [10, 0, 1, 1];
pub(crate) const EXCHANGE: [u8; 4] = [10, 0, 2, 1];
/// A caller far away, the customer's number B, and where it forwards to.
pub(crate) const A: &str = "+12155551212";
pub(crate) const B: &str = "+12155551213";
pub(crate) const C: &str = "+12155551214";
/// A number of ours that leads to the phone `desk`.
pub(crate) const DESK: &str = "+12155551300";

const TN_AUTH_LIST: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// `SEQUENCE { [0] { IA5String code } }`
fn spc_list(code: &str) -> Vec<u8> {
    let mut list = vec![0x16, code.len() as u8];
    list.extend(code.bytes());
    let mut tagged = vec![0xa0, list.len() as u8];
    tagged.append(&mut list);
    let mut all = vec![0x30, tagged.len() as u8];
    all.append(&mut tagged);
    all
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Chain and key of a provider, in PEM.
    pub(crate) fn provider(&self, code: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = format!("SHAKEN {code}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let list = CustomExtension::from_oid_content(TN_AUTH_LIST, spc_list(code));
        params.custom_extensions.push(list);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        (pem, key.serialize_pem())
    }
}

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    pub(crate) tenant: TenantId,
    pub(crate) ids: IdSource,
    pub(crate) log: Vec<EventRecord>,
    pub(crate) sent: Vec<(Target, Message)>,
    /// Certificates by address; an address without one does not answer by itself.
    pub(crate) web: HashMap<String, String>,
    pub(crate) fetched: Vec<String>,
    /// Fetches that wait for [`Bench::deliver`].
    pub(crate) hold_fetches: bool,
    replies: Vec<CommandReply>,
    pub(crate) root: Authority,
    /// The far provider's.
    pub(crate) far: Signer,
    branch: u64,
    pub(crate) snapshot: Snapshot,
}

pub(crate) fn number(n: &str) -> Identifier {
    Identifier::Number(n.trim_start_matches('+').to_string())
}

fn trunk(ids: &mut IdSource, tenant: TenantId, name: &str, ip: [u8; 4]) -> Trunk {
    Trunk {
        id: ids.next(START),
        tenant,
        name: name.into(),
        auth: TrunkAuth::Address {
            networks: vec![Network {
                addr: ip.into(),
                prefix: 32,
            }],
        },
        host: format!("{}.{}.{}.{}", ip[0], ip[1], ip[2], ip[3]),
        transport: Transport::Udp,
        user: String::new(),
        password: Pii(String::new()),
        register: false,
        rules: NumberRules {
            country_code: "1".into(),
            send_plus: true,
            ..NumberRules::default()
        },
        codecs: vec![],
        health_interval_s: 0,
        channels_max: 0,
        srtp: false,
        dial_prefixes: vec![],
        may_dial_out: false,
        identity: TrunkIdentity::default(),
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Snapshot)) -> Self {
        let root = Authority::new();
        let (far_pem, far_key) = root.provider("709J");
        let far_url = "https://cert.far.example/709J.pem";
        let far = Signer::from_pem(&far_key, &far_pem, far_url).unwrap();
        let mut ids = IdSource::from_u64(1);
        let snapshot = snapshot(&mut ids, &root, change);
        let local: SocketAddr = SERVER.into();
        let listen = [Transport::Udp, Transport::Tcp].map(|transport| Listen {
            transport,
            local,
            advertised: local,
        });
        let mut config = EngineConfig::new([1; 32], [2; 32], listen.to_vec());
        config.identity = IdentityConfig {
            trust: Some(Arc::new(Roots::new(&root.pem).unwrap())),
            public_url: "https://cert.ours.example:8443".into(),
            forwarding: ForwardLimits {
                calls_min: 5,
                ..ForwardLimits::default()
            },
            ..IdentityConfig::default()
        };
        let mut bench = Self {
            engine: Engine::new(config),
            now: START,
            tenant: snapshot.tenants[0].id,
            ids,
            log: vec![],
            sent: vec![],
            web: HashMap::from([(far_url.to_string(), far_pem)]),
            fetched: vec![],
            hold_fetches: false,
            replies: vec![],
            root,
            far,
            branch: 0,
            snapshot: snapshot.clone(),
        };
        let ports = (0..4_000).map(|i| PortPair {
            worker: 0,
            rtp: ([10, 0, 0, 1], 20_000 + i * 2).into(),
        });
        bench.give(Input::Media(MediaEvent::Ports {
            ports: ports.collect(),
        }));
        bench.give(Input::Restore(Box::new(Restore {
            snapshot: Arc::new(snapshot),
            ..Restore::default()
        })));
        bench.register_desk();
        bench
    }

    pub(crate) fn give(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        let mut inputs = Vec::new();
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Append { records, .. } => self.log.extend(records),
                Output::Transmit { target, bytes, .. } => {
                    self.sent.push((target, Message::parse(bytes).unwrap()));
                }
                Output::FetchCertificate { url, .. } => {
                    self.fetched.push(url.clone());
                    if !self.hold_fetches {
                        inputs.push(self.answer_to(url));
                    }
                }
                Output::Reply { result, .. } => self.replies.push(result.unwrap()),
                _ => {}
            }
        }
        for input in inputs {
            self.give(input);
        }
    }

    fn answer_to(&self, url: String) -> Input {
        let fetched = match self.web.get(&url) {
            Some(pem) => Fetched::Body {
                bytes: pem.clone().into_bytes(),
                max_age_s: None,
            },
            None => Fetched::Failed(Fault::FetchFailed),
        };
        Input::CertificateFetched { url, fetched }
    }

    /// Brings what was fetched and held back.
    pub(crate) fn deliver(&mut self) {
        for url in std::mem::take(&mut self.fetched) {
            let input = self.answer_to(url);
            self.give(input);
        }
    }

    /// Lets time pass, with every timer at its time.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.engine.next_timeout().filter(|t| *t <= end) {
            self.now = self.now.max(at);
            self.give(Input::Timeout);
        }
        self.now = end;
    }

    pub(crate) fn datagram(&mut self, from: [u8; 4], text: &str) {
        let flow = Flow {
            transport: Transport::Udp,
            local: SERVER.into(),
            remote: (from, 5060).into(),
            connection: None,
        };
        self.give(Input::Datagram {
            flow,
            tls_name: None,
            bytes: Bytes::copy_from_slice(text.as_bytes()),
        });
    }

    /// An INVITE; `more` are further header lines.
    pub(crate) fn invite(
        &mut self,
        from_ip: [u8; 4],
        caller: &str,
        called: &str,
        call_id: &str,
        more: &[String],
    ) {
        let from = format!("<sip:{caller}@far.example>");
        self.invite_from(from_ip, &from, called, call_id, more);
    }

    pub(crate) fn invite_from(
        &mut self,
        from_ip: [u8; 4],
        from: &str,
        called: &str,
        call_id: &str,
        more: &[String],
    ) {
        self.branch += 1;
        let ip = std::net::Ipv4Addr::from(from_ip);
        let lines: String = more.iter().map(|l| format!("{l}\r\n")).collect();
        let text = format!(
            "INVITE sip:{called}@10.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {ip}:5060;branch=z9hG4bK{}\r\n\
             From: {from};tag=f{}\r\nTo: <sip:{called}@10.0.0.1>\r\nCall-ID: {call_id}\r\n\
             CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:x@{ip}>\r\n{lines}\
             Content-Length: 0\r\n\r\n",
            self.branch, self.branch
        );
        self.datagram(from_ip, &text);
    }

    /// The caller hangs up before anybody answers.
    pub(crate) fn cancel(&mut self, from_ip: [u8; 4], caller: &str, called: &str, call_id: &str) {
        let ip = std::net::Ipv4Addr::from(from_ip);
        let n = self.branch;
        let text = format!(
            "CANCEL sip:{called}@10.0.0.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {ip}:5060;branch=z9hG4bK{n}\r\n\
             From: <sip:{caller}@far.example>;tag=f{n}\r\nTo: <sip:{called}@10.0.0.1>\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        self.datagram(from_ip, &text);
    }

    /// Answers the last INVITE that was sent to `ip`; `more` are header lines.
    pub(crate) fn answer(&mut self, ip: [u8; 4], status: u16, more: &str) {
        let (_, invite) = self.invites_to(ip).pop().unwrap();
        let all = |name| {
            invite
                .headers(name)
                .map(|v| v.to_string())
                .collect::<Vec<_>>()
        };
        let vias: String = all(HeaderName::Via)
            .iter()
            .map(|v| format!("Via: {v}\r\n"))
            .collect();
        let text = format!(
            "SIP/2.0 {status} X\r\n{vias}From: {}\r\nTo: {};tag=t{}\r\nCall-ID: {}\r\n\
             CSeq: 1 INVITE\r\n{more}Content-Length: 0\r\n\r\n",
            all(HeaderName::From)[0],
            all(HeaderName::To)[0],
            self.branch,
            invite.call_id()
        );
        self.datagram(ip, &text);
    }

    fn register_desk(&mut self) {
        let text = |auth: &str, n: u32| {
            format!(
                "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.3.1:5060;branch=z9hG4bKr{n}\r\n\
                 From: <sip:desk@10.0.0.1>;tag=r\r\nTo: <sip:desk@10.0.0.1>\r\nCall-ID: reg\r\n\
                 CSeq: {n} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:desk@10.0.3.1>\r\n{auth}\
                 Expires: 3600\r\nContent-Length: 0\r\n\r\n"
            )
        };
        self.datagram(DESK_IP, &text("", 1));
        let challenge = self.sent.last().unwrap().1.clone();
        let challenges: Vec<&str> = challenge.headers(HeaderName::WwwAuthenticate).collect();
        let credential = cp_sip::ua::ClientCredential {
            user: "desk".into(),
            password: "secret".into(),
        };
        let mut session =
            cp_sip::digest::ClientSession::pick(challenges.into_iter(), "abcd").unwrap();
        let value = session.authorization(&credential, "REGISTER", "sip:10.0.0.1", b"");
        self.datagram(DESK_IP, &text(&format!("Authorization: {value}\r\n"), 2));
        assert_eq!(self.sent.last().unwrap().1.status(), 200);
        self.sent.clear();
    }

    /// INVITEs sent to an address so far.
    pub(crate) fn invites_to(&self, ip: [u8; 4]) -> Vec<(Target, Message)> {
        let there = |target: &Target| match target {
            Target::Addr { addr, .. } => addr.ip() == std::net::IpAddr::from(ip),
            Target::Flow(flow) => flow.remote.ip() == std::net::IpAddr::from(ip),
        };
        let invite = |m: &Message| m.is_request() && m.method() == cp_sip::message::Method::Invite;
        let mut found: Vec<(Target, Message)> = Vec::new();
        for (target, m) in self.sent.iter().filter(|(t, m)| there(t) && invite(m)) {
            // A repetition is no further call.
            if !found.iter().any(|(_, f)| f.bytes() == m.bytes()) {
                found.push((target.clone(), m.clone()));
            }
        }
        found
    }

    /// Responses with this status.
    pub(crate) fn responses(&self, status: u16) -> Vec<&Message> {
        let fits = |m: &&Message| !m.is_request() && m.status() == status;
        self.sent.iter().map(|(_, m)| m).filter(fits).collect()
    }

    /// A shaken token of the far provider, signed now.
    pub(crate) fn token(&self, orig: &str, dest: &str, attest: Attestation) -> String {
        self.token_at(orig, dest, attest, self.now)
    }

    pub(crate) fn token_at(
        &self,
        orig: &str,
        dest: &str,
        attest: Attestation,
        at: Timestamp,
    ) -> String {
        sign(&self.far, orig, dest, attest, at)
    }

    /// Events of a kind, newest last.
    pub(crate) fn events(&self, kind: &str) -> Vec<&Event> {
        let fits = |e: &&Event| e.kind() == kind;
        self.log.iter().map(|r| &r.event).filter(fits).collect()
    }

    /// The steps of identities, as words.
    pub(crate) fn steps(&self) -> Vec<String> {
        self.events("identity.step")
            .into_iter()
            .filter_map(|e| match e {
                Event::IdentityStepTaken { step, detail, .. } => Some(format!("{step} {detail}")),
                _ => None,
            })
            .collect()
    }

    /// Trust level, verdict and first reason of the last call that was judged.
    pub(crate) fn judged(&self) -> (String, String, Vec<String>) {
        match self.events("identity.judged").last() {
            Some(Event::IdentityJudged { trust, verdict, .. }) => (
                trust.level.as_str().to_string(),
                verdict.clone(),
                trust.reasons.clone(),
            ),
            _ => panic!("nothing was judged"),
        }
    }

    pub(crate) fn figures(&mut self) -> serde_json::Value {
        self.command(Command::IdentityForwarding { number: None });
        self.replies.pop().unwrap().document.unwrap()
    }

    /// A person with these numbers is erased.
    pub(crate) fn forget(&mut self, numbers: &[&str]) {
        let numbers = numbers.iter().map(|n| Pii(n.to_string())).collect();
        self.command(Command::IdentityForget { numbers });
    }

    pub(crate) fn command(&mut self, command: Command) {
        let id = self.ids.next(self.now);
        self.give(Input::Command(CommandEnvelope {
            id,
            tenant: self.tenant,
            actor: Actor::System,
            command,
        }));
    }

    /// A start with what people told an earlier process of callers.
    pub(crate) fn restore_reports(&mut self, reports: Vec<cp_engine::Reported>) {
        self.give(Input::Restore(Box::new(Restore {
            snapshot: Arc::new(self.snapshot.clone()),
            reports,
            ..Restore::default()
        })));
    }

    /// A start with what an earlier process knew of numbers.
    pub(crate) fn restore(&mut self, forwarding: Vec<cp_engine::Forwarded>) {
        self.give(Input::Restore(Box::new(Restore {
            snapshot: Arc::new(self.snapshot.clone()),
            forwarding,
            ..Restore::default()
        })));
    }

    /// What a verifier beyond us finds in an INVITE of ours.
    pub(crate) fn verified_beyond(&self, invite: &Message, caller: &str) -> Report {
        let values: Vec<&str> = invite.headers(HeaderName::Identity).collect();
        let roots = Roots::new(&self.root.pem).unwrap();
        let mut known = HashMap::new();
        for (url, pem) in &self.web {
            known.insert(url.clone(), Credential::read(pem.as_bytes(), &roots));
        }
        for c in &self.snapshot.certificates {
            let url = format!(
                "https://cert.ours.example:8443/identity/certificates/{}.pem",
                c.id
            );
            known.insert(url, Credential::read(c.chain.as_bytes(), &roots));
        }
        let uri = cp_sip::uri::SipUri::parse(invite.uri()).unwrap();
        let dest = uri.user_decoded().trim_start_matches('+').to_string();
        let call = Call {
            orig: Some(caller.trim_start_matches('+')),
            dest: &dest,
            date_s: None,
            date_binds: true,
            fingerprints: None,
            trusted_transfer: true,
        };
        let policy = Policy::default();
        verify::verify(&values, &call, &Known(known), &roots, &policy, self.now)
    }
}

struct Known(HashMap<String, Result<Credential, Fault>>);

impl Directory for Known {
    fn credential(&self, x5u: &str) -> Lookup<'_> {
        match self.0.get(x5u) {
            Some(Ok(c)) => Lookup::Ready(c),
            Some(Err(f)) => Lookup::Failed(*f),
            None => Lookup::Failed(Fault::FetchFailed),
        }
    }
    fn holder(&self, _: &str) -> Option<&str> {
        None
    }
}

pub(crate) fn sign(
    signer: &Signer,
    orig: &str,
    dest: &str,
    attest: Attestation,
    at: Timestamp,
) -> String {
    let (orig, dest) = (number(orig), [number(dest)]);
    let iat = (at.as_micros() / 1_000_000) as i64;
    let origid = "123e4567-e89b-12d3-a456-426655440000";
    let new = NewPassport::shaken(&orig, &dest, iat, attest, origid);
    let rng = aws_lc_rs::rand::SystemRandom::new();
    let header = signer.sign(&new, &rng).unwrap().header;
    format!("Identity: {header}")
}

pub(crate) const DESK_IP: [u8; 4] = [10, 0, 3, 1];

fn snapshot(ids: &mut IdSource, root: &Authority, change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let tenant: TenantId = ids.next(START);
    let mut s = Snapshot::default();
    s.tenants.push(Tenant {
        id: tenant,
        name: "test".into(),
        domain: String::new(),
        interactions_max: 0,
        record_by_default: false,
        suspended: false,
        presence_reasons: vec![],
        safety: Default::default(),
    });
    let mut carrier = trunk(ids, tenant, "carrier", CARRIER);
    carrier.dial_prefixes = vec!["+".into()];
    let mut exchange = trunk(ids, tenant, "exchange", EXCHANGE);
    exchange.may_dial_out = true;
    let to_exchange = Destination::Dial {
        target: DialTarget::Trunk {
            trunk: exchange.id,
            number: B.into(),
        },
        record: false,
    };
    s.trunks = vec![carrier, exchange];
    let secret = |algorithm| cp_sip::digest::ha1(algorithm, "desk", "crosspoint", "secret");
    let desk: PhoneId = ids.next(START);
    s.phones.push(Phone {
        id: desk,
        tenant,
        user: "desk".into(),
        ha1_md5: Pii(secret(cp_sip::digest::Algorithm::Md5)),
        ha1_sha256: Pii(secret(cp_sip::digest::Algorithm::Sha256)),
        agent: None,
        name: "Desk".into(),
        require_srtp: false,
        may_dial_out: true,
        forward: None,
        device: Default::default(),
    });
    let lead = |ids: &mut IdSource, n: &str, destination| Number {
        id: ids.next(START),
        tenant,
        number: n.into(),
        name: String::new(),
        destination,
        public: true,
        keep_identity: None,
    };
    s.numbers.push(lead(ids, B, to_exchange));
    s.numbers
        .push(lead(ids, DESK, Destination::Phone { phone: desk }));
    let (chain, key) = root.provider("810K");
    s.certificates.push(IdentityCertificate {
        id: ids.next(START),
        tenant,
        name: "ours".into(),
        chain,
        key: Pii(key),
        url: String::new(),
    });
    change(&mut s);
    s
}

/// Shorthand for tests.
pub(crate) fn is_valid(report: &Report) -> bool {
    report.verdict == Verdict::Valid
}
