//! The server transaction machines, INVITE and non-INVITE (RFC 3261 17.2, RFC 6026 8.5), as pure
//! state machines: input in, actions out. [`super::Layer`] carries the actions out.

use super::Timers;
use smallvec::SmallVec;
use std::time::Duration;

/// Where a server transaction stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerState {
    /// Nothing sent yet (an INVITE gets its 100 at once, so it is `Proceeding` from the start).
    Trying,
    Proceeding,
    /// INVITE only: a 2xx was sent; the user repeats it, we absorb the INVITE (RFC 6026).
    Accepted,
    Completed,
    /// INVITE only: the ACK to a non-2xx came; we absorb further ones.
    Confirmed,
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerInput {
    /// The same request again.
    Request,
    /// The ACK to a non-2xx final response.
    Ack,
    /// The user answers with this status.
    Respond(u16),
    /// Timer G.
    Retransmit,
    /// Timer H, I, J or L.
    Deadline,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerAction {
    /// Transmit the latest response (again).
    Send,
    ArmRetransmit(Duration),
    StopRetransmit,
    ArmDeadline(Duration),
    /// The response is no longer needed.
    ForgetResponse,
    Done,
}

pub type ServerActions = SmallVec<[ServerAction; 4]>;

/// One server transaction.
#[derive(Clone, Debug)]
pub struct ServerMachine {
    pub invite: bool,
    pub reliable: bool,
    pub state: ServerState,
    /// How long a finished non-INVITE transaction absorbs repetitions (Timer J).
    linger: Duration,
    interval: Duration,
}

impl ServerMachine {
    /// `linger` is Timer J for unreliable transports, usually 64*T1.
    pub fn new(invite: bool, reliable: bool, linger: Duration) -> Self {
        Self {
            invite,
            reliable,
            state: if invite {
                ServerState::Proceeding
            } else {
                ServerState::Trying
            },
            linger,
            interval: Duration::ZERO,
        }
    }

    pub fn handle(&mut self, input: ServerInput, t: &Timers) -> ServerActions {
        use ServerAction as A;
        use ServerState as S;
        let mut out = ServerActions::new();
        match (input, self.state) {
            (ServerInput::Request, S::Proceeding | S::Completed) => out.push(A::Send),
            (ServerInput::Respond(status), S::Trying | S::Proceeding) => {
                self.respond(status, t, &mut out);
            }
            // The user repeats its 2xx until the ACK comes.
            (ServerInput::Respond(200..300), S::Accepted) => out.push(A::Send),
            (ServerInput::Ack, S::Completed) if self.invite => {
                out.extend([A::StopRetransmit, A::ForgetResponse]);
                self.finish(S::Confirmed, t.t4, &mut out);
            }
            (ServerInput::Retransmit, S::Completed) if self.invite => {
                self.interval = (self.interval * 2).min(t.t2);
                out.extend([A::Send, A::ArmRetransmit(self.interval)]);
            }
            (ServerInput::Deadline, S::Accepted | S::Completed | S::Confirmed) => {
                self.state = S::Terminated;
                out.extend([A::StopRetransmit, A::Done]);
            }
            _ => {}
        }
        out
    }

    fn respond(&mut self, status: u16, t: &Timers, out: &mut ServerActions) {
        use ServerAction as A;
        out.push(A::Send);
        match (self.invite, status) {
            (_, ..200) => self.state = ServerState::Proceeding,
            (true, 200..300) => {
                self.state = ServerState::Accepted;
                // Timer L (RFC 6026 7.1); the user keeps the 2xx.
                out.extend([A::ForgetResponse, A::ArmDeadline(t.t1 * 64)]);
            }
            (true, _) => {
                self.state = ServerState::Completed;
                self.interval = t.t1;
                if !self.reliable {
                    out.push(A::ArmRetransmit(t.t1));
                }
                // Timer H.
                out.push(A::ArmDeadline(t.t1 * 64));
            }
            (false, _) => self.finish(ServerState::Completed, self.linger, out),
        }
    }

    /// Timer I or J; reliable transports repeat nothing, so there is nothing to absorb.
    fn finish(&mut self, state: ServerState, linger: Duration, out: &mut ServerActions) {
        if self.reliable {
            self.state = ServerState::Terminated;
            out.push(ServerAction::Done);
        } else {
            self.state = state;
            out.push(ServerAction::ArmDeadline(linger));
        }
    }
}
