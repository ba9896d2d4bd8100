//! The pool owner.

use crate::io::{RouteError, RouterConfig, RouterInput, RouterOutput};
use crate::view::{AgentView, Explain, QueueStats};
use cp_vocab::Timestamp;
use cp_vocab::id::*;
use std::collections::VecDeque;

/// One pool of agents and queues that share them. Single writer; everything in memory.
pub struct Router {
    config: RouterConfig,
    outputs: VecDeque<RouterOutput>,
}

impl Router {
    pub fn new(config: RouterConfig) -> Self {
        Self {
            config,
            outputs: VecDeque::new(),
        }
    }

    pub fn config(&self) -> &RouterConfig {
        &self.config
    }

    /// Takes one input. An error means that nothing changed and nothing came out (a late accept, an
    /// unknown agent); refusals of new tickets come as [`RouterOutput::Refused`].
    pub fn handle(&mut self, _now: Timestamp, _input: RouterInput) -> Result<(), RouteError> {
        Err(RouteError::UnknownAgent)
    }

    /// The next decision; drain before the next input.
    pub fn poll(&mut self) -> Option<RouterOutput> {
        self.outputs.pop_front()
    }

    /// When [`Router::handle_timeout`] wants to be called.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Does all that is due at `now`.
    pub fn handle_timeout(&mut self, _now: Timestamp) {}

    /// Why it was routed as it was; of waiting ones and of the last few thousand that left.
    pub fn explain(&self, _interaction: InteractionId, _now: Timestamp) -> Option<Explain> {
        None
    }

    pub fn queue_stats(&self, _queue: QueueId, _now: Timestamp) -> Option<QueueStats> {
        None
    }

    pub fn agent_view(&self, _agent: AgentId, _now: Timestamp) -> Option<AgentView> {
        None
    }

    /// The agents of the configuration, in no order.
    pub fn agents(&self) -> impl Iterator<Item = AgentId> + '_ {
        std::iter::empty()
    }

    /// The queues of the configuration, in no order.
    pub fn queues(&self) -> impl Iterator<Item = QueueId> + '_ {
        std::iter::empty()
    }
}
