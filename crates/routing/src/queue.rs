//! One queue: configuration, order, figures.

use crate::estimate::WaitModel;
use crate::ranked::Ranked;
use cp_vocab::Timestamp;
use cp_vocab::event::QueueExit;
use cp_vocab::model::Queue;

/// Place in a queue: key, order of arrival, ticket slot.
pub(crate) type Place = (i64, u64, u32);

/// Counts since midnight of the house's zone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Day {
    day: i64,
    pub(crate) answered: u64,
    pub(crate) answered_in_time: u64,
    pub(crate) answered_wait_ms: u64,
    pub(crate) abandoned: u64,
    /// Abandoned within the target: the caller's choice, not ours.
    pub(crate) abandoned_early: u64,
    pub(crate) overflowed: u64,
    pub(crate) refused: u64,
}

pub(crate) struct QueueSlot {
    pub(crate) config: Queue,
    pub(crate) order: Ranked<Place>,
    pub(crate) ringing: u32,
    pub(crate) model: WaitModel,
    day: Day,
    /// Lowest head start among those that came since the queue was last empty.
    pub(crate) boost_min: i64,
}

impl QueueSlot {
    pub(crate) fn new(config: Queue) -> Self {
        Self {
            config,
            order: Ranked::default(),
            ringing: 0,
            model: WaitModel::default(),
            day: Day::default(),
            boost_min: i64::MAX,
        }
    }

    /// Today's counts, zero after midnight.
    pub(crate) fn day(&self, now: Timestamp, offset_s: i32) -> Day {
        let today = day_of(now, offset_s);
        if self.day.day == today {
            return self.day;
        }
        Day {
            day: today,
            ..Day::default()
        }
    }

    pub(crate) fn day_mut(&mut self, now: Timestamp, offset_s: i32) -> &mut Day {
        self.day = self.day(now, offset_s);
        &mut self.day
    }

    pub(crate) fn count_exit(
        &mut self,
        now: Timestamp,
        offset_s: i32,
        exit: QueueExit,
        waited_ms: u64,
    ) {
        let in_time = waited_ms <= self.config.service_level_ms;
        let day = self.day_mut(now, offset_s);
        match exit {
            QueueExit::Answered => {
                day.answered += 1;
                day.answered_in_time += u64::from(in_time);
                day.answered_wait_ms += waited_ms;
            }
            QueueExit::Abandoned => {
                day.abandoned += 1;
                day.abandoned_early += u64::from(in_time);
            }
            QueueExit::Overflowed | QueueExit::TimedOut => day.overflowed += 1,
            QueueExit::Transferred | QueueExit::Released => {}
        }
    }

    /// Time of arrival of the one who waits longest. With priorities that need not be the first:
    /// looks on as long as a later place could hide an earlier arrival.
    pub(crate) fn oldest(&self, since: impl Fn(u32) -> Timestamp) -> Option<Timestamp> {
        let mut oldest: Option<Timestamp> = None;
        for (key, _, slot) in self.order.iter() {
            if let Some(best) = oldest
                && key.saturating_add(self.boost_min) >= best.as_micros() as i64
            {
                break;
            }
            let this = since(slot);
            oldest = Some(oldest.map_or(this, |o| o.min(this)));
        }
        oldest
    }
}

impl Day {
    /// Share answered within the target, of those answered and those abandoned later than it.
    pub(crate) fn service_level_pct(&self) -> Option<f64> {
        let counted = self.answered + self.abandoned - self.abandoned_early + self.overflowed;
        (counted > 0).then(|| 100.0 * self.answered_in_time as f64 / counted as f64)
    }
}

fn day_of(now: Timestamp, offset_s: i32) -> i64 {
    (now.as_micros() as i64 / 1_000_000 + i64::from(offset_s)).div_euclid(86_400)
}
