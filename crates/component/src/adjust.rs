//! Writes of a `StatefulSet` that leave its template alone, and so its pods.

use crate::children::{ADJUSTED, StatefulSetView, View};
use crate::difference::immutable;
use crate::note::{Note, ORIGINAL, RENDERED_FROM};
use crate::plan::Adjustment;
use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_render::RENDERED_HASH;
use functionmesh_runtime::apply::{ApplyError, Writer};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use serde_json::{Map, Value, json};

/// The set after an adjustment.
#[derive(Debug)]
pub struct Adjusted {
    /// Its newest form.
    pub live: StatefulSetView,
    /// What the status is to say of it.
    pub recorded: Option<StatefulSetStatusRef>,
}

/// Changes what an adjustment says. The patch tests the generation, so that it applies to what was seen only, and notes
/// the generation it leads to: should this process end before the status says so, the next one does not take the change
/// for somebody else's.
///
/// # Errors
/// When the API server refuses or fails; somebody else's change in between is a conflict.
pub async fn adjust(
    adjustment: &Adjustment,
    live: &StatefulSetView,
    left: Option<StatefulSetStatusRef>,
    writer: &Writer,
) -> Result<Adjusted, ApplyError> {
    let mut live: StatefulSetView = writer.patch(live, patch(adjustment, live)).await?;
    live.trim(writer.manager());
    let generation = live.metadata.generation;
    let recorded = left.map(|left| StatefulSetStatusRef {
        // A change by others that is still to be reverted must stay one.
        generation: generation
            .filter(|_| adjustment.replicas.is_some() && adjustment.settles)
            .unwrap_or(left.generation),
        ..left
    });
    Ok(Adjusted { live, recorded })
}

fn patch(adjustment: &Adjustment, live: &StatefulSetView) -> Value {
    let Adjustment { replicas, labels, owner, settles } = adjustment;
    let generation = live.metadata.generation.unwrap_or_default();
    let mut steps = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": live.uid()}),
        json!({"op": "test", "path": "/metadata/generation", "value": generation}),
    ];
    let mut add = |path: String, value: Value| steps.push(json!({"op": "add", "path": path, "value": value}));
    if let Some(replicas) = replicas {
        add("/spec/replicas".to_owned(), json!(replicas));
        if *settles {
            add(format!("/metadata/annotations/{}", pointer(ADJUSTED)), json!((generation + 1).to_string()));
        }
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

/// Takes over a set that the Go operator made: notes what it came from, and takes its fields into our name, so that
/// whatever is no longer wanted goes with the first rendering that is approved. `roll` says that this rendering need not
/// wait. Says besides whether fields that cannot change stand in its way.
///
/// # Errors
/// When the API server refuses or fails.
pub async fn adopt(
    desired: &StatefulSet,
    roll: bool,
    live: &StatefulSetView,
    writer: &Writer,
) -> Result<(StatefulSetView, bool), ApplyError> {
    let full = writer.read(live).await?;
    let immutable = immutable(&full, desired);
    let note = Note::on(&desired.metadata).map(|note| note.of_the_original(&immutable, roll));
    let note = note.as_ref().map(Note::text).unwrap_or_default();
    let at = |path: &str| full.pointer(path).cloned().unwrap_or_default();
    let mut steps = vec![
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": at("/metadata/resourceVersion")}),
        json!({"op": "add", "path": "/metadata/managedFields", "value": ours(at("/metadata/managedFields"), writer.manager())}),
    ];
    if at("/metadata/annotations").is_null() {
        steps.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    for (key, value) in [(RENDERED_HASH, ORIGINAL), (RENDERED_FROM, &note)] {
        steps.push(
            json!({"op": "add", "path": format!("/metadata/annotations/{}", pointer(key)), "value": value}),
        );
    }
    let mut live: StatefulSetView = writer.patch(live, Value::Array(steps)).await?;
    live.trim(writer.manager());
    Ok((live, !immutable.is_empty()))
}

/// The lists of fields with all that somebody wrote below `spec` under our name, as if we had applied it: what
/// client-go's `csaupgrade` does for those who go over to server-side apply.
fn ours(entries: Value, manager: &str) -> Value {
    let Value::Array(entries) = entries else { return json!([]) };
    let writes_spec = |entry: &Value| {
        entry.get("subresource").is_none_or(|s| s.as_str() == Some(""))
            && entry.pointer("/fieldsV1/f:spec").is_some()
    };
    let (taken, mut left): (Vec<_>, Vec<_>) = entries.into_iter().partition(writes_spec);
    let mut fields = Value::Object(Map::new());
    for entry in &taken {
        if let Some(more) = entry.get("fieldsV1") {
            unite(&mut fields, more);
        }
    }
    left.push(json!({
        "manager": manager, "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }));
    Value::Array(left)
}

/// Adds the fields of one tree to another.
fn unite(tree: &mut Value, more: &Value) {
    let (Value::Object(tree), Value::Object(more)) = (tree, more) else { return };
    for (key, below) in more {
        unite(tree.entry(key.clone()).or_insert_with(|| json!({})), below);
    }
}

/// A key in a JSON pointer.
fn pointer(key: &str) -> String {
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
        let adjustment = Adjustment { replicas: Some(3), labels: [].into(), owner: None, settles: true };
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
    fn labels_and_owners_are_added_to_what_is_there() {
        let owner = OwnerReference { uid: "o".to_owned(), ..OwnerReference::default() };
        let labels = [("x/y".to_owned(), "z".to_owned())].into();
        let steps = patch(&Adjustment { replicas: None, labels, owner: Some(owner), settles: true }, &live());
        assert_eq!(steps[2], json!({"op": "add", "path": "/metadata/labels/x~1y", "value": "z"}));
        assert_eq!((&steps[3]["value"][0]["uid"], &steps[3]["value"][1]["uid"]), (&json!("x"), &json!("o")));
    }

    #[test]
    fn taken_over_fields_are_ours_and_those_of_the_status_are_not() {
        let entries = json!([
            {"manager": "manager", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}, "f:spec": {"f:a": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {"f:c": {}}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        ]);
        let entries = ours(entries, "function-controller");
        assert_eq!(entries[0]["manager"], "kube-controller-manager");
        assert_eq!(
            (entries[1]["manager"].as_str(), entries[1]["operation"].as_str()),
            (Some("function-controller"), Some("Apply"))
        );
        assert_eq!(
            entries[1]["fieldsV1"],
            json!({"f:metadata": {"f:labels": {}}, "f:spec": {"f:a": {}, "f:b": {"f:c": {}}}})
        );
    }
}
