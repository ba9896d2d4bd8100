//! What an outgoing leg carries: the verdict to a phone of ours, and to a trunk the identity of the
//! caller: kept and diverted, passed on, or signed by us.

use super::customer;
use super::judge::Device;
use super::marks::{self, KEY_HEADER};
use crate::core::Engine;
use crate::leg::Dialled;
use cp_identity::Verdict;
use cp_identity::canonical::Identifier;
use cp_identity::divert::{Diversion, NoDiv, diversions, nested};
use cp_identity::forward::{CallKey, Incoming, Kept, Likelihood};
use cp_identity::passport::Attestation;
use cp_identity::passport::sign::{NewPassport, Signed};
use cp_interaction::Input as IxInput;
use cp_sip::ua::Principal;
use cp_vocab::brand::Brand;
use cp_vocab::event::Endpoint;
use cp_vocab::model::{DivertedBy, KeepIdentity, Trunk};
use cp_vocab::*;
use std::sync::Arc;

/// Name and value.
type Header = (String, String);

/// The tokens of a call that leaves for another number than it came to.
struct Sent {
    /// Kept or received Identity headers.
    originals: Vec<Arc<str>>,
    /// Who diverts it.
    from: Identifier,
    original: Option<InteractionId>,
}

impl Engine {
    /// Headers of an outgoing INVITE that tell who calls.
    pub(crate) fn identity_headers(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        d: &Dialled,
    ) -> Vec<Header> {
        match d.to.endpoint {
            // Who is called for help is asked nothing and told nothing more than that.
            _ if crate::guard::is_emergency(&d.to.dial) => Vec::new(),
            Endpoint::Phone(p) => self.towards_phone(now, id, leg, p),
            Endpoint::Trunk(t) => match self.index.trunk(t).cloned() {
                Some(trunk) => self.towards_trunk(now, id, leg, &trunk, d),
                None => Vec::new(),
            },
            Endpoint::Uri | Endpoint::Browser => Vec::new(),
        }
    }

    /// A phone of ours is told the verdict (3GPP TS 24.229 7.2A.20).
    fn towards_phone(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        p: PhoneId,
    ) -> Vec<Header> {
        let mut headers =
            self.towards_device(now, id, leg, Principal::Phone(p), KeepIdentity::Learned);
        let Some(known) = self.identity.known.get(&id) else {
            return headers;
        };
        if let (Some(verdict), Some(orig)) = (known.verdict, &known.orig) {
            let uri = cp_identity::marks::with_verstat(orig, verdict);
            headers.push(("P-Asserted-Identity".to_string(), format!("<{uri}>")));
        }
        headers.extend(self.card_to_phone(id));
        headers
    }

    /// The call goes to the device it was made for, which may send it back: its identity is kept
    /// when that is likely (S1.2 rules 2 and 3), and the device gets a key that makes it certain.
    fn towards_device(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        device: Principal,
        keep: KeepIdentity,
    ) -> Vec<Header> {
        let Some(tenant) = self.interactions.get(&id).map(|e| e.tenant) else {
            return Vec::new();
        };
        let identity = &self.identity;
        let Some(known) = identity.known.get(&id).filter(|k| k.device.is_none()) else {
            return Vec::new();
        };
        let Some(Identifier::Number(called)) = known.dest.clone() else {
            return Vec::new();
        };
        let keep = self.keeps(tenant, &called).unwrap_or(keep);
        let key = CallKey(u128::from(self.ids.random()) << 64 | u128::from(self.ids.random()));
        let known = &self.identity.known[&id];
        let headers: Vec<&str> = known.headers.iter().map(|h| &**h).collect();
        let incoming = Incoming {
            tenant,
            customer: customer(device),
            call: key,
            orig: known.orig.as_deref(),
            called: &called,
            verdict: known.verdict.unwrap_or(Verdict::None),
            attestation: None,
            identity: &headers,
            likelihood: match keep {
                KeepIdentity::Always => Likelihood::Always,
                KeepIdentity::Learned => Likelihood::Learned,
                KeepIdentity::Never => Likelihood::Never,
            },
        };
        let (kept, steps) = self.identity.forwarding.arrived(now, &incoming);
        let counters = self.identity.customers.entry((tenant, customer(device)));
        counters.or_default().sent(kept);
        if known.verdict.is_some() || kept == Kept::Stored {
            for step in steps {
                let mut event = super::judge::step_event(step, known.dest.as_ref(), None);
                if let Event::IdentityStepTaken { leg: of, .. } = &mut event {
                    *of = Some(leg);
                }
                self.work.push_back((id, IxInput::Noted(event)));
            }
        }
        if let Some(known) = self.identity.known.get_mut(&id) {
            known.device = Some(Device {
                key,
                principal: device,
                called,
            });
        }
        if kept != Kept::Stored {
            return Vec::new();
        }
        self.identity.remember(key, id);
        let text = format!("{:032x}", key.0);
        vec![
            (KEY_HEADER.to_string(), text.clone()),
            ("Session-ID".to_string(), format!("{text};remote={:032}", 0)),
        ]
    }

    fn towards_trunk(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        trunk: &Trunk,
        d: &Dialled,
    ) -> Vec<Header> {
        let caller = marks::of_address(&d.caller);
        let Some(dest) = marks::of_address(&d.to.address) else {
            return Vec::new();
        };
        let known = self.identity.known.get(&id);
        let same_caller = known.is_some_and(|k| {
            k.orig.is_some() && k.orig.as_deref() == caller.as_ref().map(Identifier::as_str)
        });
        // Brought to whom it was made for; what a customer's exchange calls is not the tenant's.
        let tenant = self.interactions.get(&id).map(|e| e.tenant);
        let delivered = known.is_some_and(|k| same_caller && k.dest.as_ref() == Some(&dest))
            && tenant.is_some_and(|t| self.is_own_number(t, dest.as_str()));
        if delivered {
            let mut headers = self.towards_device(
                now,
                id,
                leg,
                Principal::Trunk(trunk.id),
                trunk.identity.keep,
            );
            if let (true, Some(known)) = (trunk.identity.pass, self.identity.known.get(&id)) {
                headers.extend(known.headers.iter().map(|h| identity_header(h)));
            }
            return headers;
        }
        let mut headers = Vec::new();
        let sent = self.tokens_of(id, same_caller);
        let from = sent
            .as_ref()
            .map(|s| s.from.clone())
            .or_else(|| d.diverted.clone());
        let from = from.or_else(|| {
            let known = self.identity.known.get(&id)?;
            known
                .diverting
                .clone()
                .or_else(|| known.dest.clone())
                .filter(|_| same_caller)
        });
        if let Some(from) = &from {
            let host = self.own_host(self.interactions.get(&id).map(|e| e.tenant));
            headers.extend(diverted_by(
                trunk.identity.diverted_by,
                from,
                &dest,
                &host,
                d.why,
            ));
        }
        match sent {
            Some(sent) => headers.extend(self.divert(now, id, leg, trunk, sent, &dest)),
            None => {
                let brand = caller.as_ref().and_then(|c| self.brand_shown(id, c));
                if trunk.identity.sign {
                    let signed =
                        self.sign_own(now, id, leg, caller.as_ref(), &dest, brand.as_ref());
                    headers.extend(signed);
                }
                if let (Some(brand), Some(caller)) = (&brand, &caller) {
                    headers.extend(self.brand_headers(id, leg, brand, caller, &dest));
                }
            }
        }
        headers
    }

    /// The identity that goes with a call to another number: what was kept for it, or what it came
    /// with, if that holds and the caller shown is the one it speaks of.
    fn tokens_of(&self, id: InteractionId, same_caller: bool) -> Option<Sent> {
        let known = self.identity.known.get(&id).filter(|_| same_caller)?;
        if let Some(attached) = &known.attached {
            // What the device made itself stays beside it.
            let mut originals = attached.headers.clone();
            originals.extend(known.headers.iter().cloned());
            return Some(Sent {
                originals,
                from: known.diverting.clone().or_else(|| known.dest.clone())?,
                original: attached.original,
            });
        }
        if known.verdict != Some(Verdict::Valid) || known.headers.is_empty() {
            return None;
        }
        Some(Sent {
            originals: known.headers.clone(),
            from: known.ends_at.clone()?,
            original: None,
        })
    }

    /// Originals, and our div beside them (RFC 8946 4) or around them (5).
    fn divert(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        trunk: &Trunk,
        sent: Sent,
        dest: &Identifier,
    ) -> Vec<Header> {
        let Some(tenant) = self.interactions.get(&id).map(|e| e.tenant) else {
            return Vec::new();
        };
        let wall = self.wall(now);
        let values: Vec<&str> = sent.originals.iter().map(|h| &**h).collect();
        let diversion = Diversion {
            from: &sent.from,
            to: dest,
            iat: (wall.as_micros() / 1_000_000) as i64,
            history_index: None,
        };
        let identity = &self.identity;
        let made: Result<Vec<Signed>, NoDiv> = match identity.signer(tenant, sent.from.as_str()) {
            None => Err(NoDiv::NotOurs),
            Some(s) if trunk.identity.nest && values.len() == 1 => {
                nested(values[0], &diversion, s, &identity.rng).map(|one| vec![one])
            }
            Some(s) => diversions(&values, &diversion, s, &identity.rng),
        };
        let is_nested = trunk.identity.nest && values.len() == 1 && made.is_ok();
        let mut headers: Vec<Header> = Vec::new();
        if !is_nested {
            headers.extend(sent.originals.iter().map(|h| identity_header(h)));
        }
        let (step, detail) = match made {
            Ok(list) => {
                let word = if is_nested { "div-o" } else { "div" };
                headers.extend(list.iter().map(|s| identity_header(&s.header)));
                headers.push(("Date".to_string(), wall.to_sip_date()));
                ("div_made", word.to_string())
            }
            Err(why) => ("div_absent", why.code().to_string()),
        };
        let number = Some(Pii(sent.from.as_str().to_string()));
        self.note_step(id, Some(leg), step, detail, number, sent.original);
        headers
    }

    /// A call of ours, or one whose identity nobody knows: signed for what we know (RFC 8588 4).
    fn sign_own(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        caller: Option<&Identifier>,
        dest: &Identifier,
        brand: Option<&Brand>,
    ) -> Vec<Header> {
        let (Some(caller), Some(tenant)) = (caller, self.interactions.get(&id).map(|e| e.tenant))
        else {
            return Vec::new();
        };
        let attest = self.attestation(id, tenant, caller);
        let origid = uuid(self.ids.random(), self.ids.random());
        let wall = self.wall(now);
        if self.identity.signer(tenant, caller.as_str()).is_none() {
            return Vec::new();
        }
        let rich = brand.map(|b| self.brand_claims(now, leg, b));
        let identity = &self.identity;
        let Some(signer) = identity.signer(tenant, caller.as_str()) else {
            return Vec::new();
        };
        let iat = (wall.as_micros() / 1_000_000) as i64;
        let dests = [dest.clone()];
        let mut new = NewPassport::shaken(caller, &dests, iat, attest, &origid);
        new.more.extend(rich.into_iter().flatten());
        let (step, detail, headers) = match signer.sign(&new, &identity.rng) {
            Ok(signed) => {
                let date = ("Date".to_string(), wall.to_sip_date());
                let headers = vec![identity_header(&signed.header), date];
                (
                    "signed",
                    format!("attestation_{}", attest.as_str()),
                    headers,
                )
            }
            Err(fault) => ("not_signed", fault.code().to_string(), Vec::new()),
        };
        self.note_step(id, Some(leg), step, detail, None, None);
        headers
    }

    /// The brand that a call shows: of a number of ours, and placed by us (attestation A).
    fn brand_shown(&self, id: InteractionId, caller: &Identifier) -> Option<Brand> {
        let tenant = self.interactions.get(&id).map(|e| e.tenant)?;
        let brand = self.brand_of(tenant, caller)?;
        (self.attestation(id, tenant, caller) == Attestation::A).then_some(brand)
    }

    /// The name that an outgoing call shows beside its number.
    pub(crate) fn brand_name(&self, id: InteractionId, d: &Dialled) -> Option<String> {
        if !matches!(d.to.endpoint, Endpoint::Trunk(_)) || crate::guard::is_emergency(&d.to.dial) {
            return None;
        }
        let caller = marks::of_address(&d.caller)?;
        self.brand_shown(id, &caller).map(|b| b.name)
    }

    /// A: a customer of ours with a number of theirs. B: a customer of ours with another number.
    /// C: it came from elsewhere.
    fn attestation(&self, id: InteractionId, tenant: TenantId, caller: &Identifier) -> Attestation {
        let came_by = self
            .interactions
            .get(&id)
            .and_then(|e| e.interaction.state().legs.iter().find(|l| is_inbound(l)))
            .map(|l| l.endpoint);
        let customer = match came_by {
            Some(Endpoint::Trunk(t)) => self.index.trunk(t).is_some_and(|t| t.may_dial_out),
            Some(Endpoint::Uri) => false,
            Some(Endpoint::Phone(_) | Endpoint::Browser) | None => true,
        };
        let number = caller.as_str();
        let listed = || {
            let signers = self.identity.signer(tenant, number);
            signers.is_some_and(|s| s.lists(number))
        };
        let own = self.is_own_number(tenant, number) || listed();
        match (customer, own) {
            (true, true) => Attestation::A,
            (true, false) => Attestation::B,
            (false, _) => Attestation::C,
        }
    }

    /// Whether it is one of the tenant's numbers.
    pub(super) fn is_own_number(&self, tenant: TenantId, number: &str) -> bool {
        [format!("+{number}"), number.to_string()].iter().any(|n| {
            matches!(
                self.index.dialled(tenant, n),
                Some(crate::index::Dialled::Number(_))
            )
        })
    }

    pub(crate) fn note_step(
        &mut self,
        id: InteractionId,
        leg: Option<LegId>,
        step: &str,
        detail: String,
        number: Option<Pii<String>>,
        original: Option<InteractionId>,
    ) {
        let event = Event::IdentityStepTaken {
            leg,
            step: step.to_string(),
            detail,
            number,
            original,
        };
        self.work.push_back((id, IxInput::Noted(event)));
    }

    /// The interaction is over: its call makes no other one uncertain any more.
    pub(crate) fn forget_identity(&mut self, now: Timestamp, id: InteractionId, tenant: TenantId) {
        let Some(known) = self.identity.known.remove(&id) else {
            return;
        };
        if let Some(device) = known.device {
            let incoming = Incoming {
                tenant,
                customer: customer(device.principal),
                call: device.key,
                orig: known.orig.as_deref(),
                called: &device.called,
                verdict: Verdict::None,
                attestation: None,
                identity: &[],
                likelihood: Likelihood::Never,
            };
            self.identity.forwarding.ended(now, &incoming);
        }
    }
}

fn is_inbound(leg: &cp_interaction::Leg) -> bool {
    leg.direction == cp_vocab::event::Direction::Inbound
}

fn identity_header(value: &str) -> Header {
    ("Identity".to_string(), value.to_string())
}

/// A version 4 UUID from random bits (RFC 4122 4.4).
fn uuid(high: u64, low: u64) -> String {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 1 << 63;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// Tells the next party who diverted the call.
fn diverted_by(
    how: DivertedBy,
    from: &Identifier,
    dest: &Identifier,
    host: &str,
    why: Option<&'static str>,
) -> Vec<Header> {
    let uri = |id: &Identifier| match id {
        Identifier::Number(n) => format!("sip:+{n}@{host}"),
        Identifier::Uri(u) => u.clone(),
    };
    let mut headers = Vec::new();
    if matches!(how, DivertedBy::Diversion | DivertedBy::Both) {
        let reason = why.unwrap_or("unknown");
        let value = format!("<{}>;reason={reason};counter=1", uri(from));
        headers.push(("Diversion".to_string(), value));
    }
    if matches!(how, DivertedBy::HistoryInfo | DivertedBy::Both) {
        let value = format!("<{}>;index=1, <{}>;index=1.1;mp=1", uri(from), uri(dest));
        headers.push(("History-Info".to_string(), value));
    }
    headers
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_uuid_is_one() {
        assert_eq!(
            super::uuid(u64::MAX, u64::MAX),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
        assert_eq!(super::uuid(0, 0), "00000000-0000-4000-8000-000000000000");
    }
}
