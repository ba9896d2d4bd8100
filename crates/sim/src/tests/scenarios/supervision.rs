//! Listen, whisper, barge, take over.

use super::*;

#[test]
fn who_hears_whom_under_supervision() {
    talking(
        "sup: supervises bob listen; wait 2s; sup hears only alice bob; alice hears only bob; bob hears only alice; sup: change to whisper; sup hears only alice bob; alice hears only bob; bob hears only alice sup; sup: change to barge; sup hears only alice bob; alice hears only bob sup; bob hears only alice sup; sup: change to listen; alice hears only bob; sup hangs up; wait 1s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.003 call 1 bob rings
              3.803 call 1 bob answered
              3.803 call 1 alice answered
              3.803 call 1 bridged alice, bob
              6.000 call 1 leg sup Supervisor
              6.002 call 1 sup rings
              6.802 call 1 sup answered
              6.802 call 1 sup supervises: Listen
              8.050 call 1 sup changes to Whisper
              8.100 call 1 sup changes to Barge
              8.150 call 1 sup changes to Listen
              8.201 call 1 sup ended: hung_up
        "#]],
    );
}

#[test]
fn the_supervisor_takes_the_call() {
    served(
        "sup: supervises bob listen; wait 2s; sup: take over; wait 1s; alice and sup talk; bob is free; wait 8s",
        expect![[r#"
            log
              3.001 call 1 started alice -> queue
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in support at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.003 call 1 bob rings
              3.803 call 1 bob answered
              3.803 call 1 offer to bob: Accepted
              3.803 call 1 left support: Answered after 802 ms
              3.803 call 1 bridged alice, bob
              6.000 call 1 leg sup Supervisor
              6.002 call 1 sup rings
              6.802 call 1 sup answered
              6.802 call 1 sup supervises: Listen
              8.050 call 1 sup takes over from bob
              8.050 call 1 bob ended: transferred
              8.050 call 1 bob wraps up
             13.050 call 1 bob done by timer
        "#]],
    );
}

#[test]
fn a_supervisor_goes_when_the_call_goes() {
    holds(&format!(
        "{TALK} sup: supervises bob listen; wait 2s; alice hangs up; wait 1s; bob is free; sup is free"
    ));
    holds(&format!(
        "{TALK} sup: supervises bob listen; wait 2s; bob hangs up; wait 1s; alice is free; sup is free"
    ));
    // Also one who has not picked up yet.
    holds(&format!(
        "{TALK} sup never answers; sup: supervises bob listen; wait 1s; bob hangs up; wait 1s; alice is free; sup is free"
    ));
}

#[test]
fn supervision_that_is_refused() {
    holds(&format!(
        "{TALK} bob: supervises bob listen = conflict; eve on eve: supervises bob listen; wait 2s; bob: take over = leg_state; bob: change to barge = leg_state; alice and bob talk"
    ));
    holds(
        "phones alice bob sup; bob never answers; call alice -> bob-direct; wait 1s; sup: supervises bob listen = leg_state",
    );
    holds(
        "phones alice bob; call alice -> bob-direct; wait 3s; sup: supervises bob listen = agent_state",
    );
}
