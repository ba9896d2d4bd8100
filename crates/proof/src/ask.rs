//! Asking the caller on the line: which way of proof is next, the words, and what came back.

use crate::desk::{DIALOGS_MAX, Desk, lock};
use crate::error::{ProofError, Result};
use crate::settle::Call;
use crate::verify::Entry;
use cp_identity::proof::record::{ClaimedBy, Proven, Record};
use cp_vocab::media::Sound;
use cp_vocab::person::{Identity, IdentityKind, ProofMethod, ProofStep};
use cp_vocab::proof::AskNumber;
use cp_vocab::*;

/// Time for the first digit and between digits.
const DIGIT_MS_MAX: u64 = 10_000;

/// Digits of a customer number.
const NUMBER_DIGITS_MAX: u8 = 20;
const ASK_NUMBER: &str = "Please enter your customer number, then press the hash key.";

/// A question that a caller has been asked.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub leg: LegId,
    pub method: ProofMethod,
    /// Ways that were tried and are not asked for again.
    pub tried: Vec<ProofMethod>,
    pub intent: Option<String>,
    /// It is the customer number that was asked for; who that is proves itself next.
    pub number: bool,
}

impl Desk {
    pub(crate) fn forget_dialog(&self, id: InteractionId) {
        lock(&self.dialogs).remove(&id);
    }

    fn remember_dialog(&self, id: InteractionId, dialog: Dialog) -> bool {
        let mut dialogs = lock(&self.dialogs);
        if dialogs.len() >= DIALOGS_MAX && !dialogs.contains_key(&id) {
            return false;
        }
        dialogs.insert(id, dialog);
        true
    }

    /// A call may not go on before its caller is proven.
    pub(crate) fn awaited(
        &self,
        call: Call,
        leg: LegId,
        level: u8,
        queue: Option<QueueId>,
    ) -> Result<()> {
        let _turn = self.turn(call.id);
        let mut record = self.record(call.tenant, call.id)?;
        record.leg.get_or_insert(leg);
        record.awaits = Some(level);
        record.awaits_for = queue;
        self.identify(call, &mut record)?;
        let policy = self.policy(call.tenant)?;
        let moves = self.moves(call, &policy, &mut record)?;
        self.keep(call.tenant, call.id, &record)?;
        if moves.is_empty() {
            if wants_number(policy.ask_number, &record) {
                return self.ask_number(call, &mut record, leg);
            }
            return self.next_question(call, &mut record, leg, vec![]);
        }
        for command in moves {
            self.tell(call.tenant, command);
        }
        Ok(())
    }

    /// Who the number it calls from belongs to, when nobody said better.
    pub(crate) fn identify(&self, call: Call, record: &mut Record) -> Result<()> {
        // A customer number that is nobody's leaves a stranger, whatever it calls from.
        let keyed = record.claimed_by == Some(ClaimedBy::Entered);
        if record.person.is_some() || keyed {
            return Ok(());
        }
        let caller = record.caller.expose();
        for kind in [IdentityKind::Phone, IdentityKind::Account] {
            let identity = Identity::canonical(kind, caller);
            if let Some(found) = self.store.person_by_identity(call.tenant, &identity)? {
                record.claim(found.row.id, ClaimedBy::Caller);
                break;
            }
        }
        Ok(())
    }

    /// Asks who it is, by the number that the house knows its customers by.
    fn ask_number(&self, call: Call, record: &mut Record, leg: LegId) -> Result<()> {
        let dialog = Dialog {
            leg,
            method: ProofMethod::Pin,
            tried: vec![],
            intent: None,
            number: true,
        };
        if !self.remember_dialog(call.id, dialog) {
            return self.give_up(call, record);
        }
        self.collect(call, leg, ASK_NUMBER.to_string(), NUMBER_DIGITS_MAX);
        Ok(())
    }

    /// What follows is the same whether there is such a number or not.
    fn numbered(
        &self,
        call: Call,
        record: &mut Record,
        leg: LegId,
        digits: &Pii<String>,
    ) -> Result<()> {
        self.forget_dialog(call.id);
        let identity = Identity::canonical(IdentityKind::Account, digits.expose());
        match self.store.person_by_identity(call.tenant, &identity)? {
            Some(found) => {
                record.claim(found.row.id, ClaimedBy::Entered);
                self.settle(call, record, ProofStep::Claimed)?;
            }
            // Nobody's number: nor is it whom the number called from belongs to.
            None => {
                record.person = None;
                record.claimed_by = Some(ClaimedBy::Entered);
                self.keep(call.tenant, call.id, record)?;
            }
        }
        self.next_question(call, record, leg, vec![])
    }

    /// The next way of proof by telephone that this customer has; without one the wait ends.
    fn next_question(
        &self,
        call: Call,
        record: &mut Record,
        leg: LegId,
        tried: Vec<ProofMethod>,
    ) -> Result<()> {
        let policy = self.policy(call.tenant)?;
        let done = record.methods(&policy, self.now());
        let open = |m: &ProofMethod| !tried.contains(m) && !done.contains(m);
        let wanted: Vec<ProofMethod> = policy.phone_methods.iter().copied().filter(open).collect();
        for method in wanted {
            if !self.can_ask(call, record, method)? {
                continue;
            }
            match self.pose(call, record, leg, method, &tried, None, false) {
                Ok(()) => return Ok(()),
                Err(ProofError::Message(_) | ProofError::NoMessages) => {}
                Err(e) => return Err(e),
            }
        }
        // A data channel that is open may still bring it before the time is over.
        if record.channel {
            return Ok(());
        }
        self.give_up(call, record)
    }

    /// Whether the customer has it. A stranger is asked for a PIN like anybody else, so that the
    /// question tells nobody whether a number is known.
    fn can_ask(&self, call: Call, record: &Record, method: ProofMethod) -> Result<bool> {
        let Some(person) = record.person else {
            return Ok(method == ProofMethod::Pin);
        };
        Ok(match method {
            ProofMethod::Pin | ProofMethod::Totp => self
                .store
                .credentials(call.tenant, person)?
                .iter()
                .any(|c| c.method == method),
            ProofMethod::Code | ProofMethod::Link => {
                self.address_of(call.tenant, person)?.is_some()
            }
            _ => false,
        })
    }

    /// Asks: sends what has to be sent, and collects digits in private.
    #[allow(clippy::too_many_arguments)]
    fn pose(
        &self,
        call: Call,
        record: &mut Record,
        leg: LegId,
        method: ProofMethod,
        tried: &[ProofMethod],
        intent: Option<String>,
        again: bool,
    ) -> Result<()> {
        let dialog = Dialog {
            leg,
            method,
            tried: tried.to_vec(),
            intent: intent.clone(),
            number: false,
        };
        let digits_max = match method {
            ProofMethod::Code if !again => {
                self.send_code(call, record, intent)?;
                8
            }
            ProofMethod::Code => 8,
            ProofMethod::Totp => 6,
            ProofMethod::Link => {
                self.send_link(call, record, None)?;
                let say = words(method, false, record.spoken.as_ref());
                self.play(call, leg, say);
                return Ok(());
            }
            _ => 12,
        };
        if !self.remember_dialog(call.id, dialog) {
            return Err(ProofError::Unfit("too many callers are being asked"));
        }
        self.collect(call, leg, words(method, again, None), digits_max);
        Ok(())
    }

    /// Digits in private.
    fn collect(&self, call: Call, leg: LegId, text: String, digits_max: u8) {
        let sounds = vec![Sound::Speech { text, voice: None }];
        self.tell(
            call.tenant,
            Command::Collect {
                leg,
                sounds,
                digits_max,
                timeout_ms: DIGIT_MS_MAX,
            },
        );
    }

    fn play(&self, call: Call, leg: LegId, text: String) {
        let sounds = vec![Sound::Speech { text, voice: None }];
        self.tell(
            call.tenant,
            Command::Play {
                leg,
                sounds,
                barge_in: false,
                mix_with_call: false,
            },
        );
    }

    /// Digits that a caller entered in private. Blocks for a password hash.
    pub fn entered(
        &self,
        tenant: TenantId,
        id: InteractionId,
        leg: LegId,
        digits: Pii<String>,
    ) -> Result<()> {
        let call = Call { tenant, id };
        let _turn = self.turn(id);
        let dialog = lock(&self.dialogs).get(&id).cloned();
        let Some(dialog) = dialog.filter(|d| d.leg == leg) else {
            return Ok(());
        };
        let mut record = self.record(tenant, id)?;
        if dialog.number {
            return self.numbered(call, &mut record, leg, &digits);
        }
        let entry = match dialog.method {
            ProofMethod::Totp => Entry::Totp(digits),
            ProofMethod::Code => Entry::Code(digits),
            _ => Entry::Pin(digits),
        };
        match self.check(call, &record, &entry) {
            Ok(()) => self.answered_rightly(call, &mut record, dialog),
            Err(ProofError::NotProven) => self.answered_wrongly(call, &mut record, dialog, false),
            Err(ProofError::Locked { .. }) => {
                self.answered_wrongly(call, &mut record, dialog, true)
            }
            Err(e) => {
                self.give_up(call, &mut record)?;
                Err(e)
            }
        }
    }

    fn answered_rightly(&self, call: Call, record: &mut Record, dialog: Dialog) -> Result<()> {
        self.forget_dialog(call.id);
        record.add(Proven {
            method: dialog.method,
            at: self.now(),
            intent: dialog.intent,
            by: None,
        });
        self.settle(call, record, ProofStep::Proven)?;
        if record.awaits.is_some() {
            return self.next_question(call, record, dialog.leg, dialog.tried);
        }
        Ok(())
    }

    fn answered_wrongly(
        &self,
        call: Call,
        record: &mut Record,
        mut dialog: Dialog,
        locked: bool,
    ) -> Result<()> {
        let policy = self.policy(call.tenant)?;
        record.failures = record.failures.saturating_add(1);
        let over = locked || record.failures >= policy.tries_per_call;
        let step = if over {
            ProofStep::Locked
        } else {
            ProofStep::Failed
        };
        self.settle(call, record, step)?;
        if !over {
            let (leg, method) = (dialog.leg, dialog.method);
            let intent = dialog.intent.clone();
            return self.pose(call, record, leg, method, &dialog.tried, intent, true);
        }
        self.forget_dialog(call.id);
        if record.awaits.is_none() {
            return Ok(());
        }
        dialog.tried.push(dialog.method);
        // Out of tries of this call: what else there is costs no digits (a link, a data channel).
        if record.channel {
            return Ok(());
        }
        self.give_up(call, record)
    }

    /// An agent (or a program) asks the caller for a proof during the call: step-up.
    ///
    /// # Errors
    /// `NoPerson`, `NoCredential`, `Unfit` for a way that is not asked by telephone, `NoMessages`.
    pub fn ask_for(
        &self,
        tenant: TenantId,
        id: InteractionId,
        method: ProofMethod,
        intent: Option<String>,
    ) -> Result<()> {
        let call = Call { tenant, id };
        let _turn = self.turn(id);
        let mut record = self.record(tenant, id)?;
        self.identify(call, &mut record)?;
        if record.person.is_none() {
            return Err(ProofError::NoPerson);
        }
        let leg = record
            .leg
            .ok_or(ProofError::Unfit("the customer is not on a line"))?;
        let by_phone = [
            ProofMethod::Pin,
            ProofMethod::Totp,
            ProofMethod::Code,
            ProofMethod::Link,
        ];
        if !by_phone.contains(&method) {
            let detail = "this way is not asked for on the line; see POST …/proof";
            return Err(ProofError::Unfit(detail));
        }
        if !self.can_ask(call, &record, method)? {
            return Err(ProofError::NoCredential(method.as_str()));
        }
        record.failures = 0;
        self.pose(call, &mut record, leg, method, &[], intent, false)?;
        self.settle(call, &mut record, ProofStep::StepUp)
    }
}

/// Whether the caller is to key its customer number before anything else. Once is enough, and not
/// where somebody or something better said who it is.
fn wants_number(ask: AskNumber, record: &Record) -> bool {
    let by_number = matches!(record.claimed_by, None | Some(ClaimedBy::Caller));
    match ask {
        AskNumber::Never => false,
        AskNumber::Unknown => by_number && record.person.is_none(),
        AskNumber::Always => by_number,
    }
}

fn words(method: ProofMethod, again: bool, spoken: Option<&Pii<String>>) -> String {
    let ask = match method {
        ProofMethod::Totp => "Please enter the six digits of your authenticator app.",
        ProofMethod::Code => {
            "We have sent you a code. Please enter its eight digits on your telephone."
        }
        ProofMethod::Link => {
            let number = spoken.map(|s| s.expose().chars().map(|c| format!("{c}, ")).collect());
            let number: String = number.unwrap_or_default();
            return format!("We have sent you a link. Open it, and enter this number: {number}");
        }
        _ => "Please enter your personal number, then press the hash key.",
    };
    if again {
        format!("That was not right. {ask}")
    } else {
        ask.to_string()
    }
}
