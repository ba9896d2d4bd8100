//! What can go wrong between words and samples.

use std::io;

/// None of these reaches a call: the resolver plays a beep instead and counts it.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    #[error("the text has {chars} characters, at most {max} are spoken")]
    TextTooLong { chars: usize, max: usize },
    #[error("nothing to say")]
    EmptyText,
    #[error("not a voice name: {0:?}")]
    BadVoice(String),
    #[error("not a prompt name: {0:?}")]
    BadPromptName(String),
    #[error("no prompt of that name: {0:?}")]
    UnknownPrompt(String),
    #[error("no speech provider is configured")]
    NoProvider,
    #[error("starting {program}")]
    Start { program: String, source: io::Error },
    #[error("talking to the speech program")]
    Talk(#[source] io::Error),
    #[error("the speech program took longer than {ms} ms")]
    TimedOut { ms: u64 },
    #[error("too many texts are being spoken at once")]
    Busy,
    #[error("the speech program failed ({status}): {detail}")]
    Failed { status: String, detail: String },
    #[error("the sound is longer than {seconds_max} s")]
    TooLongSound { seconds_max: u32 },
    #[error("reading WAV")]
    Wav(#[source] hound::Error),
    #[error("the sound has no samples")]
    NoSamples,
    #[error("prompt cache on disk")]
    Disk(#[source] io::Error),
}

impl SpeechError {
    /// A stable word for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TextTooLong { .. } => "text_too_long",
            Self::EmptyText => "empty_text",
            Self::BadVoice(_) => "bad_voice",
            Self::BadPromptName(_) => "bad_prompt_name",
            Self::UnknownPrompt(_) => "unknown_prompt",
            Self::NoProvider => "no_provider",
            Self::Start { .. } => "start",
            Self::Talk(_) => "talk",
            Self::TimedOut { .. } => "timed_out",
            Self::Busy => "busy",
            Self::Failed { .. } => "failed",
            Self::TooLongSound { .. } => "too_long_sound",
            Self::Wav(_) => "wav",
            Self::NoSamples => "no_samples",
            Self::Disk(_) => "disk",
        }
    }
}
