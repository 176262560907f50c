//! All decisions about a Function, Source or Sink: which writes are needed, what may reach its pods, and its status.
//!
//! ```text
//!  observed ──┐                                     ┌──> Plan: the writes
//!  Desired ───┼──> plan ──> rollout::decision ──────┤
//!  status ────┘                                     └──> pending updates, with the reason
//!
//!  Outcome, pods ──> health::readiness ──> status ──> conditions
//! ```
//!
//! Pure, as the renderer is: no clock, no I/O. The controller (`crates/controller`) carries the decisions out.

pub mod conditions;
pub mod deletion;
pub mod drift;
pub mod examples;
pub mod failure;
pub mod forecast;
pub mod health;
pub mod observed;
pub mod outcome;
pub mod patch;
pub mod plan;
pub mod replicas;
pub mod rescale;
pub mod rollout;
pub mod status;
pub mod takeover;
mod time;
pub mod unsafe_settings;
