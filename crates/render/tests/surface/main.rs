//! The whole surface of the API, taken from the schemas of the `CustomResourceDefinition`s: objects with any content
//! ([`properties`]), the effect of each field ([`effects`]), and hostile text in every place that reaches a shell
//! ([`injection`]).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a test may panic"
)]

mod bases;
mod case;
mod check;
mod effects;
mod generate;
mod hostile;
mod injection;
mod instances;
mod properties;
mod sandbox;
mod schema;

use std::io::Write;

/// Prints a message about a passing run, past the output capture of the test harness.
fn report(text: &str) {
    // A closed stream is not a failure.
    let _ = writeln!(std::io::stderr(), "{text}");
}
