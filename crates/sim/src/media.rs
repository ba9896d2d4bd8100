//! The media worker as far as the engine can see it: who hears whom, what plays, what is recorded.
//! Packets are not simulated here; `cp-media` has its own tests for those.

use cp_vocab::media::*;
use cp_vocab::web::{Connection, PeerAgreed, PeerAsk, PeerSaid};
use cp_vocab::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Ports one simulated worker has.
pub const PORTS: u16 = 400;
/// How long a spoken prompt lasts here.
pub const PROMPT: Duration = Duration::from_millis(1_500);

#[derive(Clone, Debug, Default)]
pub struct MediaLeg {
    /// Who carries it; orders to another worker do nothing.
    pub worker: u16,
    pub hears: Hears,
    pub speaks: Option<MixId>,
    pub muted: bool,
    pub playing: Option<PlaybackId>,
    /// What plays goes round (music, tones).
    pub repeat: bool,
    /// A digit stops it.
    pub barge_in: bool,
    pub plan: Option<MediaPlan>,
}

#[derive(Default)]
pub struct Media {
    pub legs: BTreeMap<LegId, MediaLeg>,
    /// When each began, and its left leg.
    pub recordings: BTreeMap<RecordingId, (Timestamp, LegId)>,
}

impl Media {
    pub fn ports(n: u16) -> Vec<PortPair> {
        (0..n)
            .map(|i| PortPair {
                // Two cores, unless there are too few ports for that.
                worker: u16::from(n > 10) * (i % 2),
                rtp: ([10, 0, 0, 1], 20_000 + i * 2).into(),
            })
            .collect()
    }

    /// Carries out a command; what comes of it and when.
    pub fn command(
        &mut self,
        now: Timestamp,
        worker: u16,
        command: MediaCommand,
    ) -> Vec<(Duration, MediaEvent)> {
        let carried = |l: LegId| self.legs.get(&l).is_none_or(|l| l.worker == worker);
        let opens = matches!(command, MediaCommand::Open { .. });
        if !opens && command.leg().is_some_and(|l| !carried(l)) {
            return vec![];
        }
        match command {
            MediaCommand::Open { leg, plan, .. } => {
                self.legs.insert(
                    leg,
                    MediaLeg {
                        worker,
                        plan,
                        ..MediaLeg::default()
                    },
                );
                return vec![(Duration::from_millis(20), MediaEvent::Flowing { leg })];
            }
            MediaCommand::Plan { leg, plan } => self.with(leg, |l| l.plan = Some(plan)),
            MediaCommand::Close { leg } => {
                self.legs.remove(&leg);
                let quality = Quality {
                    packets_received: 50,
                    packets_sent: 50,
                    mos: 4.4,
                    ..Quality::default()
                };
                return vec![(
                    Duration::from_millis(1),
                    MediaEvent::Quality {
                        leg,
                        quality,
                        last: true,
                    },
                )];
            }
            MediaCommand::Hear { leg, hears } => self.with(leg, |l| l.hears = hears),
            MediaCommand::Speak { leg, into } => self.with(leg, |l| l.speaks = into),
            MediaCommand::Mute { leg, muted } => self.with(leg, |l| l.muted = muted),
            MediaCommand::Play { leg, playback } => return self.play(leg, playback),
            MediaCommand::Stop { leg, playback } => self.with(leg, |l| {
                if l.playing == Some(playback) {
                    l.playing = None;
                }
            }),
            MediaCommand::SendDigits { .. }
            | MediaCommand::PauseRecording { .. }
            | MediaCommand::Seats { .. } => {}
            MediaCommand::Peer { leg, ask } => return self.peer(worker, leg, ask),
            MediaCommand::Record {
                recording, left, ..
            } => {
                self.recordings.insert(recording, (now, left));
            }
            MediaCommand::StopRecording { recording } => {
                return vec![self.stop(now, recording)];
            }
        }
        vec![]
    }

    /// A browser's peer connection that always comes about.
    fn peer(&mut self, worker: u16, leg: LegId, ask: PeerAsk) -> Vec<(Duration, MediaEvent)> {
        let opens = matches!(ask, PeerAsk::TakeOffer { .. } | PeerAsk::MakeOffer);
        if !opens && !self.legs.contains_key(&leg) {
            let said = PeerSaid::Refused {
                code: "wrong_state",
                detail: "no such leg".into(),
                open: false,
            };
            return vec![(Duration::from_millis(1), MediaEvent::Peer { leg, said })];
        }
        let agreed = PeerAgreed {
            codec: Codec::Opus,
            send: true,
            receive: true,
            video: false,
        };
        let sdp = "v=0".to_string();
        let said = match ask {
            PeerAsk::TakeOffer { .. } => PeerSaid::Answer { sdp, agreed },
            PeerAsk::MakeOffer => PeerSaid::Offer { sdp },
            PeerAsk::TakeAnswer { .. } => PeerSaid::Agreed(agreed),
            PeerAsk::Candidate { .. } | PeerAsk::Press { .. } => return vec![],
        };
        self.legs.entry(leg).or_insert_with(|| MediaLeg {
            worker,
            ..MediaLeg::default()
        });
        let connected = PeerSaid::Connection(Connection::Connected);
        vec![
            (Duration::from_millis(1), MediaEvent::Peer { leg, said }),
            (
                Duration::from_millis(100),
                MediaEvent::Peer {
                    leg,
                    said: connected,
                },
            ),
        ]
    }

    /// Another worker has the leg from now on.
    pub fn move_leg(&mut self, now: Timestamp, leg: LegId, to: u16) -> Vec<(Duration, MediaEvent)> {
        let mut told = vec![];
        if let Some(l) = self.legs.get_mut(&leg) {
            let playing = l.playing.take();
            told.extend(playing.map(|playback| {
                let interrupted = true;
                let ended = MediaEvent::PlaybackEnded {
                    leg,
                    playback,
                    interrupted,
                };
                (Duration::from_millis(1), ended)
            }));
            *l = MediaLeg {
                worker: to,
                muted: l.muted,
                plan: l.plan.take(),
                ..MediaLeg::default()
            };
        }
        let ended: Vec<RecordingId> = self
            .recordings
            .iter()
            .filter(|(_, (_, left))| *left == leg)
            .map(|(id, _)| *id)
            .collect();
        told.extend(ended.into_iter().map(|id| self.stop(now, id)));
        told
    }

    fn stop(&mut self, now: Timestamp, recording: RecordingId) -> (Duration, MediaEvent) {
        let began = self.recordings.remove(&recording).map_or(now, |r| r.0);
        let event = MediaEvent::RecordingEnded {
            recording,
            duration_ms: now.since(began).as_millis() as u64,
            error: None,
        };
        (Duration::from_millis(1), event)
    }

    fn play(&mut self, leg: LegId, playback: Playback) -> Vec<(Duration, MediaEvent)> {
        let id = playback.id;
        let known = self.legs.contains_key(&leg);
        self.with(leg, |l| {
            l.playing = Some(id);
            l.repeat = playback.repeat;
            l.barge_in = playback.barge_in;
        });
        if playback.repeat || !known {
            return vec![];
        }
        vec![(
            PROMPT,
            MediaEvent::PlaybackEnded {
                leg,
                playback: id,
                interrupted: false,
            },
        )]
    }

    fn with(&mut self, leg: LegId, change: impl FnOnce(&mut MediaLeg)) {
        if let Some(l) = self.legs.get_mut(&leg) {
            change(l);
        }
    }

    /// What the worker reports is over for it too.
    pub fn happened(&mut self, event: &MediaEvent) {
        if let MediaEvent::PlaybackEnded { leg, playback, .. } = event
            && let Some(l) = self.legs.get_mut(leg)
            && l.playing == Some(*playback)
        {
            l.playing = None;
        }
    }

    /// A digit came in: what it cuts off.
    pub fn barge_in(&mut self, leg: LegId) -> Option<PlaybackId> {
        let l = self.legs.get_mut(&leg).filter(|l| l.barge_in)?;
        l.barge_in = false;
        l.playing.take()
    }

    /// Whether music or a tone plays to the leg.
    pub fn music(&self, leg: LegId) -> bool {
        self.legs
            .get(&leg)
            .is_some_and(|l| l.playing.is_some() && l.repeat)
    }

    /// Whether `listener` hears `speaker` now.
    pub fn hears(&self, listener: LegId, speaker: LegId) -> bool {
        let (Some(l), Some(s)) = (self.legs.get(&listener), self.legs.get(&speaker)) else {
            return false;
        };
        let by_mix = listener != speaker && l.hears.mix.is_some() && l.hears.mix == s.speaks;
        !s.muted && l.worker == s.worker && (l.hears.legs.contains(&speaker) || by_mix)
    }
}
