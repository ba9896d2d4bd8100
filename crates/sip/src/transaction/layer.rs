//! Runs the transaction machines: tables, keys (17.1.3, 17.2.3), timers and transmissions.

use super::Timers;
use super::client::{ClientAction, ClientActions, ClientInput, ClientMachine, ClientState};
use super::server::{ServerAction, ServerActions, ServerInput, ServerMachine, ServerState};
use crate::header::HeaderName;
use crate::io::{Io, Timer};
use crate::message::{Message, Method};
use crate::table::{Handle, Table};
use crate::text::{branch_value, keyed_hash};
use crate::ua::CallRef;
use bytes::Bytes;
use cp_vocab::Timestamp;
use cp_vocab::net::{ConnectionId, Target};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::fmt::Write as _;
use std::time::Duration;

/// What a client transaction has to tell its request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientNews {
    /// The response just given belongs to it and is new.
    Response,
    Timeout,
    TimerC,
    TransportError,
    /// It is over; nothing more comes.
    Gone,
}

pub(crate) type News = SmallVec<[ClientNews; 2]>;

struct ClientTx {
    machine: ClientMachine,
    branch: u64,
    cancel: bool,
    request: Bytes,
    target: Target,
    /// The request record of the user agent it works for.
    owner: Handle,
    call: Option<CallRef>,
    ack: Option<Bytes>,
    retransmit_at: Timestamp,
    deadline_at: Timestamp,
}

/// Identifies a server transaction: a keyed hash of branch, sent-by and method (17.2.3).
/// 128 bits of a keyed function: strangers can neither collide it nor crowd the table.
pub(crate) type ServerKey = u128;

struct ServerTx {
    machine: ServerMachine,
    key: ServerKey,
    /// From tag, Call-ID and CSeq: finds merged requests (8.2.2.2).
    merge: u128,
    reply_to: Target,
    response: Option<Bytes>,
    call: Option<CallRef>,
    retransmit_at: Timestamp,
    deadline_at: Timestamp,
}

/// A request that starts a server transaction.
pub(crate) struct NewServer {
    pub(crate) key: ServerKey,
    pub(crate) merge: u128,
    pub(crate) invite: bool,
    pub(crate) reply_to: Target,
    /// Timer J on unreliable transports.
    pub(crate) linger: Duration,
}

/// The transactions of one connection.
#[derive(Default)]
struct Running {
    clients: FxHashSet<Handle>,
    servers: FxHashSet<Handle>,
}

fn connection_of(target: &Target) -> Option<ConnectionId> {
    match target {
        Target::Flow(flow) => flow.connection,
        Target::Addr { .. } => None,
    }
}

/// All transactions of a user agent. Client ones are bounded by calls and trunks, server ones by
/// `UaLimits::server_transactions_max`, which the user checks.
pub(crate) struct Layer {
    pub(crate) t: Timers,
    secret: u64,
    clients: Table<ClientTx>,
    by_branch: FxHashMap<(u64, bool), Handle>,
    servers: Table<ServerTx>,
    by_key: FxHashMap<ServerKey, Handle>,
    by_merge: FxHashMap<u128, Handle>,
    /// What runs over each connection, so that a closing one costs only its own.
    by_connection: FxHashMap<ConnectionId, Running>,
    scratch: String,
}

impl Layer {
    pub(crate) fn new(t: Timers, secret: u64) -> Self {
        Self {
            t,
            secret,
            clients: Table::default(),
            by_branch: FxHashMap::default(),
            servers: Table::default(),
            by_key: FxHashMap::default(),
            by_merge: FxHashMap::default(),
            by_connection: FxHashMap::default(),
            scratch: String::new(),
        }
    }

    pub(crate) fn clients_len(&self) -> usize {
        self.clients.len()
    }
    pub(crate) fn servers_len(&self) -> usize {
        self.servers.len()
    }

    // Client side.

    /// Starts a client transaction: sends the request and arms its timers.
    pub(crate) fn start_client(
        &mut self,
        io: &mut Io,
        method: &Method,
        branch: u64,
        (request, target): (Bytes, Target),
        owner: Handle,
        call: Option<CallRef>,
    ) -> Handle {
        let reliable = match &target {
            Target::Flow(flow) => flow.transport.is_reliable(),
            Target::Addr { transport, .. } => transport.is_reliable(),
        };
        let cancel = *method == Method::Cancel;
        let connection = connection_of(&target);
        let mut machine = ClientMachine::new(*method == Method::Invite, reliable);
        let actions = machine.start(&self.t);
        let handle = self.clients.insert(ClientTx {
            machine,
            branch,
            cancel,
            request,
            target,
            owner,
            call,
            ack: None,
            retransmit_at: Timestamp::FAR,
            deadline_at: Timestamp::FAR,
        });
        self.by_branch.insert((branch, cancel), handle);
        if let Some(connection) = connection {
            let running = self.by_connection.entry(connection).or_default();
            running.clients.insert(handle);
        }
        self.run_client(io, handle, actions, None);
        handle
    }

    /// Takes up an INVITE that another process sent and that has a provisional response: what comes for
    /// it is matched and acknowledged as if it were ours. Nothing is sent; cancel it next, which bounds it.
    pub(crate) fn resume_invite(
        &mut self,
        branch: u64,
        (request, target): (Bytes, Target),
        owner: Handle,
    ) -> Handle {
        let reliable = match &target {
            Target::Flow(flow) => flow.transport.is_reliable(),
            Target::Addr { transport, .. } => transport.is_reliable(),
        };
        let mut machine = ClientMachine::new(true, reliable);
        machine.state = ClientState::Proceeding;
        let handle = self.clients.insert(ClientTx {
            machine,
            branch,
            cancel: false,
            request,
            target,
            owner,
            call: None,
            ack: None,
            retransmit_at: Timestamp::FAR,
            deadline_at: Timestamp::FAR,
        });
        self.by_branch.insert((branch, false), handle);
        handle
    }

    /// Matches a response (17.1.3). Gives the owner and its news; `None`: a stray response.
    pub(crate) fn response(&mut self, io: &mut Io, response: &Message) -> Option<(Handle, News)> {
        let via = response.top_via()?;
        let branch = branch_value(via.branch?)?;
        let cancel = response.method() == Method::Cancel;
        let handle = *self.by_branch.get(&(branch, cancel))?;
        let client = self.clients.get_mut(handle)?;
        // 17.1.3: the method of CSeq must match as well; ours says INVITE or not.
        if (response.method() == Method::Invite) != client.machine.invite {
            return None;
        }
        let owner = client.owner;
        let input = ClientInput::Response(response.status());
        let actions = client.machine.handle(input, &self.t);
        Some((owner, self.run_client(io, handle, actions, Some(response))))
    }

    pub(crate) fn client_timer(
        &mut self,
        io: &mut Io,
        handle: Handle,
        at: Timestamp,
        input: ClientInput,
    ) -> Option<(Handle, News)> {
        let client = self.clients.get_mut(handle)?;
        let valid = match input {
            ClientInput::Retransmit => &mut client.retransmit_at,
            _ => &mut client.deadline_at,
        };
        if *valid != at {
            return None;
        }
        *valid = Timestamp::FAR;
        let owner = client.owner;
        let actions = client.machine.handle(input, &self.t);
        Some((owner, self.run_client(io, handle, actions, None)))
    }

    /// The user cancelled this INVITE.
    pub(crate) fn cancelled(&mut self, io: &mut Io, handle: Handle) {
        if let Some(client) = self.clients.get_mut(handle) {
            let actions = client.machine.handle(ClientInput::Cancelled, &self.t);
            self.run_client(io, handle, actions, None);
        }
    }

    /// Transport errors for every live client transaction to a target. Walks the whole table for
    /// addresses: failures are rare and tables are walked in microseconds.
    pub(crate) fn fail_clients_to(&mut self, io: &mut Io, target: &Target) -> Vec<(Handle, News)> {
        let hits = match connection_of(target) {
            Some(connection) => self.clients_on(connection),
            None => {
                let all = self.clients.iter();
                all.filter(|(_, c)| c.target == *target)
                    .map(|(h, _)| h)
                    .collect()
            }
        };
        self.fail_clients(io, hits)
    }

    /// Transport errors for every live client transaction over a connection.
    pub(crate) fn fail_clients_on(
        &mut self,
        io: &mut Io,
        connection: ConnectionId,
    ) -> Vec<(Handle, News)> {
        let hits = self.clients_on(connection);
        self.fail_clients(io, hits)
    }

    fn clients_on(&self, connection: ConnectionId) -> Vec<Handle> {
        let running = self.by_connection.get(&connection);
        let mut hits: Vec<Handle> = running.map_or(vec![], |r| r.clients.iter().copied().collect());
        // The order of a hash set is no order: the same input must give the same output.
        hits.sort_unstable_by_key(|h| h.serial);
        hits
    }

    fn fail_clients(&mut self, io: &mut Io, hits: Vec<Handle>) -> Vec<(Handle, News)> {
        let mut out = Vec::with_capacity(hits.len());
        for handle in hits {
            if let Some(client) = self.clients.get_mut(handle) {
                let owner = client.owner;
                let actions = client.machine.handle(ClientInput::TransportError, &self.t);
                out.push((owner, self.run_client(io, handle, actions, None)));
            }
        }
        out
    }

    /// Whether the INVITE behind `handle` has a provisional response, so that it may be cancelled
    /// now (9.1); `None`: it has a final response or is gone.
    pub(crate) fn cancellable(&self, handle: Handle) -> Option<bool> {
        match self.clients.get(handle)?.machine.state {
            ClientState::Calling => Some(false),
            ClientState::Proceeding => Some(true),
            _ => None,
        }
    }

    /// The request bytes and target of a client transaction, for its CANCEL.
    pub(crate) fn client_request(&self, handle: Handle) -> Option<(Bytes, Target, u64)> {
        let client = self.clients.get(handle)?;
        Some((client.request.clone(), client.target.clone(), client.branch))
    }

    fn run_client(
        &mut self,
        io: &mut Io,
        handle: Handle,
        actions: ClientActions,
        response: Option<&Message>,
    ) -> News {
        let mut news = News::new();
        let mut done = false;
        let Some(client) = self.clients.get_mut(handle) else {
            return news;
        };
        for action in actions {
            match action {
                ClientAction::Send => io.transmit(&client.target, &client.request, client.call),
                ClientAction::Ack => {
                    if client.ack.is_none() {
                        client.ack = response.and_then(|r| ack_for(&client.request, r));
                    }
                    if let Some(ack) = &client.ack {
                        io.transmit(&client.target, ack, None);
                    }
                }
                ClientAction::Deliver => news.push(ClientNews::Response),
                ClientAction::Timeout => news.push(ClientNews::Timeout),
                ClientAction::TimerC => news.push(ClientNews::TimerC),
                ClientAction::TransportError => news.push(ClientNews::TransportError),
                ClientAction::ArmRetransmit(delay) => {
                    client.retransmit_at = io.arm(delay, Timer::ClientRetransmit(handle));
                }
                ClientAction::StopRetransmit => client.retransmit_at = Timestamp::FAR,
                ClientAction::ArmDeadline(delay) => {
                    client.deadline_at = io.arm(delay, Timer::ClientDeadline(handle));
                }
                ClientAction::StopDeadline => client.deadline_at = Timestamp::FAR,
                ClientAction::Done => done = true,
            }
        }
        // A completed transaction only absorbs: its request is not sent again.
        if client.machine.state == ClientState::Accepted {
            client.request = Bytes::new();
        }
        if done && let Some(client) = self.clients.remove(handle) {
            self.by_branch.remove(&(client.branch, client.cancel));
            if let Some(connection) = connection_of(&client.target) {
                self.forget_running(connection, |r| r.clients.remove(&handle));
            }
            news.push(ClientNews::Gone);
        }
        news
    }

    fn forget_running(&mut self, connection: ConnectionId, take: impl Fn(&mut Running) -> bool) {
        if let Some(running) = self.by_connection.get_mut(&connection) {
            take(running);
            if running.clients.is_empty() && running.servers.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }

    // Server side.

    /// The key of the transaction a request belongs to (17.2.3). An ACK has the key of its INVITE;
    /// for a CANCEL give `Method::Invite` to find what it cancels.
    pub(crate) fn server_key(&mut self, request: &Message, method: &Method) -> ServerKey {
        let name = match method {
            Method::Ack => "INVITE",
            other => other.as_str(),
        };
        let text = &mut self.scratch;
        text.clear();
        text.push_str(name);
        text.push('\n');
        match request.top_via() {
            Some(via) if via.branch.is_some_and(|b| b.len() > 7 && has_cookie(b)) => {
                text.push_str(via.branch.unwrap_or_default());
                text.push('\n');
                text.push_str(via.host);
                let _ = write!(text, ":{}", via.port.unwrap_or(0));
                // Host names and the cookie compare without case; branches do in practice too.
                text.make_ascii_lowercase();
            }
            _ => {
                // RFC 2543: Request-URI, From tag, Call-ID, CSeq number and top Via.
                text.push_str(request.uri());
                text.push('\n');
                text.push_str(request.from().and_then(|f| f.tag).unwrap_or(""));
                text.push('\n');
                text.push_str(request.call_id());
                let _ = write!(text, "\n{}\n", request.cseq().map_or(0, |c| c.number));
                text.push_str(request.header(HeaderName::Via).unwrap_or(""));
            }
        }
        keyed_hash(self.secret, &self.scratch)
    }

    /// What merged copies of one request have in common (8.2.2.2).
    pub(crate) fn merge_key(&mut self, request: &Message) -> u128 {
        let text = &mut self.scratch;
        text.clear();
        text.push_str(request.from().and_then(|f| f.tag).unwrap_or(""));
        text.push('\n');
        text.push_str(request.call_id());
        if let Some(cseq) = request.cseq() {
            let _ = write!(text, "\n{} {}", cseq.number, cseq.method);
        }
        keyed_hash(self.secret, text)
    }

    pub(crate) fn find_server(&self, key: ServerKey) -> Option<Handle> {
        self.by_key.get(&key).copied()
    }

    pub(crate) fn is_merged(&self, merge: u128) -> bool {
        self.by_merge.contains_key(&merge)
    }

    /// The call an INVITE transaction belongs to.
    pub(crate) fn server_call(&self, handle: Handle) -> Option<CallRef> {
        self.servers.get(handle)?.call
    }

    pub(crate) fn start_server(&mut self, new: NewServer) -> Handle {
        let reliable = match &new.reply_to {
            Target::Flow(flow) => flow.transport.is_reliable(),
            Target::Addr { transport, .. } => transport.is_reliable(),
        };
        let connection = connection_of(&new.reply_to);
        let handle = self.servers.insert(ServerTx {
            machine: ServerMachine::new(new.invite, reliable, new.linger),
            key: new.key,
            merge: new.merge,
            reply_to: new.reply_to,
            response: None,
            call: None,
            retransmit_at: Timestamp::FAR,
            deadline_at: Timestamp::FAR,
        });
        self.by_key.insert(new.key, handle);
        if let Some(connection) = connection {
            let running = self.by_connection.entry(connection).or_default();
            running.servers.insert(handle);
        }
        if new.merge != 0 {
            self.by_merge.insert(new.merge, handle);
        }
        handle
    }

    pub(crate) fn set_server_call(&mut self, handle: Handle, call: CallRef) {
        if let Some(server) = self.servers.get_mut(handle) {
            server.call = Some(call);
        }
    }

    /// The same request came again.
    pub(crate) fn repeated(&mut self, io: &mut Io, handle: Handle) {
        self.server_input(io, handle, ServerInput::Request);
    }

    /// The ACK to a non-2xx came.
    pub(crate) fn acknowledged(&mut self, io: &mut Io, handle: Handle) {
        self.server_input(io, handle, ServerInput::Ack);
    }

    /// Answers. A transaction that is gone swallows it.
    pub(crate) fn respond(&mut self, io: &mut Io, handle: Handle, status: u16, bytes: Bytes) {
        if let Some(server) = self.servers.get_mut(handle) {
            server.response = Some(bytes);
            self.server_input(io, handle, ServerInput::Respond(status));
        }
        // What stays for half a minute should not keep the builder's spare room with it.
        if let Some(server) = self.servers.get_mut(handle)
            && server.machine.state == ServerState::Completed
            && let Some(response) = &mut server.response
        {
            *response = Bytes::copy_from_slice(response);
        }
    }

    pub(crate) fn server_timer(
        &mut self,
        io: &mut Io,
        handle: Handle,
        at: Timestamp,
        input: ServerInput,
    ) {
        let Some(server) = self.servers.get_mut(handle) else {
            return;
        };
        let valid = match input {
            ServerInput::Retransmit => &mut server.retransmit_at,
            _ => &mut server.deadline_at,
        };
        if *valid == at {
            *valid = Timestamp::FAR;
            self.server_input(io, handle, input);
        }
    }

    fn server_input(&mut self, io: &mut Io, handle: Handle, input: ServerInput) {
        if let Some(server) = self.servers.get_mut(handle) {
            let actions = server.machine.handle(input, &self.t);
            self.run_server(io, handle, actions);
        }
    }

    fn run_server(&mut self, io: &mut Io, handle: Handle, actions: ServerActions) {
        let Some(server) = self.servers.get_mut(handle) else {
            return;
        };
        let mut done = false;
        for action in actions {
            match action {
                ServerAction::Send => {
                    if let Some(response) = &server.response {
                        io.transmit(&server.reply_to, response, server.call);
                    }
                }
                ServerAction::ArmRetransmit(delay) => {
                    server.retransmit_at = io.arm(delay, Timer::ServerRetransmit(handle));
                }
                ServerAction::StopRetransmit => server.retransmit_at = Timestamp::FAR,
                ServerAction::ArmDeadline(delay) => {
                    server.deadline_at = io.arm(delay, Timer::ServerDeadline(handle));
                }
                ServerAction::ForgetResponse => server.response = None,
                ServerAction::Done => done = true,
            }
        }
        if done {
            self.remove_server(handle);
        }
    }

    fn remove_server(&mut self, handle: Handle) {
        if let Some(server) = self.servers.remove(handle) {
            self.by_key.remove(&server.key);
            if let Some(connection) = connection_of(&server.reply_to) {
                self.forget_running(connection, |r| r.servers.remove(&handle));
            }
            // A later transaction may have taken the merge key over.
            if self.by_merge.get(&server.merge) == Some(&handle) {
                self.by_merge.remove(&server.merge);
            }
        }
    }

    /// Drops the server transactions of a closed connection, which nobody can be answered on any
    /// more. Gives the calls whose INVITE had no final response yet.
    pub(crate) fn drop_servers_on(&mut self, connection: ConnectionId) -> Vec<CallRef> {
        let running = self.by_connection.get(&connection);
        let mut hits: Vec<Handle> = running.map_or(vec![], |r| r.servers.iter().copied().collect());
        hits.sort_unstable_by_key(|h| h.serial);
        let mut unanswered = Vec::new();
        for handle in hits {
            if let Some(server) = self.servers.get(handle)
                && server.machine.invite
                && server.machine.state == ServerState::Proceeding
            {
                unanswered.extend(server.call);
            }
            self.remove_server(handle);
        }
        unanswered
    }
}

fn has_cookie(branch: &str) -> bool {
    branch
        .get(..7)
        .is_some_and(|c| c.eq_ignore_ascii_case("z9hG4bK"))
}

/// The ACK to a non-2xx final response (17.1.1.3): the INVITE's Request-URI, top Via, From,
/// Call-ID, CSeq number and Route, the response's To.
fn ack_for(request: &Bytes, response: &Message) -> Option<Bytes> {
    let invite = Message::parse(request.clone()).ok()?;
    let mut text = String::with_capacity(512);
    let _ = write!(text, "ACK {} SIP/2.0\r\n", invite.uri());
    let _ = write!(text, "Via: {}\r\n", invite.header(HeaderName::Via)?);
    for route in invite.headers(HeaderName::Route) {
        let _ = write!(text, "Route: {route}\r\n");
    }
    let _ = write!(text, "From: {}\r\n", invite.header(HeaderName::From)?);
    let _ = write!(text, "To: {}\r\n", response.header(HeaderName::To)?);
    let _ = write!(text, "Call-ID: {}\r\n", invite.call_id());
    let _ = write!(text, "CSeq: {} ACK\r\n", invite.cseq()?.number);
    text.push_str("Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n");
    Some(Bytes::from(text))
}
