//! Flags of the controllers of Functions, Sources and Sinks.

use clap::{ArgAction, Args};
use functionmesh_plan::rollout::policy::RolloutPolicy;
use functionmesh_render::RenderArgs;
use functionmesh_runtime::args::{WatchArgs, duration};
use std::time::Duration;

/// Flags of these controllers, in addition to those of the process.
#[derive(Args, Clone, Debug)]
pub struct ComponentArgs {
    /// Caches and the queue.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// The renderer.
    #[command(flatten)]
    pub render: RenderArgs,
    /// Rollouts.
    #[command(flatten)]
    pub rollout: RolloutArgs,
    /// The status.
    #[command(flatten)]
    pub status: StatusArgs,
    /// The cleanup after a deletion.
    #[command(flatten)]
    pub cleanup: CleanupArgs,
}

/// Flags about the cleanup of deleted objects.
#[derive(Args, Clone, Debug)]
pub struct CleanupArgs {
    /// Maximum number of cleanup Jobs that run at the same time; those of objects deleted earlier run first. A Job whose pod
    /// has not started within a minute no longer counts.
    #[arg(long, env = "CLEANUP_CONCURRENCY", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub cleanup_concurrency: u16,
    /// Time limit for the cleanup of one deleted object, in seconds from its first attempt. Subscriptions that were not removed
    /// by then remain in Pulsar, and an Event of the object reports it.
    #[arg(long, env = "CLEANUP_TIMEOUT", default_value = "900", value_parser = duration)]
    pub cleanup_timeout: Duration,
}

/// Flags about the status.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Delay before the first status write of an object whose pods are still starting, in seconds or as 1m; 0 disables it.
    /// When many objects are created at once, their pods are created first.
    #[arg(long, env = "FIRST_STATUS_DELAY", default_value = "1", value_parser = duration)]
    pub first_status_delay: Duration,
}

/// Flags that decide which changes reach pods that run.
#[derive(Args, Clone, Debug)]
pub struct RolloutArgs {
    /// Change running pods only when the spec of their object changes, as if every object had the annotation
    /// compute.functionmesh.io/pause-rollout.
    #[arg(long, env = "PAUSE_ROLLOUT", default_value_t = false, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub pause_rollout: bool,
    /// Approve the pending updates of all objects: what a newer release or another configuration of the operator renders
    /// differently. Pods restart.
    #[arg(long, env = "APPROVE_UPDATES", default_value_t = false, action = ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub approve_updates: bool,
}

impl RolloutArgs {
    /// The policy for all objects.
    pub fn policy(&self) -> RolloutPolicy {
        RolloutPolicy {
            paused: self.pause_rollout,
            approve_all: self.approve_updates,
            ..RolloutPolicy::default()
        }
    }
}
