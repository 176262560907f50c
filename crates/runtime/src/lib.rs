//! The process of a controller: functions and types that are independent of kinds.
//!
//! ```text
//! Process::start ── telemetry, admin server, client, metrics, signals
//!        │
//!   Process::lead ── lease ──> work (the controller's loop)
//!        │                        │
//!        └─ select!: the first of them that ends unexpectedly ends the process
//! ```
//!
//! No task is detached: a loop that ends takes the process with it, so that a pod never looks alive while it does nothing. A
//! controller's loop uses [`stream`] for its caches, [`observe`] around each reconcile, [`apply`] to write, and [`event`] to
//! report.

mod admin;
pub mod apply;
pub mod apply_error;
pub mod args;
mod backoff;
mod client;
pub mod clock;
mod denial;
mod denied;
pub mod event;
pub mod failing;
mod fair_queue;
mod finalizer;
pub mod index;
pub mod metrics;
mod metrics_server;
pub mod mutation_cache;
pub mod observe;
pub mod optional;
mod pages;
pub mod presence;
pub mod process;
pub mod raw_object;
pub mod reassign;
pub mod reconciler;
mod shard;
mod stale_conditions;
pub mod stream;
mod telemetry;
pub mod terminating_namespaces;
pub mod tracked;
mod undecoded;
mod write_fence;

mod error_text;
mod lease;
mod multi_namespace;
mod source;
mod vanished;
mod watch_backoff;
mod wording;
mod write_status;

pub use process::Process;
