//! Business hours: intervals of the week and of single days, in the local time of a place.
//!
//! Pure: the instant is an argument, the rules of time zones are data inside the program.

use crate::id::{ScheduleId, TenantId};
use crate::time::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use serde::{Deserialize, Serialize};

/// Days looked ahead for the next opening or closing.
const DAYS_AHEAD_MAX: i64 = 400;
/// Minutes of a day.
const DAY_MIN: u16 = 24 * 60;

/// Time of day, `00:00` to `24:00`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(u16);

impl TryFrom<String> for ClockTime {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "a time of day is HH:MM, 00:00 to 24:00";
        let (h, m) = text.split_once(':').ok_or(WRONG)?;
        let two = |s: &str| (s.len() == 2).then(|| s.parse::<u16>().ok()).flatten();
        match (two(h), two(m)) {
            (Some(h), Some(m)) if m < 60 && h * 60 + m <= DAY_MIN => Ok(Self(h * 60 + m)),
            _ => Err(WRONG),
        }
    }
}

impl From<ClockTime> for String {
    fn from(t: ClockTime) -> Self {
        format!("{:02}:{:02}", t.0 / 60, t.0 % 60)
    }
}

/// From a time to a time, the latter not included. An `until` that is not later than `from` is on
/// the next day; the interval belongs to the day it begins on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    pub from: ClockTime,
    pub until: ClockTime,
}

impl Interval {
    fn past_midnight(self) -> bool {
        self.until <= self.from
    }
    /// Whether a minute of the day it begins on lies in it.
    fn holds_today(self, minute: u16) -> bool {
        self.from.0 <= minute && (self.past_midnight() || minute < self.until.0)
    }
    /// Whether a minute of the day after lies in it.
    fn holds_tomorrow(self, minute: u16) -> bool {
        self.past_midnight() && minute < self.until.0
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    fn of(date: Date) -> Self {
        match date.weekday() {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

/// Hours of one day of each week; a day may have several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayHours {
    pub day: Day,
    pub from: ClockTime,
    pub until: ClockTime,
}

/// A day that is not like others; it takes the place of the week's hours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecialDay {
    /// `2026-12-25`.
    pub date: Date,
    #[serde(default)]
    pub name: String,
    /// None: closed all day.
    #[serde(default)]
    pub open: Vec<Interval>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Schedule {
    pub id: ScheduleId,
    pub tenant: TenantId,
    pub name: String,
    /// IANA name, as `Europe/Berlin`.
    pub time_zone: String,
    pub week: Vec<DayHours>,
    #[serde(default)]
    pub special_days: Vec<SpecialDay>,
}

/// Whether it is open at an instant, and until when that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    pub open: bool,
    /// Name of the special day that decides.
    pub special_day: Option<String>,
    /// When it changes next; none when it does not within a year.
    pub until: Option<Timestamp>,
    /// The instant as the clock on the wall shows it.
    pub local: String,
}

/// Whether a time zone of this name is known.
pub fn is_time_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

impl Schedule {
    /// Whether it is open; a time zone nobody knows (it was checked when written) counts as UTC.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.judge(self.local(at).datetime()).0
    }

    pub fn opening(&self, at: Timestamp) -> Opening {
        let local = self.local(at);
        let (open, special_day) = self.judge(local.datetime());
        Opening {
            open,
            special_day,
            until: self.next_change(&local, open),
            local: local.strftime("%Y-%m-%d %H:%M %A").to_string(),
        }
    }

    fn local(&self, at: Timestamp) -> Zoned {
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        let at = jiff::Timestamp::from_microsecond(at.0 as i64).unwrap_or_default();
        at.to_zoned(zone)
    }

    /// The clock on the wall decides, so that a day of 23 or 25 hours opens and closes as the sign says.
    fn judge(&self, wall: DateTime) -> (bool, Option<String>) {
        let minute = wall.hour() as u16 * 60 + wall.minute() as u16;
        let today = self.special(wall.date());
        let name = today.map(|s| s.name.clone());
        if self.intervals(wall.date()).any(|i| i.holds_today(minute)) {
            return (true, name);
        }
        let before = wall.date().yesterday().ok();
        let late = before.is_some_and(|d| self.intervals(d).any(|i| i.holds_tomorrow(minute)));
        (late, name)
    }

    fn special(&self, date: Date) -> Option<&SpecialDay> {
        self.special_days.iter().find(|s| s.date == date)
    }

    fn intervals(&self, date: Date) -> impl Iterator<Item = Interval> + '_ {
        let special = self.special(date);
        let day = Day::of(date);
        let of_week = self
            .week
            .iter()
            .filter(move |h| special.is_none() && h.day == day);
        let of_day = special.into_iter().flat_map(|s| s.open.iter().copied());
        let interval = |h: &DayHours| Interval {
            from: h.from,
            until: h.until,
        };
        of_week.map(interval).chain(of_day)
    }

    /// The first boundary after `from` at which it is otherwise.
    fn next_change(&self, from: &Zoned, open: bool) -> Option<Timestamp> {
        let zone = from.time_zone().clone();
        for ahead in -1..DAYS_AHEAD_MAX {
            let date = from.date().checked_add(ahead.days()).ok()?;
            let mut edges: Vec<DateTime> = self
                .intervals(date)
                .flat_map(|i| {
                    [
                        edge(date, i.from, false),
                        edge(date, i.until, i.past_midnight()),
                    ]
                })
                .flatten()
                .collect();
            edges.push(date.at(0, 0, 0, 0));
            edges.sort_unstable();
            for wall in edges {
                let Ok(at) = wall.to_zoned(zone.clone()) else {
                    continue;
                };
                // A gap moves the boundary on: what holds there is asked of the clock after it.
                if at > *from && self.judge(at.datetime()).0 != open {
                    return Some(Timestamp(at.timestamp().as_microsecond() as u64));
                }
            }
        }
        None
    }
}

fn edge(date: Date, time: ClockTime, next_day: bool) -> Option<DateTime> {
    let days = i64::from(next_day) + i64::from(time.0 / DAY_MIN);
    let date = date.checked_add(days.days()).ok()?;
    let minute = time.0 % DAY_MIN;
    let time = Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).ok()?;
    Some(date.to_datetime(time))
}

#[cfg(test)]
mod tests;
