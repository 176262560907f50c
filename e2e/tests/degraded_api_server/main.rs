//! An API server that fails, is slow, is unavailable or returns old data: the end state is the same as without failures
//! (docs/reliability.md).
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
