//! Ring cards in the path of calls (S3.1): what came with a call is decoded before anything rings,
//! phones and browsers are told, brands of ours leave with our calls, and what was offered is given
//! when somebody answers. Content is fetched beside the call, and comes back as an event.

use crate::core::Engine;
use crate::identity::CallIdentity;
use crate::reports::{Reported, Reports};
use cp_identity::Verdict;
use cp_identity::canonical::{Identifier, is_canonical_number};
use cp_identity::card::{self, Call, Card, Incentive, Plain, call_info};
use cp_identity::rcd::RcdFault;
use cp_interaction::Input as IxInput;
use cp_sip::header::HeaderName;
use cp_sip::message::Message;
use cp_sip::ua::Principal;
use cp_vocab::brand::Brand;
use cp_vocab::card::{CardIncentive, CardProof, RingCard};
use cp_vocab::command::{Actor, Command, CommandReply, CommandResult};
use cp_vocab::event::Direction;
use cp_vocab::model::Trunk;
use cp_vocab::refusal::{Code, Refusal};
use cp_vocab::web::Signal;
use cp_vocab::*;
use rustc_hash::FxHashMap;

/// Language of links until tenants have one.
const LANGUAGE: &str = "en";
/// Why metadata of strangers is not shown, beside what [`Plain`] says.
const NOT_VERIFIED: &str = "not_verified";
const NOT_TRUSTED: &str = "not_trusted";
/// People who were called by this caller said that they were abused.
const REPORTED: &str = "caller_is_reported";

/// What the engine knows of cards.
#[derive(Default)]
pub(crate) struct Cards {
    /// Of calls that came in, while they live.
    pub(crate) shown: FxHashMap<InteractionId, RingCard>,
    /// How many incentives of a brand were given out.
    given: FxHashMap<BrandId, u64>,
    /// Offered with a leg that has not answered.
    offered: FxHashMap<LegId, (BrandId, CardIncentive)>,
    /// What a call of ours gave already.
    gave: FxHashMap<InteractionId, BrandId>,
    /// What people said of callers.
    pub(crate) reports: Reports,
}

impl Cards {
    pub(crate) fn restore(&mut self, given: Vec<(BrandId, u64)>) {
        self.given.extend(given);
    }

    /// Given out, or promised to somebody whose telephone rings.
    fn used(&self, brand: BrandId) -> u64 {
        let promised = self.offered.values().filter(|(b, _)| *b == brand).count();
        self.given.get(&brand).copied().unwrap_or(0) + promised as u64
    }
}

/// Name and value.
type Header = (String, String);

impl Engine {
    /// The metadata of a call that comes in by a trunk, decoded; what the log is told of it.
    pub(crate) fn decode_card(
        &mut self,
        now: Timestamp,
        id: InteractionId,
        leg: LegId,
        name: Option<&str>,
        invite: &Message,
        known: &CallIdentity,
    ) -> Option<Event> {
        let Principal::Trunk(trunk) = known.principal else {
            return None;
        };
        let trunk = self.index.trunk(trunk)?;
        if crate::guard::is_emergency(invite.uri()) {
            return None;
        }
        let found = match signed(leg, known) {
            None => told(leg, name, invite, known, trunk)?,
            // What nobody could verify says nothing; what is wrong says that all of it is.
            Some(Err(NOT_VERIFIED)) if known.verdict != Some(Verdict::Invalid) => {
                told(leg, name, invite, known, trunk)
                    .filter(Result::is_ok)
                    .unwrap_or(Err(NOT_VERIFIED))
            }
            Some(found) => found,
        };
        let (tenant, wall) = (trunk.tenant, self.wall(now));
        let reported = |proven| {
            let caller = known.orig.as_deref().unwrap_or_default();
            let reports = &self.cards.reports;
            reports.speak_against(caller, tenant, proven, wall)
        };
        let event = match found {
            Ok(Event::CardDecoded { proof, .. }) if reported(proof == CardProof::Signed) => {
                Event::CardRefused {
                    leg,
                    why: REPORTED.to_string(),
                }
            }
            Ok(decoded) => decoded,
            Err(why) => Event::CardRefused {
                leg,
                why: why.to_string(),
            },
        };
        if let Some(card) = RingCard::begun(&event) {
            self.cards.shown.insert(id, card);
        }
        Some(event)
    }

    /// A person says that the caller of a call abuses it; it counts from the next call on.
    pub(crate) fn report_caller(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        actor: Actor,
        interaction: InteractionId,
    ) -> CommandResult {
        let id = self.target_of(tenant, actor, &Command::ReportCaller { interaction })?;
        let known = self.identity.known.get(&id);
        let nobody = "The call came from no number outside that could be reported.";
        let nobody = || Refusal::new(Code::Conflict, nobody);
        let outside = known.filter(|k| matches!(k.principal, Principal::Trunk(_)));
        let known = outside.ok_or_else(nobody)?;
        let number = known.orig.clone().ok_or_else(nobody)?;
        let proven = known.verdict == Some(Verdict::Valid);
        let event = Event::CallerReported {
            by: actor,
            number: Pii(number.clone()),
            proven,
        };
        self.cards.reports.add(Reported {
            number,
            tenant,
            proven,
            at: self.wall(now),
        });
        self.work.push_back((id, IxInput::Noted(event)));
        Ok(CommandReply::default())
    }

    /// What an event of an interaction means to its card.
    pub(crate) fn card_event(&mut self, id: InteractionId, event: &Event) {
        match event {
            Event::CardContent { .. } => {
                let card = self.cards.shown.get_mut(&id);
                if card.is_some_and(|c| c.add(event)) {
                    self.show_content(id);
                }
            }
            Event::LegAnswered { leg, .. } => self.give(id, *leg),
            Event::LegEnded { leg, .. } => {
                self.cards.offered.remove(leg);
            }
            Event::Ended { .. } => {
                self.cards.shown.remove(&id);
                self.cards.gave.remove(&id);
            }
            _ => {}
        }
    }

    /// Browsers that ring are told what came.
    fn show_content(&mut self, id: InteractionId) {
        let Some(card) = self.cards.shown.get(&id).cloned() else {
            return;
        };
        let rings = |l: &crate::leg::LegEntry| l.interaction == id && !l.inbound && !l.answered;
        let legs = self
            .legs
            .iter()
            .filter(|(_, l)| l.web.is_some() && rings(l));
        let mut legs: Vec<LegId> = legs.map(|(leg, _)| *leg).collect();
        legs.sort_unstable();
        for leg in legs {
            let card = Box::new(card.clone());
            self.signal_leg(leg, Signal::Card { leg, card });
        }
    }

    /// Somebody took the call: what was offered is given, once.
    fn give(&mut self, id: InteractionId, leg: LegId) {
        if let Some((brand, incentive)) = self.cards.offered.remove(&leg) {
            if self.cards.gave.insert(id, brand) == Some(brand) {
                return;
            }
            *self.cards.given.entry(brand).or_default() += 1;
            return self.note_given(id, leg, incentive, Some(brand));
        }
        let entry = self.interactions.get(&id);
        let taken = entry
            .and_then(|e| e.interaction.state().leg(leg))
            .is_some_and(|l| {
                l.direction == Direction::Outbound && l.role != event::LegRole::Supervisor
            });
        let Some(card) = self.cards.shown.get_mut(&id).filter(|_| taken) else {
            return;
        };
        let Some(incentive) = card.incentive.clone().filter(|_| !card.incentive_given) else {
            return;
        };
        card.incentive_given = true;
        self.note_given(id, leg, incentive, None);
    }

    fn note_given(
        &mut self,
        id: InteractionId,
        leg: LegId,
        incentive: CardIncentive,
        brand: Option<BrandId>,
    ) {
        let event = Event::CardIncentiveGiven {
            leg,
            incentive,
            brand,
        };
        self.work.push_back((id, IxInput::Noted(event)));
    }

    /// The name a phone shows, where the call's metadata has one.
    pub(crate) fn card_name(&self, id: InteractionId) -> Option<String> {
        let name = self.cards.shown.get(&id)?.name.as_ref()?;
        Some(name.expose().clone())
    }

    /// The card as a desk phone takes it (RFC 9796): it trusts us, so it is told in Call-Info.
    pub(crate) fn card_to_phone(&self, id: InteractionId) -> Vec<Header> {
        let Some(card) = self.cards.shown.get(&id) else {
            return Vec::new();
        };
        let told = Told {
            picture: card.picture.as_deref().map(|p| self.picture_url(p)),
            reason: card.reason.as_ref().map(|r| r.expose().as_str()),
            link: card.link.as_ref().map(|l| l.expose().as_str()),
            verified: card.proof == CardProof::Signed,
        };
        told.headers()
    }

    fn picture_url(&self, path: &str) -> String {
        let base = self.identity.config.pictures_url.trim_end_matches('/');
        match base {
            "" => String::new(),
            base => format!("{base}{path}"),
        }
    }

    /// The brand of a call of ours that shows this number.
    pub(crate) fn brand_of(&self, tenant: TenantId, caller: &Identifier) -> Option<Brand> {
        let s = &self.index.snapshot;
        let number = s
            .numbers
            .iter()
            .find(|n| n.tenant == tenant && n.number.trim_start_matches('+') == caller.as_str())?;
        let ours = |b: &&Brand| b.tenant == tenant && !b.disabled && b.numbers.contains(&number.id);
        s.brands.iter().find(ours).cloned()
    }

    /// The picture of a brand: where it is, and its digest as tokens have it.
    fn brand_picture(&self, brand: &Brand) -> Option<(String, String)> {
        let pictures = &self.index.snapshot.pictures;
        let picture = pictures.iter().find(|p| Some(p.id) == brand.picture)?;
        let url = self.picture_url(&format!("/pictures/{}", picture.digest));
        let digest = cp_identity::rcd::digest_of_hex(&picture.digest)?;
        (!url.is_empty()).then_some((url, digest))
    }

    /// What a brand adds to the token of a call (RFC 9795), with what is still there to be offered.
    pub(crate) fn brand_claims(
        &mut self,
        now: Timestamp,
        leg: LegId,
        brand: &Brand,
    ) -> cp_identity::json::Object {
        let wall = self.wall(now);
        let before = self.cards.offered.get(&leg).cloned();
        let offer = before.map(|(_, i)| i).or_else(|| {
            let shown = brand.shows(self.cards.used(brand.id), wall)?;
            Some(CardIncentive {
                id: brand.id.to_string(),
                text: shown.text.clone(),
            })
        });
        if let Some(offer) = &offer {
            self.cards.offered.insert(leg, (brand.id, offer.clone()));
        }
        let offer = offer.map(|o| Incentive {
            id: o.id,
            text: o.text,
        });
        let picture = self.brand_picture(brand);
        // A verifier takes https alone, and one rule that fails spoils all of it (RFC 9795 8).
        let picture = picture.filter(|(url, _)| url.starts_with("https://"));
        let picture = picture.as_ref().map(|(u, d)| (u.as_str(), d.as_str()));
        card::made(
            &brand.name,
            &brand.reason,
            picture,
            &brand.link,
            offer.as_ref(),
        )
    }

    /// What a brand adds beside the token, and what the log is told.
    pub(crate) fn brand_headers(
        &mut self,
        id: InteractionId,
        leg: LegId,
        brand: &Brand,
        caller: &Identifier,
        called: &Identifier,
    ) -> Vec<Header> {
        let (caller, called, ring) = (
            dialled(caller.as_str()),
            dialled(called.as_str()),
            leg.to_string(),
        );
        let call = Call {
            caller: &caller,
            called: &called,
            ring: &ring,
            language: LANGUAGE,
            region: None,
        };
        let link = card::fill(&brand.link, &call).ok();
        let told = Told {
            picture: self.brand_picture(brand).map(|(url, _)| url),
            reason: Some(brand.reason.as_str()).filter(|r| !r.is_empty()),
            link: link.as_deref(),
            verified: false,
        };
        let headers = told.headers();
        let incentive = self.cards.offered.get(&leg).map(|(_, i)| i.clone());
        let event = Event::CardSent {
            leg,
            brand: brand.id,
            incentive,
        };
        self.work.push_back((id, IxInput::Noted(event)));
        headers
    }
}

/// What Call-Info says of a caller.
struct Told<'a> {
    picture: Option<String>,
    reason: Option<&'a str>,
    link: Option<&'a str>,
    verified: bool,
}

impl Told<'_> {
    fn headers(self) -> Vec<Header> {
        let verified = if self.verified {
            ";verified=\"true\""
        } else {
            ""
        };
        let mut values = Vec::new();
        if let Some(url) = self.picture.filter(|u| !u.is_empty()) {
            values.push(format!("<{url}>;purpose=icon{verified}"));
        }
        if let Some(reason) = self.reason {
            let reason = quoted(reason);
            values.push(format!(
                "<data:>;purpose=jcard;call-reason=\"{reason}\"{verified}"
            ));
        }
        if let Some(link) = self.link {
            values.push(format!("<{link}>;purpose=info"));
        }
        let headers = values.into_iter().map(|v| ("Call-Info".to_string(), v));
        // Phones that know nothing of it show the subject of a call (RFC 3261 20.36).
        let subject = self.reason.map(|r| ("Subject".to_string(), r.to_string()));
        headers.chain(subject).collect()
    }
}

/// The inside of a quoted string (RFC 3261 25.1).
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A canonical number as it is dialled.
fn dialled(canonical: &str) -> String {
    match is_canonical_number(canonical) {
        true => format!("+{canonical}"),
        false => canonical.to_string(),
    }
}

/// What a card is made of: the event, or why there is none.
type Decoded = Result<Event, &'static str>;

/// From tokens. `None`: they have no rich call data.
fn signed(leg: LegId, known: &CallIdentity) -> Option<Decoded> {
    if known.rich.is_empty() {
        return None;
    }
    if known.replayed {
        return Some(Err(Plain::OtherCall.code()));
    }
    let mut rich: Vec<_> = known.rich.iter().filter(|r| r.holds).collect();
    // Who vouches for the number goes before others, a token of its own before one that has more.
    rich.sort_by_key(|r| (r.rich.third_party, !r.rich.own_token));
    let mut why = None;
    for data in rich {
        match with_call(leg, known, |call| card::judge(&data.rich.claims, call)) {
            Ok(card) => return Some(Ok(decoded(leg, CardProof::Signed, data.by.clone(), card))),
            Err(plain) => why = why.or(Some(plain.code())),
        }
    }
    // A token of its own that breaks a rule of its kind is refused for that.
    let mut unheld = known.rich.iter().filter(|r| !r.holds);
    let unread = unheld.any(|r| cp_identity::rcd::read(&r.rich.claims).is_err());
    let unread = unread.then(|| Plain::Malformed(RcdFault::Card).code());
    Some(Err(why.or(unread).unwrap_or(NOT_VERIFIED)))
}

/// From Call-Info of a trunk. `None`: it says nothing that is shown.
fn told(
    leg: LegId,
    name: Option<&str>,
    invite: &Message,
    known: &CallIdentity,
    trunk: &Trunk,
) -> Option<Decoded> {
    let values: Vec<&str> = invite.headers(HeaderName::CallInfo).collect();
    if !call_info::is_rich(&values) {
        return None;
    }
    if !trunk.identity.trusted {
        return Some(Err(NOT_TRUSTED));
    }
    let shown = invite
        .from()
        .and_then(|f| crate::identity::identifier(f.uri, &trunk.rules));
    let shown = shown.map(|s| dialled(s.as_str())).unwrap_or_default();
    let judged = with_call(leg, known, |call| {
        call_info::judge(&values, name, &shown, call)
    });
    Some(match judged {
        Ok(card) => Ok(decoded(
            leg,
            CardProof::Trunk,
            Some(trunk.name.clone()),
            card,
        )),
        Err(plain) => Err(plain.code()),
    })
}

/// The call as metadata must know it. One that was sent on was made to whom it was sent to first.
fn with_call<R>(leg: LegId, known: &CallIdentity, with: impl FnOnce(&Call<'_>) -> R) -> R {
    let caller = known.orig.as_deref().map(dialled).unwrap_or_default();
    let first = known.diversions.first().map(String::as_str);
    let ends_at = known.ends_at.as_ref().map(Identifier::as_str);
    let called = first.or(ends_at).map(dialled).unwrap_or_default();
    with(&Call {
        caller: &caller,
        called: &called,
        ring: &leg.to_string(),
        language: LANGUAGE,
        region: None,
    })
}

fn decoded(leg: LegId, proof: CardProof, by: Option<String>, card: Card) -> Event {
    let (picture, picture_digest) = match card.picture {
        Some(p) => (Some(Pii(p.address)), p.digest),
        None => (None, None),
    };
    let mut details_digests = card.details_digests;
    let details = card.details.map(|d| {
        details_digests.extend(d.digest.map(|digest| (String::new(), digest)));
        Pii(d.address)
    });
    Event::CardDecoded {
        leg,
        proof,
        by,
        name: card.name.map(Pii),
        reason: card.reason.map(Pii),
        picture,
        picture_digest,
        details,
        details_digests,
        link: card.link.map(Pii),
        incentive: card.incentive.map(|i| CardIncentive {
            id: i.id,
            text: i.text,
        }),
    }
}
