//! Foreign changes of children: which of the planned writes put one right, and one Event for each of those.
//!
//! A write is a repair when the same was rendered before: what differs then is not our doing.

use crate::applied::Applied;
use crate::children::{ServiceView, StatefulSetView, has_labels, has_owner};
use crate::context::Context;
use crate::execute::Progress;
use crate::plan::{Adjustment, Observed, Plan, SetWrite, Write};
use crate::reason::Reason;
use crate::reconcile::Object;
use crate::status::READY;
use crate::vertical::MISSING;
use functionmesh_api::constants::LABEL_COMPONENT;
use functionmesh_api::status::{ComponentStatus, StatefulSetStatusRef};
use functionmesh_render::{Component, rendered_hash};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::core::ObjectMeta;

/// What somebody did to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A field of ours has another value, or none.
    Edited,
    /// It is gone. A child without the label by which we watch looks the same.
    Deleted,
    /// Its owner reference is gone.
    WithoutOwner,
    /// A label of ours is gone or has another value.
    WithoutLabel,
}

/// A child that is put right by a planned write.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// The child.
    pub child: ObjectReference,
    /// What was wrong with it.
    pub found: Found,
}

impl Found {
    /// For machines, in the Event. Different for each: Events that differ in the message only are counted as one.
    fn action(self) -> &'static str {
        match self {
            Self::Edited => "RepairEdited",
            Self::Deleted => "RepairDeleted",
            Self::WithoutOwner => "RepairOwner",
            Self::WithoutLabel => "RepairLabel",
        }
    }

    fn told(self, child: &ObjectReference) -> String {
        let name = |text: &Option<String>| text.clone().unwrap_or_default();
        let child = format!("{} {}", name(&child.kind), name(&child.name));
        match self {
            Self::Edited => format!("{child} was edited by somebody else; it was applied again"),
            Self::Deleted => {
                format!("{child} was deleted, or its label {LABEL_COMPONENT} was removed; it is there again")
            }
            Self::WithoutOwner => format!("{child} was without its owner reference; it has it again"),
            Self::WithoutLabel => {
                format!("{child} was without one of its labels, or with another value; it has it again")
            }
        }
    }
}

/// The repairs in a plan. `status` is the newest status of the object, and `generation` the object's.
pub fn repairs(
    plan: &Plan,
    observed: &Observed,
    status: &ComponentStatus,
    generation: Option<i64>,
) -> Vec<Repair> {
    let recorded = status.stateful_set.as_ref();
    // The Service is written before the StatefulSet, the autoscalers after it.
    let existed = recorded.is_some();
    let complete = existed && was_complete(status, generation);
    let service = repair(plan.service.as_ref(), existed, |desired| {
        let live = observed.service.as_ref()?;
        Some((&live.metadata, ServiceView::was_rendered_as(live, desired)))
    });
    let set = repair_of_set(plan.stateful_set.as_ref(), existed, observed.stateful_set.as_ref(), recorded);
    let horizontal = repair(plan.horizontal_autoscaler.as_ref(), complete, |desired| {
        observed.horizontal_autoscaler.as_ref().map(|live| known(live, &desired.metadata))
    });
    let vertical = repair(plan.vertical_autoscaler.as_ref(), complete, |desired| {
        observed.vertical_autoscaler.as_ref().map(|live| known(live, &desired.metadata))
    });
    [service, set, horizontal, vertical].into_iter().flatten().collect()
}

/// Whether everything that is wanted was there once. Autoscalers come and go with the spec: one that is missing was
/// deleted when the same generation was brought about before.
fn was_complete(status: &ComponentStatus, generation: Option<i64>) -> bool {
    let refused = [Reason::Invalid, Reason::InvalidBackendConfig, Reason::NameConflict, Reason::ApplyFailed];
    let ready = status.conditions.get(READY);
    status.observed_generation == generation
        && ready.is_some_and(|c| !refused.iter().any(|reason| reason.as_str() == c.reason))
        && status.conditions.get(MISSING).is_none()
}

/// The same for the set, which is also written in part.
fn repair_of_set(
    write: Option<&SetWrite>,
    existed: bool,
    live: Option<&StatefulSetView>,
    recorded: Option<&StatefulSetStatusRef>,
) -> Option<Repair> {
    let whole = match write? {
        SetWrite::Create(desired) => Write::Create(desired.clone()),
        SetWrite::Update(desired) => Write::Update(desired.clone()),
        SetWrite::Adjust(adjustment) => {
            let live = live?;
            let found = match adjustment {
                Adjustment { owner: Some(_), .. } => Found::WithoutOwner,
                Adjustment { labels, .. } if !labels.is_empty() => Found::WithoutLabel,
                Adjustment { .. } => was_edited(live, recorded).then_some(Found::Edited)?,
            };
            return Some(Repair { child: live.object_ref(&()), found });
        }
        // Both are ours, and so is the creation that follows the latter.
        SetWrite::Adopt(_) | SetWrite::Recreate => return None,
    };
    repair(Some(&whole), existed, |desired: &StatefulSet| {
        let live = live?;
        Some((&live.metadata, live.rendered_hash() == rendered_hash(desired) && was_edited(live, recorded)))
    })
}

/// Whether the set's spec changed since our last write, as far as that is on record.
fn was_edited(live: &StatefulSetView, recorded: Option<&StatefulSetStatusRef>) -> bool {
    let of_this = recorded.filter(|recorded| Some(recorded.rendered_hash.as_str()) == live.rendered_hash());
    let generation = live.metadata.generation;
    of_this.is_some_and(|recorded| Some(recorded.generation) != generation)
        && live.adjusted_generation() != generation
}

fn known<'a, K>(live: &'a Applied<K>, desired: &ObjectMeta) -> (&'a ObjectMeta, bool) {
    (&live.metadata, live.was_rendered_as(desired))
}

/// What one write repairs. `live` finds the child that is there, and whether anything that differs in it was edited.
fn repair<'a, T: Resource<DynamicType = ()>>(
    write: Option<&Write<T>>,
    existed: bool,
    live: impl FnOnce(&T) -> Option<(&'a ObjectMeta, bool)>,
) -> Option<Repair> {
    let (found, desired) = match write? {
        Write::Create(desired) => (existed.then_some(Found::Deleted)?, desired),
        Write::Update(desired) => {
            let (live, edited) = live(desired)?;
            let found = match () {
                () if !has_owner(live, desired.meta()) => Found::WithoutOwner,
                () if !has_labels(live, desired.meta()) => Found::WithoutLabel,
                () => edited.then_some(Found::Edited)?,
            };
            (found, desired)
        }
        Write::Delete => return None,
    };
    Some(Repair { child: desired.object_ref(&()), found })
}

/// Publishes an Event for each repair that was written, whatever became of the writes after it.
pub async fn tell<K: Component>(
    object: &Object<K>,
    repairs: Vec<Repair>,
    progress: &Progress,
    cx: &Context<K>,
) {
    for Repair { child, found } in repairs {
        if child.kind.as_ref().is_some_and(|kind| progress.kinds.contains(kind)) {
            let note = found.told(&child);
            cx.events.repaired(object, child, found.action(), &note).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(hash: &str, generation: i64, labels: &str, owner: &str) -> ObjectMeta {
        serde_json::from_value(json!({
            "name": "f-function", "generation": generation, "labels": {"a": labels},
            "annotations": {functionmesh_render::RENDERED_HASH: hash},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Function", "name": "f", "uid": owner, "controller": true}],
        }))
        .unwrap()
    }

    fn plan(set: Option<SetWrite>) -> Plan {
        Plan {
            service: None,
            stateful_set: set,
            horizontal_autoscaler: None,
            vertical_autoscaler: None,
            held: None,
            left: None,
        }
    }

    fn status(hash: &str, generation: i64) -> ComponentStatus {
        let stateful_set = Some(StatefulSetStatusRef {
            rendered_hash: hash.to_owned(),
            generation,
            ..StatefulSetStatusRef::default()
        });
        ComponentStatus { stateful_set, ..ComponentStatus::default() }
    }

    fn found(set: SetWrite, live: Option<ObjectMeta>, status: &ComponentStatus) -> Option<Found> {
        let set_live = live.map(|metadata| StatefulSetView { metadata, ..StatefulSetView::default() });
        let observed = Observed { stateful_set: set_live, ..Observed::default() };
        let repairs = repairs(&plan(Some(set)), &observed, status, Some(1));
        assert!(repairs.len() < 2);
        repairs.first().map(|repair| repair.found)
    }

    fn desired() -> Box<StatefulSet> {
        Box::new(StatefulSet { metadata: metadata("h", 0, "b", "u"), ..StatefulSet::default() })
    }

    #[test]
    fn a_write_of_what_was_written_before_is_a_repair() {
        let update = |live| found(SetWrite::Update(desired()), Some(live), &status("h", 1));
        assert_eq!(update(metadata("h", 2, "b", "u")), Some(Found::Edited));
        assert_eq!(update(metadata("h", 1, "c", "u")), Some(Found::WithoutLabel));
        assert_eq!(update(metadata("h", 1, "b", "other")), Some(Found::WithoutOwner));
        assert_eq!(update(metadata("h", 1, "b", "u")), None, "nothing is wrong: a change of another kind");
        assert_eq!(update(metadata("old", 2, "b", "u")), None, "another rendering");
        let lost =
            found(SetWrite::Update(desired()), Some(metadata("h", 2, "b", "u")), &ComponentStatus::default());
        assert_eq!(lost, None, "our last write is not on record: it may be ours");
    }

    #[test]
    fn making_a_child_is_a_repair_when_it_was_there() {
        assert_eq!(found(SetWrite::Create(desired()), None, &ComponentStatus::default()), None);
        assert_eq!(found(SetWrite::Create(desired()), None, &status("old", 7)), Some(Found::Deleted));
    }

    #[test]
    fn an_autoscaler_was_there_when_this_generation_was_brought_about() {
        let status = |generation: i64, type_: &str, reason: &str| {
            serde_json::from_value::<ComponentStatus>(
                json!({"observedGeneration": generation, "conditions": [
                    {"type": "Ready", "status": "True", "reason": reason, "message": "",
                     "lastTransitionTime": "2026-01-01T00:00:00Z"},
                    {"type": type_, "status": "True", "reason": "X", "message": "",
                     "lastTransitionTime": "2026-01-01T00:00:00Z"},
                ]}),
            )
            .unwrap()
        };
        assert!(was_complete(&status(1, "Other", "AllReplicasAvailable"), Some(1)));
        assert!(!was_complete(&status(1, "Other", "AllReplicasAvailable"), Some(2)));
        assert!(!was_complete(&status(1, "Other", "NameConflict"), Some(1)));
        assert!(!was_complete(&status(1, MISSING, "AllReplicasAvailable"), Some(1)));
        assert!(!was_complete(&ComponentStatus::default(), None));
    }
}
