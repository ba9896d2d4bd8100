//! A call to a number that was lent to a page carries that page's context (S4.2): read off the log,
//! told to the call before it is offered to anybody who takes a second to answer. Nothing of this is
//! in the path of a call.

use crate::drive::{Handle, Message};
use crate::tail::{self, Follow};
use cp_store::{Store, StoreError};
use cp_vocab::command::{Actor, Command, CommandEnvelope};
use cp_vocab::event::{EventRecord, StreamId};
use cp_vocab::*;
use std::sync::Arc;
use tokio::sync::oneshot;

struct Follower {
    store: Arc<dyn Store>,
    handle: Handle,
    ids: IdSource,
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
    };
    tail::start(follower, store, handle, runtime)
}

impl Follow for Follower {
    const NAME: &'static str = "lent numbers";

    fn take(&mut self, record: &EventRecord) -> Result<(), StoreError> {
        let (
            Event::Started {
                number: Some(_),
                to,
                ..
            },
            StreamId::Interaction(interaction),
        ) = (&record.event, record.stream)
        else {
            return Ok(());
        };
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
