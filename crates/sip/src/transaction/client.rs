//! The client transaction machines, INVITE and non-INVITE (RFC 3261 17.1, RFC 6026 8.4), as pure
//! state machines: input in, actions out. [`super::Layer`] carries the actions out.

use super::Timers;
use smallvec::SmallVec;
use std::time::Duration;

/// Where a client transaction stands. `Calling` is also the non-INVITE `Trying`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientState {
    Calling,
    Proceeding,
    /// INVITE only: a 2xx came; further 2xx of other forks still reach the user (RFC 6026).
    Accepted,
    Completed,
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientInput {
    /// A response with this status.
    Response(u16),
    /// Timer A or E.
    Retransmit,
    /// Timer B, C, D, F, K or M, whichever the state has running.
    Deadline,
    /// The user sent a CANCEL: no final response within 64*T1 means it is over (RFC 3261 9.1).
    Cancelled,
    TransportError,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientAction {
    /// Transmit the request (again).
    Send,
    /// Transmit the ACK to a non-2xx final response (17.1.1.3).
    Ack,
    /// Hand the response to the user.
    Deliver,
    /// Tell the user that Timer B or F fired.
    Timeout,
    /// Tell the user that Timer C fired: it should cancel.
    TimerC,
    /// Tell the user that the request could not be sent.
    TransportError,
    ArmRetransmit(Duration),
    StopRetransmit,
    ArmDeadline(Duration),
    StopDeadline,
    /// The transaction is over; forget it.
    Done,
}

pub type ClientActions = SmallVec<[ClientAction; 4]>;

/// One client transaction.
#[derive(Clone, Debug)]
pub struct ClientMachine {
    pub invite: bool,
    pub reliable: bool,
    pub state: ClientState,
    /// Current value of Timer A or E.
    interval: Duration,
    /// Timer C fired or the user cancelled: the running deadline is the last one.
    cancelled: bool,
}

impl ClientMachine {
    pub fn new(invite: bool, reliable: bool) -> Self {
        Self {
            invite,
            reliable,
            state: ClientState::Calling,
            interval: Duration::ZERO,
            cancelled: false,
        }
    }

    /// What to do when the transaction starts.
    pub fn start(&mut self, t: &Timers) -> ClientActions {
        let mut out = ClientActions::new();
        self.interval = t.t1;
        out.push(ClientAction::Send);
        if !self.reliable {
            out.push(ClientAction::ArmRetransmit(t.t1));
        }
        out.push(ClientAction::ArmDeadline(t.t1 * 64));
        out
    }

    pub fn handle(&mut self, input: ClientInput, t: &Timers) -> ClientActions {
        match input {
            ClientInput::Response(status) if self.invite => self.invite_response(status, t),
            ClientInput::Response(status) => self.other_response(status, t),
            ClientInput::Retransmit => self.retransmit(t),
            ClientInput::Deadline => self.deadline(t),
            ClientInput::Cancelled => self.cancelled(t),
            ClientInput::TransportError => self.transport_error(),
        }
    }

    fn invite_response(&mut self, status: u16, t: &Timers) -> ClientActions {
        use ClientAction as A;
        use ClientState as S;
        let mut out = ClientActions::new();
        match (self.state, status) {
            (S::Calling | S::Proceeding, ..200) => {
                self.state = S::Proceeding;
                out.extend([A::StopRetransmit, A::Deliver]);
                // Timer C restarts with each provisional response (16.7 step 2), unless cancelled.
                if !self.cancelled {
                    out.push(A::ArmDeadline(t.timer_c));
                }
            }
            (S::Calling | S::Proceeding, 200..300) => {
                self.state = S::Accepted;
                // Timer M (RFC 6026 7.2).
                out.extend([A::StopRetransmit, A::Deliver, A::ArmDeadline(t.t1 * 64)]);
            }
            (S::Calling | S::Proceeding, _) => {
                out.extend([A::StopRetransmit, A::Ack, A::Deliver]);
                self.complete(t.timer_d, &mut out);
            }
            (S::Accepted, 200..300) => out.push(A::Deliver),
            (S::Completed, 300..) => out.push(A::Ack),
            _ => {}
        }
        out
    }

    fn other_response(&mut self, status: u16, t: &Timers) -> ClientActions {
        use ClientAction as A;
        use ClientState as S;
        let mut out = ClientActions::new();
        match (self.state, status) {
            (S::Calling | S::Proceeding, ..200) => {
                self.state = S::Proceeding;
                out.push(A::Deliver);
            }
            (S::Calling | S::Proceeding, _) => {
                out.extend([A::StopRetransmit, A::Deliver]);
                self.complete(t.t4, &mut out);
            }
            _ => {}
        }
        out
    }

    /// Timer D or K absorbs repeated responses; reliable transports need none.
    fn complete(&mut self, linger: Duration, out: &mut ClientActions) {
        if self.reliable {
            self.state = ClientState::Terminated;
            out.push(ClientAction::Done);
        } else {
            self.state = ClientState::Completed;
            out.push(ClientAction::ArmDeadline(linger));
        }
    }

    fn retransmit(&mut self, t: &Timers) -> ClientActions {
        let mut out = ClientActions::new();
        let next = match (self.invite, self.state) {
            (true, ClientState::Calling) => self.interval * 2,
            (false, ClientState::Calling) => (self.interval * 2).min(t.t2),
            (false, ClientState::Proceeding) => t.t2,
            _ => return out,
        };
        self.interval = next;
        out.push(ClientAction::Send);
        out.push(ClientAction::ArmRetransmit(next));
        out
    }

    fn deadline(&mut self, t: &Timers) -> ClientActions {
        use ClientAction as A;
        let mut out = ClientActions::new();
        match self.state {
            ClientState::Proceeding if self.invite && !self.cancelled => {
                self.cancelled = true;
                out.extend([A::TimerC, A::ArmDeadline(t.t1 * 64)]);
                return out;
            }
            ClientState::Calling | ClientState::Proceeding => {
                out.extend([A::StopRetransmit, A::Timeout]);
            }
            ClientState::Terminated => return out,
            ClientState::Accepted | ClientState::Completed => {}
        }
        self.state = ClientState::Terminated;
        out.push(A::Done);
        out
    }

    fn cancelled(&mut self, t: &Timers) -> ClientActions {
        let mut out = ClientActions::new();
        if self.invite && self.state == ClientState::Proceeding {
            self.cancelled = true;
            out.push(ClientAction::ArmDeadline(t.t1 * 64));
        }
        out
    }

    fn transport_error(&mut self) -> ClientActions {
        let mut out = ClientActions::new();
        if matches!(self.state, ClientState::Calling | ClientState::Proceeding) {
            self.state = ClientState::Terminated;
            out.extend([
                ClientAction::StopRetransmit,
                ClientAction::TransportError,
                ClientAction::Done,
            ]);
        }
        out
    }
}
