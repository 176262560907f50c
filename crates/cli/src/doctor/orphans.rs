//! StatefulSets that carry our labels and belong to nothing, and updates that wait for approval.

use super::finding::{Findings, Severity};
use super::snapshot::Snapshot;
use crate::rollout::waiting::Waiting;
use crate::terminal::plural;
use functionmesh_api::constants::{LABEL_COMPONENT, LABEL_NAME};
use serde_json::Value;

/// StatefulSets without an owner whose object does not exist: neither a controller nor the garbage collector deletes them.
pub(crate) fn stateful_sets(snapshot: &Snapshot, findings: &mut Findings) {
    for set in &snapshot.sets {
        let label =
            |key: &str| set.object.pointer("/metadata/labels").and_then(|labels| labels.get(key)?.as_str());
        let (Some(component), Some(name)) = (label(LABEL_COMPONENT), label(LABEL_NAME)) else { continue };
        let owners = set.object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let is_owned = owners.is_some_and(|owners| !owners.is_empty());
        let exists = snapshot.items.iter().any(|item| {
            item.namespace == set.namespace && item.name == name && item.kind.to_lowercase() == component
        });
        if is_owned || exists {
            continue;
        }
        let pods = set.object.pointer("/status/replicas").and_then(Value::as_u64).unwrap_or_default();
        let text = format!(
            "has the labels of {component} {name}, which does not exist, and no owner; {} run",
            plural(usize::try_from(pods).unwrap_or_default(), "pod")
        );
        let remedy = format!(
            "create the {component} again to take it over, or delete it: kubectl delete statefulset {} --namespace {}",
            set.name, set.namespace
        );
        findings.add(
            Severity::Warning,
            "Orphan",
            format!("StatefulSet {}/{}", set.namespace, set.name),
            text,
            remedy,
        );
    }
}

/// Updates that wait for approval.
pub(crate) fn approvals(snapshot: &Snapshot, findings: &mut Findings) {
    for item in snapshot.components() {
        let Some(waiting) = Waiting::of(item) else { continue };
        let verb = if waiting.recreates { "recreate" } else { "approve" };
        let remedy = format!(
            "kubectl fmesh {verb} {} {} --namespace {}",
            item.kind.to_lowercase(),
            item.name,
            item.namespace
        );
        let text = format!("an update waits for approval ({}): {}", waiting.reason, waiting.message);
        findings.add(Severity::Notice, "PendingUpdate", item.to_string(), text, remedy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::item::Item;
    use serde_json::json;

    #[test]
    fn a_statefulset_without_owner_and_object_is_an_orphan() {
        let set = |owners: Value| {
            Item::of(json!({"kind": "StatefulSet", "metadata": {"name": "f-function", "namespace": "demo",
                "labels": {LABEL_COMPONENT: "function", LABEL_NAME: "f"}, "ownerReferences": owners}, "status": {"replicas": 2}}))
        };
        let found = |items: Vec<Value>, owners: Value| {
            let mut findings = Findings::default();
            let items = items.into_iter().map(Item::of).collect();
            stateful_sets(&Snapshot { items, sets: vec![set(owners)], ..Snapshot::default() }, &mut findings);
            findings.of("Orphan")
        };
        let orphans = found(Vec::new(), json!([]));
        assert!(orphans.len() == 1 && orphans[0].2.contains("2 pods run"), "{orphans:?}");
        assert!(found(Vec::new(), json!([{"uid": "x"}])).is_empty(), "the garbage collector deletes it");
        let function = json!({"kind": "Function", "metadata": {"name": "f", "namespace": "demo"}});
        assert!(found(vec![function], json!([])).is_empty(), "its controller reports it");
    }
}
