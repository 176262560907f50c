//! The subcommands of `e2e` that are more than a call into the harness.

#[cfg(feature = "tests")]
mod bench;
pub mod demo;
#[cfg(feature = "tests")]
pub mod docs_test;
pub mod own_cluster;
#[cfg(feature = "tests")]
mod test_run;
#[cfg(feature = "tests")]
pub mod tests;
