//! The short path of emergency calls: from the phone to the trunk that takes them, with place and
//! number to call back. It needs the configuration in memory and nothing else: no store, queue or
//! limit stands in its way, and nothing of it waits for the log.
//!
//! Sources: RFC 6881 (ED-62), RFC 6442 (Geolocation), RFC 4119, 5139 and 5491 (PIDF-LO), RFC 5031
//! (service URN), RFC 7135 and 4412 (Resource-Priority).

use crate::core::Engine;
use crate::guard;
use cp_sip::message::Message;
use cp_sip::ua::{BodyPart, CallRef, Principal};
use cp_vocab::event::{Endpoint, StreamId};
use cp_vocab::model::{Destination, DialTarget, Tenant};
use cp_vocab::safety::Location;
use cp_vocab::*;
use std::fmt::Write;
use std::time::Duration;

/// How long who calls the number back reaches the caller; RFC 6881 asks for half an hour at least.
const CALL_BACK: Duration = Duration::from_secs(24 * 3_600);
/// Whose call for help is so young is rung and not forwarded (RFC 6881 asks for about half an hour).
const NO_FORWARD: Duration = Duration::from_secs(30 * 60);
/// Numbers that may be called back at a time; beyond it the oldest is forgotten.
const CALL_BACKS_MAX: usize = 1_000;
/// The service of RFC 5031 that stands for all of them.
const SOS: &str = "urn:service:sos";

/// Who is reached by calling back.
pub(crate) struct CallBack {
    tenant: TenantId,
    number: String,
    phone: PhoneId,
    until: Timestamp,
}

/// The trunk emergency calls of the tenant leave by; `None`: they are not live.
pub(crate) fn trunk_of(tenant: &Tenant, node_is_live: bool) -> Option<TrunkId> {
    let e = &tenant.safety.emergency;
    e.trunk.filter(|_| node_is_live && e.live.is_on())
}

/// The trunks of a live path, in the order in which they are tried.
fn ways(tenant: &Tenant) -> impl DoubleEndedIterator<Item = TrunkId> {
    let e = &tenant.safety.emergency;
    e.trunk.into_iter().chain(e.further_trunks.iter().copied())
}

/// Dials help, past everything that is called so in the house.
pub(crate) fn plan(dialled: &str) -> Destination {
    let target = DialTarget::Uri {
        uri: dialled.to_string(),
    };
    Destination::Dial {
        target,
        record: false,
    }
}

/// What an emergency call is placed with.
pub(crate) struct Dress {
    pub uri: String,
    pub from: String,
    pub contact_user: String,
    pub headers: Vec<(String, String)>,
    pub parts: Vec<BodyPart>,
}

impl Engine {
    pub(crate) fn emergency_trunk(&self, tenant: TenantId) -> Option<TrunkId> {
        trunk_of(self.index.tenant(tenant)?, self.config.emergency_live)
    }

    /// Whether a trunk is one that emergency calls of the tenant may leave by now.
    pub(crate) fn takes_emergencies(&self, tenant: TenantId, trunk: TrunkId) -> bool {
        let live = self.emergency_trunk(tenant).is_some();
        let tenant = self.index.tenant(tenant);
        live && tenant.is_some_and(|t| ways(t).any(|w| w == trunk))
    }

    /// A call for help was refused, or its way is down (RFC 6881 ED-62: TLS, then without): the next
    /// way is tried; `false` when there is none.
    pub(crate) fn helped_again(&mut self, now: Timestamp, leg: LegId, status: u16) -> bool {
        // 487: the caller gave up, not the centre.
        let Some(entry) = self.legs.get(&leg).filter(|_| status != 487) else {
            return false;
        };
        let (id, endpoint) = (entry.interaction, entry.endpoint);
        let Endpoint::Trunk(was) = endpoint else {
            return false;
        };
        let tenant = self.interactions.get(&id).map(|e| e.tenant);
        let Some(tenant) = tenant.and_then(|t| self.index.tenant(t)) else {
            return false;
        };
        // Backwards up to where we are: each way is tried once, however often it is named.
        let later = ways(tenant).rev().take_while(|w| *w != was);
        let known = later.filter(|w| self.index.trunk(*w).is_some());
        let next = known.last().filter(|_| self.urgent.contains(&id));
        let Some(next) = next else {
            return false;
        };
        let (codecs, srtp) = self.offer_for(id, &Endpoint::Trunk(next));
        if let Some(n) = self.trunk_calls.get_mut(&was) {
            *n = n.saturating_sub(1);
        }
        *self.trunk_calls.entry(next).or_default() += 1;
        if let Some(l) = self.legs.get_mut(&leg) {
            l.endpoint = Endpoint::Trunk(next);
            l.local.codecs = codecs;
            l.local.srtp = srtp;
            l.failed_with = None;
            if let Some(d) = l.dialled.as_deref_mut() {
                d.to.endpoint = Endpoint::Trunk(next);
            }
        }
        self.place(now, id, leg, false);
        true
    }

    /// Whether the phone asked for help just now: it rings, whatever it is set to forward to.
    pub(crate) fn waits_for_help(&self, phone: PhoneId, now: Timestamp) -> bool {
        let young = |c: &&CallBack| c.phone == phone && c.until + NO_FORWARD > now + CALL_BACK;
        self.call_backs.iter().any(|c| young(&c))
    }

    /// Numbers that mean help wherever a phone stands, whatever the house calls by them.
    pub(crate) fn helps(&self, tenant: TenantId, dialled: &str) -> bool {
        let lower = dialled.to_ascii_lowercase();
        (matches!(dialled, "112" | "911") || lower.starts_with(SOS))
            && self.emergency_trunk(tenant).is_some()
    }

    /// Whether a phone asks for help: such a call is taken however full or ill the node is.
    pub(crate) fn asks_for_help(&self, principal: Principal, invite: &Message) -> bool {
        let Principal::Phone(phone) = principal else {
            return false;
        };
        let tenant = self.index.phone(phone).map(|p| p.tenant);
        guard::is_emergency(invite.uri())
            && tenant.is_some_and(|t| self.emergency_trunk(t).is_some())
    }

    /// Whether the call belongs to an emergency: nothing of it waits.
    pub(crate) fn is_urgent(&self, call: CallRef) -> bool {
        if self.urgent.is_empty() {
            return false;
        }
        let leg = self.calls.get(&call).and_then(|l| self.legs.get(l));
        leg.is_some_and(|l| self.urgent.contains(&l.interaction))
    }

    /// The last point before the socket: whether this message would reach an emergency service and
    /// must not. What goes to phones of ours is not asked: their names may be numbers.
    pub(crate) fn stops(&self, call: Option<CallRef>, message: &[u8]) -> bool {
        let leg = call
            .and_then(|c| self.calls.get(&c))
            .and_then(|l| self.legs.get(l));
        match leg {
            Some(l) if matches!(l.endpoint, Endpoint::Phone(_)) => false,
            Some(l) if self.urgent.contains(&l.interaction) => false,
            _ => guard::reaches_emergency(message),
        }
    }

    /// Who is meant by a call from outside to a number that asked for help lately.
    pub(crate) fn called_back(
        &self,
        tenant: TenantId,
        number: &str,
        now: Timestamp,
    ) -> Option<PhoneId> {
        let digits = |n: &str| n.trim_start_matches('+').to_string();
        let wanted = digits(number);
        let newest = self.call_backs.iter().rev();
        let mut found =
            newest.filter(|c| c.tenant == tenant && c.until > now && digits(&c.number) == wanted);
        found.next().map(|c| c.phone)
    }

    /// Marks the interaction as urgent and says how the call leaves; `None` when it may not.
    pub(crate) fn emergency_dress(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        dialled: &str,
    ) -> Option<Dress> {
        let tenant = self.interactions.get(&id)?.tenant;
        let first = self.emergency_trunk(tenant)?;
        let trunk = match self.legs.get(&leg).map(|l| l.endpoint) {
            Some(Endpoint::Trunk(t)) if self.takes_emergencies(tenant, t) => t,
            _ => first,
        };
        let host = self.index.trunk(trunk)?.host.clone();
        let own_host = self.own_host(Some(tenant));
        let settings = &self.index.tenant(tenant)?.safety.emergency;
        let phone = self
            .legs
            .values()
            .filter(|l| l.interaction == id)
            .find_map(|l| match l.endpoint {
                Endpoint::Phone(p) => Some(p),
                _ => None,
            });
        let place = settings.phones.iter().find(|p| Some(p.phone) == phone);
        let place = place.map_or(&settings.location, |p| &p.location);
        let dress = dress(
            dialled,
            &settings.number,
            &settings.callback,
            place,
            &host,
            &own_host,
        );
        let callback = settings.callback.clone();
        if self.urgent.contains(&id) {
            return Some(dress); // The next way of the same call.
        }
        if let Some(phone) = phone {
            if self.call_backs.len() >= CALL_BACKS_MAX {
                self.call_backs.remove(0);
            }
            self.call_backs.push(CallBack {
                tenant,
                number: callback.clone(),
                phone,
                until: now + CALL_BACK,
            });
        }
        self.urgent.insert(id);
        let event = Event::EmergencyCalled {
            interaction: id,
            leg,
            phone,
            callback: Pii(callback),
        };
        self.append_aside(now, Some(tenant), StreamId::Tenant(tenant), event);
        Some(dress)
    }
}

fn dress(
    dialled: &str,
    number: &str,
    callback: &str,
    place: &Location,
    host: &str,
    own_host: &str,
) -> Dress {
    let lower = dialled.to_ascii_lowercase();
    let uri = match number {
        // `urn:service:sos.fire` stays what the phone asked for; digits become the service.
        "" if lower.starts_with(SOS) => lower
            .split([';', '?', '@'])
            .next()
            .unwrap_or(SOS)
            .to_string(),
        "" => SOS.to_string(),
        number => format!("sip:{}@{host};user=phone", cp_sip::uri::encode_user(number)),
    };
    let asserted = format!(
        "sip:{}@{own_host};user=phone",
        cp_sip::uri::encode_user(callback)
    );
    let header = |name: &str, value: String| (name.to_string(), value);
    let mut headers = vec![
        header("P-Asserted-Identity", format!("<{asserted}>")),
        header("Priority", "emergency".to_string()),
        header("Resource-Priority", "esnet.1".to_string()),
    ];
    let mut parts = Vec::new();
    if place.is_dispatchable() {
        let content_id = format!("place@{own_host}");
        headers.push(header("Geolocation", format!("<cid:{content_id}>")));
        headers.push(header("Geolocation-Routing", "yes".to_string()));
        parts.push(BodyPart {
            content_type: "application/pidf+xml".to_string(),
            content_id,
            body: pidf_lo(&asserted, place),
        });
    }
    Dress {
        uri,
        from: asserted,
        contact_user: callback.to_string(),
        headers,
        parts,
    }
}

/// The place as a presence document (RFC 4119): one location, the civic one where it is known
/// (RFC 5491 rule: one discrete place per document).
fn pidf_lo(entity: &str, place: &Location) -> String {
    let mut location = String::new();
    let civic = [
        ("country", &place.country),
        ("A1", &place.state),
        ("A3", &place.city),
        ("RD", &place.street),
        ("HNO", &place.house_number),
        ("PC", &place.postal_code),
        ("BLD", &place.building),
        ("FLR", &place.floor),
        ("ROOM", &place.room),
    ];
    if !place.street.is_empty() {
        location.push_str(
            "<ca:civicAddress xmlns:ca=\"urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr\">",
        );
        for (name, value) in civic.iter().filter(|(_, v)| !v.is_empty()) {
            let _ = write!(location, "<ca:{name}>{}</ca:{name}>", escape(value));
        }
        location.push_str("</ca:civicAddress>");
    } else if let (Some(latitude), Some(longitude)) = (place.latitude, place.longitude) {
        let position = format!("<gml:pos>{latitude} {longitude}</gml:pos>");
        // EPSG 4326 writes latitude before longitude; EPSG 9001 is the metre.
        let _ = match place.radius_m {
            Some(radius) => write!(
                location,
                "<gs:Circle xmlns:gs=\"http://www.opengis.net/pidflo/1.0\" xmlns:gml=\"http://www.opengis.net/gml\" \
                 srsName=\"urn:ogc:def:crs:EPSG::4326\">{position}\
                 <gs:radius uom=\"urn:ogc:def:uom:EPSG::9001\">{radius}</gs:radius></gs:Circle>"
            ),
            None => write!(
                location,
                "<gml:Point xmlns:gml=\"http://www.opengis.net/gml\" srsName=\"urn:ogc:def:crs:EPSG::4326\">{position}</gml:Point>"
            ),
        };
    }
    let entity = escape(entity);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
         xmlns:gp=\"urn:ietf:params:xml:ns:pidf:geopriv10\" entity=\"{entity}\">\
         <dm:device id=\"telephone\"><gp:geopriv><gp:location-info>{location}</gp:location-info>\
         <gp:usage-rules/><gp:method>Manual</gp:method></gp:geopriv></dm:device></presence>\r\n"
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emergency_call_says_who_and_where() {
        let place = Location {
            country: "DE".into(),
            city: "Berlin".into(),
            street: "Unter den <Linden>".into(),
            house_number: "1".into(),
            floor: "4".into(),
            ..Location::default()
        };
        let d = dress("112", "", "+4930123456", &place, "psap", "shop.example");
        assert_eq!(d.uri, "urn:service:sos");
        let text = d
            .headers
            .iter()
            .map(|(n, v)| format!("{n}: {v}\n"))
            .collect::<String>();
        assert_eq!(
            text,
            "P-Asserted-Identity: <sip:+4930123456@shop.example;user=phone>\nPriority: emergency\n\
             Resource-Priority: esnet.1\nGeolocation: <cid:place@shop.example>\nGeolocation-Routing: yes\n"
        );
        let xml = &d.parts[0].body;
        assert!(
            xml.contains(
                "<ca:RD>Unter den &lt;Linden&gt;</ca:RD><ca:HNO>1</ca:HNO><ca:FLR>4</ca:FLR>"
            ),
            "{xml}"
        );
        let point = Location {
            latitude: Some(52.5),
            longitude: Some(-13.25),
            radius_m: Some(30),
            ..Location::default()
        };
        let d = dress(
            "urn:service:sos.fire;x",
            "",
            "+4930123456",
            &point,
            "psap",
            "h",
        );
        assert_eq!(d.uri, "urn:service:sos.fire");
        assert!(d.parts[0].body.contains("<gml:pos>52.5 -13.25</gml:pos>"));
        let d = dress("112", "911", "+1", &Location::default(), "psap:5070", "h");
        assert_eq!(
            (d.uri.as_str(), d.parts.len()),
            ("sip:911@psap:5070;user=phone", 0)
        );
    }
}
