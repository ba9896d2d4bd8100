//! The durable part of an interaction: what a replay of its log gives back.

use cp_vocab::command::SuperviseMode;
use cp_vocab::event::*;
use cp_vocab::*;
use smallvec::SmallVec;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegStatus {
    Dialing,
    Ringing,
    Answered,
    Ended(EndReason),
}

/// Where in the interaction a leg is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Room {
    /// Alone with prompts and music.
    Alone,
    Talk,
    /// In a room that other interactions share.
    Conference(ConferenceId),
    Parked(String),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leg {
    pub id: LegId,
    pub role: LegRole,
    pub direction: Direction,
    pub endpoint: Endpoint,
    pub address: Address,
    pub agent: Option<AgentId>,
    /// The leg it was made for.
    pub cause: Option<LegId>,
    pub status: LegStatus,
    /// When `status` was reached.
    pub since: Timestamp,
    pub early_media: bool,
    pub room: Room,
    /// Put on hold by the other side of the call, through us.
    pub held: bool,
    /// Its phone holds us.
    pub holding: bool,
    pub muted: bool,
    pub supervise: Option<SuperviseMode>,
    pub dialog: Option<String>,
}

impl Leg {
    pub fn is_live(&self) -> bool {
        !matches!(self.status, LegStatus::Ended(_))
    }
    pub fn is_answered(&self) -> bool {
        self.status == LegStatus::Answered
    }
    pub fn call_status(&self) -> CallStatus {
        match self.status {
            LegStatus::Dialing => CallStatus::Dialing,
            LegStatus::Ringing => CallStatus::Ringing,
            LegStatus::Answered => CallStatus::Connected,
            LegStatus::Ended(_) => CallStatus::Disconnected,
        }
    }
}

/// A consultation: `by` talks to `leg` while the others wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consult {
    pub by: LegId,
    pub leg: LegId,
}

/// Waiting in a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub queue: QueueId,
    pub since: Timestamp,
    pub priority: i32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offering {
    pub offer: OfferId,
    pub agent: AgentId,
    pub deadline: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    pub id: RecordingId,
    pub left: LegId,
    pub right: Option<LegId>,
    pub paused: bool,
}

/// An operation that makes a second call related to the first (S1.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SharedOp {
    /// The user's leg of the original call.
    pub user: LegId,
    /// The third party's leg, once it exists; `None` while parking.
    pub second: Option<LegId>,
    /// Slot, when the third party is the park service.
    pub slot: Option<String>,
    /// The leg by which the original is revived.
    pub revival: Option<LegId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    pub id: InteractionId,
    pub tenant: TenantId,
    /// Last sequence number in the log.
    pub seq: u64,
    pub started: bool,
    pub started_at: Timestamp,
    pub direction: Direction,
    pub from: Address,
    pub from_name: Option<String>,
    pub to: Address,
    pub uci: Option<Uci>,
    pub legs: SmallVec<[Leg; 3]>,
    pub waiting: Option<Waiting>,
    /// The queue it was answered from, which gives wrap-up and recording rules.
    pub served_by: Option<QueueId>,
    pub offer: Option<Offering>,
    pub consult: Option<Consult>,
    pub recording: Option<Recording>,
    pub op: Option<SharedOp>,
    pub shared: SharedState,
    /// Agents who wrap up; several after a transfer.
    pub wrap_up: SmallVec<[AgentId; 1]>,
    pub ended: Option<EndReason>,
}

impl State {
    pub fn new(id: InteractionId, tenant: TenantId) -> Self {
        Self {
            id,
            tenant,
            seq: 0,
            started: false,
            started_at: Timestamp::ZERO,
            direction: Direction::Inbound,
            from: Address::Anonymous,
            from_name: None,
            to: Address::Anonymous,
            uci: None,
            legs: SmallVec::new(),
            waiting: None,
            served_by: None,
            offer: None,
            consult: None,
            recording: None,
            op: None,
            shared: SharedState::Single,
            wrap_up: SmallVec::new(),
            ended: None,
        }
    }

    /// Folds a whole log.
    pub fn replay<'a>(
        id: InteractionId,
        tenant: TenantId,
        records: impl IntoIterator<Item = &'a EventRecord>,
    ) -> Self {
        let mut state = Self::new(id, tenant);
        for r in records {
            state.apply(&r.event, r.at);
        }
        state
    }

    pub fn leg(&self, id: LegId) -> Option<&Leg> {
        self.legs.iter().find(|l| l.id == id)
    }
    pub(crate) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|l| l.id == id)
    }
    pub fn live_legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|l| l.is_live())
    }
    /// Legs that take part in the conversation now: answered, in the talk room, no supervisor below barge.
    pub fn talkers(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|l| {
            l.is_answered()
                && l.room == Room::Talk
                && matches!(l.supervise, None | Some(SuperviseMode::Barge))
        })
    }
    /// Whether a leg waits: put on hold, holding us, or left by the only one it talked to for a
    /// consultation.
    pub fn is_on_hold(&self, leg: &Leg) -> bool {
        let left_waiting = self.consult.as_ref().is_some_and(|c| {
            let others = |l: &Leg| l.id != leg.id && l.id != c.by && !l.held && !l.holding;
            leg.id != c.by && self.talkers().any(|l| l.id == leg.id) && !self.talkers().any(others)
        });
        leg.held || leg.holding || left_waiting
    }
    /// The party the interaction is about, as long as it is there.
    pub fn customer(&self) -> Option<&Leg> {
        self.legs
            .iter()
            .find(|l| l.role == LegRole::Customer && l.is_live())
    }
    /// Who would wait in a queue: the customer, or whoever else is there and answered (an agent may
    /// call a queue too).
    pub fn waiting_party(&self) -> Option<&Leg> {
        let here = |l: &&Leg| l.is_answered() && l.supervise.is_none();
        self.live_legs()
            .filter(|l| l.role == LegRole::Customer)
            .find(here)
            .or_else(|| self.live_legs().find(here))
    }

    pub(crate) fn each(&mut self, legs: &[LegId], mut change: impl FnMut(&mut Leg)) {
        for id in legs {
            if let Some(l) = self.leg_mut(*id) {
                change(l);
            }
        }
    }

    /// The only way the durable state changes. Unknown legs are ignored: a log is never refused.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        self.seq += 1;
        match event {
            Event::Started {
                direction,
                from,
                from_name,
                to,
                uci,
                ..
            } => {
                self.started = true;
                self.started_at = at;
                self.direction = *direction;
                self.from = from.0.clone();
                self.from_name = from_name.as_ref().map(|n| n.0.clone());
                self.to = to.0.clone();
                self.uci = Some(*uci);
            }
            Event::Queued {
                queue, priority, ..
            } => {
                self.waiting = Some(Waiting {
                    queue: *queue,
                    since: at,
                    priority: *priority,
                });
            }
            Event::Dequeued { queue, exit, .. } => {
                self.waiting = None;
                if *exit == QueueExit::Answered {
                    self.served_by = Some(*queue);
                }
            }
            Event::OfferMade {
                offer,
                agent,
                deadline,
                ..
            } => {
                self.offer = Some(Offering {
                    offer: *offer,
                    agent: *agent,
                    deadline: *deadline,
                });
            }
            Event::OfferEnded { offer, .. } => {
                if self.offer.as_ref().is_some_and(|o| o.offer == *offer) {
                    self.offer = None;
                }
            }
            Event::SharedOpChanged { to, .. } => self.shared = *to,
            Event::WrapUpStarted { agent, .. } => {
                if !self.wrap_up.contains(agent) {
                    self.wrap_up.push(*agent);
                }
            }
            Event::WrapUpEnded { agent, .. } => self.wrap_up.retain(|a| a != agent),
            Event::RecordingStarted {
                recording,
                left,
                right,
                ..
            } => {
                self.recording = Some(Recording {
                    id: *recording,
                    left: *left,
                    right: *right,
                    paused: false,
                });
            }
            Event::RecordingPaused { .. } => self.set_paused(true),
            Event::RecordingResumed { .. } => self.set_paused(false),
            Event::RecordingEnded { .. } => self.recording = None,
            Event::Ended { reason, .. } => self.ended = Some(*reason),
            other => self.apply_leg(other, at),
        }
    }

    fn set_paused(&mut self, paused: bool) {
        if let Some(r) = &mut self.recording {
            r.paused = paused;
        }
    }

    fn apply_leg(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::LegAdded { .. } => self.leg_added(event, at),
            Event::LegMovedIn {
                leg,
                role,
                direction,
                endpoint,
                address,
                agent,
                answered,
                dialog,
                ..
            } => {
                let mut l = new_leg(
                    *leg,
                    *role,
                    *direction,
                    *endpoint,
                    address.0.clone(),
                    *agent,
                );
                l.status = if *answered {
                    LegStatus::Answered
                } else {
                    LegStatus::Ringing
                };
                l.dialog = dialog.clone();
                l.since = at;
                self.legs.push(l);
            }
            Event::LegMovedOut { leg, .. } => self.leg_gone(*leg, EndReason::Transferred),
            Event::LegRinging {
                leg,
                early_media,
                dialog,
            } => self.each(&[*leg], |l| {
                if dialog.is_some() {
                    l.dialog = dialog.clone();
                }
                if l.status == LegStatus::Dialing {
                    l.status = LegStatus::Ringing;
                    l.since = at;
                }
                l.early_media |= early_media;
            }),
            Event::LegAnswered { leg, dialog, .. } => {
                self.each(&[*leg], |l| {
                    l.status = LegStatus::Answered;
                    l.since = at;
                    l.dialog = dialog.clone();
                });
                // The original call is back: the operation is over.
                if self.op.as_ref().is_some_and(|o| o.revival == Some(*leg)) {
                    self.op = None;
                }
            }
            Event::LegHeld { leg, by_far_end } => self.each(&[*leg], |l| {
                if *by_far_end {
                    l.holding = true
                } else {
                    l.held = true
                }
            }),
            Event::LegResumed { leg, by_far_end } => self.each(&[*leg], |l| {
                if *by_far_end {
                    l.holding = false
                } else {
                    l.held = false
                }
            }),
            Event::LegMuted { leg, muted } => self.each(&[*leg], |l| l.muted = *muted),
            Event::LegEnded { leg, reason, .. } => self.leg_gone(*leg, *reason),
            other => self.apply_call(other),
        }
    }

    fn leg_added(&mut self, event: &Event, at: Timestamp) {
        if let Event::LegAdded {
            leg,
            role,
            direction,
            endpoint,
            address,
            agent,
            cause,
            ..
        } = event
        {
            let mut l = new_leg(
                *leg,
                *role,
                *direction,
                *endpoint,
                address.0.clone(),
                *agent,
            );
            l.cause = *cause;
            l.since = at;
            self.legs.push(l);
            // A leg made for the user of a running operation is its third party; made after that
            // one failed, it revives the original call.
            if let Some(op) = &mut self.op
                && *cause == Some(op.user)
                && matches!(role, LegRole::Agent | LegRole::Party)
            {
                if op.second.is_none() {
                    op.second = Some(*leg)
                } else {
                    op.revival = Some(*leg)
                }
            }
        }
    }

    /// What brings legs together and apart.
    fn apply_call(&mut self, event: &Event) {
        match event {
            Event::Bridged { legs } => self.each(legs, |l| {
                l.room = Room::Talk;
                l.held = false;
            }),
            Event::Unbridged { legs } => self.each(legs, |l| l.room = Room::Alone),
            Event::ConsultStarted { by, leg } => {
                self.consult = Some(Consult { by: *by, leg: *leg })
            }
            Event::ConsultEnded { .. } => self.consult = None,
            Event::Merged { legs } => {
                self.consult = None;
                self.each(legs, |l| {
                    l.room = Room::Talk;
                    l.held = false;
                    if l.role == LegRole::Consulted {
                        l.role = LegRole::Party;
                    }
                });
            }
            Event::ConferenceJoined {
                conference, leg, ..
            } => self.each(&[*leg], |l| l.room = Room::Conference(*conference)),
            Event::ConferenceLeft { leg, .. } => self.each(&[*leg], |l| l.room = Room::Alone),
            Event::Parked { leg, slot, .. } => {
                self.each(&[*leg], |l| {
                    l.room = Room::Parked(slot.clone());
                    l.held = false;
                });
                if let Some(op) = &mut self.op {
                    op.slot = Some(slot.clone());
                }
            }
            Event::ParkRetrieved { .. } | Event::ParkReturned { .. } => {
                for l in &mut self.legs {
                    if matches!(l.room, Room::Parked(_)) {
                        l.room = Room::Alone;
                    }
                }
                self.op = None;
            }
            Event::SuperviseStarted { leg, mode } | Event::SuperviseChanged { leg, mode } => self
                .each(&[*leg], |l| {
                    l.supervise = Some(*mode);
                    l.room = Room::Talk;
                }),
            Event::LegSwitched { from, to } => self.switched(*from, *to),
            Event::TakenOver { by, from } => {
                self.each(&[*from], |l| l.room = Room::Alone);
                self.each(&[*by], |l| {
                    l.supervise = None;
                    l.role = LegRole::Agent;
                    l.room = Room::Talk;
                });
            }
            other => self.apply_operation(other),
        }
    }

    /// What makes, completes or gives up a shared operation.
    fn apply_operation(&mut self, event: &Event) {
        match event {
            Event::TransferStarted { by, .. } => {
                let second = self.consult.as_ref().map(|c| c.leg);
                // From now on it is the other side of the caller's call, no longer the user's own.
                if let Some(l) = second.and_then(|s| self.leg_mut(s)) {
                    l.role = party_role(l.agent);
                }
                self.op = Some(SharedOp {
                    user: *by,
                    second,
                    slot: None,
                    revival: None,
                });
            }
            Event::TransferCompleted { to_leg, .. } => {
                match (to_leg, &mut self.op) {
                    (Some(_), Some(op)) => op.second = *to_leg,
                    // To a queue or a menu: the caller goes on by itself, there is no second call.
                    (None, op) => *op = None,
                    _ => {}
                }
            }
            // With the user still there all is as before; else the original is to be revived.
            Event::TransferFailed { by, .. } if self.leg(*by).is_some_and(Leg::is_live) => {
                self.op = None;
            }
            _ => {}
        }
    }

    fn leg_gone(&mut self, leg: LegId, reason: EndReason) {
        self.each(&[leg], |l| {
            l.status = LegStatus::Ended(reason);
            l.held = false;
            l.holding = false;
            l.supervise = None;
        });
        if self
            .consult
            .as_ref()
            .is_some_and(|c| c.leg == leg || c.by == leg)
        {
            self.consult = None;
        }
    }
}

fn party_role(agent: Option<AgentId>) -> LegRole {
    match agent {
        Some(_) => LegRole::Agent,
        None => LegRole::Party,
    }
}

fn new_leg(
    id: LegId,
    role: LegRole,
    direction: Direction,
    endpoint: Endpoint,
    address: Address,
    agent: Option<AgentId>,
) -> Leg {
    Leg {
        id,
        role,
        direction,
        endpoint,
        address,
        agent,
        cause: None,
        status: if direction == Direction::Inbound {
            LegStatus::Ringing
        } else {
            LegStatus::Dialing
        },
        since: Timestamp::ZERO,
        early_media: false,
        room: Room::Alone,
        held: false,
        holding: false,
        muted: false,
        supervise: None,
        dialog: None,
    }
}
