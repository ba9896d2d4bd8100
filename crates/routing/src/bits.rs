//! A growing set of small numbers as words, for "which classes fit" and "which classes have somebody".

/// Set of class numbers. Reads beyond the end are zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    pub(crate) fn set(&mut self, at: u32) {
        let word = at as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (at % 64);
    }

    pub(crate) fn clear(&mut self, at: u32) {
        if let Some(word) = self.words.get_mut(at as usize / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    pub(crate) fn has(&self, at: u32) -> bool {
        self.words
            .get(at as usize / 64)
            .is_some_and(|w| w >> (at % 64) & 1 == 1)
    }

    pub(crate) fn insert_all(&mut self, other: &Bits) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.both(self)
    }

    /// How many are in both.
    pub(crate) fn count_both(&self, other: &Bits) -> u32 {
        self.words
            .iter()
            .zip(&other.words)
            .map(|(a, b)| (a & b).count_ones())
            .sum()
    }

    /// Calls `f` for each in both, ascending. The hot loop of matching.
    pub(crate) fn each_both(&self, other: &Bits, mut f: impl FnMut(u32)) {
        for (i, (a, b)) in self.words.iter().zip(&other.words).enumerate() {
            let mut left = a & b;
            while left != 0 {
                f(i as u32 * 64 + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }

    /// Those in both, ascending.
    pub(crate) fn both<'a>(&'a self, other: &'a Bits) -> impl Iterator<Item = u32> + 'a {
        self.words
            .iter()
            .zip(&other.words)
            .enumerate()
            .flat_map(|(i, (a, b))| {
                let mut left = a & b;
                std::iter::from_fn(move || {
                    if left == 0 {
                        return None;
                    }
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    Some(i as u32 * 64 + bit)
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_clears_and_intersects() {
        let (mut a, mut b) = (Bits::default(), Bits::default());
        for i in [0, 63, 64, 200, 999] {
            a.set(i);
        }
        for i in [63, 64, 65, 999, 4_000] {
            b.set(i);
        }
        assert_eq!(a.both(&b).collect::<Vec<_>>(), [63, 64, 999]);
        assert_eq!(a.count_both(&b), 3);
        a.clear(64);
        a.clear(100_000);
        assert!(!a.has(64) && a.has(200) && !a.has(100_000));
        a.insert_all(&b);
        assert_eq!(
            a.iter().collect::<Vec<_>>(),
            [0, 63, 64, 65, 200, 999, 4_000]
        );
    }
}
