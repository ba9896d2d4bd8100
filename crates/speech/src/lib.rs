//! From words, prompt names and tones to samples: text-to-speech providers, the prompt cache, and
//! the resolver the driver asks before a media worker sees a command.
//!
//! Nothing here may block the engine's thread or fail a call: [`Prompts::resolve`] answers at once
//! with samples or says [`Resolved::Pending`] and calls back from a worker; what cannot be made is
//! a short beep, counted and logged.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
mod error;
mod espeak;
mod pool;
mod prompts;
mod provider;
mod sentence;
mod tone;
mod wav;

pub use cache::{CacheLimits, PromptCache, SpeechKey};
pub use error::SpeechError;
pub use espeak::{Espeak, EspeakConfig};
pub use prompts::{Prompts, PromptsConfig, Resolved, SpeechStats};
pub use provider::{SpeechRequest, TEXT_CHARS_MAX, TextToSpeech};
pub use sentence::{digits, position, wait_words};
pub use tone::{ToneSet, beep, hold_music, silence, tone};
pub use wav::{read_wav, write_wav};
