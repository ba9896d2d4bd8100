//! REGISTER of phones (RFC 3261 10.3, RFC 5626, RFC 3327): read, judged, answered.

use super::UserAgent;
use super::config::Principal;
use super::event::{UaEvent, Unregistration};
use super::reply::{Inbound, SUPPORTED};
use crate::build::Builder;
use crate::header::HeaderName;
use crate::header_value::NameAddr;
use crate::io::Timer;
use crate::message::Message;
use crate::registrar::{Binding, Change, NewBinding, Source, unregistration};
use crate::table::Handle;
use cp_vocab::net::{ConnectionId, Transport};
use cp_vocab::{PhoneId, Timestamp};
use std::time::Duration;

/// Contacts in one REGISTER; more are refused.
const CONTACTS_MAX: usize = 8;
/// Expiry when the phone names none (10.2).
const EXPIRES_DEFAULT_S: u32 = 3_600;
/// Path entries kept.
const PATH_MAX: usize = 8;

/// What a REGISTER asks.
enum Asked {
    Nothing,
    RemoveAll,
    Contacts(Vec<NewBinding>),
}

impl UserAgent {
    pub(crate) fn register(&mut self, inbound: &Inbound<'_>, principal: Principal) {
        let Principal::Phone(phone) = principal else {
            // Trunks are configured, not registered.
            return self.answer_new(inbound, 403, &[]);
        };
        let request = inbound.message;
        let asked = match self.asked(request) {
            Ok(asked) => asked,
            Err(423) => {
                let min = self.config.limits.expires_min_s.to_string();
                return self.answer_new(inbound, 423, &[(HeaderName::MinExpires, &min)]);
            }
            Err(status) => return self.answer_new(inbound, status, &[]),
        };
        let source = Source {
            now: self.io.now,
            flow: *inbound.flow,
            call_id: request.call_id(),
            cseq: request.cseq().map_or(0, |c| c.number),
            user_agent: request.header(HeaderName::UserAgent),
            path: request
                .values(HeaderName::Path)
                .take(PATH_MAX)
                .map(Into::into)
                .collect(),
        };
        match asked {
            Asked::Nothing => {}
            Asked::RemoveAll => {
                let gone = self.registrar.remove_phone(phone);
                self.unregistered(&gone, Unregistration::Requested);
            }
            Asked::Contacts(contacts) => {
                // All or nothing (10.3 step 7).
                if contacts
                    .iter()
                    .any(|c| self.registrar.is_stale(phone, c, &source))
                {
                    return self.answer_new(inbound, 500, &[]);
                }
                for contact in contacts {
                    self.bind(phone, contact, &source);
                }
            }
        }
        self.answer_register(inbound, phone);
    }

    fn asked(&self, request: &Message) -> Result<Asked, u16> {
        let limits = self.config.limits;
        let header = request.expires();
        let mut contacts = Vec::new();
        for value in request.values(HeaderName::Contact) {
            if value.trim() == "*" {
                let alone = request.values(HeaderName::Contact).count() == 1;
                return match (alone, header) {
                    (true, Some(0)) => Ok(Asked::RemoveAll),
                    _ => Err(400),
                };
            }
            let contact = NameAddr::parse(value).ok_or(400_u16)?;
            if contacts.len() >= CONTACTS_MAX {
                return Err(403);
            }
            let wanted = contact.expires().or(header).unwrap_or(EXPIRES_DEFAULT_S);
            if wanted > 0 && wanted < limits.expires_min_s {
                return Err(423);
            }
            let instance = contact
                .params
                .get("+sip.instance")
                .filter(|i| !i.is_empty())
                .zip(contact.params.get("reg-id").and_then(|r| r.parse().ok()))
                .map(|(i, r): (&str, u32)| (i.into(), r));
            contacts.push(NewBinding {
                uri: contact.uri.into(),
                expires_s: wanted.min(limits.expires_max_s),
                q: contact.q(),
                instance,
            });
        }
        match contacts.is_empty() {
            true => Ok(Asked::Nothing),
            false => Ok(Asked::Contacts(contacts)),
        }
    }

    fn bind(&mut self, phone: PhoneId, contact: NewBinding, source: &Source<'_>) {
        let expires_s = contact.expires_s;
        let (change, pushed_out) = self.registrar.apply(phone, contact, source);
        if let Some(old) = pushed_out {
            self.unregistered(&[old], Unregistration::Replaced);
        }
        let (handle, refresh) = match change {
            Change::Added(handle) => (handle, false),
            Change::Refreshed(handle) => (handle, true),
            Change::Removed => {
                return self.io.event(UaEvent::Unregistered {
                    phone,
                    why: Unregistration::Requested,
                });
            }
            Change::Nothing => return,
        };
        self.io.arm(
            Duration::from_secs(u64::from(expires_s)),
            Timer::Binding(handle),
        );
        let binding = self.registrar.serialise(handle).unwrap_or_default();
        let contact = self
            .registrar
            .get(handle)
            .map_or("", |b| &b.uri)
            .to_string();
        self.io.event(UaEvent::Registered {
            phone,
            binding,
            contact,
            expires_s,
            transport: source.flow.transport,
            refresh,
        });
    }

    fn answer_register(&mut self, inbound: &Inbound<'_>, phone: PhoneId) {
        let now = self.io.now;
        let tag = self.io.random();
        let tx = self.open_server(inbound, false);
        let mut b = self.response(inbound, 200, Some(tag));
        for binding in self.registrar.contacts(phone) {
            put_contact(&mut b, binding, now);
        }
        let outbound = inbound.message.lists(HeaderName::Supported, "outbound");
        b.copy(inbound.message, HeaderName::Path);
        if outbound && inbound.flow.transport != Transport::Udp {
            // RFC 5626 6: we keep flows; their clients ping.
            b.header(HeaderName::Require, "outbound");
            b.header(HeaderName::FlowTimer, "120");
        }
        b.header(HeaderName::Supported, SUPPORTED);
        let bytes = b.finish();
        self.layer.respond(&mut self.io, tx, 200, bytes);
    }

    fn unregistered(&mut self, gone: &[Binding], why: Unregistration) {
        for binding in gone {
            self.io.event(UaEvent::Unregistered {
                phone: binding.phone,
                why,
            });
        }
    }

    pub(crate) fn binding_timer(&mut self, handle: Handle, _at: Timestamp) {
        // A refresh makes a new entry, so an old timer finds nothing.
        let now = self.io.now;
        if let Some(binding) = self.registrar.remove(handle) {
            let why = unregistration(now, &binding);
            self.unregistered(&[binding], why);
        }
    }

    pub(crate) fn drop_bindings_on(&mut self, connection: ConnectionId) {
        let gone = self.registrar.remove_connection(connection);
        self.unregistered(&gone, Unregistration::FlowClosed);
    }

    /// Where a phone can be reached: preferred contacts first, then the latest.
    pub fn contacts(&self, phone: PhoneId) -> impl Iterator<Item = &Binding> {
        self.registrar.contacts(phone).into_iter()
    }

    /// Takes a binding of before a restart back: the `binding` of a `Registered` event. What is
    /// expired, not understood, or was a connection is left out; no event is given.
    pub fn restore_binding(
        &mut self,
        now: Timestamp,
        phone: PhoneId,
        serialized: &str,
        expires_at: Timestamp,
    ) {
        self.io.now = now;
        // The wall clock may have been set back since: nobody was granted more than this.
        let longest = Duration::from_secs(u64::from(self.config.limits.expires_max_s));
        let expires_at = expires_at.min(now + longest);
        if let Some(handle) = self.registrar.restore(phone, serialized, now, expires_at) {
            self.io.arm(expires_at.since(now), Timer::Binding(handle));
        }
    }

    /// Forgets all bindings of a phone (it was deleted or its password changed).
    pub fn drop_phone(&mut self, now: Timestamp, phone: PhoneId) {
        self.io.now = now;
        let gone = self.registrar.remove_phone(phone);
        self.unregistered(&gone, Unregistration::Dropped);
    }
}

fn put_contact(b: &mut Builder, binding: &Binding, now: Timestamp) {
    let left_s = binding
        .expires_at
        .since(now)
        .as_micros()
        .div_ceil(1_000_000);
    let uri = &binding.uri;
    match &binding.instance {
        None => b.header_fmt(
            HeaderName::Contact,
            format_args!("<{uri}>;expires={left_s}"),
        ),
        Some((instance, reg_id)) => b.header_fmt(
            HeaderName::Contact,
            format_args!("<{uri}>;expires={left_s};+sip.instance=\"{instance}\";reg-id={reg_id}"),
        ),
    };
}
