//! Runs what one input set off until nothing is left: SIP events, routing decisions, interactions.

use crate::core::{Engine, NOW};
use crate::gate;
use crate::io::*;
use cp_interaction::{Ctx, Input as IxInput, Output as IxOutput, State};
use cp_routing::RouterInput;
use cp_sip::ua::UaOutput;
use cp_vocab::event::{EventRecord, LogPosition, StreamId};
use cp_vocab::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Steps one input may cause; beyond it something goes round in circles and the input is cut off.
const STEPS_MAX: usize = 1_000_000;

impl Engine {
    pub(crate) fn run(&mut self, now: Timestamp) {
        for _ in 0..STEPS_MAX {
            if let Some((id, input)) = self.work.pop_front() {
                self.step(now, id, input);
            } else if let Some(output) = self.ua.poll() {
                self.ua_output(now, output);
            } else if let Some(output) = self.routed.pop_front() {
                self.route_output(now, output);
            } else {
                return;
            }
        }
        self.put(Output::Note(Note::Denied {
            what: "one input caused too many steps",
        }));
    }

    fn ua_output(&mut self, now: Timestamp, output: UaOutput) {
        match output {
            UaOutput::Transmit {
                target,
                bytes,
                call,
            } => {
                if self.stops(call, &bytes) {
                    let what = "an emergency number was stopped at the last point";
                    return self.put(Output::Note(Note::Denied { what }));
                }
                let live = !self.writable && call.is_some_and(|c| self.may_pass(c, &bytes));
                let asks = call.is_some_and(|c| self.asks_outside(c)) && gate::asks(&bytes);
                let urgent = call.is_some_and(|c| self.is_urgent(c));
                let after = if live || asks || urgent || !gate::promises(&bytes, call.is_some()) {
                    NOW
                } else {
                    LogPosition::default()
                };
                self.put(Output::Transmit {
                    target,
                    bytes,
                    after,
                });
            }
            UaOutput::Close { connection } => self.put(Output::Close(connection)),
            UaOutput::Resolve {
                id,
                host,
                port,
                transport,
                secure,
            } => self.put(Output::Resolve {
                id,
                host,
                port,
                transport,
                secure,
            }),
            UaOutput::Event(event) => self.ua_event(now, event),
        }
    }

    /// Whether the call goes to a trunk or a bare address. A phone of ours is rung behind the log: it
    /// may just have hung up, and must hear our answer to that before it rings again.
    fn asks_outside(&self, call: cp_sip::ua::CallRef) -> bool {
        let leg = self.calls.get(&call).and_then(|l| self.legs.get(l));
        leg.is_some_and(|l| !matches!(l.endpoint, cp_vocab::event::Endpoint::Phone(_)))
    }

    /// While the log cannot be written, calls that are up live on ungated, and end. A call whose
    /// answer still waits may not be ended before it: the answer would raise a ghost.
    fn may_pass(&self, call: cp_sip::ua::CallRef, message: &[u8]) -> bool {
        match self.calls.get(&call).and_then(|l| self.legs.get(l)) {
            Some(l) => l.confirmed || gate::cancels(message),
            None if self.unconfirmed.contains(&call) => gate::cancels(message),
            // Of a call that was refused nothing is kept: there is nothing to wait for.
            None => gate::ends(message) || gate::refuses(message),
        }
    }

    /// One input of one interaction. A panic stays inside it: it is ended politely, the others go on.
    pub(crate) fn step(&mut self, now: Timestamp, id: InteractionId, input: IxInput) {
        let wall = self.wall(now);
        let Some(entry) = self.interactions.get_mut(&id) else {
            return;
        };
        let tenant = entry.tenant;
        let mut outputs = std::mem::take(&mut self.scratch);
        let lookup = crate::lookup::Lookup {
            index: &self.index,
            ua: &self.ua,
            browsers: &self.web.holders,
            pushed: &self.web.pushed,
            router: &self.router,
            rooms: &self.rooms,
            parked: &self.parked,
            outbound: &self.outbound,
            wall,
            emergency_live: self.config.emergency_live,
        };
        let mut seq = entry.seq;
        let is_fault = matches!(input, IxInput::Fault);
        let command = command_of(&input);
        #[cfg(test)]
        let panics = {
            let at = self.panic_in.iter().position(|i| *i == id);
            at.map(|at| self.panic_in.remove(at)).is_some()
        };
        let mut ctx = Ctx {
            now,
            wall,
            ids: &mut self.ids,
            directory: &lookup,
            out: &mut outputs,
        };
        let survived = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            assert!(!panics, "a fault for the test");
            entry.interaction.handle(&mut ctx, input);
        }));
        // What was decided before a panic is in the state already, so it is carried out all the same.
        let mut replied = false;
        for output in outputs.drain(..) {
            replied |= matches!(output, IxOutput::Reply { .. });
            match output {
                IxOutput::Event(event) => {
                    seq += 1;
                    if let Some(e) = self.interactions.get_mut(&id) {
                        e.seq = seq;
                    }
                    self.note_event(now, id, tenant, &event);
                    self.append(EventRecord {
                        stream: StreamId::Interaction(id),
                        seq,
                        at: wall,
                        tenant,
                        event,
                    });
                }
                other => self.interaction_output(now, id, other),
            }
        }
        self.scratch = outputs;
        if let Err(panic) = survived {
            if let Some(command) = command.filter(|_| !replied) {
                let detail = "A fault of ours; the call was ended.";
                self.put(Output::Reply {
                    command,
                    result: Err(Refusal::new(Code::Internal, detail)),
                    after: LogPosition::default(),
                });
            }
            self.fault(now, id, panic_text(panic.as_ref()), is_fault);
        } else if is_fault {
            self.end_leftovers(now, id);
        }
    }

    fn interaction_output(&mut self, now: Timestamp, id: InteractionId, output: IxOutput) {
        match output {
            IxOutput::Event(_) => {}
            IxOutput::Leg { leg, command, .. } => self.leg_command(now, id, leg, command),
            IxOutput::Media(command) => {
                if let Some((worker, tenant)) =
                    self.interactions.get(&id).map(|e| (e.worker, e.tenant))
                {
                    self.put(Output::Media {
                        worker,
                        tenant,
                        command,
                    });
                }
            }
            IxOutput::Route(ask) => self.route_ask(now, id, ask),
            IxOutput::Timer { kind, at } => self.set_timer(id, kind, at),
            IxOutput::Reply { command, result } => self.put(Output::Reply {
                command,
                result,
                after: LogPosition::default(),
            }),
            IxOutput::Take {
                from,
                beside,
                instead,
            } => self.take_leg(now, id, from, beside, instead),
            IxOutput::Entered {
                leg,
                digits,
                complete,
            } => {
                if let Some(tenant) = self.interactions.get(&id).map(|e| e.tenant) {
                    self.put(Output::Entered {
                        tenant,
                        interaction: id,
                        leg,
                        digits,
                        complete,
                    });
                }
            }
            IxOutput::Done => self.forget(now, id),
        }
    }

    /// Keeps the engine-wide counts that interactions ask for.
    fn note_event(&mut self, now: Timestamp, id: InteractionId, tenant: TenantId, event: &Event) {
        self.card_event(id, event);
        match event {
            Event::Started { .. } => {
                self.stats.started += 1;
                *self.tenant_calls.entry(tenant).or_default() += 1;
            }
            Event::Ended { .. } => {
                self.stats.ended += 1;
                if let Some(n) = self.tenant_calls.get_mut(&tenant) {
                    *n = n.saturating_sub(1);
                }
                self.parked.retain(|_, i| *i != id);
            }
            Event::ConferenceJoined { conference, .. } => {
                *self.rooms.entry(*conference).or_default() += 1;
                self.move_interaction(now, id, self.worker_of_conference(*conference));
            }
            Event::ConferenceLeft { conference, .. } => {
                if let Some(n) = self.rooms.get_mut(conference) {
                    *n = n.saturating_sub(1);
                    if *n == 0 {
                        self.rooms.remove(conference);
                    }
                }
            }
            Event::Parked { slot, .. } => {
                self.parked.insert((tenant, slot.clone()), id);
            }
            Event::ParkRetrieved { slot, .. } | Event::ParkReturned { slot, .. } => {
                self.parked.remove(&(tenant, slot.clone()));
            }
            Event::RecordingStarted { recording, .. } => {
                self.recordings.insert(*recording, id);
            }
            Event::OfferMade { offer, .. } => {
                self.offers.insert(*offer, id);
            }
            Event::OfferEnded { offer, .. } => {
                self.offers.remove(offer);
            }
            _ => {}
        }
    }

    /// An interaction panicked: it is asked to end everything politely; when even that fails, it is
    /// done for it.
    fn fault(&mut self, now: Timestamp, id: InteractionId, what: String, again: bool) {
        self.stats.faults += 1;
        self.put(Output::Note(Note::Fault {
            interaction: id,
            what,
        }));
        let started = self
            .interactions
            .get(&id)
            .is_some_and(|e| e.interaction.state().started);
        if again || !started {
            return self.abandon(now, id);
        }
        self.work.push_front((id, IxInput::Fault));
    }

    /// Legs that the faulty interaction had not noted yet.
    fn end_leftovers(&mut self, now: Timestamp, id: InteractionId) {
        let legs: Vec<LegId> = self
            .legs
            .iter()
            .filter(|(_, l)| l.interaction == id)
            .map(|(l, _)| *l)
            .collect();
        for leg in legs {
            self.end_leg(now, leg, EndReason::Internal, None);
        }
    }

    /// Ends an interaction that cannot end itself, so that its log has an end and nobody waits for it.
    fn abandon(&mut self, now: Timestamp, id: InteractionId) {
        self.end_leftovers(now, id);
        self.urgent.remove(&id);
        let Some(entry) = self.interactions.remove(&id) else {
            return;
        };
        self.forget_identity(now, id, entry.tenant);
        let state = entry.interaction.state();
        let reason = EndReason::Internal;
        let mut events = Vec::new();
        for l in state.live_legs() {
            events.push(Event::LegEnded {
                leg: l.id,
                reason,
                detail: None,
            });
            if let Some(agent) = l.agent {
                let ended = RouterInput::WorkEnded {
                    agent,
                    interaction: id,
                    wrap_up: false,
                };
                self.route(now, ended);
            }
        }
        if state.started && state.ended.is_none() {
            events.push(Event::Ended {
                reason,
                by: None,
                detail: None,
            });
        }
        let exit = cp_vocab::event::QueueExit::Released;
        self.route(
            now,
            RouterInput::Remove {
                interaction: id,
                exit,
            },
        );
        let at = self.wall(now);
        for (i, event) in events.into_iter().enumerate() {
            self.note_event(now, id, entry.tenant, &event);
            self.append(EventRecord {
                stream: StreamId::Interaction(id),
                seq: entry.seq + 1 + i as u64,
                at,
                tenant: entry.tenant,
                event,
            });
        }
        self.offers.retain(|_, i| *i != id);
        self.recordings.retain(|_, i| *i != id);
    }

    /// Nothing of the interaction is left but its log.
    fn forget(&mut self, now: Timestamp, id: InteractionId) {
        self.urgent.remove(&id);
        if let Some(entry) = self.interactions.remove(&id) {
            self.forget_identity(now, id, entry.tenant);
            self.recent.interaction(id, entry.tenant);
        }
    }

    /// An attended transfer between two calls of one phone: the far leg of `from` comes here.
    fn take_leg(
        &mut self,
        now: Timestamp,
        here: InteractionId,
        from: InteractionId,
        beside: LegId,
        instead: LegId,
    ) {
        let far = self
            .interactions
            .get(&from)
            .and_then(|e| far_leg(e.interaction.state(), beside));
        let worker = match (self.interactions.get(&here), self.interactions.get(&from)) {
            (Some(a), Some(b)) if a.tenant == b.tenant => Some(a.worker),
            _ => None,
        };
        let (Some(far), Some(worker)) = (far, worker) else {
            self.work.push_back((
                here,
                IxInput::Leg(
                    instead,
                    cp_interaction::LegEvent::Referred { to: String::new() },
                ),
            ));
            return;
        };
        if let Some(l) = self.legs.get_mut(&far.id) {
            l.interaction = here;
        }
        let leg = far.id;
        self.bring_together(now, here, worker, leg);
        // Before anything else can happen to the two; and an agent moves without being idle between.
        self.work
            .push_front((from, IxInput::Release { leg, to: here }));
        self.work.push_front((
            here,
            IxInput::Adopt {
                leg: Box::new(far),
                from,
                instead,
            },
        ));
    }
}

/// The party at the other end of `beside`.
fn far_leg(state: &State, beside: LegId) -> Option<cp_interaction::Leg> {
    state
        .live_legs()
        .find(|l| l.id != beside && l.supervise.is_none())
        .cloned()
}

/// The command that waits for a reply to this input.
fn command_of(input: &IxInput) -> Option<CommandId> {
    match input {
        IxInput::Command { id, .. } => Some(*id),
        IxInput::Dial { command, .. } | IxInput::Originate { command, .. } => Some(*command),
        _ => None,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_string())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_string())
}
