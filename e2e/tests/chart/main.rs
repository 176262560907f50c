//! The charts: what each value does, that the API server accepts what is rendered, and the ways to install it.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and prints what it measured"
)]

mod alerts;
mod cases;
mod dashboards;
mod helm;
mod installation;
mod metrics;
mod values;
