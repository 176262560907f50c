//! The Kubernetes objects of a component.

pub(crate) mod cleanup_job;
pub(crate) mod hash;
pub(crate) mod hpa;
pub(crate) mod labels;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod restart;
pub(crate) mod service;
pub(crate) mod statefulset;
pub(crate) mod vpa;
