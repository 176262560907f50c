//! The children as they are cached: only the parts that planning compares.

pub mod autoscaler;
pub mod job;
pub(crate) mod metadata;
pub(crate) mod owned_fields;
pub mod ownership;
pub(crate) mod packed;
pub mod pod;
pub(crate) mod pod_status;
pub mod service;
pub mod statefulset;
pub mod view;
