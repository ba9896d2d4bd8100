//! Dialogs (RFC 3261 12): remote target, route set, sequence numbers.

use crate::header::HeaderName;
use crate::header_value::NameAddr;
use crate::message::Message;
use crate::uri::SipUri;
use cp_vocab::net::{Flow, Target, Transport};
use std::net::IpAddr;

/// Route entries of one dialog; a peer that records more is cut off (the call fails at its
/// next request instead of costing memory).
const ROUTES_MAX: usize = 20;

/// The far side's half of a dialog. An outgoing call that forks has several, one per remote tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dialog {
    pub remote_tag: Box<str>,
    /// The peer's Contact: Request-URI of our requests.
    pub remote_target: Box<str>,
    /// Route set in the order of our Route headers.
    pub routes: Box<[Box<str>]>,
    /// Highest CSeq number the peer used.
    pub remote_cseq: Option<u32>,
    /// Highest RSeq of a reliable provisional response (RFC 3262 4).
    pub rseq: Option<u32>,
    /// The flow the peer was last heard on.
    pub flow: Option<Flow>,
    /// Where our last request was sent, so that names are not resolved each time.
    pub hop: Option<Target>,
}

/// Where the next request goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hop {
    Target(Target),
    /// One of these, in this order.
    Targets(Vec<Target>),
    /// Find out by RFC 3263.
    Uri(Box<str>),
}

impl Dialog {
    /// The dialog an incoming INVITE creates (12.1.1). `None` without a usable Contact.
    pub fn uas(invite: &Message, flow: &Flow) -> Option<Self> {
        let contact = invite.contact()?;
        Some(Self {
            // RFC 2543 peers may have no tag.
            remote_tag: invite.from()?.tag.unwrap_or("").into(),
            remote_target: contact.uri.into(),
            routes: record_routes(invite, false),
            remote_cseq: invite.cseq().map(|c| c.number),
            rseq: None,
            flow: Some(*flow),
            hop: None,
        })
    }

    /// The dialog a response with a To tag creates (12.1.2): the Record-Routes reversed.
    pub fn uac(response: &Message, request_uri: &str, flow: &Flow) -> Option<Self> {
        Some(Self {
            remote_tag: response.to()?.tag.unwrap_or("").into(),
            remote_target: response.contact().map_or(request_uri, |c| c.uri).into(),
            routes: record_routes(response, true),
            remote_cseq: None,
            rseq: None,
            flow: Some(*flow),
            hop: None,
        })
    }

    /// A target refresh request or its 2xx carries a new Contact (12.2). The route set stays.
    pub fn refresh_target(&mut self, message: &Message) {
        if let Some(contact) = message.contact()
            && *contact.uri != *self.remote_target
        {
            self.remote_target = contact.uri.into();
            self.hop = None;
        }
    }

    /// An early dialog takes the route set of its 2xx (13.2.2.4).
    pub fn refresh_routes(&mut self, response: &Message) {
        self.routes = record_routes(response, true);
        self.refresh_target(response);
        self.hop = None;
    }

    /// Whether a request with this CSeq number is in order (12.2.2); notes it when it is.
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return false;
        }
        self.remote_cseq = Some(number);
        true
    }

    /// Request-URI and Route values for a request (12.2.1.1), strict routers included.
    pub fn request_uri_and_routes(&self) -> (&str, Vec<&str>) {
        let Some(first) = self.routes.first() else {
            return (&self.remote_target, Vec::new());
        };
        let uri = NameAddr::parse(first).map_or(&**first, |a| a.uri);
        let loose = SipUri::parse(uri).is_none_or(|u| u.is_loose_route());
        if loose {
            let routes = self.routes.iter().map(|r| &**r).collect();
            (&self.remote_target, routes)
        } else {
            let mut routes: Vec<&str> = self.routes[1..].iter().map(|r| &**r).collect();
            routes.push(&self.remote_target);
            (uri, routes)
        }
    }

    /// Where the next request goes.
    pub fn next_hop(&self) -> Hop {
        if let Some(flow) = self.flow
            && self.prefers_flow(&flow)
        {
            return Hop::Target(Target::Flow(flow));
        }
        if let Some(hop) = &self.hop {
            return Hop::Target(hop.clone());
        }
        let uri = match self.routes.first() {
            Some(route) => NameAddr::parse(route).map_or(&**route, |a| a.uri),
            None => &self.remote_target,
        };
        Hop::Uri(uri.into())
    }

    /// Connections are reused while they last. A UDP peer is answered where it sends from when
    /// its Contact is a private address it was not seen at: it sits behind NAT.
    fn prefers_flow(&self, flow: &Flow) -> bool {
        let uri = match self.routes.first() {
            Some(route) => NameAddr::parse(route).map_or(&**route, |a| a.uri),
            None => &self.remote_target,
        };
        let host = SipUri::parse(uri).and_then(|u| host_ip(u.host));
        let source = flow.remote.ip().to_canonical();
        match flow.transport {
            Transport::Udp => {
                self.routes.is_empty() && host.is_some_and(|ip| ip != source && is_private(ip))
            }
            _ if self.routes.is_empty() => true,
            // A recorded router we are connected to is reached over that connection.
            _ => host == Some(source),
        }
    }
}

/// An IP literal of a URI or Via, brackets allowed.
pub(crate) fn host_ip(host: &str) -> Option<IpAddr> {
    let host = host.trim_matches(['[', ']']);
    host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Addresses that mean nothing outside their own network.
pub(crate) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let carrier_grade = a == 100 && b & 0xc0 == 64;
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || carrier_grade
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

fn record_routes(message: &Message, reversed: bool) -> Box<[Box<str>]> {
    let mut routes: Vec<Box<str>> = message
        .values(HeaderName::RecordRoute)
        .take(ROUTES_MAX)
        .map(Into::into)
        .collect();
    if reversed {
        routes.reverse();
    }
    routes.into()
}
