//! One object, kind, namespace, user or missing permission does not block another.
#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test may panic, is one future, and prints what it measured"
)]

mod large_objects;
mod missing_kinds;
mod namespaces;
mod nested_objects;
mod optional_kinds;
mod permissions;
mod tenancy;
mod vertical_autoscaling;
