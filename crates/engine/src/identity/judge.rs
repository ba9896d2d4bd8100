//! From an INVITE to what is known of its caller.

use super::{customer, marks};
use crate::core::Engine;
use cp_identity::canonical::Identifier;
use cp_identity::card::{self, Rich};
use cp_identity::fetch::Cache;
use cp_identity::forward::{CallKey, Diverted, Matched, Step};
use cp_identity::marks::{ReasonForm, reason};
use cp_identity::passport::Attestation;
use cp_identity::verify::{Call, Directory, HEADERS_MAX, Lookup, Policy, Report, verify};
use cp_identity::{Fault, Verdict};
use cp_sip::header::HeaderName;
use cp_sip::message::Message;
use cp_sip::ua::Principal;
use cp_vocab::model::{IdentityFailure, IdentityReason, Trunk};
use cp_vocab::trust::{Trust, TrustLevel, TrustMethod};
use cp_vocab::*;
use std::sync::Arc;

/// Reason headers of one response; the rest of the faults is in the log.
const REASONS_MAX: usize = 4;

/// What is known of a call's identity while the call lives.
pub(crate) struct CallIdentity {
    pub(crate) principal: Principal,
    /// `None`: nothing was judged (no roots, or the trunk does not verify).
    pub(crate) verdict: Option<Verdict>,
    fault: Option<Fault>,
    attestation: Option<Attestation>,
    origid: Option<String>,
    /// Where it was sent on, first to last.
    pub(crate) diversions: Vec<String>,
    trust: Trust,
    /// Identity header values as they came.
    pub(crate) headers: Vec<Arc<str>>,
    /// Which of them did not hold, and why.
    failed: Vec<(usize, Fault)>,
    /// Caller and called number in canonical form.
    pub(crate) orig: Option<String>,
    pub(crate) dest: Option<Identifier>,
    /// Who sent it on, when it says that it was diverted.
    pub(crate) diverting: Option<Identifier>,
    /// Where its tokens lead: the called number, or the one that sent it on and kept them.
    pub(crate) ends_at: Option<Identifier>,
    /// The identity that belongs to it, found among those that were kept.
    pub(crate) attached: Option<Attached>,
    /// Under this key it went to a device that may send it back.
    pub(crate) device: Option<Device>,
    /// Rich call data of its tokens, for the card that is shown while it rings.
    pub(crate) rich: Vec<RichData>,
    /// A token that another call has shown before.
    pub(crate) replayed: bool,
    /// Steps taken before the interaction began.
    steps: Vec<Event>,
}

/// An identity that came back to its call.
pub(crate) struct Attached {
    pub(crate) headers: Vec<Arc<str>>,
    pub(crate) original: Option<InteractionId>,
}

/// A call on its way to a device.
pub(crate) struct Device {
    pub(crate) key: CallKey,
    pub(crate) principal: Principal,
    pub(crate) called: String,
}

/// Certificates the cache has; who holds a number cannot be looked up anywhere.
struct Cached<'c>(&'c Cache, Timestamp);

impl Directory for Cached<'_> {
    fn credential(&self, x5u: &str) -> Lookup<'_> {
        match self.0.get(x5u, self.1) {
            Some(Ok(credential)) => Lookup::Ready(credential),
            Some(Err(fault)) => Lookup::Failed(fault),
            None => Lookup::Failed(Fault::FetchFailed),
        }
    }
    fn holder(&self, _number: &str) -> Option<&str> {
        None
    }
}

impl Engine {
    /// Judges a call by trunk, and finds what was kept for it. `Err` is the status to refuse it
    /// with, as the trunk's policy wants it.
    pub(crate) fn judge(
        &mut self,
        now: Timestamp,
        principal: Principal,
        invite: &Message,
    ) -> Result<CallIdentity, u16> {
        let trunk = match principal {
            Principal::Trunk(t) => self.index.trunk(t).cloned(),
            Principal::Phone(_) => None,
        };
        let rules = trunk.as_ref().map(|t| t.rules.clone()).unwrap_or_default();
        let trusted = trunk.as_ref().is_some_and(|t| t.identity.trusted);
        let orig = marks::caller(invite, &rules, trusted);
        let dest = marks::identifier(invite.uri(), &rules);
        let diverting = marks::diverting(invite, &rules).filter(|d| Some(d) != dest.as_ref());
        let wall = self.wall(now);
        let mut found = CallIdentity {
            principal,
            verdict: None,
            fault: None,
            attestation: None,
            origid: None,
            diversions: Vec::new(),
            trust: Trust::unknown(wall, "not_checked"),
            failed: Vec::new(),
            headers: invite
                .headers(HeaderName::Identity)
                .map(Arc::from)
                .collect(),
            orig: orig.as_ref().map(|o| o.as_str().to_string()),
            ends_at: dest.clone(),
            dest,
            diverting,
            attached: None,
            device: None,
            rich: Vec::new(),
            replayed: false,
            steps: Vec::new(),
        };
        found.rich = rich_of(&found.headers, &self.identity.config.policy);
        if let Some(trunk) = trunk.filter(|t| t.identity.verify) {
            self.verify(now, wall, invite, &trunk, &mut found);
            let emergency = crate::guard::is_emergency(invite.uri());
            self.refuse(now, &trunk, &found, emergency)?;
        }
        self.find_kept(now, invite, &mut found);
        Ok(found)
    }

    fn verify(
        &mut self,
        now: Timestamp,
        wall: Timestamp,
        invite: &Message,
        trunk: &Trunk,
        found: &mut CallIdentity,
    ) {
        let own_exchange = trunk.may_dial_out
            && found
                .diverting
                .as_ref()
                .is_some_and(|d| self.is_own_number(trunk.tenant, d.as_str()));
        let identity = &mut self.identity;
        let (Some(cache), Some(trust)) = (&identity.cache, &identity.config.trust) else {
            return;
        };
        let values: Vec<&str> = found.headers.iter().map(|h| &**h).collect();
        let date = invite.header(HeaderName::Date);
        let call = Call {
            orig: found.orig.as_deref(),
            dest: found.dest.as_ref().map_or("", Identifier::as_str),
            date_s: date
                .and_then(Timestamp::parse_sip_date)
                .map(|t| (t.as_micros() / 1_000_000) as i64),
            date_binds: true,
            fingerprints: None,
            trusted_transfer: trunk.identity.trusted,
        };
        let policy = identity.config.policy;
        let certificates = Cached(cache, now);
        let mut report = verify(&values, &call, &certificates, trust, &policy, wall);
        // An exchange of a customer's that sends a call on may keep its token: it then ends at the
        // number that sent it on, which must be the customer's.
        if report.fault == Some(Fault::DestMismatch)
            && let Some(from) = found.diverting.as_ref().filter(|_| own_exchange)
        {
            let call = Call {
                dest: from.as_str(),
                ..call
            };
            let again = verify(&values, &call, &certificates, trust, &policy, wall);
            if again.verdict == Verdict::Valid {
                report = again;
                found.ends_at = Some(from.clone());
            }
        }
        let by = report
            .signed
            .as_ref()
            .and_then(|(_, x5u)| signer_of(cache, x5u, now));
        let diverted = !report.diversions.is_empty() || found.diverting.is_some();
        let holds: Vec<bool> = report.headers.iter().map(|h| h.outcome.is_ok()).collect();
        // A forwarded call shows the token of the call that was forwarded; that is no replay.
        let mut replayed = false;
        if report.verdict == Verdict::Valid && !diverted {
            let window = policy.freshness * 2;
            for value in &values {
                replayed |= identity.replays.seen(wall, window, value, invite.call_id());
            }
        }
        found.take(report, by, wall);
        found.replayed = replayed;
        if found.verdict == Some(Verdict::Valid) {
            for data in &mut found.rich {
                let fresh = !data.rich.third_party || is_fresh(data.rich.iat, wall, &policy);
                data.holds = fresh && holds.get(data.header).copied().unwrap_or(false);
                data.by = signer_of(cache, &data.rich.x5u, now);
            }
        }
        if replayed {
            found.was_replayed(trunk.identity.refuse_replayed);
        }
        if found.verdict == Some(Verdict::None) && trunk.identity.trusted {
            found.take_word(invite, trunk, wall);
        }
    }

    /// Whether the trunk's policy refuses the call.
    fn refuse(
        &mut self,
        now: Timestamp,
        trunk: &Trunk,
        found: &CallIdentity,
        emergency: bool,
    ) -> Result<(), u16> {
        let policy = match trunk.identity.on_failure {
            IdentityFailure::Continue => return Ok(()),
            IdentityFailure::Reject => cp_identity::marks::OnFailure::Reject,
            IdentityFailure::RejectFailed => cp_identity::marks::OnFailure::RejectFailed,
        };
        let Some((code, _)) = policy.answer(found.fault, emergency) else {
            return Ok(());
        };
        let reason = found.fault.map_or("", Fault::code).to_string();
        let stream = cp_vocab::event::StreamId::Trunk(trunk.id);
        let trunk_id = trunk.id;
        let event = Event::IdentityRefused {
            trunk: trunk_id,
            code,
            reason,
        };
        self.append_aside(now, Some(trunk.tenant), stream, event);
        Err(code)
    }

    /// A call that a device sent back: what was kept for it.
    fn find_kept(&mut self, now: Timestamp, invite: &Message, found: &mut CallIdentity) {
        let tenant = match found.principal {
            Principal::Trunk(t) => self.index.trunk(t).map(|t| t.tenant),
            Principal::Phone(p) => self.index.phone(p).map(|p| p.tenant),
        };
        let Some(tenant) = tenant else { return };
        let forwarding = &self.identity.forwarding;
        let key = marks::our_key(invite).or_else(|| {
            // A peer's own session id is not our key.
            marks::session_keys(invite).find(|k| forwarding.holds(*k))
        });
        if found.diverting.is_none() && key.is_none() {
            return;
        }
        let present: Vec<&str> = found.headers.iter().map(|h| &**h).collect();
        let diverted = Diverted {
            tenant,
            customer: customer(found.principal),
            call: key,
            orig: found.orig.as_deref(),
            diverting: found.diverting.as_ref().map(Identifier::as_str),
            identity: &present,
        };
        let (outcome, steps) = self.identity.forwarding.diverted(now, &diverted);
        let counters = self
            .identity
            .customers
            .entry((tenant, customer(found.principal)));
        counters.or_default().diverted(&outcome);
        let original = match &outcome {
            Ok(a) => self.identity.originals.get(&a.call).copied(),
            Err(_) => None,
        };
        // The device may say by our key alone which call it was.
        let number = match (&found.diverting, &outcome) {
            (None, Ok(a)) => Some(Identifier::Number(a.called.to_string())),
            (diverting, _) => diverting.clone(),
        };
        for step in steps {
            found
                .steps
                .push(step_event(step, number.as_ref(), original));
        }
        if let Ok(attachment) = outcome {
            found.attached = Some(Attached {
                headers: attachment.identity,
                original,
            });
        }
    }
}

/// Rich call data of one header.
pub(crate) struct RichData {
    pub(crate) rich: Rich,
    /// Which header of the request.
    header: usize,
    /// Its token was verified, beside one that speaks for the number.
    pub(crate) holds: bool,
    /// The name its signer's certificate gives.
    pub(crate) by: Option<String>,
}

/// What the tokens say; none of it holds before it is verified. Of a header that is there twice
/// the first counts.
fn rich_of(headers: &[Arc<str>], policy: &Policy) -> Vec<RichData> {
    let first = |(i, value): &(usize, &Arc<str>)| !headers[..*i].contains(value);
    let each = headers.iter().enumerate().take(HEADERS_MAX).filter(first);
    each.filter_map(|(header, value)| {
        Some(RichData {
            rich: card::of_header(value, policy.leniency)?,
            header,
            holds: false,
            by: None,
        })
    })
    .collect()
}

/// What a third party signed is in no chain of which the age was looked at.
fn is_fresh(iat: i64, wall: Timestamp, policy: &Policy) -> bool {
    let now_s = (wall.as_micros() / 1_000_000) as i64;
    now_s.saturating_sub(iat).saturating_abs() <= policy.freshness.as_secs() as i64
}

/// The name a certificate gives its owner.
fn signer_of(cache: &Cache, x5u: &str, now: Timestamp) -> Option<String> {
    let credential = cache.get(x5u, now)?.ok()?;
    credential
        .spc()
        .map(str::to_string)
        .or_else(|| credential.leaf().common_name().map(str::to_string))
}

/// One step of the trace.
pub(super) fn step_event(
    step: Step,
    number: Option<&Identifier>,
    original: Option<InteractionId>,
) -> Event {
    let (word, detail) = match step {
        Step::Verified(v) => ("verified", marks::verdict_word(v).to_string()),
        Step::Decided {
            likely,
            rate_permille,
        } => {
            let what = if likely { "likely" } else { "not_likely" };
            let (whole, tenth) = (rate_permille / 10, rate_permille % 10);
            ("decided", format!("{what} rate={whole}.{tenth}%"))
        }
        Step::Kept(kept) => ("kept", marks::kept_word(kept).to_string()),
        Step::Matched(Matched::ByKey) => ("matched", "by_key".to_string()),
        Step::Matched(Matched::ByNumbers) => ("matched", "by_numbers".to_string()),
        Step::NotAttached(why) => ("not_attached", why.code().to_string()),
        Step::Attached { headers } => ("attached", format!("headers={headers}")),
    };
    Event::IdentityStepTaken {
        leg: None,
        step: word.to_string(),
        detail,
        number: number.map(|n| Pii(n.as_str().to_string())),
        original,
    }
}

impl CallIdentity {
    /// Takes over what verifying found.
    fn take(&mut self, report: Report, by: Option<String>, wall: Timestamp) {
        self.verdict = Some(report.verdict);
        self.fault = report.fault;
        let outcomes = report.headers.iter().enumerate();
        self.failed = outcomes
            .filter_map(|(at, h)| Some((at, h.outcome.err()?)))
            .collect();
        self.attestation = report.attestation;
        self.origid = report.origid;
        let mut reasons: Vec<String> = report
            .fault
            .map(|f| f.code().to_string())
            .into_iter()
            .collect();
        let level = match (report.verdict, report.attestation) {
            (Verdict::Valid, Some(Attestation::A)) => TrustLevel::Number,
            (Verdict::Valid, Some(other)) => {
                reasons.push(format!(
                    "attestation_{}",
                    other.as_str().to_ascii_lowercase()
                ));
                TrustLevel::Asserted
            }
            (Verdict::Valid, None) => {
                reasons.push("no_attestation".to_string());
                TrustLevel::Asserted
            }
            (Verdict::Invalid, _) => TrustLevel::Refuted,
            (Verdict::Stale | Verdict::Refused | Verdict::None, _) => TrustLevel::Unknown,
        };
        let valid = report.verdict == Verdict::Valid;
        let methods = match (valid, report.diversions.is_empty()) {
            (false, _) => vec![],
            (true, true) => vec![TrustMethod::Passport],
            (true, false) => vec![TrustMethod::Passport, TrustMethod::Diversion],
        };
        self.diversions = report.diversions;
        let at = report
            .signed
            .and_then(|(iat, _)| u64::try_from(iat).ok())
            .map_or(wall, Timestamp::from_secs);
        self.trust = Trust {
            who: self.orig.clone().filter(|_| valid).map(Pii),
            level,
            methods,
            by,
            at,
            scope: vec![],
            reasons,
        };
    }

    fn was_replayed(&mut self, refuse: bool) {
        self.trust.reasons.push(Fault::Replayed.code().to_string());
        self.trust.level = self.trust.level.min(TrustLevel::Asserted);
        if refuse {
            self.verdict = Some(Verdict::Invalid);
            self.fault = Some(Fault::Replayed);
            self.trust.level = TrustLevel::Refuted;
        }
    }

    /// A trunk we trust says that it verified the caller.
    fn take_word(&mut self, invite: &Message, trunk: &Trunk, wall: Timestamp) {
        let Some(verdict) = marks::word_of_trunk(invite) else {
            return;
        };
        if verdict == Verdict::None {
            return;
        }
        let passed = verdict == Verdict::Valid;
        self.trust = Trust {
            who: self.orig.clone().filter(|_| passed).map(Pii),
            level: if passed {
                TrustLevel::Asserted
            } else {
                TrustLevel::Refuted
            },
            methods: vec![TrustMethod::TrunkWord],
            by: Some(trunk.name.clone()),
            at: wall,
            scope: vec![],
            reasons: vec!["trunk_word".to_string()],
        };
        self.verdict = Some(verdict);
        self.fault = None;
    }

    /// What the log is told when the interaction has begun.
    pub(crate) fn events(&mut self, leg: LegId) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(verdict) = self.verdict {
            events.push(Event::IdentityJudged {
                leg,
                trust: self.trust.clone(),
                verdict: marks::verdict_word(verdict).to_string(),
                code: self.fault.and_then(Fault::sip_code),
                attestation: self.attestation.map(|a| a.as_str().to_string()),
                origid: self.origid.clone(),
                diversions: self.diversions.iter().cloned().map(Pii).collect(),
                headers: self.headers.len() as u32,
            });
        }
        events.append(&mut self.steps);
        events
    }

    /// Reason headers for the peer that sent the call: one for each header that did not hold
    /// (RFC 9410 3), one in the old form, none while the call's identity holds by another.
    pub(crate) fn reasons(&self, form: IdentityReason) -> Vec<(String, String)> {
        let (form, most) = match form {
            IdentityReason::None => return Vec::new(),
            IdentityReason::Stir => (ReasonForm::Stir, REASONS_MAX),
            IdentityReason::Sip => (ReasonForm::Legacy, 1),
        };
        let Some(fault) = self.fault else {
            return Vec::new();
        };
        // What we cannot read is ignored while something else is wrong (RFC 8224 6.2).
        let mut told: Vec<(usize, Fault)> = self.failed.clone();
        told.retain(|(_, f)| *f != Fault::UnsupportedPpt || fault == *f);
        if form == ReasonForm::Legacy || told.is_empty() {
            told = vec![(0, fault)];
        }
        let values = told.into_iter().take(most).filter_map(|(at, fault)| {
            let ppi = self.headers.get(at).and_then(|h| compact(h));
            reason(fault, ppi.as_deref(), form)
        });
        values.map(|v| ("Reason".to_string(), v)).collect()
    }
}

/// The compact form of a header's token, as it stands: the token itself may be unreadable.
fn compact(header: &str) -> Option<String> {
    let token = header.split(';').next()?.trim();
    let (_, signature) = token.rsplit_once('.')?;
    let proper = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (!signature.is_empty() && signature.bytes().all(proper)).then(|| format!("..{signature}"))
}
