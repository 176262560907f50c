//! What the API server accepts and refuses, without a webhook: objects, and what the charts render.
#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test may panic, is one future, and prints what it measured"
)]

mod chart;
mod installation;
mod manifests;
mod schemas;
mod settings;
mod specs;
