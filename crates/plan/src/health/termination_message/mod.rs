//! The termination message of a container: made safe to show, made stable, and understood where Pulsar's failures are known.
//!
//! A Java instance writes the errors of its log there; of everything else it is the end of what it printed.

pub(crate) mod classify;
mod lines;
pub(crate) mod normalize;
mod patterns;
mod redact;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
