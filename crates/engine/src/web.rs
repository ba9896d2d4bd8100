//! Legs that are browsers' peer connections: negotiated by the media worker, signalled by the
//! device's socket or (`by_sip`) by SIP over WebSocket.

use crate::core::Engine;
use crate::leg::{Dialled, LegEntry};
use cp_interaction::{Input as IxInput, LegEvent};
use cp_sip::sdp::SrtpPolicy;
use cp_sip::ua::CallRef;
use cp_vocab::event::{Direction, Endpoint};
use cp_vocab::media::{MediaCommand, PortPair, Quality};
use cp_vocab::net::{Target, Transport};
use cp_vocab::web::*;
use cp_vocab::*;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::smallvec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;

/// Who carries an agent's calls.
pub(crate) struct Holder {
    /// `None`: the socket is gone, and the time to come back runs.
    pub device: Option<DeviceId>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    Holder(AgentId),
    /// The device of a leg is away.
    Away(LegId),
    /// A leg rings out.
    Ring(LegId),
}

/// The engine's books on browsers.
#[derive(Default)]
pub(crate) struct Web {
    pub holders: FxHashMap<AgentId, Holder>,
    /// Agents with a browser that is told by a push: they ring without a tab, and open one.
    pub pushed: FxHashSet<AgentId>,
    /// Agents whose tab was lost and has not attached since.
    pub lost: FxHashSet<AgentId>,
    timers: BinaryHeap<Reverse<(Timestamp, Timer)>>,
}

impl Web {
    pub(crate) fn at(&mut self, at: Timestamp, timer: Timer) {
        self.timers.push(Reverse((at, timer)));
    }
    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.next_timeout()? > now {
            return None;
        }
        self.timers.pop().map(|Reverse((_, timer))| timer)
    }
}

/// What the worker's next description is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Awaits {
    Nothing,
    /// The device took a ringing leg.
    Accept,
    /// The device negotiates anew.
    Offered,
    /// Our offer for the INVITE.
    Invite,
    /// The phone's 2xx brought its answer.
    FarAnswer,
    /// A re-INVITE wants an answer.
    Reoffer(CallRef),
    /// Our re-INVITE brought an offer for another worker, and the ACK wants the answer.
    Moved(CallRef),
}

/// What a leg has beside a [`LegEntry`] when it is a browser's.
pub(crate) struct WebLeg {
    pub worker: u16,
    /// `None`: away, or signalled by SIP.
    pub device: Option<DeviceId>,
    pub agent: Option<AgentId>,
    pub by_sip: bool,
    /// Packets arrive.
    pub connected: bool,
    pub awaits: Awaits,
    /// Our description for SIP.
    pub sdp: Option<String>,
    pub agreed: Option<PeerAgreed>,
    /// Asked for before the worker's answer came: 183 with media, the final answer.
    pub wants_early: bool,
    pub wants_answer: bool,
    pub auto_answer: bool,
    /// Another worker waits for a new peer connection.
    pub moved: bool,
    /// Re-INVITEs under way that ask a softphone for it.
    pub reinvites: u8,
    /// What the customer's page said of itself.
    pub context: Option<Box<Context>>,
}

/// The page a customer calls from.
#[derive(Clone, Default)]
pub(crate) struct Context {
    pub subject: Option<String>,
    /// JSON text.
    pub page: Option<String>,
}

impl WebLeg {
    pub(crate) fn new(worker: u16, device: Option<DeviceId>, agent: Option<AgentId>) -> Self {
        Self {
            worker,
            device,
            agent,
            by_sip: false,
            connected: false,
            awaits: Awaits::Nothing,
            sdp: None,
            agreed: None,
            wants_early: false,
            wants_answer: false,
            auto_answer: false,
            moved: false,
            reinvites: 0,
            context: None,
        }
    }
    pub(crate) fn by_sip(worker: u16) -> Self {
        Self {
            by_sip: true,
            ..Self::new(worker, None, None)
        }
    }
}

/// Whether an SDP wants a peer connection.
pub(crate) fn is_webrtc(sdp: &[u8]) -> bool {
    let has = |what: &[u8]| sdp.windows(what.len()).any(|w| w == what);
    has(b"UDP/TLS/RTP/SAVP") && has(b"a=ice-ufrag:")
}

/// Whether a phone registered from a browser: over a WebSocket.
pub(crate) fn is_websocket(target: &Target) -> bool {
    let transport = match target {
        Target::Flow(flow) => flow.transport,
        Target::Addr { transport, .. } => *transport,
    };
    matches!(transport, Transport::Ws | Transport::Wss)
}

impl Engine {
    pub(crate) fn web_entry(
        &mut self,
        interaction: InteractionId,
        web: WebLeg,
        inbound: bool,
    ) -> LegEntry {
        // Only to fill the place: a browser's leg has no port of its own.
        let nowhere = PortPair {
            worker: web.worker,
            rtp: (Ipv4Addr::LOCALHOST, 9).into(),
        };
        let local = self.local_media(nowhere, vec![], SrtpPolicy::Off);
        LegEntry {
            interaction,
            endpoint: Endpoint::Browser,
            calls: smallvec![],
            withdrawn: None,
            port: None,
            local,
            answer: None,
            plan: None,
            inbound,
            answered: false,
            confirmed: false,
            open: false,
            flowing: false,
            holding: false,
            failed_with: None,
            dialled: None,
            web: Some(Box::new(web)),
        }
    }

    /// Asks the worker about the leg's peer connection.
    pub(crate) fn ask_peer(&mut self, leg: LegId, ask: PeerAsk) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let Some(worker) = entry.worker() else { return };
        if matches!(ask, PeerAsk::TakeOffer { .. } | PeerAsk::MakeOffer) {
            entry.open = true;
        }
        self.put_media(worker, MediaCommand::Peer { leg, ask });
    }

    /// The worker an agent's browser has calls on: calls that may be joined live together.
    pub(crate) fn worker_of(&self, agent: AgentId) -> Option<u16> {
        let of_agent = |l: &&LegEntry| l.web.as_ref().is_some_and(|w| w.agent == Some(agent));
        self.legs.values().find(of_agent)?.worker()
    }

    /// An interaction rings an agent's browser.
    pub(crate) fn dial_browser(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        dialled: Dialled,
    ) {
        let agent = dialled.to.agent;
        let holder = agent.and_then(|a| self.web.holders.get(&a));
        let pushed = agent.is_some_and(|a| self.web.pushed.contains(&a));
        let device = holder.map(|h| h.device).or(pushed.then_some(None));
        let (Some(agent), Some(device)) = (agent, device) else {
            return self.fail(id, leg, EndReason::Unavailable);
        };
        let Some(interaction) = self.interactions.get(&id) else {
            return;
        };
        let worker = interaction.worker;
        let state = interaction.interaction.state();
        // Who asked for the call has said yes already: click to call, a supervisor.
        let supervises = state.leg(leg).map(|l| l.role) == Some(event::LegRole::Supervisor);
        let first = state.live_legs().count() == 1;
        let mut web = WebLeg::new(worker, device, Some(agent));
        web.auto_answer = supervises || first;
        let ring_ms = dialled.ring_ms_max;
        let mut entry = self.web_entry(id, web, false);
        entry.dialled = Some(Box::new(dialled));
        self.legs.insert(leg, entry);
        self.web
            .at(now + crate::core::ring_time(ring_ms), Timer::Ring(leg));
        match (device, self.device_leg(leg)) {
            (Some(device), Some(ring)) => {
                let leg = Box::new(ring);
                self.signal(device, Signal::Ring { leg });
            }
            // Told by a push: a tab is opened by who answers, as long as it rings.
            (None, _) if pushed => {}
            // The tab is being loaded again: it finds the leg when it attaches, or it is given up.
            _ => self.web.at(now + crate::device::RETURN, Timer::Away(leg)),
        }
        let early_media = false;
        let ringing = IxInput::Leg(
            leg,
            LegEvent::Ringing {
                early_media,
                dialog: None,
            },
        );
        self.work.push_back((id, ringing));
    }

    /// A leg as its browser is told of it.
    pub(crate) fn device_leg(&self, leg: LegId) -> Option<DeviceLeg> {
        let entry = self.legs.get(&leg)?;
        let web = entry.web.as_ref()?;
        let state = self
            .interactions
            .get(&entry.interaction)?
            .interaction
            .state();
        let (from, from_name) = match entry.dialled.as_deref() {
            Some(d) => (d.caller.user().to_string(), d.caller_name.clone()),
            None => (state.from.user().to_string(), state.from_name.clone()),
        };
        let context = state
            .live_legs()
            .filter_map(|l| self.legs.get(&l.id)?.web.as_ref()?.context.as_deref())
            .next()
            .cloned()
            .unwrap_or_default();
        let page = context.page.and_then(|p| serde_json::from_str(&p).ok());
        let offer = state.offer.as_ref().filter(|o| web.agent == Some(o.agent));
        Some(DeviceLeg {
            leg,
            interaction: entry.interaction,
            state: match (entry.answered, entry.inbound) {
                (true, _) => DeviceLegState::Connected,
                (false, true) => DeviceLegState::Calling,
                (false, false) => DeviceLegState::Ringing,
            },
            direction: if entry.inbound {
                Direction::Outbound
            } else {
                Direction::Inbound
            },
            from,
            from_name,
            to: state.to.user().to_string(),
            auto_answer: web.auto_answer,
            offer: offer.map(|o| o.offer),
            subject: context.subject,
            context: page,
            card: self.cards.shown.get(&entry.interaction).cloned(),
        })
    }

    pub(crate) fn signal_leg(&mut self, leg: LegId, signal: Signal) {
        let web = self.legs.get(&leg).and_then(|l| l.web.as_ref());
        if let Some(device) = web.and_then(|w| w.device) {
            self.signal(device, signal);
        }
    }

    pub(crate) fn peer_said(&mut self, now: Timestamp, leg: LegId, said: PeerSaid) {
        if !self.legs.contains_key(&leg) {
            // It ended while the worker was asked to open it: no last report will come.
            if let PeerSaid::Refused { open: false, .. } = said
                && let Some(id) = self.closing.remove(&leg)
            {
                let quality = Quality::default();
                self.work.push_back((id, IxInput::Quality { leg, quality }));
            }
            return;
        }
        match said {
            PeerSaid::Answer { sdp, agreed } => self.peer_answered(now, leg, sdp, agreed),
            PeerSaid::Offer { sdp } => self.peer_offered(now, leg, sdp),
            PeerSaid::Agreed(agreed) => self.peer_agreed(leg, agreed),
            PeerSaid::Connection(state) => {
                if let Some(web) = self.legs.get_mut(&leg).and_then(|l| l.web.as_mut()) {
                    web.connected = state == Connection::Connected;
                }
                self.signal_leg(leg, Signal::Connection { leg, state });
            }
            PeerSaid::Tracks { tracks, lacking } => self.tracks_told(leg, tracks, lacking),
            PeerSaid::Speaking { legs } => {
                let parties = legs;
                self.signal_leg(leg, Signal::Speaking { leg, parties });
            }
            PeerSaid::Refused { code, detail, open } => {
                self.peer_refused(now, leg, code, detail, open);
            }
        }
    }

    fn peer_answered(&mut self, now: Timestamp, leg: LegId, sdp: String, agreed: PeerAgreed) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let id = entry.interaction;
        let Some(web) = &mut entry.web else { return };
        let awaits = std::mem::replace(&mut web.awaits, Awaits::Nothing);
        web.agreed = Some(agreed);
        if std::mem::take(&mut web.moved) {
            // The worker was told who hears whom before it had the leg.
            self.work.push_back((id, IxInput::WorkerChanged));
        }
        let Some(web) = self.legs.get_mut(&leg).and_then(|l| l.web.as_mut()) else {
            return;
        };
        if web.by_sip {
            let (early, answer) = (web.wants_early, web.wants_answer);
            web.sdp = Some(sdp.clone());
            if let Awaits::Reoffer(call) = awaits {
                self.ua.accept_reoffer(now, call, sdp);
            } else if let Awaits::Moved(call) = awaits {
                // It is over meanwhile, and told as such.
                let _ = self.ua.ack_with(now, call, sdp);
            } else if answer {
                self.answer(now, id, leg);
            } else if early {
                self.ring(now, leg, true);
            }
            return self.note_hold(leg, agreed);
        }
        let video = agreed.video;
        let wants_answer = web.wants_answer;
        self.signal_leg(leg, Signal::Answer { leg, sdp, video });
        if awaits == Awaits::Accept || wants_answer {
            self.web_answered(id, leg);
        } else {
            self.note_hold(leg, agreed);
        }
    }

    /// The leg stands: both sides have their descriptions.
    pub(crate) fn web_answered(&mut self, id: InteractionId, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        entry.answered = true;
        entry.confirmed = true;
        let Some(web) = &mut entry.web else { return };
        web.wants_answer = false;
        let codec = web.agreed.map(|a| a.codec.name().to_string());
        self.signal_leg(leg, Signal::Answered { leg });
        let event = LegEvent::Answered {
            codec,
            secure: true,
            dialog: None,
        };
        self.work.push_back((id, IxInput::Leg(leg, event)));
    }

    fn peer_offered(&mut self, now: Timestamp, leg: LegId, sdp: String) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let id = entry.interaction;
        let Some(web) = &mut entry.web else { return };
        if !web.by_sip {
            return self.signal_leg(leg, Signal::Offer { leg, sdp });
        }
        web.sdp = Some(sdp);
        if web.awaits == Awaits::Invite {
            web.awaits = Awaits::Nothing;
            let auto_answer = web.auto_answer;
            self.place(now, id, leg, auto_answer);
        }
    }

    fn peer_agreed(&mut self, leg: LegId, agreed: PeerAgreed) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        let id = entry.interaction;
        let call = entry.calls.first().copied();
        let Some(web) = &mut entry.web else { return };
        web.agreed = Some(agreed);
        if web.by_sip && web.awaits == Awaits::FarAnswer {
            web.awaits = Awaits::Nothing;
            let dialog = call.and_then(|c| self.ua.dialog_snapshot(c));
            let event = LegEvent::Answered {
                codec: Some(agreed.codec.name().to_string()),
                secure: true,
                dialog,
            };
            self.work.push_back((id, IxInput::Leg(leg, event)));
        } else {
            self.note_hold(leg, agreed);
        }
    }

    /// Hold is what we may not send to, as with phones (RFC 3264 8.4).
    fn note_hold(&mut self, leg: LegId, agreed: PeerAgreed) {
        let Some(entry) = self.legs.get_mut(&leg).filter(|l| l.answered) else {
            return;
        };
        let holding = !agreed.send;
        if holding == entry.holding {
            return;
        }
        entry.holding = holding;
        let event = if holding {
            LegEvent::Held
        } else {
            LegEvent::Resumed
        };
        let id = entry.interaction;
        self.work.push_back((id, IxInput::Leg(leg, event)));
    }

    fn peer_refused(
        &mut self,
        now: Timestamp,
        leg: LegId,
        code: &'static str,
        detail: String,
        open: bool,
    ) {
        let Some(entry) = self.legs.get_mut(&leg) else {
            return;
        };
        entry.open = open;
        let (inbound, answered) = (entry.inbound, entry.answered);
        let Some(web) = &mut entry.web else { return };
        let awaits = std::mem::replace(&mut web.awaits, Awaits::Nothing);
        if web.by_sip {
            if let Awaits::Reoffer(call) = awaits {
                return self.ua.reject_reoffer(now, call, 488);
            }
            if let Awaits::Moved(_) = awaits {
                return self.over(now, leg, EndReason::Incompatible);
            }
            let id = entry.interaction;
            let status = if code == "busy_worker" { 503 } else { 488 };
            self.end_leg(now, leg, EndReason::Incompatible, Some(status));
            return self.fail(id, leg, EndReason::Incompatible);
        }
        self.signal_leg(leg, Signal::Error { leg, code, detail });
        // A ringing leg rings on, and one that stands goes on as it was.
        if !open && inbound && !answered {
            self.over(now, leg, EndReason::Incompatible);
        }
    }
}
