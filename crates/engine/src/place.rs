//! The INVITEs of an outgoing leg: to whom, from whom, with what.

use crate::core::{Engine, ring_time};
use crate::leg::{Dialled, FORKS_MAX};
use crate::web::is_websocket;
use cp_sip::sdp;
use cp_sip::ua::{CallRef, ClientCredential, NameAddrOwned, OutgoingCall};
use cp_vocab::event::Endpoint;
use cp_vocab::net::Target;
use cp_vocab::*;
use smallvec::SmallVec;

#[derive(Default)]
struct Route {
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
        let Some(entry) = self.legs.get(&leg) else {
            return;
        };
        let Some(d) = entry.dialled.as_deref() else {
            return;
        };
        let web = entry.web.is_some();
        let sdp = match &entry.web {
            Some(web) => web.sdp.clone().unwrap_or_default(),
            None => sdp::offer(&entry.local),
        };
        let tenant = self.interactions.get(&id).map(|e| e.tenant);
        let host = self.own_host(tenant);
        let from = NameAddrOwned {
            display: d.caller_name.clone(),
            uri: caller_uri(&d.caller, &host),
        };
        let Route {
            targets,
            credential,
            via_trunk,
        } = self.route_of(d, web);
        let mut headers = Vec::new();
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
        let contact_user = d.caller.user().to_string();
        let calls: SmallVec<[CallRef; 1]> = targets
            .into_iter()
            .map(|(uri, target)| {
                // Last point before the wire: no rewrite may lead to an emergency service unless the site is live.
                debug_assert!(self.config.emergency_live || !crate::guard::is_emergency(&uri));
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

    /// Where the INVITEs go, and what they are authenticated with.
    fn route_of(&self, d: &Dialled, web: bool) -> Route {
        let mut route = Route::default();
        match d.to.endpoint {
            Endpoint::Phone(phone) => {
                let contacts = self.ua.contacts(phone);
                let fit = contacts.filter(|b| is_websocket(&b.target) == web);
                for b in fit.take(FORKS_MAX) {
                    let target = Some(b.target.clone());
                    route.targets.push((b.uri.to_string(), target));
                }
            }
            Endpoint::Trunk(t) => {
                let Some(trunk) = self.index.trunk(t) else {
                    return route;
                };
                let user = cp_sip::uri::encode_user(&d.to.dial).into_owned();
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
                route.targets.push((uri, None));
                route.via_trunk = Some(t);
                if !trunk.user.is_empty() {
                    route.credential = Some(ClientCredential {
                        user: trunk.user.clone(),
                        password: trunk.password.expose().clone(),
                    });
                }
            }
            Endpoint::Uri => route.targets.push((d.to.dial.clone(), None)),
            // Rung by its device, never by an INVITE.
            Endpoint::Browser => {}
        }
        route
    }

    /// The domain of the tenant, or the address we listen on.
    fn own_host(&self, tenant: Option<TenantId>) -> String {
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
