use crate::play;
use expect_test::{Expect, expect};

fn check(text: &str, story: Expect) {
    story.assert_eq(&play(text));
}

#[test]
fn a_call_through_a_queue() {
    check(
        "with ladder; phones alice bob; call alice -> queue; wait 3s; alice and bob talk; alice hangs up; wait 10s",
        expect![[r#"
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
              6.001     cp -> alice  200 BYE
              6.001     cp -> bob    BYE
              6.002    bob -> cp     200 BYE
            --
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
