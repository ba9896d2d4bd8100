//! The global state of related calls (S1.3): a function of the separate statuses, never set by hand.

use crate::state::{LegStatus, State};
use cp_vocab::event::{CallStatus, LegRole, RelatedCall, SharedState};

/// The related calls of the interaction as clients see them: caller first; the user's own
/// consultation is listed apart and does not share the UCI (rule 3).
pub fn calls(state: &State) -> Vec<RelatedCall> {
    let caller = state.legs.first().map(|l| l.id);
    let mut calls = Vec::new();
    for l in state.legs.iter().skip(1) {
        if matches!(l.role, LegRole::Supervisor) {
            continue;
        }
        let consulted = l.role == LegRole::Consulted;
        let other = if consulted { l.cause } else { caller };
        calls.push(RelatedCall {
            legs: other.into_iter().chain([l.id]).collect(),
            status: l.call_status(),
            shared: !consulted,
        });
    }
    if let (Some(op), Some(caller)) = (&state.op, caller)
        && op.slot.is_some()
    {
        // The call between the caller and the park service has no leg of its own on the far side.
        calls.push(RelatedCall {
            legs: vec![caller],
            status: CallStatus::Connected,
            shared: true,
        });
    }
    calls
}

/// The global state, computed.
pub fn global(state: &State) -> SharedState {
    if state.ended.is_some()
        || (state.started && state.live_legs().next().is_none() && !state.legs.is_empty())
    {
        return SharedState::Ended;
    }
    let Some(op) = &state.op else {
        return SharedState::Single;
    };
    let user_lives = state.leg(op.user).is_some_and(|l| l.is_live());
    let second = if op.slot.is_some() {
        Some(LegStatus::Answered)
    } else {
        op.second.and_then(|s| state.leg(s)).map(|l| l.status)
    };
    let revival = op.revival.and_then(|s| state.leg(s)).map(|l| l.status);
    match revival {
        Some(LegStatus::Answered) => return SharedState::Single,
        Some(LegStatus::Dialing | LegStatus::Ringing) => return SharedState::RevivalPending,
        _ => {}
    }
    match (second, user_lives) {
        (None | Some(LegStatus::Dialing | LegStatus::Ringing), true) => SharedState::Pending,
        (None | Some(LegStatus::Dialing | LegStatus::Ringing), false) => SharedState::OriginalEnded,
        (Some(LegStatus::Answered), true) => SharedState::SuccessPending,
        (Some(LegStatus::Answered), false) => SharedState::Succeeded,
        (Some(LegStatus::Ended(_)), true) => SharedState::Single,
        // After a success the third party simply hung up; before it, the operation failed.
        (Some(LegStatus::Ended(_)), false) => match state.shared {
            SharedState::Succeeded | SharedState::Ended => SharedState::Succeeded,
            _ => SharedState::RevivalPending,
        },
    }
}
