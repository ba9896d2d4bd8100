//! What the house knows of callers (S3.1 rule 6): people who were called report who abused it, and
//! a caller of whom enough was reported is not shown with name and picture any more. One tenant's
//! word decides for itself alone; for the others it takes several tenants.

use cp_vocab::*;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::time::Duration;

/// Numbers that are remembered; the one reported longest ago for the first time goes.
const NUMBERS_MAX: usize = 50_000;
/// Tenants whose reports of one number are remembered; more say nothing new.
const TENANTS_MAX: usize = 32;
/// So many tenants speak for all.
const TENANTS_MIN: usize = 3;
/// A report counts so long: numbers get new holders.
const COUNTS_FOR: Duration = Duration::from_secs(90 * 24 * 3_600);

/// One tenant's latest report of a number.
#[derive(Clone, Copy, Debug)]
struct Report {
    tenant: TenantId,
    /// The call was proven to be of that number; otherwise somebody may have borrowed it.
    proven: bool,
    at: Timestamp,
}

/// What the log knows of a report.
#[derive(Clone, Debug)]
pub struct Reported {
    /// Canonical.
    pub number: String,
    pub tenant: TenantId,
    pub proven: bool,
    /// By the clock on the wall.
    pub at: Timestamp,
}

/// Reports by canonical number.
#[derive(Default)]
pub(crate) struct Reports {
    of: FxHashMap<String, Vec<Report>>,
    by_age: VecDeque<String>,
}

impl Reports {
    pub(crate) fn add(&mut self, new: Reported) {
        let report = Report {
            tenant: new.tenant,
            proven: new.proven,
            at: new.at,
        };
        if !self.of.contains_key(&new.number) {
            if self.by_age.len() >= NUMBERS_MAX
                && let Some(oldest) = self.by_age.pop_front()
            {
                self.of.remove(&oldest);
            }
            self.by_age.push_back(new.number.clone());
        }
        let reports = self.of.entry(new.number).or_default();
        let room = reports.len() < TENANTS_MAX;
        let before = reports
            .iter_mut()
            .find(|r| r.tenant == new.tenant && r.proven == new.proven);
        match before {
            Some(before) => before.at = before.at.max(report.at),
            None if room => reports.push(report),
            None => {}
        }
    }

    /// Whether a caller is not to be shown with a card. Of a caller who is proven only reports of
    /// calls count that were proven too: a borrowed number says nothing of its holder.
    pub(crate) fn speak_against(
        &self,
        number: &str,
        tenant: TenantId,
        proven: bool,
        wall: Timestamp,
    ) -> bool {
        let Some(reports) = self.of.get(number) else {
            return false;
        };
        let counts = |r: &&Report| (r.proven || !proven) && wall < r.at + COUNTS_FOR;
        let mut tenants: Vec<TenantId> = reports.iter().filter(counts).map(|r| r.tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        tenants.contains(&tenant) || tenants.len() >= TENANTS_MIN
    }

    /// A person is erased: this tenant's reports of the number go.
    pub(crate) fn forget(&mut self, tenant: TenantId, number: &str) {
        if let Some(reports) = self.of.get_mut(number) {
            reports.retain(|r| r.tenant != tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "12155551212";

    fn tenant(n: u128) -> TenantId {
        TenantId::from_u128(n)
    }

    fn reports(of: &[(u128, bool, u64)]) -> Reports {
        let mut reports = Reports::default();
        for (n, proven, day) in of {
            reports.add(Reported {
                number: A.into(),
                tenant: tenant(*n),
                proven: *proven,
                at: day_of(*day),
            });
        }
        reports
    }

    fn day_of(day: u64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + day * 86_400)
    }

    #[test]
    fn own_word_for_oneself_and_three_for_all() {
        for (of, who, proven, day, against) in [
            (&[][..], 1, true, 0, false),
            (&[(1, true, 0)], 1, true, 1, true),
            (&[(1, true, 0)], 2, true, 1, false),
            (&[(1, true, 0), (3, true, 0)], 2, true, 1, false),
            (
                &[(1, true, 0), (3, true, 0), (4, true, 0)],
                2,
                true,
                1,
                true,
            ),
            // Of calls that nobody proved: they speak against calls that nobody proves.
            (&[(1, false, 0)], 1, true, 1, false),
            (&[(1, false, 0)], 1, false, 1, true),
            (
                &[(1, true, 0), (1, false, 0), (1, true, 2)],
                2,
                false,
                3,
                false,
            ),
            // They are forgotten in time.
            (&[(1, true, 0)], 1, true, 89, true),
            (&[(1, true, 0)], 1, true, 90, false),
            (&[(1, true, 0), (1, true, 30)], 1, true, 100, true),
        ] {
            let found = reports(of).speak_against(A, tenant(who), proven, day_of(day));
            assert_eq!(found, against, "{of:?} {who} {proven} {day}");
        }
        let mut one = reports(&[(1, true, 0)]);
        one.forget(tenant(1), A);
        assert!(!one.speak_against(A, tenant(1), true, day_of(1)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut reports = Reports::default();
        for n in 0..NUMBERS_MAX as u64 + 10 {
            reports.add(Reported {
                number: format!("1{n:010}"),
                tenant: tenant(1),
                proven: true,
                at: day_of(0),
            });
        }
        for n in 0..1_000 {
            reports.add(Reported {
                number: "10000000020".into(),
                tenant: tenant(n),
                proven: true,
                at: day_of(0),
            });
        }
        assert_eq!(
            (reports.of.len(), reports.by_age.len()),
            (NUMBERS_MAX, NUMBERS_MAX)
        );
        assert_eq!(reports.of["10000000020"].len(), TENANTS_MAX);
    }
}
