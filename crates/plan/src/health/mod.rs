//! The health of an object: readiness, and the diagnosis of its pods.

pub(crate) mod diagnosis;
pub(crate) mod lost_node;
pub mod pods;
pub mod readiness;
pub mod reason;
pub mod redaction;
pub(crate) mod termination_message;
