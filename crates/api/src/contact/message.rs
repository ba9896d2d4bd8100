//! Messages that customers leave: what they have to say, and requests that become one.

use super::context;
use super::public::Kept;
use super::visit::{Visit, came};
use crate::problem::{FieldError, Problem};
use cp_store::{Contact, ContactKind, ContactState};
use cp_vocab::{Code, ContactId, Pii};

/// A request that led to no call becomes the message: one entry in the list, with what was wanted.
pub(super) async fn becomes_message(
    v: &Visit,
    request: ContactId,
    text: String,
    reply_to: String,
    name: Option<String>,
) -> Result<Kept, Problem> {
    let mut found = v.own_of(request).await?;
    if found.kind != ContactKind::Call || found.interaction.is_some() {
        let detail =
            "that request led to a call, or is a message already; leave a message of its own";
        return Err(Problem::new(Code::Conflict, detail));
    }
    (found.kind, found.state, found.asked) = (ContactKind::Message, ContactState::Open, None);
    (found.text, found.reply_to) = (Some(Pii(text)), Some(Pii(reply_to)));
    found.name = name.map(Pii).or(found.name);
    let (tenant, now, told) = (found.tenant, v.state.now(), came(&found));
    let write = Box::new(move |c: &mut Contact| {
        *c = found;
        Ok(Some(told))
    });
    v.state
        .store(move |s| s.contact_change(tenant, request, now, write))
        .await?;
    Ok(Kept { contact: request })
}

/// Something is said, and there is somewhere to answer.
pub(super) fn written(text: &str, reply_to: &str) -> Result<(), Problem> {
    let mut wrong = Vec::new();
    if text.trim().is_empty() {
        wrong.push(FieldError::new("/text", "required", "the message is empty"));
    }
    let mail = reply_to
        .trim()
        .split_once('@')
        .is_some_and(|(who, host)| !who.is_empty() && host.contains('.'));
    if !mail && context::number(reply_to).is_none() {
        let detail = "an answer needs an e-mail address or a telephone number";
        wrong.push(FieldError::new("/reply_to", "format", detail));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Problem::invalid(wrong)),
    }
}
