//! Queues, offers and wrap-up.

use super::*;

#[test]
fn the_caller_gives_up_while_the_agent_rings() {
    check(
        "phones alice bob; bob never answers; call alice -> queue; wait 3s; bob rings; alice hangs up; wait 1s; bob is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> queue
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in support at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              6.001 call 1 alice ended: hung_up
              6.001 call 1 offer to bob: Cancelled
              6.001 call 1 bob ended: cancelled
              6.001 call 1 left support: Abandoned after 3000 ms
              6.001 call 1 ended: abandoned by alice
        "#]],
    );
}

#[test]
fn an_agent_who_lets_it_ring_is_not_asked_again() {
    check(
        "phones alice bob; bob never answers; call alice -> queue; wait 25s; bob is free; alice hears music; bob: presence available; bob answers after 1s; wait 35s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> queue
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in support at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
             13.001 call 1 offer to bob: TimedOut
             13.001 call 1 bob ended: no_answer
             13.001 bob    state NotResponding
             33.001 call 1 told its place 1
             33.001 call 1 alice hears speech
             34.501 call 1 alice prompt over
             43.001 call 1 offered to bob
             43.001 call 1 leg bob.2 Agent
             43.004 call 1 bob.2 rings
             44.004 call 1 bob.2 answered
             44.004 call 1 offer to bob: Accepted
             44.004 call 1 left support: Answered after 41003 ms
             44.004 call 1 bridged alice, bob.2
        "#]],
    );
}

#[test]
fn an_agent_who_rejects_keeps_the_caller_in_place() {
    check(
        "phones alice bob; bob never answers; call alice -> queue; wait 2s; bob: reject; wait 1s; bob is free; alice hears music; bob: reject = offer_gone; bob: accept = offer_gone",
        expect![[r#"
            log
              3.001 call 1 started alice -> queue
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in support at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              5.000 call 1 offer to bob: Rejected
              5.000 call 1 bob ended: cancelled
        "#]],
    );
    check(
        "phones alice bob; bob rejects 486; call alice -> queue; wait 5s; alice hears music",
        expect![[r#"
            log
              3.001 call 1 started alice -> queue
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in support at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.004 call 1 bob ended: busy
              3.004 call 1 offer to bob: Rescinded
        "#]],
    );
}

#[test]
fn accepting_on_the_desktop_makes_the_phone_answer() {
    holds(
        "phones alice bob eve; bob never answers; call alice -> queue; wait 2s; eve on bob: accept = forbidden; bob answers after 0s; bob: accept; wait 2s; alice and bob talk; bob: accept = offer_gone",
    );
}

#[test]
fn a_phone_of_one_line_takes_the_second_ring_of_an_accepted_offer() {
    holds(
        "phones alice bob; bob has one line; bob never answers; call alice -> queue; wait 2s; bob answers after 0s; bob: accept; wait 2s; alice and bob talk; bob: accept = offer_gone",
    );
}

#[test]
fn picked_up_in_the_moment_it_is_accepted_on_the_desktop() {
    // He picks up some 2,003 ms after the call began. Accepted before, the first ring is taken back in time;
    // accepted then, his 200 crosses the CANCEL: it stands, and the second ring is taken back.
    for ms in 1_997..=2_003 {
        let told = play(&format!(
            "phones alice bob; bob answers after 2s; call alice -> queue; wait {ms}ms; bob never answers; bob: accept; wait 1s"
        ));
        let bridged = told.contains("bridged alice, bob");
        assert_eq!(bridged, ms >= 2_001, "accepted after {ms} ms:\n{told}");
    }
    holds(
        "phones alice bob; bob answers after 2s; call alice -> queue; wait 2002ms; bob: accept; wait 1s; alice and bob talk; wait 9s; alice and bob talk; alice hangs up; wait 1s; bob is free",
    );
}

#[test]
fn two_phones_answer_one_offer_and_one_wins() {
    check(
        "phones alice bob bob2; bob answers after 900ms; bob2 answers after 900ms; call alice -> queue; wait 5s; alice hangs up; wait 10s; bob is free; bob2 is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> queue
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in support at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.004 call 1 bob rings
              3.904 call 1 bob answered
              3.904 call 1 offer to bob: Accepted
              3.904 call 1 left support: Answered after 903 ms
              3.904 call 1 bridged alice, bob
              8.001 call 1 alice ended: hung_up
              8.001 call 1 bob ended: hung_up
              8.001 call 1 ended: hung_up by alice
              8.001 call 1 bob wraps up
             13.001 call 1 bob done by timer
        "#]],
    );
}

#[test]
fn wrap_up_ends_by_timer_or_by_command() {
    check(
        "phones alice anna bob; call alice -> queue; wait 3s; alice hangs up; wait 1s; call anna -> queue; wait 1s; bob is free; bob: note all well; bob: done; wait 2s; anna and bob talk; bob: done = agent_state; anna hangs up; wait 1s; bob: extend 10s; wait 10s; bob: done",
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
              6.001 call 1 alice ended: hung_up
              6.001 call 1 bob ended: hung_up
              6.001 call 1 ended: hung_up by alice
              6.001 call 1 bob wraps up
              7.001 call 2 started anna -> queue
              7.001 call 2 leg anna Customer
              7.001 call 2 anna answered
              7.001 call 2 queued in support at 1
              8.000 call 1 note: all well
              8.050 call 1 bob done
              8.050 call 2 offered to bob
              8.050 call 2 leg bob.2 Agent
              8.053 call 2 bob.2 rings
              8.853 call 2 bob.2 answered
              8.853 call 2 offer to bob: Accepted
              8.853 call 2 left support: Answered after 1852 ms
              8.853 call 2 bridged anna, bob.2
             10.151 call 2 anna ended: hung_up
             10.151 call 2 bob.2 ended: hung_up
             10.151 call 2 ended: hung_up by anna
             10.151 call 2 bob wraps up
             11.150 call 2 bob wraps up
             21.200 call 2 bob done
        "#]],
    );
}

#[test]
fn full_and_unstaffed_queues_lead_elsewhere() {
    // Bob is busy, one may wait, the next goes to sales.
    check(
        "phones alice anna carl bob dan; call alice -> narrow; wait 3s; call anna -> narrow; wait 3s; call carl -> narrow; wait 5s; carl and dan talk; wait 30s; dan hangs up; wait 10s; anna and dan talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> narrow
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in narrow at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 offer to bob: Accepted
              3.804 call 1 left narrow: Answered after 803 ms
              3.804 call 1 bridged alice, bob
              6.001 call 2 started anna -> narrow
              6.001 call 2 leg anna Customer
              6.001 call 2 anna answered
              6.001 call 2 queued in narrow at 1
              9.001 call 3 started carl -> narrow
              9.001 call 3 leg carl Customer
              9.001 call 3 carl answered
              9.001 call 3 queued in sales at 1
              9.001 call 3 offered to dan
              9.001 call 3 leg dan Agent
              9.004 call 3 dan rings
              9.804 call 3 dan answered
              9.804 call 3 offer to dan: Accepted
              9.804 call 3 left sales: Answered after 803 ms
              9.804 call 3 bridged carl, dan
             26.001 call 2 left narrow: TimedOut after 20000 ms
             26.001 call 2 queued in sales at 1
             44.001 call 3 dan ended: hung_up
             44.001 call 3 carl ended: hung_up
             44.001 call 3 ended: hung_up by dan
             44.001 call 3 dan wraps up
             49.001 call 3 dan done by timer
             49.001 call 2 offered to dan
             49.001 call 2 leg dan.2 Agent
             49.004 call 2 dan.2 rings
             49.804 call 2 dan.2 answered
             49.804 call 2 offer to dan: Accepted
             49.804 call 2 left sales: Answered after 23803 ms
             49.804 call 2 bridged anna, dan.2
        "#]],
    );
    check(
        "phones alice; call alice -> empty; wait 10s; alice is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> empty
              3.001 call 1 leg alice Customer
              3.001 call 1 alice ended: unavailable
              3.001 call 1 ended: unavailable by alice
        "#]],
    );
}

#[test]
fn queues_that_overflow_into_each_other_let_the_caller_go() {
    check(
        "phones alice; call alice -> ring-a; wait 20s; alice is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> ring-a
              3.001 call 1 leg alice Customer
              3.001 call 1 alice ended: unavailable
              3.001 call 1 ended: unavailable by alice
        "#]],
    );
}

#[test]
fn a_direct_call_keeps_an_agent_from_offers() {
    check(
        "phones alice anna bob; call alice -> bob-direct; wait 3s; call anna -> queue; wait 5s; anna hears music; alice hangs up; wait 3s; anna and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.001 call 2 started anna -> queue
              6.001 call 2 leg anna Customer
              6.001 call 2 anna answered
              6.001 call 2 queued in support at 1
             11.001 call 1 alice ended: hung_up
             11.001 call 1 bob ended: hung_up
             11.001 call 1 ended: hung_up by alice
             11.001 call 2 offered to bob
             11.001 call 2 leg bob.2 Agent
             11.004 call 2 bob.2 rings
             11.804 call 2 bob.2 answered
             11.804 call 2 offer to bob: Accepted
             11.804 call 2 left support: Answered after 5803 ms
             11.804 call 2 bridged anna, bob.2
        "#]],
    );
    // A call of the agent's own takes an offer back.
    holds(
        "phones alice bob eve; bob never answers; call alice -> queue; wait 2s; call bob -> 1002; wait 3s; bob and eve talk; alice hears music",
    );
}

#[test]
fn a_colleague_in_the_queue_who_hangs_up_leaves_it() {
    check(
        "phones eve; call eve -> queue; wait 3s; eve hears music; eve hangs up; wait 1s",
        expect![[r#"
            log
              3.003 call 1 started 1002 -> queue
              3.003 call 1 leg eve Agent
              3.003 call 1 eve answered
              3.003 call 1 queued in support at 1
              6.001 call 1 eve ended: hung_up
              6.001 call 1 left support: Abandoned after 2998 ms
              6.001 call 1 ended: abandoned by eve
        "#]],
    );
}

#[test]
fn an_agent_whose_phone_is_lost_gives_the_caller_back() {
    served(
        "bob dies; wait 30s; alice hears music; bob lives; wait 10s",
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
             26.000 call 1 bob ended: dropped
             26.000 call 1 unbridged alice
             26.000 call 1 bob wraps up
             26.000 call 1 queued in support at 1
             31.000 call 1 bob done by timer
             31.000 call 1 offered to bob
             31.000 call 1 leg bob.2 Agent
             38.502 call 1 bob.2 rings
             39.302 call 1 bob.2 answered
             39.302 call 1 offer to bob: Accepted
             39.302 call 1 left support: Answered after 13302 ms
             39.302 call 1 bridged alice, bob.2
        "#]],
    );
}

#[test]
fn moving_to_another_queue_keeps_the_time_waited() {
    check(
        "phones alice dan bob; bob never answers; call alice -> queue; wait 4s; system: priority 3; system: requeue sales; wait 3s; alice and dan talk; bob is free; system: requeue support = leg_state",
        expect![[r#"
            log
              3.001 call 1 started alice -> queue
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 queued in support at 1
              3.001 call 1 offered to bob
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              7.050 call 1 offer to bob: Cancelled
              7.050 call 1 bob ended: cancelled
              7.050 call 1 left support: Transferred after 4049 ms
              7.050 call 1 queued in sales at 1
              7.050 call 1 offered to dan
              7.050 call 1 leg dan Agent
              7.053 call 1 dan rings
              7.853 call 1 dan answered
              7.853 call 1 offer to dan: Accepted
              7.853 call 1 left sales: Answered after 803 ms
              7.853 call 1 bridged alice, dan
        "#]],
    );
}

#[test]
fn a_transfer_to_a_queue_waits_there() {
    served(
        "bob: transfer sales; wait 4s; alice and dan talk; bob is free; wait 10s",
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
             11.000 call 1 bob done by timer
        "#]],
    );
}

#[test]
fn recording_by_the_queue_begins_with_the_talk() {
    check(
        "phones kim bob dan; bob: presence break; call kim -> greeted; wait 5s; kim hears music",
        expect![[r#"
            log
              3.000 bob    is Break
              3.053 call 1 started kim -> greeted
              3.053 call 1 leg kim Customer
              3.053 call 1 kim answered
              3.053 call 1 kim hears speech
              4.553 call 1 kim prompt over
              4.553 call 1 queued in greeted at 1
        "#]],
    );
}

#[test]
fn a_presence_asked_for_at_work_holds_after_it() {
    // No further call comes in between, and wrap-up counts as work.
    check(
        "phones alice anna bob; call alice -> queue; wait 3s; bob: presence break; wait 1s; alice and bob talk; alice hangs up; wait 1s; call anna -> queue; wait 8s; bob is free; bob: presence available; wait 2s; anna and bob talk",
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
              6.000 bob    is Break after the work at hand
              7.051 call 1 alice ended: hung_up
              7.051 call 1 bob ended: hung_up
              7.051 call 1 ended: hung_up by alice
              7.051 call 1 bob wraps up
              8.051 call 2 started anna -> queue
              8.051 call 2 leg anna Customer
              8.051 call 2 anna answered
              8.051 call 2 queued in support at 1
             12.051 call 1 bob done by timer
             12.051 bob    is Break
             16.050 bob    is Available
             16.050 call 2 offered to bob
             16.050 call 2 leg bob.2 Agent
             16.053 call 2 bob.2 rings
             16.853 call 2 bob.2 answered
             16.853 call 2 offer to bob: Accepted
             16.853 call 2 left support: Answered after 8802 ms
             16.853 call 2 bridged anna, bob.2
        "#]],
    );
    // Thought better of it.
    check(
        "phones alice anna bob; call alice -> queue; wait 3s; bob: presence break; bob: presence available; alice hangs up; wait 1s; call anna -> queue; wait 8s; anna and bob talk",
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
              6.000 bob    is Break after the work at hand
              6.050 bob    stays after the work at hand
              6.101 call 1 alice ended: hung_up
              6.101 call 1 bob ended: hung_up
              6.101 call 1 ended: hung_up by alice
              6.101 call 1 bob wraps up
              7.101 call 2 started anna -> queue
              7.101 call 2 leg anna Customer
              7.101 call 2 anna answered
              7.101 call 2 queued in support at 1
             11.101 call 1 bob done by timer
             11.101 call 2 offered to bob
             11.101 call 2 leg bob.2 Agent
             11.104 call 2 bob.2 rings
             11.904 call 2 bob.2 answered
             11.904 call 2 offer to bob: Accepted
             11.904 call 2 left support: Answered after 4803 ms
             11.904 call 2 bridged anna, bob.2
        "#]],
    );
}
