//! Between the engine, which names sounds, and the media workers, which play samples: what is ready
//! goes through at once, spoken words when the speech provider has made them.

use crate::config::Config;
use crate::drive::{Handle, Message};
use anyhow::{Context, Result};
use cp_speech::{Espeak, EspeakConfig, Prompts, PromptsConfig, SpeechRequest, TextToSpeech};
use cp_vocab::media::{MediaCommand, Playback, Samples, Sound};
use cp_vocab::*;
use std::collections::HashSet;
use std::sync::Arc;

/// Playbacks that may wait for their words; a further one plays a beep for what is not ready.
const WAITING_MAX: usize = 10_000;

pub struct Sounds {
    prompts: Arc<Prompts>,
    handle: Handle,
    /// Playbacks whose words are being made. Stopped ones are taken out and never start.
    waiting: HashSet<PlaybackId>,
}

/// The speech provider of the configuration; `None` when none is set.
fn provider(config: &Config) -> Option<Arc<dyn TextToSpeech>> {
    if config.speech_command.is_empty() {
        return None;
    }
    let espeak = Espeak::new(EspeakConfig {
        program: config.speech_command.clone(),
        voice: config.speech_voice.clone(),
        ..EspeakConfig::default()
    });
    if let Err(error) = espeak.probe() {
        tracing::warn!(%error, program = config.speech_command, "nothing speaks: prompts become a beep");
    }
    Some(Arc::new(espeak))
}

/// Prompts of the house and of the tenants, and a cache of what was spoken.
pub fn prompts(config: &Config) -> Result<Arc<Prompts>> {
    let settings = PromptsConfig {
        house: Some(config.data.join("prompts/house")),
        tenants: Some(config.data.join("prompts")),
        cache: Some(config.data.join("speech-cache")),
        ..PromptsConfig::default()
    };
    let prompts =
        Prompts::new(settings, provider(config)).context("the prompt cache cannot be opened")?;
    Ok(Arc::new(prompts))
}

/// Speaks a text now; for the demo's virtual people. `None` when nothing speaks here.
pub fn speak(config: &Config, text: &str) -> Option<Samples> {
    let request = SpeechRequest::new(text, None).ok()?;
    provider(config)?.speak(&request).ok()
}

impl Sounds {
    pub fn new(prompts: Arc<Prompts>, handle: Handle) -> Self {
        Self {
            prompts,
            handle,
            waiting: HashSet::new(),
        }
    }

    pub fn stats(&self) -> cp_speech::SpeechStats {
        self.prompts.stats()
    }

    /// The command for the worker, or `None` when it follows later (or never).
    pub fn resolve(
        &mut self,
        worker: u16,
        tenant: TenantId,
        command: MediaCommand,
    ) -> Option<MediaCommand<Samples>> {
        Some(match command {
            MediaCommand::Play { leg, playback } => {
                return self.play(worker, tenant, leg, playback);
            }
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
            MediaCommand::Peer { leg, ask } => MediaCommand::Peer { leg, ask },
            MediaCommand::Seats { leg, seats } => MediaCommand::Seats { leg, seats },
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

    fn play(
        &mut self,
        worker: u16,
        tenant: TenantId,
        leg: LegId,
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
        // Tones are the same memory every time, so that a worker encodes them once for all.
        if let [Sound::Tone { tone }] = sounds.as_slice() {
            return Some(finish(vec![cp_media::tones::samples(*tone)]));
        }
        if self.waiting.len() >= WAITING_MAX {
            let ready = |s: &Sound| {
                self.prompts
                    .ready(Some(tenant), s)
                    .unwrap_or_else(cp_speech::beep)
            };
            return Some(finish(sounds.iter().map(ready).collect()));
        }
        // Before the question: the answer may come from another thread at any time.
        self.waiting.insert(id);
        let handle = self.handle.clone();
        let late = move |samples| {
            handle.send_waiting(Message::Ready {
                worker,
                command: finish(samples),
            });
        };
        let samples = self.prompts.resolve_all(Some(tenant), &sounds, late)?;
        self.waiting.remove(&id);
        Some(MediaCommand::Play {
            leg,
            playback: Playback {
                id,
                sounds: samples,
                repeat,
                barge_in,
                mix_with_call,
            },
        })
    }
}
