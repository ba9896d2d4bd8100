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
    pub recordings: BTreeMap<RecordingId, Timestamp>,
}

impl Media {
    pub fn ports(n: u16) -> Vec<PortPair> {
        (0..n)
            .map(|i| PortPair {
                worker: 0,
                rtp: ([10, 0, 0, 1], 20_000 + i * 2).into(),
            })
            .collect()
    }

    /// Carries out a command; what comes of it and when.
    pub fn command(
        &mut self,
        now: Timestamp,
        command: MediaCommand,
    ) -> Vec<(Duration, MediaEvent)> {
        match command {
            MediaCommand::Open { leg, plan, .. } => {
                self.legs.insert(
                    leg,
                    MediaLeg {
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
            MediaCommand::SendDigits { .. } | MediaCommand::PauseRecording { .. } => {}
            MediaCommand::Peer { leg, ask } => return self.peer(leg, ask),
            MediaCommand::Record { recording, .. } => {
                self.recordings.insert(recording, now);
            }
            MediaCommand::StopRecording { recording } => {
                let began = self.recordings.remove(&recording).unwrap_or(now);
                let duration_ms = now.since(began).as_millis() as u64;
                let event = MediaEvent::RecordingEnded {
                    recording,
                    duration_ms,
                    error: None,
                };
                return vec![(Duration::from_millis(1), event)];
            }
        }
        vec![]
    }

    /// A browser's peer connection that always comes about.
    fn peer(&mut self, leg: LegId, ask: PeerAsk) -> Vec<(Duration, MediaEvent)> {
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
        self.legs.entry(leg).or_default();
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
        !s.muted && (l.hears.legs.contains(&speaker) || by_mix)
    }
}
