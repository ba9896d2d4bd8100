//! What people do in the world, and what they hear.

use crate::phone::Answer;
use crate::world::{Thing, World};
use cp_engine::Input;
use cp_vocab::media::MediaEvent;
use cp_vocab::*;
use std::time::Duration;

impl World {
    pub fn call(&mut self, who: &str, to: &str) {
        let at = self.at(who);
        let now = self.now;
        self.phones[at].call(now, to, who);
        self.drain_phone(at);
    }
    pub fn hang_up(&mut self, who: &str) {
        let at = self.at(who);
        let now = self.now;
        self.phones[at].hang_up(now);
        self.drain_phone(at);
    }
    pub fn hold_call(&mut self, who: &str, on: bool) {
        let at = self.at(who);
        let now = self.now;
        self.phones[at].hold(now, on);
        self.drain_phone(at);
    }
    pub fn call_late(&mut self, who: &str, to: &str) {
        let at = self.at(who);
        let now = self.now;
        self.phones[at].call_late(now, to, who);
        self.drain_phone(at);
    }
    /// `who` picks up the call that `of` is in.
    pub fn pick_up_call(&mut self, who: &str, of: &str) -> bool {
        let Some(replaces) = self.phones[self.at(of)].replaces() else {
            return false;
        };
        let at = self.at(who);
        let now = self.now;
        self.phones[at].pick(now, "pickup", who, replaces);
        self.drain_phone(at);
        true
    }
    pub fn refer(&mut self, who: &str, to: Option<&str>) -> bool {
        let at = self.at(who);
        let now = self.now;
        let sent = match to {
            Some(to) => self.phones[at].refer(now, to),
            None => self.phones[at].refer_attended(now),
        };
        self.drain_phone(at);
        sent
    }
    /// A digit from the phone, as the media worker hears it.
    pub fn press(&mut self, who: &str, digit: char) {
        for leg in self.legs_at(who) {
            let duration_ms = 100;
            self.give(Input::Media(MediaEvent::Digit {
                leg,
                digit,
                duration_ms,
            }));
            if let Some(playback) = self.media.barge_in(leg) {
                let interrupted = true;
                self.give(Input::Media(MediaEvent::PlaybackEnded {
                    leg,
                    playback,
                    interrupted,
                }));
            }
        }
    }
    /// The phone is busy while it has a call.
    pub fn one_line(&mut self, who: &str) {
        let at = self.at(who);
        self.phones[at].one_line = true;
    }
    pub fn habit(&mut self, who: &str, answer: Answer) {
        let at = self.at(who);
        self.phones[at].answer = answer;
    }
    /// Pulls the plug, or puts it back.
    pub fn dead(&mut self, who: &str, dead: bool) {
        let at = self.at(who);
        self.phones[at].dead = dead;
        if dead {
            // Its audio stops: the worker finds the leg silent.
            let legs: Vec<LegId> = self.legs_at(who);
            for leg in legs {
                self.later(
                    Duration::from_secs(20),
                    Thing::Media(MediaEvent::Silent {
                        leg,
                        silent_ms: 20_000,
                    }),
                );
            }
        }
    }

    /// Live legs whose far end is this phone's address.
    pub fn legs_at(&self, who: &str) -> Vec<LegId> {
        let ip = self.phones[self.at(who)].addr.ip();
        self.media
            .legs
            .iter()
            .filter(|(_, l)| l.plan.as_ref().is_some_and(|p| p.remote.ip() == ip))
            .map(|(l, _)| *l)
            .collect()
    }

    /// Whether `a` hears `b` now.
    pub fn hears(&self, a: &str, b: &str) -> bool {
        let (la, lb) = (self.legs_at(a), self.legs_at(b));
        la.iter()
            .any(|x| lb.iter().any(|y| x != y && self.media.hears(*x, *y)))
    }

    /// The event kinds of all interactions, in order, for comparison.
    pub fn story(&self) -> Vec<String> {
        self.log
            .interactions()
            .values()
            .flat_map(|r| r.iter().map(|e| e.event.kind().to_string()))
            .collect()
    }
}
