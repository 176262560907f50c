//! Sequences of actions that tests and the benchmark share.
//!
//! [`edits`] and [`restarts`] change the objects of a [`Fleet`], wait for the result and until the controller is idle, and return
//! a [`RequestCounts`]: the same code for exact counts in tests and for the table of the benchmark. [`faults`] injects one fault at
//! each write of a scenario; [`fuzz`] generates objects from the schemas.

pub mod edits;
pub mod faults;
pub mod fleet;
pub mod fuzz;
mod request_counts;
pub mod restarts;

pub use fleet::{FUNCTION, Fleet, Kind, SINK, SOURCE};
pub use request_counts::RequestCounts;
