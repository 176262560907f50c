//! The commands that look at a cluster, with a kubectl that the tests play.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod completion;
mod doctor;
mod fake;
mod help;
mod logs;
mod objects;
mod plan;
mod report;
mod terminal;
mod top;
mod version;
