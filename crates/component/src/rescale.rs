//! The scale of an object whose spec cannot be rendered or whose children are in somebody's way: its pods stay as they are, but
//! not their number.

use crate::adjust::{self, Adjusted};
use crate::children::{Ownership, StatefulSetView, Trace, ownership};
use crate::context::Context;
use crate::execute::Progress;
use crate::plan::Adjustment;
use crate::reconcile::Object;
use crate::status::Outcome;
use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_render::Component;
use functionmesh_render::WorkloadName;
use functionmesh_runtime::apply::ApplyError;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Brings the number of pods to what the spec says, if it says it: an autoscaler goes on although something else in the
/// spec is refused. Returns the refusal with the `StatefulSet` as it is then.
///
/// # Errors
/// When the API server refuses or fails.
pub async fn rescale<K: Component>(
    object: &Object<K>,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Option<Box<StatefulSetView>>, ApplyError> {
    let Some(live) = own(object, cx) else { return Ok(None) };
    let recorded = cx.recorded_status(object).stateful_set;
    let wanted = replicas(object.spec_text(), object.owners.replicas_chosen);
    let Some(adjustment) = adjustment(wanted, &live, recorded.as_ref()) else {
        return Ok(Some(Box::new(live)));
    };
    let left = live.record(recorded.as_ref()).cloned();
    let Adjusted { live, recorded } = adjust::adjust(&adjustment, &live, left, &cx.writer).await?;
    progress.writes += 1;
    progress.stateful_set = recorded;
    if let Some(key) = key(object) {
        cx.stateful_sets.wrote(key, live.clone());
    }
    Ok(Some(Box::new(live)))
}

/// The refusal with the `StatefulSet` as it was left.
pub fn with(refused: Outcome, progress: &Progress, live: Option<Box<StatefulSetView>>) -> Outcome {
    match refused {
        Outcome::Refused { reason, message, .. } => {
            Outcome::Refused { reason, message, written: progress.stateful_set.clone().map(Box::new), live }
        }
        other => other,
    }
}

fn key<K: Component>(object: &Object<K>) -> Option<ObjectRef<StatefulSetView>> {
    let metadata = object.meta();
    let name = WorkloadName::new(metadata.name.as_deref()?, K::ROLE).ok()?;
    Some(ObjectRef::new(name.as_str()).within(metadata.namespace.as_deref()?))
}

/// The `StatefulSet` of the object, unless it is being deleted.
fn own<K: Component>(object: &Object<K>, cx: &Context<K>) -> Option<StatefulSetView> {
    let live = cx.stateful_sets.get(&key(object)?)?;
    let owner = object.controller_owner_ref(&())?;
    let ours = ownership(&live.metadata, &owner) == Ownership::Ours;
    (ours && live.metadata.deletion_timestamp.is_none()).then_some(live)
}

/// The number that the spec states. One that the API server filled in says nothing where an autoscaler begins with more.
fn replicas(spec: &str, chosen: bool) -> Option<i32> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Scale {
        replicas: Option<i32>,
        min_replicas: Option<i32>,
    }
    let Scale { replicas, min_replicas } = serde_json::from_str(spec).ok()?;
    let is_default = replicas == Some(1) && min_replicas.is_some_and(|min| min > 1) && !chosen;
    replicas.filter(|number| *number >= 0 && !is_default)
}

/// What is to be changed.
fn adjustment(
    replicas: Option<i32>,
    live: &StatefulSetView,
    recorded: Option<&StatefulSetStatusRef>,
) -> Option<Adjustment> {
    let replicas = replicas.filter(|wanted| *wanted != live.spec.replicas)?;
    let settles = live.trace(recorded) != Trace::Edited;
    Some(Adjustment { replicas: Some(replicas), labels: BTreeMap::new(), owner: None, settles })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::children::StatefulSetSpecView;

    #[test]
    fn only_a_number_that_is_stated_counts() {
        let spec = StatefulSetSpecView { replicas: 3 };
        let live = StatefulSetView { spec, ..StatefulSetView::default() };
        let wanted =
            |spec: &str| adjustment(replicas(spec, false), &live, None).and_then(|found| found.replicas);
        assert_eq!(wanted(r#"{"replicas": 5, "java": 7}"#), Some(5));
        assert_eq!(wanted(r#"{"replicas": 0}"#), Some(0));
        for nothing in [
            r#"{"replicas": 3}"#,
            r#"{"maxReplicas": 5}"#,
            r#"{"replicas": -1}"#,
            r#"{"replicas": "5"}"#,
            "",
            "{}",
            r#"{"replicas": 1, "minReplicas": 2, "maxReplicas": 5}"#,
        ] {
            assert_eq!(wanted(nothing), None, "{nothing}");
        }
        assert_eq!(replicas(r#"{"replicas": 1, "minReplicas": 2, "maxReplicas": 5}"#, true), Some(1));
    }
}
