//! What reaches running pods and when: approval of rollouts, BackendConfigs, upgrades, and the takeover from the Go operator.
#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test may panic, is one future, and prints what it measured"
)]

mod approval;
mod backend_config;
mod differences;
mod fan_out;
mod go_operator_objects;
mod migration;
mod plan;
mod restart;
mod takeover;
mod takeover_report;
mod version_skew;
