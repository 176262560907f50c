//! The subcommands of `e2e` that are more than a call into the harness.

pub mod bench;
pub mod demo;
pub mod docs_test;
pub mod test_run;
