//! The INVITEs of an outgoing leg: to whom, from whom, with what.

use crate::core::{Engine, ring_time};
use crate::guard;
use crate::leg::{Dialled, FORKS_MAX};
use crate::web::is_websocket;
use cp_interaction::Resolved;
use cp_sip::sdp;
use cp_sip::ua::{CallRef, ClientCredential, NameAddrOwned, OutgoingCall};
use cp_vocab::event::Endpoint;
use cp_vocab::net::Target;
use cp_vocab::*;
use smallvec::SmallVec;

/// Where a call goes and with what it proves itself there.
struct Way {
    targets: SmallVec<[(String, Option<Target>); 2]>,
    credential: Option<ClientCredential>,
    via_trunk: Option<TrunkId>,
}

impl Engine {
    /// Sends the INVITEs of an outgoing leg.
    pub(crate) fn place(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        auto_answer: bool,
    ) {
        let Some(dialled) = self.legs.get_mut(&leg).and_then(|l| l.dialled.take()) else {
            return;
        };
        let brand = self.brand_name(id, &dialled);
        let mut headers = self.identity_headers(now, id, leg, &dialled);
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let d = &**entry.dialled.insert(dialled);
        let web = entry.web.is_some();
        let sdp = match &entry.web {
            Some(web) => web.sdp.clone().unwrap_or_default(),
            None => sdp::offer(&entry.local),
        };
        let help = guard::is_emergency(&d.to.dial) && !matches!(d.to.endpoint, Endpoint::Phone(_));
        let dial = d.to.dial.clone();
        let dress = if help {
            self.emergency_dress(now, id, leg, &dial)
        } else {
            None
        };
        if help && dress.is_none() {
            self.drop_entry(now, leg);
            return self.fail(id, leg, EndReason::EmergencyNotLive);
        }
        let Some(d) = self.legs.get(&leg).and_then(|l| l.dialled.as_deref()) else {
            return;
        };
        let tenant = self.interactions.get(&id).map(|e| e.tenant);
        let host = self.own_host(tenant);
        let from = NameAddrOwned {
            display: self.name_shown(id, d, brand),
            uri: dress
                .as_ref()
                .map_or_else(|| caller_uri(&d.caller, &host), |e| e.from.clone()),
        };
        let Way {
            targets,
            credential,
            via_trunk,
        } = self.way(&d.to, dress.as_ref(), web);
        headers.extend(dress.iter().flat_map(|e| e.headers.iter().cloned()));
        let parts = dress.as_ref().map_or_else(Vec::new, |e| e.parts.clone());
        if auto_answer {
            headers.push((
                "Call-Info".to_string(),
                format!("<sip:{host}>;answer-after=0"),
            ));
            headers.push((
                "Alert-Info".to_string(),
                "<http://localhost>;info=alert-autoanswer;delay=0".to_string(),
            ));
        }
        let ring_timeout = ring_time(d.ring_ms_max);
        let contact_user = dress.map_or_else(|| d.caller.user().to_string(), |e| e.contact_user);
        let calls: SmallVec<[CallRef; 1]> = targets
            .into_iter()
            .map(|(uri, target)| {
                let to = NameAddrOwned {
                    display: None,
                    uri: uri.clone(),
                };
                self.ua.invite(
                    now,
                    OutgoingCall {
                        request_uri: uri,
                        target,
                        from: from.clone(),
                        to,
                        contact_user: contact_user.clone(),
                        sdp: Some(sdp.clone()),
                        headers: headers.clone(),
                        parts: parts.clone(),
                        credential: credential.clone(),
                        via_trunk,
                        ring_timeout,
                        supported_100rel: true,
                    },
                )
            })
            .collect();
        if calls.is_empty() {
            self.drop_entry(now, leg);
            return self.fail(id, leg, EndReason::Unavailable);
        }
        for c in &calls {
            self.calls.insert(*c, leg);
        }
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.calls = calls;
        }
    }

    /// The name beside the caller's number: that of the call's card, or of our brand.
    fn name_shown(&self, id: InteractionId, d: &Dialled, brand: Option<String>) -> Option<String> {
        let name = match d.to.endpoint {
            Endpoint::Phone(_) => self.card_name(id),
            _ => brand,
        };
        name.or_else(|| d.caller_name.clone())
    }

    /// Where a call goes: each contact of a phone, or one address.
    fn way(&self, to: &Resolved, dress: Option<&crate::emergency::Dress>, web: bool) -> Way {
        let mut targets: SmallVec<[(String, Option<Target>); 2]> = SmallVec::new();
        let mut credential = None;
        let mut via_trunk = None;
        match to.endpoint {
            Endpoint::Phone(phone) => {
                let contacts = self.ua.contacts(phone);
                let fit = contacts.filter(|b| is_websocket(&b.target) == web);
                for b in fit.take(FORKS_MAX) {
                    targets.push((b.uri.to_string(), Some(b.target.clone())));
                }
            }
            Endpoint::Trunk(t) => {
                if let Some(trunk) = self.index.trunk(t) {
                    let user = cp_sip::uri::encode_user(&to.dial).into_owned();
                    let scheme = if trunk.transport.is_secure() {
                        "sips"
                    } else {
                        "sip"
                    };
                    let transport = if trunk.transport == cp_vocab::net::Transport::Tcp {
                        ";transport=tcp"
                    } else {
                        ""
                    };
                    let uri = format!("{scheme}:{user}@{}{transport}", trunk.host);
                    let uri = dress.map_or(uri, |e| e.uri.clone());
                    targets.push((uri, None));
                    via_trunk = Some(t);
                    if !trunk.user.is_empty() {
                        credential = Some(ClientCredential {
                            user: trunk.user.clone(),
                            password: trunk.password.expose().clone(),
                        });
                    }
                }
            }
            Endpoint::Uri => targets.push((to.dial.clone(), None)),
            // Rung by its device, never by an INVITE.
            Endpoint::Browser => {}
        }
        Way {
            targets,
            credential,
            via_trunk,
        }
    }

    /// The domain of the tenant, or the address we listen on.
    pub(crate) fn own_host(&self, tenant: Option<TenantId>) -> String {
        let domain = tenant
            .and_then(|t| self.index.tenant(t))
            .map(|t| t.domain.as_str())
            .unwrap_or("");
        if !domain.is_empty() {
            return domain.to_string();
        }
        self.config.listen.first().map_or_else(
            || "localhost".to_string(),
            |l| l.advertised.ip().to_string(),
        )
    }
}

fn caller_uri(caller: &Address, host: &str) -> String {
    match caller {
        Address::Sip(uri) => uri.clone(),
        Address::Anonymous => "sip:anonymous@anonymous.invalid".to_string(),
        other => format!("sip:{}@{host}", cp_sip::uri::encode_user(other.user())),
    }
}
