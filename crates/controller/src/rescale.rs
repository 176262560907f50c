//! Scaling of an object whose spec cannot be rendered, or whose children conflict with other objects: the pod template stays as
//! it is, the number of pods follows the spec.

use crate::apply::Progress;
use crate::context::Context;
use crate::object::Object;
use crate::patch::{self, Adjusted};
use functionmesh_plan::observed::ownership::{Ownership, ownership};
use functionmesh_plan::observed::statefulset::StatefulSetView;
use functionmesh_plan::outcome::Outcome;
use functionmesh_plan::rescale::{adjustment, replicas};
use functionmesh_render::Component;
use functionmesh_render::WorkloadName;
use functionmesh_runtime::apply_error::ApplyError;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;

/// Sets the number of pods to the number that the spec states, if any: an autoscaler keeps working although another part of the
/// spec is refused. Returns the refusal with the `StatefulSet` after the write.
///
/// # Errors
/// If the API server refuses or fails.
pub(crate) async fn rescale<K: Component>(
    object: &Object<K>,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Option<Box<StatefulSetView>>, ApplyError> {
    let Some(live) = own(object, cx) else { return Ok(None) };
    let recorded = cx.recorded_status(object).stateful_set;
    let desired = replicas(object.spec_text(), object.owners.replicas_chosen);
    let Some(adjustment) = adjustment(desired, &live, recorded.as_ref()) else {
        return Ok(Some(Box::new(live)));
    };
    let left = live.record(recorded.as_ref()).cloned();
    let Adjusted { live, recorded } = patch::adjust(&adjustment, &live, left, &cx.writer).await?;
    progress.writes += 1;
    progress.stateful_set = recorded;
    if let Some(key) = key(object) {
        cx.stateful_sets.wrote(key, live.clone());
    }
    Ok(Some(Box::new(live)))
}

/// The refusal with the `StatefulSet` after the write.
pub(crate) fn with(refused: Outcome, progress: &Progress, live: Option<Box<StatefulSetView>>) -> Outcome {
    match refused {
        Outcome::Refused { reason, message, .. } => {
            Outcome::Refused { reason, message, written: progress.stateful_set.clone().map(Box::new), live }
        }
        other => other,
    }
}

fn key<K: Component>(object: &Object<K>) -> Option<ObjectRef<StatefulSetView>> {
    let metadata = object.meta();
    let name = WorkloadName::new(metadata.name.as_deref()?, K::KIND).ok()?;
    Some(ObjectRef::new(name.as_str()).within(metadata.namespace.as_deref()?))
}

/// The `StatefulSet` of the object, unless it is being deleted.
fn own<K: Component>(object: &Object<K>, cx: &Context<K>) -> Option<StatefulSetView> {
    let live = cx.stateful_set(&key(object)?)?;
    let owner = object.controller_owner_ref(&())?;
    let ours = ownership(&live.metadata, &owner) == Ownership::Ours;
    (ours && live.metadata.deletion_timestamp.is_none()).then_some(live)
}
