//! Requests of ours on their way: rendered for a target, resolved, failed over to the next target
//! (RFC 3263 4.3), authenticated, and matched with what came of them.

use super::UserAgent;
use super::config::ClientCredential;
use super::draft::Draft;
use super::event::{CallRef, ResolveError, UaOutput};
use crate::build::Builder;
use crate::dialog::{Hop, host_ip};
use crate::header::HeaderName;
use crate::io::Timer;
use crate::message::{Message, Method};
use crate::table::Handle;
use crate::text::push_token;
use crate::transaction::ClientNews;
use crate::uri::SipUri;
use bytes::Bytes;
use cp_vocab::net::{Target, Transport};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// Above this many bytes a request leaves UDP for TCP (18.1.1, path MTU unknown).
pub(crate) const UDP_REQUEST_BYTES_MAX: usize = 1_300;
/// Targets tried for one request; the rest are not.
const TARGETS_MAX: usize = 8;
/// Challenges answered for one request (a stale nonce costs one more); then the 401 stands.
const AUTH_TRIES_MAX: u8 = 3;
/// A name that the owner does not resolve in this time has failed.
const RESOLVE_WAIT: Duration = Duration::from_secs(10);

/// Who a request was sent for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Invite(CallRef),
    /// Re-INVITE or UPDATE of ours.
    Reoffer(CallRef),
    Bye(CallRef),
    Prack(CallRef),
    Notify(CallRef),
    Ack(CallRef),
    Cancel,
    TrunkRegister(Handle),
    TrunkOptions(Handle),
    /// A dialog nobody keeps: stray 2xx, losers of a fork, orphans.
    Nobody,
}

impl Owner {
    fn call(self) -> Option<CallRef> {
        match self {
            Self::Invite(c)
            | Self::Reoffer(c)
            | Self::Bye(c)
            | Self::Prack(c)
            | Self::Notify(c)
            | Self::Ack(c) => Some(c),
            _ => None,
        }
    }
}

/// A request on its way.
pub(crate) struct Request {
    pub(crate) draft: Draft,
    pub(crate) owner: Owner,
    targets: VecDeque<Target>,
    current: Option<Target>,
    pub(crate) tx: Option<Handle>,
    pub(crate) credential: Option<Box<ClientCredential>>,
    auth_tries: u8,
    /// How many targets were tried.
    tried: usize,
    /// The last 503 (with nothing else to try it stands).
    resolve: Option<u64>,
    /// A final response or failure was delivered; only repetitions of a 2xx still matter.
    finished: bool,
}

impl Request {
    /// One that has its only target already.
    fn sent(draft: Draft, owner: Owner, target: Target) -> Self {
        Self {
            draft,
            owner,
            targets: VecDeque::new(),
            current: Some(target),
            tx: None,
            credential: None,
            auth_tries: 0,
            tried: 1,
            resolve: None,
            finished: false,
        }
    }

    /// What is needed to send it again, to where it went.
    pub(crate) fn again(&self) -> Option<(Draft, Target)> {
        Some((self.draft.clone(), self.current.clone()?))
    }
}

/// How a request ended without a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    Timeout,
    Transport,
}

impl UserAgent {
    /// Sends a request towards `hop`. The result comes to `owner`.
    pub(crate) fn send_request(
        &mut self,
        draft: Draft,
        hop: Hop,
        owner: Owner,
        credential: Option<Box<ClientCredential>>,
    ) -> Handle {
        let request = Request {
            draft,
            owner,
            targets: VecDeque::new(),
            current: None,
            tx: None,
            credential,
            auth_tries: 0,
            tried: 0,
            resolve: None,
            finished: false,
        };
        let handle = self.requests.insert(request);
        match hop {
            Hop::Target(target) => self.set_targets(handle, vec![target]),
            Hop::Targets(targets) if targets.is_empty() => self.fail_later(handle),
            Hop::Targets(targets) => self.set_targets(handle, targets),
            Hop::Uri(uri) => self.resolve_uri(handle, &uri),
        }
        handle
    }

    /// Finds out where a URI leads: at once for addresses, by the owner's resolver for names.
    fn resolve_uri(&mut self, handle: Handle, uri: &str) {
        let Some(parsed) = SipUri::parse(uri).filter(|u| u.is_sip()) else {
            return self.fail_later(handle);
        };
        let transport = uri_transport(&parsed);
        if let Some(ip) = host_ip(parsed.params.get("maddr").unwrap_or(parsed.host)) {
            let transport = transport.unwrap_or(match parsed.is_secure() {
                true => Transport::Tls,
                false => Transport::Udp,
            });
            let port = parsed.port.unwrap_or(default_port(transport));
            let target = Target::Addr {
                transport,
                addr: SocketAddr::new(ip, port),
                server_name: None,
            };
            return self.set_targets(handle, vec![target]);
        }
        self.resolve_id += 1;
        let id = self.resolve_id;
        self.resolving.insert(id, handle);
        if let Some(request) = self.requests.get_mut(handle) {
            request.resolve = Some(id);
        }
        self.io.arm(RESOLVE_WAIT, Timer::Resolve(id));
        self.io.out.push_back(UaOutput::Resolve {
            id,
            host: parsed.host.to_string(),
            port: parsed.port,
            transport,
            secure: parsed.is_secure(),
        });
    }

    /// The owner resolved a name.
    pub(crate) fn on_resolved(&mut self, id: u64, result: Result<Vec<Target>, ResolveError>) {
        let Some(handle) = self.resolving.remove(&id) else {
            return;
        };
        if let Some(request) = self.requests.get_mut(handle) {
            request.resolve = None;
        }
        match result {
            Ok(targets) if !targets.is_empty() => self.set_targets(handle, targets),
            _ => self.request_failed(handle, Failure::Transport),
        }
    }

    fn set_targets(&mut self, handle: Handle, targets: Vec<Target>) {
        let targets = self.blacklist.order(self.io.now, targets);
        if let Some(request) = self.requests.get_mut(handle) {
            request.targets = targets.into_iter().take(TARGETS_MAX).collect();
            self.try_next(handle);
        }
    }

    /// Whether the owner may not be told at once because it does not know the handle yet.
    fn fail_later(&mut self, handle: Handle) {
        self.resolve_id += 1;
        self.resolving.insert(self.resolve_id, handle);
        self.io.arm(Duration::ZERO, Timer::Resolve(self.resolve_id));
    }

    /// Sends to the next target; `false` when there is none left.
    fn try_next(&mut self, handle: Handle) -> bool {
        let Some(request) = self.requests.get_mut(handle) else {
            return false;
        };
        let Some(target) = request.targets.pop_front() else {
            return false;
        };
        request.tried += 1;
        self.transmit_request(handle, target);
        true
    }

    fn transmit_request(&mut self, handle: Handle, mut target: Target) {
        let branch = self.io.random();
        let Some(request) = self.requests.get(handle) else {
            return;
        };
        let mut bytes = self.render(&request.draft, &target, branch);
        // An ACK has no transaction that could fall back, so it goes where the answer came from.
        let may_switch = request.draft.method != Method::Ack;
        if let (true, Some(tcp)) = (may_switch, self.too_large_for_udp(&target, bytes.len())) {
            bytes = self.render(&request.draft, &tcp, branch);
            if let Some(request) = self.requests.get_mut(handle) {
                // Back to UDP should the peer not take TCP (18.1.1).
                request.targets.push_front(target);
            }
            target = tcp;
        }
        let Some(request) = self.requests.get_mut(handle) else {
            return;
        };
        request.current = Some(target.clone());
        let (owner, cseq) = (request.owner, request.draft.cseq);
        if request.draft.method == Method::Ack {
            self.io.transmit(&target, &bytes, owner.call());
            self.requests.remove(handle);
            self.ack_sent(owner, cseq, target, bytes);
            return;
        }
        let method = request.draft.method.clone();
        self.note_hop(owner, &target);
        let tx = self.layer.start_client(
            &mut self.io,
            &method,
            branch,
            (bytes, target),
            handle,
            owner.call(),
        );
        if let Some(request) = self.requests.get_mut(handle) {
            request.tx = Some(tx);
        }
    }

    fn too_large_for_udp(&self, target: &Target, len: usize) -> Option<Target> {
        let Target::Addr {
            transport: Transport::Udp,
            addr,
            ..
        } = target
        else {
            return None;
        };
        let tcp = Target::Addr {
            transport: Transport::Tcp,
            addr: *addr,
            server_name: None,
        };
        let able = self
            .config
            .listen
            .iter()
            .any(|l| l.transport == Transport::Tcp);
        let usable = able && !self.blacklist.is_failed(self.io.now, &tcp);
        (len > UDP_REQUEST_BYTES_MAX && usable).then_some(tcp)
    }

    pub(crate) fn render(&self, draft: &Draft, target: &Target, branch: u64) -> Bytes {
        let listen = self.listen_for(target);
        let mut token = String::with_capacity(16);
        push_token(&mut token, branch);
        let mut b = Builder::request(&draft.method, &draft.uri);
        b.header_fmt(
            HeaderName::Via,
            format_args!(
                "SIP/2.0/{} {};branch=z9hG4bK{token};rport",
                listen.transport.via(),
                listen.advertised
            ),
        );
        b.header_fmt(
            HeaderName::MaxForwards,
            format_args!("{}", draft.max_forwards),
        );
        for route in &draft.routes {
            b.header(HeaderName::Route, route);
        }
        b.header(HeaderName::From, &draft.from);
        b.header(HeaderName::To, &draft.to);
        b.header(HeaderName::CallId, &draft.call_id);
        b.header_fmt(
            HeaderName::CSeq,
            format_args!("{} {}", draft.cseq, draft.method),
        );
        if let Some(user) = &draft.contact_user {
            b.header(
                HeaderName::Contact,
                &super::reply::contact_uri(user, listen),
            );
        }
        if let Some((name, value)) = &draft.auth {
            b.header(*name, value);
        }
        for (name, value) in &draft.headers {
            b.header(*name, value);
        }
        for (name, value) in &draft.others {
            b.other(name, value);
        }
        b.header(HeaderName::UserAgent, &self.config.product);
        if draft.body.is_empty() {
            b.finish()
        } else {
            b.body(draft.content_type, &draft.body)
        }
    }

    /// What a client transaction has to tell.
    pub(crate) fn client_news(
        &mut self,
        handle: Handle,
        news: &[ClientNews],
        response: Option<&Message>,
        flow: Option<&cp_vocab::net::Flow>,
    ) {
        for item in news {
            match (item, response) {
                (ClientNews::Response, Some(response)) => {
                    self.request_response(handle, response, flow);
                }
                (ClientNews::Response, None) => {}
                (ClientNews::Timeout, _) => self.attempt_failed(handle, Failure::Timeout),
                (ClientNews::TransportError, _) => {
                    self.attempt_failed(handle, Failure::Transport);
                }
                (ClientNews::TimerC, _) => {
                    if let Some(Owner::Invite(call)) = self.requests.get(handle).map(|r| r.owner) {
                        self.ring_timed_out(call);
                    }
                }
                (ClientNews::Gone, _) => {
                    // A request that went on to another target or with credentials stays.
                    if self.requests.get(handle).is_some_and(|r| r.finished) {
                        self.requests.remove(handle);
                    }
                }
            }
        }
    }

    fn request_response(
        &mut self,
        handle: Handle,
        response: &Message,
        flow: Option<&cp_vocab::net::Flow>,
    ) {
        let status = response.status();
        let Some(request) = self.requests.get_mut(handle) else {
            return;
        };
        if status >= 200 && !request.finished {
            if matches!(status, 401 | 407) && self.authenticate(handle, response) {
                return;
            }
            // RFC 3263 4.3: another server may be well.
            if status == 503 && self.next_target_after_failure(handle) {
                return;
            }
        }
        let Some(request) = self.requests.get_mut(handle) else {
            return;
        };
        let owner = request.owner;
        // An accepted INVITE stays for the 2xx of other forks, until its transaction is gone.
        let over = status >= 300 || (status >= 200 && request.draft.method != Method::Invite);
        request.finished |= status >= 200;
        self.owner_response(owner, handle, response, flow);
        if over {
            self.requests.remove(handle);
        }
    }

    fn attempt_failed(&mut self, handle: Handle, failure: Failure) {
        if !self.next_target_after_failure(handle) {
            self.request_failed(handle, failure);
        }
    }

    fn next_target_after_failure(&mut self, handle: Handle) -> bool {
        let Some(request) = self.requests.get_mut(handle) else {
            return false;
        };
        if let Some(target) = request.current.take() {
            if let Target::Flow(flow) = &target
                && flow.transport.is_reliable()
                && let Some(address) = without_flow(&request.draft, flow.transport)
            {
                request.targets.push_back(address);
            }
            self.blacklist.failed(self.io.now, target);
        }
        if self.is_cancelling(handle) {
            return false;
        }
        self.try_next(handle)
    }

    /// No response will come.
    pub(crate) fn request_failed(&mut self, handle: Handle, failure: Failure) {
        let Some(request) = self.requests.remove(handle) else {
            return;
        };
        if let Some(id) = request.resolve {
            self.resolving.remove(&id);
        }
        if !request.finished {
            self.owner_failure(request.owner, failure);
        }
    }

    /// Answers a challenge (22.2); `false` when it cannot be.
    fn authenticate(&mut self, handle: Handle, response: &Message) -> bool {
        let cnonce = self.io.random();
        let request = self.requests.get_mut(handle);
        let Some(request) = request.filter(|r| r.auth_tries < AUTH_TRIES_MAX) else {
            return false;
        };
        let shown = request.credential.as_ref();
        let shown = shown.and_then(|c| super::auth::answer(response, c, &request.draft, cnonce));
        let begins = matches!(request.owner, Owner::Invite(_));
        let call = request.owner.call();
        let call = call.and_then(|c| self.calls.get_mut(c.handle()));
        // The same nonce refused is a wrong password, not a stale one.
        let again = request.auth_tries > 0 && !super::auth::is_stale(response);
        let Some(header) = shown.filter(|_| !again && super::auth::may_see(call, begins, response))
        else {
            return false;
        };
        request.auth_tries += 1;
        request.draft.auth = Some(header);
        request.draft.cseq += 1;
        let (cseq, owner) = (request.draft.cseq, request.owner);
        let target = request.current.clone();
        if let Some(call) = owner.call().and_then(|c| self.calls.get_mut(c.handle())) {
            call.local_cseq = call.local_cseq.max(cseq);
        }
        match target {
            Some(target) => self.transmit_request(handle, target),
            None => return false,
        }
        true
    }

    /// Cancels an INVITE that another process sent, with this branch, and that was ringing.
    pub(crate) fn cancel_foreign(&mut self, draft: Draft, target: Target, branch: u64) {
        let bytes = self.render(&draft, &target, branch);
        let handle = self
            .requests
            .insert(Request::sent(draft, Owner::Nobody, target.clone()));
        let tx = self.layer.resume_invite(branch, (bytes, target), handle);
        if let Some(request) = self.requests.get_mut(handle) {
            request.tx = Some(tx);
        }
        self.send_cancel(handle, Some("SIP;cause=503;text=\"Temporary failure\""));
    }

    /// The draft, target and branch of an INVITE that rings.
    pub(crate) fn ringing_request(&self, handle: Handle) -> Option<(&Draft, Target, u64)> {
        let request = self.requests.get(handle)?;
        let tx = request
            .tx
            .filter(|tx| self.layer.cancellable(*tx) == Some(true))?;
        let (_, target, branch) = self.layer.client_request(tx)?;
        Some((&request.draft, target, branch))
    }

    /// Cancels an INVITE on its way (9.1): same branch, Route and CSeq number, its own transaction.
    pub(crate) fn send_cancel(&mut self, invite: Handle, reason: Option<&str>) {
        let Some(request) = self.requests.get(invite) else {
            return;
        };
        let Some(tx) = request.tx else {
            return;
        };
        let Some((_, target, branch)) = self.layer.client_request(tx) else {
            return;
        };
        let mut draft = request.draft.clone();
        let call = request.owner.call();
        draft.method = Method::Cancel;
        draft.contact_user = None;
        draft.headers.clear();
        draft.others.clear();
        draft.auth = None;
        draft.body = Bytes::new();
        if let Some(reason) = reason {
            draft.headers.push((HeaderName::Reason, reason.into()));
        }
        let bytes = self.render(&draft, &target, branch);
        let handle = self
            .requests
            .insert(Request::sent(draft, Owner::Cancel, target.clone()));
        let cancel = self.layer.start_client(
            &mut self.io,
            &Method::Cancel,
            branch,
            (bytes, target),
            handle,
            call,
        );
        if let Some(request) = self.requests.get_mut(handle) {
            request.tx = Some(cancel);
        }
        self.layer.cancelled(&mut self.io, tx);
    }

    /// Forgets a request that was never sent (its name is still being resolved).
    pub(crate) fn abandon_unsent(&mut self, handle: Handle) -> bool {
        let unsent = self.requests.get(handle).is_some_and(|r| r.tx.is_none());
        if unsent
            && let Some(request) = self.requests.remove(handle)
            && let Some(id) = request.resolve
        {
            self.resolving.remove(&id);
        }
        unsent
    }

    fn note_hop(&mut self, owner: Owner, target: &Target) {
        let (Owner::Reoffer(call) | Owner::Prack(call) | Owner::Notify(call)) = owner else {
            return;
        };
        if let Some(call) = self.calls.get_mut(call.handle())
            && let [dialog] = &mut call.dialogs[..]
        {
            dialog.hop = Some(target.clone());
        }
    }
}

/// A connection is gone: the peer may still listen at the address in its Contact (RFC 5923 4.1
/// leaves no other way). Browsers and peers behind recorded routers cannot be reached so.
fn without_flow(draft: &Draft, lost: Transport) -> Option<Target> {
    if !draft.routes.is_empty() || matches!(lost, Transport::Ws | Transport::Wss) {
        return None;
    }
    let uri = SipUri::parse(&draft.uri)?;
    let transport = uri_transport(&uri).unwrap_or(lost);
    let port = uri.port.unwrap_or(default_port(transport));
    Some(Target::Addr {
        transport,
        addr: SocketAddr::new(host_ip(uri.host)?, port),
        server_name: None,
    })
}

/// The transport a URI names.
pub(crate) fn uri_transport(uri: &SipUri<'_>) -> Option<Transport> {
    let name = uri.params.get("transport")?;
    let secure = uri.is_secure();
    [
        (Transport::Udp, "udp"),
        (Transport::Tcp, "tcp"),
        (Transport::Tls, "tls"),
        (Transport::Ws, "ws"),
        (Transport::Wss, "wss"),
    ]
    .into_iter()
    .find(|(_, text)| name.eq_ignore_ascii_case(text))
    .map(|(transport, _)| match (transport, secure) {
        (Transport::Tcp, true) => Transport::Tls,
        (Transport::Ws, true) => Transport::Wss,
        (transport, _) => transport,
    })
}

pub(crate) fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
        Transport::Ws => 80,
        Transport::Wss => 443,
    }
}
