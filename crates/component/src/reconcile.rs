//! One reconcile: the whole story of an object on one screen.

use crate::cleanup;
use crate::context::Context;
use crate::execute::{Progress, execute};
use crate::leaving::HOLD;
use crate::plan::{Obstacle, plan};
use crate::reason::Reason;
use crate::repair::{repairs, tell};
use crate::report::report;
use crate::status::{Outcome, held_back};
use crate::vertical;
use functionmesh_api::constants::ANNOTATION_MANAGED;
use functionmesh_api::status::{ComponentStatus, StatefulSetStatusRef};
use functionmesh_render::{Component, Desired, Workload, decode, render, selector_labels};
use functionmesh_runtime::apply::ApplyError;
use functionmesh_runtime::declared::Declared;
use functionmesh_runtime::observe::{Done, Failure};
use functionmesh_runtime::recent::GRACE;
use kube::{Resource, ResourceExt};
use std::sync::Arc;

/// A Function, Source or Sink as it is cached.
pub type Object<K> = Declared<K, ComponentStatus>;

/// Brings the cluster to what the object says and tells in its status how that went.
///
/// # Errors
/// What only trying again can help: the API server refused, failed or did not answer.
pub async fn reconcile<K: Component>(
    object: Arc<Object<K>>,
    cx: Arc<Context<K>>,
) -> Result<Done, ApplyError> {
    if object.meta().deletion_timestamp.is_some() {
        return Box::pin(cleanup::finish(&object, &cx)).await;
    }
    if is_unmanaged(&object) {
        return Ok(Done::unchanged());
    }
    if let Some(wait) = cx.leaving.hold(object.meta()) {
        return Ok(Done::unchanged().again_in(wait));
    }
    let workload = match lower(&object) {
        Err(refused) => return report(&object, &refused, 0, &cx).await,
        Ok(workload) => workload,
    };
    let backend = match cx.backend_configs.of(&workload.namespace) {
        Err(message) => {
            let refused = Outcome::refused(Reason::InvalidBackendConfig, message);
            return report(&object, &refused, 0, &cx).await;
        }
        Ok(backend) => backend,
    };
    let mut desired = render(&workload, &cx.environment, &backend.defaults);
    backend.note(&mut desired.stateful_set, &workload, &cx.environment);
    let cleanup = cleanup::job(&object, &workload, &backend, &cx);
    let mut progress = Progress::default();
    // On the heap: it holds rendered objects while it waits.
    match Box::pin(bring_about(&object, &workload, desired, cleanup.is_some(), &cx, &mut progress)).await {
        Ok(outcome) => {
            let done = report(&object, &outcome, progress.writes, &cx).await?;
            Ok(if cx.awaits_children(&workload) { done.again_in(GRACE) } else { done })
        }
        // The object goes as well: nobody needs to be told.
        Err(error) if error.reason() == "NamespaceTerminating" => {
            cx.leaving.note(object.meta());
            Ok(Done::unchanged().again_in(HOLD))
        }
        Err(error) => {
            report(&object, &failure(&error, progress.stateful_set), progress.writes, &cx).await?;
            Err(error)
        }
    }
}

/// Whether the user asked to leave the object alone.
pub(crate) fn is_unmanaged<K: Component>(object: &Object<K>) -> bool {
    object.annotations().get(ANNOTATION_MANAGED).is_some_and(|value| value == "false")
}

/// Decodes and checks the object.
pub(crate) fn lower<K: Component>(object: &Object<K>) -> Result<Workload, Outcome> {
    let invalid = |message: String| Outcome::refused(Reason::Invalid, message);
    let spec = object.spec::<K::Spec>().map_err(|error| {
        // Again and slower, to find the field.
        let text = serde_json::from_str(object.spec_text()).ok();
        let located = text.and_then(|spec| decode::<K::Spec>(&spec).err());
        invalid(located.map_or_else(|| error.to_string(), |located| located.to_string()))
    })?;
    K::lower(object.meta(), spec).map_err(|e| invalid(e.to_string()))
}

/// Plans against the caches and writes what differs. `cleanup` says that something is to be removed in the end.
async fn bring_about<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    mut desired: Desired,
    cleanup: bool,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Outcome, ApplyError> {
    let missing = !cx.vertical_autoscalers.is_present() && desired.vertical_autoscaler.take().is_some();
    let observed = cx.observed(workload);
    let owner = desired.stateful_set.metadata.owner_references.iter().flatten().next().cloned();
    let status = cx.current_status(object);
    let plan = match plan(desired, &observed, status.stateful_set.as_ref(), &owner.unwrap_or_default()) {
        Ok(plan) => plan,
        Err(obstacle) => return Ok(refusal(&obstacle)),
    };
    // Before there are pods that subscribe.
    cleanup::prepare(object, workload, cleanup, cx, progress).await?;
    let notices = [plan.held_back.then(held_back), missing.then(vertical::missing)];
    let repairs = repairs(&plan, &observed, &status, object.meta().generation);
    let written = execute(plan, observed, workload, cx, progress).await;
    tell(object, repairs, progress, cx).await;
    let live = written?;
    Ok(Outcome::Applied {
        stateful_set: Box::new(live.unwrap_or_default()),
        selector: selector_labels(workload),
        notices: notices.into_iter().flatten().collect(),
    })
}

fn refusal(obstacle: &Obstacle) -> Outcome {
    let reason = match obstacle {
        Obstacle::NameConflict { .. } => Reason::NameConflict,
        Obstacle::Leaving { .. } => Reason::WaitingForPods,
    };
    Outcome::refused(reason, obstacle.to_string())
}

fn failure(error: &ApplyError, written: Option<StatefulSetStatusRef>) -> Outcome {
    let reason = match error {
        ApplyError::NameConflict { .. } => Reason::NameConflict,
        _ => Reason::ApplyFailed,
    };
    Outcome::Refused { reason, message: error.to_string(), written }
}
