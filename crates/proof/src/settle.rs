//! What follows when a proof changes: a fresh assertion, a line in the call's log that screens
//! follow, and the call moves to where it belongs now.

use crate::desk::{Desk, random};
use crate::error::{ProofError, Result};
use aws_lc_rs::rand::SystemRandom;
use cp_identity::proof::record::Record;
use cp_identity::proof::{assertion, placement};
use cp_vocab::person::{ProofMethod, ProofStep};
use cp_vocab::proof::ProofPolicy;
use cp_vocab::trust::{Trust, TrustLevel, TrustMethod};
use cp_vocab::*;

/// Moves of one call by placement at most: rules that send it in circles stop there.
const MOVES_MAX: u8 = 8;

/// The call that is worked on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub tenant: TenantId,
    pub id: InteractionId,
}

impl Desk {
    /// Keeps the record, tells what changed, and moves the call.
    pub(crate) fn settle(&self, call: Call, record: &mut Record, step: ProofStep) -> Result<()> {
        let policy = self.policy(call.tenant)?;
        self.renew(call, &policy, record)?;
        let moves = match step {
            ProofStep::Proven | ProofStep::Carried => self.moves(call, &policy, record)?,
            _ => vec![],
        };
        self.keep(call.tenant, call.id, record)?;
        let event = self.told(&policy, record, step);
        let interaction = call.id;
        let event = Box::new(event);
        self.tell(call.tenant, Command::Tell { interaction, event });
        for command in moves {
            self.tell(call.tenant, command);
        }
        Ok(())
    }

    /// A new assertion for what is proven now; the one before is good no more.
    pub(crate) fn renew(
        &self,
        call: Call,
        policy: &ProofPolicy,
        record: &mut Record,
    ) -> Result<()> {
        let jti = cp_identity::b64::encode(&random::<16>()?);
        let claims = record.claims(policy, (call.tenant, call.id), &jti, self.now());
        let ring = self.ring();
        let (Some(claims), Some(key)) = (claims, ring.signing()) else {
            record.jti = None;
            record.token = None;
            return Ok(());
        };
        let token = assertion::sign(key, &claims, &SystemRandom::new());
        record.token = Some(Pii(token.ok_or(ProofError::Crypto)?));
        record.jti = Some(jti);
        Ok(())
    }

    fn told(&self, policy: &ProofPolicy, record: &Record, step: ProofStep) -> Event {
        let now = self.now();
        let methods = record.methods(policy, now);
        Event::ProofChanged {
            step,
            person: record.person,
            level: record.level(policy, now),
            proven_at: record.proven_at(policy, now),
            expires_at: record.expires_at(policy, now),
            scope: record.scope(policy, now),
            trust: Some(self.trust(policy, record)),
            methods,
        }
    }

    /// The same in the one shape in which every proof of a call is read.
    pub(crate) fn trust(&self, policy: &ProofPolicy, record: &Record) -> Trust {
        let now = self.now();
        let methods = record.methods(policy, now);
        let level = match record.level(policy, now) {
            0 if record.announced_by.is_some() => TrustLevel::Person,
            0 if record.failures >= policy.tries_per_call => TrustLevel::Refuted,
            0 => return Trust::unknown(now, "no_proof"),
            1 | 2 => TrustLevel::Person,
            _ => TrustLevel::Strong,
        };
        let mut words: Vec<TrustMethod> = methods.iter().map(|m| word(*m)).collect();
        if record.announced_by.is_some() && !words.contains(&TrustMethod::CallToken) {
            words.push(TrustMethod::CallToken);
        }
        if record.carried_from.is_some() && !words.is_empty() {
            words.push(TrustMethod::Assertion);
        }
        let seen = record.proofs.iter().find_map(|p| p.by.clone());
        Trust {
            who: record
                .person
                .map(|p| Pii(p.to_string()))
                .or(record.announced_name.clone()),
            level,
            methods: words,
            by: seen.or(record.announced_by.clone()),
            at: record.proven_at(policy, now).unwrap_or(now),
            scope: record.scope(policy, now),
            reasons: vec![],
        }
    }

    /// The commands by which a proven caller goes where it belongs.
    pub(crate) fn moves(
        &self,
        call: Call,
        policy: &ProofPolicy,
        record: &mut Record,
    ) -> Result<Vec<Command>> {
        let level = record.level(policy, self.now());
        let interaction = call.id;
        let facts = match record.person {
            Some(id) => self.store.person(call.tenant, id)?.map(|p| p.row.facts),
            None => None,
        };
        let facts = facts.unwrap_or_default();
        if let Some(needed) = record.awaits {
            if level < needed {
                return Ok(vec![]);
            }
            let place = placement::place(policy, level, &facts, record.awaits_for);
            record.awaits = None;
            return Ok(vec![Command::EndAwait {
                interaction,
                met: true,
                queue: place.and_then(|p| p.queue),
                priority: place.map_or(0, |p| p.priority),
            }]);
        }
        let Some(here) = record.queue else {
            return Ok(vec![]);
        };
        let place = placement::place(policy, level, &facts, Some(here));
        let Some(place) = place.filter(|_| record.moves < MOVES_MAX) else {
            return Ok(vec![]);
        };
        record.moves += 1;
        let priority = place.priority;
        Ok(match place.queue.filter(|q| *q != here) {
            Some(queue) => vec![Command::Requeue {
                interaction,
                queue,
                priority,
            }],
            None if record.priority == Some(priority) => vec![],
            None => {
                record.priority = Some(priority);
                vec![Command::SetPriority {
                    interaction,
                    priority,
                }]
            }
        })
    }

    /// The call goes on without what it waited for.
    pub(crate) fn give_up(&self, call: Call, record: &mut Record) -> Result<()> {
        let awaited = record.awaits.take().is_some();
        self.keep(call.tenant, call.id, record)?;
        self.forget_dialog(call.id);
        if awaited {
            self.tell(
                call.tenant,
                Command::EndAwait {
                    interaction: call.id,
                    met: false,
                    queue: None,
                    priority: 0,
                },
            );
        }
        Ok(())
    }
}

fn word(method: ProofMethod) -> TrustMethod {
    match method {
        ProofMethod::Knowledge => TrustMethod::Knowledge,
        ProofMethod::Code => TrustMethod::OneTimeCode,
        ProofMethod::Link => TrustMethod::OneTimeLink,
        ProofMethod::Pin => TrustMethod::Pin,
        ProofMethod::Totp => TrustMethod::Totp,
        ProofMethod::DeviceKey => TrustMethod::DeviceKey,
        ProofMethod::Passkey => TrustMethod::Passkey,
        ProofMethod::Photo => TrustMethod::Photo,
        ProofMethod::Announced => TrustMethod::CallToken,
    }
}
