//! Responses: where they go and what they carry.

use super::UserAgent;
use super::config::Listen;
use super::event::CallRef;
use crate::build::{Builder, reason_phrase};
use crate::header::HeaderName;
use crate::message::{Message, Method};
use crate::table::Handle;
use crate::text::push_token;
use crate::transaction::layer::NewServer;
use bytes::Bytes;
use cp_vocab::net::{Flow, Target, Transport};
use std::net::SocketAddr;

/// Methods we take; what is known but not here is answered 405.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, BYE, CANCEL, REGISTER, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY";
pub(crate) const SUPPORTED: &str = "100rel, timer, replaces, norefersub, path, outbound";

/// A request as it came.
pub(crate) struct Inbound<'a> {
    pub(crate) message: &'a Message,
    pub(crate) flow: &'a Flow,
}

/// Where the responses to a request go (18.2.2, RFC 3581 4).
pub(crate) fn reply_target(request: &Message, flow: &Flow) -> Target {
    let mut flow = *flow;
    if flow.transport == Transport::Udp
        && let Some(via) = request.top_via()
        && via.rport.is_none()
    {
        flow.remote = SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(5060));
    }
    Target::Flow(flow)
}

/// Our Contact on a transport.
pub(crate) fn contact_uri(user: &str, listen: &Listen) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    text.push_str("<sip:");
    if !user.is_empty() {
        text.push_str(user);
        text.push('@');
    }
    let _ = write!(text, "{}", listen.advertised);
    if listen.transport != Transport::Udp {
        text.push_str(";transport=");
        text.push_str(match listen.transport {
            Transport::Tls => "tls",
            Transport::Ws => "ws",
            Transport::Wss => "wss",
            _ => "tcp",
        });
    }
    text.push('>');
    text
}

impl UserAgent {
    /// The listening socket a message to `target` leaves from.
    pub(crate) fn listen_for(&self, target: &Target) -> &Listen {
        let (transport, local, remote) = match target {
            Target::Flow(flow) => (flow.transport, Some(flow.local), flow.remote),
            Target::Addr {
                transport, addr, ..
            } => (*transport, None, *addr),
        };
        let all = &self.config.listen;
        let same = |l: &&Listen| l.transport == transport;
        all.iter()
            .filter(same)
            .find(|l| Some(l.local) == local)
            .or_else(|| {
                all.iter()
                    .filter(same)
                    .find(|l| l.advertised.is_ipv4() == remote.ip().to_canonical().is_ipv4())
            })
            .or_else(|| all.iter().find(same))
            .unwrap_or(&self.fallback_listen)
    }

    /// Starts the server transaction of a request.
    pub(crate) fn open_server(&mut self, inbound: &Inbound<'_>, invite: bool) -> Handle {
        let request = inbound.message;
        let key = self.layer.server_key(request, &request.method());
        let tagged = request.to().is_some_and(|to| to.tag.is_some());
        let merge = match tagged {
            true => 0,
            false => self.layer.merge_key(request),
        };
        let linger = match request.method() {
            // A late repetition of a REGISTER is only challenged once more; that is cheaper than
            // keeping each answer for half a minute.
            Method::Register => self.layer.t.t2,
            _ => self.layer.t.t1 * 64,
        };
        self.layer.start_server(NewServer {
            key,
            merge,
            invite,
            reply_to: reply_target(request, inbound.flow),
            linger,
        })
    }

    /// Begins a response with what every one has.
    pub(crate) fn response(
        &self,
        inbound: &Inbound<'_>,
        status: u16,
        local_tag: Option<u64>,
    ) -> Builder {
        let mut tag = String::new();
        if let Some(value) = local_tag {
            push_token(&mut tag, value);
        }
        let mut b = Builder::response_from(
            inbound.message,
            Some(inbound.flow.remote),
            status,
            reason_phrase(status),
            local_tag.map(|_| tag.as_str()),
        );
        if status > 100 {
            b.header(HeaderName::Server, &self.config.product);
        }
        b
    }

    /// Answers a request that needs no state before or after, with extra headers.
    pub(crate) fn answer_new(
        &mut self,
        inbound: &Inbound<'_>,
        status: u16,
        headers: &[(HeaderName, &str)],
    ) {
        let tx = self.open_server(inbound, inbound.message.method() == Method::Invite);
        self.answer_tx(inbound, tx, status, headers);
    }

    /// Answers in a transaction that is open.
    pub(crate) fn answer_tx(
        &mut self,
        inbound: &Inbound<'_>,
        tx: Handle,
        status: u16,
        headers: &[(HeaderName, &str)],
    ) {
        let tag = self.io.random();
        let mut b = self.response(inbound, status, Some(tag));
        for (name, value) in headers {
            b.header(*name, value);
        }
        let bytes = b.finish();
        self.layer.respond(&mut self.io, tx, status, bytes);
    }

    /// Answers without a transaction: repetitions are answered alike, an ACK finds nothing.
    pub(crate) fn answer_stateless(
        &mut self,
        inbound: &Inbound<'_>,
        status: u16,
        reason: &str,
        headers: &[(HeaderName, &str)],
    ) {
        let mut tag = String::new();
        push_token(&mut tag, self.io.random());
        let mut b = Builder::response_from(
            inbound.message,
            Some(inbound.flow.remote),
            status,
            reason,
            Some(&tag),
        );
        b.header(HeaderName::Server, &self.config.product);
        for (name, value) in headers {
            b.header(*name, value);
        }
        let bytes = b.finish();
        let target = reply_target(inbound.message, inbound.flow);
        self.io.transmit(&target, &bytes, None);
    }

    /// Ends a response that makes or refreshes a dialog: Contact, Allow, Supported, body.
    pub(crate) fn finish_dialog_response(
        &self,
        mut b: Builder,
        inbound: &Inbound<'_>,
        contact_user: &str,
        sdp: Option<&[u8]>,
    ) -> Bytes {
        let listen = self.listen_for(&Target::Flow(*inbound.flow));
        b.header(HeaderName::Contact, &contact_uri(contact_user, listen));
        b.header(HeaderName::Allow, ALLOW);
        b.header(HeaderName::Supported, SUPPORTED);
        match sdp {
            Some(sdp) => b.body("application/sdp", sdp),
            None => b.finish(),
        }
    }

    /// Sends bytes on a server transaction for a call.
    pub(crate) fn respond(&mut self, tx: Handle, call: CallRef, status: u16, bytes: Bytes) {
        self.layer.set_server_call(tx, call);
        self.layer.respond(&mut self.io, tx, status, bytes);
    }
}
