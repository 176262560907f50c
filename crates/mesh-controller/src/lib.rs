//! Creates the components of FunctionMeshes and reports their readiness.
//!
//! Functions, Sources and Sinks are objects with conditions to this controller: it never renders a pod and never reads one.
//!
//! ```text
//!  watch meshes ─┐
//!  Functions ────┤
//!  Sources ──────┼─> queue ─> items ─> plan ─> apply, delete ─> status
//!  Sinks ────────┘
//! ```

mod apply;
mod children;
mod components;
mod context;
mod decoded;
pub mod examples;
mod items;
mod mesh;
mod plan;
pub mod reason;
mod reconcile;
mod reports;
mod run;
mod status;

pub use run::run;
