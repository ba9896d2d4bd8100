//! Who gets which work: agents with presence and leases, queues, tickets and offers of one pool,
//! held in memory by a single writer.
//!
//! Sans-IO: time and the seed of ids come in, nothing is read from outside. Drive it with
//! [`Router::handle`] and [`Router::handle_timeout`], and drain [`Router::poll`] after each.
//!
//! How it decides, in ten lines. Agents with equal skills, levels and queues form an *agent class*,
//! tickets with an equal requirement a *task class*; which fit is computed once per pair of classes
//! and kept as bits. A ticket that comes looks for the best idle agent over the compatible classes'
//! heads; an agent who becomes free looks for the ticket with the lowest key over the compatible
//! task classes' heads. The key is the time of arrival minus a head start for priority, so it never
//! changes while waiting and an ordered set is enough. Each ticket has at most one offer and each
//! agent at most one: an offer has exactly one winner by construction.
//! An agent's routing state is never set, it is computed from facts (offer, work, wrap-up, leases).

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agent;
mod agents;
mod bits;
mod classes;
mod configure;
pub mod erlang;
mod estimate;
mod explain;
mod index;
mod io;
mod offers;
mod queue;
mod ranked;
mod router;
#[cfg(test)]
mod tests;
mod ticket;
mod tickets;
mod view;

pub use io::{LeaseEnd, LeaseKind, RouteError, RouterConfig, RouterInput, RouterOutput, Ticket};
pub use router::Router;
pub use view::{
    AgentView, Candidate, Decision, Explain, ExplainStep, QueueStats, Reason, ReasonCount,
    StateCounts, WaitEstimate,
};
