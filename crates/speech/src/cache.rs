//! What was spoken once is not spoken again: samples in memory and on disk, named by a hash of
//! engine, voice, speed and text, both bounded and emptied from the least recently used end.

use crate::error::SpeechError;
use crate::provider::SpeechRequest;
use crate::wav::{read_wav, write_wav};
use aws_lc_rs::digest;
use cp_vocab::media::Samples;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::fs;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// SHA-256 over engine, voice, speed and text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpeechKey([u8; 32]);

impl SpeechKey {
    /// `identity` is that of the provider.
    pub fn new(identity: &str, request: &SpeechRequest) -> Self {
        Self::of([identity, request.voice().unwrap_or(""), request.text()])
    }

    pub(crate) fn of(parts: [&str; 3]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            // Lengths keep the parts apart.
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }

    fn hex(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            let wrote = write!(text, "{byte:02x}");
            debug_assert!(wrote.is_ok(), "writing to a string does not fail");
        }
        text
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(key))
    }
}

impl std::fmt::Debug for SpeechKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex()[..16])
    }
}

/// Bounds; at each the least recently used goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheLimits {
    pub memory_bytes_max: u64,
    pub disk_bytes_max: u64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 << 20,
            disk_bytes_max: 512 << 20,
        }
    }
}

/// A map that knows the weight of its entries and forgets the least recently used.
pub(crate) struct Lru<K, V> {
    entries: HashMap<K, (V, u64, u64)>,
    by_use: BTreeMap<u64, K>,
    uses: u64,
    weight: u64,
    weight_max: u64,
}

impl<K: Copy + Eq + Hash, V> Lru<K, V> {
    pub(crate) fn new(weight_max: u64) -> Self {
        Self {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            weight: 0,
            weight_max,
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        let (value, used, _) = self.entries.get_mut(key)?;
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, *key);
        Some(value)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (value, used, weight) = self.entries.remove(key)?;
        self.by_use.remove(&used);
        self.weight -= weight;
        Some(value)
    }

    /// Inserts and returns the keys that had to go; what is heavier than the whole bound is not kept.
    pub(crate) fn put(&mut self, key: K, value: V, weight: u64) -> Vec<K> {
        self.remove(&key);
        if weight > self.weight_max {
            return vec![key];
        }
        self.uses += 1;
        self.by_use.insert(self.uses, key);
        self.entries.insert(key, (value, self.uses, weight));
        self.weight += weight;
        let mut gone = Vec::new();
        while self.weight > self.weight_max {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            if let Some((_, _, weight)) = self.entries.remove(&oldest) {
                self.weight -= weight;
            }
            gone.push(oldest);
        }
        gone
    }
}

/// Memory before disk. All methods may be called from any thread; those that touch the disk say so.
pub struct PromptCache {
    memory: Mutex<Lru<SpeechKey, Samples>>,
    disk: Option<Disk>,
}

struct Disk {
    folder: PathBuf,
    files: Mutex<Lru<SpeechKey, ()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PromptCache {
    /// Memory alone.
    pub fn in_memory(limits: CacheLimits) -> Self {
        Self {
            memory: Mutex::new(Lru::new(limits.memory_bytes_max)),
            disk: None,
        }
    }

    /// Opens or makes a folder and takes stock of it, oldest first. Reads the disk.
    pub fn open(folder: &Path, limits: CacheLimits) -> Result<Self, SpeechError> {
        fs::create_dir_all(folder).map_err(SpeechError::Disk)?;
        let mut found: Vec<(SystemTime, SpeechKey, u64)> = Vec::new();
        for entry in fs::read_dir(folder).map_err(SpeechError::Disk)? {
            let entry = entry.map_err(SpeechError::Disk)?;
            let path = entry.path();
            let stem = path.file_stem().and_then(|s| s.to_str());
            let is_wav = path.extension().is_some_and(|e| e == "wav");
            match (stem.and_then(SpeechKey::from_hex), entry.metadata()) {
                (Some(key), Ok(meta)) if is_wav => {
                    let at = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    found.push((at, key, meta.len()));
                }
                // Left over from a crash while writing.
                _ if path.extension().is_some_and(|e| e == "part") => {
                    let _ = fs::remove_file(&path);
                }
                _ => {}
            }
        }
        found.sort_unstable();
        let disk = Disk {
            folder: folder.to_owned(),
            files: Mutex::new(Lru::new(limits.disk_bytes_max)),
        };
        for (_, key, bytes) in found {
            disk.keep(key, bytes);
        }
        Ok(Self {
            disk: Some(disk),
            ..Self::in_memory(limits)
        })
    }

    /// From memory alone: never blocks on the disk.
    pub fn get(&self, key: &SpeechKey) -> Option<Samples> {
        locked(&self.memory).get(key).cloned()
    }

    /// From memory or disk. What cannot be read is removed and made anew. Reads the disk.
    pub fn load(&self, key: &SpeechKey) -> Option<Samples> {
        if let Some(samples) = self.get(key) {
            return Some(samples);
        }
        let disk = self.disk.as_ref()?;
        locked(&disk.files).get(key)?;
        let path = disk.path(key);
        let read = fs::read(&path)
            .map_err(SpeechError::Disk)
            .and_then(read_wav);
        match read {
            Ok(samples) => {
                self.remember(*key, &samples);
                Some(samples)
            }
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "removing a bad file from the prompt cache");
                let _ = fs::remove_file(&path);
                locked(&disk.files).remove(key);
                None
            }
        }
    }

    /// Keeps samples in memory, and on disk where there is one: written beside and renamed, so
    /// that a crash leaves no half file. Writes the disk.
    pub fn store(&self, key: SpeechKey, samples: &Samples) -> Result<(), SpeechError> {
        self.remember(key, samples);
        let Some(disk) = &self.disk else {
            return Ok(());
        };
        let bytes = write_wav(samples)?;
        let part = disk.path(&key).with_extension("part");
        fs::write(&part, &bytes).map_err(SpeechError::Disk)?;
        fs::rename(&part, disk.path(&key)).map_err(SpeechError::Disk)?;
        disk.keep(key, bytes.len() as u64);
        Ok(())
    }

    fn remember(&self, key: SpeechKey, samples: &Samples) {
        let weight = 2 * samples.data.len() as u64 + 128;
        locked(&self.memory).put(key, samples.clone(), weight);
    }
}

impl Disk {
    fn path(&self, key: &SpeechKey) -> PathBuf {
        self.folder.join(format!("{}.wav", key.hex()))
    }

    fn keep(&self, key: SpeechKey, bytes: u64) {
        let gone = locked(&self.files).put(key, (), bytes);
        for old in gone {
            let _ = fs::remove_file(self.path(&old));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> SpeechKey {
        SpeechKey([n; 32])
    }

    fn samples(n: i16) -> Samples {
        Samples {
            rate_hz: 8_000,
            data: vec![n; 500].into(),
        }
    }

    #[test]
    fn keys_tell_engine_voice_and_text_apart() {
        let keys: std::collections::HashSet<_> = [
            ("e/en/160", None, "hello"),
            ("e/en/161", None, "hello"),
            ("e/en/160", Some("de"), "hello"),
            ("e/en/160", None, "hello!"),
            ("e/en/160", Some("dehello"), "x"),
            ("e/en/160", Some("de"), "hellox"),
        ]
        .into_iter()
        .map(|(id, voice, text)| SpeechKey::new(id, &SpeechRequest::new(text, voice).unwrap()))
        .collect();
        assert_eq!(keys.len(), 6);
        let key = *keys.iter().next().unwrap();
        assert_eq!(SpeechKey::from_hex(&key.hex()), Some(key));
        assert_eq!(SpeechKey::from_hex("../../etc/passwd"), None);
    }

    #[test]
    fn memory_forgets_the_least_recently_used() {
        let cache = PromptCache::in_memory(CacheLimits {
            memory_bytes_max: 2_500,
            disk_bytes_max: 0,
        });
        cache.store(key(1), &samples(1)).unwrap();
        cache.store(key(2), &samples(2)).unwrap();
        assert!(cache.get(&key(1)).is_some());
        cache.store(key(3), &samples(3)).unwrap();
        let there = [1, 2, 3].map(|n| cache.get(&key(n)).is_some());
        assert_eq!(there, [true, false, true]);
        let huge = Samples {
            rate_hz: 8_000,
            data: vec![0; 9_999].into(),
        };
        cache.store(key(4), &huge).unwrap();
        assert!(cache.get(&key(4)).is_none() && cache.get(&key(1)).is_some());
    }

    #[test]
    fn the_disk_outlives_us_is_bounded_and_mends_itself() {
        let folder = tempfile::tempdir().unwrap();
        let limits = CacheLimits {
            memory_bytes_max: 1 << 20,
            disk_bytes_max: 3 * 1_044,
        };
        {
            let cache = PromptCache::open(folder.path(), limits).unwrap();
            for n in 1..=4 {
                cache.store(key(n), &samples(n.into())).unwrap();
            }
        }
        fs::write(folder.path().join("x.part"), b"half").unwrap();
        let bad = folder.path().join(format!("{}.wav", key(3).hex()));
        fs::write(&bad, b"not a wav").unwrap();
        let cache = PromptCache::open(folder.path(), limits).unwrap();
        assert_eq!(cache.get(&key(2)), None, "not in memory yet");
        let there = [1, 2, 3, 4].map(|n| cache.load(&key(n)).is_some());
        assert_eq!(there, [false, true, false, true]);
        assert!(!bad.exists() && !folder.path().join("x.part").exists());
        assert_eq!(cache.get(&key(2)), Some(samples(2)), "in memory now");
    }
}
