//! Session timers (RFC 4028), both roles.

use super::UserAgent;
use super::call::{CallState, Offer, Session};
use super::event::{CallRef, DialogEnd};
use crate::build::Builder;
use crate::header::HeaderName;
use crate::header_value::{Refresher, SessionExpires};
use crate::io::CallTimer;
use crate::message::Message;
use std::time::Duration;

/// The smallest session interval anybody may ask for (RFC 4028 5).
pub(crate) const MIN_SE_S: u32 = 90;

impl UserAgent {
    /// The Min-SE to refuse a request with (422), when its interval is too small and its sender
    /// understands that.
    pub(crate) fn session_too_small(&self, request: &Message) -> Option<String> {
        let asked = request
            .header(HeaderName::SessionExpires)
            .and_then(SessionExpires::parse)?;
        let understands = request.lists(HeaderName::Supported, "timer");
        (self.config.session_expires_s > 0 && asked.seconds < MIN_SE_S && understands)
            .then(|| MIN_SE_S.to_string())
    }

    /// Decides the session interval for a 2xx to `request`, writes it and starts the timer
    /// (RFC 4028 9). Peers without session timers get none: they could not answer for them.
    pub(crate) fn put_session(&mut self, call: CallRef, request: &Message, b: &mut Builder) {
        let ours = self.config.session_expires_s;
        let supported = request.lists(HeaderName::Supported, "timer")
            || request.lists(HeaderName::Require, "timer");
        let running = self.calls.get(call.handle()).and_then(|c| c.session);
        if ours == 0 || !supported {
            // An UPDATE or re-INVITE that does not repeat the wish keeps what was agreed.
            if let Some(session) = running {
                self.start_session(call, session);
            }
            return;
        }
        let asked = request
            .header(HeaderName::SessionExpires)
            .and_then(SessionExpires::parse);
        let least = request
            .header(HeaderName::MinSe)
            .and_then(|v| v.split(';').next()?.trim().parse::<u32>().ok())
            .unwrap_or(MIN_SE_S)
            .max(MIN_SE_S);
        let interval_s = asked.map_or(ours, |a| a.seconds.min(ours)).max(least);
        let they_refresh = match asked.and_then(|a| a.refresher) {
            Some(Refresher::Uac) => true,
            Some(Refresher::Uas) => false,
            None => asked.is_some(),
        };
        let refresher = if they_refresh { "uac" } else { "uas" };
        if they_refresh {
            b.header(HeaderName::Require, "timer");
        }
        b.header_fmt(
            HeaderName::SessionExpires,
            format_args!("{interval_s};refresher={refresher}"),
        );
        self.start_session(
            call,
            Session {
                interval_s,
                we_refresh: !they_refresh,
            },
        );
    }

    /// Takes over what a 2xx to our INVITE or UPDATE says (RFC 4028 7.2).
    pub(crate) fn take_session(&mut self, call: CallRef, response: &Message, initial: bool) {
        let said = response
            .header(HeaderName::SessionExpires)
            .and_then(SessionExpires::parse);
        let session = match said {
            Some(said) => Session {
                interval_s: said.seconds.max(MIN_SE_S),
                we_refresh: said.refresher != Some(Refresher::Uas),
            },
            None if initial => return,
            // Without the header the session no longer expires.
            None => {
                if let Some(entry) = self.calls.get_mut(call.handle()) {
                    entry.session = None;
                    entry.stop_timer(CallTimer::Session);
                }
                return;
            }
        };
        if self.config.session_expires_s > 0 {
            self.start_session(call, session);
        }
    }

    fn start_session(&mut self, call: CallRef, session: Session) {
        if let Some(entry) = self.calls.get_mut(call.handle()) {
            entry.session = Some(session);
        }
        let interval = u64::from(session.interval_s);
        let delay = match session.we_refresh {
            true => interval / 2,
            // RFC 4028 10: give up a little before the interval ends.
            false => interval - (interval / 3).min(32),
        };
        self.arm_call(call, CallTimer::Session, Duration::from_secs(delay));
    }

    /// Time to refresh, or the far side did not.
    pub(crate) fn session_timer(&mut self, call: CallRef) {
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return;
        };
        let Some(session) = entry.session else {
            return;
        };
        match entry.state {
            CallState::Confirmed => {}
            // Not yet acknowledged: look again soon.
            CallState::Answered => {
                return self.arm_call(call, CallTimer::Session, Duration::from_secs(5));
            }
            _ => return,
        }
        if !session.we_refresh {
            self.end_call(call, DialogEnd::SessionExpired, None);
            return self.send_bye(call, Some("SIP;cause=408;text=\"Session expired\""));
        }
        match entry.offer {
            Offer::None if entry.accepted.is_none() => self.refresh_session(call),
            // An offer is running; when it succeeds, that was the refresh.
            _ => self.arm_call(call, CallTimer::Session, Duration::from_secs(5)),
        }
    }

    /// A refresh was refused, not lost: try again well before the far side gives up.
    pub(crate) fn refresh_again_soon(&mut self, call: CallRef) {
        let session = self.calls.get(call.handle()).and_then(|c| c.session);
        if let Some(session) = session {
            let delay = u64::from(session.interval_s / 8).max(1);
            self.arm_call(call, CallTimer::Session, Duration::from_secs(delay));
        }
    }

    /// The INVITE got 422: asks again with the interval the far side wants (RFC 4028 7.3).
    pub(crate) fn retry_with_longer_session(&mut self, call: CallRef, response: &Message) -> bool {
        let least = response
            .header(HeaderName::MinSe)
            .and_then(|v| v.split(';').next()?.trim().parse::<u32>().ok());
        let Some(entry) = self.calls.get_mut(call.handle()) else {
            return false;
        };
        let (Some(least), Some(uac)) = (least, entry.uac.as_mut()) else {
            return false;
        };
        // It must ask for more than we offered, else it would go on for ever.
        if least <= uac.session_expires_s || entry.state != CallState::Early {
            return false;
        }
        uac.session_expires_s = least;
        let old = uac.request;
        entry.dialogs.clear();
        self.resend_invite(call, old, least)
    }
}
