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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn flow(transport: Transport, remote: &str) -> Flow {
        Flow {
            transport,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: remote.parse().unwrap(),
            connection: transport
                .is_reliable()
                .then_some(cp_vocab::net::ConnectionId(1)),
        }
    }

    fn message(start: &str, contact: &str, routes: &[&str]) -> Message {
        let mut text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=f\r\n\
             To: <sip:b@y>;tag=t\r\nCall-ID: 1\r\nCSeq: 7 INVITE\r\nContact: {contact}\r\n"
        );
        for route in routes {
            text += &format!("Record-Route: {route}\r\n");
        }
        text += "Content-Length: 0\r\n\r\n";
        Message::parse(Bytes::from(text)).unwrap()
    }

    const INVITE: &str = "INVITE sip:b@y SIP/2.0";
    const OK: &str = "SIP/2.0 200 OK";
    const ROUTES: &[&str] = &["<sip:p1;lr>, <sip:p2;lr>", "<sip:p3;lr>"];

    #[test]
    fn route_sets_keep_their_order_as_uas_and_are_reversed_as_uac() {
        let flow = flow(Transport::Udp, "192.0.2.9:5060");
        let uas = Dialog::uas(&message(INVITE, "<sip:a@192.0.2.9>", ROUTES), &flow).unwrap();
        let (uri, routes) = uas.request_uri_and_routes();
        assert_eq!(uri, "sip:a@192.0.2.9");
        assert_eq!(routes, ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]);
        assert_eq!(uas.next_hop(), Hop::Uri("sip:p1;lr".into()));
        assert_eq!((&*uas.remote_tag, uas.remote_cseq), ("f", Some(7)));
        let uac = Dialog::uac(&message(OK, "<sip:b@192.0.2.8>", ROUTES), "", &flow).unwrap();
        let (_, routes) = uac.request_uri_and_routes();
        assert_eq!(routes, ["<sip:p3;lr>", "<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!((&*uac.remote_tag, uac.remote_cseq), ("t", None));
    }

    #[test]
    fn a_strict_router_gets_its_own_uri() {
        let flow = flow(Transport::Udp, "192.0.2.9:5060");
        let invite = message(
            INVITE,
            "<sip:a@192.0.2.9>",
            &["<sip:strict>", "<sip:p2;lr>"],
        );
        let dialog = Dialog::uas(&invite, &flow).unwrap();
        let (uri, routes) = dialog.request_uri_and_routes();
        assert_eq!(uri, "sip:strict");
        assert_eq!(routes, ["<sip:p2;lr>", "sip:a@192.0.2.9"]);
    }

    #[test]
    fn the_next_hop_fits_the_peer() {
        let hop = |transport, remote: &str, contact: &str, routes: &[&str]| {
            let flow = flow(transport, remote);
            let dialog = Dialog::uas(&message(INVITE, contact, routes), &flow).unwrap();
            match dialog.next_hop() {
                Hop::Target(Target::Flow(f)) if f == flow => "flow".to_string(),
                Hop::Uri(uri) => uri.to_string(),
                other => format!("{other:?}"),
            }
        };
        use Transport::{Tcp, Udp, Ws};
        for (transport, remote, contact, routes, expected) in [
            (
                Udp,
                "192.0.2.9:5060",
                "<sip:a@192.0.2.9:5070>",
                &[][..],
                "sip:a@192.0.2.9:5070",
            ),
            // Behind NAT.
            (
                Udp,
                "203.0.113.1:9999",
                "<sip:a@10.0.0.5:5060>",
                &[],
                "flow",
            ),
            (
                Udp,
                "10.0.0.5:9999",
                "<sip:a@10.0.0.5:5060>",
                &[],
                "sip:a@10.0.0.5:5060",
            ),
            // A peer that moved the call to another public host.
            (
                Udp,
                "203.0.113.1:5060",
                "<sip:a@198.51.100.1>",
                &[],
                "sip:a@198.51.100.1",
            ),
            (
                Udp,
                "203.0.113.1:5060",
                "<sip:a@10.0.0.5>",
                &["<sip:203.0.113.1;lr>"],
                "sip:203.0.113.1;lr",
            ),
            (
                Ws,
                "203.0.113.1:9999",
                "<sip:x@abc.invalid;transport=ws>",
                &[],
                "flow",
            ),
            (
                Tcp,
                "203.0.113.1:9999",
                "<sip:a@10.0.0.5>",
                &["<sip:203.0.113.1;transport=tcp;lr>"],
                "flow",
            ),
            (
                Tcp,
                "203.0.113.1:9999",
                "<sip:a@10.0.0.5>",
                &["<sip:p1.example;lr>"],
                "sip:p1.example;lr",
            ),
        ] {
            assert_eq!(
                hop(transport, remote, contact, routes),
                expected,
                "{contact} {routes:?}"
            );
        }
    }

    #[test]
    fn numbers_rise_and_targets_are_refreshed() {
        let flow = flow(Transport::Udp, "192.0.2.9:5060");
        let mut dialog = Dialog::uas(&message(INVITE, "<sip:a@192.0.2.9>", &[]), &flow).unwrap();
        assert!(!dialog.accept_cseq(7) && !dialog.accept_cseq(3) && dialog.accept_cseq(9));
        dialog.refresh_target(&message(INVITE, "<sip:new@192.0.2.9>", ROUTES));
        let (uri, routes) = dialog.request_uri_and_routes();
        assert_eq!((uri, routes.len()), ("sip:new@192.0.2.9", 0));
    }
}
