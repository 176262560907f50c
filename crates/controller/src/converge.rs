//! Makes the children match the rendering: plans against the caches, and writes the differences.

use crate::apply::{Children, Progress, apply_plan, is_of_content};
use crate::context::Context;
use crate::drift_events::publish;
use crate::finalize;
use crate::incomplete;
use crate::object::Object;
use crate::optional_api;
use crate::rescale::rescale;
use crate::stages::{Dereferenced, Early, Rendered};
use crate::update_available;
use functionmesh_api::condition::DesiredCondition;
use functionmesh_api::status::ComponentStatus;
use functionmesh_objects::refusal::Refusal;
use functionmesh_plan::drift::drifts;
use functionmesh_plan::failure::{self, WriteError};
use functionmesh_plan::health::reason::Reason;
use functionmesh_plan::observed::statefulset::StatefulSetView;
use functionmesh_plan::outcome::{FailedWrite, Outcome};
use functionmesh_plan::plan::{Observed, Obstacle, Pending, PlanInputs, plan};
use functionmesh_plan::rollout::backend_config::Backend;
use functionmesh_plan::rollout::decision::is_of_spec;
use functionmesh_plan::rollout::policy::RolloutPolicy;
use functionmesh_plan::rollout::rejected_template::with_contributors;
use functionmesh_plan::rollout::update_message;
use functionmesh_plan::status::is_observed;
use functionmesh_plan::unsafe_settings::unsafe_settings;
use functionmesh_render::{Component, Defaults, Desired, Workload, rendered_hash, selector_labels};
use functionmesh_runtime::apply_error::ApplyError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;

/// The result: children that match the rendering as far as approved.
pub(crate) struct Converged {
    /// The object's workload.
    pub(crate) workload: Box<Workload>,
    /// What to report.
    pub(crate) outcome: Outcome,
}

/// Plans and writes. Repeats both once if a child of the object is in the way that no cache shows.
pub(crate) async fn converge<K: Component>(
    object: &Object<K>,
    dereferenced: Dereferenced,
    rendered: Rendered,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Converged, Early> {
    let hash = rendered.hash.clone();
    // On the heap: it holds rendered objects while it waits.
    let mut result = Box::pin(attempt(object, &dereferenced, rendered, cx, progress)).await;
    if let Err(ApplyError::NameConflict { kind, .. }) = &result {
        let owner = object.controller_owner_ref(&()).unwrap_or_default();
        // The child may belong to the object, but lack the label that the watch selects.
        match cx.find(kind, &dereferenced.workload, &owner).await {
            Ok(false) => {}
            Ok(true) => {
                let rendered = Rendered::of(object, &dereferenced, cx);
                result = Box::pin(attempt(object, &dereferenced, rendered, cx, progress)).await;
            }
            Err(error) => result = Err(error),
        }
    }
    let Dereferenced { workload, backend } = dereferenced;
    match result {
        Ok(outcome) => {
            let refused =
                backend.refused.map(|message| FailedWrite { reason: Reason::InvalidBackendConfig, message });
            let outcome = match refused {
                Some(failed) => incomplete::failed_outcome(object, &workload, failed, progress, cx),
                None => outcome,
            };
            Ok(Converged { workload, outcome })
        }
        Err(error) if error.refusal() == Some(Refusal::NamespaceTerminating) => {
            Err(Early::NamespaceTerminating)
        }
        Err(error) => {
            let failed = failed(&error, &hash, &workload, &backend, cx);
            Err(Early::Failed { workload, failed, error })
        }
    }
}

/// The outcome to report if an error lasts. `hash` is that of the rendering.
fn failed<K: Component>(
    error: &ApplyError,
    hash: &str,
    workload: &Workload,
    backend: &Backend,
    cx: &Context<K>,
) -> FailedWrite {
    let refusal = error.refusal();
    let is_name_conflict = matches!(error, ApplyError::NameConflict { .. });
    let failed =
        failure::failed(WriteError { refusal, is_name_conflict, message: error.user_message() }, hash);
    let of_template = matches!(error, ApplyError::Refused { kind, .. } if kind == "StatefulSet");
    let render = |defaults: &Defaults| (cx.render)(workload, &cx.environment, defaults).stateful_set;
    with_contributors(failed, refusal.filter(|_| of_template), backend, render)
}

/// Plans against the caches and writes what differs.
async fn attempt<K: Component>(
    object: &Object<K>,
    from: &Dereferenced,
    rendered: Rendered,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Outcome, ApplyError> {
    let Dereferenced { workload, backend } = from;
    let Rendered { mut desired, cleanup, .. } = rendered;
    // The pod template cannot be rendered completely: it stays unchanged.
    let frozen = backend.refused.is_some();
    let wants_vertical = desired.vertical_autoscaler.is_some();
    if cx.vertical_autoscalers.absence(&workload.namespace).is_some() {
        desired.vertical_autoscaler = None;
    }
    let owner = desired.stateful_set.metadata.owner_references.iter().flatten().next().cloned();
    let owner = owner.unwrap_or_default();
    let status = cx.recorded_status(object);
    let observed = observe(workload, &desired, &status, &owner, cx).await?;
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
        // The template stays unchanged; the number of pods was adjusted.
        progress.pods_are_current |= same_spec;
        progress.pods_are_current &= same_spec || !frozen;
    }
    let Children { live, recorded, pending } = applied?;
    let Some(live) = live else { return Ok(recreating(workload)) };
    // Checked again: the write may have found out that the kind is missing.
    let absence = cx.vertical_autoscalers.absence(&workload.namespace).filter(|_| wants_vertical);
    let mut notices: Vec<_> = absence.iter().map(optional_api::missing).collect();
    notices.extend(unsafe_settings(K::KIND, object.spec_text()));
    let (notice, blocked) = match &pending {
        Some(pending) => waits(pending, &live, &status, cx, progress).await,
        None => (None, None),
    };
    notices.extend(notice);
    Ok(Outcome::Applied {
        stateful_set: Box::new(live),
        recorded: recorded.map(Box::new),
        selector: selector_labels(workload),
        notices,
        blocked,
        failed: None,
    })
}

/// The children as the caches show them, and recorded ones that no cache shows.
async fn observe<K: Component>(
    workload: &Workload,
    desired: &Desired,
    status: &ComponentStatus,
    owner: &OwnerReference,
    cx: &Context<K>,
) -> Result<Observed, ApplyError> {
    let mut observed = cx.observed(workload);
    // Without the label that the watch selects it looks deleted, and a pending update would be applied.
    if observed.stateful_set.is_none()
        && status.stateful_set.is_some()
        && cx.find("StatefulSet", workload, owner).await?
    {
        observed = cx.observed(workload);
    }
    if cx.find_leftovers(workload, desired, &observed, status, owner).await? {
        observed = cx.observed(workload);
    }
    Ok(observed)
}

/// How a pending rendering is reported: by its own condition, or as the reason why the spec cannot be applied at all.
async fn waits<K: Component>(
    pending: &Pending,
    live: &StatefulSetView,
    status: &ComponentStatus,
    cx: &Context<K>,
    progress: &mut Progress,
) -> (Option<DesiredCondition>, Option<String>) {
    if pending.immutable.is_empty() {
        (Some(update_available::notice(pending, live, status, cx, progress).await), None)
    } else {
        let hash = rendered_hash(&pending.desired).unwrap_or_default();
        (None, Some(update_message::blocked(&pending.immutable, hash)))
    }
}

/// The `StatefulSet` was deleted to be recreated; the event of its deletion triggers the next reconcile.
fn recreating(workload: &Workload) -> Outcome {
    let message =
        format!("Recreating StatefulSet {}; its pods keep running and will be adopted", workload.name);
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
            let failed = FailedWrite { reason: Reason::NameConflict, message: obstacle.to_string() };
            incomplete::failed_outcome(object, workload, failed, progress, cx)
        }
        Obstacle::Terminating { .. } => Outcome::refused(Reason::WaitingForPods, obstacle.to_string()),
    }
}
