//! Which changes may reach running pods, and what they would change.

pub mod backend_config;
pub mod decision;
pub mod diff;
pub mod policy;
pub mod provenance;
pub mod rejected_template;
pub mod update_message;
