//! From a Function, Source or Sink to the Kubernetes objects that run it: the shared pod-spec renderer.
//!
//! ```text
//! Function ─┐
//! Source   ─┼─ lower ──> Workload ─┐
//! Sink     ─┘    │                 ├─ render ──> Desired { Service, StatefulSet }
//!             Invalid  Environment ┘
//! ```
//!
//! Everything here is a pure function of its arguments: no clock, no random order, no I/O. The same input renders to
//! the same bytes, always, because a changed byte restarts every pod of a function. [`Component::lower`] is where user
//! input is checked; what it lets through renders without an error ([`render`] is infallible).
//!
//! Names, labels, selectors, ports, commands and `function_details` are those of the Go Function Mesh (behaviour
//! reference sections 2 and 3), so that an object made by either operator is accepted by the other.

pub mod args;
pub mod config;
pub mod details;
pub mod names;
pub mod quantity;
pub mod shell;

mod admin;
mod affinity;
mod builtin;
mod check;
mod cleanup;
mod component;
mod connector;
mod consumption;
mod decode;
mod defaults;
mod downloader;
mod env;
mod filebeat;
mod function;
mod generic;
mod go;
mod hash;
mod horizontal_autoscaler;
mod invalid;
mod java;
mod json;
mod labels;
mod log4j;
mod lower;
mod messaging;
mod package;
mod pod;
mod pod_policy;
mod probe;
mod production;
mod python;
mod runtime;
mod service;
mod sink;
mod source;
mod statefulset;
mod storage;
#[cfg(test)]
mod testing;
mod token;
mod topic;
mod vertical_autoscaler;
mod window;
mod workload;

pub use check::refused_at_creation;
pub use cleanup::{DEADLINE_SECONDS, cleanup};
pub use component::Component;
pub use decode::decode;
pub use defaults::Defaults;
pub use hash::{
    RENDERED_HASH, RENDERER_VERSION, RENDERER_VERSION_ANNOTATION, hash_of, rendered_hash, renderer_version,
    stamp,
};
pub use invalid::{Invalid, Problem};
pub use labels::selector_labels;
pub use pod_policy::check_backend_config;
pub use vertical_autoscaler::{VerticalPodAutoscaler, VerticalPodAutoscalerSpec};
pub use workload::{Autoscaling, Desired, Environment, Helper, Owner, Role, RunnerImages, Workload};

/// Renders a workload to the objects that run it.
///
/// Infallible: whatever could be wrong was found by [`Component::lower`].
pub fn render(workload: &Workload, environment: &Environment, defaults: &Defaults) -> Desired {
    Desired {
        service: service::service(workload),
        stateful_set: statefulset::stateful_set(workload, environment, defaults),
        horizontal_autoscaler: horizontal_autoscaler::horizontal_autoscaler(workload),
        vertical_autoscaler: vertical_autoscaler::vertical_autoscaler(workload),
    }
}
