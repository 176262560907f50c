//! Renders a Function, Source or Sink to the Kubernetes objects that run it.
//!
//! ```text
//! Function ─┐
//! Source   ─┼─ lower ──> Workload ─┐
//! Sink     ─┘    │                 ├─ render ──> Desired { Service, StatefulSet }
//!             Invalid  Environment ┘
//! ```
//!
//! Everything here is a pure function of its arguments: no clock, no random order, no I/O. The same input renders to
//! the same bytes, always, because a changed byte restarts every pod of a function. [`Component::lower`] validates the
//! user's input; every [`Workload`] that it returns renders without an error ([`render`] is infallible).
//!
//! Names, labels, selectors, ports, commands and `function_details` are those of the Go Function Mesh, so that either
//! operator can take over an object of the other.

mod args;
mod backend_defaults;
mod config;
mod desired;
mod environment;
mod instance;
mod lower;
mod pod;
mod resource;
#[cfg(test)]
mod testing;
mod text;
mod workload;

pub use args::RenderArgs;
pub use backend_defaults::Defaults;
pub use config::OperatorConfig;
pub use desired::{Desired, render};
pub use environment::{Environment, Helper, RunnerImages};
pub use lower::component::Component;
pub use lower::decode::decode;
pub use lower::pod_policy::check_backend_config;
pub use lower::problems::{Invalid, Problem};
pub use lower::validate::refused_at_creation;
pub use resource::cleanup_job::{DEADLINE_SECONDS, cleanup, removals};
pub use resource::hash::{
    RENDERED_HASH, RENDERER_VERSION, RENDERER_VERSION_ANNOTATION, rendered_hash, renderer_version, stamp,
};
pub use resource::labels::selector_labels;
pub use resource::names::WorkloadName;
pub use resource::restart::{request as request_restart, restarted_at};
pub use resource::vpa::{VerticalPodAutoscaler, VerticalPodAutoscalerSpec};
pub use text::quantity::Decimal;
pub use workload::{Autoscaling, Owner, Workload};
