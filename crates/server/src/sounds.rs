//! Between the engine, which names sounds, and the media workers, which play samples: prompts that
//! are ready go through at once, spoken ones when the speech provider has made them.

use crate::drive::{Handle, Message};
use cp_vocab::media::{MediaCommand, Playback, Samples, Sound};
use cp_vocab::*;
use std::collections::HashSet;

/// Playbacks that may wait for their words; a further one plays without what is not ready.
const WAITING_MAX: usize = 10_000;

pub struct Sounds {
    prompts: House,
    handle: Handle,
    /// Playbacks whose words are being made. Stopped ones are taken out and never start.
    waiting: HashSet<PlaybackId>,
}

impl Sounds {
    pub fn new(prompts: House, handle: Handle) -> Self {
        Self {
            prompts,
            handle,
            waiting: HashSet::new(),
        }
    }

    /// The command for the worker, or `None` when it follows later (or never).
    pub fn resolve(&mut self, worker: u16, tenant: TenantId, command: MediaCommand) -> Option<MediaCommand<Samples>> {
        Some(match command {
            MediaCommand::Play { leg, playback } => return self.play(worker, tenant, leg, playback),
            MediaCommand::Stop { leg, playback } => {
                if self.waiting.remove(&playback) {
                    return None;
                }
                MediaCommand::Stop { leg, playback }
            }
            MediaCommand::Open { leg, port, plan } => MediaCommand::Open { leg, port, plan },
            MediaCommand::Plan { leg, plan } => MediaCommand::Plan { leg, plan },
            MediaCommand::Close { leg } => MediaCommand::Close { leg },
            MediaCommand::Hear { leg, hears } => MediaCommand::Hear { leg, hears },
            MediaCommand::Speak { leg, into } => MediaCommand::Speak { leg, into },
            MediaCommand::Mute { leg, muted } => MediaCommand::Mute { leg, muted },
            MediaCommand::SendDigits { leg, digits } => MediaCommand::SendDigits { leg, digits },
            MediaCommand::Record {
                recording,
                left,
                right,
                path,
            } => MediaCommand::Record {
                recording,
                left,
                right,
                path,
            },
            MediaCommand::PauseRecording { recording, paused } => {
                MediaCommand::PauseRecording { recording, paused }
            }
            MediaCommand::StopRecording { recording } => MediaCommand::StopRecording { recording },
        })
    }

    /// Whether a playback that became ready was not stopped meanwhile.
    pub fn still_wanted(
        &mut self,
        command: MediaCommand<Samples>,
    ) -> Option<MediaCommand<Samples>> {
        match &command {
            MediaCommand::Play { playback, .. } => {
                self.waiting.remove(&playback.id).then_some(command)
            }
            _ => Some(command),
        }
    }

    fn play(&mut self, worker: u16, _tenant: TenantId, leg: LegId,
        playback: Playback,
    ) -> Option<MediaCommand<Samples>> {
        let Playback {
            id,
            sounds,
            repeat,
            barge_in,
            mix_with_call,
        } = playback;
        let finish = move |samples: Vec<Samples>| MediaCommand::Play {
            leg,
            playback: Playback {
                id,
                sounds: samples,
                repeat,
                barge_in,
                mix_with_call,
            },
        };
        let ready: Option<Vec<Samples>> = sounds.iter().map(|s| self.prompts.ready(s)).collect();
        if let Some(samples) = ready {
            return Some(finish(samples));
        }
        if self.waiting.len() >= WAITING_MAX {
            let some = sounds
                .iter()
                .filter_map(|s: &Sound| self.prompts.ready(s))
                .collect();
            return Some(finish(some));
        }
        self.waiting.insert(id);
        let handle = self.handle.clone();
        self.prompts.resolve_all(
            sounds,
            Box::new(move |samples| {
                let command = finish(samples);
                handle.send_waiting(Message::Ready { worker, command });
            }),
        );
        None
    }
}

/// TEMPORARY until the speech crate lands.
pub struct House {
    music: Samples,
}
impl House {
    pub fn new() -> Self {
        Self {
            music: cp_media::music::samples(),
        }
    }
    fn ready(&self, sound: &Sound) -> Option<Samples> {
        Some(match sound {
            Sound::Prompt { name } if name == "music" => self.music.clone(),
            Sound::Tone { tone } => cp_media::tones::samples(*tone),
            Sound::Silence { ms } => cp_media::tones::silence(*ms),
            _ => cp_media::tones::samples(cp_vocab::media::Tone::Beep),
        })
    }
    fn resolve_all(&self, _: Vec<Sound>, _: Box<dyn FnOnce(Vec<Samples>) + Send>) {}
}
/// TEMPORARY
pub fn speak(_: &crate::config::Config, _: &str) -> Option<Samples> {
    Some(cp_media::music::samples())
}
