//! The cluster, through kubectl: a plugin has it at hand, with the caller's kubeconfig, credentials and permissions.

pub(crate) mod batch;
pub(crate) mod controllers;
pub(crate) mod flags;
pub(crate) mod item;
pub(crate) mod kubectl;
pub(crate) mod parallel;
pub(crate) mod target;
