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

/// Tells something about a run that passes; the test harness shows nothing that is printed the usual way.
fn report(text: &str) {
    // A closed stream is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{text}");
}
