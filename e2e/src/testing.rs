//! What tests use: a namespace for each, waiting on conditions, the audit log, controllers as processes.

pub mod acker;
pub mod audit;
pub mod controller;
pub mod objects;
pub mod rig;

pub use audit::Audit;
pub use controller::{Controller, binary};
pub use rig::Rig;
