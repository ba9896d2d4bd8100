//! Requests before they are sent: what goes into them.

use super::call::Call;
use super::config::NameAddrOwned;
use crate::dialog::Hop;
use crate::header::HeaderName;
use crate::message::Method;
use crate::text::push_token;
use bytes::Bytes;

/// A request without what depends on where it goes (Via, Contact).
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) method: Method,
    pub(crate) uri: Box<str>,
    pub(crate) routes: Vec<Box<str>>,
    /// From and To values with their tags.
    pub(crate) from: Box<str>,
    pub(crate) to: Box<str>,
    pub(crate) call_id: Box<str>,
    pub(crate) cseq: u32,
    pub(crate) max_forwards: u8,
    /// User part of our Contact; `None`: no Contact.
    pub(crate) contact_user: Option<Box<str>>,
    pub(crate) headers: Vec<(HeaderName, Box<str>)>,
    pub(crate) others: Vec<(Box<str>, Box<str>)>,
    pub(crate) auth: Option<(HeaderName, Box<str>)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Call {
    /// A request in the dialog with the fork of that index, and where it goes.
    pub(crate) fn draft(&mut self, fork: usize, method: Method) -> (Draft, Hop) {
        let cseq = self.next_cseq();
        let dialog = &self.dialogs[fork];
        let (uri, routes) = dialog.request_uri_and_routes();
        let mut from = String::with_capacity(self.local.len() + 20);
        from.push_str(&self.local);
        from.push_str(";tag=");
        push_token(&mut from, self.local_tag);
        let to = match dialog.remote_tag.is_empty() {
            true => self.remote.clone(),
            false => format!("{};tag={}", self.remote, dialog.remote_tag).into(),
        };
        let draft = Draft {
            method,
            uri: uri.into(),
            routes: routes.into_iter().map(Into::into).collect(),
            from: from.into(),
            to,
            call_id: self.call_id.clone(),
            cseq,
            max_forwards: 70,
            contact_user: Some(self.contact_user.clone()),
            headers: Vec::new(),
            others: Vec::new(),
            auth: None,
            content_type: "application/sdp",
            body: Bytes::new(),
        };
        (draft, dialog.next_hop())
    }
}

impl Draft {
    /// Takes the owner's headers over; `Route` and `Max-Forwards` have their own places, and what
    /// we write ourselves is not written twice.
    pub(crate) fn take_headers(&mut self, headers: Vec<(String, String)>) {
        for (name, value) in headers {
            match HeaderName::from_bytes(name.as_bytes()) {
                HeaderName::Route => self.routes.push(value.into()),
                HeaderName::MaxForwards => {
                    self.max_forwards = value.trim().parse().unwrap_or(self.max_forwards);
                }
                HeaderName::Via
                | HeaderName::From
                | HeaderName::To
                | HeaderName::CallId
                | HeaderName::CSeq
                | HeaderName::Contact
                | HeaderName::ContentLength
                | HeaderName::ContentType
                | HeaderName::Supported
                | HeaderName::Allow
                | HeaderName::SessionExpires => {}
                _ => self.others.push((name.into(), value.into())),
            }
        }
    }
}

/// `"name" <uri>` with quotes and backslashes of the name escaped; line breaks are the builder's.
pub(crate) fn name_addr_of(addr: &NameAddrOwned) -> Box<str> {
    match addr.display.as_deref().filter(|d| !d.is_empty()) {
        None => format!("<{}>", addr.uri).into(),
        Some(display) => {
            let mut text = String::with_capacity(display.len() + addr.uri.len() + 6);
            text.push('"');
            for c in display.chars() {
                if matches!(c, '"' | '\\') {
                    text.push('\\');
                }
                text.push(c);
            }
            text.push_str("\" <");
            text.push_str(&addr.uri);
            text.push('>');
            text.into()
        }
    }
}
