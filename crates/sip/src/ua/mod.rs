//! The user agent: calls, registrations and trunks over transactions and dialogs, without sockets
//! or clock. Inputs are bytes, commands and time; outputs are drained by `poll` after each input.

mod auth;
mod call;
mod config;
mod draft;
mod event;
mod in_dialog;
mod orphan;
mod receive;
mod refer;
mod registration;
mod reoffer;
mod reply;
mod request;
mod session;
#[cfg(test)]
mod tests;
mod trunks;
mod uac;
mod uas;

pub use crate::registrar::Binding;
pub use crate::transaction::Timers;
pub use config::{
    Admission, BodyPart, ClientCredential, Credential, Directory, Listen, NameAddrOwned,
    OutgoingCall, Principal, TrunkConfig, UaConfig, UaLimits,
};
pub use event::{
    CallRef, DialogEnd, ReferReplaces, ResolveError, UaError, UaEvent, UaOutput, Unregistration,
};
pub(crate) use request::{default_port, uri_transport};

use crate::io::{CallTimer, Io, Timer};
use crate::limits::Limiter;
use crate::locate::Blacklist;
use crate::registrar::Registrar;
use crate::table::{Handle, Table};
use crate::transaction::Layer;
use crate::transaction::client::ClientInput;
use crate::transaction::server::ServerInput;
use crate::trunk::Trunks;
use call::{Call, CallState};
use cp_vocab::Timestamp;
use cp_vocab::net::{ConnectionId, Flow, Target, Transport};
use request::{Failure, Owner, Request};
use rustc_hash::FxHashMap;
use std::net::{Ipv4Addr, SocketAddr};

/// Everything SIP of one node (or one shard of it). See the module for its rules.
pub struct UserAgent {
    config: UaConfig,
    /// Used in Via and Contact when no listening socket has the transport.
    fallback_listen: Listen,
    io: Io,
    layer: Layer,
    requests: Table<Request>,
    resolving: FxHashMap<u64, Handle>,
    resolve_id: u64,
    calls: Table<Box<Call>>,
    /// Our tags are random, so the map needs no keyed hash.
    by_local_tag: FxHashMap<u64, CallRef>,
    limiter: Limiter,
    blacklist: Blacklist,
    auth: auth::Auth,
    registrar: Registrar,
    trunks: Trunks,
}

/// How full the tables are: for metrics, and for tests that nothing leaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TableSizes {
    pub calls: usize,
    pub requests: usize,
    pub client_transactions: usize,
    pub server_transactions: usize,
    pub bindings: usize,
    pub sources: usize,
    /// Timers set and not yet fired, cancelled ones included.
    pub timers: usize,
}

impl UserAgent {
    pub fn new(config: UaConfig) -> Self {
        let mut io = Io::new(config.seed, &config.timers);
        let secret = io.random();
        let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        let fallback_listen = config.listen.first().cloned().unwrap_or(Listen {
            transport: Transport::Udp,
            local: unspecified,
            advertised: unspecified,
        });
        Self {
            fallback_listen,
            layer: Layer::new(config.timers, secret),
            requests: Table::default(),
            resolving: FxHashMap::default(),
            resolve_id: 0,
            calls: Table::default(),
            by_local_tag: FxHashMap::default(),
            limiter: Limiter::new(config.limits),
            blacklist: Blacklist::default(),
            auth: auth::Auth::new(config.nonce_secret),
            registrar: Registrar::new(config.limits),
            trunks: Trunks::default(),
            config,
            io,
        }
    }

    /// The next output; `None` when all were taken. Drain before the next input.
    pub fn poll(&mut self) -> Option<UaOutput> {
        self.io.out.pop_front()
    }

    /// When `handle_timeout` wants to be called. May be early, never late.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.io.timers.next()
    }

    /// Fires all timers that are due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.io.now = now;
        while let Some((at, timer)) = self.io.timers.pop_due(now) {
            match timer {
                Timer::ClientRetransmit(h) => self.client_timer(h, at, ClientInput::Retransmit),
                Timer::ClientDeadline(h) => self.client_timer(h, at, ClientInput::Deadline),
                Timer::ServerRetransmit(h) => {
                    self.layer
                        .server_timer(&mut self.io, h, at, ServerInput::Retransmit);
                }
                Timer::ServerDeadline(h) => {
                    self.layer
                        .server_timer(&mut self.io, h, at, ServerInput::Deadline);
                }
                Timer::Call(call, kind) => self.call_timer(call, kind, at),
                Timer::Binding(h) => self.binding_timer(h, at),
                Timer::TrunkRegister(h) => self.trunk_register_timer(h, at),
                Timer::TrunkOptions(h) => self.trunk_options_timer(h, at),
                Timer::Resolve(id) => self.on_resolved(id, Err(ResolveError::Timeout)),
            }
        }
    }

    fn client_timer(&mut self, handle: Handle, at: Timestamp, input: ClientInput) {
        if let Some((owner, news)) = self.layer.client_timer(&mut self.io, handle, at, input) {
            self.client_news(owner, &news, None, None);
        }
    }

    fn call_timer(&mut self, call: CallRef, kind: CallTimer, at: Timestamp) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        if !entry.take_timer(kind, at) {
            return;
        }
        match kind {
            CallTimer::Repeat => self.repeat_unacknowledged(call),
            CallTimer::Unacknowledged => self.never_acknowledged(call),
            CallTimer::Ring => self.ring_timed_out(call),
            CallTimer::Session => self.session_timer(call),
            CallTimer::Glare => self.retry_reoffer(call),
            CallTimer::KeepRinging => self.keep_ringing(call),
            CallTimer::Subscription => entry.refer = None,
            CallTimer::ForgetAck => entry.ack = None,
        }
    }

    /// The answer to a `Resolve`.
    pub fn resolved(&mut self, now: Timestamp, id: u64, result: Result<Vec<Target>, ResolveError>) {
        self.io.now = now;
        self.on_resolved(id, result);
    }

    /// Something could not be sent there, or the connection could not be opened.
    pub fn send_failed(&mut self, now: Timestamp, target: &Target) {
        self.io.now = now;
        let failed = self.layer.fail_clients_to(&mut self.io, target);
        for (owner, news) in failed {
            self.client_news(owner, &news, None, None);
        }
        if let Target::Flow(Flow {
            connection: Some(connection),
            ..
        }) = target
        {
            self.flow_closed(now, *connection);
        }
    }

    /// A connection went away: its bindings go, its requests fail, calls that still ring are
    /// over; dialogs live on and use another way when they must.
    pub fn flow_closed(&mut self, now: Timestamp, connection: ConnectionId) {
        self.io.now = now;
        let failed = self.layer.fail_clients_on(&mut self.io, connection);
        for (owner, news) in failed {
            self.client_news(owner, &news, None, None);
        }
        for call in self.layer.drop_servers_on(connection) {
            self.caller_lost(call);
        }
        self.drop_bindings_on(connection);
    }

    /// Hangs up whatever the state: BYE, CANCEL, or a refusal (480). No event follows; calling it
    /// again, or for a call that is over, does nothing. `reason` becomes the Reason header.
    pub fn hang_up(&mut self, now: Timestamp, call: CallRef, reason: Option<String>) {
        self.io.now = now;
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        entry.silent = true;
        match (entry.state, entry.outgoing) {
            (CallState::Cancelling | CallState::Closing, _) => {}
            (CallState::Early, true) => self.cancel_call(call, reason),
            (CallState::Early, false) => {
                let headers: Vec<_> = reason
                    .map(|r| ("Reason".to_string(), r))
                    .into_iter()
                    .collect();
                self.refuse_invite(call, 480, &headers);
                self.remove_call(call);
            }
            (CallState::Answered, false) => {
                // No BYE before the ACK (15).
                if let Some(accepted) = entry.accepted.as_mut() {
                    accepted.bye = Some(reason);
                }
            }
            (CallState::Answered, true) => {
                if let call::Offer::OursToAck { cseq } = entry.offer {
                    entry.offer = call::Offer::None;
                    self.send_ack(call, cseq, None, None);
                }
                self.send_bye(call, reason.as_deref());
            }
            (CallState::Confirmed, _) => self.send_bye(call, reason.as_deref()),
        }
    }

    /// Takes an outgoing call back that nobody answered yet. Unlike after [`Self::hang_up`], an answer
    /// that crosses the CANCEL stands and is told ([`UaEvent::Answered`]); else [`UaEvent::Failed`]
    /// follows. `false`: it is over at once, and nothing follows.
    pub fn withdraw(&mut self, now: Timestamp, call: CallRef, reason: Option<String>) -> bool {
        self.io.now = now;
        let open = |c: &&mut Box<call::Call>| c.state == CallState::Early && c.outgoing;
        let Some(entry) = self.calls.get_mut(call.handle()).filter(open) else {
            return false;
        };
        if let Some(uac) = entry.uac.as_mut() {
            uac.answer_stands = true;
        }
        self.cancel_call(call, reason);
        self.calls.get(call.handle()).is_some()
    }

    /// The Call-ID of a call, for the log.
    pub fn call_id(&self, call: CallRef) -> Option<&str> {
        self.calls.get(call.handle()).map(|c| &*c.call_id)
    }

    /// Source networks that are banned now, each with the end of its ban.
    pub fn bans(&self, now: Timestamp) -> Vec<(std::net::IpAddr, Timestamp)> {
        self.limiter.bans(now)
    }
    /// Takes a ban back; `false`: there was none.
    pub fn unban(&mut self, now: Timestamp, ip: std::net::IpAddr) -> bool {
        self.limiter.unban(now, ip)
    }
    /// Bans a source until then.
    pub fn ban(&mut self, now: Timestamp, ip: std::net::IpAddr, until: Timestamp) {
        self.limiter.ban(now, ip, until);
    }

    pub fn table_sizes(&self) -> TableSizes {
        TableSizes {
            calls: self.calls.len(),
            requests: self.requests.len(),
            client_transactions: self.layer.clients_len(),
            server_transactions: self.layer.servers_len(),
            bindings: self.registrar.len(),
            sources: self.limiter.len(),
            timers: self.io.timers.len(),
        }
    }

    /// A response to a request of ours, for whoever sent it.
    fn owner_response(
        &mut self,
        owner: Owner,
        request: Handle,
        response: &crate::message::Message,
        flow: Option<&Flow>,
    ) {
        let Some(flow) = flow else {
            return;
        };
        match owner {
            Owner::Invite(call) => self.invite_response(call, request, response, flow),
            Owner::Reoffer(call) => self.reoffer_response(call, response, flow),
            Owner::Bye(call) if response.status() >= 200 => self.remove_call(call),
            Owner::Prack(call) | Owner::Notify(call) => self.dialog_response(call, response),
            Owner::TrunkRegister(trunk) => self.trunk_registered(trunk, response),
            Owner::TrunkOptions(trunk) => self.trunk_answered(trunk, response),
            // The phone was answered while we withdrew a ringing that another process began.
            Owner::Nobody if response.method() == crate::message::Method::Invite => {
                if (200..300).contains(&response.status()) {
                    self.undo_stray(response, flow);
                }
            }
            Owner::Bye(_) | Owner::Cancel | Owner::Ack(_) | Owner::Nobody => {}
        }
    }

    /// A request of ours got no response.
    fn owner_failure(&mut self, owner: Owner, failure: Failure) {
        match owner {
            Owner::Invite(call) => self.invite_failed(call, failure),
            Owner::Reoffer(call) => self.reoffer_failed(call, failure),
            Owner::Bye(call) => self.remove_call(call),
            Owner::TrunkRegister(trunk) => self.trunk_register_failed(trunk, failure),
            Owner::TrunkOptions(trunk) => self.trunk_silent(trunk, failure),
            // The ACK's 2xx will be repeated, the PRACK's provisional response too.
            Owner::Ack(_) | Owner::Prack(_) | Owner::Notify(_) | Owner::Cancel | Owner::Nobody => {}
        }
    }
}
