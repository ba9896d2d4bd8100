use super::*;
use crate::id::TypedId;

/// Date, name, hours.
type Special<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

fn schedule(zone: &str, week: &[(Day, &str, &str)], special: &[Special<'_>]) -> Schedule {
    let time = |t: &str| ClockTime::try_from(t.to_string()).unwrap();
    Schedule {
        id: ScheduleId::from_u128(1),
        tenant: TenantId::from_u128(1),
        name: "Office".into(),
        time_zone: zone.into(),
        week: week
            .iter()
            .map(|(day, f, u)| DayHours {
                day: *day,
                from: time(f),
                until: time(u),
            })
            .collect(),
        special_days: special
            .iter()
            .map(|(date, name, open)| SpecialDay {
                date: date.parse().unwrap(),
                name: (*name).into(),
                open: open
                    .iter()
                    .map(|(f, u)| Interval {
                        from: time(f),
                        until: time(u),
                    })
                    .collect(),
            })
            .collect(),
    }
}

/// `instant open? next-change` for each line.
fn check(s: &Schedule, lines: &[(&str, bool, Option<&str>)]) {
    for (at, open, until) in lines {
        let at_ = Timestamp::parse_rfc3339(at).unwrap();
        let found = s.opening(at_);
        let until = until.map(|u| Timestamp::parse_rfc3339(u).unwrap());
        assert_eq!((found.open, found.until), (*open, until), "{at}: {found:?}");
        assert_eq!(s.is_open(at_), *open, "{at}");
    }
}

#[test]
fn a_split_shift_closes_at_noon() {
    let s = schedule(
        "Europe/Berlin",
        &[
            (Day::Friday, "09:00", "12:00"),
            (Day::Friday, "13:00", "17:00"),
        ],
        &[],
    );
    // 2026-11-20 is a Friday; Berlin is an hour ahead of UTC.
    check(
        &s,
        &[
            ("2026-11-20T07:59:59Z", false, Some("2026-11-20T08:00:00Z")),
            ("2026-11-20T08:00:00Z", true, Some("2026-11-20T11:00:00Z")),
            ("2026-11-20T11:00:00Z", false, Some("2026-11-20T12:00:00Z")),
            ("2026-11-20T15:59:59Z", true, Some("2026-11-20T16:00:00Z")),
            ("2026-11-20T16:00:00Z", false, Some("2026-11-27T08:00:00Z")),
        ],
    );
}

#[test]
fn a_night_shift_belongs_to_the_day_it_begins_on() {
    let s = schedule(
        "UTC",
        &[(Day::Friday, "22:00", "02:00")],
        &[("2026-11-21", "Holiday", &[])],
    );
    check(
        &s,
        &[
            ("2026-11-20T23:00:00Z", true, Some("2026-11-21T02:00:00Z")),
            // The holiday begins at midnight; Friday's people go home at two.
            ("2026-11-21T01:59:00Z", true, Some("2026-11-21T02:00:00Z")),
            ("2026-11-21T02:00:00Z", false, Some("2026-11-27T22:00:00Z")),
        ],
    );
}

#[test]
fn a_special_day_takes_the_place_of_the_week() {
    let s = schedule(
        "UTC",
        &[(Day::Thursday, "09:00", "17:00")],
        &[
            ("2026-12-24", "Christmas Eve", &[("09:00", "12:00")]),
            ("2026-12-31", "New Year's Eve", &[]),
        ],
    );
    check(
        &s,
        &[
            ("2026-12-24T11:00:00Z", true, Some("2026-12-24T12:00:00Z")),
            ("2026-12-24T13:00:00Z", false, Some("2027-01-07T09:00:00Z")),
            ("2026-12-31T10:00:00Z", false, Some("2027-01-07T09:00:00Z")),
        ],
    );
    let at = Timestamp::parse_rfc3339("2026-12-31T10:00:00Z").unwrap();
    assert_eq!(s.opening(at).special_day.as_deref(), Some("New Year's Eve"));
}

#[test]
fn whole_days_join_without_a_gap() {
    let s = schedule(
        "UTC",
        &[
            (Day::Saturday, "00:00", "24:00"),
            (Day::Sunday, "00:00", "24:00"),
        ],
        &[],
    );
    check(
        &s,
        &[("2026-11-21T12:00:00Z", true, Some("2026-11-23T00:00:00Z"))],
    );
    assert!(!schedule("UTC", &[], &[]).is_open(Timestamp::from_secs(1_767_323_045)));
    check(
        &schedule("UTC", &[], &[]),
        &[("2026-11-21T12:00:00Z", false, None)],
    );
}

#[test]
fn the_clock_on_the_wall_decides_when_the_clocks_change() {
    // New York: 2026-11-01 has 25 hours, 2027-03-14 has 23.
    let day = [(Day::Sunday, "01:30", "09:00")];
    let s = schedule("America/New_York", &day, &[]);
    check(
        &s,
        &[
            ("2026-11-01T05:29:00Z", false, Some("2026-11-01T05:30:00Z")),
            ("2026-11-01T13:59:00Z", true, Some("2026-11-01T14:00:00Z")),
            ("2027-03-14T12:59:00Z", true, Some("2027-03-14T13:00:00Z")),
        ],
    );
    // A sign that says half past two on the morning without one: it opens when the clock has passed it.
    let s = schedule("America/New_York", &[(Day::Sunday, "02:30", "09:00")], &[]);
    check(
        &s,
        &[("2027-03-14T06:59:00Z", false, Some("2027-03-14T07:30:00Z"))],
    );
}

#[test]
fn times_are_strict() {
    for wrong in ["9:00", "09:60", "24:01", "25:00", "", "0900", "-1:00"] {
        assert!(ClockTime::try_from(wrong.to_string()).is_err(), "{wrong}");
    }
    let t = ClockTime::try_from("24:00".to_string()).unwrap();
    assert_eq!(String::from(t), "24:00");
    assert!(is_time_zone("Australia/Lord_Howe") && !is_time_zone("Mars/Olympus"));
}
