//! The subcommands of `e2e` that are more than a call into the harness.

pub mod bench;
pub mod demo;
pub mod test_run;
