//! What the deletion of a Function, Source or Sink removes from Pulsar (docs/decisions/0023-cleanup-at-deletion.md).

use functionmesh_api::constants::{
    ANNOTATION_MANAGED, ANNOTATION_NEED_CLEANUP, LABEL_PULSAR_CLUSTER, LABEL_PULSAR_CLUSTER_SHORT,
};
use functionmesh_render::{Component, decode, removals};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

/// What becomes of the subscriptions and topics of a deleted object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// The object asks for no cleanup: they stay.
    Nothing,
    /// The cleanup is disabled, or done by others: they stay.
    Skipped,
    /// A Job removes these.
    Runs {
        /// Name of the Job.
        job: String,
        /// What it removes, such as `subscription s on topic t`.
        removes: Vec<String>,
    },
    /// The object cannot be rendered, for this reason, so its cleanup is abandoned: they stay.
    Impossible(String),
}

/// Whether no cleanup is to run: the user disabled it, or Pulsar's worker service does it.
pub fn is_skipped(metadata: &ObjectMeta) -> bool {
    let labelled = [LABEL_PULSAR_CLUSTER, LABEL_PULSAR_CLUSTER_SHORT];
    metadata.labels.iter().flatten().any(|(label, _)| labelled.contains(&label.as_str()))
        || is_false(metadata, ANNOTATION_NEED_CLEANUP)
}

/// The cleanup of an object as the cluster has it.
pub fn cleanup<K: Component>(object: &Value) -> Cleanup {
    let member = |key: &str| object.get(key).cloned().unwrap_or_else(|| json!({}));
    let metadata: ObjectMeta = match serde_json::from_value(member("metadata")) {
        Ok(metadata) => metadata,
        Err(error) => return Cleanup::Impossible(format!("metadata: {error}")),
    };
    if is_false(&metadata, ANNOTATION_MANAGED) || is_skipped(&metadata) {
        return Cleanup::Skipped;
    }
    match decode::<K::Spec>(&member("spec")).and_then(|spec| K::lower(&metadata, spec)) {
        Ok(workload) => match removals(&workload) {
            removes if removes.is_empty() => Cleanup::Nothing,
            removes => Cleanup::Runs { job: workload.name.cleanup(), removes },
        },
        Err(invalid) => Cleanup::Impossible(invalid.to_string()),
    }
}

fn is_false(metadata: &ObjectMeta, annotation: &str) -> bool {
    metadata.annotations.as_ref().and_then(|all| all.get(annotation)).is_some_and(|value| value == "false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use functionmesh_api::Function;

    fn object(metadata: Value, cleanup: bool) -> Value {
        let mut metadata = metadata;
        metadata["name"] = json!("f");
        json!({"metadata": metadata, "spec": {
            "image": "i", "className": "C", "java": {"jar": "/a.jar"}, "pulsar": {"pulsarConfig": "p"},
            "cleanupSubscription": cleanup, "subscriptionName": "s",
            "input": {"topics": ["persistent://public/default/in"]},
        }})
    }

    #[test]
    fn what_is_removed_is_named() {
        let runs = cleanup::<Function>(&object(json!({}), true));
        let removes = vec!["subscription s on persistent://public/default/in".to_owned()];
        assert_eq!(runs, Cleanup::Runs { job: "f-function-cleanup".to_owned(), removes });
        assert_eq!(cleanup::<Function>(&object(json!({}), false)), Cleanup::Nothing);
    }

    #[test]
    fn what_is_disabled_or_cannot_be_rendered_is_not_removed() {
        for metadata in [
            json!({"annotations": {ANNOTATION_NEED_CLEANUP: "false"}}),
            json!({"annotations": {ANNOTATION_MANAGED: "false"}}),
            json!({"labels": {LABEL_PULSAR_CLUSTER_SHORT: "c"}}),
        ] {
            assert_eq!(cleanup::<Function>(&object(metadata, true)), Cleanup::Skipped);
        }
        let mut invalid = object(json!({}), true);
        invalid["spec"]["java"] = json!(null);
        assert!(matches!(cleanup::<Function>(&invalid), Cleanup::Impossible(_)));
    }
}
