//! Who waits in which class, with the head of every class at hand.

use crate::bits::Bits;
use std::collections::BTreeSet;

/// Up to so many compatible classes their heads are compared; with more, the order over all
/// classes is walked instead, where the first compatible entry is then near (of C classes in use
/// with k compatible, a walk expects C/k steps, the comparison takes k).
const HEADS_MAX: u32 = 128;
/// Classes counted to tell how many were eligible; with more the figure is a lower bound.
const COUNTED_MAX: usize = 512;
/// A walk that found nothing in so many steps gives up, and the heads are compared after all.
const WALK_MAX: usize = 256;
/// How deep a class is searched for an allowed entry where classes are ranked; more than an
/// entry can refuse.
const DEPTH_MAX: usize = 16;

/// A place in the order. Smaller goes first; `order` breaks ties and is unique.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Entry {
    pub(crate) key: i64,
    pub(crate) order: u64,
    pub(crate) slot: u32,
    pub(crate) class: u32,
}

const NOBODY: (i64, u64) = (i64::MAX, u64::MAX);

#[derive(Default)]
pub(crate) struct ClassIndex {
    sets: Vec<BTreeSet<Entry>>,
    /// Key and order of each class's first entry, flat so that comparing many stays in cache.
    heads: Vec<(i64, u64)>,
    lens: Vec<u32>,
    filled: Bits,
    all: BTreeSet<Entry>,
}

impl ClassIndex {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        let class = entry.class as usize;
        if class >= self.sets.len() {
            self.sets.resize_with(class + 1, BTreeSet::new);
            self.heads.resize(class + 1, NOBODY);
            self.lens.resize(class + 1, 0);
        }
        self.sets[class].insert(entry);
        self.lens[class] += 1;
        self.all.insert(entry);
        if (entry.key, entry.order) < self.heads[class] {
            self.heads[class] = (entry.key, entry.order);
            self.filled.set(entry.class);
        }
    }

    pub(crate) fn remove(&mut self, entry: Entry) {
        let class = entry.class as usize;
        let was_there = self.sets[class].remove(&entry);
        debug_assert!(was_there, "only what was inserted is removed");
        self.lens[class] -= 1;
        self.all.remove(&entry);
        if self.heads[class] == (entry.key, entry.order) {
            match self.sets[class].first() {
                Some(next) => self.heads[class] = (next.key, next.order),
                None => {
                    self.heads[class] = NOBODY;
                    self.filled.clear(entry.class);
                }
            }
        }
    }

    /// Number of classes that fit and have somebody.
    pub(crate) fn classes(&self, fits: &Bits) -> u32 {
        self.filled.count_both(fits)
    }

    /// Entries in the classes that fit; counted over the first [`COUNTED_MAX`] of these.
    pub(crate) fn count(&self, fits: &Bits) -> u32 {
        self.filled
            .both(fits)
            .take(COUNTED_MAX)
            .map(|c| self.lens[c as usize])
            .sum()
    }

    /// The first entry over all classes in `fits` that is `allowed`. `allowed` refuses rarely and
    /// at most as often as there were failed offers lately.
    pub(crate) fn best(&self, fits: &Bits, allowed: impl Fn(u32) -> bool) -> Option<Entry> {
        let classes = self.classes(fits);
        if classes == 0 {
            return None;
        }
        if classes > HEADS_MAX {
            let near = self.all.iter().take(WALK_MAX);
            if let Some(found) = { near }.find(|e| fits.has(e.class) && allowed(e.slot)) {
                return Some(*found);
            }
        }
        let (mut best, mut head) = (NOBODY, 0);
        self.filled.each_both(fits, |c| {
            let this = self.heads[c as usize];
            if this < best {
                (best, head) = (this, c);
            }
        });
        let first = *self.sets[head as usize].first()?;
        if allowed(first.slot) {
            return Some(first);
        }
        self.filled
            .both(fits)
            .filter_map(|c| self.sets[c as usize].iter().find(|e| allowed(e.slot)))
            .min()
            .copied()
    }

    /// As [`ClassIndex::best`] with classes compared by `rank` first (smaller wins).
    pub(crate) fn best_ranked<R: Ord + Copy>(
        &self,
        fits: &Bits,
        rank: impl Fn(u32) -> R,
        allowed: impl Fn(u32) -> bool,
    ) -> Option<Entry> {
        let mut best = None;
        self.filled.each_both(fits, |c| {
            let this = (rank(c), self.heads[c as usize]);
            if best.is_none_or(|(b, _)| this < b) {
                best = Some((this, c));
            }
        });
        let (_, head) = best?;
        let first = *self.sets[head as usize].first()?;
        if allowed(first.slot) {
            return Some(first);
        }
        self.filled
            .both(fits)
            .filter_map(|c| {
                let mut near = self.sets[c as usize].iter().take(DEPTH_MAX);
                let entry = near.find(|e| allowed(e.slot))?;
                Some((rank(c), *entry))
            })
            .min()
            .map(|(_, entry)| entry)
    }

    /// All entries in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.all.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(key: i64, slot: u32, class: u32) -> Entry {
        Entry {
            key,
            order: u64::from(slot),
            slot,
            class,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Both ways of looking find what a plain search over everything finds.
        #[test]
        fn finds_the_first_that_fits(
            put in proptest::collection::vec((0i64..50, 0u32..600), 1..700),
            fitting in proptest::collection::vec(any::<bool>(), 600),
            refused in proptest::collection::hash_set(0u32..700, 0..4),
        ) {
            let mut index = ClassIndex::default();
            let mut fits = Bits::default();
            for (class, yes) in fitting.iter().enumerate() {
                if *yes { fits.set(class as u32); }
            }
            let mut left = vec![];
            for (slot, (key, class)) in put.iter().enumerate() {
                index.insert(entry(*key, slot as u32, *class));
                left.push(entry(*key, slot as u32, *class));
            }
            while !left.is_empty() {
                let want = left.iter()
                    .filter(|e| fitting[e.class as usize] && !refused.contains(&e.slot))
                    .min().copied();
                prop_assert_eq!(index.best(&fits, |s| !refused.contains(&s)), want);
                let ranked = left.iter()
                    .filter(|e| fitting[e.class as usize] && !refused.contains(&e.slot))
                    .min_by_key(|e| (e.class % 7, **e)).copied();
                prop_assert_eq!(index.best_ranked(&fits, |c| c % 7, |s| !refused.contains(&s)), ranked);
                let gone = want.unwrap_or(left[0]);
                index.remove(gone);
                left.retain(|e| *e != gone);
            }
            prop_assert!(index.is_empty());
            prop_assert_eq!(index.classes(&fits), 0);
        }
    }
}
