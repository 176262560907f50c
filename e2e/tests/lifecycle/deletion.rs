//! Deletion completes, with all cleanups.

mod cleanup;
mod interrupted_watch;
mod precondition;
mod uninstall;

use anyhow::Result;
use e2e::testing::objects::function_spec;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

/// The finalizer of an object with something to clean up.
const FINALIZER: &str = "cleanup.subscription.finalizer";

/// A Function whose subscription is deleted with it.
fn cleaning() -> Value {
    let mut spec = function_spec();
    spec["cleanupSubscription"] = json!(true);
    spec
}

/// The Job of a Function.
fn job_of(name: &str) -> String {
    format!("{name}-function-cleanup")
}

/// Plays the Job controller, which does not run here: changes the status of a Job.
async fn job_status(jobs: &Api<Job>, name: &str, status: Value) -> Result<()> {
    jobs.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await?;
    Ok(())
}

/// The end of a Job.
fn ended(complete: bool) -> Value {
    let time = "2026-01-01T00:00:00Z";
    let condition = |type_: &str, reason: &str| {
        json!({"type": type_, "status": "True", "reason": reason, "message": "for a test",
               "lastProbeTime": time, "lastTransitionTime": time})
    };
    let (done, failed) = ("CompletionsReached", "BackoffLimitExceeded");
    if complete {
        json!({"startTime": time, "completionTime": time, "succeeded": 1, "active": 0, "ready": 0,
               "conditions": [condition("SuccessCriteriaMet", done), condition("Complete", done)]})
    } else {
        json!({"startTime": time, "failed": 7, "active": 0, "ready": 0,
               "conditions": [condition("FailureTarget", failed), condition("Failed", failed)]})
    }
}
