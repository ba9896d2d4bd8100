//! What the user agent reports: calls in, answers, ends, registrations.

use crate::arrival::{Arrival, joining};
use crate::core::{Engine, Entry};
use crate::identity::Pending;
use crate::io::{Note, Output};
use crate::leg::LegEntry;
use crate::status::{info_digit, retry_after};
use crate::web::{Awaits, WebLeg, is_webrtc};
use bytes::Bytes;
use cp_interaction::{Input as IxInput, Interaction, LegEvent};
use cp_sip::sdp::{self};
use cp_sip::ua::{CallRef, DialogEnd, Principal, ReferReplaces, UaEvent};
use cp_sip::uri::SipUri;
use cp_vocab::event::{Endpoint, StreamId};
use cp_vocab::web::PeerAsk;
use cp_vocab::*;
use rustc_hash::FxHashMap;
use smallvec::smallvec;

impl Engine {
    pub(crate) fn ua_event(&mut self, now: Timestamp, event: UaEvent) {
        match event {
            UaEvent::Incoming {
                call,
                principal,
                invite,
                offer,
                replaces,
                ..
            } => {
                let pending = Pending {
                    principal,
                    invite,
                    offer,
                    replaces,
                    wanted: Vec::new(),
                    deadline: now,
                };
                self.knock(now, call, pending);
            }
            UaEvent::Progress { call, sdp, .. } => self.progress(call, sdp),
            UaEvent::Answered { call, sdp } => self.far_answered(now, call, sdp),
            UaEvent::Confirmed { call, sdp } => self.confirmed(now, call, sdp),
            UaEvent::Failed {
                call,
                status,
                reason,
                contact,
            } => self.failed(now, call, status, reason, contact.as_deref()),
            UaEvent::Reoffered { call, sdp } => self.reoffered(now, call, sdp),
            UaEvent::ReofferAnswered { call, sdp } => self.reoffer_answered(call, sdp),
            UaEvent::ReofferFailed { call, .. } => self.reoffer_failed(now, call),
            UaEvent::Referred {
                call,
                refer_to,
                replaces,
                ..
            } => self.referred(now, call, &refer_to, replaces),
            UaEvent::Info {
                call,
                content_type,
                body,
            } => {
                if let (Some(leg), Some(digit)) = (
                    self.calls.get(&call).copied(),
                    info_digit(&content_type, &body),
                ) && let Some(id) = self.interaction_of(leg)
                {
                    self.work
                        .push_back((id, IxInput::Leg(leg, LegEvent::Digit(digit))));
                }
            }
            UaEvent::Ended {
                call,
                cause,
                reason,
            } => self.ended(now, call, cause, reason),
            UaEvent::Registered {
                phone,
                binding,
                expires_s,
                transport,
                refresh,
                ..
            } => self.registered(now, phone, binding, expires_s, transport.via(), refresh),
            UaEvent::Unregistered { phone, why } => self.unregistered(now, phone, why),
            UaEvent::TrunkUp { trunk, rtt_ms } => {
                let tenant = self.index.trunk(trunk).map(|t| t.tenant);
                self.trunk_states.insert(trunk, Ok(rtt_ms));
                self.append_aside(
                    now,
                    tenant,
                    StreamId::Trunk(trunk),
                    Event::TrunkUp { trunk, rtt_ms },
                );
            }
            UaEvent::TrunkDown { trunk, why } => {
                let tenant = self.index.trunk(trunk).map(|t| t.tenant);
                let why = why.to_string();
                self.trunk_states.insert(trunk, Err(why.clone()));
                self.append_aside(
                    now,
                    tenant,
                    StreamId::Trunk(trunk),
                    Event::TrunkDown { trunk, why },
                );
            }
            UaEvent::Denied { what, .. } => self.put(Output::Note(Note::Denied { what })),
        }
    }

    /// A call from the door.
    pub(crate) fn let_in(&mut self, now: Timestamp, call: CallRef, pending: Pending) {
        if let Err(status) = self.incoming(now, call, pending) {
            self.stats.refused += 1;
            let _ = self.ua.reject(now, call, status, retry_after(status));
        }
    }

    /// A new call. `Err` is the SIP status to refuse it with; nothing was kept then.
    fn incoming(&mut self, now: Timestamp, call: CallRef, pending: Pending) -> Result<(), u16> {
        let Pending {
            principal,
            invite,
            offer,
            replaces,
            ..
        } = pending;
        let invite = &invite;
        let urgent = self.asks_for_help(principal, invite);
        let full = self.draining
            || !self.writable
            || self.interactions.len() >= self.config.interactions_max;
        if full && !urgent {
            return Err(503);
        }
        let arrival = self.arrival(now, principal, invite, replaces.is_some())?;
        if self.tenant_is_full(arrival.tenant) && !urgent {
            return Err(503);
        }
        let mut known = self.judge(now, principal, invite)?;
        if let Principal::Trunk(t) = principal
            && let Some(form) = self.index.trunk(t).map(|t| t.identity.reason)
        {
            self.ua.add_to_responses(call, known.reasons(form));
        }
        let joins = match replaces {
            Some(old) => Some(self.replaced(old, &arrival).ok_or(403u16)?),
            None => arrival
                .fetch
                .or_else(|| arrival.slot.and_then(|id| self.parked_leg(id))),
        };
        let worker = match joins {
            Some((id, _)) => self.interactions.get(&id).map_or(0, |e| e.worker),
            None => self.worker_for(&arrival),
        };
        let leg: LegId = self.ids.next(now);
        let id = match joins {
            Some((id, _)) => id,
            None => self.ids.next(now),
        };
        self.take_in(now, call, leg, id, worker, &arrival, offer)?;
        let call_id = invite.call_id().to_string();
        let name = arrival.from_name.clone();
        let input = self.arrived(id, leg, worker, arrival, joins, call_id);
        self.work.push_back((id, input));
        if joins.is_none() {
            // Decoded before anybody is rung: what rings first looks here.
            let card = self.decode_card(now, id, leg, name.as_deref(), invite, &known);
            for event in known.events(leg).into_iter().chain(card) {
                self.work.push_back((id, IxInput::Noted(event)));
            }
            self.identity.known.insert(id, known);
        }
        Ok(())
    }

    pub(crate) fn tenant_is_full(&self, tenant: TenantId) -> bool {
        let limit = self.index.tenant(tenant).map_or(0, |t| t.interactions_max);
        limit != 0 && self.tenant_calls.get(&tenant).copied().unwrap_or(0) >= limit
    }

    /// What an arrival is to its interaction, which is made here unless it joins one.
    pub(crate) fn arrived(
        &mut self,
        id: InteractionId,
        leg: LegId,
        worker: u16,
        arrival: Arrival,
        joins: Option<(InteractionId, LegId)>,
        call_id: String,
    ) -> IxInput {
        if let Some((_, old)) = joins {
            return joining(old, leg, arrival, call_id);
        }
        let Arrival {
            tenant,
            endpoint,
            agent,
            from,
            from_name,
            to,
            number,
            plan,
            internal,
            ..
        } = arrival;
        let interaction = Interaction::new(id, tenant);
        self.interactions.insert(
            id,
            Entry {
                interaction,
                tenant,
                worker,
                seq: 0,
                timers: FxHashMap::default(),
            },
        );
        IxInput::Incoming {
            leg,
            endpoint,
            agent,
            from,
            from_name,
            to,
            number,
            call_id,
            plan,
            internal,
        }
    }

    /// Port, media negotiation and books for an incoming leg.
    #[allow(clippy::too_many_arguments)]
    fn take_in(
        &mut self,
        now: Timestamp,
        call: CallRef,
        leg: LegId,
        id: InteractionId,
        worker: u16,
        arrival: &Arrival,
        offer: Option<Bytes>,
    ) -> Result<(), u16> {
        if let Some(sdp) = offer.as_ref().filter(|o| is_webrtc(o)) {
            let sdp = std::str::from_utf8(sdp).map_err(|_| 400u16)?.to_string();
            let mut entry = self.web_entry(id, WebLeg::by_sip(worker), true);
            entry.endpoint = arrival.endpoint;
            entry.calls = smallvec![call];
            self.calls.insert(call, leg);
            self.legs.insert(leg, entry);
            self.ask_peer(leg, PeerAsk::TakeOffer { sdp, fresh: false });
            return Ok(());
        }
        let port = self.ports.take(worker, now).ok_or(503u16)?;
        let codecs = match arrival.endpoint {
            Endpoint::Trunk(t) => self
                .index
                .trunk(t)
                .map(|t| t.codecs.clone())
                .filter(|c| !c.is_empty()),
            _ => None,
        };
        let codecs = codecs.unwrap_or_else(|| self.config.codecs.clone());
        let local = self.local_media(port, codecs, arrival.srtp);
        let answer = match &offer {
            Some(offer) => match sdp::answer(&local, offer) {
                Ok(a) => Some((a.sdp, a.plan)),
                Err(e) => {
                    self.ports.give_back(port, now);
                    return Err(e.sip_status());
                }
            },
            None => None,
        };
        if let Endpoint::Trunk(t) = arrival.endpoint {
            *self.trunk_calls.entry(t).or_default() += 1;
        }
        self.calls.insert(call, leg);
        self.legs.insert(
            leg,
            LegEntry {
                interaction: id,
                endpoint: arrival.endpoint,
                calls: smallvec![call],
                withdrawn: None,
                port: Some(port),
                local,
                answer,
                plan: None,
                inbound: true,
                answered: false,
                confirmed: false,
                open: false,
                flowing: false,
                holding: false,
                failed_with: None,
                dialled: None,
                web: None,
            },
        );
        Ok(())
    }

    fn progress(&mut self, call: CallRef, sdp: Option<Bytes>) {
        let Some(leg) = self.calls.get(&call).copied() else {
            return;
        };
        let Some(entry) = self.legs.get(&leg).filter(|l| !l.answered) else {
            return;
        };
        let id = entry.interaction;
        // Early media is taken from a single ringing phone only; with several nobody can say whose it is.
        let plan = match (&sdp, entry.calls.len()) {
            // A browser's early description is the same as its final one; we wait for that.
            _ if entry.web.is_some() => None,
            (Some(sdp), 1) => sdp::complete(&entry.local, sdp).ok(),
            _ => None,
        };
        let early_media = plan.is_some();
        // Each contact that rings by now; lines are not part of a snapshot.
        let rings = entry.calls.iter().filter_map(|c| self.ua.ring_snapshot(*c));
        let dialog = Some(rings.collect::<Vec<_>>().join("\n")).filter(|d| !d.is_empty());
        if let Some(plan) = plan {
            self.open(leg, plan);
        }
        self.work.push_back((
            id,
            IxInput::Leg(
                leg,
                LegEvent::Ringing {
                    early_media,
                    dialog,
                },
            ),
        ));
    }

    fn far_answered(&mut self, now: Timestamp, call: CallRef, sdp: Option<Bytes>) {
        let Some(leg) = self.calls.get(&call).copied() else {
            return self.ua.hang_up(now, call, None);
        };
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let id = entry.interaction;
        entry.answered = true;
        entry.confirmed = true;
        self.costs_from_now(now, leg);
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let losers: smallvec::SmallVec<[CallRef; 4]> =
            entry.all_calls().filter(|c| *c != call).collect();
        entry.calls = smallvec![call];
        entry.withdrawn = None;
        let web = entry.web.is_some();
        if let Some(web) = &mut entry.web {
            web.awaits = Awaits::FarAnswer;
        }
        let plan = match (&sdp, &entry.plan) {
            _ if web => None,
            (Some(sdp), _) => sdp::complete(&entry.local, sdp).ok(),
            // The answer came in a reliable 183 already.
            (None, Some(plan)) => Some(plan.clone()),
            (None, None) => None,
        };
        for c in losers {
            self.calls.remove(&c);
            self.ua.hang_up(
                now,
                c,
                Some("SIP;cause=200;text=\"Call completed elsewhere\"".to_string()),
            );
        }
        let text = sdp.as_ref().and_then(|s| std::str::from_utf8(s).ok());
        if let (true, Some(text)) = (web, text) {
            let sdp = text.to_string();
            return self.ask_peer(leg, PeerAsk::TakeAnswer { sdp });
        }
        match plan {
            Some(plan) => self.answered(id, leg, call, Some(plan)),
            None => {
                self.end_leg(now, leg, EndReason::Incompatible, None);
                let reason = EndReason::Incompatible;
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
        }
    }

    /// Our offer went out in a 2xx; the answer is in the ACK.
    fn confirmed(&mut self, now: Timestamp, call: CallRef, sdp: Option<Bytes>) {
        let Some(leg) = self.calls.get(&call).copied() else {
            return;
        };
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        entry.confirmed = true;
        if entry.plan.is_some() || entry.web.is_some() {
            return;
        }
        let id = entry.interaction;
        match sdp.map(|s| sdp::complete(&entry.local, &s)) {
            Some(Ok(plan)) => self.open(leg, plan),
            _ => {
                self.end_leg(now, leg, EndReason::Incompatible, None);
                let reason = EndReason::Incompatible;
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
        }
    }

    fn reoffered(&mut self, now: Timestamp, call: CallRef, sdp: Option<Bytes>) {
        let Some(leg) = self.calls.get(&call).copied() else {
            return self.ua.reject_reoffer(now, call, 481);
        };
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let id = entry.interaction;
        entry.local.version += 1;
        if let Some(web) = &mut entry.web {
            let text = sdp.as_ref().and_then(|s| std::str::from_utf8(s).ok());
            let Some(text) = text.filter(|_| web.awaits == Awaits::Nothing) else {
                return self.ua.reject_reoffer(now, call, 488);
            };
            web.awaits = Awaits::Reoffer(call);
            let (sdp, fresh) = (text.to_string(), false);
            return self.ask_peer(leg, PeerAsk::TakeOffer { sdp, fresh });
        }
        let Some(sdp) = sdp else {
            let offer = sdp::offer(&entry.local);
            return self.ua.accept_reoffer(now, call, offer);
        };
        match sdp::answer(&entry.local, &sdp) {
            Ok(answered) => {
                // Hold is what we may not send to: sendonly, inactive, or the old 0.0.0.0 (RFC 3264 8.4).
                let holding = !answered.plan.send;
                let changed = holding != entry.holding;
                entry.holding = holding;
                self.open(leg, answered.plan);
                self.ua.accept_reoffer(now, call, answered.sdp);
                if changed {
                    let event = if holding {
                        LegEvent::Held
                    } else {
                        LegEvent::Resumed
                    };
                    self.work.push_back((id, IxInput::Leg(leg, event)));
                }
            }
            Err(e) => self.ua.reject_reoffer(now, call, e.sip_status()),
        }
    }

    /// Only a tenant's phone may transfer; a trunk that tries is refused.
    fn referred(
        &mut self,
        now: Timestamp,
        call: CallRef,
        refer_to: &str,
        replaces: Option<ReferReplaces>,
    ) {
        let Some(leg) = self.calls.get(&call).copied() else {
            return;
        };
        let Some(entry) = self
            .legs
            .get(&leg)
            .filter(|l| matches!(l.endpoint, Endpoint::Phone(_)))
        else {
            return self.ua.refer_progress(now, call, 403);
        };
        let id = entry.interaction;
        let event = match replaces {
            Some(ReferReplaces::Call(other)) => {
                let other = self.calls.get(&other).copied();
                match other.and_then(|o| self.interaction_of(o).map(|i| (i, o))) {
                    Some((interaction, other)) if interaction != id => {
                        LegEvent::ReferredToLeg { interaction, other }
                    }
                    _ => return self.ua.refer_progress(now, call, 481),
                }
            }
            Some(ReferReplaces::Unknown) => return self.ua.refer_progress(now, call, 481),
            None => {
                let uri = refer_to.trim_matches(|c| c == '<' || c == '>');
                match SipUri::parse(uri) {
                    Some(u) => LegEvent::Referred {
                        to: u.user_decoded().into_owned(),
                    },
                    None => return self.ua.refer_progress(now, call, 400),
                }
            }
        };
        self.work.push_back((id, IxInput::Leg(leg, event)));
    }

    fn ended(&mut self, now: Timestamp, call: CallRef, cause: DialogEnd, detail: Option<String>) {
        // It gave up at the door: nothing began.
        self.leave_door(now, call);
        let Some(leg) = self.calls.remove(&call) else {
            return;
        };
        let Some(id) = self.interaction_of(leg) else {
            return;
        };
        self.drop_entry(now, leg);
        let reason = match cause {
            DialogEnd::Bye => EndReason::HungUp,
            DialogEnd::Cancel => EndReason::Abandoned,
            DialogEnd::Internal => EndReason::Internal,
            _ => EndReason::Dropped,
        };
        let detail =
            detail.or_else(|| (reason == EndReason::Dropped).then(|| format!("{cause:?}")));
        self.work
            .push_back((id, IxInput::Leg(leg, LegEvent::Ended { reason, detail })));
    }
}
