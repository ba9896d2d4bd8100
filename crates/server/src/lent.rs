//! Requests of customers' pages and the calls they lead to (S4.2), read off the log: a call to a number
//! that was lent to a page carries that page's context, told to the call before it is offered to anybody
//! who takes a second to answer; a request knows its call, and is done when that is over. Nothing of this
//! is in the path of a call.

use crate::drive::{Handle, Message};
use crate::tail::{self, Follow};
use cp_store::{Contact, ContactKind, ContactState, Store, StoreError};
use cp_vocab::command::{Actor, Command, CommandEnvelope};
use cp_vocab::event::{EventRecord, StreamId};
use cp_vocab::*;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Calls of pages that go on; at the limit the requests of further ones stay as they are.
const CALLS_MAX: usize = 10_000;

struct Follower {
    store: Arc<dyn Store>,
    handle: Handle,
    ids: IdSource,
    calls: HashMap<InteractionId, ContactId>,
}

/// Follows from the newest record on until the process ends.
pub fn start(
    store: Arc<dyn Store>,
    handle: &Handle,
    ids: IdSource,
    runtime: &tokio::runtime::Handle,
) -> Result<(), StoreError> {
    let follower = Follower {
        store: store.clone(),
        handle: handle.clone(),
        ids,
        calls: HashMap::new(),
    };
    tail::start(follower, store, handle, runtime)
}

impl Follow for Follower {
    const NAME: &'static str = "lent numbers";

    fn take(&mut self, record: &EventRecord) -> Result<(), StoreError> {
        let StreamId::Interaction(interaction) = record.stream else {
            return Ok(());
        };
        match &record.event {
            Event::Started {
                number: Some(_),
                to,
                ..
            } => self.lent(record, interaction, to),
            Event::CustomerContext {
                subject: Some(subject),
                ..
            } => match subject.parse() {
                Ok(contact) => self.began(record, interaction, contact),
                Err(_) => Ok(()),
            },
            Event::Ended { .. } => self.ended(record, interaction),
            _ => Ok(()),
        }
    }
}

impl Follower {
    /// The request knows its call from now on.
    fn began(
        &mut self,
        record: &EventRecord,
        interaction: InteractionId,
        contact: ContactId,
    ) -> Result<(), StoreError> {
        if self.calls.len() < CALLS_MAX {
            self.calls.insert(interaction, contact);
        }
        self.note(record, contact, move |c| {
            c.interaction = Some(interaction);
        })
    }

    fn ended(
        &mut self,
        record: &EventRecord,
        interaction: InteractionId,
    ) -> Result<(), StoreError> {
        let Some(contact) = self.calls.remove(&interaction) else {
            return Ok(());
        };
        self.note(record, contact, |c| {
            (c.state, c.asked) = (ContactState::Done, None);
        })
    }

    /// Changes a request of a page's call, when it is still there.
    fn note(
        &self,
        record: &EventRecord,
        contact: ContactId,
        change: impl FnOnce(&mut Contact) + Send + 'static,
    ) -> Result<(), StoreError> {
        let write = Box::new(move |c: &mut Contact| {
            // A lent number may be called again and again, and a callback is put aside by whoever placed it.
            if c.kind == ContactKind::Call {
                change(c);
            }
            Ok(None)
        });
        match self
            .store
            .contact_change(record.tenant, contact, record.at, write)
        {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn lent(
        &mut self,
        record: &EventRecord,
        interaction: InteractionId,
        to: &Pii<Address>,
    ) -> Result<(), StoreError> {
        let (tenant, at) = (record.tenant, record.at);
        let Some(lease) = self.store.number_lease(tenant, to.0.user(), at)? else {
            return Ok(());
        };
        let context = match (&lease.contact, &lease.account) {
            (Some(contact), _) => self.store.contact(tenant, *contact)?.context.0,
            (None, Some(account)) => serde_json::json!({ "account": account.0 }),
            (None, None) => return Ok(()),
        };
        let envelope = CommandEnvelope {
            id: self.ids.next(at),
            tenant,
            actor: Actor::System,
            command: Command::TellContext {
                interaction,
                subject: lease.contact.map(|c| c.to_string()),
                context: context.to_string(),
            },
        };
        // Nobody waits for the answer; a call that is over by now needs no context.
        let (reply, _) = oneshot::channel();
        if !self.handle.send(Message::Command { envelope, reply }) {
            tracing::warn!("the engine is busy: a call came without its page's context");
        }
        Ok(())
    }
}
