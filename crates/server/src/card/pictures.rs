//! Our own copies of pictures that came with calls: who looks at a card loads nothing from a
//! stranger, who would learn when and where somebody sits.

use bytes::Bytes;
use cp_vocab::brand::PictureKind;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Bytes of all copies together; the oldest go.
const BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Bytes of one picture; larger ones are not shown.
pub(super) const PICTURE_BYTES_MAX: usize = 256 * 1_024;

/// Pictures by the SHA-256 of their bytes in hex, in memory: a ring is over in a minute.
#[derive(Default)]
pub struct Pictures(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_digest: HashMap<String, Bytes>,
    by_age: VecDeque<String>,
    bytes: usize,
}

impl Pictures {
    /// Keeps a picture; its path, or `None` when it is none that is shown.
    pub fn keep(&self, bytes: &Bytes) -> Option<String> {
        if bytes.len() > PICTURE_BYTES_MAX {
            return None;
        }
        PictureKind::of(bytes)?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let path = format!("/pictures/{hex}");
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.by_digest.contains_key(&hex) {
            return Some(path);
        }
        kept.bytes += bytes.len();
        kept.by_digest.insert(hex.clone(), bytes.clone());
        kept.by_age.push_back(hex);
        while kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.by_age.pop_front() else {
                break;
            };
            let gone = kept.by_digest.remove(&oldest).map_or(0, |b| b.len());
            kept.bytes = kept.bytes.saturating_sub(gone);
        }
        Some(path)
    }

    /// The bytes of a digest.
    pub fn find(&self, digest: &str) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_digest.get(digest).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(n: u32) -> Bytes {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.extend(n.to_be_bytes());
        bytes.resize(PICTURE_BYTES_MAX, 0);
        bytes.into()
    }

    #[test]
    fn the_newest_pictures_are_kept_within_bounds() {
        let pictures = Pictures::default();
        let paths: Vec<String> = (0..140)
            .map(|n| pictures.keep(&picture(n)).unwrap())
            .collect();
        let find = |p: &String| pictures.find(p.strip_prefix("/pictures/").unwrap());
        assert!(find(&paths[0]).is_none());
        assert_eq!(find(&paths[139]), Some(picture(139)));
        assert!(pictures.0.lock().unwrap().bytes <= BYTES_MAX);
        assert_eq!(pictures.keep(&picture(139)).as_ref(), Some(&paths[139]));
    }

    #[test]
    fn what_is_no_picture_is_not_kept() {
        let pictures = Pictures::default();
        let mut large = picture(1).to_vec();
        large.push(0);
        for bytes in [b"<svg onload=alert(1)>".to_vec(), vec![], large] {
            assert_eq!(pictures.keep(&bytes.into()), None);
        }
    }
}
