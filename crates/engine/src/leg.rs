//! Legs on the wire: what an interaction wants of a leg, carried out by the user agent and the media
//! workers.

use crate::core::Engine;
use crate::guard;
use crate::web::{Awaits, WebLeg, is_websocket};
use cp_interaction::{Input as IxInput, LegCommand, LegEvent, Resolved};
use cp_sip::sdp::{self, LocalMedia, SrtpPolicy};
use cp_sip::ua::CallRef;
use cp_vocab::event::Endpoint;
use cp_vocab::media::{Codec, MediaCommand, MediaPlan, PortPair, Quality};
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
    /// Who sent it on, how often that happened, and why last.
    pub diverted: Option<cp_identity::canonical::Identifier>,
    pub diversions: u8,
    pub why: Option<&'static str>,
    /// It was signed anew after the far side refused its identity.
    pub signed_again: bool,
}

pub(crate) struct LegEntry {
    pub interaction: InteractionId,
    pub endpoint: Endpoint,
    /// The dialogs that may become this leg: one for each contact rung, one after the answer.
    pub calls: SmallVec<[CallRef; 1]>,
    /// Those taken back to ring anew; an answer that was on its way counts. `None`: rung once.
    pub withdrawn: Option<SmallVec<[CallRef; 1]>>,
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
    /// What a browser's leg has beside.
    pub web: Option<Box<WebLeg>>,
}

impl LegEntry {
    /// The media worker that carries it.
    pub(crate) fn worker(&self) -> Option<u16> {
        let web = self.web.as_ref().map(|w| w.worker);
        web.or(self.port.map(|p| p.worker))
    }

    /// Its dialogs, those taken back too.
    pub(crate) fn all_calls(&self) -> impl Iterator<Item = CallRef> + '_ {
        let withdrawn = self.withdrawn.iter().flatten();
        self.calls.iter().chain(withdrawn).copied()
    }
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
                    diverted: None,
                    diversions: 0,
                    why: None,
                    signed_again: false,
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

    pub(crate) fn fail(&mut self, id: InteractionId, leg: LegId, reason: EndReason) {
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
        mut dialled: Dialled,
        auto_answer: bool,
    ) {
        let Some(worker) = self.interactions.get(&id).map(|e| e.worker) else {
            return;
        };
        if let Endpoint::Phone(phone) = dialled.to.endpoint
            && !self.waits_for_help(phone, now)
            && let Some((to, why)) = self.forwarded_at_once(phone)
        {
            // Where the setting leads nowhere, the phone itself rings.
            self.divert_to(now, id, leg, phone, &mut dialled, &to, why);
        }
        match dialled.to.endpoint {
            Endpoint::Browser => return self.dial_browser(now, id, leg, dialled),
            Endpoint::Phone(p) => {
                // The contact that is tried first decides what kind of media all are offered.
                let first = self.ua.contacts(p).next().map(|b| is_websocket(&b.target));
                if first == Some(true) {
                    return self.dial_web_phone(id, leg, worker, dialled, auto_answer);
                }
            }
            _ => {}
        }
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
            withdrawn: None,
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
            web: None,
        };
        if let Endpoint::Trunk(t) = entry.endpoint {
            *self.trunk_calls.entry(t).or_default() += 1;
        }
        self.legs.insert(leg, entry);
        self.place(now, id, leg, auto_answer);
    }

    /// A softphone in a browser: the worker makes the offer first.
    fn dial_web_phone(
        &mut self,
        id: InteractionId,
        leg: LegId,
        worker: u16,
        dialled: Dialled,
        auto_answer: bool,
    ) {
        let mut web = WebLeg::by_sip(worker);
        web.awaits = Awaits::Invite;
        web.auto_answer = auto_answer;
        let mut entry = self.web_entry(id, web, false);
        entry.endpoint = dialled.to.endpoint;
        entry.dialled = Some(Box::new(dialled));
        self.legs.insert(leg, entry);
        self.ask_peer(leg, cp_vocab::web::PeerAsk::MakeOffer);
    }

    /// What we offer: the codec the rest of the interaction speaks first, so that nothing need be transcoded.
    pub(crate) fn offer_for(
        &self,
        id: InteractionId,
        endpoint: &Endpoint,
    ) -> (Vec<Codec>, SrtpPolicy) {
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
            Endpoint::Uri | Endpoint::Browser => (vec![], SrtpPolicy::Off),
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
                    .or(entry.web.as_ref().and_then(|w| w.agreed).map(|a| a.codec))
            })
        });
        if let Some(at) = spoken.and_then(|c| codecs.iter().position(|x| *x == c)) {
            codecs[..=at].rotate_right(1);
        }
        (codecs, srtp)
    }

    pub(crate) fn trunk_has_room(&self, trunk: TrunkId) -> bool {
        let max = self.index.trunk(trunk).map_or(0, |t| t.channels_max);
        max == 0 || self.trunk_calls.get(&trunk).copied().unwrap_or(0) < max
    }

    pub(crate) fn ring(&mut self, now: Timestamp, leg: LegId, early_media: bool) {
        let Some(entry) = self.legs.get_mut(&leg).filter(|l| l.inbound && !l.answered) else {
            return;
        };
        if let Some(web) = &mut entry.web {
            if !web.by_sip {
                // Its media is open already, early or not.
                return self.signal_leg(leg, cp_vocab::web::Signal::Ringing { leg });
            }
            web.wants_early |= early_media;
            let sdp = web.sdp.clone().filter(|_| web.wants_early);
            if let Some(call) = entry.calls.first().copied() {
                let status = if sdp.is_some() { 183 } else { 180 };
                // As below.
                let _ = self.ua.progress(now, call, status, sdp);
            }
            return;
        }
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

    pub(crate) fn answer(&mut self, now: Timestamp, id: InteractionId, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg).filter(|l| l.inbound && !l.answered) else {
            return;
        };
        if entry.web.is_some() {
            return self.answer_web(now, id, leg);
        }
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
        self.answered(id, leg, call, plan);
    }

    /// The leg is up: its media opens as agreed, and the interaction hears of it with the dialog that a
    /// restart would need. `plan` is none while our offer waits for the answer in the ACK.
    pub(crate) fn answered(
        &mut self,
        id: InteractionId,
        leg: LegId,
        call: CallRef,
        plan: Option<MediaPlan>,
    ) {
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

    /// As [`Engine::answer`], when the worker has or will have our description.
    fn answer_web(&mut self, now: Timestamp, id: InteractionId, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let call = entry.calls.first().copied();
        let Some(web) = &mut entry.web else { return };
        let Some(agreed) = web.agreed else {
            web.wants_answer = true;
            return;
        };
        let (Some(call), Some(sdp)) = (call, web.sdp.clone()) else {
            return self.web_answered(id, leg);
        };
        web.wants_answer = false;
        entry.answered = true;
        if self.ua.answer(now, call, sdp).is_err() {
            return; // It ended in the same moment; its event says so.
        }
        let dialog = self.ua.dialog_snapshot(call);
        let event = LegEvent::Answered {
            codec: Some(agreed.codec.name().to_string()),
            secure: true,
            dialog,
        };
        self.work.push_back((id, IxInput::Leg(leg, event)));
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
        if plan.srtp.is_some() && entry.web.is_none() {
            // What was encrypted once stays so: a later offer without keys is refused, not taken
            // silently, whoever took the keys off.
            entry.local.srtp = SrtpPolicy::Require;
        }
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
        let calls: SmallVec<[CallRef; 4]> = entry.all_calls().collect();
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
        let ended = cp_vocab::web::SignalEnd::Over(reason);
        self.signal_leg(leg, cp_vocab::web::Signal::Ended { leg, reason: ended });
        self.drop_entry(now, leg);
    }

    /// Lets go of everything a leg held. A last quality report is owed to the interaction.
    pub(crate) fn drop_entry(&mut self, now: Timestamp, leg: LegId) {
        let Some(entry) = self.legs.remove(&leg) else {
            return;
        };
        self.recent.leg(leg, entry.interaction);
        self.charge(now, entry.interaction, leg);
        for call in entry.all_calls() {
            self.calls.remove(&call);
            if !self.writable && !entry.confirmed {
                self.unconfirmed.insert(call);
            }
        }
        if let Endpoint::Trunk(t) = entry.endpoint
            && let Some(n) = self.trunk_calls.get_mut(&t)
        {
            *n = n.saturating_sub(1);
        }
        if let Some(port) = entry.port {
            self.ports.give_back(port, now);
        }
        if let Some(worker) = entry.worker().filter(|_| entry.open) {
            self.closing.insert(leg, entry.interaction);
            self.put_media(worker, MediaCommand::Close { leg });
            return;
        }
        let quality = Quality::default();
        self.work
            .push_back((entry.interaction, IxInput::Quality { leg, quality }));
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
