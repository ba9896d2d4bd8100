//! What the log tells: calls that await a proof, wait in queues, move, and end.

use crate::desk::Desk;
use crate::error::{ProofError, Result};
use crate::settle::Call;
use cp_identity::proof::record::Record;
use cp_vocab::event::LegRole;
use cp_vocab::person::{Awaited, ProofStep};
use cp_vocab::*;

/// Records read of the log at a time.
const RECORDS_MAX: usize = 500;

impl Desk {
    /// Where following begins: calls of an earlier process are over.
    pub fn head(&self) -> Result<u64> {
        Ok(self.store.head()?)
    }

    /// Takes what is new after `cursor`; `true` when there may be more.
    pub fn follow(&self, cursor: &mut u64) -> Result<bool> {
        let records = self.store.follow(*cursor, RECORDS_MAX)?;
        let full = records.len() == RECORDS_MAX;
        for (at, record) in records {
            *cursor = at;
            let StreamId::Interaction(id) = record.stream else {
                continue;
            };
            let call = Call {
                tenant: record.tenant,
                id,
            };
            match self.heard(call, &record.event) {
                // It ended while we looked at it.
                Ok(()) | Err(ProofError::Ended) => {}
                Err(error) => {
                    tracing::warn!(interaction = %id, code = error.code().as_str(), %error, "proof");
                }
            }
        }
        Ok(full)
    }

    fn heard(&self, call: Call, event: &Event) -> Result<()> {
        match event {
            Event::AwaitStarted {
                leg, what, queue, ..
            } => match what {
                Awaited::Proof { level } => self.awaited(call, *leg, *level, *queue),
                Awaited::ExpectedCaller => self.expected(call, *leg),
            },
            Event::AwaitEnded { .. } => {
                self.forget_dialog(call.id);
                self.noted(call, |r| r.awaits = None)
            }
            Event::Queued { queue, .. } => self.queued(call, *queue),
            Event::Dequeued { .. } => self.noted(call, |r| r.queue = None),
            Event::LegMovedIn {
                leg,
                from,
                role: LegRole::Customer,
                ..
            } => self.carry(call, *leg, *from),
            Event::LegEnded { leg, .. } => self.party_gone(call, *leg),
            Event::Ended { .. } => self.ended(call),
            _ => Ok(()),
        }
    }

    /// Changes the record of a call that has one.
    fn noted(&self, call: Call, change: impl FnOnce(&mut Record)) -> Result<()> {
        let _turn = self.turn(call.id);
        let Some(mut record) = self.kept(call.tenant, call.id)? else {
            return Ok(());
        };
        let before = record.clone();
        change(&mut record);
        if record != before {
            self.keep(call.tenant, call.id, &record)?;
        }
        Ok(())
    }

    /// One that is proven already is placed by what is known of it, whatever queue it came to.
    fn queued(&self, call: Call, queue: QueueId) -> Result<()> {
        let _turn = self.turn(call.id);
        if self.store.proof(call.tenant, call.id)?.is_none() {
            return Ok(());
        }
        let mut record = self.record(call.tenant, call.id)?;
        record.queue = Some(queue);
        record.priority = None;
        let policy = self.policy(call.tenant)?;
        let moves = self.moves(call, &policy, &mut record)?;
        self.keep(call.tenant, call.id, &record)?;
        for command in moves {
            self.tell(call.tenant, command);
        }
        Ok(())
    }

    /// The customer's leg goes on in another interaction (an attended transfer): its proof goes
    /// along, by a new assertion for there; the old one is good no more.
    fn carry(&self, call: Call, leg: LegId, from: InteractionId) -> Result<()> {
        let old = {
            let _turn = self.turn(from);
            // The call it comes from may be over by now.
            let old = self.kept(call.tenant, from)?;
            let fits = |r: &Record| r.leg == Some(leg) && r.person.is_some() && !r.revoked;
            let Some(old) = old.filter(fits) else {
                return Ok(());
            };
            let mut left = old.clone();
            left.revoked = true;
            left.jti = None;
            left.token = None;
            self.keep(call.tenant, from, &left)?;
            old
        };
        let _turn = self.turn(call.id);
        let mut record = old;
        record.carried_from = Some(from);
        record.awaits = None;
        record.queue = None;
        self.settle(call, &mut record, ProofStep::Carried)
    }

    /// The proof was of this party and of nobody else in the call.
    fn party_gone(&self, call: Call, leg: LegId) -> Result<()> {
        let _turn = self.turn(call.id);
        if self.store.proof(call.tenant, call.id)?.is_none() {
            return Ok(());
        }
        let mut record = self.record(call.tenant, call.id)?;
        if record.leg != Some(leg) {
            return Ok(());
        }
        record.proofs.clear();
        record.leg = None;
        self.settle(call, &mut record, ProofStep::Revoked)
    }

    fn ended(&self, call: Call) -> Result<()> {
        self.forget_dialog(call.id);
        self.store.precall_end(call.id)?;
        self.store.tickets_end_of(call.id)?;
        self.noted(call, |r| {
            r.revoked = true;
            r.jti = None;
            r.token = None;
        })
    }
}
