//! Deletion ends, and does what it says.
