//! Passwords that leaked, by a list of the operator: a file of SHA-1 in hex, one per line, sorted, each perhaps
//! with `:count`. The list of all known leaks has tens of gigabytes, so it is searched where it lies.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::fmt::Write;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;

/// The list new passwords are looked up in, for the whole process.
static LIST: OnceLock<List> = OnceLock::new();

/// Bytes of a hash in hex, and of the longest line read.
const HASH: usize = 40;
const LINE_MAX: usize = 96;
/// Lines that are looked at, evenly over the file, to see whether it is sorted.
const SAMPLES: u64 = 256;

/// What is wrong with a list.
#[derive(Debug, thiserror::Error)]
pub enum LeaksError {
    #[error("cannot be read")]
    Io(#[from] std::io::Error),
    #[error("is no list of SHA-1 in hex, one per line (near byte {0})")]
    Format(u64),
    #[error("is not sorted (near byte {0}); sort it by `LC_ALL=C sort -f`")]
    Unsorted(u64),
}

struct List {
    file: File,
    bytes: u64,
}

/// From now on passwords in this list are weak.
///
/// # Errors
/// It cannot be read, or is no such list.
pub fn refuse(path: &Path) -> Result<(), LeaksError> {
    let list = List::open(path)?;
    // A second list in one process changes nothing: the first one counts.
    let _ = LIST.set(list);
    Ok(())
}

/// Whether the password is on the list. A list that cannot be read any more holds nothing: the log says so.
pub(crate) fn holds(password: &str) -> bool {
    let Some(list) = LIST.get() else {
        return false;
    };
    list.holds(password).unwrap_or_else(|e| {
        tracing::error!("the list of leaked passwords: {e}");
        false
    })
}

impl List {
    fn open(path: &Path) -> Result<Self, LeaksError> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let list = Self { file, bytes };
        let mut before = String::new();
        for n in 0..SAMPLES {
            let at = bytes / SAMPLES * n;
            if let Some((_, hash)) = list.line(at)? {
                if hash < before {
                    return Err(LeaksError::Unsorted(at));
                }
                before = hash;
            }
        }
        Ok(list)
    }

    /// The first line that begins at `at` or behind it: where it begins, and its hash in upper case.
    fn line(&self, at: u64) -> Result<Option<(u64, String)>, LeaksError> {
        let mut buffer = [0; 2 * LINE_MAX];
        // From one byte before: a line that begins at `at` has a line end there.
        let from = at.saturating_sub(1);
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], from + read as u64)? {
                0 => break,
                n => read += n,
            }
        }
        let mut begins = 0;
        if at > 0 {
            match buffer[..read].iter().position(|b| *b == b'\n') {
                Some(end) => begins = end + 1,
                None if from + (read as u64) < self.bytes => return Err(LeaksError::Format(at)),
                None => return Ok(None),
            }
        }
        if from + begins as u64 >= self.bytes {
            return Ok(None);
        }
        let hash = buffer[..read].get(begins..begins + HASH);
        let hash = hash.filter(|h| h.iter().all(u8::is_ascii_hexdigit));
        let hash = hash.ok_or(LeaksError::Format(from + begins as u64))?;
        let hash = String::from_utf8_lossy(hash).to_ascii_uppercase();
        Ok(Some((from + begins as u64, hash)))
    }

    fn holds(&self, password: &str) -> Result<bool, LeaksError> {
        let mut wanted = String::with_capacity(HASH);
        for byte in digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()).as_ref() {
            let _ = write!(wanted, "{byte:02X}");
        }
        // Lines that begin before `low` are smaller, those that begin at `high` or behind are not.
        let (mut low, mut high) = (0, self.bytes);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.line(middle)? {
                Some((at, hash)) if hash < wanted => low = at + 1,
                _ => high = middle,
            }
        }
        Ok(self.line(low)?.is_some_and(|(_, hash)| hash == wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leaked.txt");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn sha1(word: &str) -> String {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, word.as_bytes());
        hash.as_ref().iter().map(|b| format!("{b:02X}")).collect()
    }

    #[test]
    fn what_is_on_the_list_is_found_and_nothing_else() {
        for (count, end) in [(1, "\n"), (2, ""), (501, ":17\r\n"), (1_000, ":3\n")] {
            let mut lines: Vec<String> = (0..count).map(|n| sha1(&format!("leaked {n}"))).collect();
            lines.sort();
            let end = if end.is_empty() { "\n" } else { end };
            let (_kept, path) = file(lines.join(end).as_str());
            let list = List::open(&path).unwrap();
            for n in 0..count {
                assert!(
                    list.holds(&format!("leaked {n}")).unwrap(),
                    "{n} of {count}"
                );
                assert!(!list.holds(&format!("safe {n}")).unwrap(), "{n} of {count}");
            }
        }
        let (_kept, path) = file("");
        assert!(!List::open(&path).unwrap().holds("anything").unwrap());
    }

    #[test]
    fn what_is_no_sorted_list_of_hashes_is_refused() {
        let (_kept, path) = file("password\n123456\n");
        assert!(matches!(List::open(&path), Err(LeaksError::Format(0))));
        let mut lines: Vec<String> = (0..100).map(|n| sha1(&n.to_string())).collect();
        lines.sort();
        lines.reverse();
        let (_kept, path) = file(&lines.join("\n"));
        assert!(matches!(List::open(&path), Err(LeaksError::Unsorted(_))));
        assert!(matches!(
            List::open(Path::new("/nowhere")),
            Err(LeaksError::Io(_))
        ));
    }
}
