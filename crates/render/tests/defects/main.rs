//! The defects of the Go operator that concern rendering: one test for each, by number, that shows their absence here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod cleanup;
#[path = "../common/mod.rs"]
mod common;
mod go_programs;
mod lowering;
mod pods;
