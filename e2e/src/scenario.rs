//! What happens to many objects at once, and what it costs: the same code for exact counts in tests and for the table of
//! the benchmark.
//!
//! A scenario changes the objects of a [`Fleet`], waits for what is to come of it and for the controller to become quiet,
//! and returns a [`Tally`].

pub mod edits;
pub mod fleet;
pub mod lives;
pub mod tally;

pub use fleet::{FUNCTION, Fleet, Kind, SINK, SOURCE};
pub use tally::Tally;
