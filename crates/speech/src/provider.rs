//! What a speech provider is.

use crate::error::SpeechError;
use cp_vocab::media::Samples;

/// Characters spoken at once; longer texts are refused.
pub const TEXT_CHARS_MAX: usize = 2_000;
const VOICE_CHARS_MAX: usize = 40;

/// Words to be spoken. Made by [`SpeechRequest::new`], which cleans them; so every provider may
/// take what it gets as plain words.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SpeechRequest {
    text: String,
    voice: Option<String>,
}

impl SpeechRequest {
    /// Checks length and voice name, and makes the text harmless: control characters (some engines
    /// take commands after them) become spaces, and the brackets that switch to phonemes lose
    /// their meaning.
    pub fn new(text: &str, voice: Option<&str>) -> Result<Self, SpeechError> {
        let chars = text.chars().count();
        if chars > TEXT_CHARS_MAX {
            return Err(SpeechError::TextTooLong {
                chars,
                max: TEXT_CHARS_MAX,
            });
        }
        let clean: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let clean = clean.replace("[[", "[ [").replace("]]", "] ]");
        let text = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return Err(SpeechError::EmptyText);
        }
        if let Some(voice) = voice {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
            let ok = voice.chars().all(plain)
                && voice.chars().count() <= VOICE_CHARS_MAX
                && voice.starts_with(|c: char| c.is_ascii_alphanumeric());
            if !ok {
                return Err(SpeechError::BadVoice(voice.chars().take(64).collect()));
            }
        }
        Ok(Self {
            text,
            voice: voice.map(str::to_owned),
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// One of the provider's voices; `None` for its own default.
    pub fn voice(&self) -> Option<&str> {
        self.voice.as_deref()
    }
}

/// Speaks. Called from worker threads and may block there.
pub trait TextToSpeech: Send + Sync + 'static {
    /// Distinguishes what was spoken by whom and how in the cache: engine, default voice, speed.
    fn identity(&self) -> String;
    fn speak(&self, request: &SpeechRequest) -> Result<Samples, SpeechError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_harmless() {
        for (given, spoken) in [
            ("  You are\nnumber  3. ", "You are number 3."),
            ("a\u{1}80s\u{0}b\u{1b}[2Jc", "a 80s b [2Jc"),
            ("say [[h@'loU]] now", "say [ [h@'loU] ] now"),
            ("[[[[x", "[ [[ [x"),
            (
                "<speak>&amp;\"$(rm -rf)`'</speak>",
                "<speak>&amp;\"$(rm -rf)`'</speak>",
            ),
            ("Grüße, 你好", "Grüße, 你好"),
        ] {
            let request = SpeechRequest::new(given, None).unwrap();
            assert_eq!(request.text(), spoken);
        }
    }

    #[test]
    fn bad_requests_are_refused() {
        let long = "a".repeat(TEXT_CHARS_MAX + 1);
        for (text, voice, code) in [
            ("", None, "empty_text"),
            (" \n\t\u{7}", None, "empty_text"),
            (&*long, None, "text_too_long"),
            ("hi", Some(""), "bad_voice"),
            ("hi", Some("--path=/etc"), "bad_voice"),
            ("hi", Some("../../x"), "bad_voice"),
            ("hi", Some("en us"), "bad_voice"),
        ] {
            let error = SpeechRequest::new(text, voice).unwrap_err();
            assert_eq!(error.code(), code, "{text:?} {voice:?}");
        }
        assert!(SpeechRequest::new(&long[1..], Some("en-us+f3")).is_ok());
    }
}
