//! What guards a tenant: outgoing calls, emergency calls, how long things are kept, and who must
//! be told of a recording. One field of the tenant's row; every default is the careful one.

use crate::id::*;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Prefixes, countries, rates and hours of one tenant at most, each; more are refused by the API.
pub const LIST_MAX: usize = 1_000;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Safety {
    pub outbound: Outbound,
    pub emergency: Emergency,
    pub retention: Retention,
    pub recording: RecordingConsent,
}

/// What a tenant may dial outside, and how much of it. It narrows what its trunks' `dial_prefixes`
/// let through and widens nothing. An empty list limits nothing; 0 is no limit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Outbound {
    /// Prefixes in E.164 (`+49`, `+4930`) that may be dialled. The longest prefix of `allow` and
    /// `block` that fits decides; of two alike, `block`.
    pub allow: Vec<String>,
    pub block: Vec<String>,
    /// ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    pub blocked_countries: Vec<String>,
    /// Where the tenant is; with `international` off nothing leaves it.
    pub home_country: String,
    pub international: bool,
    pub premium: bool,
    /// Satellites and networks without a country.
    pub networks: bool,
    /// Bare SIP addresses (`sip:somebody@elsewhere`).
    pub sip_addresses: bool,
    /// Outgoing calls at a time.
    pub calls_max: u32,
    pub calls_per_minute_max: u32,
    /// Calls to one number within an hour after which an alert is raised.
    pub same_number_alert: u32,
    pub rates: Vec<Rate>,
    /// In millionths of the tenant's currency, per day and month of its time zone.
    pub spend_daily_max_micros: u64,
    pub spend_monthly_max_micros: u64,
    /// Share of a limit at which an alert is raised, in per cent.
    pub alert_pct: u8,
    pub at_limit: AtLimit,
    /// When calls may leave; empty: always.
    pub hours: Vec<Hours>,
    /// IANA name (`Europe/Berlin`); empty: UTC.
    pub time_zone: String,
    /// Limits are lifted until then; what may be dialled is not.
    pub lifted: Option<Lifted>,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            allow: vec![],
            block: vec![],
            countries: vec![],
            blocked_countries: vec![],
            home_country: String::new(),
            international: true,
            premium: false,
            networks: false,
            sip_addresses: true,
            calls_max: 0,
            calls_per_minute_max: 0,
            same_number_alert: 20,
            rates: vec![],
            spend_daily_max_micros: 0,
            spend_monthly_max_micros: 0,
            alert_pct: 80,
            at_limit: AtLimit::Cut,
            hours: vec![],
            time_zone: String::new(),
            lifted: None,
        }
    }
}

/// What becomes of running calls when the money is spent. New ones are refused in both cases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    #[default]
    Cut,
    /// They go on to their end.
    Finish,
}

/// What calls to a prefix cost; the longest prefix counts, a number without one costs nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rate {
    pub prefix: String,
    pub per_minute_micros: u64,
    /// Once per answered call.
    #[serde(default)]
    pub connect_micros: u64,
    /// Begun steps of so many seconds are counted whole; 0 means 1.
    #[serde(default)]
    pub step_s: u32,
}

impl Rate {
    /// What an answered call of `seconds` costs.
    pub fn cost(&self, seconds: u64) -> u64 {
        let step = u64::from(self.step_s.max(1));
        let counted = seconds.max(1).div_ceil(step).saturating_mul(step);
        let talk = u128::from(counted) * u128::from(self.per_minute_micros) / 60;
        u64::try_from(talk)
            .unwrap_or(u64::MAX)
            .saturating_add(self.connect_micros)
    }
}

/// A span of a day, on days of the week.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hours {
    /// 1 (Monday) to 7 (Sunday); empty: every day.
    #[serde(default)]
    pub days: Vec<u8>,
    /// Minutes since midnight; `to` is not included and may be 1440.
    pub from_minute: u16,
    pub to_minute: u16,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lifted {
    #[serde(with = "crate::time::rfc3339")]
    pub until: Timestamp,
    pub reason: String,
    /// Who said so: a user's or key's id.
    pub by: String,
}

/// The instant in the tenant's time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalTime {
    /// `20261120`.
    pub day: u32,
    /// 1 (Monday) to 7.
    pub weekday: u8,
    pub minute: u16,
}

impl LocalTime {
    /// A zone that is not known counts as UTC. Reads the time-zone data built into the program.
    pub fn of(at: Timestamp, zone: &str) -> Self {
        let zone = match zone {
            "" => jiff::tz::TimeZone::UTC,
            name => jiff::tz::TimeZone::get(name).unwrap_or(jiff::tz::TimeZone::UTC),
        };
        let instant =
            jiff::Timestamp::from_microsecond(at.0.min(i64::MAX as u64) as i64).unwrap_or_default();
        let local = zone.to_datetime(instant);
        let day = (local.year().max(0) as u32) * 10_000
            + (local.month() as u32) * 100
            + local.day() as u32;
        Self {
            day,
            weekday: local.weekday().to_monday_one_offset() as u8,
            minute: (local.hour() as u16) * 60 + local.minute() as u16,
        }
    }
    pub fn month(self) -> u32 {
        self.day / 100
    }
}

/// Whether a time zone of this name is known.
pub fn is_time_zone(name: &str) -> bool {
    name.is_empty() || jiff::tz::TimeZone::get(name).is_ok()
}

/// The short path of emergency calls. Nothing leaves it before two administrators agreed, and only
/// on a node whose operator set `emergency.live`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Emergency {
    /// The trunk whose far end takes emergency calls.
    pub trunk: Option<TrunkId>,
    /// Tried in this order when it, or the one before, is busy, refuses or cannot be reached.
    pub further_trunks: Vec<TrunkId>,
    /// What is asked for there; empty: the service URN `urn:service:sos` (RFC 5031).
    pub number: String,
    /// In E.164; who calls it back within a day reaches the caller.
    pub callback: String,
    pub location: Location,
    /// Phones that stand elsewhere.
    pub phones: Vec<PhoneLocation>,
    pub live: Live,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PhoneLocation {
    pub phone: PhoneId,
    pub location: Location,
}

/// A place, as RFC 5139 (civic) and RFC 5491 (point and radius) write it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Location {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// State or province (A1), and city (A3).
    pub state: String,
    pub city: String,
    pub street: String,
    pub house_number: String,
    pub postal_code: String,
    pub building: String,
    pub floor: String,
    pub room: String,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub radius_m: Option<u32>,
}

impl Location {
    /// Whether somebody could be found by it: a street with a city, or a point.
    pub fn is_dispatchable(&self) -> bool {
        (!self.street.is_empty() && !self.city.is_empty() && !self.country.is_empty())
            || (self.latitude.is_some() && self.longitude.is_some())
    }
}

/// Two people switch emergency calls live; any change of route, callback or place starts anew.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Live {
    #[default]
    Off,
    Requested {
        by: UserId,
        #[serde(with = "crate::time::rfc3339")]
        at: Timestamp,
    },
    On {
        requested_by: UserId,
        approved_by: UserId,
        #[serde(with = "crate::time::rfc3339")]
        at: Timestamp,
    },
}

impl Live {
    pub fn is_on(&self) -> bool {
        matches!(self, Self::On { .. })
    }
}

/// How long things are kept, in days since the interaction ended; 0: for ever.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    pub recordings_days: u32,
    /// After it numbers, names and words are taken out of the log; the rest of it stays.
    pub personal_days: u32,
    /// After it the events of an interaction are removed, its line in lists and reports with them.
    pub events_days: u32,
    /// Nothing is deleted while it is set, whoever asks; the reason is shown to who asks.
    pub legal_hold: Option<String>,
}

/// Who must know of a recording.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordingConsent {
    pub policy: RecordingPolicy,
    /// Where the tenant's people are: `US-CA`, `DE`.
    pub home: String,
    /// What is said before a recording that all must know of; empty: a beep.
    pub announcement: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingPolicy {
    /// Recordings begin without a word: the tenant sees to consent by other means.
    #[default]
    Silent,
    /// The stricter of both parties' places decides; an unknown place counts as strict.
    ByPlace,
    /// Everybody is told, always.
    Announce,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_count_begun_steps() {
        let rate = |per_minute_micros, connect_micros, step_s| Rate {
            prefix: "+".into(),
            per_minute_micros,
            connect_micros,
            step_s,
        };
        for (rate, seconds, want) in [
            (rate(60_000, 0, 1), 30, 30_000),
            (rate(60_000, 0, 60), 30, 60_000),
            (rate(60_000, 0, 60), 61, 120_000),
            (rate(60_000, 5_000, 0), 0, 6_000),
            (rate(u64::MAX, 5, 1), 3_600, u64::MAX),
        ] {
            assert_eq!(rate.cost(seconds), want, "{rate:?} {seconds}");
        }
    }

    #[test]
    fn local_time_knows_summer() {
        let at = Timestamp::parse_rfc3339("2026-07-01T22:30:00Z").unwrap();
        let berlin = LocalTime::of(at, "Europe/Berlin");
        assert_eq!(
            (berlin.day, berlin.minute, berlin.weekday),
            (20_260_702, 30, 4)
        );
        assert_eq!(LocalTime::of(at, "nowhere"), LocalTime::of(at, ""));
        assert!(is_time_zone("America/New_York") && !is_time_zone("Mars/Base"));
    }

    #[test]
    fn an_old_row_without_these_fields_reads_as_careful() {
        let safety: Safety = serde_json::from_str("{}").unwrap();
        assert!(!safety.outbound.premium && !safety.emergency.live.is_on());
        assert_eq!(safety, Safety::default());
    }
}
