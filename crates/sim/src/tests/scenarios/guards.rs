//! Guards against toll fraud, and emergency calls: what leaves the house and what does not.

use super::*;
use crate::house::House;
use crate::play_in;
use cp_vocab::model::Snapshot;
use cp_vocab::safety::*;
use cp_vocab::*;

/// The scenario in a house with these outbound rules.
fn ruled(rules: Outbound, text: &str) -> String {
    play_in(text, false, |house, s| ours(house, s).outbound = rules)
}

fn ours<'s>(house: &House, s: &'s mut Snapshot) -> &'s mut Safety {
    let us = house.tenant;
    let tenant = s.tenants.iter_mut().find(|t| Some(t.id) == us);
    &mut tenant.expect("built").safety
}

/// Nobody outside was even asked.
fn nothing_left(told: &str) {
    assert!(!told.contains("cp -> far    INVITE"), "{told}");
}

#[test]
fn what_the_rules_bar_is_refused_whoever_asks() {
    let rules = || Outbound {
        allow: vec!["+4930".into()],
        ..Outbound::default()
    };
    ruled(
        rules(),
        "phones kim far; call kim -> +4930123456; wait 2s; kim and far talk; kim hangs up; wait 1s",
    );
    for text in [
        "phones kim far; call kim -> +4989123456; wait 1s; kim got 403; far is free",
        "phones bob far; bob: dial +4989123456 = destination_blocked; far is free",
        "phones bob far; bob: originate +4989123456 to support = destination_blocked; far is free",
        "phones alice bob far; call alice -> bob-direct; wait 3s; alice and bob talk; bob: transfer +4989123456 = destination_blocked; alice and bob talk",
        "phones alice bob far; call alice -> bob-direct; wait 3s; alice and bob talk; bob: consult +4989123456 = destination_blocked; alice and bob talk",
        "phones alice bob far; call alice -> bob-direct; wait 3s; alice and bob talk; bob: add +4989123456 = destination_blocked; alice and bob talk",
        "phones alice bob far; call alice -> bob-direct; wait 3s; alice and bob talk; bob refers to +4989123456; wait 2s; far is free",
    ] {
        nothing_left(&ruled(rules(), &format!("with ladder; {text}")));
    }
    // Premium numbers are barred by default.
    holds("phones kim far; call kim -> +49900123456; wait 1s; kim got 403; far is free");
}

#[test]
fn calls_are_cut_when_the_money_is_spent_and_a_restart_forgets_nothing() {
    let rules = Outbound {
        rates: vec![Rate {
            prefix: "+49".into(),
            per_minute_micros: 600_000,
            connect_micros: 0,
            step_s: 1,
        }],
        spend_daily_max_micros: 100_000,
        ..Outbound::default()
    };
    let told = ruled(
        rules,
        "phones kim far; call kim -> +4930123456; wait 8s; kim and far talk; wait 4s; kim is free; far is free;
         call kim -> +4930123456; wait 1s; kim got 403; far is free;
         restart; wait 5s; call kim -> +4930123456; wait 1s; kim got 403; far is free",
    );
    assert!(
        told.contains("far ended: spend_limit") || told.contains("ended: spend_limit"),
        "{told}"
    );
}

#[test]
fn no_way_of_dialling_help_leaves_a_house_that_is_not_live() {
    for number in ["112", "911", "+49112", "+49911", "0112", "9911"] {
        let text = format!(
            "with ladder; phones kim bob alice far; call kim -> {number}; wait 1s; kim is free;
             bob: dial {number} = emergency_not_live; bob: originate {number} to support = emergency_not_live;
             call alice -> bob-direct; wait 3s; alice and bob talk;
             bob: transfer {number} = emergency_not_live; bob: consult {number} = emergency_not_live;
             bob: add {number} = emergency_not_live; bob refers to {number}; wait 2s; far is free"
        );
        nothing_left(&play(&text));
    }
    // Two people agreed, but the node's operator did not; and the other way round.
    for (node, tenant) in [(false, true), (true, false)] {
        let told = play_in(
            "with ladder; phones kim far; call kim -> 112; wait 1s; kim got 403; far is free",
            node,
            |house, s| make_live(house, s, tenant),
        );
        nothing_left(&told);
    }
}

fn make_live(house: &House, s: &mut Snapshot, live: bool) {
    let trunk = s.trunks.iter().find(|t| t.name == "far").map(|t| t.id);
    let mut ids = IdSource::from_u64(99);
    let (requested_by, approved_by) = (ids.next(Timestamp::ZERO), ids.next(Timestamp::ZERO));
    let at = Timestamp::ZERO;
    ours(house, s).emergency = Emergency {
        trunk,
        callback: "+4930999000".into(),
        location: Location {
            country: "DE".into(),
            city: "Berlin".into(),
            street: "Alexanderplatz".into(),
            ..Location::default()
        },
        live: if live {
            Live::On {
                requested_by,
                approved_by,
                at,
            }
        } else {
            Live::Requested {
                by: requested_by,
                at,
            }
        },
        ..Emergency::default()
    };
}

#[test]
fn a_live_house_reaches_help_whatever_is_broken_and_help_calls_back() {
    // No rule, no limit and no disk stands in the way.
    let told = play_in(
        "with ladder; phones kim far alice; disk fails; call kim -> 112; wait 2s; kim and far talk; far hangs up; wait 1s; kim is free; disk heals; wait 1s;
         call alice -> +4930999000; wait 2s; kim is in call; alice and kim talk; alice hangs up; wait 1s",
        true,
        |house, s| {
            make_live(house, s, true);
            let rules = &mut ours(house, s).outbound;
            rules.countries = vec!["AT".into()];
            rules.calls_max = 1;
            rules.hours = vec![Hours { days: vec![], from_minute: 0, to_minute: 0 }];
            let us = house.tenant;
            s.tenants.iter_mut().filter(|t| Some(t.id) == us).for_each(|t| t.interactions_max = 1);
            s.phones.iter_mut().for_each(|p| p.may_dial_out = false);
        },
    );
    assert!(told.contains("cp -> far    INVITE (SDP)"), "{told}");
}

/// A recording in a house that tells of it; alice is a trunk's caller from `+4930...`, abroad.
fn told_of(policy: RecordingPolicy, announcement: &str, text: &str, story: Expect) {
    let consent = RecordingConsent {
        policy,
        home: "US-NY".into(),
        announcement: announcement.into(),
    };
    let told = play_in(text, false, |house, s| ours(house, s).recording = consent);
    let of_recording = |l: &&str| l.contains("record") || l.contains("bridged");
    let lines: Vec<&str> = told.lines().filter(of_recording).map(str::trim).collect();
    story.assert_eq(&lines.join("\n"));
}

#[test]
fn everybody_on_a_recorded_call_is_told_once() {
    use RecordingPolicy::*;
    let called = "phones alice bob eve; call alice -> bob-direct; wait 3s; alice and bob talk;";
    let spoken = "This call is recorded.";
    told_of(
        Announce,
        spoken,
        &format!(
            "{called} bob: record; wait 1s; alice and bob talk; bob: stop recording; wait 1s; bob: record; wait 1s"
        ),
        expect![[r#"
            3.804 call 1 bridged alice, bob
            6.000 call 1 recording alice, bob
            6.000 call 1 alice is told of the recording
            6.000 call 1 bob is told of the recording
            7.051 call 1 recording over
            8.100 call 1 recording alice, bob"#]],
    );
    // Who comes later is told then; who waits hears it when they are back.
    told_of(
        Announce,
        "",
        &format!(
            "{called} bob: consult 1002; wait 3s; bob: record; wait 1s; bob: merge; wait 1s; alice and eve talk"
        ),
        expect![[r#"
            3.804 call 1 bridged alice, bob
            9.050 call 1 recording alice, bob
            9.050 call 1 bob is beeped of the recording
            10.100 call 1 alice is beeped of the recording
            10.100 call 1 eve is beeped of the recording"#]],
    );
    told_of(
        ByPlace,
        spoken,
        &format!("{called} bob: record; wait 1s"),
        expect![[r#"
        3.804 call 1 bridged alice, bob
        6.000 call 1 recording alice, bob
        6.000 call 1 alice is told of the recording
        6.000 call 1 bob is told of the recording"#]],
    );
    told_of(
        Silent,
        spoken,
        &format!("{called} bob: record; wait 1s"),
        expect![[r#"
        3.804 call 1 bridged alice, bob
        6.000 call 1 recording alice, bob"#]],
    );
}
