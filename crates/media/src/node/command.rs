//! What the engine asks of a node.

use super::house::quality;
use super::leg::{Cipher, Leg};
use super::sender::Sender;
use super::{MediaCommand, NO_SLOT, Node, PHASES, Slot};
use cp_vocab::media::{Hears, MediaEvent, MediaPlan, PortPair};
use cp_vocab::{LegId, Timestamp};
use rand::Rng;
use std::time::Duration;

/// The first report goes out sooner than the others (RFC 3550 6.2).
const RTCP_FIRST: Duration = Duration::from_millis(2_500);

impl Node {
    /// Carries out one command. A command that names a leg or recording that is not here is counted
    /// and otherwise ignored: it raced with a close.
    pub fn command(&mut self, now: Timestamp, command: MediaCommand) {
        self.outbox.now = now;
        match command {
            MediaCommand::Open { leg, port, plan } => self.open(now, leg, port, plan),
            MediaCommand::Plan { leg, plan } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.set_plan(now, slot, plan);
                }
            }
            MediaCommand::Close { leg } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.close(now, slot);
                }
            }
            MediaCommand::Hear { leg, hears } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.set_hears(slot, hears);
                }
            }
            MediaCommand::Speak { leg, into } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.set_speaks(slot, into);
                }
            }
            MediaCommand::Mute { leg, muted } => {
                if let Some(slot) = self.slot_of(leg)
                    && let Some(leg) = self.leg_mut(slot)
                {
                    leg.muted = muted;
                    self.rewire(slot);
                }
            }
            MediaCommand::Play { leg, playback } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.play(slot, playback);
                }
            }
            MediaCommand::Stop { leg, playback } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.end_playback(slot, playback, true);
                }
            }
            MediaCommand::SendDigits { leg, digits } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.send_digits(slot, &digits);
                }
            }
            MediaCommand::Record {
                recording,
                left,
                right,
                path,
            } => self.record(now, recording, left, right, path),
            MediaCommand::PauseRecording { recording, paused } => {
                match self.recordings.iter_mut().find(|r| r.id == recording) {
                    Some(r) => r.paused = paused,
                    None => self.counters.unknown_target += 1,
                }
            }
            MediaCommand::StopRecording { recording } => self.end_recording(now, recording, None),
            MediaCommand::Peer { leg, ask } => self.peer_ask(now, leg, ask),
            MediaCommand::Seats { leg, seats } => {
                if let Some(slot) = self.slot_of(leg) {
                    self.take_seats(now, slot, &seats);
                }
            }
        }
    }

    fn open(&mut self, now: Timestamp, id: LegId, port: PortPair, plan: Option<MediaPlan>) {
        // A leg or a port opened twice: the newer one holds.
        if let Some(&old) = self.by_id.get(&id) {
            self.close(now, old);
        }
        let number = port.rtp.port();
        let old = self.by_port[usize::from(number)];
        if old != NO_SLOT {
            self.close(now, old);
        }
        let slot = self.add_leg(now, id, number);
        self.by_port[usize::from(number)] = slot;
        match plan {
            Some(plan) => self.set_plan(now, slot, plan),
            None => self.rewire(slot),
        }
    }

    /// A leg without a plan, on an RTP port or (0) above a peer connection.
    pub(super) fn add_leg(&mut self, now: Timestamp, id: LegId, number: u16) -> Slot {
        let sender = Sender::new(
            self.rng.next_u32(),
            self.rng.next_u32() as u16,
            self.rng.next_u32(),
        );
        let phase = (self.opened % PHASES as u64) as u8;
        self.opened += 1;
        let leg = Box::new(Leg::new(now, id, number, phase, sender));
        let slot = self.slot_for(leg);
        self.by_id.insert(id, slot);
        self.count_recordings(slot);
        slot
    }

    pub(super) fn set_plan(&mut self, now: Timestamp, slot: Slot, plan: MediaPlan) {
        let quality_interval = self.config.quality_interval;
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let before = leg.plan.take();
        leg.cipher = match (&plan.srtp, leg.cipher.take()) {
            (None, _) => None,
            (Some(keys), kept) => match Cipher::renew(kept, keys) {
                Ok(cipher) => Some(cipher),
                // Never fall back to plain audio: without a plan the leg is silent both ways.
                Err(_) => {
                    self.counters.bad_plan += 1;
                    self.rewire(slot);
                    return;
                }
            },
        };
        match &before {
            Some(b) if b.remote != plan.remote => leg.latch.release(now),
            _ => leg.latch.rearm(now),
        }
        if before.as_ref().is_none_or(|b| !b.receive) {
            leg.alive_at = now;
            leg.silent_told = false;
        }
        // Figures start to be told a full interval after the first plan.
        if before.is_none() {
            let (report, quality) = (RTCP_FIRST, quality_interval);
            leg.reports.next_at = now + report;
            leg.reports.quality_at = now + quality;
        }
        leg.plan = Some(plan);
        self.rewire(slot);
    }

    pub(super) fn close(&mut self, now: Timestamp, slot: Slot) {
        let Some(id) = self.leg(slot).map(|l| l.id) else {
            return;
        };
        self.end_recordings_of(now, id);
        self.set_hears(slot, Hears::default());
        self.set_speaks(slot, None);
        self.unplace(slot);
        self.remove_peer(now, slot);
        let Some(mut leg) = self.legs[slot as usize].take() else {
            return;
        };
        if let Some(player) = &mut leg.player {
            player.release(&mut self.clips);
        }
        self.by_id.remove(&leg.id);
        self.by_port[usize::from(leg.port)] = NO_SLOT;
        self.free.push(slot);
        self.outbox.event(MediaEvent::Quality {
            leg: leg.id,
            quality: quality(&leg),
            last: true,
        });
        self.rewire_hearers_of(leg.id);
    }
}
