//! espeak-ng as a subprocess: text on its standard input, WAV from its standard output. No shell,
//! no text among the arguments, no file.

use crate::error::SpeechError;
use crate::provider::{SpeechRequest, TextToSpeech};
use crate::wav::read_wav;
use cp_vocab::media::Samples;
use std::process::Stdio;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// Bytes of WAV taken from the program at most (some six minutes); more is an error.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;
/// Bytes of its complaints kept.
const STDERR_BYTES_MAX: u64 = 2_048;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EspeakConfig {
    /// Path or name of the program.
    pub program: String,
    /// Used when a request names no voice.
    pub voice: String,
    /// Speed in words per minute, 80 to 450.
    pub words_per_minute: u16,
    /// Programs running at once; further ones wait their turn within the time limit.
    pub concurrency_max: usize,
    /// Of waiting and speaking together; then the program is killed.
    pub time_ms_max: u64,
}

impl Default for EspeakConfig {
    fn default() -> Self {
        Self {
            program: "espeak-ng".into(),
            voice: "en".into(),
            words_per_minute: 160,
            concurrency_max: 2,
            time_ms_max: 10_000,
        }
    }
}

/// The default provider.
pub struct Espeak {
    config: EspeakConfig,
    running: Mutex<usize>,
    ended: Condvar,
}

/// A turn among the programs that run at once.
struct Turn<'a>(&'a Espeak);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_one();
    }
}

impl Espeak {
    pub fn new(config: EspeakConfig) -> Self {
        Self {
            config,
            running: Mutex::new(0),
            ended: Condvar::new(),
        }
    }

    /// Whether the program is there and speaks: says one word.
    pub fn probe(&self) -> Result<(), SpeechError> {
        self.speak(&SpeechRequest::new("ready", None)?).map(drop)
    }

    fn turn(&self, until: Instant) -> Result<Turn<'_>, SpeechError> {
        let left = until.saturating_duration_since(Instant::now());
        let lock = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let max = self.config.concurrency_max.max(1);
        let (mut running, waited) = self
            .ended
            .wait_timeout_while(lock, left, |n| *n >= max)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(SpeechError::Busy);
        }
        *running += 1;
        Ok(Turn(self))
    }

    fn start(&self, request: &SpeechRequest) -> Result<Child, SpeechError> {
        Command::new(&self.config.program)
            .args(["--stdin", "--stdout", "-b", "1", "-v"])
            .arg(request.voice().unwrap_or(&self.config.voice))
            .arg("-s")
            .arg(self.config.words_per_minute.clamp(80, 450).to_string())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| SpeechError::Start {
                program: self.config.program.clone(),
                source,
            })
    }

    async fn run(&self, request: &SpeechRequest) -> Result<Vec<u8>, SpeechError> {
        let mut child = self.start(request)?;
        let mut stdin = child.stdin.take().expect("invariant: asked for");
        let stdout = child.stdout.take().expect("invariant: asked for");
        let stderr = child.stderr.take().expect("invariant: asked for");
        let text = request.text().as_bytes();
        let write = async move {
            // A program that ends early closes its input; its status tells why.
            let _ = stdin.write_all(text).await;
            let _ = stdin.write_all(b"\n").await;
        };
        let read = async move {
            let mut wav = Vec::new();
            let mut out = stdout.take(OUTPUT_BYTES_MAX + 1);
            out.read_to_end(&mut wav).await.map(|_| wav)
        };
        let beside = async move {
            let mut complaint = Vec::new();
            let mut err = stderr.take(STDERR_BYTES_MAX);
            let _ = tokio::join!(write, err.read_to_end(&mut complaint));
            complaint
        };
        tokio::pin!(read, beside);
        // A program that never stops talking must not be waited for: the output decides.
        let (wav, complaint) = tokio::select! {
            wav = &mut read => (wav, None),
            complaint = &mut beside => (read.await, Some(complaint)),
        };
        let wav = wav.map_err(SpeechError::Talk)?;
        if wav.len() as u64 > OUTPUT_BYTES_MAX {
            return Err(SpeechError::TooLongSound { seconds_max: 360 });
        }
        let complaint = match complaint {
            Some(complaint) => complaint,
            None => beside.await,
        };
        let status = child.wait().await.map_err(SpeechError::Talk)?;
        if !status.success() || wav.is_empty() {
            let detail = String::from_utf8_lossy(&complaint);
            return Err(SpeechError::Failed {
                status: status.to_string(),
                detail: detail.lines().next().unwrap_or_default().to_owned(),
            });
        }
        Ok(wav)
    }
}

impl TextToSpeech for Espeak {
    fn identity(&self) -> String {
        format!(
            "espeak-ng/{}/{}",
            self.config.voice, self.config.words_per_minute
        )
    }

    fn speak(&self, request: &SpeechRequest) -> Result<Samples, SpeechError> {
        let ms = self.config.time_ms_max;
        let until = Instant::now() + Duration::from_millis(ms);
        let _turn = self.turn(until)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(SpeechError::Talk)?;
        let wav = runtime.block_on(async {
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::timeout(left, self.run(request))
                .await
                .unwrap_or(Err(SpeechError::TimedOut { ms }))
        })?;
        read_wav(wav)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// The installed program; its absence fails the test unless that is declared.
    fn real() -> Option<Espeak> {
        let espeak = Espeak::new(EspeakConfig::default());
        match espeak.probe() {
            Ok(()) => Some(espeak),
            Err(_) if std::env::var_os("CP_NO_ESPEAK").is_some() => None,
            Err(e) => panic!("espeak-ng is needed ({e}); set CP_NO_ESPEAK=1 to go without"),
        }
    }

    fn speak(espeak: &Espeak, text: &str, voice: Option<&str>) -> Result<Samples, SpeechError> {
        espeak.speak(&SpeechRequest::new(text, voice)?)
    }

    fn seconds(samples: &Samples) -> f64 {
        samples.data.len() as f64 / f64::from(samples.rate_hz)
    }

    fn loud(samples: &Samples) -> bool {
        let energy: f64 = samples.data.iter().map(|s| f64::from(*s).powi(2)).sum();
        (energy / samples.data.len() as f64).sqrt() > 300.0
    }

    #[test]
    fn words_become_audible_speech() {
        let Some(espeak) = real() else { return };
        let sentence = crate::sentence::position(3, Some(120));
        let samples = speak(&espeak, &sentence, None).unwrap();
        assert!(loud(&samples));
        assert!(
            (2.5..9.0).contains(&seconds(&samples)),
            "{}",
            seconds(&samples)
        );
        assert_eq!(
            speak(&espeak, &sentence, None).unwrap(),
            samples,
            "the same each time"
        );
        let german = speak(&espeak, "Guten Tag, Grüße aus Köln", Some("de")).unwrap();
        assert!(loud(&german));
    }

    #[test]
    fn what_looks_like_markup_or_options_is_only_words() {
        let Some(espeak) = real() else { return };
        let plain = speak(&espeak, "hello", None).unwrap();
        for text in [
            "--version",
            "-f /etc/passwd",
            "$(touch x); `id`",
            "<speak><break time=\"60s\"/>hello</speak>",
            "[[h@'loU]] hello",
            "\u{1}999S hello",
        ] {
            let samples = speak(&espeak, text, None).unwrap();
            assert!(loud(&samples) && seconds(&samples) < 20.0, "{text}");
        }
        assert!(loud(&plain));
        // The program takes its default for a voice it does not have.
        assert!(speak(&espeak, "hello", Some("no-such-voice")).is_ok_and(|s| loud(&s)));
    }

    fn fake(folder: &std::path::Path, script: &str, config: EspeakConfig) -> Espeak {
        let program = folder.join("fake");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Espeak::new(EspeakConfig {
            program: program.to_str().unwrap().into(),
            ..config
        })
    }

    #[test]
    fn bad_programs_are_errors_and_are_killed() {
        let folder = tempfile::tempdir().unwrap();
        let quick = EspeakConfig {
            time_ms_max: 200,
            ..EspeakConfig::default()
        };
        for (script, code) in [
            ("exec sleep 600", "timed_out"),
            ("cat >/dev/null; exec sleep 600", "timed_out"),
            ("exec yes", "too_long_sound"),
            ("echo no such voice >&2; exit 3", "failed"),
            ("exit 0", "failed"),
            ("echo this is no wav", "wav"),
        ] {
            let config = match code {
                "timed_out" => quick.clone(),
                _ => EspeakConfig::default(),
            };
            let espeak = fake(folder.path(), script, config);
            let error = speak(&espeak, "hello", None).unwrap_err();
            assert_eq!(error.code(), code, "{script}: {error}");
        }
        let missing = Espeak::new(EspeakConfig {
            program: "/nowhere/espeak".into(),
            ..quick
        });
        assert_eq!(missing.probe().unwrap_err().code(), "start");
    }

    #[test]
    fn only_so_many_run_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = EspeakConfig {
            concurrency_max: 1,
            time_ms_max: 300,
            ..EspeakConfig::default()
        };
        let espeak = fake(folder.path(), "exec sleep 600", config);
        let code = |e: &Espeak| speak(e, "hello", None).unwrap_err().code();
        let one = espeak.turn(Instant::now()).unwrap();
        assert_eq!(code(&espeak), "busy", "the only turn is taken");
        drop(one);
        assert_eq!(code(&espeak), "timed_out", "it had its turn");
    }
}
