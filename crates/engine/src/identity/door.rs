//! The door: calls that wait for the certificates of their tokens.

use super::WAITING_MAX;
use crate::core::Engine;
use crate::io::Output;
use bytes::Bytes;
use cp_identity::fetch::{Fetched, Input as CacheInput, Output as CacheOutput};
use cp_identity::verify::needed;
use cp_sip::header::HeaderName;
use cp_sip::message::Message;
use cp_sip::ua::{CallRef, Principal};
use cp_vocab::*;

/// A call that came in and was not let in yet.
pub(crate) struct Pending {
    pub(crate) principal: Principal,
    pub(crate) invite: Message,
    pub(crate) offer: Option<Bytes>,
    pub(crate) replaces: Option<CallRef>,
    /// Certificates that are still to come.
    pub(crate) wanted: Vec<String>,
    pub(crate) deadline: Timestamp,
}

impl Engine {
    /// A call came in: it is let in at once, or as soon as it can be judged.
    pub(crate) fn knock(&mut self, now: Timestamp, call: CallRef, mut pending: Pending) {
        let wanted = self.certificates_wanted(now, &pending);
        if wanted.is_empty() || self.identity.waiting.len() >= WAITING_MAX {
            return self.let_in(now, call, pending);
        }
        let deadline = now + self.identity.config.wait;
        pending.deadline = deadline;
        pending.wanted = wanted.clone();
        self.identity.waiting.insert(call, pending);
        self.identity.deadlines.insert((deadline, call));
        for url in wanted {
            if let Some(cache) = self.identity.cache.as_mut() {
                cache.handle(
                    now,
                    CacheInput::Want {
                        url,
                        waiter: call.0,
                    },
                );
            }
        }
        self.certificates_came(now);
    }

    /// Addresses of certificates that the call's tokens name and that are not known.
    fn certificates_wanted(&self, now: Timestamp, pending: &Pending) -> Vec<String> {
        let Some(cache) = &self.identity.cache else {
            return Vec::new();
        };
        // Nobody who calls for help waits for a certificate.
        if !self.verifies(pending.principal) || crate::guard::is_emergency(pending.invite.uri()) {
            return Vec::new();
        }
        let values: Vec<&str> = pending.invite.headers(HeaderName::Identity).collect();
        let mut urls = needed(&values, &self.identity.config.policy);
        urls.retain(|u| cache.get(u, now).is_none());
        urls
    }

    fn verifies(&self, principal: Principal) -> bool {
        match principal {
            Principal::Trunk(t) => self.index.trunk(t).is_some_and(|t| t.identity.verify),
            Principal::Phone(_) => false,
        }
    }

    /// A fetch ended.
    pub(crate) fn certificate_fetched(&mut self, now: Timestamp, url: String, fetched: Fetched) {
        if let Some(cache) = self.identity.cache.as_mut() {
            cache.handle(now, CacheInput::Done { url, fetched });
        }
        self.certificates_came(now);
    }

    fn certificates_came(&mut self, now: Timestamp) {
        while let Some(output) = self.identity.cache.as_mut().and_then(|c| c.poll()) {
            match output {
                CacheOutput::Fetch { url, deadline } => {
                    self.put(Output::FetchCertificate { url, deadline });
                }
                CacheOutput::Ready { waiter, url, .. } => {
                    let call = CallRef(waiter);
                    let Some(pending) = self.identity.waiting.get_mut(&call) else {
                        continue;
                    };
                    pending.wanted.retain(|u| *u != url);
                    if pending.wanted.is_empty() {
                        self.let_in_waiting(now, call);
                    }
                }
            }
        }
    }

    /// Time has passed: who waited long enough goes on unverified.
    pub(crate) fn identity_timeout(&mut self, now: Timestamp) {
        if let Some(cache) = self.identity.cache.as_mut() {
            cache.handle(now, CacheInput::Tick);
        }
        self.certificates_came(now);
        while let Some((at, call)) = self.identity.deadlines.first().copied()
            && at <= now
        {
            self.let_in_waiting(now, call);
        }
        self.identity.forwarding.expire(now);
    }

    fn let_in_waiting(&mut self, now: Timestamp, call: CallRef) {
        if let Some(pending) = self.leave_door(now, call) {
            self.let_in(now, call, pending);
        }
    }

    /// A waiting call is gone, or goes in.
    pub(crate) fn leave_door(&mut self, now: Timestamp, call: CallRef) -> Option<Pending> {
        let mut pending = self.identity.waiting.remove(&call)?;
        self.identity.deadlines.remove(&(pending.deadline, call));
        for url in pending.wanted.drain(..) {
            if let Some(cache) = self.identity.cache.as_mut() {
                cache.handle(
                    now,
                    CacheInput::Forget {
                        url,
                        waiter: call.0,
                    },
                );
            }
        }
        Some(pending)
    }
}
