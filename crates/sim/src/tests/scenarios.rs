//! What the house promises, operation by operation: the story of the log, and where it matters the
//! ladder on the wire. After every scenario all hang up and the invariants are checked.

use crate::play;
use expect_test::{Expect, expect};

fn check(text: &str, story: Expect) {
    story.assert_eq(&play(text));
}

const TALK: &str =
    "phones alice bob eve dan sup kim; call alice -> bob-direct; wait 3s; alice and bob talk;";
const SERVED: &str =
    "phones alice bob eve dan sup kim; call alice -> queue; wait 3s; alice and bob talk;";

fn talking(rest: &str, story: Expect) {
    check(&format!("{TALK}{rest}"), story);
}

fn served(rest: &str, story: Expect) {
    check(&format!("{SERVED}{rest}"), story);
}

/// Expectations inside the text say all.
fn holds(text: &str) {
    play(text);
}

mod calls;
mod devices;
mod faults;
mod gates;
mod guards;
mod queues;
mod supervision;
mod transfers;
