//! What the status and the Events say: conditions, diagnoses and what `kubectl wait` and GitOps tools make of them.
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
mod refusals;
