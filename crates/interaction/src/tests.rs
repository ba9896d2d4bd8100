//! Who hears whom, what plays, and the shared state: tables over states made by hand from events,
//! as a log would tell them.

use crate::shared;
use crate::state::State;
use crate::topology::{Ambient, Path, ambient, mix_of, mix_of_conference, path};
use cp_vocab::command::SuperviseMode;
use cp_vocab::event::*;
use cp_vocab::media::{Hears, Tone};
use cp_vocab::*;

fn leg(n: u128) -> LegId {
    LegId::from_u128(n)
}
const A: u128 = 1;
const B: u128 = 2;
const C: u128 = 3;
const S: u128 = 9;

fn room() -> ConferenceId {
    ConferenceId::from_u128(77)
}

fn added(n: u128, role: LegRole, direction: Direction, cause: Option<u128>) -> Event {
    Event::LegAdded {
        leg: leg(n),
        role,
        direction,
        endpoint: Endpoint::Uri,
        address: Pii(Address::Extension(n.to_string())),
        agent: (role != LegRole::Customer).then(|| AgentId::from_u128(n)),
        call_id: String::new(),
        cause: cause.map(leg),
    }
}
fn answered(n: u128) -> Event {
    Event::LegAnswered {
        leg: leg(n),
        codec: None,
        secure: false,
        dialog: None,
    }
}
fn ended(n: u128) -> Event {
    Event::LegEnded {
        leg: leg(n),
        reason: EndReason::HungUp,
        detail: None,
    }
}
fn held(n: u128, by_far_end: bool) -> Event {
    Event::LegHeld {
        leg: leg(n),
        by_far_end,
    }
}
fn supervises(mode: SuperviseMode) -> [Event; 3] {
    [
        added(S, LegRole::Supervisor, Direction::Outbound, None),
        answered(S),
        Event::SuperviseStarted { leg: leg(S), mode },
    ]
}
fn rings(n: u128, early_media: bool) -> Event {
    Event::LegRinging {
        leg: leg(n),
        early_media,
        dialog: None,
    }
}

/// A caller A, an agent B, in conversation.
fn talk() -> Vec<Event> {
    vec![
        Event::Started {
            direction: Direction::Inbound,
            from: Pii(Address::Anonymous),
            from_name: None,
            to: Pii(Address::Anonymous),
            uci: Uci::from_u128(5),
            number: None,
            trunk: None,
        },
        added(A, LegRole::Customer, Direction::Inbound, None),
        answered(A),
        added(B, LegRole::Agent, Direction::Outbound, Some(A)),
        answered(B),
        Event::Bridged {
            legs: vec![leg(A), leg(B)],
        },
    ]
}

fn consult(up: bool) -> Vec<Event> {
    let mut events = vec![
        added(C, LegRole::Consulted, Direction::Outbound, Some(B)),
        Event::ConsultStarted {
            by: leg(B),
            leg: leg(C),
        },
    ];
    if up {
        events.push(answered(C));
    }
    events
}

fn state(events: impl IntoIterator<Item = Event>) -> State {
    let mut s = State::new(InteractionId::from_u128(1), TenantId::from_u128(1));
    for e in events {
        s.apply(&e, Timestamp::from_secs(1));
    }
    s
}

fn after_talk(events: impl IntoIterator<Item = Event>) -> State {
    state(talk().into_iter().chain(events))
}

fn of(s: &State, n: u128) -> (Path, Ambient) {
    let l = s.leg(leg(n)).unwrap();
    (path(s, l), ambient(s, l))
}

fn hears(legs: &[u128]) -> Path {
    Path {
        hears: Hears {
            mix: None,
            legs: legs.iter().map(|n| leg(*n)).collect(),
        },
        speaks: None,
    }
}
fn mixed(mix: MixId, beside: &[u128]) -> Path {
    Path {
        hears: Hears {
            mix: Some(mix),
            legs: beside.iter().map(|n| leg(*n)).collect(),
        },
        speaks: Some(mix),
    }
}

const QUIET: Ambient = Ambient::None;
const MUSIC: Ambient = Ambient::Music;
const RINGBACK: Ambient = Ambient::Tone(Tone::Ringback);

#[test]
fn two_talk_hold_and_are_muted() {
    type Row = (&'static str, Vec<Event>, (Path, Ambient), (Path, Ambient));
    let nobody = hears(&[]);
    let table: Vec<Row> = vec![
        ("talk", vec![], (hears(&[B]), QUIET), (hears(&[A]), QUIET)),
        (
            "the agent holds the caller",
            vec![held(A, false)],
            (nobody.clone(), MUSIC),
            (nobody.clone(), QUIET),
        ),
        (
            "the caller's phone holds",
            vec![held(A, true)],
            (nobody.clone(), QUIET),
            (nobody.clone(), MUSIC),
        ),
        (
            "resumed",
            vec![
                held(A, false),
                Event::LegResumed {
                    leg: leg(A),
                    by_far_end: false,
                },
            ],
            (hears(&[B]), QUIET),
            (hears(&[A]), QUIET),
        ),
        (
            "a consultation that rings",
            consult(false),
            (nobody.clone(), MUSIC),
            (nobody.clone(), RINGBACK),
        ),
        (
            "a consultation that is up",
            consult(true),
            (nobody.clone(), MUSIC),
            (hears(&[C]), QUIET),
        ),
        (
            "muted is for the worker alone",
            vec![Event::LegMuted {
                leg: leg(A),
                muted: true,
            }],
            (hears(&[B]), QUIET),
            (hears(&[A]), QUIET),
        ),
        (
            "parked",
            vec![Event::Parked {
                leg: leg(A),
                slot: "701".into(),
                by: Some(leg(B)),
            }],
            (nobody.clone(), MUSIC),
            (nobody.clone(), QUIET),
        ),
    ];
    for (name, events, caller, agent) in table {
        let s = after_talk(events);
        assert_eq!(of(&s, A), caller, "{name}: the caller");
        assert_eq!(of(&s, B), agent, "{name}: the agent");
    }
}

#[test]
fn supervisors_hear_and_are_heard_as_they_should() {
    let mix = mix_of(InteractionId::from_u128(1));
    let table = [
        (
            SuperviseMode::Listen,
            hears(&[B]),
            hears(&[A]),
            hears(&[A, B]),
        ),
        (
            SuperviseMode::Whisper,
            hears(&[B]),
            hears(&[A, S]),
            hears(&[A, B]),
        ),
        (
            SuperviseMode::Barge,
            mixed(mix, &[]),
            mixed(mix, &[]),
            mixed(mix, &[]),
        ),
    ];
    for (mode, caller, agent, supervisor) in table {
        let s = after_talk(supervises(mode));
        assert_eq!(of(&s, A), (caller, QUIET), "{mode:?}: the caller");
        assert_eq!(of(&s, B), (agent, QUIET), "{mode:?}: the agent");
        assert_eq!(of(&s, S), (supervisor, QUIET), "{mode:?}: the supervisor");
    }
    let took = Event::TakenOver {
        by: leg(S),
        from: leg(B),
    };
    let s = after_talk(
        supervises(SuperviseMode::Listen)
            .into_iter()
            .chain([took, ended(B)]),
    );
    assert_eq!(of(&s, A).0, hears(&[S]));
    assert_eq!(of(&s, S).0, hears(&[A]));
}

#[test]
fn three_share_a_mix_and_rooms_are_shared_between_calls() {
    let mix = mix_of(InteractionId::from_u128(1));
    let merged = Event::Merged {
        legs: vec![leg(A), leg(B), leg(C)],
    };
    let s = after_talk(consult(true).into_iter().chain([merged.clone()]));
    for n in [A, B, C] {
        assert_eq!(of(&s, n), (mixed(mix, &[]), QUIET));
    }
    // A listener takes the mix and gives nothing to it.
    let s = after_talk(
        consult(true)
            .into_iter()
            .chain([merged])
            .chain(supervises(SuperviseMode::Listen)),
    );
    let listener = of(&s, S).0;
    assert_eq!((listener.hears.mix, listener.speaks), (Some(mix), None));
    let joined = Event::ConferenceJoined {
        conference: room(),
        leg: leg(A),
        members: 1,
    };
    let s = after_talk([joined]);
    assert_eq!(of(&s, A), (mixed(mix_of_conference(room()), &[]), QUIET));
}

#[test]
fn before_the_answer() {
    let calls = |events: Vec<Event>| state(talk().into_iter().take(2).chain(events));
    let target = || added(C, LegRole::Party, Direction::Outbound, Some(A));
    // A caller we have not answered hears the ringing of its own network, or the far early media.
    let s = calls(vec![target(), rings(C, false)]);
    assert_eq!(of(&s, A), (hears(&[]), QUIET));
    let s = calls(vec![target(), rings(C, true)]);
    assert_eq!(of(&s, A), (hears(&[C]), QUIET));
    // An answered one hears our tone while we ring for it, and the early media instead of it.
    let s = calls(vec![answered(A), target(), rings(C, false)]);
    assert_eq!(of(&s, A), (hears(&[]), RINGBACK));
    let s = calls(vec![answered(A), target(), rings(C, true)]);
    assert_eq!(of(&s, A), (hears(&[C]), QUIET));
    // Who waits in a queue hears music, also while an agent is rung.
    let queued = Event::Queued {
        queue: QueueId::from_u128(1),
        priority: 0,
        position: 1,
        wait_estimate_ms: None,
    };
    let s = calls(vec![answered(A), queued.clone(), target(), rings(C, false)]);
    assert_eq!(of(&s, A), (hears(&[]), MUSIC));
    // So does a colleague who calls the queue.
    let colleague = added(A, LegRole::Agent, Direction::Inbound, None);
    let s = state([colleague, answered(A), queued, target(), rings(C, false)]);
    assert_eq!(of(&s, A), (hears(&[]), MUSIC));
}

#[test]
fn the_shared_state_is_a_function_of_the_calls() {
    use SharedState::*;
    let transfer = || Event::TransferStarted {
        kind_of: TransferKind::Blind,
        by: leg(B),
        to: Pii(String::new()),
    };
    let second = || added(C, LegRole::Agent, Direction::Outbound, Some(B));
    let revival = || added(S, LegRole::Agent, Direction::Outbound, Some(B));
    let parked = || Event::Parked {
        leg: leg(A),
        slot: "701".into(),
        by: Some(leg(B)),
    };
    let table: Vec<(Vec<Event>, SharedState)> = vec![
        (vec![], Single),
        (vec![transfer()], Pending),
        (vec![transfer(), second()], Pending),
        (vec![transfer(), second(), ended(B)], OriginalEnded),
        (vec![transfer(), second(), answered(C)], SuccessPending),
        (vec![transfer(), second(), answered(C), ended(B)], Succeeded),
        (vec![transfer(), second(), ended(C)], Single),
        (
            vec![transfer(), second(), ended(B), ended(C)],
            RevivalPending,
        ),
        (
            vec![transfer(), second(), ended(B), ended(C), revival()],
            RevivalPending,
        ),
        (
            vec![
                transfer(),
                second(),
                ended(B),
                ended(C),
                revival(),
                answered(S),
            ],
            Single,
        ),
        (vec![transfer(), parked()], SuccessPending),
        (vec![transfer(), parked(), ended(B)], Succeeded),
        (vec![transfer(), parked(), ended(B), ended(A)], Ended),
        (vec![ended(A), ended(B)], Ended),
    ];
    for (events, want) in table {
        let told = format!("{events:?}");
        assert_eq!(shared::global(&after_talk(events)), want, "{told}");
    }
}

/// S1.3 rule 3: the call by which the user himself talks to the third party carries no UCI.
#[test]
fn the_users_own_leg_is_told_apart() {
    let s = after_talk(consult(true));
    let calls = shared::calls(&s);
    let own: Vec<&RelatedCall> = calls.iter().filter(|c| !c.shared).collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].legs, [leg(B), leg(C)]);
    // Once it is the caller's it shares.
    let s = after_talk(consult(true).into_iter().chain([Event::TransferStarted {
        kind_of: TransferKind::Attended,
        by: leg(B),
        to: Pii(String::new()),
    }]));
    let calls = shared::calls(&s);
    assert!(calls.iter().all(|c| c.shared));
    assert!(calls.iter().any(|c| c.legs == [leg(A), leg(C)]));
}
