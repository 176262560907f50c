//! An API server that fails, is slow, away or shows the past: everything ends as if nothing had happened (docs/reliability.md).
#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test may panic, is one future, and prints what it measured"
)]

mod connections;
mod credentials;
mod outages_and_load;
mod partial_errors;
mod stale_cache;
mod storage;
mod webhooks;
mod write_faults;
