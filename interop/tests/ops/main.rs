//! What whoever runs Crosspoint relies on: start and stop, metrics, logs, traces, secure transports,
//! and what happens when the machine does not play along.

mod carriers;
mod collector;
mod crash;
mod drain;
mod logs;
mod machine;
mod metrics;
mod restore;
mod secure;
mod start;
mod traces;
mod uploads;
mod wire;
mod world;
