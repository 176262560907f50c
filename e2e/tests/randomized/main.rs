//! Objects, edits and faults chosen at random; the same seed gives the same choices.
#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test may panic, is one future, and prints what it measured"
)]

mod chaos;
mod fleet_plan;
mod fuzz;
mod plan;
mod soak;
