//! Announced calls (S4.3): taking announcements, matching the call, and announcing our own.

use crate::desk::{Desk, lock, random};
use crate::error::{ProofError, Result};
use crate::message::{Route, SendFault};
use crate::settle::Call;
use aws_lc_rs::rand::SystemRandom;
use cp_identity::proof::code;
use cp_identity::proof::jws::TokenFault;
use cp_identity::proof::precall::{self, Announcement, Notice};
use cp_identity::proof::record::{ClaimedBy, Proven, Record};
use cp_store::{Precall, StoreError, Ticket};
use cp_vocab::pace::Pace;
use cp_vocab::person::{Identity, IdentityKind, ProofMethod, ProofStep};
use cp_vocab::trust::TrustLevel;
use cp_vocab::*;
use serde::Serialize;
use std::time::Duration;

const NONCE: &str = "precall";
/// Records of a call's log looked at for what its network says of the caller.
const LOG_LOOKED_AT: usize = 20;

/// Announcements of one partner in a minute; further ones are not taken.
const OF_PARTNER_MAX: u32 = 120;
/// Announcements of one identifier in a tenant in a minute; further ones are not taken.
const OF_IDENTIFIER_MAX: u32 = 5;
/// Partners and identifiers that are counted at a time; at that many all begin anew.
const COUNTED_MAX: usize = 100_000;

/// How fast calls may be announced. Counted are announcements that their partner signed, so that
/// nobody else uses up its share.
pub(crate) struct Paces {
    partners: Pace<CallerPartnerId>,
    identifiers: Pace<(TenantId, String)>,
}

impl Default for Paces {
    fn default() -> Self {
        Self {
            partners: Pace::new(OF_PARTNER_MAX, COUNTED_MAX),
            identifiers: Pace::new(OF_IDENTIFIER_MAX, COUNTED_MAX),
        }
    }
}

/// Why an announcement was not taken; logged, and told nobody.
enum NotTaken {
    Token(TokenFault),
    TooMany,
    Failed(ProofError),
}

impl NotTaken {
    fn code(&self) -> &'static str {
        match self {
            Self::Token(fault) => fault.code(),
            Self::TooMany => "too_many_requests",
            Self::Failed(e) => e.code().as_str(),
        }
    }
}

impl From<TokenFault> for NotTaken {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}
impl From<StoreError> for NotTaken {
    fn from(e: StoreError) -> Self {
        Self::Failed(e.into())
    }
}

/// What the house wants to announce.
pub struct NoticeWish {
    pub from: String,
    pub to: String,
    pub reason: Option<String>,
    pub valid_s: u64,
    /// Where it is sent; none: it is only made.
    pub send: Option<(Route, String)>,
}

#[derive(Clone, Debug, Serialize)]
pub struct NoticeMade {
    /// The signed notice.
    pub notice: String,
    /// A page that says whose it is.
    pub link: String,
    pub expires_at: String,
    pub sent: bool,
}

impl Desk {
    /// Takes an announcement. Whoever sent it hears nothing of the outcome: what is wrong is logged
    /// here, by its code alone.
    pub fn announced(&self, token: &str) {
        match self.announce(token) {
            Ok(id) => tracing::info!(precall = %id, "a call was announced"),
            Err(NotTaken::Failed(error)) => {
                tracing::warn!(%error, "an announcement could not be taken");
            }
            Err(fault) => tracing::info!(code = fault.code(), "an announcement was not taken"),
        }
    }

    fn announce(&self, token: &str) -> Result<PrecallId, NotTaken> {
        let now = self.now();
        let partner = precall::partner_of(token).ok_or(TokenFault::Malformed)?;
        let partner = self.store.caller_partner(partner)?;
        let partner = partner.ok_or(TokenFault::UnknownKey)?;
        let said = precall::verify(token, &partner, now)?;
        let identifier = precall::identifier(said.from.expose());
        let in_time = {
            let mut paces = lock(&self.paces);
            let of_partner = paces.partners.take(now, partner.id, 1);
            of_partner.is_ok()
                && paces
                    .identifiers
                    .take(now, (partner.tenant, identifier.clone()), 1)
                    .is_ok()
        };
        if !in_time {
            return Err(NotTaken::TooMany);
        }
        let until = Timestamp::from_secs(said.exp);
        // Kept past the token's life and the clocks' difference, so that no copy is taken twice.
        let purpose = format!("{NONCE}:{}", partner.id);
        let nonce = Ticket {
            key: Pii(code::key(&purpose, &said.jti)),
            tenant: partner.tenant,
            kind: NONCE.into(),
            interaction: None,
            body: Pii("{}".into()),
            expires_at: until + Duration::from_secs(2 * precall::SKEW_S),
        };
        match self.store.ticket_put(nonce) {
            Ok(()) => {}
            Err(StoreError::Conflict { .. }) => return Err(TokenFault::Revoked.into()),
            Err(e) => return Err(e.into()),
        }
        let id = self.new_id();
        let body =
            serde_json::to_string(&said).map_err(|_| NotTaken::Failed(ProofError::Crypto))?;
        let called = said.to.as_ref().map(|t| precall::identifier(t.expose()));
        let made = self.store.precall_put(
            Precall {
                id,
                tenant: partner.tenant,
                partner: partner.id,
                called: Pii(called.unwrap_or_default()),
                identifier: Pii(identifier),
                body: Pii(body),
                made_at: now,
                expires_at: until,
                interaction: None,
            },
            partner.open_max,
            now,
        );
        made?;
        Ok(id)
    }

    /// A call may only go on if it was announced: one announcement, one call.
    pub(crate) fn expected(&self, call: Call, leg: LegId) -> Result<()> {
        let _turn = self.turn(call.id);
        let mut record = self.record(call.tenant, call.id)?;
        record.leg.get_or_insert(leg);
        // A number that its network says is not the caller's was not announced by the caller.
        let refuted = self.network_refutes(call)?;
        let found = if refuted {
            None
        } else {
            let caller = precall::identifier(record.caller.expose());
            let called = precall::identifier(record.called.expose());
            let now = self.now();
            self.store
                .precall_claim(call.tenant, &caller, &called, call.id, now)?
        };
        let met = found.is_some();
        if let Some(found) = found {
            self.recognise(call, &mut record, &found)?;
        }
        self.tell(
            call.tenant,
            Command::EndAwait {
                interaction: call.id,
                met,
                queue: None,
                priority: 0,
            },
        );
        Ok(())
    }

    fn network_refutes(&self, call: Call) -> Result<bool> {
        let stream = StreamId::Interaction(call.id);
        let log = self.store.stream(stream, 1, LOG_LOOKED_AT)?;
        let refuted = |r: &EventRecord| match &r.event {
            Event::IdentityJudged { trust, .. } => trust.level == TrustLevel::Refuted,
            _ => false,
        };
        Ok(log.iter().any(refuted))
    }

    /// Who announced it is part of what is known of the caller from now on.
    fn recognise(&self, call: Call, record: &mut Record, found: &Precall) -> Result<()> {
        let said: Option<Announcement> = serde_json::from_str(found.body.expose()).ok();
        let partner = self.store.caller_partner(found.partner)?;
        record.announced_by = partner.as_ref().map(|p| p.name.clone());
        record.announced_name = said.as_ref().and_then(|s| s.name.clone());
        let named = said.and_then(|s| s.customer);
        let person = match (partner.and_then(|p| p.person), named) {
            (Some(person), _) => self.store.person(call.tenant, person)?,
            (None, Some(named)) => match identity(named.expose()) {
                Some(i) => self.store.person_by_identity(call.tenant, &i)?,
                None => None,
            },
            (None, None) => None,
        };
        if let Some(person) = person {
            record.claim(person.row.id, ClaimedBy::Announcement);
            record.add(Proven {
                method: ProofMethod::Announced,
                at: self.now(),
                intent: None,
                by: record.announced_by.clone(),
            });
        }
        self.settle(call, record, ProofStep::Proven)
    }

    /// Signs a notice that the house is about to call, and sends it when it is to be sent.
    ///
    /// # Errors
    /// `NoMessages` or `Message` when it cannot be sent.
    pub fn notice(&self, tenant: TenantId, wish: &NoticeWish) -> Result<NoticeMade> {
        let snapshot = self.store.snapshot()?;
        let house = snapshot.tenants.iter().find(|t| t.id == tenant);
        let at = self.now().as_millis() / 1_000;
        let notice = Notice {
            iss: house.map_or_else(String::new, |t| t.name.clone()),
            tenant,
            jti: cp_identity::b64::encode(&random::<16>()?),
            iat: at,
            exp: at + wish.valid_s,
            from: Pii(precall::identifier(&wish.from)),
            to: Pii(precall::identifier(&wish.to)),
            reason: wish.reason.clone().map(Pii),
        };
        let ring = self.ring();
        let key = ring.signing().ok_or(ProofError::Crypto)?;
        let signed = precall::sign_notice(key, &notice, &SystemRandom::new());
        let signed = signed.ok_or(ProofError::Crypto)?;
        let link = format!("{}/prove#notice={signed}", self.settings.public_url);
        if let Some((route, to)) = &wish.send {
            let reason = wish.reason.as_ref().map(|r| format!(" about {r}"));
            let text = format!(
                "{} will call you{} from {}. Check that it is us: {link}\n",
                notice.iss,
                reason.unwrap_or_default(),
                notice.from.expose()
            );
            let to = Pii(to.clone());
            let sent = self
                .messages
                .send(*route, &to, "We will call you", &Pii(text));
            sent.map_err(|e| match e {
                SendFault::NotSetUp => ProofError::NoMessages,
                other => ProofError::Message(other.to_string()),
            })?;
        }
        Ok(NoticeMade {
            notice: signed,
            link,
            expires_at: Timestamp::from_secs(notice.exp).to_rfc3339(),
            sent: wish.send.is_some(),
        })
    }

    /// Whether a notice is ours and still good.
    pub fn verify_notice(&self, token: &str) -> Result<Notice, TokenFault> {
        let now = self.now();
        precall::verify_notice(self.ring().live(now), token, now)
    }
}

/// `email:ann@example.org`, `account:4711`, `phone:+1…`.
fn identity(text: &str) -> Option<Identity> {
    let (kind, value) = text.split_once(':')?;
    let kinds = [
        IdentityKind::Phone,
        IdentityKind::Email,
        IdentityKind::Account,
        IdentityKind::Device,
    ];
    let kind = kinds.into_iter().find(|k| k.as_str() == kind)?;
    Some(Identity::canonical(kind, value))
}
