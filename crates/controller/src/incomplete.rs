//! The status of an object whose children could not all be written (docs/decisions/0025-ready-is-about-pods.md).
//!
//! `Ready` is about pods. While they match the spec, as far as is known, the conditions follow them, and a failed write has its
//! own condition (`ReconcileFailed`). A transient error is not reported.

use crate::apply::Progress;
use crate::context::Context;
use crate::object::Object;
use functionmesh_api::status::ComponentStatus;
use functionmesh_plan::outcome::{FailedWrite, Outcome};
use functionmesh_plan::plan::observed_set;
use functionmesh_plan::status::{failed_before, is_current, notices};
use functionmesh_render::{Component, Workload, selector_labels};
use functionmesh_runtime::observe::Done;
use kube::Resource;

/// What to report after a failure, if anything. Without `failed`, it is the state of the pods for a spec that was applied before.
pub(crate) fn outcome<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    failed: Option<FailedWrite>,
    progress: &Progress,
    cx: &Context<K>,
) -> Option<Outcome> {
    match failed {
        Some(failed) => Some(failed_outcome(object, workload, failed, progress, cx)),
        None => as_before(object, workload, progress, cx),
    }
}

/// The end of a reconcile with an error that is not reported: the writes are recorded nevertheless.
pub(crate) fn unreported<K: Component>(object: &Object<K>, progress: &Progress, cx: &Context<K>) -> Done {
    if progress.stateful_set.is_some() {
        let before = cx.recorded_status(object);
        let stateful_set = progress.stateful_set.clone();
        cx.deferred_statuses.remember(object.meta(), &ComponentStatus { stateful_set, ..before });
    }
    Done::applied(progress.writes)
}

/// The outcome of an error that is reported.
pub(crate) fn failed_outcome<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    failed: FailedWrite,
    progress: &Progress,
    cx: &Context<K>,
) -> Outcome {
    let status = cx.recorded_status(object);
    let is_current = progress.pods_are_current || is_current(&status, object.meta().generation);
    let runs = if is_current { running(object, workload, &status, progress, cx) } else { None };
    match runs {
        Some(Outcome::Applied { stateful_set, recorded, selector, notices, blocked, .. }) => {
            Outcome::Applied { stateful_set, recorded, selector, notices, blocked, failed: Some(failed) }
        }
        _ => Outcome::Refused {
            reason: failed.reason,
            message: failed.message,
            written: progress.stateful_set.clone().map(Box::new),
            live: object
                .controller_owner_ref(&())
                .and_then(|owner| observed_set(cx.observed(workload).stateful_set, &owner))
                .map(Box::new),
        },
    }
}

/// Continues to report what the pods show, if the current spec was applied before the failure.
fn as_before<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    progress: &Progress,
    cx: &Context<K>,
) -> Option<Outcome> {
    let status = cx.current_status(object);
    is_current(&status, object.meta().generation)
        .then(|| running(object, workload, &status, progress, cx))
        .flatten()
}

fn running<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    status: &ComponentStatus,
    progress: &Progress,
    cx: &Context<K>,
) -> Option<Outcome> {
    let owner = object.controller_owner_ref(&())?;
    let stateful_set = observed_set(cx.observed(workload).stateful_set, &owner)?;
    let recorded = progress.stateful_set.clone().or_else(|| cx.recorded_status(object).stateful_set);
    Some(Outcome::Applied {
        stateful_set: Box::new(stateful_set),
        recorded: recorded.map(Box::new),
        selector: selector_labels(workload),
        notices: notices(status),
        blocked: None,
        // An earlier failure was not fixed either.
        failed: failed_before(status),
    })
}
