//! The status and the Events: conditions, diagnoses, how `kubectl wait` and GitOps tools interpret them, and what the plugin of
//! kubectl prints.
#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test may panic, is one future, and prints what it measured"
)]

mod conditions;
mod diagnosis;
mod first_status;
mod kstatus;
mod plugin;
mod refusals;
