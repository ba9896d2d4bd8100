//! Transfers, consultations, conferences and parking, with the shared state of S1.3.

use super::*;

#[test]
fn a_blind_transfer() {
    served(
        "bob: transfer 1002; wait 3s; alice and eve talk; bob is free; wait 8s",
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
              6.000 call 1 transfer Blind by bob to eve
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 leg eve Agent
              6.000 call 1 unbridged alice
              6.000 call 1 bob ended: transferred
              6.000 call 1 shared: Pending -> OriginalEnded
              6.000 call 1 bob wraps up
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              6.803 call 1 shared: OriginalEnded -> Succeeded
              6.803 call 1 bridged alice, eve
              6.803 call 1 transferred to eve
             11.000 call 1 bob done by timer
        "#]],
    );
}

#[test]
fn both_agents_of_a_transferred_call_wrap_up() {
    served(
        "bob: transfer sales; wait 3s; alice and dan talk; alice hangs up; wait 8s",
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
              6.000 call 1 transfer Queue by bob to queue
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 unbridged alice
              6.000 call 1 transferred
              6.000 call 1 shared: Pending -> Single
              6.000 call 1 bob ended: transferred
              6.000 call 1 bob wraps up
              6.000 call 1 queued in sales at 1
              6.000 call 1 offered to dan
              6.000 call 1 leg dan Agent
              6.003 call 1 dan rings
              6.803 call 1 dan answered
              6.803 call 1 offer to dan: Accepted
              6.803 call 1 left sales: Answered after 803 ms
              6.803 call 1 bridged alice, dan
              9.051 call 1 alice ended: hung_up
              9.051 call 1 dan ended: hung_up
              9.051 call 1 ended: hung_up by alice
              9.051 call 1 dan wraps up
             11.000 call 1 bob done by timer
             14.051 call 1 dan done by timer
        "#]],
    );
}

#[test]
fn a_blind_transfer_that_fails_revives_the_call_under_the_same_uci() {
    talking(
        "eve rejects 486; bob: transfer 1002; wait 5s; alice and bob talk; eve is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to eve
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 leg eve Agent
              6.000 call 1 unbridged alice
              6.000 call 1 bob ended: transferred
              6.000 call 1 shared: Pending -> OriginalEnded
              6.003 call 1 eve ended: busy
              6.003 call 1 shared: OriginalEnded -> RevivalPending
              6.003 call 1 transfer failed: busy
              6.003 call 1 leg bob.2 Agent
              6.006 call 1 bob.2 rings
              6.806 call 1 bob.2 answered
              6.806 call 1 shared: RevivalPending -> Single
              6.806 call 1 bridged alice, bob.2
        "#]],
    );
    talking(
        "eve never answers; bob: transfer 1002; wait 5s; bob is free; eve rings; alice hears music; wait 40s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to eve
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 leg eve Agent
              6.000 call 1 unbridged alice
              6.000 call 1 bob ended: transferred
              6.000 call 1 shared: Pending -> OriginalEnded
              6.003 call 1 eve rings
             36.000 call 1 eve ended: no_answer
             36.000 call 1 shared: OriginalEnded -> RevivalPending
             36.000 call 1 transfer failed: no_answer
             36.000 call 1 leg bob.2 Agent
             36.003 call 1 bob.2 rings
             36.803 call 1 bob.2 answered
             36.803 call 1 shared: RevivalPending -> Single
             36.803 call 1 bridged alice, bob.2
        "#]],
    );
    // Nobody is there any more: the caller is let go.
    talking(
        "eve rejects 486; bob rejects 486; bob: transfer 1002; wait 5s; alice is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to eve
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 leg eve Agent
              6.000 call 1 unbridged alice
              6.000 call 1 bob ended: transferred
              6.000 call 1 shared: Pending -> OriginalEnded
              6.003 call 1 eve ended: busy
              6.003 call 1 shared: OriginalEnded -> RevivalPending
              6.003 call 1 transfer failed: busy
              6.003 call 1 leg bob.2 Agent
              6.006 call 1 bob.2 ended: busy
              6.006 call 1 alice ended: unavailable
              6.006 call 1 ended: unavailable by bob.2
              6.006 call 1 shared: RevivalPending -> Ended
        "#]],
    );
}

#[test]
fn a_transfer_to_nothing_changes_nothing() {
    holds(&format!(
        "{TALK} bob: transfer nowhere = not_found; bob: consult nowhere = not_found; bob: complete = leg_state; bob: merge = leg_state; bob: cancel = leg_state; alice and bob talk"
    ));
    holds(
        "phones alice bob; call alice -> bob-direct; wait 3s; bob: transfer 1002 = no_agent; bob: consult 1002 = no_agent; alice and bob talk",
    );
}

#[test]
fn the_caller_leaves_during_a_transfer() {
    talking(
        "eve never answers; bob: transfer 1002; wait 3s; alice hangs up; wait 1s; eve is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to eve
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 leg eve Agent
              6.000 call 1 unbridged alice
              6.000 call 1 bob ended: transferred
              6.000 call 1 shared: Pending -> OriginalEnded
              6.003 call 1 eve rings
              9.051 call 1 alice ended: hung_up
              9.051 call 1 eve ended: hung_up
              9.051 call 1 ended: hung_up by alice
              9.051 call 1 shared: OriginalEnded -> Ended
        "#]],
    );
}

#[test]
fn a_consultation_is_completed() {
    served(
        "bob: consult 1002; wait 300ms; alice hears music; alice hears nobody; bob hears music; wait 3s; bob and eve talk; alice hears music; bob: consult 1003 = conflict; bob: complete; wait 1s; alice and eve talk; bob is free; alice hears no music; wait 8s",
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
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              9.400 call 1 transfer Attended by bob to 1002
              9.400 call 1 shared: Single -> SuccessPending
              9.400 call 1 consultation completed
              9.400 call 1 bridged alice, eve
              9.400 call 1 transferred to eve
              9.400 call 1 bob ended: transferred
              9.400 call 1 shared: SuccessPending -> Succeeded
              9.400 call 1 bob wraps up
             14.400 call 1 bob done by timer
        "#]],
    );
}

#[test]
fn a_consultation_is_cancelled_or_refused() {
    talking(
        "bob: consult 1002; wait 3s; bob: cancel; wait 1s; alice and bob talk; eve is free; eve rejects 486; bob: consult 1002; wait 2s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              9.050 call 1 eve ended: released
              9.050 call 1 consultation dropped
             10.100 call 1 leg eve.2 Consulted
             10.100 call 1 bob consults eve.2
             10.103 call 1 eve.2 ended: busy
             10.103 call 1 consultation dropped
        "#]],
    );
}

#[test]
fn hanging_up_completes_a_consultation() {
    talking(
        "bob: consult 1002; wait 3s; bob hangs up; wait 1s; alice and eve talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              9.051 call 1 bob ended: hung_up
              9.051 call 1 transfer Attended by bob to 1002
              9.051 call 1 shared: Single -> OriginalEnded, 1 apart
              9.051 call 1 consultation completed
              9.051 call 1 bridged alice, eve
              9.051 call 1 transferred to eve
              9.051 call 1 shared: OriginalEnded -> Succeeded, 1 apart
        "#]],
    );
}

#[test]
fn a_semi_attended_transfer() {
    talking(
        "eve answers after 4s; bob: consult 1002; wait 1s; bob: complete; wait 1s; bob is free; alice hears music; wait 4s; alice and eve talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              7.050 call 1 transfer Attended by bob to 1002
              7.050 call 1 shared: Single -> Pending
              7.050 call 1 consultation completed
              7.050 call 1 unbridged alice
              7.050 call 1 bob ended: transferred
              7.050 call 1 shared: Pending -> OriginalEnded
             10.003 call 1 eve answered
             10.003 call 1 shared: OriginalEnded -> Succeeded
             10.003 call 1 bridged alice, eve
             10.003 call 1 transferred to eve
        "#]],
    );
    talking(
        "eve never answers; bob: consult 1002; wait 1s; bob: complete; wait 50s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              7.050 call 1 transfer Attended by bob to 1002
              7.050 call 1 shared: Single -> Pending
              7.050 call 1 consultation completed
              7.050 call 1 unbridged alice
              7.050 call 1 bob ended: transferred
              7.050 call 1 shared: Pending -> OriginalEnded
             36.000 call 1 eve ended: no_answer
             36.000 call 1 shared: OriginalEnded -> RevivalPending
             36.000 call 1 transfer failed: no_answer
             36.000 call 1 leg bob.2 Agent
             36.003 call 1 bob.2 rings
             36.803 call 1 bob.2 answered
             36.803 call 1 shared: RevivalPending -> Single
             36.803 call 1 bridged alice, bob.2
        "#]],
    );
}

#[test]
fn the_phone_is_lost_in_a_consultation() {
    served(
        "bob: consult 1002; wait 3s; bob dies; wait 30s; eve is free; alice hears music; bob lives",
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
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              6.803 call 1 eve answered
             29.050 call 1 bob ended: dropped
             29.050 call 1 eve ended: cancelled
             29.050 call 1 unbridged alice
             29.050 call 1 bob wraps up
             29.050 call 1 queued in support at 1
             34.050 call 1 bob done by timer
             34.050 call 1 offered to bob
             34.050 call 1 leg bob.2 Agent
        "#]],
    );
}

#[test]
fn the_caller_leaves_during_a_consultation() {
    talking(
        "bob: consult 1002; wait 3s; alice hangs up; wait 1s; bob is free; eve is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              9.051 call 1 alice ended: hung_up
              9.051 call 1 bob ended: hung_up
              9.051 call 1 eve ended: hung_up
              9.051 call 1 ended: hung_up by alice
        "#]],
    );
}

#[test]
fn three_talk_and_two_remain() {
    talking(
        "bob: consult 1002; wait 3s; bob: merge; wait 1s; alice hears only bob eve; bob hears only alice eve; eve hears only alice bob; bob hangs up; wait 1s; alice and eve talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              9.050 call 1 merged alice, bob, eve
             10.101 call 1 bob ended: hung_up
        "#]],
    );
    talking(
        "bob: add 1002; wait 3s; alice hears only bob eve; bob: park = conflict; alice hangs up; wait 1s; bob and eve talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg eve Agent
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              6.803 call 1 merged alice, bob, eve
              9.101 call 1 alice ended: hung_up
        "#]],
    );
    // Whoever is added and does not come changes nothing.
    holds(&format!(
        "{TALK} eve rejects 486; bob: add 1002; wait 3s; alice and bob talk"
    ));
    // Who is left alone is not kept.
    holds(&format!(
        "{TALK} eve never answers; bob: add 1002; wait 1s; bob hangs up; wait 45s; alice is free; eve is free"
    ));
}

#[test]
fn a_room_takes_so_many_and_no_more() {
    check(
        "phones alice anna carl kim; call alice -> room; wait 1s; call anna -> room; wait 1s; call kim -> room; wait 1s; alice hears only anna kim; call carl -> room; wait 1s; carl is free; anna hangs up; wait 1s; alice and kim talk; call carl -> room; wait 1s; carl hears only alice kim",
        expect![[r#"
            log
              3.001 call 1 started alice -> room
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 alice joined the room of 1
              4.001 call 2 started anna -> room
              4.001 call 2 leg anna Customer
              4.001 call 2 anna answered
              4.001 call 2 anna joined the room of 2
              5.003 call 3 started kim -> room
              5.003 call 3 leg kim Customer
              5.003 call 3 kim answered
              5.003 call 3 kim joined the room of 3
              6.001 call 4 started carl -> room
              6.001 call 4 leg carl Customer
              6.001 call 4 carl answered
              6.001 call 4 carl ended: unavailable
              6.001 call 4 ended: unavailable by carl
              7.001 call 2 anna left the room to 2
              7.001 call 2 anna ended: hung_up
              7.001 call 2 ended: hung_up by anna
              8.001 call 5 started carl -> room
              8.001 call 5 leg carl.2 Customer
              8.001 call 5 carl.2 answered
              8.001 call 5 carl.2 joined the room of 3
        "#]],
    );
}

#[test]
fn a_phone_transfers_by_refer() {
    check(
        "with ladder; phones alice bob eve; call alice -> bob-direct; wait 3s; bob refers to 1002; wait 3s; alice and eve talk; bob is free",
        expect![[r#"
            wire
              3.000  alice -> cp     INVITE (SDP)
              3.001     cp -> alice  100 INVITE
              3.002     cp -> bob    INVITE (SDP)
              3.003    bob -> cp     100 INVITE
              3.003    bob -> cp     180 INVITE
              3.005     cp -> alice  180 INVITE
              3.803    bob -> cp     200 INVITE (SDP)
              3.805     cp -> bob    ACK
              3.805     cp -> alice  200 INVITE (SDP)
              3.806  alice -> cp     ACK
              6.000    bob -> cp     REFER
              6.002     cp -> bob    202 REFER
              6.002     cp -> bob    NOTIFY (SDP)
              6.002     cp -> eve    INVITE (SDP)
              6.003    bob -> cp     200 NOTIFY
              6.003    eve -> cp     100 INVITE
              6.003    eve -> cp     180 INVITE
              6.005     cp -> bob    NOTIFY (SDP)
              6.006    bob -> cp     200 NOTIFY
              6.803    eve -> cp     200 INVITE (SDP)
              6.805     cp -> eve    ACK
              6.805     cp -> bob    NOTIFY (SDP)
              6.805     cp -> bob    BYE
              6.806    bob -> cp     200 NOTIFY
              6.806    bob -> cp     200 BYE
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.001 call 1 transfer Blind by bob to eve
              6.001 call 1 shared: Single -> Pending
              6.001 call 1 leg eve Agent
              6.001 call 1 unbridged alice
              6.001 call 1 bob is held
              6.004 call 1 eve rings
              6.804 call 1 eve answered
              6.804 call 1 shared: Pending -> SuccessPending
              6.804 call 1 bridged alice, eve
              6.804 call 1 transferred to eve
              6.804 call 1 bob ended: transferred
              6.804 call 1 shared: SuccessPending -> Succeeded
        "#]],
    );
    talking(
        "eve rejects 486; bob refers to 1002; wait 3s; alice and bob talk; eve answers after 1s; bob refers to 1002; wait 3s; alice and eve talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.001 call 1 transfer Blind by bob to eve
              6.001 call 1 shared: Single -> Pending
              6.001 call 1 leg eve Agent
              6.001 call 1 unbridged alice
              6.001 call 1 bob is held
              6.004 call 1 eve ended: busy
              6.004 call 1 shared: Pending -> Single
              6.004 call 1 transfer failed: busy
              6.004 call 1 bridged alice, bob
              9.001 call 1 transfer Blind by bob to eve
              9.001 call 1 shared: Single -> Pending
              9.001 call 1 leg eve.2 Agent
              9.001 call 1 unbridged alice
              9.001 call 1 bob is held
              9.004 call 1 eve.2 rings
             10.004 call 1 eve.2 answered
             10.004 call 1 shared: Pending -> SuccessPending
             10.004 call 1 bridged alice, eve.2
             10.004 call 1 transferred to eve.2
             10.004 call 1 bob ended: transferred
             10.004 call 1 shared: SuccessPending -> Succeeded
        "#]],
    );
    holds(&format!(
        "{TALK} bob refers to nowhere; wait 2s; alice and bob talk; alice refers to 1002; wait 2s; alice and bob talk"
    ));
}

#[test]
fn a_phone_joins_its_two_calls() {
    check(
        "with ladder; phones alice bob eve; call alice -> bob-direct; wait 3s; bob holds; wait 1s; call bob -> 1002; wait 3s; bob and eve talk; bob refers both; wait 2s; alice and eve talk; bob is free; wait 1s",
        expect![[r#"
            wire
              3.000  alice -> cp     INVITE (SDP)
              3.001     cp -> alice  100 INVITE
              3.002     cp -> bob    INVITE (SDP)
              3.003    bob -> cp     100 INVITE
              3.003    bob -> cp     180 INVITE
              3.005     cp -> alice  180 INVITE
              3.803    bob -> cp     200 INVITE (SDP)
              3.805     cp -> bob    ACK
              3.805     cp -> alice  200 INVITE (SDP)
              3.806  alice -> cp     ACK
              6.000    bob -> cp     INVITE (SDP)
              6.001     cp -> bob    100 INVITE
              6.002     cp -> bob    200 INVITE (SDP)
              6.003    bob -> cp     ACK
              7.000    bob -> cp     INVITE (SDP)
              7.001     cp -> bob    401 INVITE
              7.002    bob -> cp     ACK
              7.002    bob -> cp     INVITE (SDP)
              7.003     cp -> bob    100 INVITE
              7.004     cp -> eve    INVITE (SDP)
              7.005    eve -> cp     100 INVITE
              7.005    eve -> cp     180 INVITE
              7.007     cp -> bob    180 INVITE
              7.805    eve -> cp     200 INVITE (SDP)
              7.807     cp -> eve    ACK
              7.807     cp -> bob    200 INVITE (SDP)
              7.808    bob -> cp     ACK
             10.000    bob -> cp     REFER
             10.002     cp -> bob    202 REFER
             10.002     cp -> bob    NOTIFY (SDP)
             10.002     cp -> bob    NOTIFY (SDP)
             10.002     cp -> bob    BYE
             10.002     cp -> bob    BYE
             10.003    bob -> cp     200 NOTIFY
             10.003    bob -> cp     200 NOTIFY
             10.003    bob -> cp     200 BYE
             10.003    bob -> cp     200 BYE
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.001 call 1 bob holds
              7.003 call 2 started 1001 -> 1002
              7.003 call 2 leg bob.2 Agent
              7.003 call 2 leg eve Agent
              7.006 call 2 eve rings
              7.806 call 2 eve answered
              7.806 call 2 bob.2 answered
              7.806 call 2 bridged bob.2, eve
             10.001 call 1 transfer Attended by bob to 1002
             10.001 call 1 shared: Single -> Pending
             10.001 call 1 leg eve Agent moved in
             10.001 call 1 bridged alice, eve
             10.001 call 1 transferred to eve
             10.001 call 1 shared: Pending -> SuccessPending
             10.001 call 1 bob ended: transferred
             10.001 call 1 shared: SuccessPending -> Succeeded
             10.001 call 2 leg eve moved out
             10.001 call 2 bob.2 ended: transferred
             10.001 call 2 ended: transferred
        "#]],
    );
}

#[test]
fn a_phone_takes_over_a_call_by_replaces() {
    talking(
        "eve picks up from bob; wait 2s; alice and eve talk; bob is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.003 call 1 leg eve Agent
              6.003 call 1 transfer Attended by bob to 1002
              6.003 call 1 shared: Single -> Pending
              6.003 call 1 eve answered
              6.003 call 1 bridged alice, eve
              6.003 call 1 transferred to eve
              6.003 call 1 shared: Pending -> SuccessPending
              6.003 call 1 bob ended: transferred
              6.003 call 1 shared: SuccessPending -> Succeeded
        "#]],
    );
    // A ringing call is picked up too.
    check(
        "phones alice bob eve; bob never answers; call alice -> bob-direct; wait 2s; eve picks up from bob; wait 2s",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              5.003 call 1 leg eve Agent
              5.003 call 1 bob ended: cancelled
              5.003 call 1 eve answered
              5.003 call 1 alice answered
              5.003 call 1 bridged alice, eve
        "#]],
    );
    // The neighbour may not.
    holds(&format!(
        "{TALK} phones zed; zed picks up from bob; wait 2s; alice and bob talk; zed is free"
    ));
}

#[test]
fn parking_tells_every_step_and_the_parker_keeps_no_uci() {
    talking(
        "bob: park; wait 1s; bob is free; alice hears music; call eve -> 701; wait 2s; alice and eve talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to 701
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 alice parked in 701
              6.000 call 1 shared: Pending -> SuccessPending
              6.000 call 1 bob ended: self_terminated
              6.000 call 1 shared: SuccessPending -> Succeeded
              7.053 call 1 leg eve Agent
              7.053 call 1 eve answered
              7.053 call 1 retrieved by eve
              7.053 call 1 shared: Succeeded -> Single
              7.053 call 1 bridged alice, eve
        "#]],
    );
}

#[test]
fn a_parked_call_is_retrieved_by_command() {
    talking(
        "bob: park 750; wait 1s; eve: retrieve 799 = not_found; eve: retrieve 750; wait 3s; alice and eve talk; eve: park 750; wait 1s; alice hears music; alice hangs up; wait 1s; eve: retrieve 750 = not_found",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to 750
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 alice parked in 750
              6.000 call 1 shared: Pending -> SuccessPending
              6.000 call 1 bob ended: self_terminated
              6.000 call 1 shared: SuccessPending -> Succeeded
              7.100 call 1 leg eve Agent
              7.103 call 1 eve rings
              7.903 call 1 eve answered
              7.903 call 1 retrieved by eve
              7.903 call 1 shared: Succeeded -> Single
              7.903 call 1 bridged alice, eve
             10.150 call 1 transfer Blind by eve to 750
             10.150 call 1 shared: Single -> Pending
             10.150 call 1 alice parked in 750
             10.150 call 1 shared: Pending -> SuccessPending
             10.150 call 1 eve ended: self_terminated
             10.150 call 1 shared: SuccessPending -> Succeeded
             11.201 call 1 alice ended: hung_up
             11.201 call 1 shared: Succeeded -> Ended
             11.201 call 1 ended: hung_up by alice
        "#]],
    );
    holds(&format!(
        "phones anna; {TALK} bob: park 750; wait 1s; call anna -> bob-direct; wait 3s; bob: park 750 = conflict; bob: park; wait 1s; anna hears music"
    ));
}

#[test]
fn a_parked_call_comes_back_three_times_and_is_let_go() {
    talking(
        "bob never answers; bob: park; wait 125s; bob rings; wait 30s; bob is free; wait 600s; alice is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to 701
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 alice parked in 701
              6.000 call 1 shared: Pending -> SuccessPending
              6.000 call 1 bob ended: self_terminated
              6.000 call 1 shared: SuccessPending -> Succeeded
            126.000 call 1 leg bob.2 Agent
            126.003 call 1 bob.2 rings
            156.000 call 1 bob.2 ended: no_answer
            276.000 call 1 leg bob.3 Agent
            276.003 call 1 bob.3 rings
            306.000 call 1 bob.3 ended: no_answer
            426.000 call 1 leg bob.4 Agent
            426.003 call 1 bob.4 rings
            456.000 call 1 bob.4 ended: no_answer
            456.000 call 1 given back after 3 tries
            456.000 call 1 shared: Succeeded -> Single
            456.000 call 1 alice ended: unavailable
            456.000 call 1 ended: unavailable
        "#]],
    );
    talking(
        "bob: park; wait 125s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to 701
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 alice parked in 701
              6.000 call 1 shared: Pending -> SuccessPending
              6.000 call 1 bob ended: self_terminated
              6.000 call 1 shared: SuccessPending -> Succeeded
            126.000 call 1 leg bob.2 Agent
            126.003 call 1 bob.2 rings
            126.803 call 1 bob.2 answered
            126.803 call 1 retrieved by bob.2
            126.803 call 1 shared: Succeeded -> Single
            126.803 call 1 bridged alice, bob.2
        "#]],
    );
}

#[test]
fn an_agent_who_is_handed_a_queue_call_wraps_it_up() {
    served(
        "bob: transfer 1002; wait 3s; alice and eve talk; alice hangs up; wait 8s",
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
              6.000 call 1 transfer Blind by bob to eve
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 leg eve Agent
              6.000 call 1 unbridged alice
              6.000 call 1 bob ended: transferred
              6.000 call 1 shared: Pending -> OriginalEnded
              6.000 call 1 bob wraps up
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              6.803 call 1 shared: OriginalEnded -> Succeeded
              6.803 call 1 bridged alice, eve
              6.803 call 1 transferred to eve
              9.051 call 1 alice ended: hung_up
              9.051 call 1 eve ended: hung_up
              9.051 call 1 ended: hung_up by alice
              9.051 call 1 shared: Succeeded -> Ended
              9.051 call 1 eve wraps up
             11.000 call 1 bob done by timer
             14.051 call 1 eve done by timer
        "#]],
    );
    served(
        "bob: consult 1002; wait 2s; bob: complete; wait 1s; alice and eve talk; alice hangs up; wait 8s",
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
              6.000 call 1 leg eve Consulted
              6.000 call 1 bob consults eve
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              8.050 call 1 transfer Attended by bob to 1002
              8.050 call 1 shared: Single -> SuccessPending
              8.050 call 1 consultation completed
              8.050 call 1 bridged alice, eve
              8.050 call 1 transferred to eve
              8.050 call 1 bob ended: transferred
              8.050 call 1 shared: SuccessPending -> Succeeded
              8.050 call 1 bob wraps up
              9.101 call 1 alice ended: hung_up
              9.101 call 1 eve ended: hung_up
              9.101 call 1 ended: hung_up by alice
              9.101 call 1 shared: Succeeded -> Ended
              9.101 call 1 eve wraps up
             13.050 call 1 bob done by timer
             14.101 call 1 eve done by timer
        "#]],
    );
    // No queue, no wrap-up.
    talking(
        "bob: transfer 1002; wait 3s; alice and eve talk; alice hangs up; wait 8s",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 transfer Blind by bob to eve
              6.000 call 1 shared: Single -> Pending
              6.000 call 1 leg eve Agent
              6.000 call 1 unbridged alice
              6.000 call 1 bob ended: transferred
              6.000 call 1 shared: Pending -> OriginalEnded
              6.003 call 1 eve rings
              6.803 call 1 eve answered
              6.803 call 1 shared: OriginalEnded -> Succeeded
              6.803 call 1 bridged alice, eve
              6.803 call 1 transferred to eve
              9.051 call 1 alice ended: hung_up
              9.051 call 1 eve ended: hung_up
              9.051 call 1 ended: hung_up by alice
              9.051 call 1 shared: Succeeded -> Ended
        "#]],
    );
}

#[test]
fn who_is_left_for_a_consultation_is_on_hold() {
    holds(&format!(
        "{TALK} alice is not on hold; bob: consult 1002; alice is on hold; bob is not on hold; wait 2s; bob and eve talk; alice is on hold; eve is not on hold; bob: cancel; wait 1s; alice and bob talk; alice is not on hold"
    ));
    // In company nobody waits.
    holds(&format!(
        "{TALK} bob: consult 1002; wait 2s; bob: merge; wait 1s; bob: consult 1003; wait 2s; alice is not on hold; alice and eve talk; eve: leave; wait 1s; alice is on hold"
    ));
}

#[test]
fn a_refer_to_nowhere_is_told() {
    talking(
        "bob refers to nowhere; wait 1s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.001 call 1 transfer Blind by bob to nowhere
              6.001 call 1 shared: Single -> Pending
              6.001 call 1 transfer failed: not_found
              6.001 call 1 shared: Pending -> Single
        "#]],
    );
}

/// The house has two media workers, and calls begin on the one with less to do: these come together
/// from both.
#[test]
fn calls_of_different_workers_become_one() {
    holds(
        "phones alice anna bob; call alice -> bob-direct; wait 3s; alice and bob talk; call anna -> bob-direct; wait 3s; anna and bob talk; bob refers both; wait 1s; alice and anna talk; bob hangs up; wait 1s; alice and anna talk; bob is free",
    );
    holds(
        "phones alice anna bob; call alice -> bob-direct; wait 3s; bob: transfer room; wait 1s; call anna -> bob-direct; wait 3s; bob: transfer room; wait 1s; alice and anna talk",
    );
}

#[test]
fn a_recording_goes_on_where_the_call_goes() {
    check(
        "phones alice anna bob eve kim; call kim -> 1002; wait 2s; call anna -> bob-direct; wait 3s; bob: record; bob: transfer room; wait 1s; bob: presence available; call alice -> bob-direct; wait 3s; bob: record; bob: transfer room; wait 1s; alice and anna talk; wait 1s; anna hangs up; alice hangs up; wait 1s",
        expect![[r#"
            log
              3.003 call 1 started kim -> 1002
              3.003 call 1 leg kim Customer
              3.003 call 1 leg eve Agent
              3.006 call 1 eve rings
              3.806 call 1 eve answered
              3.806 call 1 kim answered
              3.806 call 1 bridged kim, eve
              5.001 call 2 started anna -> bob-direct
              5.001 call 2 leg anna Customer
              5.001 call 2 leg bob Agent
              5.004 call 2 bob rings
              5.804 call 2 bob answered
              5.804 call 2 anna answered
              5.804 call 2 bridged anna, bob
              8.000 call 2 recording anna, bob
              8.050 call 2 transfer Blind by bob to conference
              8.050 call 2 shared: Single -> Pending
              8.050 call 2 unbridged anna
              8.050 call 2 transferred
              8.050 call 2 shared: Pending -> Single
              8.050 call 2 bob ended: transferred
              8.050 call 2 anna joined the room of 1
              8.051 call 2 recording over
              8.051 call 2 recording anna
              9.151 call 3 started alice -> bob-direct
              9.151 call 3 leg alice Customer
              9.151 call 3 leg bob.2 Agent
              9.154 call 3 bob.2 rings
              9.954 call 3 bob.2 answered
              9.954 call 3 alice answered
              9.954 call 3 bridged alice, bob.2
             12.150 call 3 recording alice, bob.2
             12.200 call 3 transfer Blind by bob.2 to conference
             12.200 call 3 shared: Single -> Pending
             12.200 call 3 unbridged alice
             12.200 call 3 transferred
             12.200 call 3 shared: Pending -> Single
             12.200 call 3 bob.2 ended: transferred
             12.200 call 3 alice joined the room of 2
             12.201 call 3 recording over
             12.201 call 3 recording alice
             14.251 call 2 anna left the room to 1
             14.251 call 2 anna ended: hung_up
             14.251 call 2 ended: hung_up by anna
             14.251 call 3 alice left the room to 0
             14.251 call 3 alice ended: hung_up
             14.251 call 3 ended: hung_up by alice
             14.252 call 2 recording over
             14.252 call 3 recording over
        "#]],
    );
}

#[test]
fn a_consultation_goes_to_queues_and_out_by_trunks() {
    // A queue gives its first free agent, who takes the call as their own.
    served(
        "bob: consult sales; alice is on hold; wait 2s; bob and dan talk; bob: complete; wait 1s; alice and dan talk; alice hangs up; wait 8s",
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
              6.000 call 1 leg dan Consulted
              6.000 call 1 bob consults dan
              6.003 call 1 dan rings
              6.803 call 1 dan answered
              8.050 call 1 transfer Attended by bob to 1003
              8.050 call 1 shared: Single -> SuccessPending
              8.050 call 1 consultation completed
              8.050 call 1 bridged alice, dan
              8.050 call 1 transferred to dan
              8.050 call 1 bob ended: transferred
              8.050 call 1 shared: SuccessPending -> Succeeded
              8.050 call 1 bob wraps up
              9.101 call 1 alice ended: hung_up
              9.101 call 1 dan ended: hung_up
              9.101 call 1 ended: hung_up by alice
              9.101 call 1 shared: Succeeded -> Ended
              9.101 call 1 dan wraps up
             13.050 call 1 bob done by timer
             14.101 call 1 dan done by timer
        "#]],
    );
    holds(
        "phones alice bob; call alice -> bob-direct; wait 3s; bob: consult sales = no_agent; bob: consult support = no_agent; alice and bob talk",
    );
    // A number outside.
    holds(
        "phones alice bob far; call alice -> bob-direct; wait 3s; bob: consult +493012345; wait 3s; alice is on hold; bob and far talk; bob: complete; wait 1s; alice and far talk; bob is free",
    );
    holds(
        "phones alice bob far; call alice -> bob-direct; wait 3s; bob: consult +493012345; wait 3s; bob and far talk; far hangs up; wait 1s; alice and bob talk",
    );
}
