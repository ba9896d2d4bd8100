//! What the media workers report.

use crate::core::Engine;
use cp_interaction::{Input as IxInput, LegEvent};
use cp_vocab::media::MediaEvent;
use cp_vocab::*;

/// A leg that never sent a packet is given up after this long; one that did, as soon as the worker
/// finds it silent.
pub(crate) const NEVER_HEARD_MS: u64 = 300_000;

impl Engine {
    pub(crate) fn media_event(&mut self, now: Timestamp, event: MediaEvent) {
        match event {
            MediaEvent::Ports { ports } => self.ports.add(ports),
            MediaEvent::Peer { leg, said } => self.peer_said(now, leg, said),
            MediaEvent::PortsExhausted { worker } => self.ports.exhausted(worker),
            MediaEvent::Flowing { leg } => {
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.flowing = true;
                }
            }
            MediaEvent::Digit { leg, digit, .. } => {
                if let Some(id) = self.interaction_of(leg) {
                    self.work
                        .push_back((id, IxInput::Leg(leg, LegEvent::Digit(digit))));
                }
            }
            MediaEvent::PlaybackEnded {
                leg,
                playback,
                interrupted,
            } => {
                if let Some(id) = self.interaction_of(leg) {
                    self.work.push_back((
                        id,
                        IxInput::PlaybackEnded {
                            leg,
                            playback,
                            interrupted,
                        },
                    ));
                }
            }
            MediaEvent::Silent { leg, silent_ms } => {
                let lost = self
                    .legs
                    .get(&leg)
                    .is_some_and(|l| l.flowing || silent_ms >= NEVER_HEARD_MS);
                if lost {
                    self.media_lost(now, leg, "rtp_silent");
                }
            }
            MediaEvent::Unreachable { leg } => self.media_lost(now, leg, "rtp_unreachable"),
            MediaEvent::Quality { leg, quality, last } => {
                if last && let Some(id) = self.closing.remove(&leg) {
                    self.work.push_back((id, IxInput::Quality { leg, quality }));
                }
            }
            MediaEvent::RecordingEnded {
                recording,
                duration_ms,
                error,
            } => {
                if let Some(id) = self.recordings.remove(&recording) {
                    self.work.push_back((
                        id,
                        IxInput::RecordingEnded {
                            recording,
                            duration_ms,
                            error,
                        },
                    ));
                }
            }
        }
    }

    pub(crate) fn interaction_of(&self, leg: LegId) -> Option<InteractionId> {
        self.legs.get(&leg).map(|l| l.interaction)
    }

    /// A drop, never a hang-up: the far side did not say goodbye.
    fn media_lost(&mut self, now: Timestamp, leg: LegId, what: &str) {
        let Some(id) = self.interaction_of(leg) else {
            return;
        };
        self.end_leg(now, leg, EndReason::Dropped, None);
        let event = LegEvent::Ended {
            reason: EndReason::Dropped,
            detail: Some(what.to_string()),
        };
        self.work.push_back((id, IxInput::Leg(leg, event)));
    }
}
