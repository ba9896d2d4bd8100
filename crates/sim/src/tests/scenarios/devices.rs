//! A call moves between the devices of one person (S1.6), and stays where it is when that fails.

use super::*;

const TWO: &str =
    "phones alice bob eve desk; call alice -> bob-direct; wait 3s; alice and bob talk;";

fn two(rest: &str, story: Expect) {
    check(&format!("{TWO}{rest}"), story);
}

#[test]
fn pushed_to_the_desk_and_back() {
    two(
        "bob: move to desk; wait 2s; alice and desk talk; bob is free; alice is in call; bob: move to bob; wait 2s; alice and bob talk; desk is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pushed to desk
              6.003 call 1 desk rings
              6.803 call 1 desk answered
              6.803 call 1 bob goes on as desk
              6.803 call 1 bob ended: switched
              8.050 call 1 leg bob.2 Agent
              8.050 call 1 desk pushed to bob.2
              8.053 call 1 bob.2 rings
              8.853 call 1 bob.2 answered
              8.853 call 1 desk goes on as bob.2
              8.853 call 1 desk ended: switched
        "#]],
    );
}

#[test]
fn pulled_by_the_desk_phone_itself() {
    two(
        "call desk -> *75; wait 1s; alice and desk talk; bob is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.003 call 1 leg bob.2 Agent
              6.003 call 1 bob pulled to bob.2
              6.003 call 1 bob.2 answered
              6.003 call 1 bob goes on as bob.2
              6.003 call 1 bob ended: switched
        "#]],
    );
}

#[test]
fn pulled_by_command_for_the_desk_phone() {
    two(
        "bob: fetch at desk; wait 2s; alice and desk talk; bob is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pulled to desk
              6.003 call 1 desk rings
              6.803 call 1 desk answered
              6.803 call 1 bob goes on as desk
              6.803 call 1 bob ended: switched
        "#]],
    );
}

/// The far end's phone gets no message at all while the call moves.
#[test]
fn the_far_end_is_not_asked_anything() {
    let told = play(&format!("with ladder; {TWO} bob: move to desk; wait 2s"));
    let moved = told.split("log").next().expect("the wire").to_string();
    assert!(moved.contains("desk"), "{moved}");
    let begun = moved.find("-> desk").expect("the desk is rung");
    assert!(!moved[begun..].contains("alice"), "{moved}");
}

#[test]
fn the_old_device_keeps_the_call_when_the_new_one_fails() {
    two(
        "desk rejects 486; bob: move to desk; wait 1s; alice and bob talk; desk rejects 603; bob: move to desk; wait 1s; alice and bob talk; desk is silent; bob: move to desk; wait 40s; alice and bob talk; desk is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pushed to desk
              6.003 call 1 desk ended: busy
              6.003 call 1 not moved to desk: busy
              7.050 call 1 leg desk.2 Agent
              7.050 call 1 bob pushed to desk.2
              7.053 call 1 desk.2 ended: declined
              7.053 call 1 not moved to desk.2: declined
              8.100 call 1 leg desk.3 Agent
              8.100 call 1 bob pushed to desk.3
             38.100 call 1 desk.3 ended: no_answer
             38.100 call 1 not moved to desk.3: no_answer
        "#]],
    );
    two(
        "desk never answers; bob: move to desk; wait 5s; desk rings; alice and bob talk; wait 40s; alice and bob talk; desk is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pushed to desk
              6.003 call 1 desk rings
             36.000 call 1 desk ended: no_answer
             36.000 call 1 not moved to desk: no_answer
        "#]],
    );
}

#[test]
fn whoever_hangs_up_while_the_new_device_rings() {
    // The customer goes: nothing rings on.
    two(
        "desk never answers; bob: move to desk; wait 2s; alice hangs up; wait 1s; bob is free; desk is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pushed to desk
              6.003 call 1 desk rings
              8.051 call 1 alice ended: hung_up
              8.051 call 1 bob ended: hung_up
              8.051 call 1 desk ended: hung_up
              8.051 call 1 ended: hung_up by alice
        "#]],
    );
    // The person hangs up the old device: the new one rings on, and gets the call.
    two(
        "desk answers after 3s; bob: move to desk; wait 1s; bob hangs up; wait 1s; alice is in call; alice hears music; wait 3s; alice and desk talk",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pushed to desk
              6.003 call 1 desk rings
              7.051 call 1 bob ended: hung_up
              9.003 call 1 desk answered
              9.003 call 1 bob goes on as desk
        "#]],
    );
    // Then nobody answers there either.
    two(
        "desk never answers; bob: move to desk; wait 1s; bob hangs up; wait 40s; alice is free; desk is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pushed to desk
              6.003 call 1 desk rings
              7.051 call 1 bob ended: hung_up
             36.000 call 1 desk ended: no_answer
             36.000 call 1 not moved to desk: no_answer
             36.000 call 1 alice ended: no_answer
             36.000 call 1 ended: no_answer by desk
        "#]],
    );
    // Both hang up.
    two(
        "desk never answers; bob: move to desk; wait 1s; bob hangs up; alice hangs up; wait 1s; desk is free",
        expect![[r#"
            log
              3.001 call 1 started alice -> bob-direct
              3.001 call 1 leg alice Customer
              3.001 call 1 leg bob Agent
              3.004 call 1 bob rings
              3.804 call 1 bob answered
              3.804 call 1 alice answered
              3.804 call 1 bridged alice, bob
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pushed to desk
              6.003 call 1 desk rings
              7.051 call 1 bob ended: hung_up
              7.051 call 1 alice ended: hung_up
              7.051 call 1 desk ended: hung_up
              7.051 call 1 ended: hung_up by alice
        "#]],
    );
    // A colleague who was called is no customer: the same holds.
    holds(
        "phones bob eve desk; desk never answers; call bob -> 1002; wait 2s; bob and eve talk; bob: move to desk; wait 1s; eve hangs up; wait 1s; bob is free; desk is free",
    );
}

#[test]
fn one_move_at_a_time() {
    holds(&format!(
        "{TWO} desk never answers; bob: move to desk; bob on bob: fetch at desk = conflict; alice and bob talk"
    ));
    // Pushed there, and at the same moment fetched there: one of the two wins, the caller is not lost.
    holds(&format!(
        "{TWO} desk answers after 2s; bob: move to desk; call desk -> *75; wait 4s; alice is in call; alice and desk talk"
    ));
    // Hung up on both sides in the moment of the answer.
    holds(&format!(
        "{TWO} desk answers after 1s; bob: move to desk; wait 998ms; bob hangs up; desk hangs up; wait 2s; alice hangs up; wait 1s; bob is free; desk is free"
    ));
}

#[test]
fn moves_that_are_refused() {
    // Somebody else's device, one that is not there, one that has the call, nothing to fetch.
    holds(&format!(
        "{TWO} bob: move to eve = forbidden; bob: move to loud = agent_state; bob: move to bob = conflict; eve: fetch at eve = leg_state; eve on bob: move to desk = forbidden; alice and bob talk"
    ));
    // A transfer goes on, so the leg does not.
    holds(&format!(
        "{TWO} eve never answers; bob refers to 1002; wait 1s; bob: move to desk = conflict"
    ));
    // Nothing to fetch: the desk is told, and let go.
    holds("phones bob desk; call desk -> *75; wait 1s; desk is in call; wait 3s; desk is free");
}

#[test]
fn what_the_leg_was_the_new_one_is() {
    // On hold, in a consultation, in a conference, muted, supervised, recorded.
    holds(&format!(
        "{TWO} bob: hold; alice hears music; bob: move to desk; wait 2s; alice hears music; desk hears nobody; bob: resume; alice and desk talk"
    ));
    holds(&format!(
        "{TWO} bob: consult 1002; wait 2s; bob and eve talk; bob: move to desk; wait 2s; desk and eve talk; alice hears music; bob: complete; wait 1s; alice and eve talk; desk is free"
    ));
    holds(&format!(
        "{TWO} bob: consult 1002; wait 2s; bob: merge; bob: move to desk; wait 2s; desk hears only alice eve; alice hears only desk eve; bob is free"
    ));
    holds(&format!(
        "{TWO} bob: mute; alice hears nobody; bob: move to desk; wait 2s; alice hears nobody; desk hears only alice; bob: unmute; alice and desk talk"
    ));
    holds(
        "phones alice bob eve sup desk; call alice -> bob-direct; wait 3s; sup: supervises bob whisper; wait 2s; bob: move to desk; wait 2s; desk hears only alice sup; alice hears only desk",
    );
    holds(
        "phones alice bob desk; call alice -> room; call bob -> room; wait 2s; bob: move to desk; wait 2s; alice and desk talk; bob is free",
    );
    holds(
        "phones bob eve desk; call bob -> 1002; wait 2s; bob: record; bob: move to desk; wait 2s; desk and eve talk",
    );
}

#[test]
fn an_agent_of_a_queue_wraps_up_once() {
    check(
        "phones alice bob eve desk; call alice -> queue; wait 3s; alice and bob talk; bob: move to desk; wait 2s; alice and desk talk; alice hangs up; wait 8s",
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
              6.000 call 1 leg desk Agent
              6.000 call 1 bob pushed to desk
              6.003 call 1 desk rings
              6.803 call 1 desk answered
              6.803 call 1 bob goes on as desk
              6.803 call 1 bob ended: switched
              8.051 call 1 alice ended: hung_up
              8.051 call 1 desk ended: hung_up
              8.051 call 1 ended: hung_up by alice
              8.051 call 1 bob wraps up
             13.051 call 1 bob done by timer
        "#]],
    );
}

#[test]
fn the_rules_of_a_queue_forbid_a_loudspeaker() {
    holds(
        "phones alice bob loud; call alice -> queue; wait 3s; alice and bob talk; bob: move to loud = forbidden; bob: fetch at loud = forbidden; alice and bob talk",
    );
    // The phone itself is told why, and the call stays.
    holds(
        "phones alice bob loud; call alice -> queue; wait 3s; call loud -> *75; wait 1s; loud is in call; alice and bob talk; wait 3s; loud is free; alice and bob talk",
    );
    // Calls outside that queue may go there.
    holds(
        "phones alice bob loud; call alice -> bob-direct; wait 3s; bob: move to loud; wait 2s; alice and loud talk",
    );
}

#[test]
fn to_a_mobile_by_its_number_and_back() {
    holds(
        "phones alice bob far; call alice -> bob-direct; wait 3s; bob: move to handy; wait 2s; alice and far talk; bob is free; bob: move to bob; wait 2s; alice and bob talk; far is free",
    );
}

#[test]
fn with_two_calls_the_house_asks_which() {
    // Bob talks to Anna from his second phone at the same time.
    holds(
        "phones alice eve bob desk loud; call alice -> bob-direct; wait 3s; call eve -> loud; wait 3s; call desk -> *75; wait 1s; desk is in call; alice and bob talk; eve and loud talk; wait 3s; desk is free; call desk -> *752; wait 1s; eve and desk talk; loud is free; alice and bob talk",
    );
}

#[test]
fn a_restart_while_a_call_moves() {
    holds(&format!(
        "{TWO} desk never answers; bob: move to desk; wait 1s; restart; wait 2s; alice is free; bob is free"
    ));
}
