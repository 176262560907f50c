//! The controller of Functions, Sources and Sinks: the one loop that the three share.
//!
//! ```text
//!  watch K ────────┐
//!  StatefulSets ───┤                   lower ─> render ─> plan ─> apply ─> status
//!  Services, ──────┼─> queue ─> one reconcile: ^ all pure until apply; reads caches only
//!  autoscalers ────┤
//!  Pods (trimmed) ─┘
//! ```
//!
//! `watches` wires the watches, `reconcile` is the story of one object; what is decided is decided in the crate
//! `functionmesh-plan`. Nothing is read from the API server but by the watches, and nothing is written that is there already:
//! a restart writes nothing.

mod apply;
mod args;
mod backend_configs;
mod child_names;
mod context;
mod converge;
mod deferred_status;
mod drift_events;
mod fan_out;
mod finalize;
mod incomplete;
mod object;
mod optional_api;
mod patch;
mod reconcile;
mod report;
mod rescale;
mod stages;
mod uninstall;
mod unlabelled_children;
mod update_available;
mod watches;

pub use args::ComponentArgs;
pub use context::Render;
pub use uninstall::{Task, check as check_uninstall};
pub use watches::run;
