use super::*;
use cp_vocab::id::TypedId;
use cp_vocab::safety::{Hours, Lifted};

fn rules() -> Rules {
    Rules::default()
}
fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|s| s.to_string()).collect()
}
fn leg(n: u128) -> LegId {
    LegId::from_u128(n)
}
const T: Timestamp = Timestamp::from_secs(1_795_000_000); // 2026-11-18 11:06:40 UTC, a Wednesday

fn wanted<'a>(rules: &'a Rules, number: &'a str) -> Wanted<'a> {
    Wanted {
        tenant: TenantId::from_u128(1),
        rules,
        number,
        by_address: false,
    }
}

#[test]
fn destinations() {
    let home = Rules {
        international: false,
        home_country: "DE".into(),
        ..rules()
    };
    let countries = Rules {
        countries: list(&["DE", "at"]),
        ..rules()
    };
    let not_jm = Rules {
        blocked_countries: list(&["JM"]),
        ..rules()
    };
    let prefixes = Rules {
        allow: list(&["+49", "+4917666"]),
        block: list(&["+49176"]),
        ..rules()
    };
    let alike = Rules {
        allow: list(&["+49"]),
        block: list(&["+49"]),
        ..rules()
    };
    let dear = Rules {
        premium: true,
        networks: true,
        ..rules()
    };
    for (name, rules, number, fine) in [
        ("open", &rules(), "+4930123456", true),
        ("premium is off", &rules(), "+19005551234", false),
        ("premium without plus", &rules(), "19005551234", false),
        ("premium behind 011", &rules(), "01119005551234", false),
        ("satellite is off", &rules(), "+8821234567", false),
        ("satellite behind 00", &rules(), "008821234567", false),
        ("separators hide nothing", &rules(), "+882-123.4567", false),
        ("premium on", &dear, "+19005551234", true),
        ("networks on", &dear, "+8821234567", true),
        ("home", &home, "+4930123456", true),
        ("abroad", &home, "+4313456789", false),
        ("nobody knows where", &home, "4930123456", false),
        ("country", &countries, "+4313456789", true),
        ("other country", &countries, "+33123456789", false),
        (
            "Jamaica is not the United States",
            &not_jm,
            "+18765551234",
            false,
        ),
        ("New York is", &not_jm, "+12125551234", true),
        ("prefix", &prefixes, "+4930123456", true),
        ("longer block", &prefixes, "+4917612345", false),
        ("longest allow", &prefixes, "+4917666123", true),
        ("no prefix", &prefixes, "+33123456789", false),
        ("block wins", &alike, "+4930123456", false),
        ("a name by a trunk", &countries, "front-desk", false),
        ("a name by a trunk, open", &rules(), "front-desk", true),
    ] {
        let got = Outbound::default().check(T, &wanted(rules, number));
        assert_eq!(got.is_ok(), fine, "{name}: {number}");
        assert!(fine || got == Err(EndReason::DestinationBlocked));
    }
    let none = Rules {
        sip_addresses: false,
        ..rules()
    };
    let to = |rules, number| Wanted {
        by_address: true,
        ..wanted(rules, number)
    };
    assert!(Outbound::default().check(T, &to(&none, "bob")).is_err());
    assert!(Outbound::default().check(T, &to(&home, "bob")).is_ok());
    // A number in a SIP address is a number.
    assert!(
        Outbound::default()
            .check(T, &to(&rules(), "+8821234567"))
            .is_err()
    );
}

#[test]
fn hours_are_local() {
    let office = Rules {
        hours: vec![Hours {
            days: vec![1, 2, 3, 4, 5],
            from_minute: 8 * 60,
            to_minute: 18 * 60,
        }],
        time_zone: "America/New_York".into(),
        ..rules()
    };
    for (at, fine) in [
        ("2026-11-18T12:59:00Z", false), // 07:59
        ("2026-11-18T13:00:00Z", true),
        ("2026-11-18T22:59:00Z", true),
        ("2026-11-18T23:00:00Z", false), // 18:00
        ("2026-11-21T15:00:00Z", false), // Saturday
        ("2026-07-01T12:00:00Z", true),  // 08:00 in summer
    ] {
        let now = Timestamp::parse_rfc3339(at).unwrap();
        let got = Outbound::default().check(now, &wanted(&office, "+12125551234"));
        assert_eq!(got.is_ok(), fine, "{at}");
        assert!(fine || got == Err(EndReason::OutsideHours));
    }
}

#[test]
fn calls_at_a_time_and_per_minute() {
    let few = Rules {
        calls_max: 2,
        calls_per_minute_max: 4,
        ..rules()
    };
    let mut o = Outbound::default();
    let tenant = TenantId::from_u128(1);
    let go = |o: &mut Outbound, t, n| o.admit(t, leg(n), &wanted(&few, "+4930123456"));
    assert!(go(&mut o, T, 1).0.is_ok());
    let (ok, alerts) = go(&mut o, T, 2);
    assert!(
        ok.is_ok() && alerts.iter().any(|a| a.0 == "calls"),
        "at the limit somebody is told"
    );
    assert_eq!(go(&mut o, T, 3).0, Err(EndReason::OutboundLimit));
    o.ended(T, tenant, leg(1), &few);
    o.ended(T, tenant, leg(2), &few);
    assert!(go(&mut o, T, 4).0.is_ok());
    o.ended(T, tenant, leg(4), &few);
    assert!(go(&mut o, T, 5).0.is_ok());
    o.ended(T, tenant, leg(5), &few);
    assert_eq!(
        go(&mut o, T, 6).0,
        Err(EndReason::OutboundLimit),
        "four in this minute"
    );
    assert!(go(&mut o, T + MINUTE, 7).0.is_ok());
    // Another tenant is another tenant.
    let other = Wanted {
        tenant: TenantId::from_u128(2),
        ..wanted(&few, "+4930123456")
    };
    assert!(o.admit(T, leg(8), &other).0.is_ok());
}

fn paying(at_limit: AtLimit) -> Rules {
    Rules {
        rates: vec![
            Rate {
                prefix: "+".into(),
                per_minute_micros: 60_000,
                connect_micros: 0,
                step_s: 1,
            },
            Rate {
                prefix: "+49".into(),
                per_minute_micros: 600_000,
                connect_micros: 0,
                step_s: 1,
            },
        ],
        spend_daily_max_micros: 1_000_000,
        at_limit,
        ..rules()
    }
}

#[test]
fn money_is_spent_and_running_calls_are_cut_at_the_second() {
    let rules = paying(AtLimit::Cut);
    let tenant = TenantId::from_u128(1);
    let mut o = Outbound::default();
    for n in [1, 2] {
        assert!(o.admit(T, leg(n), &wanted(&rules, "+4930123456")).0.is_ok());
        o.answered(T, tenant, leg(n), &rules);
    }
    // Two calls at 10,000 a second spend a million in 50 seconds.
    assert_eq!(o.next_cut(), Some(T + Duration::from_secs(50)));
    let at = T + Duration::from_secs(40);
    let (ok, alerts) = o.admit(at, leg(3), &wanted(&rules, "+4930123456"));
    assert!(ok.is_ok());
    assert_eq!(alerts.iter().map(|a| a.0).collect::<Vec<_>>(), ["spend"]);
    let at = T + Duration::from_secs(50);
    assert_eq!(o.due(at), [tenant]);
    let mut cut = o.cut(at, tenant, &rules);
    cut.sort();
    assert_eq!(cut, [leg(1), leg(2), leg(3)]);
    for n in [1, 2] {
        let charge = o.ended(at, tenant, leg(n), &rules).unwrap();
        assert_eq!(
            (charge.seconds, charge.micros, charge.day),
            (50, 500_000, 20_261_118)
        );
    }
    assert_eq!(o.ended(at, tenant, leg(3), &rules), None, "never answered");
    assert_eq!(o.usage(at, tenant, &rules), (0, 1_000_000, 1_000_000));
    assert_eq!(
        o.admit(at, leg(4), &wanted(&rules, "+4930123456")).0,
        Err(EndReason::SpendLimit)
    );
    assert_eq!(o.next_cut(), None);
    // The next day there is money again; the month's limit would still hold.
    let tomorrow = at + Duration::from_secs(86_400);
    assert!(o.check(tomorrow, &wanted(&rules, "+4930123456")).is_ok());
    let month = Rules {
        spend_monthly_max_micros: 1_000_000,
        ..rules.clone()
    };
    assert_eq!(
        o.check(tomorrow, &wanted(&month, "+4930123456")),
        Err(EndReason::SpendLimit)
    );
    // Whoever lifts the limits lets calls out; destinations stay barred.
    let by = Lifted {
        until: at + HOUR,
        reason: "fire in the branch office".into(),
        by: "usr_x".into(),
    };
    let open = Rules {
        lifted: Some(by),
        ..rules
    };
    assert!(o.check(at, &wanted(&open, "+4930123456")).is_ok());
    assert_eq!(
        o.check(at, &wanted(&open, "+8821234567")),
        Err(EndReason::DestinationBlocked)
    );
    assert_eq!(
        o.check(at + HOUR, &wanted(&open, "+4930123456")),
        Err(EndReason::SpendLimit)
    );
}

#[test]
fn calls_may_finish_where_that_is_the_rule() {
    let rules = paying(AtLimit::Finish);
    let tenant = TenantId::from_u128(1);
    let mut o = Outbound::default();
    assert!(o.admit(T, leg(1), &wanted(&rules, "+4930123456")).0.is_ok());
    o.answered(T, tenant, leg(1), &rules);
    assert_eq!(o.next_cut(), None);
    let late = T + Duration::from_secs(500);
    assert_eq!(
        o.check(late, &wanted(&rules, "+33123456789")),
        Err(EndReason::SpendLimit)
    );
    assert!(o.cut(late, tenant, &rules).is_empty());
}

#[test]
fn with_a_limit_of_money_what_has_no_price_is_refused() {
    let mut rules = paying(AtLimit::Cut);
    rules.rates.remove(0);
    let o = Outbound::default();
    assert!(o.check(T, &wanted(&rules, "+4930123456")).is_ok());
    assert_eq!(
        o.check(T, &wanted(&rules, "+33123456789")),
        Err(EndReason::DestinationBlocked)
    );
}

#[test]
fn the_log_gives_the_spending_back() {
    let rules = paying(AtLimit::Cut);
    let tenant = TenantId::from_u128(1);
    let mut o = Outbound::default();
    for (day, micros) in [
        (20_261_031, 5),
        (20_261_101, 100),
        (20_261_118, 900_000),
        (20_261_118, 100_000),
    ] {
        o.restore(tenant, day, micros);
    }
    assert_eq!(o.usage(T, tenant, &rules), (0, 1_000_000, 1_000_100));
    assert_eq!(
        o.check(T, &wanted(&rules, "+4930123456")),
        Err(EndReason::SpendLimit)
    );
}

#[test]
fn a_simulated_attack_stops_at_the_limit() {
    // 500 calls to a dear network, as a stolen phone would place them: ten get through at most after
    // the limit, and the spending stays below it.
    let mut rules = paying(AtLimit::Cut);
    rules.networks = true;
    rules.calls_max = 100;
    let tenant = TenantId::from_u128(1);
    let mut o = Outbound::default();
    let (mut out, mut after_limit, mut now, mut live) = (0, 0, T, vec![]);
    for n in 0..500 {
        now = now + Duration::from_millis(500);
        for t in o.due(now) {
            for l in o.cut(now, t, &rules) {
                o.ended(now, tenant, l, &rules);
                live.retain(|x| *x != l);
            }
        }
        let spent = o.usage(now, tenant, &rules).1;
        if o.admit(now, leg(n), &wanted(&rules, "+88213300655"))
            .0
            .is_ok()
        {
            o.answered(now, tenant, leg(n), &rules);
            live.push(leg(n));
            out += 1;
            after_limit += i32::from(spent >= rules.spend_daily_max_micros);
        }
    }
    assert!(out > 10 && after_limit <= 10, "{out} {after_limit}");
    let spent = o.usage(now, tenant, &rules).1;
    assert!(spent <= rules.spend_daily_max_micros + 100_000, "{spent}");
    assert!(o.logs_refusal(TenantId::from_u128(9)) && !o.logs_refusal(tenant));
}

#[test]
fn one_number_over_and_over_and_probing_raise_alerts() {
    let rules = Rules {
        same_number_alert: 3,
        ..rules()
    };
    let mut o = Outbound::default();
    let told: Vec<_> = (0..5)
        .flat_map(|n| o.admit(T, leg(n), &wanted(&rules, "+4930123456")).1)
        .collect();
    assert_eq!(
        told.iter().map(|a| a.0).collect::<Vec<_>>(),
        ["same_number"]
    );
    let told: Vec<_> = (0..30)
        .flat_map(|n| o.admit(T, leg(100 + n), &wanted(&rules, "+8821234567")).1)
        .collect();
    assert_eq!(told.iter().map(|a| a.0).collect::<Vec<_>>(), ["refusals"]);
}
