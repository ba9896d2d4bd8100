//! Runs what one input set off until nothing is left: SIP events, routing decisions, interactions.

use crate::core::{Engine, NOW};
use crate::io::*;
use cp_interaction::{Ctx, Input as IxInput, Output as IxOutput, State};
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
                let after = if call.is_some() {
                    LogPosition::default()
                } else {
                    NOW
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

    /// One input of one interaction. A panic stays inside it: it is ended politely, the others go on.
    fn step(&mut self, now: Timestamp, id: InteractionId, input: IxInput) {
        let wall = self.wall(now);
        let Some(entry) = self.interactions.get_mut(&id) else {
            return;
        };
        let tenant = entry.tenant;
        let mut outputs = std::mem::take(&mut self.scratch);
        let lookup = crate::lookup::Lookup {
            index: &self.index,
            ua: &self.ua,
            rooms: &self.rooms,
            parked: &self.parked,
            emergency_live: self.config.emergency_live,
        };
        let before = entry.interaction.state().seq;
        let is_fault = matches!(input, IxInput::Fault);
        let mut ctx = Ctx {
            now,
            wall,
            ids: &mut self.ids,
            directory: &lookup,
            out: &mut outputs,
        };
        let survived = catch_unwind(AssertUnwindSafe(|| {
            entry.interaction.handle(&mut ctx, input)
        }));
        if let Err(panic) = survived {
            let what = panic_text(panic.as_ref());
            self.fault(now, id, what, is_fault);
            outputs.clear();
            self.scratch = outputs;
            return;
        }
        let mut seq = before;
        for output in outputs.drain(..) {
            match output {
                IxOutput::Event(event) => {
                    seq += 1;
                    self.note_event(id, tenant, &event);
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
    }

    fn interaction_output(&mut self, now: Timestamp, id: InteractionId, output: IxOutput) {
        match output {
            IxOutput::Event(_) => {}
            IxOutput::Leg { leg, command, .. } => self.leg_command(now, id, leg, command),
            IxOutput::Media(command) => {
                if let Some((worker, tenant)) = self.interactions.get(&id).map(|e| (e.worker, e.tenant)) {
                    self.put(Output::Media { worker, tenant, command });
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
            } => self.take_leg(id, from, beside, instead),
            IxOutput::Done => self.forget(id),
        }
    }

    /// Keeps the engine-wide counts that interactions ask for.
    fn note_event(&mut self, id: InteractionId, tenant: TenantId, event: &Event) {
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
                *self.rooms.entry(*conference).or_default() += 1
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

    /// An interaction panicked: its durable state is what was logged before, so it is rebuilt from
    /// that and ended.
    fn fault(&mut self, now: Timestamp, id: InteractionId, what: String, again: bool) {
        self.stats.faults += 1;
        self.put(Output::Note(Note::Fault {
            interaction: id,
            what,
        }));
        let legs: Vec<LegId> = self
            .legs
            .iter()
            .filter(|(_, l)| l.interaction == id)
            .map(|(l, _)| *l)
            .collect();
        if again {
            // Even the polite end failed: let go of what it held.
            for leg in legs {
                self.leg_command(
                    now,
                    id,
                    leg,
                    cp_interaction::LegCommand::End {
                        reason: EndReason::Internal,
                        reject_status: None,
                    },
                );
            }
            self.forget(id);
            return;
        }
        self.work.push_front((id, IxInput::Fault));
    }

    /// Nothing of the interaction is left but its log.
    fn forget(&mut self, id: InteractionId) {
        self.interactions.remove(&id);
    }

    /// An attended transfer between two calls of one phone: the far leg of `from` comes here.
    fn take_leg(
        &mut self,
        here: InteractionId,
        from: InteractionId,
        beside: LegId,
        instead: LegId,
    ) {
        let far = self
            .interactions
            .get(&from)
            .and_then(|e| far_leg(e.interaction.state(), beside));
        let same_worker = match (self.interactions.get(&here), self.interactions.get(&from)) {
            (Some(a), Some(b)) => a.worker == b.worker && a.tenant == b.tenant,
            _ => false,
        };
        let Some(far) = far.filter(|_| same_worker) else {
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

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_string())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_string())
}
