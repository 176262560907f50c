//! The termination message of a container: redacted, normalized, and classified if the failure is known.
//!
//! For a Java instance it has the last errors of the log; for all other programs it is the end of the output
//! (docs/decisions/0028-diagnosis-comes-from-the-pods.md).

pub(crate) mod classify;
mod lines;
pub(crate) mod normalize;
pub(crate) mod patterns;
pub(crate) mod redact;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
