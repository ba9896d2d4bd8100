//! From a [`Sound`] to its samples without ever blocking who asks.

use crate::cache::{CacheLimits, Lru, PromptCache, SpeechKey};
use crate::error::SpeechError;
use crate::pool::Pool;
use crate::provider::{SpeechRequest, TextToSpeech};
use crate::sentence;
use crate::tone::{ToneSet, beep, hold_music, silence, tone};
use crate::wav::read_wav;
use cp_vocab::id::TenantId;
use cp_vocab::media::{Samples, Sound};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sounds waiting to be made at once; further ones are a beep at once.
const PENDING_MAX: usize = 256;
/// Bytes of a prompt file at most.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// What could not be made is not tried again so soon; meanwhile it is a beep.
const RETRY_AFTER: Duration = Duration::from_secs(15);
/// Failures remembered for that.
const FAILURES_MAX: u64 = 1_024;
const NAME_CHARS_MAX: usize = 64;

/// House prompts that are spoken when there is no file for them.
const SPOKEN_PROMPTS: &[(&str, &str)] = &[
    (
        "greeting",
        "Welcome. Please hold the line, the next free agent will be with you.",
    ),
    ("hold", "Please hold the line."),
    ("goodbye", "Thank you for calling. Goodbye."),
    ("queue_full", "All lines are busy. Please call again later."),
    (
        "closed",
        "Nobody is here to take your call at the moment. Please call again later.",
    ),
    (
        "unavailable",
        "The person you are calling is not available.",
    ),
    (
        "unknown_number",
        "The number you have dialled is not in service.",
    ),
    (
        "transferring",
        "One moment please, you are being connected.",
    ),
    ("recording", "This call may be recorded."),
];

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PromptsConfig {
    /// WAV files of the house, `<name>.wav`.
    pub house: Option<PathBuf>,
    /// WAV files of the tenants, `<tenant id>/<name>.wav`; they go before the house's.
    pub tenants: Option<PathBuf>,
    /// Where spoken texts are kept; `None`: in memory alone.
    pub cache: Option<PathBuf>,
    pub limits: CacheLimits,
    /// Memory for prompt files.
    pub prompt_bytes_max: u64,
    pub threads: usize,
    pub tones: ToneSet,
}

impl Default for PromptsConfig {
    fn default() -> Self {
        Self {
            house: None,
            tenants: None,
            cache: None,
            limits: CacheLimits::default(),
            prompt_bytes_max: 128 << 20,
            threads: 2,
            tones: ToneSet::default(),
        }
    }
}

/// The answer of [`Prompts::resolve`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resolved {
    /// Here; the callback was dropped.
    Ready(Samples),
    /// Being made; the callback will be called once, from a worker thread.
    Pending,
}

/// Counters since the start, for the metrics page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpeechStats {
    /// Answered from memory or by calculation.
    pub ready: u64,
    /// Joined or began a pending one.
    pub pending: u64,
    pub spoken: u64,
    pub from_disk: u64,
    pub failed: u64,
    /// Beeps instead of what was wanted.
    pub fallbacks: u64,
}

#[derive(Default)]
struct Counters {
    ready: AtomicU64,
    pending: AtomicU64,
    spoken: AtomicU64,
    from_disk: AtomicU64,
    failed: AtomicU64,
    fallbacks: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Key {
    Spoken(SpeechKey),
    /// A prompt by tenant and name, by its hash.
    Named(SpeechKey),
}

/// What can be said of a sound without blocking.
enum Answer {
    Here(Samples),
    ToMake(Key, Task),
}

/// What has to be done on a worker.
enum Task {
    Speak(SpeechRequest),
    Prompt {
        tenant: Option<TenantId>,
        name: String,
    },
}

type Done = Box<dyn FnOnce(Samples) + Send>;

struct Inner {
    config: PromptsConfig,
    provider: Option<Arc<dyn TextToSpeech>>,
    identity: String,
    cache: PromptCache,
    named: Mutex<Lru<Key, Samples>>,
    failures: Mutex<Lru<Key, Instant>>,
    pending: Mutex<HashMap<Key, Vec<Done>>>,
    counters: Counters,
    beep: Samples,
}

/// The resolver. Cheap to call; shared behind an `Arc`.
pub struct Prompts {
    inner: Arc<Inner>,
    pool: Pool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Prompts {
    /// Without a provider everything spoken is a beep. Opens the cache folder; starts the threads.
    pub fn new(
        config: PromptsConfig,
        provider: Option<Arc<dyn TextToSpeech>>,
    ) -> Result<Self, SpeechError> {
        let cache = match &config.cache {
            Some(folder) => PromptCache::open(folder, config.limits)?,
            None => PromptCache::in_memory(config.limits),
        };
        if provider.is_none() {
            tracing::warn!("no speech provider: spoken texts will be a beep");
        }
        Ok(Self {
            pool: Pool::new(config.threads, PENDING_MAX).map_err(SpeechError::Talk)?,
            inner: Arc::new(Inner {
                identity: provider.as_ref().map(|p| p.identity()).unwrap_or_default(),
                cache,
                named: Mutex::new(Lru::new(config.prompt_bytes_max)),
                failures: Mutex::new(Lru::new(FAILURES_MAX)),
                pending: Mutex::default(),
                counters: Counters::default(),
                beep: beep(),
                config,
                provider,
            }),
        })
    }

    /// Samples of one sound, with the tenant's own prompts before the house's (`None`: the house's
    /// alone). Never blocks, never fails: what cannot be made is a beep. Of those
    /// who ask for the same sound meanwhile, all are called back and it is made once.
    ///
    /// Prompt names beside files: `position/<place>` and `position/<place>/<wait in s>` are spoken
    /// as sentences, `digits/<digits>` one by one, `music` is built in.
    pub fn resolve(
        &self,
        tenant: Option<TenantId>,
        sound: &Sound,
        done: impl FnOnce(Samples) + Send + 'static,
    ) -> Resolved {
        let counters = &self.inner.counters;
        match self.inner.at_once(tenant, sound) {
            Ok(Answer::Here(samples)) => {
                count(&counters.ready);
                Resolved::Ready(samples)
            }
            Ok(Answer::ToMake(key, task)) => self.begin(key, task, Box::new(done)),
            Err(error) => Resolved::Ready(self.inner.fallback(&error)),
        }
    }

    /// What is there now, for who wants to know before asking; makes nothing. What can never be
    /// made is a beep, as in [`Prompts::resolve`].
    pub fn ready(&self, tenant: Option<TenantId>, sound: &Sound) -> Option<Samples> {
        match self.inner.at_once(tenant, sound) {
            Ok(Answer::Here(samples)) => Some(samples),
            Ok(Answer::ToMake(..)) => None,
            Err(error) => Some(self.inner.fallback(&error)),
        }
    }

    /// All of a sequence, in order: given back now, or else (`None`) called back once when the last
    /// is there.
    pub fn resolve_all(
        &self,
        tenant: Option<TenantId>,
        sounds: &[Sound],
        done: impl FnOnce(Vec<Samples>) + Send + 'static,
    ) -> Option<Vec<Samples>> {
        /// The places filled so far, and whom to call when all are.
        struct Gather {
            places: Vec<Option<Samples>>,
            done: Option<Box<dyn FnOnce(Vec<Samples>) + Send>>,
        }
        /// Takes the whole when nothing is missing.
        fn whole(gather: &mut Gather) -> Option<Vec<Samples>> {
            let all = gather.places.iter().all(Option::is_some);
            all.then(|| gather.places.drain(..).flatten().collect())
        }
        let gather = Arc::new(Mutex::new(Gather {
            places: vec![None; sounds.len()],
            // Set when we know that somebody will be waiting.
            done: None,
        }));
        for (at, sound) in sounds.iter().enumerate() {
            let late = gather.clone();
            let resolved = self.resolve(tenant, sound, move |samples| {
                let mut held = locked(&late);
                held.places[at] = Some(samples);
                if held.done.is_some()
                    && let Some(samples) = whole(&mut held)
                    && let Some(done) = held.done.take()
                {
                    drop(held);
                    done(samples);
                }
            });
            if let Resolved::Ready(samples) = resolved {
                locked(&gather).places[at] = Some(samples);
            }
        }
        let mut held = locked(&gather);
        let samples = whole(&mut held);
        if samples.is_none() {
            held.done = Some(Box::new(done));
        }
        samples
    }

    /// Makes what will be wanted soon.
    pub fn warm(&self, tenant: Option<TenantId>, sounds: &[Sound]) {
        for sound in sounds {
            self.resolve(tenant, sound, |_| ());
        }
    }

    /// A prompt file changed: read it anew at the next use.
    pub fn forget(&self, tenant: Option<TenantId>, name: &str) {
        let key = named_key(tenant, name);
        locked(&self.inner.named).remove(&key);
        locked(&self.inner.failures).remove(&key);
    }

    pub fn stats(&self) -> SpeechStats {
        let c = &self.inner.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SpeechStats {
            ready: get(&c.ready),
            pending: get(&c.pending),
            spoken: get(&c.spoken),
            from_disk: get(&c.from_disk),
            failed: get(&c.failed),
            fallbacks: get(&c.fallbacks),
        }
    }

    fn begin(&self, key: Key, task: Task, done: Done) -> Resolved {
        let inner = &self.inner;
        {
            let mut pending = locked(&inner.pending);
            if let Some(waiting) = pending.get_mut(&key) {
                waiting.push(done);
                count(&inner.counters.pending);
                return Resolved::Pending;
            }
            // It may have become ready since we looked.
            if let Some(samples) = inner.kept(&key) {
                count(&inner.counters.ready);
                return Resolved::Ready(samples);
            }
            pending.insert(key, vec![done]);
        }
        let worker = inner.clone();
        if self
            .pool
            .submit(Box::new(move || worker.make(key, task)))
            .is_err()
        {
            let others = locked(&inner.pending).remove(&key);
            let beep = inner.fallback(&SpeechError::Busy);
            // The first is ours; whoever joined in this moment is called here.
            for other in others.into_iter().flatten().skip(1) {
                other(beep.clone());
            }
            return Resolved::Ready(beep);
        }
        count(&inner.counters.pending);
        Resolved::Pending
    }
}

fn named_key(tenant: Option<TenantId>, name: &str) -> Key {
    let tenant = tenant.map(|t| t.to_string()).unwrap_or_default();
    Key::Named(SpeechKey::of(["prompt", &tenant, name]))
}

/// Letters, digits, `_`, `-`, `.` inside, `/` only for the house's templates: never a way out of a folder.
fn check_name(name: &str) -> Result<(), SpeechError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let ok = !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && !name.starts_with('.')
        && name.chars().all(plain);
    if ok {
        Ok(())
    } else {
        Err(SpeechError::BadPromptName(name.chars().take(64).collect()))
    }
}

/// `position/3`, `position/3/120`, `digits/4930`: sentences made of numbers.
fn template(name: &str) -> Option<Result<String, SpeechError>> {
    let mut parts = name.split('/');
    let kind = parts.next()?;
    let first = parts.next()?;
    let bad = || SpeechError::BadPromptName(name.chars().take(64).collect());
    let text = match (kind, first, parts.next(), parts.next()) {
        ("position", place, wait, None) => {
            let wait = wait.map(str::parse).transpose();
            match (place.parse(), wait) {
                (Ok(place), Ok(wait)) => Ok(sentence::position(place, wait)),
                _ => Err(bad()),
            }
        }
        ("digits", digits, None, None) if digits.len() <= NAME_CHARS_MAX => {
            Ok(sentence::digits(digits))
        }
        _ => Err(bad()),
    };
    Some(text)
}

impl Inner {
    fn at_once(&self, tenant: Option<TenantId>, sound: &Sound) -> Result<Answer, SpeechError> {
        let (key, task) = match sound {
            Sound::Tone { tone: kind } => {
                return Ok(Answer::Here(tone(self.config.tones, *kind)));
            }
            Sound::Silence { ms } => return Ok(Answer::Here(silence(*ms))),
            Sound::Speech { text, voice } => {
                self.to_speak(SpeechRequest::new(text, voice.as_deref())?)?
            }
            Sound::Prompt { name } => match template(name) {
                Some(text) => self.to_speak(SpeechRequest::new(&text?, None)?)?,
                None => {
                    check_name(name)?;
                    let name = name.clone();
                    (named_key(tenant, &name), Task::Prompt { tenant, name })
                }
            },
        };
        if let Some(samples) = self.kept(&key) {
            return Ok(Answer::Here(samples));
        }
        let mut failures = locked(&self.failures);
        if let Some(at) = failures.get(&key) {
            if at.elapsed() < RETRY_AFTER {
                return Ok(Answer::Here(self.beep()));
            }
            failures.remove(&key);
        }
        Ok(Answer::ToMake(key, task))
    }

    fn to_speak(&self, request: SpeechRequest) -> Result<(Key, Task), SpeechError> {
        if self.provider.is_none() {
            return Err(SpeechError::NoProvider);
        }
        let key = SpeechKey::new(&self.identity, &request);
        Ok((Key::Spoken(key), Task::Speak(request)))
    }

    fn kept(&self, key: &Key) -> Option<Samples> {
        match key {
            Key::Spoken(spoken) => self.cache.get(spoken),
            Key::Named(_) => locked(&self.named).get(key).cloned(),
        }
    }

    fn beep(&self) -> Samples {
        count(&self.counters.fallbacks);
        self.beep.clone()
    }

    /// A beep, said and counted.
    fn fallback(&self, error: &SpeechError) -> Samples {
        match error {
            // Said once at the start.
            SpeechError::NoProvider => {}
            _ => tracing::warn!(code = error.code(), %error, "playing a beep instead"),
        }
        self.beep()
    }

    /// On a worker: makes the sound, keeps it, calls back all who wait. A provider that panics
    /// counts as failed.
    fn make(&self, key: Key, task: Task) {
        let made = catch_unwind(AssertUnwindSafe(|| self.perform(&key, task)));
        let made = made.unwrap_or_else(|_| {
            Err(SpeechError::Failed {
                status: "panicked".into(),
                detail: String::new(),
            })
        });
        let samples = made.unwrap_or_else(|error| {
            count(&self.counters.failed);
            locked(&self.failures).put(key, Instant::now(), 1);
            self.fallback(&error)
        });
        let waiting = locked(&self.pending).remove(&key).unwrap_or_default();
        for done in waiting {
            let samples = samples.clone();
            if catch_unwind(AssertUnwindSafe(|| done(samples))).is_err() {
                tracing::error!("a callback of the prompts panicked");
            }
        }
    }

    fn perform(&self, key: &Key, task: Task) -> Result<Samples, SpeechError> {
        match task {
            Task::Speak(request) => self.speak(&request),
            Task::Prompt { tenant, name } => {
                let samples = self.prompt(tenant, &name)?;
                let weight = 2 * samples.data.len() as u64 + 128;
                locked(&self.named).put(*key, samples.clone(), weight);
                Ok(samples)
            }
        }
    }

    fn speak(&self, request: &SpeechRequest) -> Result<Samples, SpeechError> {
        let key = SpeechKey::new(&self.identity, request);
        if let Some(samples) = self.cache.load(&key) {
            count(&self.counters.from_disk);
            return Ok(samples);
        }
        let provider = self.provider.as_ref().ok_or(SpeechError::NoProvider)?;
        let samples = provider.speak(request)?;
        count(&self.counters.spoken);
        if let Err(error) = self.cache.store(key, &samples) {
            // Heard all the same; only the next start has to speak it again.
            tracing::warn!(code = error.code(), %error, "keeping a spoken text");
        }
        Ok(samples)
    }

    /// Tenant's file, house's file, built in, spoken.
    fn prompt(&self, tenant: Option<TenantId>, name: &str) -> Result<Samples, SpeechError> {
        let file = format!("{name}.wav");
        let own = self.config.tenants.as_ref().zip(tenant);
        let own = own.map(|(folder, tenant)| folder.join(tenant.to_string()).join(&file));
        let house = self.config.house.as_ref().map(|f| f.join(&file));
        for path in own.into_iter().chain(house) {
            let Ok(meta) = std::fs::metadata(&path) else {
                continue;
            };
            if meta.len() > FILE_BYTES_MAX {
                return Err(SpeechError::TooLongSound { seconds_max: 900 });
            }
            return read_wav(std::fs::read(&path).map_err(SpeechError::Disk)?);
        }
        match name {
            "music" => return Ok(hold_music()),
            "beep" => return Ok(beep()),
            _ => {}
        }
        let (_, text) = SPOKEN_PROMPTS
            .iter()
            .find(|(spoken, _)| *spoken == name)
            .ok_or_else(|| SpeechError::UnknownPrompt(name.to_owned()))?;
        self.speak(&SpeechRequest::new(text, None)?)
    }
}

#[cfg(test)]
#[path = "prompts_tests.rs"]
mod tests;
