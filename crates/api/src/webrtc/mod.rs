//! Calls in the browser: the messages of docs/webrtc.md on a WebSocket, turned into commands, and
//! the engine's signals turned into messages.

pub(crate) mod customer;
mod desk;
mod ice;
mod message;
mod token;

pub use token::{CallClaims, mint};

pub(crate) use desk::Desk;
pub(crate) use token::Spent;

use crate::operation::Api;
use crate::problem::Problem;
use cp_vocab::Code;

/// How browsers are served. Prints no secret.
#[derive(Clone)]
pub struct WebRtcSettings {
    /// TURN servers as browsers are to reach them (`turn:host:port?transport=udp`).
    pub turn: Vec<String>,
    /// What we share with the TURN server (coturn `static-auth-secret`).
    pub turn_secret: Option<String>,
    /// How long a TURN credential holds, in seconds.
    pub turn_ttl_s: u64,
    /// Signs call tokens; random per process, so they end with it.
    pub secret: [u8; 32],
}

impl std::fmt::Debug for WebRtcSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebRtcSettings")
            .field("turn", &self.turn)
            .field("turn_ttl_s", &self.turn_ttl_s)
            .finish_non_exhaustive()
    }
}

impl Default for WebRtcSettings {
    fn default() -> Self {
        let mut secret = [0; 32];
        crate::auth::token::fill_random(&mut secret);
        Self {
            turn: Vec::new(),
            turn_secret: None,
            turn_ttl_s: 3_600,
            secret,
        }
    }
}

pub(crate) fn add(api: &mut Api) {
    token::add(api);
    customer::add(api);
}

/// The code a refused ask is told with.
fn code_of(problem: &Problem) -> &'static str {
    match problem.code {
        Code::NotFound => "no_such_leg",
        Code::LegState => "wrong_state",
        Code::AgentState => "not_attached",
        other => other.as_str(),
    }
}
