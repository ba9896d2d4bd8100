//! A browser or app beside the call. It is tied to the call by repeating a number of it, and proves
//! the caller who is on the line; until both are right, nothing of the call changes.
//!
//! A channel is named by a secret that only its holder has. How it is opened: by a link sent to the
//! customer, or by an app that names who calls whom. Requests to the device (camera, menus, stored
//! data) come with the channels and go over the same session.

use crate::credential::{DeviceBody, PasskeyBody};
use crate::desk::{Desk, random};
use crate::error::{ProofError, Result};
use crate::message::{Route, SendFault};
use crate::settle::Call;
use crate::verify::{CODE, Entry, body};
use cp_identity::proof::record::{ClaimedBy, Proven, Record};
use cp_identity::proof::{code, device, pairing};
use cp_identity::webauthn;
use cp_store::{InteractionFilter, PageRequest, Ticket};
use cp_vocab::person::{IdentityKind, ProofMethod, ProofStep};
use cp_vocab::*;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const CHANNEL: &str = "channel";
const LINK: &str = "link";
/// A channel lasts this long at most without a call.
const CHANNEL_S_MAX: u64 = 15 * 60;
/// Calls looked at to find the one a channel names.
const CALLS_LOOKED_AT: usize = 50;

/// What is kept of a channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Channel {
    /// What it signs: one use each.
    nonce: String,
    /// Named when it was opened by an app.
    #[serde(default)]
    caller: Pii<String>,
    #[serde(default)]
    called: Pii<String>,
    /// It was opened by a link sent to the customer.
    #[serde(default)]
    by_link: bool,
    #[serde(default)]
    wrong: u32,
    #[serde(default)]
    paired: bool,
}

/// An opened channel, for its holder.
#[derive(Clone, Debug, Serialize)]
pub struct Opened {
    /// Secret; names the channel from now on.
    pub session: String,
    /// What a device key signs.
    pub challenge: String,
    /// What a passkey signs (base64url).
    pub passkey_challenge: String,
    /// The domain passkeys are for.
    pub rp_id: String,
}

/// How a channel stands.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelState {
    pub paired: bool,
    pub level: u8,
    pub methods: Vec<ProofMethod>,
    /// A new challenge, when one was used.
    pub challenge: String,
    pub passkey_challenge: String,
}

/// What was made for a call by `channel-upgrade`.
#[derive(Clone, Debug, Serialize)]
pub struct Upgrade {
    /// The link, when it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Tell the caller this number; the page asks for it.
    pub number: String,
    pub sent: bool,
}

/// What is brought over a channel.
pub enum ChannelProof {
    /// That the link was opened, which was sent to an address of the customer.
    Link,
    Entry(Entry),
    DeviceKey {
        credential: CredentialId,
        signature: Vec<u8>,
    },
    Passkey {
        id: Vec<u8>,
        client_data_json: Vec<u8>,
        authenticator_data: Vec<u8>,
        signature: Vec<u8>,
    },
}

impl ChannelProof {
    fn method(&self) -> ProofMethod {
        match self {
            Self::Link => ProofMethod::Link,
            Self::Entry(e) => e.method(),
            Self::DeviceKey { .. } => ProofMethod::DeviceKey,
            Self::Passkey { .. } => ProofMethod::Passkey,
        }
    }
}

impl Desk {
    /// An address of the customer that words can be sent to now.
    pub(crate) fn address_of(
        &self,
        tenant: TenantId,
        person: PersonId,
    ) -> Result<Option<(Route, Pii<String>)>> {
        let Some(row) = self.store.person(tenant, person)? else {
            return Ok(None);
        };
        let ways = [
            (Route::Email, IdentityKind::Email),
            (Route::Sms, IdentityKind::Phone),
        ];
        for (route, kind) in ways {
            let found = row.row.identities.iter().find(|i| i.kind == kind);
            if let Some(found) = found.filter(|_| self.messages.can(route)) {
                return Ok(Some((route, found.value.clone())));
            }
        }
        Ok(None)
    }

    fn send(&self, call: Call, record: &Record, subject: &str, text: String) -> Result<()> {
        let person = record.person.ok_or(ProofError::NoPerson)?;
        let to = self.address_of(call.tenant, person)?;
        let (route, to) = to.ok_or(ProofError::NoMessages)?;
        match self.messages.send(route, &to, subject, &Pii(text)) {
            Ok(()) => Ok(()),
            Err(SendFault::NotSetUp) => Err(ProofError::NoMessages),
            Err(e) => Err(ProofError::Message(e.to_string())),
        }
    }

    /// Sends a one-time code to the customer's own address. It is good in this call alone.
    pub(crate) fn send_code(&self, call: Call, record: &Record) -> Result<()> {
        let secret = code::code(random()?);
        let valid = self.policy(call.tenant)?.code_s_max;
        let purpose = format!("{CODE}:{}", call.id);
        self.store.ticket_put(Ticket {
            key: Pii(code::key(&purpose, &secret)),
            tenant: call.tenant,
            kind: CODE.into(),
            interaction: Some(call.id),
            body: Pii("{}".into()),
            expires_at: self.now() + Duration::from_secs(valid.into()),
        })?;
        let shown = format!("{} {}", &secret[..4], &secret[4..]);
        let text = format!(
            "Your code is {shown}\n\nIt is for your call of now. Enter it on your telephone, or tell it to \
             the person you are talking to. If you are not calling us, ignore this message and tell nobody.\n"
        );
        self.send(call, record, "Your code for this call", text)
    }

    /// Sends a link to the customer's own address, or gives it to the caller of this.
    pub(crate) fn send_link(
        &self,
        call: Call,
        record: &mut Record,
        show: Option<&mut String>,
    ) -> Result<()> {
        let secret = code::token(&random()?);
        let valid = self.policy(call.tenant)?.code_s_max;
        if record.spoken.is_none() {
            record.spoken = Some(Pii(pairing::spoken(random()?)));
        }
        let sent = show.is_none();
        self.store.ticket_put(Ticket {
            key: Pii(code::key(LINK, &secret)),
            tenant: call.tenant,
            kind: LINK.into(),
            interaction: Some(call.id),
            body: Pii(serde_json::json!({ "sent": sent }).to_string()),
            expires_at: self.now() + Duration::from_secs(valid.into()),
        })?;
        record.channel = true;
        self.keep(call.tenant, call.id, record)?;
        let link = format!("{}/prove#{secret}", self.settings.public_url);
        match show {
            Some(out) => {
                *out = link;
                Ok(())
            }
            None => {
                let text = format!(
                    "Open this page to show that it is you who is calling us:\n{link}\n\nIt asks for the \
                     number you are told on the telephone. If you are not calling us, ignore this message.\n"
                );
                self.send(call, record, "Your call", text)
            }
        }
    }

    /// Makes a link for the caller: sent to an address of the customer, or shown.
    ///
    /// # Errors
    /// `NoPerson` and `NoMessages` when it is to be sent; `Ended`.
    pub fn upgrade(&self, tenant: TenantId, id: InteractionId, send: bool) -> Result<Upgrade> {
        let call = Call { tenant, id };
        let _turn = self.turn(id);
        let mut record = self.record(tenant, id)?;
        self.identify(call, &mut record)?;
        let mut link = String::new();
        self.send_link(call, &mut record, (!send).then_some(&mut link))?;
        let number = record.spoken.map(Pii::into_inner).unwrap_or_default();
        Ok(Upgrade {
            link: (!send).then_some(link),
            number,
            sent: send,
        })
    }

    fn put_channel(
        &self,
        tenant: TenantId,
        interaction: Option<InteractionId>,
        channel: &mut Channel,
    ) -> Result<Opened> {
        let secret = code::token(&random()?);
        channel.nonce = cp_identity::b64::encode(&random::<32>()?);
        self.store.ticket_put(Ticket {
            key: Pii(code::key(CHANNEL, &secret)),
            tenant,
            kind: CHANNEL.into(),
            interaction,
            body: Pii(text_of(channel)?),
            expires_at: self.now() + Duration::from_secs(CHANNEL_S_MAX),
        })?;
        Ok(Opened {
            challenge: self.challenge(&secret, &channel.nonce),
            session: secret,
            passkey_challenge: channel.nonce.clone(),
            rp_id: self.relying_party().id,
        })
    }

    /// Opens a channel by the link that was sent. A link opens one channel.
    ///
    /// # Errors
    /// `NotProven` for a link that is unknown, used or too old.
    pub fn open_link(&self, secret: &str) -> Result<Opened> {
        let key = code::key(LINK, secret);
        let ticket = self.store.ticket_take(LINK, &key, self.now())?;
        let ticket = ticket.ok_or(ProofError::NotProven)?;
        let sent = serde_json::from_str::<serde_json::Value>(ticket.body.expose());
        let mut channel = Channel {
            by_link: sent.is_ok_and(|v| v["sent"] == true),
            ..Channel::default()
        };
        self.put_channel(ticket.tenant, ticket.interaction, &mut channel)
    }

    /// Opens a channel for an app that says who calls whom. Whether such a call is there, and
    /// whether anybody knows that number, does not show.
    pub fn open_channel(&self, caller: &str, called: &str) -> Result<Opened> {
        let snapshot = self.store.snapshot()?;
        let number = snapshot
            .numbers
            .iter()
            .find(|n| n.public && n.number == called.trim());
        let nobody = cp_vocab::id::TypedId::from_u128(0);
        let tenant = number.map_or(nobody, |n| n.tenant);
        let mut channel = Channel {
            caller: Pii(caller.trim().to_string()),
            called: Pii(called.trim().to_string()),
            ..Channel::default()
        };
        self.put_channel(tenant, None, &mut channel)
    }

    fn channel(&self, secret: &str) -> Result<(Ticket, Channel)> {
        let key = code::key(CHANNEL, secret);
        let ticket = self.store.ticket(CHANNEL, &key, self.now())?;
        let ticket = ticket.ok_or(ProofError::NotProven)?;
        let channel = serde_json::from_str(ticket.body.expose());
        Ok((ticket, channel.map_err(|_| ProofError::NotProven)?))
    }

    fn keep_channel(&self, mut ticket: Ticket, channel: &Channel) -> Result<()> {
        ticket.body = Pii(text_of(channel)?);
        Ok(self.store.ticket_change(ticket)?)
    }

    /// The live call a channel is about: the one its link was made for, or the one that the numbers
    /// it named lead to.
    fn call_of(&self, ticket: &Ticket, channel: &Channel) -> Result<Option<Call>> {
        let tenant = ticket.tenant;
        if let Some(id) = ticket.interaction {
            return Ok(Some(Call { tenant, id }));
        }
        let caller = channel.caller.expose();
        if caller.is_empty() {
            return Ok(None);
        }
        let filter = InteractionFilter {
            open: Some(true),
            party: Some(caller.clone()),
            ..InteractionFilter::default()
        };
        let page = PageRequest::first(CALLS_LOOKED_AT);
        let calls = self.store.interactions(tenant, &filter, &page)?;
        let wanted = |r: &&cp_store::InteractionRow| {
            pairing::matches(caller, r.from.expose().user(), None)
                && pairing::matches(channel.called.expose(), r.to.expose().user(), None)
        };
        let mut fits = calls.items.iter().filter(wanted);
        // Two calls from one number: which one is meant cannot be known.
        match (fits.next(), fits.next()) {
            (Some(one), None) => Ok(Some(Call { tenant, id: one.id })),
            _ => Ok(None),
        }
    }

    /// Ties the channel to the live call by the number it repeats, and takes the proof. Both must
    /// hold; otherwise the call stays as it is.
    ///
    /// # Errors
    /// `NotProven` whatever is wrong; `Locked`.
    pub fn channel_auth(
        &self,
        secret: &str,
        number: &str,
        proof: &ChannelProof,
        intent: Option<String>,
    ) -> Result<ChannelState> {
        let (ticket, mut channel) = self.channel(secret)?;
        let used = channel.nonce.clone();
        // Whatever follows, this challenge is used up.
        channel.nonce = cp_identity::b64::encode(&random::<32>()?);
        channel.wrong += 1;
        if channel.wrong > pairing::TRIES_MAX {
            self.store
                .ticket_take(CHANNEL, ticket.key.expose(), self.now())?;
            return Err(ProofError::NotProven);
        }
        self.keep_channel(ticket.clone(), &channel)?;
        let named = self.call_of(&ticket, &channel)?;
        let _turn = named.map(|call| self.turn(call.id));
        let paired = match named {
            Some(call) => self.repeated(call, number)?.map(|record| (call, record)),
            None => None,
        };
        let Some((call, mut record)) = paired else {
            // Time does not tell either whether there is such a call.
            if let ChannelProof::Entry(entry) = proof {
                self.pretend(entry);
            }
            return Err(ProofError::NotProven);
        };
        self.identify(call, &mut record)?;
        self.check_over_channel(call, &mut record, &channel, (secret, &used), proof)?;
        channel.wrong = 0;
        channel.paired = true;
        let mut ticket = ticket;
        ticket.interaction = Some(call.id);
        self.keep_channel(ticket.clone(), &channel)?;
        record.channel = true;
        record.add(Proven {
            method: proof.method(),
            at: self.now(),
            intent,
            by: None,
        });
        self.settle(call, &mut record, ProofStep::Proven)?;
        self.state_of(&ticket, &channel, secret, Some(&record))
    }

    /// What is known of a live call, when it is one of its numbers that was repeated.
    fn repeated(&self, call: Call, number: &str) -> Result<Option<Record>> {
        let record = match self.record(call.tenant, call.id) {
            Ok(record) => record,
            Err(ProofError::Ended) => return Ok(None),
            Err(e) => return Err(e),
        };
        let spoken = record.spoken.as_ref().map(|s| s.expose().as_str());
        let fits = pairing::matches(number, record.caller.expose(), spoken);
        Ok(fits.then_some(record))
    }

    fn check_over_channel(
        &self,
        call: Call,
        record: &mut Record,
        channel: &Channel,
        (secret, nonce): (&str, &str),
        proof: &ChannelProof,
    ) -> Result<()> {
        match proof {
            ChannelProof::Link if channel.by_link && record.person.is_some() => Ok(()),
            ChannelProof::Link => Err(ProofError::NotProven),
            ChannelProof::Entry(entry) => self.check(call, record, entry).map(|_| ()),
            ChannelProof::DeviceKey {
                credential,
                signature,
            } => {
                let kept = self.store.credential(*credential)?;
                let kept =
                    kept.filter(|c| c.tenant == call.tenant && c.method == ProofMethod::DeviceKey);
                let kept = kept.ok_or(ProofError::NotProven)?;
                self.same_person(record, kept.person)?;
                let found: DeviceBody = body(&kept).ok_or(ProofError::NotProven)?;
                let key = cp_identity::b64::decode(&found.key).unwrap_or_default();
                let signed = self.challenge(secret, nonce);
                if !device::verify(found.kind, &key, &signed, signature) {
                    return Err(ProofError::NotProven);
                }
                record.claim(kept.person, ClaimedBy::Channel);
                Ok(self.store.credential_used(kept.id, kept.body, self.now())?)
            }
            ChannelProof::Passkey {
                id,
                client_data_json,
                authenticator_data,
                signature,
            } => {
                let used = webauthn::Assertion {
                    credential_id: id,
                    client_data_json,
                    authenticator_data,
                    signature,
                };
                self.check_passkey(call, record, nonce, used)
            }
        }
    }

    fn check_passkey(
        &self,
        call: Call,
        record: &Record,
        nonce: &str,
        used: webauthn::Assertion<'_>,
    ) -> Result<()> {
        let person = record.person.ok_or(ProofError::NotProven)?;
        let challenge = cp_identity::b64::decode(nonce).unwrap_or_default();
        let policy = webauthn::Policy {
            user_verification: true,
            ..webauthn::Policy::default()
        };
        let id = cp_identity::b64::encode(used.credential_id);
        for kept in self.store.credentials(call.tenant, person)? {
            let found: Option<PasskeyBody> = body(&kept);
            let Some(mut found) = found.filter(|b| b.id == id) else {
                continue;
            };
            let key = found.credential().ok_or(ProofError::NotProven)?;
            let rp = self.relying_party();
            match webauthn::authenticate(&rp, policy, &challenge, &key, used) {
                Ok(proof) => {
                    found.sign_count = proof.sign_count;
                    found.backed_up = proof.backed_up;
                    let body = Pii(text_of(&found)?);
                    return Ok(self.store.credential_used(kept.id, body, self.now())?);
                }
                Err(e) => {
                    tracing::info!(interaction = %call.id, code = e.code(), "a passkey was refused");
                    return Err(ProofError::NotProven);
                }
            }
        }
        Err(ProofError::NotProven)
    }

    /// Somebody else's key proves nothing of this caller. A caller whom only the number names may
    /// turn out to be another person who has the key and the number to repeat.
    fn same_person(&self, record: &Record, person: PersonId) -> Result<()> {
        match record.person {
            Some(p) if p != person && record.claimed_by != Some(ClaimedBy::Caller) => {
                Err(ProofError::NotProven)
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// `NotProven` for a channel that is not there (any more).
    pub fn channel_state(&self, secret: &str) -> Result<ChannelState> {
        let (ticket, channel) = self.channel(secret)?;
        let record = match ticket.interaction.filter(|_| channel.paired) {
            Some(id) => self.record(ticket.tenant, id).ok(),
            None => None,
        };
        self.state_of(&ticket, &channel, secret, record.as_ref())
    }

    fn state_of(
        &self,
        ticket: &Ticket,
        channel: &Channel,
        secret: &str,
        record: Option<&Record>,
    ) -> Result<ChannelState> {
        let policy = self.policy(ticket.tenant)?;
        let now = self.now();
        Ok(ChannelState {
            paired: channel.paired,
            level: record.map_or(0, |r| r.level(&policy, now)),
            methods: record.map_or_else(Vec::new, |r| r.methods(&policy, now)),
            challenge: self.challenge(secret, &channel.nonce),
            passkey_challenge: channel.nonce.clone(),
        })
    }

    /// What a device key signs: for this server and this channel, which it names without giving its
    /// secret away. Whose the number is that was named does not show in it.
    fn challenge(&self, secret: &str, nonce: &str) -> String {
        let subject = cp_identity::b64::encode(&code::key("subject", secret));
        device::challenge(&self.relying_party().id, &subject, nonce)
    }

    /// The domain and origin passkeys are made for: where customers' browsers reach us.
    pub(crate) fn relying_party(&self) -> webauthn::RelyingParty {
        let url = self.settings.public_url.trim_end_matches('/');
        let host = url.split_once("://").map_or(url, |(_, rest)| rest);
        let id = host.split([':', '/']).next().unwrap_or(host);
        webauthn::RelyingParty {
            id: id.to_string(),
            origins: vec![url.to_string()],
        }
    }
}

pub(crate) fn text_of<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|_| ProofError::Crypto)
}
