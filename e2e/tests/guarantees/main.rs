//! What an operator on call relies on, shown on a real API server: one module for each promise of `docs/reliability.md`.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::large_futures, reason = "each test is one future")]

mod conditions;
mod deletion;
mod isolation;
mod kstatus;
mod mesh;
mod replicas;
mod settings;
mod takeover;
mod tenancy;
