//! The event log as a story that people can read: one line for each event, with names for ids.

use crate::house::House;
use cp_vocab::event::{EventRecord, StreamId};
use cp_vocab::*;
use std::collections::BTreeMap;

/// Names legs by their address, in the order they came: `bob`, `bob.2`.
pub struct Story<'a> {
    house: &'a House,
    legs: BTreeMap<LegId, String>,
    interactions: BTreeMap<InteractionId, usize>,
    start: Timestamp,
}

impl<'a> Story<'a> {
    pub fn new(house: &'a House, start: Timestamp) -> Self {
        Self {
            house,
            legs: BTreeMap::new(),
            interactions: BTreeMap::new(),
            start,
        }
    }

    /// The name of a leg the story has met.
    pub fn leg(&self, leg: LegId) -> String {
        self.legs.get(&leg).cloned().unwrap_or_else(|| "?".into())
    }

    /// One line, or nothing for what tells nothing new.
    pub fn line(&mut self, r: &EventRecord) -> Option<String> {
        let who = match r.stream {
            StreamId::Interaction(id) => {
                let n = self.interactions.len() + 1;
                format!("call {}", self.interactions.entry(id).or_insert(n))
            }
            StreamId::Agent(a) => self.house.name_of(a),
            _ => return None,
        };
        let what = self.event(&r.event)?;
        let ms = r.at.since(self.start).as_millis();
        Some(format!("{:>3}.{:03} {who:<6} {what}", ms / 1000, ms % 1000))
    }

    fn legs(&self, legs: &[LegId]) -> String {
        let names: Vec<String> = legs.iter().map(|l| self.leg(*l)).collect();
        names.join(", ")
    }

    fn meet(&mut self, leg: LegId, address: &Address) -> String {
        let base = match self.house_name(address.user()) {
            Some(n) => n,
            None => address.user().to_string(),
        };
        let n = self
            .legs
            .values()
            .filter(|l| l.split('.').next() == Some(base.as_str()))
            .count();
        let name = if n == 0 {
            base
        } else {
            format!("{base}.{}", n + 1)
        };
        self.legs.insert(leg, name.clone());
        name
    }

    fn house_name(&self, extension: &str) -> Option<String> {
        let known = [
            ("1001", "bob"),
            ("1002", "eve"),
            ("1003", "dan"),
            ("1005", "sup"),
        ];
        known
            .iter()
            .find(|(e, _)| *e == extension)
            .map(|(_, n)| (*n).to_string())
    }

    fn event(&mut self, event: &Event) -> Option<String> {
        use Event::*;
        Some(match event {
            Started { from, to, .. } => format!("started {} -> {}", from.0.user(), to.0.user()),
            LegAdded {
                leg, role, address, ..
            } => {
                let name = self.meet(*leg, &address.0);
                format!("leg {name} {role:?}")
            }
            LegMovedIn {
                leg, role, address, ..
            } => {
                let name = match self.legs.get(leg) {
                    Some(n) => n.clone(),
                    None => self.meet(*leg, &address.0),
                };
                format!("leg {name} {role:?} moved in")
            }
            LegMovedOut { leg, .. } => format!("leg {} moved out", self.leg(*leg)),
            LegRinging {
                leg, early_media, ..
            } => {
                let early = if *early_media { " with audio" } else { "" };
                format!("{} rings{early}", self.leg(*leg))
            }
            LegAnswered { leg, .. } => format!("{} answered", self.leg(*leg)),
            LegHeld { leg, by_far_end } => {
                let how = if *by_far_end { "holds" } else { "is held" };
                format!("{} {how}", self.leg(*leg))
            }
            LegResumed { leg, by_far_end } => {
                let how = if *by_far_end { "resumes" } else { "is resumed" };
                format!("{} {how}", self.leg(*leg))
            }
            LegMuted { leg, muted } => {
                let how = if *muted { "muted" } else { "unmuted" };
                format!("{} {how}", self.leg(*leg))
            }
            LegEnded { leg, reason, .. } => format!("{} ended: {}", self.leg(*leg), reason.code()),
            DigitReceived { leg, digit } => format!("{} pressed {}", self.leg(*leg), digit.0),
            AwaitStarted { leg, .. } => format!("{} waits to be let in", self.leg(*leg)),
            AwaitEnded { leg, met } => format!("{} let in: {met}", self.leg(*leg)),
            CollectStarted { leg } => format!("{} is asked in private", self.leg(*leg)),
            CollectEnded {
                leg,
                digits,
                complete,
            } => format!("{} keyed {digits}, complete: {complete}", self.leg(*leg)),
            PromptStarted { leg, what, .. } => format!("{} hears {what}", self.leg(*leg)),
            PromptEnded {
                leg, interrupted, ..
            } => {
                let how = if *interrupted { " cut" } else { "" };
                format!("{} prompt over{how}", self.leg(*leg))
            }
            Bridged { legs } => format!("bridged {}", self.legs(legs)),
            Unbridged { legs } => format!("unbridged {}", self.legs(legs)),
            Merged { legs } => format!("merged {}", self.legs(legs)),
            ConferenceJoined { leg, members, .. } => {
                format!("{} joined the room of {members}", self.leg(*leg))
            }
            ConferenceLeft { leg, members, .. } => {
                format!("{} left the room to {members}", self.leg(*leg))
            }
            Ended { reason, by, .. } => match by {
                Some(l) => format!("ended: {} by {}", reason.code(), self.leg(*l)),
                None => format!("ended: {}", reason.code()),
            },
            other => return self.event_of_routing(other),
        })
    }

    fn event_of_routing(&self, event: &Event) -> Option<String> {
        use Event::*;
        Some(match event {
            Queued {
                queue, position, ..
            } => format!("queued in {} at {position}", self.house.queue_name(*queue)),
            QueueAnnounced { position, .. } => format!("told its place {position}"),
            Dequeued {
                queue,
                exit,
                waited_ms,
            } => {
                let name = self.house.queue_name(*queue);
                format!("left {name}: {exit:?} after {waited_ms} ms")
            }
            OfferMade { agent, .. } => format!("offered to {}", self.house.name_of(*agent)),
            OfferEnded { agent, how, .. } => {
                format!("offer to {}: {how:?}", self.house.name_of(*agent))
            }
            WrapUpStarted { agent, .. } => format!("{} wraps up", self.house.name_of(*agent)),
            WrapUpNoted { note, .. } => {
                format!("note: {}", note.as_ref().map_or("", |n| n.0.as_str()))
            }
            WrapUpEnded { agent, timed_out } => {
                let how = if *timed_out { " by timer" } else { "" };
                format!("{} done{how}", self.house.name_of(*agent))
            }
            NextPresenceSet {
                presence: Some(p), ..
            } => format!("is {p:?} after the work at hand"),
            NextPresenceSet { presence: None, .. } => "stays after the work at hand".into(),
            PresenceChanged { presence, .. } => format!("is {presence:?}"),
            RoutingStateChanged { state, .. } => format!("state {state:?}"),
            LeaseLost { what, .. } => format!("lost the {what}"),
            other => return self.event_of_operation(other),
        })
    }

    fn event_of_operation(&self, event: &Event) -> Option<String> {
        use Event::*;
        Some(match event {
            TransferStarted { kind_of, by, to } => {
                format!("transfer {kind_of:?} by {} to {}", self.leg(*by), to.0)
            }
            TransferCompleted { to_leg, .. } => match to_leg {
                Some(l) => format!("transferred to {}", self.leg(*l)),
                None => "transferred".into(),
            },
            TransferFailed { reason, .. } => format!("transfer failed: {}", reason.code()),
            ConsultStarted { by, leg } => {
                format!("{} consults {}", self.leg(*by), self.leg(*leg))
            }
            ConsultEnded { completed, .. } => {
                let how = if *completed { "completed" } else { "dropped" };
                format!("consultation {how}")
            }
            Parked { leg, slot, .. } => format!("{} parked in {slot}", self.leg(*leg)),
            ParkReturned { attempt, .. } => format!("given back after {attempt} tries"),
            ParkRetrieved { by, .. } => format!("retrieved by {}", self.leg(*by)),
            SuperviseStarted { leg, mode } => format!("{} supervises: {mode:?}", self.leg(*leg)),
            SuperviseChanged { leg, mode } => format!("{} changes to {mode:?}", self.leg(*leg)),
            SwitchStarted {
                leg, to_leg, pull, ..
            } => {
                let how = if *pull { "pulled" } else { "pushed" };
                format!("{} {how} to {}", self.leg(*leg), self.leg(*to_leg))
            }
            LegSwitched { from, to } => {
                format!("{} goes on as {}", self.leg(*from), self.leg(*to))
            }
            SwitchFailed { to_leg, reason, .. } => {
                format!("not moved to {}: {}", self.leg(*to_leg), reason.code())
            }
            TakenOver { by, from } => {
                format!("{} takes over from {}", self.leg(*by), self.leg(*from))
            }
            RecordingStarted { left, right, .. } => match right {
                Some(right) => format!("recording {}, {}", self.leg(*left), self.leg(*right)),
                None => format!("recording {}", self.leg(*left)),
            },
            RecordingAnnounced { leg, spoken, .. } => {
                let how = if *spoken { "told" } else { "beeped" };
                format!("{} is {how} of the recording", self.leg(*leg))
            }
            RecordingPaused { .. } => "recording paused".into(),
            RecordingResumed { .. } => "recording goes on".into(),
            RecordingEnded { error, .. } => match error {
                Some(e) => format!("recording over: {e}"),
                None => "recording over".into(),
            },
            SharedOpChanged {
                from, to, calls, ..
            } => {
                let apart = calls.iter().filter(|c| !c.shared).count();
                let apart = match apart {
                    0 => String::new(),
                    n => format!(", {n} apart"),
                };
                format!("shared: {from:?} -> {to:?}{apart}")
            }
            _ => return None,
        })
    }
}
