//! Calls in, and everything that may be wrong with them.

use super::*;

#[test]
fn a_call_through_a_queue() {
    check(
        "with ladder; phones alice bob; call alice -> queue; wait 3s; alice and bob talk; alice hangs up; wait 10s",
        expect![[r#"
            wire
              3.000  alice -> cp     INVITE (SDP)
              3.001     cp -> alice  100 INVITE
              3.002     cp -> alice  200 INVITE (SDP)
              3.002     cp -> bob    INVITE (SDP)
              3.003  alice -> cp     ACK
              3.003    bob -> cp     100 INVITE
              3.003    bob -> cp     180 INVITE
              3.803    bob -> cp     200 INVITE (SDP)
              3.805     cp -> bob    ACK
              6.000  alice -> cp     BYE
              6.002     cp -> alice  200 BYE
              6.002     cp -> bob    BYE
              6.003    bob -> cp     200 BYE
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
             11.001 call 1 bob done by timer
        "#]],
    );
}

#[test]
fn a_call_that_is_cancelled_while_it_rings() {
    check(
        "with ladder; phones alice bob; bob never answers; call alice -> bob-direct; wait 2s; bob rings; alice hangs up; wait 1s; bob is free",
        expect![[r#"
            wire
              3.000  alice -> cp     INVITE (SDP)
              3.001     cp -> alice  100 INVITE
              3.002     cp -> bob    INVITE (SDP)
              3.003    bob -> cp     100 INVITE
              3.003    bob -> cp     180 INVITE
              3.005     cp -> alice  180 INVITE
              5.000  alice -> cp     CANCEL
              5.001     cp -> alice  200 CANCEL
              5.002     cp -> alice  487 INVITE
              5.002     cp -> bob    CANCEL
              5.003  alice -> cp     ACK
              5.003    bob -> cp     200 CANCEL
              5.003    bob -> cp     487 INVITE
              5.004     cp -> bob    ACK
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              5.001 call 1 alice ended: abandoned
              5.001 call 1 bob ended: abandoned
              5.001 call 1 ended: abandoned by alice
        "#]],
    );
}

#[test]
fn a_colleague_who_gives_up_stops_the_ringing() {
    holds(
        "phones bob eve; eve never answers; call bob -> 1002; wait 2s; eve rings; bob hangs up; wait 1s; eve is free",
    );
}

#[test]
fn busy_declined_and_no_answer_reach_the_caller() {
    holds("phones alice bob; bob rejects 486; call alice -> bob-direct; wait 2s; alice got 486");
    holds("phones alice bob; bob rejects 603; call alice -> bob-direct; wait 2s; alice got 603");
    holds(
        "phones alice bob; bob never answers; call alice -> bob-direct; wait 40s; alice got 480; bob is free",
    );
    holds("phones alice bob; bob is silent; call alice -> bob-direct; wait 40s; alice got 480");
}

#[test]
fn unknown_numbers_and_phones_that_are_not_there() {
    holds("phones alice; call alice -> nowhere; wait 1s; alice got 404");
    holds("phones alice; call alice -> bob-direct; wait 1s; alice got 480");
    holds("phones alice; call alice -> busy; wait 1s; alice got 486");
    // A trunk reaches public numbers only, never extensions.
    holds("phones alice bob; call alice -> 1001; wait 1s; alice got 404");
}

#[test]
fn a_stranger_and_the_neighbour_get_nothing() {
    holds("phones stranger bob; call stranger -> queue; wait 2s; stranger got 401");
    // Who does not know the password neither registers nor calls.
    holds(
        "phones alice thief; call alice -> bob-direct; wait 2s; alice got 480; thief is free; call thief -> queue; wait 2s; thief got 403",
    );
    // The neighbour's 1001 is the neighbour; ours stays quiet.
    holds("phones zed bob; call zed -> bob-direct; wait 2s; zed got 404; bob is free");
}

#[test]
fn a_number_outside_goes_by_the_trunk() {
    check(
        "phones kim far; call kim -> +4930123456; wait 2s; kim and far talk; far hangs up; wait 1s; kim is free",
        expect![[r#"
            log
              3.003 call 1 started kim -> +4930123456
              3.003 call 1 leg kim Customer
              3.003 call 1 leg +4930123456 Party
              3.005 call 1 +4930123456 rings
              3.805 call 1 +4930123456 answered
              3.805 call 1 kim answered
              3.805 call 1 bridged kim, +4930123456
              5.001 call 1 +4930123456 ended: hung_up
              5.001 call 1 kim ended: hung_up
              5.001 call 1 ended: hung_up by +4930123456
        "#]],
    );
    // Numbers of emergency services never leave a test.
    holds("phones kim far; call kim -> 112; wait 1s; kim is free; far is free");
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    check(
        "with ladder; phones alice bob; call alice -> queue without sdp; wait 3s; alice and bob talk; bob hangs up; wait 1s; alice is free",
        expect![[r#"
            wire
              3.000  alice -> cp     INVITE
              3.001     cp -> alice  100 INVITE
              3.002     cp -> alice  200 INVITE (SDP)
              3.002     cp -> bob    INVITE (SDP)
              3.003  alice -> cp     ACK (SDP)
              3.003    bob -> cp     100 INVITE
              3.003    bob -> cp     180 INVITE
              3.803    bob -> cp     200 INVITE (SDP)
              3.805     cp -> bob    ACK
              6.000    bob -> cp     BYE
              6.002     cp -> bob    200 BYE
              6.002     cp -> alice  BYE
              6.003  alice -> cp     200 BYE
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
              6.001 call 1 bob ended: hung_up
              6.001 call 1 alice ended: hung_up
              6.001 call 1 ended: hung_up by bob
              6.001 call 1 bob wraps up
        "#]],
    );
}

#[test]
fn early_media_is_heard_before_the_answer() {
    check(
        "with ladder; phones kim far; far sends audio and answers after 2s; call kim -> +4930123456; wait 1s; kim hears only far; wait 3s; kim and far talk; kim hangs up; wait 1s",
        expect![[r#"
            wire
              3.000    kim -> cp     INVITE (SDP)
              3.001     cp -> kim    401 INVITE
              3.002    kim -> cp     ACK
              3.002    kim -> cp     INVITE (SDP)
              3.003     cp -> kim    100 INVITE
              3.003     cp -> far    INVITE (SDP)
              3.004    far -> cp     100 INVITE
              3.004    far -> cp     183 INVITE (SDP)
              3.006     cp -> far    PRACK
              3.006     cp -> kim    183 INVITE (SDP)
              3.007    far -> cp     200 PRACK
              3.007    kim -> cp     PRACK
              3.008     cp -> kim    200 PRACK
              5.004    far -> cp     200 INVITE
              5.006     cp -> far    ACK
              5.006     cp -> kim    200 INVITE
              5.007    kim -> cp     ACK
              7.000    kim -> cp     BYE
              7.002     cp -> kim    200 BYE
              7.002     cp -> far    BYE
              7.003    far -> cp     200 BYE
            log
              3.003 call 1 started kim -> +4930123456
              3.003 call 1 leg kim Customer
              3.003 call 1 leg +4930123456 Party
              3.005 call 1 +4930123456 rings with audio
              5.005 call 1 +4930123456 answered
              5.005 call 1 kim answered
              5.005 call 1 bridged kim, +4930123456
              7.001 call 1 kim ended: hung_up
              7.001 call 1 +4930123456 ended: hung_up
              7.001 call 1 ended: hung_up by kim
        "#]],
    );
}

#[test]
fn a_phone_puts_the_other_on_hold() {
    talking(
        "alice holds; wait 1s; bob hears nobody; bob hears music; alice resumes; wait 1s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.001 call 1 alice holds
              7.001 call 1 alice resumes
        "#]],
    );
}

#[test]
fn two_phones_of_one_person_ring_and_one_wins() {
    check(
        "with ladder; phones alice bob bob2; bob answers after 900ms; bob2 answers after 900ms; call alice -> bob-direct; wait 5s; alice hangs up; wait 2s; bob is free; bob2 is free",
        expect![[r#"
            wire
              3.000  alice -> cp     INVITE (SDP)
              3.001     cp -> alice  100 INVITE
              3.002     cp -> bob2   INVITE (SDP)
              3.002     cp -> bob    INVITE (SDP)
              3.003   bob2 -> cp     100 INVITE
              3.003   bob2 -> cp     180 INVITE
              3.003    bob -> cp     100 INVITE
              3.003    bob -> cp     180 INVITE
              3.005     cp -> alice  180 INVITE
              3.903   bob2 -> cp     200 INVITE (SDP)
              3.903    bob -> cp     200 INVITE (SDP)
              3.905     cp -> bob2   ACK
              3.905     cp -> bob    CANCEL
              3.905     cp -> alice  200 INVITE (SDP)
              3.905     cp -> bob    ACK
              3.905     cp -> bob    BYE
              3.906    bob -> cp     200 CANCEL
              3.906  alice -> cp     ACK
              3.906    bob -> cp     200 BYE
              8.000  alice -> cp     BYE
              8.002     cp -> alice  200 BYE
              8.002     cp -> bob2   BYE
              8.003   bob2 -> cp     200 BYE
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.004 call 1 bob rings
              3.904 call 1 bob answered
              3.904 call 1 alice answered
              3.904 call 1 bridged alice, bob
              8.001 call 1 alice ended: hung_up
              8.001 call 1 bob ended: hung_up
              8.001 call 1 ended: hung_up by alice
        "#]],
    );
}

#[test]
fn menus_take_digits_and_time_out() {
    check(
        "phones alice bob; call alice -> menu; wait 500ms; alice presses 2; wait 3s; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> menu
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 alice hears speech
              3.500 call 1 alice pressed 2
              3.500 call 1 alice prompt over cut
              3.500 call 1 leg bob Agent
              3.503 call 1 bob rings
              4.303 call 1 bob answered
              4.303 call 1 bridged alice, bob
        "#]],
    );
    check(
        "phones alice bob; call alice -> menu; wait 15s; alice is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> menu
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 alice hears speech
              4.501 call 1 alice prompt over
              8.501 call 1 alice hears speech
             10.001 call 1 alice prompt over
             10.001 call 1 alice ended: released
             10.001 call 1 ended: released
        "#]],
    );
    // A digit that means nothing takes the fall-back as well.
    holds("phones alice bob; call alice -> menu; wait 1s; alice presses 9; wait 3s; alice is free");
}

#[test]
fn announcements_end_the_call() {
    check(
        "phones alice; call alice -> announce; wait 5s; alice is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> announce
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 alice hears speech
              4.501 call 1 alice prompt over
              4.501 call 1 alice ended: released
              4.501 call 1 ended: released
        "#]],
    );
}

#[test]
fn an_echo_is_oneself() {
    holds("phones alice; call alice -> echo; wait 1s; alice is in call");
}

#[test]
fn prompts_can_be_cut_and_do_not_lose_the_caller() {
    // The greeting is cut by a digit; the place in line is taken all the same.
    check(
        "phones alice bob; call alice -> greeted; wait 500ms; alice presses 1; wait 500ms; alice hears music",
        expect![[r#"
            log
              3.001 call 1 started alice -> greeted
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 alice hears speech
              3.500 call 1 alice pressed 1
              3.500 call 1 alice prompt over cut
              3.500 call 1 queued in greeted at 1
        "#]],
    );
    // A prompt played by a program in the middle of the greeting does not throw the caller out.
    check(
        "phones alice bob; call alice -> greeted; wait 500ms; system: record; system on alice: play something else; wait 500ms; system on alice: play again; wait 5s; alice hears music; system: stop recording",
        expect![[r#"
            log
              3.001 call 1 started alice -> greeted
              3.001 call 1 leg alice Customer
              3.001 call 1 alice answered
              3.001 call 1 alice hears speech
              3.500 call 1 recording alice
              3.550 call 1 alice prompt over cut
              3.550 call 1 alice hears speech
              4.100 call 1 alice prompt over cut
              4.100 call 1 alice hears speech
              5.600 call 1 alice prompt over
              5.600 call 1 queued in greeted at 1
              9.151 call 1 recording over
        "#]],
    );
}

#[test]
fn digits_prompts_and_recording_by_command() {
    talking(
        "bob: record; bob: record = conflict; bob: pause; bob: go on; bob: stop recording; wait 1s; bob: stop recording = conflict; bob: pause = conflict; bob: send 12#; bob: send x = bad_request; bob: play hello; wait 100ms; bob: stop playing; bob: mute; alice hears nobody; bob hears only alice; bob: unmute; alice and bob talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 recording alice, bob
              6.100 call 1 recording paused
              6.150 call 1 recording goes on
              6.201 call 1 recording over
              7.450 call 1 bob hears speech
              7.600 call 1 bob prompt over cut
              7.650 call 1 bob muted
              7.700 call 1 bob unmuted
        "#]],
    );
}

#[test]
fn click_to_call_rings_the_own_phone_first() {
    check(
        "phones bob eve far; bob: dial 1002; wait 5s; bob and eve talk; eve hangs up; wait 1s; bob is free; bob: dial nowhere = not_found; bob: dial 1003 = no_agent; eve: dial +4930123456; wait 5s; eve and far talk",
        expect![[r#"
            log
              3.000 call 1 started 1001 -> 1002
              3.000 call 1 leg bob Agent
              3.003 call 1 bob rings
              3.803 call 1 bob answered
              3.803 call 1 leg eve Party
              3.806 call 1 eve rings
              4.606 call 1 eve answered
              4.606 call 1 bridged bob, eve
              8.051 call 1 eve ended: hung_up
              8.051 call 1 bob ended: hung_up
              8.051 call 1 ended: hung_up by eve
              9.150 call 2 started 1002 -> +4930123456
              9.150 call 2 leg eve.2 Agent
              9.153 call 2 eve.2 rings
              9.953 call 2 eve.2 answered
              9.953 call 2 leg +4930123456 Customer
              9.955 call 2 +4930123456 rings
             10.755 call 2 +4930123456 answered
             10.755 call 2 bridged eve.2, +4930123456
        "#]],
    );
    holds("phones bob eve; eve: dial 1001; bob rejects 486; wait 5s; eve is free");
    holds("phones bob eve; bob never answers; bob: dial 1002; wait 60s; bob is free; eve is free");
    holds("phones eve; bob: dial 1002 = agent_state");
}

#[test]
fn a_call_by_a_program_is_led_to_a_queue() {
    check(
        "phones kim bob; system: originate kim to support; wait 5s; kim and bob talk; kim hangs up; wait 8s",
        expect![[r#"
            log
              3.000 call 1 started anonymous -> kim
              3.000 call 1 leg kim Customer
              3.003 call 1 kim rings
              3.803 call 1 kim answered
              3.803 call 1 queued in support at 1
              3.803 call 1 offered to bob
              3.803 call 1 leg bob Agent
              3.806 call 1 bob rings
              4.606 call 1 bob answered
              4.606 call 1 offer to bob: Accepted
              4.606 call 1 left support: Answered after 803 ms
              4.606 call 1 bridged kim, bob
              8.051 call 1 kim ended: hung_up
              8.051 call 1 bob ended: hung_up
              8.051 call 1 ended: hung_up by kim
              8.051 call 1 bob wraps up
             13.051 call 1 bob done by timer
        "#]],
    );
    holds(
        "phones kim bob; kim rejects 486; system: originate kim to support; wait 5s; bob is free",
    );
}

#[test]
fn commands_that_come_too_late_or_from_the_wrong_people() {
    holds(&format!(
        "{TALK} bob: hold; bob: resume; alice hangs up; wait 1s; bob: hold = interaction_ended; bob: pause = interaction_ended; wait 30s; bob: hold = interaction_ended; bob: pause = interaction_ended"
    ));
    holds(&format!(
        "{TALK} eve on bob: hold = forbidden; eve on bob: pause = forbidden; zed on bob: hold = not_found; zed on bob: hang up = not_found; system on bob: hold; bob: resume"
    ));
}
