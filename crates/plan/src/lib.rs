//! Everything that is decided about a Function, Source or Sink: what to write, what reaches its pods, and what its status says.
//!
//! ```text
//!  observed ──┐                                     ┌──> Plan: the writes
//!  Desired ───┼──> plan ──> rollout::decision ──────┤
//!  status ────┘                                     └──> what waits, and for what
//!
//!  Outcome, pods ──> health::readiness ──> status ──> conditions
//! ```
//!
//! Pure, as the renderer is: no clock, no I/O. The controller (`crates/controller`) carries out what is decided here.

pub mod conditions;
pub mod drift;
pub mod examples;
pub mod failure;
pub mod health;
pub mod observed;
pub mod outcome;
pub mod patch;
pub mod plan;
pub mod rescale;
pub mod rollout;
pub mod status;
pub mod takeover;
mod time;
pub mod unsafe_settings;
