//! Whether an object runs, and why not.

pub mod diagnosis;
pub(crate) mod lost_node;
pub mod pods;
pub mod readiness;
pub mod reason;
pub(crate) mod termination_message;
