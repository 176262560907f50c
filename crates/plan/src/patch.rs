//! The JSON patch of a `StatefulSet` that applies no rendering: its number of pods, its metadata, a restart on request
//! (docs/decisions/0014-scaling-never-changes-the-template.md, docs/decisions/0055-restarts-on-request.md).

use crate::observed::metadata::ADJUSTED;
use crate::observed::statefulset::StatefulSetView;
use crate::plan::Adjustment;
use functionmesh_api::constants::ANNOTATION_RESTARTED_AT;
use kube::ResourceExt;
use serde_json::{Value, json};

/// The patch of an adjustment. It tests the generation it was planned for, and records the resulting generation: if this process
/// ends before it writes the status, the next one does not mistake the change for that of another field manager.
pub fn patch(adjustment: &Adjustment, live: &StatefulSetView) -> Value {
    let Adjustment { replicas, restarted_at, labels, owner, settles } = adjustment;
    let generation = live.metadata.generation.unwrap_or_default();
    let mut steps = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": live.uid()}),
        json!({"op": "test", "path": "/metadata/generation", "value": generation}),
    ];
    let mut add = |path: String, value: Value| steps.push(json!({"op": "add", "path": path, "value": value}));
    if let Some(replicas) = replicas {
        add("/spec/replicas".to_owned(), json!(replicas));
    }
    if let Some(time) = restarted_at {
        const ANNOTATIONS: &str = "/spec/template/metadata/annotations";
        if !live.has_pod_annotations() {
            add(ANNOTATIONS.to_owned(), json!({}));
        }
        add(format!("{ANNOTATIONS}/{}", pointer(ANNOTATION_RESTARTED_AT)), json!(time));
    }
    if adjustment.changes_spec() && *settles {
        add(format!("/metadata/annotations/{}", pointer(ADJUSTED)), json!((generation + 1).to_string()));
    }
    if live.metadata.labels.is_none() && !labels.is_empty() {
        add("/metadata/labels".to_owned(), json!({}));
    }
    for (key, value) in labels {
        add(format!("/metadata/labels/{}", pointer(key)), json!(value));
    }
    if let Some(owner) = owner {
        let others = live.owner_references().iter().filter(|other| other.uid != owner.uid);
        let owners: Vec<_> = others.chain([owner]).collect();
        add("/metadata/ownerReferences".to_owned(), json!(owners));
    }
    Value::Array(steps)
}

/// A key in a JSON pointer.
pub(crate) fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    fn live() -> StatefulSetView {
        let metadata = json!({"name": "f", "uid": "u", "generation": 4, "labels": {"a": "b"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "x"}]});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn a_new_number_of_replicas_says_to_which_generation_it_leads() {
        let adjustment = Adjustment { replicas: Some(3), settles: true, ..Adjustment::default() };
        let unsettled = patch(&Adjustment { settles: false, ..adjustment.clone() }, &live());
        assert_eq!(unsettled.as_array().map(Vec::len), Some(3), "an edit of others is not ours from now on");
        let steps = patch(&adjustment, &live());
        assert_eq!(
            steps,
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/metadata/generation", "value": 4},
                {"op": "add", "path": "/spec/replicas", "value": 3},
                {"op": "add", "path": "/metadata/annotations/compute.functionmesh.io~1adjusted-generation", "value": "5"},
            ])
        );
    }

    #[test]
    fn a_restart_changes_one_annotation_of_the_pods() {
        let restarted_at = Some("2026-01-01T00:00:00Z".to_owned());
        let adjustment = Adjustment { restarted_at, settles: true, ..Adjustment::default() };
        let steps = patch(&adjustment, &live());
        let at = "/spec/template/metadata/annotations";
        let (empty, time) = (json!({}), json!("2026-01-01T00:00:00Z"));
        assert_eq!(steps[2], json!({"op": "add", "path": at, "value": empty}));
        let path = format!("{at}/compute.functionmesh.io~1restarted-at");
        assert_eq!(steps[3], json!({"op": "add", "path": path, "value": time}));
        assert_eq!(steps[4]["value"], "5", "the generation that it leads to");
        let mut annotated = json!(live());
        annotated["spec"] = json!({"replicas": 1, "template": {"metadata": {"annotations": {"a": "b"}}}});
        let annotated: StatefulSetView = serde_json::from_value(annotated).unwrap();
        assert_eq!(
            patch(&adjustment, &annotated).as_array().map(Vec::len),
            Some(4),
            "nothing of others is removed"
        );
    }

    #[test]
    fn labels_and_owners_are_added_to_what_is_there() {
        let owner = OwnerReference { uid: "o".to_owned(), ..OwnerReference::default() };
        let labels = [("x/y".to_owned(), "z".to_owned())].into();
        let steps = patch(
            &Adjustment { labels, owner: Some(owner), settles: true, ..Adjustment::default() },
            &live(),
        );
        assert_eq!(steps[2], json!({"op": "add", "path": "/metadata/labels/x~1y", "value": "z"}));
        assert_eq!((&steps[3]["value"][0]["uid"], &steps[3]["value"][1]["uid"]), (&json!("x"), &json!("o")));
    }
}
