//! From a custom resource to a `Workload`: validation and defaults.

pub(crate) mod common;
pub(crate) mod component;
pub(crate) mod connector;
pub(crate) mod decode;
pub(crate) mod free_form;
pub(crate) mod function;
pub(crate) mod input;
pub(crate) mod labels;
pub(crate) mod log_topic;
pub(crate) mod output;
pub(crate) mod pod_affinity;
pub(crate) mod pod_policy;
pub(crate) mod pod_probe;
pub(crate) mod problems;
pub(crate) mod runtime;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod topic;
pub(crate) mod validate;
pub(crate) mod window;
