//! Asking the caller on the line: which way of proof is next, the words, and what came back.

use crate::desk::{DIALOGS_MAX, Desk, lock, random};
use crate::error::{ProofError, Result};
use crate::message::Route;
use crate::settle::Call;
use crate::verify::{Entry, stand_in};
use cp_identity::proof::pairing;
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

/// What a caller is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Question {
    /// The customer number; who that is proves itself next.
    Number,
    /// A PIN or a code of the app, whichever the customer has: which one that is, is told nobody.
    Secret,
    One(ProofMethod),
}

/// A question that a caller has been asked.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub leg: LegId,
    pub question: Question,
    /// What was asked for before and is not asked for again.
    pub tried: Vec<Question>,
    pub intent: Option<String>,
    /// There is something else to be asked for: whoever has none of this keys nothing.
    pub further: bool,
    /// Who it is was not only the caller's own word when it was asked.
    pub known: bool,
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
            question: Question::Number,
            tried: vec![],
            intent: None,
            further: false,
            known: false,
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
                record.stranger = Some(stand_in(identity.value.expose()));
                self.keep(call.tenant, call.id, record)?;
            }
        }
        self.next_question(call, record, leg, vec![])
    }

    /// What is asked for next; without anything the wait ends.
    ///
    /// Until something is proven, what a caller is asked for follows from the rules alone and not from
    /// what the customer has, or whether it is one: questions and their order tell a stranger nothing.
    fn next_question(
        &self,
        call: Call,
        record: &mut Record,
        leg: LegId,
        mut tried: Vec<Question>,
    ) -> Result<()> {
        let policy = self.policy(call.tenant)?;
        let done = record.methods(&policy, self.now());
        let known = is_known(record) || !done.is_empty();
        let mut open = if known {
            let open = |m: &ProofMethod| !done.contains(m);
            let one = policy.phone_methods.iter().copied().filter(open);
            one.map(Question::One).collect()
        } else {
            alike(&policy.phone_methods)
        };
        open.retain(|q| !tried.contains(q) && !matches!(q, Question::One(m) if tried.contains(&Question::Secret) && is_secret(*m)));
        while !open.is_empty() {
            let question = open.remove(0);
            let can = match question {
                Question::One(method) if known => self.can_ask(call, record, method)?,
                other => self.can_pose(other),
            };
            if !can {
                continue;
            }
            open.retain(|q| known || self.can_pose(*q));
            let posed = Posed {
                question,
                tried: &tried,
                intent: None,
                again: false,
                known,
                further: !known && !open.is_empty(),
            };
            match self.pose(call, record, leg, posed) {
                Ok(()) => return Ok(()),
                Err(ProofError::Message(_) | ProofError::NoMessages) => tried.push(question),
                Err(e) => return Err(e),
            }
        }
        // A data channel that is open may still bring it before the time is over.
        if record.channel {
            return Ok(());
        }
        self.give_up(call, record)
    }

    /// Whether the customer has it.
    fn can_ask(&self, call: Call, record: &Record, method: ProofMethod) -> Result<bool> {
        let Some(person) = record.person else {
            return Ok(false);
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

    /// Whether anybody could be asked for it here.
    fn can_pose(&self, question: Question) -> bool {
        match question {
            Question::One(ProofMethod::Code | ProofMethod::Link) => {
                self.messages.can(Route::Email) || self.messages.can(Route::Sms)
            }
            _ => true,
        }
    }

    /// Asks: sends what has to be sent, and collects digits in private.
    fn pose(&self, call: Call, record: &mut Record, leg: LegId, posed: Posed<'_>) -> Result<()> {
        let Posed {
            question, again, ..
        } = posed;
        let sends = match question {
            Question::One(m) => matches!(m, ProofMethod::Code | ProofMethod::Link) && !again,
            _ => false,
        };
        // To somebody unknown the question is put first, and what it is about is sent, if it can
        // be, behind it: neither time nor words tell whether it was.
        if sends && posed.known {
            self.send_for(call, record, question)?;
        }
        if question == Question::One(ProofMethod::Link) {
            if record.spoken.is_none() {
                record.spoken = Some(Pii(pairing::spoken(random()?)));
            }
            record.channel = true;
            let say = words(&posed, record.spoken.as_ref());
            self.keep(call.tenant, call.id, record)?;
            self.play(call, leg, say);
        } else {
            let dialog = Dialog {
                leg,
                question,
                tried: posed.tried.to_vec(),
                intent: posed.intent.clone(),
                further: posed.further,
                known: posed.known,
            };
            if !self.remember_dialog(call.id, dialog) {
                return Err(ProofError::Unfit("too many callers are being asked"));
            }
            let digits_max = match question {
                Question::One(ProofMethod::Code) => 8,
                Question::One(ProofMethod::Totp) => 6,
                _ => 12,
            };
            self.collect(call, leg, words(&posed, None), digits_max);
        }
        if sends && !posed.known && record.person.is_some() {
            match self.send_for(call, record, question) {
                Err(ProofError::Message(_) | ProofError::NoMessages) => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn send_for(&self, call: Call, record: &mut Record, question: Question) -> Result<()> {
        match question {
            Question::One(ProofMethod::Link) => self.send_link(call, record, None),
            _ => self.send_code(call, record),
        }
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
        if dialog.question == Question::Number {
            return self.numbered(call, &mut record, leg, &digits);
        }
        if dialog.further && digits.expose().is_empty() {
            self.forget_dialog(id);
            let mut tried = dialog.tried;
            tried.push(dialog.question);
            return self.next_question(call, &mut record, leg, tried);
        }
        let entry = match dialog.question {
            Question::One(ProofMethod::Totp) => Entry::Totp(digits),
            Question::One(ProofMethod::Code) => Entry::Code(digits),
            Question::One(_) => Entry::Pin(digits),
            _ => Entry::PinOrTotp(digits),
        };
        match self.check(call, &record, &entry) {
            Ok(method) => self.answered_rightly(call, &mut record, dialog, method),
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

    fn answered_rightly(
        &self,
        call: Call,
        record: &mut Record,
        dialog: Dialog,
        method: ProofMethod,
    ) -> Result<()> {
        self.forget_dialog(call.id);
        record.add(Proven {
            method,
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
        dialog: Dialog,
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
            let posed = Posed {
                question: dialog.question,
                tried: &dialog.tried,
                intent: dialog.intent.clone(),
                again: true,
                known: dialog.known,
                further: dialog.further,
            };
            return self.pose(call, record, dialog.leg, posed);
        }
        self.forget_dialog(call.id);
        if record.awaits.is_none() {
            return Ok(());
        }
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
        let posed = Posed {
            question: Question::One(method),
            tried: &[],
            intent,
            again: false,
            known: true,
            further: false,
        };
        self.pose(call, &mut record, leg, posed)?;
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

/// A question about to be put.
struct Posed<'a> {
    question: Question,
    tried: &'a [Question],
    intent: Option<String>,
    again: bool,
    /// Who it is was proven, or said by somebody who is believed.
    known: bool,
    further: bool,
}

/// Whether somebody who is believed said who it is: the number it calls from and what it keyed are
/// the caller's own word.
fn is_known(record: &Record) -> bool {
    use ClaimedBy::{Agent, Announcement, Channel};
    matches!(record.claimed_by, Some(Agent | Announcement | Channel)) || !record.proofs.is_empty()
}

fn is_secret(method: ProofMethod) -> bool {
    matches!(method, ProofMethod::Pin | ProofMethod::Totp)
}

/// What everybody is asked for, whoever it is.
fn alike(methods: &[ProofMethod]) -> Vec<Question> {
    let both = methods.iter().filter(|m| is_secret(**m)).count() > 1;
    let mut all = Vec::new();
    for method in methods {
        let question = if both && is_secret(*method) {
            Question::Secret
        } else {
            Question::One(*method)
        };
        if !all.contains(&question) {
            all.push(question);
        }
    }
    all
}

fn words(posed: &Posed<'_>, spoken: Option<&Pii<String>>) -> String {
    let ask = match posed.question {
        Question::One(ProofMethod::Totp) => {
            "Please enter the six digits of your authenticator app, then press the hash key."
        }
        Question::One(ProofMethod::Code) if posed.known => {
            "We have sent you a code. Please enter its eight digits on your telephone."
        }
        Question::One(ProofMethod::Code) => {
            "If we know an address of yours, we have sent a code to it. Please enter its eight digits on your telephone."
        }
        Question::One(ProofMethod::Link) => {
            let number = spoken.map(|s| s.expose().chars().map(|c| format!("{c}, ")).collect());
            let number: String = number.unwrap_or_default();
            let sent = if posed.known {
                "We have sent you a link."
            } else {
                "If we know an address of yours, we have sent a link to it."
            };
            return format!("{sent} Open it, and enter this number: {number}");
        }
        Question::One(_) => "Please enter your personal number, then press the hash key.",
        _ => {
            "Please enter your personal number, or the six digits of your authenticator app, then press the hash key."
        }
    };
    let otherwise = if posed.further {
        " If you have none, press the hash key alone."
    } else {
        ""
    };
    let wrong = if posed.again {
        "That was not right. "
    } else {
        ""
    };
    format!("{wrong}{ask}{otherwise}")
}
