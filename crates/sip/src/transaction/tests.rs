//! The machines alone, step by step.

use super::Timers;
use super::client::{ClientAction as C, ClientInput as Ci, ClientMachine, ClientState};
use super::server::{ServerAction as S, ServerInput as Si, ServerMachine, ServerState};
use std::time::Duration;

fn t() -> Timers {
    Timers::default()
}
fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn invite_client_over_udp() {
    let mut m = ClientMachine::new(true, false);
    assert_eq!(
        m.start(&t())[..],
        [
            C::Send,
            C::ArmRetransmit(ms(500)),
            C::ArmDeadline(ms(32_000))
        ]
    );
    for wait in [1_000, 2_000, 4_000, 8_000, 16_000] {
        assert_eq!(
            m.handle(Ci::Retransmit, &t())[..],
            [C::Send, C::ArmRetransmit(ms(wait))]
        );
    }
    // Timer C from here (16.6 step 11); each provisional response restarts it.
    for _ in 0..2 {
        assert_eq!(
            m.handle(Ci::Response(180), &t())[..],
            [C::StopRetransmit, C::Deliver, C::ArmDeadline(t().timer_c)]
        );
    }
    assert!(m.handle(Ci::Retransmit, &t()).is_empty());
    assert_eq!(
        m.handle(Ci::Deadline, &t())[..],
        [C::TimerC, C::ArmDeadline(ms(32_000))]
    );
    assert_eq!(
        m.handle(Ci::Response(486), &t())[..],
        [
            C::StopRetransmit,
            C::Ack,
            C::Deliver,
            C::ArmDeadline(ms(32_000))
        ]
    );
    assert_eq!(m.handle(Ci::Response(486), &t())[..], [C::Ack]);
    assert!(m.handle(Ci::Response(200), &t()).is_empty());
    assert!(m.handle(Ci::TransportError, &t()).is_empty());
    assert_eq!(m.handle(Ci::Deadline, &t())[..], [C::Done]);
    assert_eq!(m.state, ClientState::Terminated);
}

#[test]
fn invite_client_hands_on_every_2xx() {
    let mut m = ClientMachine::new(true, true);
    assert_eq!(m.start(&t())[..], [C::Send, C::ArmDeadline(ms(32_000))]);
    assert_eq!(
        m.handle(Ci::Response(200), &t())[..],
        [C::StopRetransmit, C::Deliver, C::ArmDeadline(ms(32_000))]
    );
    assert_eq!(m.handle(Ci::Response(200), &t())[..], [C::Deliver]);
    // A late refusal of another fork changes nothing (RFC 6026 8.4).
    assert!(m.handle(Ci::Response(486), &t()).is_empty());
    assert_eq!(m.handle(Ci::Deadline, &t())[..], [C::Done]);
}

#[test]
fn invite_client_ends_without_a_final_response() {
    let mut m = ClientMachine::new(true, false);
    m.start(&t());
    assert_eq!(
        m.handle(Ci::Deadline, &t())[..],
        [C::StopRetransmit, C::Timeout, C::Done]
    );
    let mut m = ClientMachine::new(true, false);
    m.start(&t());
    m.handle(Ci::Response(100), &t());
    assert_eq!(
        m.handle(Ci::Cancelled, &t())[..],
        [C::ArmDeadline(ms(32_000))]
    );
    // A provisional response after the CANCEL does not prolong it (9.1).
    assert_eq!(
        m.handle(Ci::Response(180), &t())[..],
        [C::StopRetransmit, C::Deliver]
    );
    assert_eq!(
        m.handle(Ci::Deadline, &t())[..],
        [C::StopRetransmit, C::Timeout, C::Done]
    );
    let mut m = ClientMachine::new(true, true);
    m.start(&t());
    assert_eq!(
        m.handle(Ci::TransportError, &t())[..],
        [C::StopRetransmit, C::TransportError, C::Done]
    );
}

#[test]
fn other_client_over_udp_and_tcp() {
    let mut m = ClientMachine::new(false, false);
    m.start(&t());
    for wait in [1_000, 2_000, 4_000, 4_000] {
        assert_eq!(
            m.handle(Ci::Retransmit, &t())[..],
            [C::Send, C::ArmRetransmit(ms(wait))]
        );
    }
    assert_eq!(m.handle(Ci::Response(100), &t())[..], [C::Deliver]);
    assert_eq!(
        m.handle(Ci::Retransmit, &t())[..],
        [C::Send, C::ArmRetransmit(ms(4_000))]
    );
    assert_eq!(
        m.handle(Ci::Response(200), &t())[..],
        [C::StopRetransmit, C::Deliver, C::ArmDeadline(ms(5_000))]
    );
    assert!(m.handle(Ci::Response(200), &t()).is_empty());
    assert_eq!(m.handle(Ci::Deadline, &t())[..], [C::Done]);
    let mut m = ClientMachine::new(false, true);
    assert_eq!(m.start(&t())[..], [C::Send, C::ArmDeadline(ms(32_000))]);
    assert_eq!(
        m.handle(Ci::Response(404), &t())[..],
        [C::StopRetransmit, C::Deliver, C::Done]
    );
    assert!(m.handle(Ci::Deadline, &t()).is_empty());
}

#[test]
fn invite_server_repeats_a_refusal_until_the_ack() {
    let mut m = ServerMachine::new(true, false, ms(32_000));
    assert_eq!(m.handle(Si::Request, &t())[..], [S::Send]);
    assert_eq!(m.handle(Si::Respond(180), &t())[..], [S::Send]);
    assert_eq!(
        m.handle(Si::Respond(486), &t())[..],
        [
            S::Send,
            S::ArmRetransmit(ms(500)),
            S::ArmDeadline(ms(32_000))
        ]
    );
    for wait in [1_000, 2_000, 4_000, 4_000] {
        assert_eq!(
            m.handle(Si::Retransmit, &t())[..],
            [S::Send, S::ArmRetransmit(ms(wait))]
        );
    }
    assert_eq!(m.handle(Si::Request, &t())[..], [S::Send]);
    assert_eq!(
        m.handle(Si::Ack, &t())[..],
        [
            S::StopRetransmit,
            S::ForgetResponse,
            S::ArmDeadline(ms(5_000))
        ]
    );
    assert!(m.handle(Si::Request, &t()).is_empty());
    assert!(m.handle(Si::Respond(200), &t()).is_empty());
    assert_eq!(
        m.handle(Si::Deadline, &t())[..],
        [S::StopRetransmit, S::Done]
    );
}

#[test]
fn invite_server_absorbs_after_a_2xx() {
    let mut m = ServerMachine::new(true, false, ms(32_000));
    assert_eq!(
        m.handle(Si::Respond(200), &t())[..],
        [S::Send, S::ForgetResponse, S::ArmDeadline(ms(32_000))]
    );
    assert!(m.handle(Si::Request, &t()).is_empty());
    assert!(m.handle(Si::Respond(486), &t()).is_empty());
    assert_eq!(
        m.handle(Si::Deadline, &t())[..],
        [S::StopRetransmit, S::Done]
    );
    assert_eq!(m.state, ServerState::Terminated);
}

#[test]
fn other_server() {
    let mut m = ServerMachine::new(false, false, ms(32_000));
    // Nothing to repeat yet (17.2.2).
    assert!(m.handle(Si::Request, &t()).is_empty());
    assert_eq!(
        m.handle(Si::Respond(200), &t())[..],
        [S::Send, S::ArmDeadline(ms(32_000))]
    );
    assert_eq!(m.handle(Si::Request, &t())[..], [S::Send]);
    assert!(m.handle(Si::Respond(500), &t()).is_empty());
    assert_eq!(
        m.handle(Si::Deadline, &t())[..],
        [S::StopRetransmit, S::Done]
    );
    let mut m = ServerMachine::new(false, true, ms(32_000));
    assert_eq!(m.handle(Si::Respond(200), &t())[..], [S::Send, S::Done]);
}
