//! Components and meshes from creation to deletion: what the controllers write, how often, and what they do not touch.
#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test may panic, is one future, and prints what it measured"
)]

mod annotations;
mod autoscaling;
mod cleanup;
mod controllers;
mod deletion;
mod drift;
mod leader_election;
mod lost_labels;
mod mass_deletion;
mod mesh;
mod metrics_server;
mod replicas;
mod request_counts;
mod scaling;
mod shards;
