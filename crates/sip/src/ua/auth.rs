//! Digest authentication (RFC 7616, RFC 8760), both roles.

use super::UserAgent;
use super::config::{ClientCredential, Directory, Principal};
use super::reply::Inbound;
use super::request::Draft;
use crate::header::HeaderName;
use crate::message::Message;

pub(crate) struct Auth {}

impl Auth {
    pub(crate) fn new(_secret: [u8; 32]) -> Self {
        Self {}
    }
}

impl UserAgent {
    pub(crate) fn challenge(
        &mut self,
        inbound: &Inbound<'_>,
        _realm: &str,
        _directory: &dyn Directory,
    ) -> Option<Principal> {
        self.answer_stateless(inbound, 403, "Forbidden", &[]);
        None
    }
}

pub(crate) fn answer(
    _response: &Message,
    _credential: &ClientCredential,
    _draft: &Draft,
    _cnonce: u64,
) -> Option<(HeaderName, Box<str>)> {
    None
}

pub(crate) fn is_stale(_response: &Message) -> bool {
    false
}
