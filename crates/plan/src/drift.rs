//! Drift: changes of children by other field managers, and which of the planned writes revert them.
//!
//! A write reverts drift if the same content was rendered before: then another field manager caused the difference.

use crate::conditions::MISSING;
use crate::observed::autoscaler::AutoscalerView;
use crate::observed::metadata::{has_labels, has_owner};
use crate::observed::service::ServiceView;
use crate::observed::statefulset::{StatefulSetView, Trace};
use crate::plan::{Adjustment, Observed, Plan, StatefulSetWrite, Write};
use crate::rollout::policy::RolloutPolicy;
use crate::status::is_current;
use functionmesh_api::condition::RECONCILE_FAILED;
use functionmesh_api::constants::LABEL_COMPONENT;
use functionmesh_api::status::{ComponentStatus, StatefulSetStatusRef};
use functionmesh_render::rendered_hash;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::core::ObjectMeta;

/// The change that another field manager made to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftKind {
    /// A field of the operator has another value, or none.
    Edited,
    /// The child is missing. One that lost the label that the watch selects looks the same.
    Deleted,
    /// The owner reference is missing.
    WithoutOwner,
    /// A label of the operator is missing or has another value.
    WithoutLabel,
}

/// A child whose drift a planned write reverts.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The child.
    pub child: ObjectReference,
    /// The change that is reverted.
    pub found: DriftKind,
    /// The field manager that made the change, if the API server records it.
    pub by: Option<Box<str>>,
}

impl DriftKind {
    /// The action of the Event, different for each drift: Events that differ only in the message are counted as one.
    pub fn action(self) -> &'static str {
        match self {
            Self::Edited => "RepairEdited",
            Self::Deleted => "RepairDeleted",
            Self::WithoutOwner => "RepairOwner",
            Self::WithoutLabel => "RepairLabel",
        }
    }

    /// The text of the Event.
    pub fn message(self, child: &ObjectReference, by: Option<&str>) -> String {
        let name = |text: &Option<String>| text.clone().unwrap_or_default();
        let child = format!("{} {}", name(&child.kind), name(&child.name));
        let by = by.unwrap_or("another field manager");
        match self {
            Self::Edited => format!("Reverted changes made to {child} by {by}"),
            Self::Deleted => {
                format!("Recreated {child}: it was deleted, or its label {LABEL_COMPONENT} was removed")
            }
            Self::WithoutOwner => format!("Restored the owner reference of {child}, removed by {by}"),
            Self::WithoutLabel => format!("Restored labels of {child}, removed or changed by {by}"),
        }
    }
}

impl Drift {
    fn by(self, editor: Option<&str>) -> Self {
        Self { by: editor.map(Into::into), ..self }
    }
}

/// The drift that a plan reverts. `status` is the newest status of the object, and `generation` the object's generation.
pub fn drifts(
    plan: &Plan,
    observed: &Observed,
    status: &ComponentStatus,
    generation: Option<i64>,
    policy: &RolloutPolicy,
) -> Vec<Drift> {
    let recorded = status.stateful_set.as_ref();
    // The Service is written before the StatefulSet, the autoscalers after it.
    let existed = recorded.is_some();
    let complete = existed && was_complete(status, generation);
    let service = drift(plan.service.as_ref(), existed, |desired| {
        let live = observed.service.as_ref()?;
        Some((&live.metadata, ServiceView::was_rendered_as(live, desired)))
    });
    let service = service.map(|drift| drift.by(observed.service.as_ref().and_then(|l| l.editor.as_deref())));
    let set = plan.stateful_set.as_ref().filter(|write| !is_recreated(write, recorded, policy));
    let same_spec = status.observed_generation == generation;
    let set = drift_of_set(set, existed, observed.stateful_set.as_ref(), recorded, same_spec);
    let set = set.map(|drift| drift.by(observed.stateful_set.as_ref().and_then(|l| l.editor.as_deref())));
    let horizontal = drift(plan.horizontal_autoscaler.as_ref(), complete, |desired| {
        observed.horizontal_autoscaler.as_ref().map(|live| known(live, &desired.metadata))
    });
    let editor = observed.horizontal_autoscaler.as_ref().and_then(|live| live.editor.as_deref());
    let horizontal = horizontal.map(|drift| drift.by(editor));
    let vertical = drift(plan.vertical_autoscaler.as_ref(), complete, |desired| {
        observed.vertical_autoscaler.as_ref().map(|live| known(live, &desired.metadata))
    });
    let editor = observed.vertical_autoscaler.as_ref().and_then(|live| live.editor.as_deref());
    let vertical = vertical.map(|drift| drift.by(editor));
    [service, set, horizontal, vertical].into_iter().flatten().collect()
}

/// Whether all desired children existed once. Autoscalers are created and deleted with the spec: a missing one was deleted if the
/// same generation was applied before.
fn was_complete(status: &ComponentStatus, generation: Option<i64>) -> bool {
    let lacks = |type_| status.conditions.get(type_).is_some();
    is_current(status, generation) && !lacks(MISSING) && !lacks(RECONCILE_FAILED)
}

/// Whether the controller deleted the `StatefulSet` because a user requested it: the recreated one is not recorded yet.
fn is_recreated(
    write: &StatefulSetWrite,
    recorded: Option<&StatefulSetStatusRef>,
    policy: &RolloutPolicy,
) -> bool {
    let StatefulSetWrite::Create(desired) = write else { return false };
    let (hash, recorded) = (rendered_hash(desired), recorded.map(|recorded| recorded.rendered_hash.as_str()));
    policy.recreate.is_some() && policy.recreate.as_deref() == hash && recorded != hash
}

/// The drift that one write of the StatefulSet reverts.
fn drift_of_set(
    write: Option<&StatefulSetWrite>,
    existed: bool,
    live: Option<&StatefulSetView>,
    recorded: Option<&StatefulSetStatusRef>,
    same_spec: bool,
) -> Option<Drift> {
    match write? {
        StatefulSetWrite::Create(desired) => created(&**desired, existed),
        StatefulSetWrite::Update(desired) => {
            let live = live?;
            let same = live.rendered_hash() == rendered_hash(desired);
            updated(&**desired, &live.metadata, same && live.trace(recorded) == Trace::Edited)
        }
        StatefulSetWrite::Adjust(adjustment) => {
            let live = live?;
            let found = match adjustment {
                Adjustment { owner: Some(_), .. } => DriftKind::WithoutOwner,
                Adjustment { labels, .. } if !labels.is_empty() => DriftKind::WithoutLabel,
                // The number of replicas: the spec or another field manager changed it.
                Adjustment { replicas: Some(_), .. } if same_spec && live.moved(recorded) => {
                    DriftKind::Edited
                }
                Adjustment { .. } => return None,
            };
            Some(Drift { child: live.object_ref(&()), found, by: None })
        }
        // Neither reverts drift.
        StatefulSetWrite::Adopt { .. } | StatefulSetWrite::Recreate => None,
    }
}

fn known<'a, K>(live: &'a AutoscalerView<K>, desired: &ObjectMeta) -> (&'a ObjectMeta, bool) {
    (&live.metadata, live.was_rendered_as(desired))
}

/// The drift that one write reverts. `live` finds the existing child, and whether any difference in it is an edit.
fn drift<'a, T: Resource<DynamicType = ()>>(
    write: Option<&Write<T>>,
    existed: bool,
    live: impl FnOnce(&T) -> Option<(&'a ObjectMeta, bool)>,
) -> Option<Drift> {
    match write? {
        Write::Create(desired) => created(&**desired, existed),
        Write::Update(desired) => {
            let (live, edited) = live(desired)?;
            updated(&**desired, live, edited)
        }
        Write::Delete => None,
    }
}

fn created<T: Resource<DynamicType = ()>>(desired: &T, existed: bool) -> Option<Drift> {
    existed.then(|| Drift { child: desired.object_ref(&()), found: DriftKind::Deleted, by: None })
}

fn updated<T: Resource<DynamicType = ()>>(desired: &T, live: &ObjectMeta, edited: bool) -> Option<Drift> {
    let found = match () {
        () if !has_owner(live, desired.meta()) => DriftKind::WithoutOwner,
        () if !has_labels(live, desired.meta()) => DriftKind::WithoutLabel,
        () => edited.then_some(DriftKind::Edited)?,
    };
    Some(Drift { child: desired.object_ref(&()), found, by: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::StatefulSet;
    use serde_json::json;

    fn metadata(hash: &str, generation: i64, labels: &str, owner: &str) -> ObjectMeta {
        serde_json::from_value(json!({
            "name": "f-function", "generation": generation, "labels": {"a": labels},
            "annotations": {functionmesh_render::RENDERED_HASH: hash},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Function", "name": "f", "uid": owner, "controller": true}],
        }))
        .unwrap()
    }

    fn plan(set: Option<StatefulSetWrite>) -> Plan {
        Plan {
            service: None,
            stateful_set: set,
            horizontal_autoscaler: None,
            vertical_autoscaler: None,
            pending: None,
            left: None,
            fallback: None,
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

    fn policy(recreate: &str) -> RolloutPolicy {
        RolloutPolicy { recreate: Some(recreate.to_owned()), ..RolloutPolicy::default() }
    }

    fn found(set: StatefulSetWrite, live: Option<ObjectMeta>, status: &ComponentStatus) -> Option<DriftKind> {
        let set_live = live.map(|metadata| StatefulSetView { metadata, ..StatefulSetView::default() });
        let observed = Observed { stateful_set: set_live, ..Observed::default() };
        let drifts = drifts(&plan(Some(set)), &observed, status, Some(1), &policy("h"));
        assert!(drifts.len() < 2);
        drifts.first().map(|drift| drift.found)
    }

    fn desired() -> Box<StatefulSet> {
        Box::new(StatefulSet { metadata: metadata("h", 0, "b", "u"), ..StatefulSet::default() })
    }

    #[test]
    fn a_write_of_what_was_written_before_is_a_repair() {
        let update = |live| found(StatefulSetWrite::Update(desired()), Some(live), &status("h", 1));
        assert_eq!(update(metadata("h", 2, "b", "u")), Some(DriftKind::Edited));
        assert_eq!(update(metadata("h", 1, "c", "u")), Some(DriftKind::WithoutLabel));
        assert_eq!(update(metadata("h", 1, "b", "other")), Some(DriftKind::WithoutOwner));
        assert_eq!(update(metadata("h", 1, "b", "u")), None, "nothing is wrong: a change of another kind");
        assert_eq!(update(metadata("old", 2, "b", "u")), None, "another rendering");
        let lost = found(
            StatefulSetWrite::Update(desired()),
            Some(metadata("h", 2, "b", "u")),
            &ComponentStatus::default(),
        );
        assert_eq!(lost, None, "our last write is not on record: it may be ours");
    }

    #[test]
    fn making_a_child_is_a_repair_when_it_was_there() {
        assert_eq!(found(StatefulSetWrite::Create(desired()), None, &ComponentStatus::default()), None);
        assert_eq!(
            found(StatefulSetWrite::Create(desired()), None, &status("h", 7)),
            Some(DriftKind::Deleted)
        );
        let other =
            Box::new(StatefulSet { metadata: metadata("other", 0, "b", "u"), ..StatefulSet::default() });
        assert_eq!(found(StatefulSetWrite::Create(other), None, &status("old", 7)), Some(DriftKind::Deleted));
    }

    #[test]
    fn recreating_it_as_requested_is_no_drift() {
        assert_eq!(found(StatefulSetWrite::Create(desired()), None, &status("old", 7)), None);
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
        for refusal in crate::health::reason::Reason::ALL.into_iter().filter(|reason| reason.is_refusal()) {
            assert!(!was_complete(&status(1, "Other", refusal.as_str()), Some(1)), "{refusal}");
        }
        assert!(!was_complete(&status(1, RECONCILE_FAILED, "AllReplicasAvailable"), Some(1)));
        assert!(!was_complete(&status(1, MISSING, "AllReplicasAvailable"), Some(1)));
        assert!(!was_complete(&ComponentStatus::default(), None));
    }
}
