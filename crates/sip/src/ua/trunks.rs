//! Trunks: registration with refresh and back-off, OPTIONS health.

use super::UserAgent;
use super::config::{ClientCredential, TrunkConfig};
use super::draft::Draft;
use super::event::UaEvent;
use super::reply::ALLOW;
use super::request::{Failure, Owner, default_port};
use crate::dialog::{Hop, host_ip};
use crate::header::HeaderName;
use crate::header_value::host_port;
use crate::io::Timer;
use crate::message::{Message, Method};
use crate::table::Handle;
use crate::text::{push_token, token};
use crate::trunk::{TrunkChange, TrunkState, Trunks};
use crate::uri::encode_user;
use bytes::Bytes;
use cp_vocab::net::{Target, Transport};
use cp_vocab::{Timestamp, TrunkId};
use std::time::Duration;

/// The first OPTIONS and REGISTER of all trunks are spread over so many milliseconds.
const SPREAD_MS: u64 = 1_000;
/// Longest registration we ask for after a 423, in seconds.
const EXPIRES_MAX_S: u32 = 86_400;

impl UserAgent {
    /// Sets the trunks. Unchanged ones go on as they are; removed ones are unregistered.
    pub fn configure_trunks(&mut self, now: Timestamp, trunks: Vec<TrunkConfig>) {
        self.io.now = now;
        let gone: Vec<TrunkId> = self
            .trunks
            .table
            .iter()
            .filter(|(_, old)| !trunks.contains(&old.config))
            .map(|(_, old)| old.config.id)
            .collect();
        for id in gone {
            self.remove_trunk(id);
        }
        for config in trunks {
            if !self.trunks.by_id.contains_key(&config.id) {
                self.add_trunk(config);
            }
        }
    }

    fn add_trunk(&mut self, config: TrunkConfig) {
        if config.host.is_empty() {
            return;
        }
        let mut call_id = String::new();
        push_token(&mut call_id, self.io.random());
        push_token(&mut call_id, self.io.random());
        let tag = self.io.random();
        let (id, register) = (config.id, config.register);
        let health = config.health_interval_s > 0;
        let handle = self
            .trunks
            .table
            .insert(TrunkState::new(config, call_id, tag));
        self.trunks.by_id.insert(id, handle);
        if register {
            let delay = self.io.below(SPREAD_MS);
            self.arm_register(handle, Duration::from_millis(delay));
        }
        if health {
            let delay = self.io.below(SPREAD_MS);
            self.arm_options(handle, Duration::from_millis(delay));
        }
    }

    fn remove_trunk(&mut self, id: TrunkId) {
        let Some(handle) = self.trunks.by_id.remove(&id) else {
            return;
        };
        if self.trunks.table.get(handle).is_some_and(|t| t.registered) {
            self.send_register(handle, 0, Owner::Nobody);
        }
        self.trunks.table.remove(handle);
    }

    fn arm_register(&mut self, trunk: Handle, delay: Duration) {
        if let Some(state) = self.trunks.table.get_mut(trunk) {
            state.register_at = self.io.arm(delay, Timer::TrunkRegister(trunk));
        }
    }

    fn arm_options(&mut self, trunk: Handle, delay: Duration) {
        if let Some(state) = self.trunks.table.get_mut(trunk) {
            state.options_at = self.io.arm(delay, Timer::TrunkOptions(trunk));
        }
    }

    pub(crate) fn trunk_register_timer(&mut self, trunk: Handle, at: Timestamp) {
        let due = self.trunks.table.get(trunk).filter(|t| t.register_at == at);
        if let Some(state) = due {
            let expires_s = state.expires_s;
            self.send_register(trunk, expires_s, Owner::TrunkRegister(trunk));
        }
    }

    pub(crate) fn trunk_options_timer(&mut self, trunk: Handle, at: Timestamp) {
        let now = self.io.now;
        let Some(state) = self
            .trunks
            .table
            .get_mut(trunk)
            .filter(|t| t.options_at == at)
        else {
            return;
        };
        state.sent_at = now;
        let (mut draft, hop) = state.draft(Method::Options);
        let mut call_id = String::new();
        push_token(&mut call_id, self.io.random());
        draft.call_id = call_id.into();
        draft
            .headers
            .push((HeaderName::Accept, "application/sdp".into()));
        let credential = trunk_credential(&self.trunks, trunk);
        self.send_request(draft, hop, Owner::TrunkOptions(trunk), credential);
    }

    fn send_register(&mut self, trunk: Handle, expires_s: u32, owner: Owner) {
        let now = self.io.now;
        let Some(state) = self.trunks.table.get_mut(trunk) else {
            return;
        };
        if state.config.health_interval_s == 0 {
            state.sent_at = now;
        }
        let (mut draft, hop) = state.draft(Method::Register);
        draft.contact_user = Some(encode_user(&state.config.user).into());
        draft
            .headers
            .push((HeaderName::Expires, expires_s.to_string().into()));
        draft.headers.push((HeaderName::Allow, ALLOW.into()));
        let credential = trunk_credential(&self.trunks, trunk);
        self.send_request(draft, hop, owner, credential);
    }

    /// Where calls by a trunk go, when it is configured.
    pub(crate) fn trunk_way(&self, id: TrunkId) -> Option<Hop> {
        let state = self.trunks.table.get(*self.trunks.by_id.get(&id)?)?;
        Some(state.hop())
    }

    /// A response to our REGISTER.
    pub(crate) fn trunk_registered(&mut self, trunk: Handle, response: &Message) {
        let status = response.status();
        if status < 200 {
            return;
        }
        let now = self.io.now;
        let Some(state) = self.trunks.table.get_mut(trunk) else {
            return;
        };
        if state.config.health_interval_s == 0 {
            state.rtt_ms = (now.since(state.sent_at).as_millis()) as u32;
        }
        if (200..300).contains(&status) {
            let granted = response
                .values(HeaderName::Contact)
                .filter_map(crate::header_value::NameAddr::parse)
                .find(|c| {
                    let user = crate::uri::SipUri::parse(c.uri).and_then(|u| u.user);
                    user == Some(&*encode_user(&state.config.user))
                })
                .and_then(|c| c.expires())
                .or(response.expires())
                .unwrap_or(state.expires_s);
            let again = state.registered(granted);
            self.arm_register(trunk, again);
            return self.tell_trunk(trunk);
        }
        let least = response
            .header(HeaderName::MinExpires)
            .and_then(|v| v.trim().parse::<u32>().ok());
        if let (423, Some(least)) = (status, least)
            && least > state.expires_s
            && least <= EXPIRES_MAX_S
        {
            state.expires_s = least;
            return self.send_register(trunk, least, Owner::TrunkRegister(trunk));
        }
        self.register_again(trunk);
    }

    pub(crate) fn trunk_register_failed(&mut self, trunk: Handle, _failure: Failure) {
        self.register_again(trunk);
    }

    fn register_again(&mut self, trunk: Handle) {
        let jitter = self.io.below(1_001);
        if let Some(state) = self.trunks.table.get_mut(trunk) {
            let wait = state.register_failed(jitter);
            self.arm_register(trunk, wait);
            self.tell_trunk(trunk);
        }
    }

    /// A response to our OPTIONS: whoever answers is alive, unless it says it is not able to serve.
    pub(crate) fn trunk_answered(&mut self, trunk: Handle, response: &Message) {
        let status = response.status();
        if status < 200 {
            return;
        }
        self.note_health(trunk, !matches!(status, 408 | 502 | 503 | 504));
    }

    pub(crate) fn trunk_silent(&mut self, trunk: Handle, _failure: Failure) {
        self.note_health(trunk, false);
    }

    fn note_health(&mut self, trunk: Handle, good: bool) {
        let now = self.io.now;
        let Some(state) = self.trunks.table.get_mut(trunk) else {
            return;
        };
        state.rtt_ms = now.since(state.sent_at).as_millis() as u32;
        state.answered(good);
        let again = Duration::from_secs(u64::from(state.config.health_interval_s));
        self.arm_options(trunk, again);
        self.tell_trunk(trunk);
    }

    fn tell_trunk(&mut self, trunk: Handle) {
        let Some(state) = self.trunks.table.get_mut(trunk) else {
            return;
        };
        let (id, rtt_ms) = (state.config.id, state.rtt_ms);
        match state.change() {
            Some(TrunkChange::Up) => self.io.event(UaEvent::TrunkUp { trunk: id, rtt_ms }),
            Some(TrunkChange::Down(why)) => self.io.event(UaEvent::TrunkDown { trunk: id, why }),
            None => {}
        }
    }
}

impl TrunkState {
    fn draft(&mut self, method: Method) -> (Draft, Hop) {
        self.cseq += 1;
        let config = &self.config;
        let (host, _) = host_port(&config.host).unwrap_or((&config.host, None));
        let user = encode_user(&config.user);
        let aor = match user.is_empty() {
            true => format!("<sip:{host}>"),
            false => format!("<sip:{user}@{host}>"),
        };
        let transport = transport_param(config.transport);
        let hop = self.hop();
        let draft = Draft {
            method,
            uri: match config.transport {
                Transport::Udp => format!("sip:{}", config.host).into(),
                _ => format!("sip:{}{transport}", config.host).into(),
            },
            routes: Vec::new(),
            from: format!("{aor};tag={}", token(self.local_tag)).into(),
            to: aor.into(),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            max_forwards: 70,
            contact_user: None,
            headers: Vec::new(),
            others: Vec::new(),
            auth: None,
            content_type: "",
            body: Bytes::new(),
        };
        (draft, hop)
    }

    fn hop(&self) -> Hop {
        let config = &self.config;
        let (host, port) = host_port(&config.host).unwrap_or((&config.host, None));
        match (&config.addresses[..], host_ip(host)) {
            ([], None) => {
                let transport = transport_param(config.transport);
                Hop::Uri(format!("sip:{}{transport}", config.host).into())
            }
            ([], Some(ip)) => {
                let port = port.unwrap_or(default_port(config.transport));
                Hop::Targets(vec![self.target(host, (ip, port).into())])
            }
            (addresses, _) => {
                Hop::Targets(addresses.iter().map(|a| self.target(host, *a)).collect())
            }
        }
    }

    fn target(&self, host: &str, addr: std::net::SocketAddr) -> Target {
        Target::Addr {
            transport: self.config.transport,
            addr,
            server_name: self.config.transport.is_secure().then(|| host.to_string()),
        }
    }
}

/// UDP is named too: a host with SRV records for several transports is asked for the configured one.
fn transport_param(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => ";transport=udp",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
        Transport::Ws => ";transport=ws",
        Transport::Wss => ";transport=wss",
    }
}

/// What a trunk answers challenges with.
pub(crate) fn trunk_credential(trunks: &Trunks, trunk: Handle) -> Option<Box<ClientCredential>> {
    let config = &trunks.table.get(trunk)?.config;
    (!config.user.is_empty()).then(|| {
        Box::new(ClientCredential {
            user: config.user.clone(),
            password: config.password.clone(),
        })
    })
}
