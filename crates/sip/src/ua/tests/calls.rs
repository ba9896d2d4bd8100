//! Calls: set-up, ends, races.

use super::world::*;
use crate::ua::*;
use std::time::Duration;

#[test]
fn a_call_is_made_answered_and_ended_by_the_callee() {
    let mut w = World::new(1, 2);
    let (a, b) = w.established(|_| {});
    w.run_ms(100);
    w.with_ua(B, |ua, now| {
        ua.hang_up(now, b, Some("Q.850;cause=16".into()))
    });
    w.run_ms(100);
    assert_eq!(
        w.lines(),
        [
            "0>1 INVITE",
            "1>0 100 INVITE",
            "1>0 200 INVITE",
            "0>1 ACK",
            "1>0 BYE",
            "0>1 200 BYE"
        ]
    );
    assert_eq!(w.events(A), ["Answered", "Ended Bye"]);
    assert_eq!(w.events(B), ["Incoming", "Confirmed"]);
    assert_eq!((w.ends(A, a), w.ends(B, b)), (1, 0));
    w.assert_empty();
}
