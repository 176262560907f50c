//! What tests use.
