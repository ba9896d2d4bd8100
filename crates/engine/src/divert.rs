//! Calls of a phone that go elsewhere: because its settings say so, or because it answers with 302.
//! The leg is the same; it rings somewhere else, with the rights of the phone that sent it on.

use crate::core::Engine;
use crate::identity::identifier_of;
use crate::leg::Dialled;
use crate::lookup::Lookup;
use cp_interaction::{Directory, Resolved};
use cp_sip::uri::SipUri;
use cp_vocab::event::Endpoint;
use cp_vocab::model::{DialTarget, ForwardWhen};
use cp_vocab::*;

/// How often one leg is sent on; then it fails as it did.
pub(crate) const DIVERSIONS_MAX: u8 = 5;

impl Engine {
    /// Where the phone's own setting sends a call before it rings.
    pub(crate) fn forwarded_at_once(&self, phone: PhoneId) -> Option<(String, &'static str)> {
        let forward = self.index.phone(phone)?.forward.clone()?;
        let absent = self.ua.contacts(phone).next().is_none();
        match forward.when {
            ForwardWhen::Always => Some((forward.to, "unconditional")),
            ForwardWhen::Unavailable | ForwardWhen::NotReached if absent => {
                Some((forward.to, "unavailable"))
            }
            _ => None,
        }
    }

    /// A leg to a phone failed, or was sent on by it; whether it rings elsewhere now.
    pub(crate) fn sent_on(
        &mut self,
        now: Timestamp,
        leg: LegId,
        status: u16,
        contact: Option<&str>,
    ) -> bool {
        let Some(entry) = self.legs.get(&leg) else {
            return false;
        };
        // The media of a softphone in a browser cannot be offered to anybody else.
        let Endpoint::Phone(phone) = entry.endpoint else {
            return false;
        };
        if entry.web.is_some() || self.waits_for_help(phone, now) {
            return false;
        }
        let id = entry.interaction;
        let (to, why) = match (status, contact) {
            (300..400, Some(contact)) => {
                let uri = SipUri::parse(contact).filter(|u| u.is_sip());
                match uri.and_then(|u| u.user.map(|_| u.user_decoded().into_owned())) {
                    Some(user) => (user, "deflection"),
                    None => return false,
                }
            }
            _ => {
                let forward = self.index.phone(phone).and_then(|p| p.forward.clone());
                match forward.filter(|f| f.when.after(status)) {
                    Some(f) if matches!(status, 486 | 600) => (f.to, "user-busy"),
                    Some(f) => (f.to, "no-answer"),
                    None => return false,
                }
            }
        };
        let Some(mut dialled) = self.legs.get_mut(&leg).and_then(|l| l.dialled.take()) else {
            return false;
        };
        let moved = self.divert_to(now, id, leg, phone, &mut dialled, &to, why)
            && self.let_out(now, id, leg, &dialled.to).is_ok();
        let endpoint = dialled.to.endpoint;
        if moved {
            let (codecs, srtp) = self.offer_for(id, &endpoint);
            if let Endpoint::Trunk(t) = endpoint {
                *self.trunk_calls.entry(t).or_default() += 1;
            }
            if let Some(l) = self.legs.get_mut(&leg) {
                l.endpoint = endpoint;
                l.local.codecs = codecs;
                l.local.srtp = srtp;
                l.failed_with = None;
            }
        }
        if let Some(l) = self.legs.get_mut(&leg) {
            l.dialled = Some(dialled);
        }
        if moved {
            self.place(now, id, leg, false);
        }
        moved
    }

    /// The far side refused the call for its identity: it is signed anew and sent once more, since
    /// what was signed may have grown old on the way (RFC 8224 6.2.2).
    pub(crate) fn signed_again(&mut self, now: Timestamp, leg: LegId, status: u16) -> bool {
        let Some(entry) = self.legs.get_mut(&leg).filter(|_| status == 438) else {
            return false;
        };
        let (id, is_trunk) = (
            entry.interaction,
            matches!(entry.endpoint, Endpoint::Trunk(_)),
        );
        let again = match entry.dialled.as_deref_mut() {
            Some(d) if is_trunk && !d.signed_again => {
                d.signed_again = true;
                true
            }
            _ => false,
        };
        if again {
            self.place(now, id, leg, false);
        }
        again
    }

    /// Turns a leg to where a phone sends it; `false` when that leads nowhere or is not allowed.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn divert_to(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        phone: PhoneId,
        dialled: &mut Dialled,
        to: &str,
        why: &'static str,
    ) -> bool {
        let wall = self.wall(now);
        let refused = match self.diverted_target(wall, id, phone, dialled, to) {
            Ok(resolved) => {
                let called = self.called_number(id);
                if let Some(number) = called.as_ref() {
                    let tenant = self.interactions.get(&id).map(|e| e.tenant);
                    if let Some(tenant) = tenant {
                        let digits = number.as_str();
                        let known = self.identity.known.get(&id);
                        let reached = known.is_some_and(|k| k.device.is_some());
                        self.identity.forwarding.observed(tenant, digits, reached);
                        let digits = Some(Pii(digits.to_string()));
                        self.note_step(id, Some(leg), "forwarded", why.to_string(), digits, None);
                    }
                }
                dialled.to = resolved;
                dialled.diversions += 1;
                dialled.why = Some(why);
                dialled.diverted = called.or_else(|| dialled.diverted.take());
                let number = Some(Pii(to.to_string()));
                self.note_step(id, Some(leg), "diverted", why.to_string(), number, None);
                return true;
            }
            Err(refused) => refused,
        };
        let number = Some(Pii(to.to_string()));
        self.note_step(
            id,
            Some(leg),
            "not_diverted",
            refused.to_string(),
            number,
            None,
        );
        false
    }

    fn diverted_target(
        &self,
        wall: Timestamp,
        id: InteractionId,
        phone: PhoneId,
        dialled: &Dialled,
        to: &str,
    ) -> Result<Resolved, &'static str> {
        if dialled.diversions >= DIVERSIONS_MAX {
            return Err("too_many");
        }
        let tenant = self.interactions.get(&id).ok_or("no_call")?.tenant;
        let p = self.index.phone(phone).ok_or("no_phone")?;
        // An emergency service is never reached by a forward (RFC 6881 aside, it is nobody's wish).
        if crate::guard::is_emergency(to) {
            return Err("emergency");
        }
        let lookup = Lookup {
            index: &self.index,
            ua: &self.ua,
            router: &self.router,
            rooms: &self.rooms,
            parked: &self.parked,
            outbound: &self.outbound,
            browsers: &self.web.holders,
            pushed: &self.web.pushed,
            wall,
            emergency_live: false,
        };
        let target = DialTarget::Extension {
            extension: to.to_string(),
        };
        let resolved = lookup.resolve(tenant, &target).map_err(|_| "nowhere")?;
        match resolved.endpoint {
            Endpoint::Trunk(_) if !p.may_dial_out => Err("not_allowed"),
            Endpoint::Trunk(t) if !self.trunk_has_room(t) => Err("overload"),
            Endpoint::Phone(other) if other == phone => Err("itself"),
            _ => Ok(resolved),
        }
    }

    /// The number a call was made to, where it is one.
    fn called_number(&self, id: InteractionId) -> Option<cp_identity::canonical::Identifier> {
        if let Some(known) = self.identity.known.get(&id) {
            return known.dest.clone();
        }
        let entry = self.interactions.get(&id)?;
        identifier_of(&entry.interaction.state().to)
    }
}
