//! The pod template and its containers.

pub(crate) mod affinity;
pub(crate) mod container;
pub(crate) mod env;
pub(crate) mod log_sidecar;
pub(crate) mod package_downloader;
pub(crate) mod ports;
pub(crate) mod probe;
pub(crate) mod template;
pub(crate) mod volumes;
