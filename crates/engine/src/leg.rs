//! Legs on the wire: what an interaction wants of a leg, carried out by the user agent and the media
//! workers.

use crate::core::{Engine, ring_time};
use crate::guard;
use cp_interaction::{Input as IxInput, LegCommand, LegEvent, Resolved};
use cp_sip::sdp::{self, LocalMedia, SrtpPolicy};
use cp_sip::ua::{CallRef, ClientCredential, NameAddrOwned, OutgoingCall};
use cp_vocab::event::Endpoint;
use cp_vocab::media::{Codec, MediaCommand, MediaPlan, PortPair, Quality};
use cp_vocab::net::Target;
use cp_vocab::*;
use smallvec::{SmallVec, smallvec};

/// Contacts of one phone that ring at the same time; further ones are left out.
pub(crate) const FORKS_MAX: usize = 4;

/// What an outgoing leg was started with, kept to ring it again.
pub(crate) struct Dialled {
    pub to: Resolved,
    pub caller: Address,
    pub caller_name: Option<String>,
    pub ring_ms_max: u64,
}

pub(crate) struct LegEntry {
    pub interaction: InteractionId,
    pub endpoint: Endpoint,
    /// The dialogs that may become this leg: one for each contact rung, one after the answer.
    pub calls: SmallVec<[CallRef; 1]>,
    pub port: Option<PortPair>,
    pub local: LocalMedia,
    /// Our answer to the caller's offer, ready to be sent.
    pub answer: Option<(String, MediaPlan)>,
    pub plan: Option<MediaPlan>,
    pub inbound: bool,
    pub answered: bool,
    /// The dialog stands on both sides: acknowledged.
    pub confirmed: bool,
    /// The media worker has it.
    pub open: bool,
    pub flowing: bool,
    pub holding: bool,
    /// The worst news of the contacts that failed.
    pub failed_with: Option<u16>,
    pub dialled: Option<Box<Dialled>>,
}

/// Where a call goes and with what it proves itself there.
struct Way {
    targets: SmallVec<[(String, Option<Target>); 2]>,
    credential: Option<ClientCredential>,
    via_trunk: Option<TrunkId>,
}

impl Engine {
    pub(crate) fn local_media(
        &mut self,
        port: PortPair,
        codecs: Vec<Codec>,
        srtp: SrtpPolicy,
    ) -> LocalMedia {
        let mut srtp_key = [0u8; 44];
        if srtp != SrtpPolicy::Off {
            for chunk in srtp_key.chunks_mut(8) {
                let random = self.ids.random().to_ne_bytes();
                chunk.copy_from_slice(&random[..chunk.len()]);
            }
        }
        LocalMedia {
            rtp: port.rtp,
            codecs,
            srtp,
            srtp_key,
            send: true,
            receive: true,
            session_id: self.ids.random() >> 2,
            version: 1,
            ptime_ms: 20,
        }
    }

    pub(crate) fn leg_command(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        command: LegCommand,
    ) {
        match command {
            LegCommand::Dial {
                to,
                caller,
                caller_name,
                ring_ms_max,
                auto_answer,
            } => {
                let dialled = Dialled {
                    to,
                    caller,
                    caller_name,
                    ring_ms_max,
                };
                self.dial(now, id, leg, dialled, auto_answer)
            }
            LegCommand::Ring { early_media } => self.ring(now, leg, early_media),
            LegCommand::Answer => self.answer(now, id, leg),
            LegCommand::End {
                reason,
                reject_status,
            } => self.end_leg(now, leg, reason, reject_status),
            LegCommand::ReferProgress { status } => {
                if let Some(call) = self.legs.get(&leg).and_then(|l| l.calls.first()).copied() {
                    self.ua.refer_progress(now, call, status);
                }
            }
            LegCommand::AutoAnswer => self.ring_again(now, leg),
        }
    }

    fn fail(&mut self, id: InteractionId, leg: LegId, reason: EndReason) {
        self.work.push_back((
            id,
            IxInput::Leg(
                leg,
                LegEvent::Ended {
                    reason,
                    detail: None,
                },
            ),
        ));
    }

    fn dial(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        dialled: Dialled,
        auto_answer: bool,
    ) {
        let Some(worker) = self.interactions.get(&id).map(|e| e.worker) else {
            return;
        };
        if let Endpoint::Trunk(t) = dialled.to.endpoint
            && !self.trunk_has_room(t)
            && !guard::is_emergency(&dialled.to.dial)
        {
            return self.fail(id, leg, EndReason::Overload);
        }
        if let Err(reason) = self.let_out(now, id, leg, &dialled.to) {
            return self.fail(id, leg, reason);
        }
        let Some(port) = self.ports.take(worker, now) else {
            self.charge(now, id, leg);
            return self.fail(id, leg, EndReason::Overload);
        };
        let (codecs, srtp) = self.offer_for(id, &dialled.to.endpoint);
        let local = self.local_media(port, codecs, srtp);
        let entry = LegEntry {
            interaction: id,
            endpoint: dialled.to.endpoint,
            calls: smallvec![],
            port: Some(port),
            local,
            answer: None,
            plan: None,
            inbound: false,
            answered: false,
            confirmed: false,
            open: false,
            flowing: false,
            holding: false,
            failed_with: None,
            dialled: Some(Box::new(dialled)),
        };
        if let Endpoint::Trunk(t) = entry.endpoint {
            *self.trunk_calls.entry(t).or_default() += 1;
        }
        self.legs.insert(leg, entry);
        self.place(now, id, leg, auto_answer);
    }

    /// What we offer: the codec the rest of the interaction speaks first, so that nothing need be transcoded.
    fn offer_for(&self, id: InteractionId, endpoint: &Endpoint) -> (Vec<Codec>, SrtpPolicy) {
        let (mut codecs, srtp) = match endpoint {
            Endpoint::Trunk(t) => match self.index.trunk(*t) {
                Some(t) => (
                    t.codecs.clone(),
                    if t.srtp {
                        SrtpPolicy::Require
                    } else {
                        SrtpPolicy::Off
                    },
                ),
                None => (vec![], SrtpPolicy::Off),
            },
            Endpoint::Phone(p) => match self.index.phone(*p) {
                Some(p) if p.require_srtp => (vec![], SrtpPolicy::Require),
                _ => (vec![], SrtpPolicy::Off),
            },
            Endpoint::Uri => (vec![], SrtpPolicy::Off),
        };
        if codecs.is_empty() {
            codecs = self.config.codecs.clone();
        }
        let spoken = self.interactions.get(&id).and_then(|e| {
            e.interaction.state().live_legs().find_map(|l| {
                let entry = self.legs.get(&l.id)?;
                entry
                    .plan
                    .as_ref()
                    .or(entry.answer.as_ref().map(|(_, p)| p))
                    .map(|p| p.codec)
            })
        });
        if let Some(at) = spoken.and_then(|c| codecs.iter().position(|x| *x == c)) {
            codecs[..=at].rotate_right(1);
        }
        (codecs, srtp)
    }

    fn trunk_has_room(&self, trunk: TrunkId) -> bool {
        let max = self.index.trunk(trunk).map_or(0, |t| t.channels_max);
        max == 0 || self.trunk_calls.get(&trunk).copied().unwrap_or(0) < max
    }

    /// Sends the INVITEs of an outgoing leg.
    fn place(&mut self, now: Timestamp, id: InteractionId, leg: LegId, auto_answer: bool) {
        let Some(entry) = self.legs.get(&leg) else {
            return;
        };
        let Some(d) = entry.dialled.as_deref() else {
            return;
        };
        let sdp = sdp::offer(&entry.local);
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
            display: d.caller_name.clone(),
            uri: dress
                .as_ref()
                .map_or_else(|| caller_uri(&d.caller, &host), |e| e.from.clone()),
        };
        let Way {
            targets,
            credential,
            via_trunk,
        } = self.way(&d.to, dress.as_ref());
        let mut headers = dress.as_ref().map_or_else(Vec::new, |e| e.headers.clone());
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

    /// Where a call goes: each contact of a phone, or one address.
    fn way(&self, to: &Resolved, dress: Option<&crate::emergency::Dress>) -> Way {
        let mut targets: SmallVec<[(String, Option<Target>); 2]> = SmallVec::new();
        let mut credential = None;
        let mut via_trunk = None;
        match to.endpoint {
            Endpoint::Phone(phone) => {
                for b in self.ua.contacts(phone).take(FORKS_MAX) {
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

    /// The phone is asked to answer by itself: rung anew with the headers that say so.
    fn ring_again(&mut self, now: Timestamp, leg: LegId) {
        let Some(entry) = self
            .legs
            .get_mut(&leg)
            .filter(|l| !l.answered && !l.inbound)
        else {
            return;
        };
        let id = entry.interaction;
        for call in std::mem::take(&mut entry.calls) {
            self.calls.remove(&call);
            self.ua.hang_up(now, call, None);
        }
        self.place(now, id, leg, true);
    }

    fn ring(&mut self, now: Timestamp, leg: LegId, early_media: bool) {
        let Some(entry) = self.legs.get_mut(&leg).filter(|l| l.inbound && !l.answered) else {
            return;
        };
        let Some(call) = entry.calls.first().copied() else {
            return;
        };
        let sdp = match (&entry.answer, early_media) {
            (Some((sdp, plan)), true) => {
                let (sdp, plan) = (sdp.clone(), plan.clone());
                self.open(leg, plan);
                Some(sdp)
            }
            _ => None,
        };
        let status = if sdp.is_some() { 183 } else { 180 };
        // Refused only when the call is over already, which its own event tells.
        let _ = self.ua.progress(now, call, status, sdp);
    }

    fn answer(&mut self, now: Timestamp, id: InteractionId, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg).filter(|l| l.inbound && !l.answered) else {
            return;
        };
        let Some(call) = entry.calls.first().copied() else {
            return;
        };
        entry.answered = true;
        let (sdp, plan) = match entry.answer.clone() {
            Some((sdp, plan)) => (sdp, Some(plan)),
            // The caller sent no offer: ours goes out now, its answer comes in the ACK.
            None => (sdp::offer(&entry.local), None),
        };
        if self.ua.answer(now, call, sdp).is_err() {
            return; // It ended in the same moment; its event says so.
        }
        let codec = plan.as_ref().map(|p| p.codec.name().to_string());
        let secure = plan.as_ref().is_some_and(|p| p.srtp.is_some());
        if let Some(plan) = plan {
            self.open(leg, plan);
        }
        let dialog = self.ua.dialog_snapshot(call);
        self.work.push_back((
            id,
            IxInput::Leg(
                leg,
                LegEvent::Answered {
                    codec,
                    secure,
                    dialog,
                },
            ),
        ));
    }

    /// Gives the leg to its media worker, or changes what the worker does with it.
    pub(crate) fn open(&mut self, leg: LegId, plan: MediaPlan) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let Some(port) = entry.port else { return };
        let command = if entry.open {
            if entry.plan.as_ref() == Some(&plan) {
                return;
            }
            MediaCommand::Plan {
                leg,
                plan: plan.clone(),
            }
        } else {
            MediaCommand::Open {
                leg,
                port,
                plan: Some(plan.clone()),
            }
        };
        entry.open = true;
        entry.plan = Some(plan);
        self.put_media(port.worker, command);
    }

    /// Our side ends a leg: on the wire, and in the worker.
    pub(crate) fn end_leg(
        &mut self,
        now: Timestamp,
        leg: LegId,
        reason: EndReason,
        status: Option<u16>,
    ) {
        let Some(entry) = self.legs.get(&leg) else {
            return;
        };
        let calls = entry.calls.clone();
        let reject = entry.inbound && !entry.answered;
        for call in calls {
            if reject {
                let status = status.unwrap_or_else(|| reason.sip_status());
                if self.ua.reject(now, call, status, vec![]).is_err() {
                    self.ua.hang_up(now, call, None);
                }
            } else {
                self.ua.hang_up(now, call, hang_up_reason(reason));
            }
        }
        self.drop_entry(now, leg);
    }

    /// Lets go of everything a leg held. A last quality report is owed to the interaction.
    pub(crate) fn drop_entry(&mut self, now: Timestamp, leg: LegId) {
        let Some(entry) = self.legs.remove(&leg) else {
            return;
        };
        self.recent.leg(leg, entry.interaction);
        self.charge(now, entry.interaction, leg);
        for call in &entry.calls {
            self.calls.remove(call);
            if !self.writable && !entry.confirmed {
                self.unconfirmed.insert(*call);
            }
        }
        if let Endpoint::Trunk(t) = entry.endpoint
            && let Some(n) = self.trunk_calls.get_mut(&t)
        {
            *n = n.saturating_sub(1);
        }
        if let Some(port) = entry.port {
            self.ports.give_back(port, now);
            if entry.open {
                self.closing.insert(leg, entry.interaction);
                self.put_media(port.worker, MediaCommand::Close { leg });
                return;
            }
        }
        let quality = Quality::default();
        self.work
            .push_back((entry.interaction, IxInput::Quality { leg, quality }));
    }
}

fn caller_uri(caller: &Address, host: &str) -> String {
    match caller {
        Address::Sip(uri) => uri.clone(),
        Address::Anonymous => "sip:anonymous@anonymous.invalid".to_string(),
        other => format!("sip:{}@{host}", cp_sip::uri::encode_user(other.user())),
    }
}

/// RFC 3326: tells phones that a ring which stopped was no missed call.
fn hang_up_reason(reason: EndReason) -> Option<String> {
    match reason {
        EndReason::Cancelled => Some("SIP;cause=200;text=\"Call completed elsewhere\"".to_string()),
        EndReason::Dropped => Some("Q.850;cause=41;text=\"Media lost\"".to_string()),
        EndReason::NodeLost => Some("Q.850;cause=41;text=\"Temporary failure\"".to_string()),
        _ => None,
    }
}
