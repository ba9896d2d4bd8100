//! A virtual phone: a SIP user agent of ours with a person's habits.

use cp_sip::ua::*;
use cp_vocab::net::{Flow, Target, Transport};
use cp_vocab::*;
use std::net::SocketAddr;
use std::time::Duration;

/// What the person does when it rings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    After(Duration),
    /// 183 with audio at once, the answer later.
    EarlyMedia(Duration),
    Never,
    /// Not even 180: it takes the INVITE and is silent.
    Silent,
    Reject(u16),
}

/// One call as the phone sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneCall {
    pub call: CallRef,
    pub incoming: bool,
    pub answered: bool,
    pub held: bool,
    pub over: Option<String>,
}

pub struct Phone {
    pub name: String,
    pub addr: SocketAddr,
    pub ua: UserAgent,
    pub answer: Answer,
    /// Hang up this long after an answer.
    pub talk: Option<Duration>,
    pub calls: Vec<PhoneCall>,
    /// It has one line: busy while a call is there, ringing or not.
    pub one_line: bool,
    /// Off: nothing gets in or out (battery, cable).
    pub dead: bool,
    pub registrar: Option<(String, String)>,
    /// The SIP domain it calls in.
    pub domain: String,
    late: Vec<CallRef>,
    server: SocketAddr,
    version: u64,
}

/// What a phone's directory says of callers: everybody may call it.
struct Open(TrunkId);
impl Directory for Open {
    fn admit(&self, _: &Flow, _: Option<&str>, _: &cp_sip::message::Message) -> Admission {
        Admission::Trunk(self.0)
    }
    fn credential(&self, _: &str, _: &str) -> Option<Credential> {
        None
    }
}

/// What the world is to do for the phone.
pub enum PhoneWant {
    AnswerAt(CallRef, Duration),
    HangUpAt(CallRef, Duration),
}

impl Phone {
    pub fn new(name: &str, addr: SocketAddr, server: SocketAddr, seed: u64) -> Self {
        let listen = vec![Listen {
            transport: Transport::Udp,
            local: addr,
            advertised: addr,
        }];
        Self {
            name: name.to_string(),
            addr,
            ua: UserAgent::new(UaConfig::new(seed, [7; 32], listen)),
            answer: Answer::After(Duration::from_millis(800)),
            talk: None,
            calls: vec![],
            one_line: false,
            dead: false,
            registrar: None,
            domain: "test".into(),
            late: vec![],
            server,
            version: 1,
        }
    }

    pub fn register(&mut self, now: Timestamp, user: &str, password: &str) {
        self.registrar = Some((user.to_string(), password.to_string()));
        let trunk = TrunkConfig {
            id: TrunkId::from_u128(1),
            host: self.domain.clone(),
            transport: Transport::Udp,
            user: user.to_string(),
            password: password.to_string(),
            register: true,
            health_interval_s: 0,
            addresses: vec![self.server],
        };
        self.ua.configure_trunks(now, vec![trunk]);
    }

    fn sdp(&mut self, direction: &str) -> String {
        self.version += 1;
        let ip = self.addr.ip();
        format!(
            "v=0\r\no=- 1 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n",
            self.version
        )
    }

    pub fn call(&mut self, now: Timestamp, to: &str, from: &str) -> CallRef {
        let sdp = self.sdp("sendrecv");
        self.invite(now, to, from, Some(sdp), vec![])
    }

    /// Calls without an offer: the far side's comes in the 200, ours goes in the ACK.
    pub fn call_late(&mut self, now: Timestamp, to: &str, from: &str) -> CallRef {
        let call = self.invite(now, to, from, None, vec![]);
        self.late.push(call);
        call
    }

    /// Picks up another phone's call: an INVITE with Replaces.
    pub fn pick(&mut self, now: Timestamp, to: &str, from: &str, replaces: String) -> CallRef {
        let sdp = self.sdp("sendrecv");
        let headers = vec![("Replaces".to_string(), replaces)];
        self.invite(now, to, from, Some(sdp), headers)
    }

    /// What names this phone's live call in a Replaces.
    pub fn replaces(&self) -> Option<String> {
        self.ua.replaces(self.live_call()?.call)
    }

    /// Blind transfer by REFER; with `and` attended, to the far end of the call before the last.
    pub fn refer(&mut self, now: Timestamp, to: &str) -> bool {
        let uri = format!("sip:{to}@{}", self.server);
        let call = self.live_call().filter(|c| c.answered).map(|c| c.call);
        call.is_some_and(|c| self.ua.refer_out(now, c, &uri).is_ok())
    }

    /// Attended transfer by REFER with Replaces: the first live call goes to the far end of the last.
    pub fn refer_attended(&mut self, now: Timestamp) -> bool {
        let mut live = self.calls.iter().filter(|c| c.over.is_none() && c.answered);
        let (Some(first), Some(last)) = (live.next(), live.next_back()) else {
            return false;
        };
        let (first, last) = (first.call, last.call);
        let Some(replaces) = self.ua.replaces(last) else {
            return false;
        };
        let escaped = replaces.replace(';', "%3B").replace('=', "%3D");
        let uri = format!("sip:x@{}?Replaces={escaped}", self.server);
        self.ua.refer_out(now, first, &uri).is_ok()
    }

    fn invite(
        &mut self,
        now: Timestamp,
        to: &str,
        from: &str,
        sdp: Option<String>,
        headers: Vec<(String, String)>,
    ) -> CallRef {
        let server = self.server;
        let supported_100rel = sdp.is_some();
        let credential = self
            .registrar
            .clone()
            .map(|(user, password)| ClientCredential { user, password });
        let call = self.ua.invite(
            now,
            OutgoingCall {
                request_uri: format!("sip:{to}@{}", self.domain),
                target: Some(Target::Addr {
                    transport: Transport::Udp,
                    addr: server,
                    server_name: None,
                }),
                from: NameAddrOwned {
                    display: None,
                    uri: format!("sip:{from}@{}", self.addr),
                },
                to: NameAddrOwned {
                    display: None,
                    uri: format!("sip:{to}@{server}"),
                },
                contact_user: from.to_string(),
                sdp,
                headers,
                parts: vec![],
                credential,
                via_trunk: None,
                ring_timeout: Duration::from_secs(180),
                supported_100rel,
            },
        );
        self.calls.push(PhoneCall {
            call,
            incoming: false,
            answered: false,
            held: false,
            over: None,
        });
        call
    }

    pub fn live_call(&self) -> Option<&PhoneCall> {
        self.calls.iter().rev().find(|c| c.over.is_none())
    }

    pub fn hang_up(&mut self, now: Timestamp) {
        let live: Vec<CallRef> = self
            .calls
            .iter()
            .filter(|c| c.over.is_none())
            .map(|c| c.call)
            .collect();
        for call in live {
            self.ua.hang_up(now, call, None);
            self.end(call, "hung up here");
        }
    }

    pub fn hang_up_call(&mut self, now: Timestamp, call: CallRef) {
        if self
            .calls
            .iter()
            .any(|c| c.call == call && c.over.is_none())
        {
            self.ua.hang_up(now, call, None);
            self.end(call, "hung up here");
        }
    }

    pub fn hold(&mut self, now: Timestamp, on: bool) {
        let sdp = self.sdp(if on { "sendonly" } else { "sendrecv" });
        if let Some(c) = self
            .calls
            .iter()
            .rev()
            .find(|c| c.over.is_none() && c.answered)
        {
            // A glare is the user agent's to settle; the person sees the hold all the same.
            let _ = self.ua.reoffer(now, c.call, Some(sdp));
        }
    }

    fn end(&mut self, call: CallRef, why: &str) {
        if let Some(c) = self
            .calls
            .iter_mut()
            .find(|c| c.call == call && c.over.is_none())
        {
            c.over = Some(why.to_string());
        }
    }

    pub fn pick_up(&mut self, now: Timestamp, call: CallRef) -> Option<PhoneWant> {
        if self
            .calls
            .iter()
            .any(|c| c.call == call && c.over.is_none() && !c.answered)
        {
            let sdp = self.sdp("sendrecv");
            self.ua.answer(now, call, sdp).ok()?;
            if let Some(c) = self.calls.iter_mut().find(|c| c.call == call) {
                c.answered = true;
            }
            return self.talk.map(|t| PhoneWant::HangUpAt(call, t));
        }
        None
    }

    pub fn receive(&mut self, now: Timestamp, from: SocketAddr, bytes: bytes::Bytes) {
        let flow = Flow {
            transport: Transport::Udp,
            local: self.addr,
            remote: from,
            connection: None,
        };
        self.ua
            .receive(now, &flow, None, bytes, &Open(TrunkId::from_u128(1)));
    }

    /// Reacts to what its user agent reports.
    pub fn event(&mut self, now: Timestamp, event: UaEvent) -> Option<PhoneWant> {
        match event {
            UaEvent::Incoming { call, .. } => {
                let busy = self.one_line && self.live_call().is_some();
                self.calls.push(PhoneCall {
                    call,
                    incoming: true,
                    answered: false,
                    held: false,
                    over: None,
                });
                match self.answer {
                    _ if busy => {
                        let _ = self.ua.reject(now, call, 486, vec![]);
                        self.end(call, "busy here");
                        None
                    }
                    Answer::Reject(status) => {
                        let _ = self.ua.reject(now, call, status, vec![]);
                        self.end(call, "rejected here");
                        None
                    }
                    Answer::After(d) => {
                        let _ = self.ua.progress(now, call, 180, None);
                        Some(PhoneWant::AnswerAt(call, d))
                    }
                    Answer::EarlyMedia(d) => {
                        let sdp = self.sdp("sendrecv");
                        let _ = self.ua.progress(now, call, 183, Some(sdp));
                        Some(PhoneWant::AnswerAt(call, d))
                    }
                    Answer::Silent => None,
                    Answer::Never => {
                        let _ = self.ua.progress(now, call, 180, None);
                        None
                    }
                }
            }
            UaEvent::Answered { call, sdp } => {
                if self.late.contains(&call) && sdp.is_some() {
                    let ours = self.sdp("sendrecv");
                    let _ = self.ua.ack_with(now, call, ours);
                }
                if let Some(c) = self.calls.iter_mut().find(|c| c.call == call) {
                    c.answered = true;
                }
                self.talk.map(|t| PhoneWant::HangUpAt(call, t))
            }
            UaEvent::Failed { call, status, .. } => {
                self.end(call, &status.to_string());
                None
            }
            UaEvent::Ended { call, cause, .. } => {
                self.end(call, &format!("{cause:?}"));
                None
            }
            UaEvent::Reoffered { call, .. } => {
                let sdp = self.sdp("sendrecv");
                self.ua.accept_reoffer(now, call, sdp);
                None
            }
            _ => None,
        }
    }
}
