//! Tests with real pods and a real Pulsar, or with the programs of its images. `make test` leaves them out.
#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test may panic, is one future, and prints what it measured"
)]

mod instances;
mod main_job;
mod matrix;
mod monitoring;
mod trouble;
mod upgrade;
