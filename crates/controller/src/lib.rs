//! The controller of Functions, Sources and Sinks: the reconcile loop that all three share.
//!
//! ```text
//!  watch K ────────┐
//!  StatefulSets ───┤                   lower ─> render ─> plan ─> apply ─> status
//!  Services, ──────┼─> queue ─> one reconcile: ^ all pure until apply; reads caches only
//!  autoscalers ────┤
//!  Pods (pruned) ──┘
//! ```
//!
//! `watches` wires the watches, `reconcile` handles one object; all decisions are in the crate `functionmesh-plan`. Only the
//! watches read from the API server, and unchanged children are not written: a restart writes nothing.

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
mod tracked;
mod uninstall;
mod unlabelled_children;
mod update_available;
mod watches;

pub use args::ComponentArgs;
pub use context::Render;
pub use uninstall::{Task, check as check_uninstall};
pub use watches::run;
