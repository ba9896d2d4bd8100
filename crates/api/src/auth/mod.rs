//! Who is asking, and what they may.

pub(crate) mod audit;
pub mod gate;
pub mod lockout;
pub(crate) mod pace;
pub mod password;
pub(crate) mod pending;
pub mod permission;
pub mod token;

use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use cp_store::Edit;
use cp_vocab::command::Actor;
use cp_vocab::{AgentId, ApiKeyId, Code, OAuthClientId, SessionId, TenantId, Timestamp, UserId};
use permission::{Permission, Permissions};

/// Whoever sent a request, after the gate let them in.
#[derive(Clone, Debug)]
pub struct Caller {
    pub tenant: TenantId,
    pub principal: Principal,
    pub permissions: Permissions,
    /// The agent this person is, when they are one.
    pub agent: Option<AgentId>,
    /// Where the request came from, for the audit log; empty when that is not known.
    pub address: String,
    /// When the person of a session last proved who they are; `None` for programs.
    pub proved_at: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Principal {
    User { id: UserId, session: SessionId },
    Key(ApiKeyId),
    Client(OAuthClientId),
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User { id, .. } => id.fmt(f),
            Self::Key(id) => id.fmt(f),
            Self::Client(id) => id.fmt(f),
        }
    }
}

impl Caller {
    pub fn has(&self, p: Permission) -> bool {
        self.permissions.has(p)
    }

    /// # Errors
    /// 403 naming the permission.
    pub fn need(&self, p: Permission) -> Result<(), Problem> {
        if self.has(p) {
            return Ok(());
        }
        Err(forbidden(&[p]))
    }

    /// In whose name changes of the configuration are recorded.
    pub fn actor(&self) -> Actor {
        match self.principal {
            Principal::User { id, .. } => Actor::User(id),
            Principal::Key(id) => Actor::ApiKey(id),
            Principal::Client(id) => Actor::Client(id),
        }
    }

    /// A change of the configuration in the caller's name.
    pub fn edit(&self, now: Timestamp) -> Edit {
        Edit {
            address: self.address.clone(),
            ..Edit::new(self.tenant, self.actor(), now)
        }
    }

    /// The person and their session.
    ///
    /// # Errors
    /// 403 for programs.
    pub fn person(&self) -> Result<(UserId, SessionId), Problem> {
        match self.principal {
            Principal::User { id, session } => Ok((id, session)),
            Principal::Key(_) | Principal::Client(_) => Err(Problem::new(
                Code::Forbidden,
                "this is for people who are signed in, not for keys and clients",
            )),
        }
    }

    /// In whose name a command runs: with `broad` in the caller's own; without, as the agent they
    /// are, so that the engine holds them to what is theirs.
    ///
    /// # Errors
    /// 403 for a person who is no agent.
    pub fn actor_with(&self, broad: Permission) -> Result<Actor, Problem> {
        if self.has(broad) {
            return Ok(self.actor());
        }
        self.own_agent().map(Actor::Agent)
    }

    /// # Errors
    /// 403 for a person who is no agent.
    pub fn own_agent(&self) -> Result<AgentId, Problem> {
        self.agent
            .ok_or_else(|| Problem::new(Code::Forbidden, "you are not set up as an agent"))
    }

    /// That `agent` is the caller's own, unless they hold `broad`.
    ///
    /// # Errors
    /// 403 otherwise.
    pub fn own_unless(&self, agent: AgentId, broad: Permission) -> Result<(), Problem> {
        if self.has(broad) || self.agent == Some(agent) {
            return Ok(());
        }
        Err(forbidden(&[broad]))
    }
}

pub(crate) fn forbidden(any_of: &[Permission]) -> Problem {
    let words: Vec<&str> = any_of.iter().map(|p| p.as_str()).collect();
    Problem::new(
        Code::Forbidden,
        format!("this needs the permission {}", words.join(" or ")),
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| Problem::new(Code::Unauthenticated, "Sign in first."))
    }
}
