//! One reconcile: the whole story of an object on one screen.

use crate::apply::{Children, Progress, apply_plan, is_of_content};
use crate::context::Context;
use crate::drift_events::publish;
use crate::finalize;
use crate::incomplete;
use crate::object::{Object, is_unmanaged, lower};
use crate::optional_api;
use crate::report::report;
use crate::rescale::{self, rescale};
use crate::update_available;
use functionmesh_objects::refusal::Refusal;
use functionmesh_plan::drift::drifts;
use functionmesh_plan::failure::{self, WriteError};
use functionmesh_plan::health::reason::Reason;
use functionmesh_plan::outcome::{Failed, Outcome};
use functionmesh_plan::plan::{Obstacle, PlanInputs, plan};
use functionmesh_plan::rollout::backend_config::Backend;
use functionmesh_plan::rollout::decision::is_of_spec;
use functionmesh_plan::rollout::policy::RolloutPolicy;
use functionmesh_plan::rollout::provenance::Provenance;
use functionmesh_plan::rollout::rejected_template::blamed;
use functionmesh_plan::rollout::update_message;
use functionmesh_plan::status::is_observed;
use functionmesh_plan::unsafe_settings::unsafe_settings;
use functionmesh_render::{Component, Defaults, Desired, Workload, rendered_hash, selector_labels};
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::mutation_cache::GRACE;
use functionmesh_runtime::observe::Done;
use functionmesh_runtime::terminating_namespaces::HOLD;
use kube::Resource;
use std::sync::Arc;

/// Brings the cluster to what the object says and tells in its status how that went.
///
/// # Errors
/// What only trying again can help: the API server refused, failed or did not answer.
pub(crate) async fn reconcile<K: Component>(
    object: Arc<Object<K>>,
    cx: Arc<Context<K>>,
) -> Result<Done, ApplyError> {
    if object.meta().deletion_timestamp.is_some() {
        return Box::pin(finalize::finish(&object, &cx)).await;
    }
    if is_unmanaged(&object) {
        return Ok(Done::unchanged());
    }
    if let Some(wait) = cx.terminating_namespaces.hold(object.meta()) {
        return Ok(Done::unchanged().again_in(wait));
    }
    let workload = match lower(&object) {
        Err(refused) => return refuse(&object, refused, &cx).await,
        Ok(workload) => workload,
    };
    let backend = cx.backend_configs.of(&workload.namespace);
    let rendered = || {
        let mut desired = (cx.render)(&workload, &cx.environment, &backend.defaults);
        Provenance::of(object.spec_text(), &desired.stateful_set, &cx.operator, &backend)
            .write(&mut desired.stateful_set);
        desired
    };
    let desired = rendered();
    let hash = rendered_hash(&desired.stateful_set).unwrap_or_default().to_owned();
    let cleanup = finalize::job(&object, &workload, &backend, &cx);
    let mut progress = Progress::default();
    // On the heap: it holds rendered objects while it waits.
    let (cleanup, frozen) = (cleanup.is_some(), backend.refused.is_some());
    let wanted = Wanted { desired, cleanup, frozen };
    let mut result = Box::pin(converge(&object, &workload, wanted, &cx, &mut progress)).await;
    // A child that nobody saw is in the way: it may be ours, without the label by which it is watched.
    if let Err(ApplyError::NameConflict { kind, .. }) = &result {
        let owner = object.controller_owner_ref(&()).unwrap_or_default();
        match cx.find(kind, &workload, &owner).await {
            Ok(false) => {}
            Ok(true) => {
                let wanted = Wanted { desired: rendered(), cleanup, frozen };
                result = Box::pin(converge(&object, &workload, wanted, &cx, &mut progress)).await;
            }
            Err(error) => result = Err(error),
        }
    }
    match result {
        Ok(outcome) => {
            let outcome = match &backend.refused {
                Some(message) => {
                    let failed = Failed { reason: Reason::InvalidBackendConfig, message: message.clone() };
                    incomplete::outcome(&object, &workload, failed, &progress, &cx)
                }
                None => outcome,
            };
            let done = report(&object, &outcome, progress.writes, &cx).await?;
            if let Some(error) = progress.unread {
                return Err(error);
            }
            cx.failing.succeeded(object.meta());
            Ok(if cx.awaits_children(&workload) { done.again_in(GRACE) } else { done })
        }
        // The object goes as well: nobody needs to be told.
        Err(error) if error.refusal() == Some(Refusal::NamespaceTerminating) => {
            cx.terminating_namespaces.note(object.meta());
            Ok(Done::unchanged().again_in(HOLD))
        }
        Err(error) => {
            let failed = failed(&error, &hash, &workload, &backend, &cx);
            let settled = matches!(failed.reason, Reason::RecreateRequired | Reason::TooLarge);
            let is_told = cx.failing.failed(object.meta()) || !error.is_transient();
            let failed = Some(failed).filter(|_| is_told);
            let done = incomplete::report(&object, &workload, failed, &progress, &cx).await?;
            // Trying the same again cannot help.
            if settled { Ok(done) } else { Err(error) }
        }
    }
}

/// The end for an object that cannot be rendered: only its scale is brought about.
async fn refuse<K: Component>(
    object: &Object<K>,
    refused: Outcome,
    cx: &Context<K>,
) -> Result<Done, ApplyError> {
    let mut progress = Progress::default();
    let (live, failed) = match rescale(object, cx, &mut progress).await {
        Ok(live) => (live, None),
        Err(error) => (None, Some(error)),
    };
    let refused = rescale::with(refused, &progress, live);
    let done = report(object, &refused, progress.writes, cx).await?;
    failed.map_or(Ok(done), Err)
}

/// What to tell of an error, should it last. `hash` is that of the rendering.
fn failed<K: Component>(
    error: &ApplyError,
    hash: &str,
    workload: &Workload,
    backend: &Backend,
    cx: &Context<K>,
) -> Failed {
    let refusal = error.refusal();
    let is_name_conflict = matches!(error, ApplyError::NameConflict { .. });
    let failed =
        failure::failed(WriteError { refusal, is_name_conflict, message: error.user_message() }, hash);
    let of_template = matches!(error, ApplyError::Refused { kind, .. } if kind == "StatefulSet");
    let render = |defaults: &Defaults| (cx.render)(workload, &cx.environment, defaults).stateful_set;
    blamed(failed, refusal.filter(|_| of_template), backend, render)
}

/// What is to be brought about.
struct Wanted {
    /// The children.
    desired: Desired,
    /// Whether something is to be removed in the end.
    cleanup: bool,
    /// Whether the pod template cannot be rendered as it should be: it stays as it is.
    frozen: bool,
}

/// Plans against the caches and writes what differs.
async fn converge<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    wanted: Wanted,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Outcome, ApplyError> {
    let Wanted { mut desired, cleanup, frozen } = wanted;
    let wants_vertical = desired.vertical_autoscaler.is_some();
    if cx.vertical_autoscalers.absence(&workload.namespace).is_some() {
        desired.vertical_autoscaler = None;
    }
    let mut observed = cx.observed(workload);
    let owner = desired.stateful_set.metadata.owner_references.iter().flatten().next().cloned();
    let owner = owner.unwrap_or_default();
    let status = cx.recorded_status(object);
    // Without the label by which it is watched it looks as if it were deleted, and what waits for approval would be applied.
    if observed.stateful_set.is_none()
        && status.stateful_set.is_some()
        && cx.find("StatefulSet", workload, &owner).await?
    {
        observed = cx.observed(workload);
    }
    if cx.find_leftovers(workload, &desired, &observed, &status, &owner).await? {
        observed = cx.observed(workload);
    }
    let inputs = PlanInputs {
        recorded: status.stateful_set.clone(),
        observed: is_observed(&status, object.meta()),
        policy: RolloutPolicy::of(object.meta(), &cx.policy),
        owner,
        frozen,
    };
    let same_spec =
        is_of_spec(observed.stateful_set.as_ref(), inputs.recorded.as_ref(), &desired.stateful_set);
    let plan = match plan(desired, &observed, &inputs) {
        Ok(plan) => plan,
        Err(obstacle) => {
            rescale(object, cx, progress).await?;
            return Ok(refusal(object, workload, &obstacle, progress, cx));
        }
    };
    progress.pods_are_current = plan.leaves_pods();
    // Before there are pods that subscribe.
    finalize::prepare(object, workload, cleanup, cx, progress).await?;
    let drifts = drifts(&plan, &observed, &status, object.meta().generation, &inputs.policy);
    let applied = apply_plan(plan, observed, workload, cx, progress).await;
    publish(object, drifts, progress, cx).await;
    if frozen || applied.as_ref().is_err_and(is_of_content) {
        // The template stays as it is; the number of pods was followed.
        progress.pods_are_current |= same_spec;
        progress.pods_are_current &= same_spec || !frozen;
    }
    let Children { live, recorded, pending } = applied?;
    let Some(live) = live else { return Ok(recreating(workload)) };
    // Asked again: the kind may have been found missing by the write.
    let absence = cx.vertical_autoscalers.absence(&workload.namespace).filter(|_| wants_vertical);
    let mut notices: Vec<_> = absence.iter().map(optional_api::missing).collect();
    notices.extend(unsafe_settings(K::ROLE.component(), object.spec_text()));
    let mut blocked = None;
    match &pending {
        Some(pending) if pending.immutable.is_empty() => {
            notices.push(update_available::notice(pending, &live, &status, cx, progress).await);
        }
        Some(pending) => {
            let hash = rendered_hash(&pending.desired).unwrap_or_default();
            blocked = Some(update_message::blocked(&pending.immutable, hash));
        }
        None => {}
    }
    Ok(Outcome::Applied {
        stateful_set: Box::new(live),
        recorded: recorded.map(Box::new),
        selector: selector_labels(workload),
        notices,
        blocked,
        failed: None,
    })
}

/// The `StatefulSet` was deleted so that it can be made anew; its end wakes us.
fn recreating(workload: &Workload) -> Outcome {
    let message = format!("StatefulSet {} is deleted without its pods, to be made anew", workload.name);
    Outcome::refused(Reason::WaitingForPods, message)
}

fn refusal<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    obstacle: &Obstacle,
    progress: &Progress,
    cx: &Context<K>,
) -> Outcome {
    match obstacle {
        Obstacle::NameConflict { .. } => {
            let failed = Failed { reason: Reason::NameConflict, message: obstacle.to_string() };
            incomplete::outcome(object, workload, failed, progress, cx)
        }
        Obstacle::Terminating { .. } => Outcome::refused(Reason::WaitingForPods, obstacle.to_string()),
    }
}
