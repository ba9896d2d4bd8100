//! Waiting for what is decided beside the call, and digits in private.

use super::*;

#[test]
fn one_who_is_expected_is_let_in_and_was_not_answered_before() {
    check(
        "phones alice bob; call alice -> expected; wait 1s; call 1: met; wait 3s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> expected
              3.001 call 1 leg alice Customer
              3.001 call 1 alice waits to be let in
              4.000 call 1 alice let in: true
              4.000 call 1 alice answered
              4.000 call 1 queued in support at 1
              4.000 call 1 offered to bob
              4.000 call 1 leg bob Agent
              4.003 call 1 bob rings
              4.803 call 1 bob answered
              4.803 call 1 offer to bob: Accepted
              4.803 call 1 left support: Answered after 803 ms
              4.803 call 1 bridged alice, bob
        "#]],
    );
}

#[test]
fn one_who_is_not_expected_is_refused_unanswered() {
    check(
        "phones alice bob; call alice -> expected; wait 1s; call 1: unmet; wait 1s; call 1: met = interaction_ended",
        expect![[r#"
            log
              3.001 call 1 started alice -> expected
              3.001 call 1 leg alice Customer
              3.001 call 1 alice waits to be let in
              4.000 call 1 alice let in: false
              4.000 call 1 alice ended: refused
              4.000 call 1 ended: refused by alice
        "#]],
    );
}

#[test]
fn nobody_waits_for_ever_and_digits_stay_private() {
    check(
        "phones alice bob; call alice -> proven; wait 1s; alice: ask; alice presses 12; wait 1s; alice presses 34; wait 9s; bob is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> proven
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 alice waits to be let in
              4.000 call 1 alice is asked in private
              5.050 call 1 alice keyed 4, complete: true
             13.001 call 1 alice let in: false
             13.001 call 1 alice ended: refused
             13.001 call 1 ended: refused by alice
        "#]],
    );
}

#[test]
fn the_proven_go_where_they_belong() {
    check(
        "phones alice dan; call alice -> proven; wait 1s; call 1: met sales; wait 3s; alice and dan talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> proven
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 alice waits to be let in
              4.000 call 1 alice let in: true
              4.000 call 1 queued in sales at 1
              4.000 call 1 offered to dan
              4.000 call 1 leg dan Agent
              4.003 call 1 dan rings
              4.803 call 1 dan answered
              4.803 call 1 offer to dan: Accepted
              4.803 call 1 left sales: Answered after 803 ms
              4.803 call 1 bridged alice, dan
        "#]],
    );
}

#[test]
fn an_agent_hears_nothing_of_private_digits_and_the_recording_pauses() {
    served(
        "call 1: record; alice: ask; alice hears nobody; alice presses 1; alice: ask = conflict; alice presses 2#; alice and bob talk; alice: ask; wait 4s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> queue
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in support at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 offer to bob: Accepted
              3.804 call 1 left support: Answered after 803 ms
              3.804 call 1 bridged alice, bob
              6.000 call 1 recording alice, bob
              6.050 call 1 alice is held
              6.050 call 1 recording paused
              6.050 call 1 alice is asked in private
              6.150 call 1 alice keyed 2, complete: true
              6.150 call 1 alice is resumed
              6.150 call 1 recording goes on
              6.150 call 1 alice is held
              6.150 call 1 recording paused
              6.150 call 1 alice is asked in private
              9.150 call 1 alice keyed 0, complete: false
              9.150 call 1 alice is resumed
              9.150 call 1 recording goes on
        "#]],
    );
}
