//! The patch that adopts a `StatefulSet` of the Go operator.

use crate::patch::pointer;
use crate::rollout::diff::immutable;
use crate::rollout::provenance::{Provenance, RENDERED_FROM};
use crate::takeover::marks::MADE_BY_GO_OPERATOR;
use functionmesh_objects::managed_fields::{Takes, take_over};
use functionmesh_render::RENDERED_HASH;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Value, json};

/// The patch that adopts a `StatefulSet` of the Go operator, and whether immutable fields prevent the rendering.
pub struct Adoption {
    /// The steps.
    pub patch: Value,
    /// Whether immutable fields differ.
    pub is_blocked: bool,
}

/// Records the provenance of the `StatefulSet`, and makes `manager` the owner of its fields, so that the first approved rendering
/// removes fields that are no longer rendered. `roll` is true if this rendering need not wait. `full` is the live object with all
/// its fields.
pub fn adoption(desired: &StatefulSet, roll: bool, full: &Value, manager: &str) -> Adoption {
    let Adopted { entries, annotations, is_blocked } = Adopted::of(desired, roll, full, manager);
    let at = |path: &str| full.pointer(path).cloned().unwrap_or_default();
    let mut steps = vec![
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": at("/metadata/resourceVersion")}),
        json!({"op": "add", "path": "/metadata/managedFields", "value": entries}),
    ];
    if at("/metadata/annotations").is_null() {
        steps.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    for (key, value) in annotations {
        steps.push(
            json!({"op": "add", "path": format!("/metadata/annotations/{}", pointer(key)), "value": value}),
        );
    }
    Adoption { patch: Value::Array(steps), is_blocked }
}

/// The live object as [`adoption`] leaves it, and whether immutable fields prevent the rendering: what a forecast compares.
pub(crate) fn adopted(desired: &StatefulSet, roll: bool, full: &Value, manager: &str) -> (Value, bool) {
    let Adopted { entries, annotations, is_blocked } = Adopted::of(desired, roll, full, manager);
    let mut object = full.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("managedFields".to_owned(), json!(entries));
        let all = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(all) = all.as_object_mut() {
            all.extend(annotations.map(|(key, value)| (key.to_owned(), Value::String(value))));
        }
    }
    (object, is_blocked)
}

/// What an adoption writes.
struct Adopted {
    entries: Vec<ManagedFieldsEntry>,
    annotations: [(&'static str, String); 2],
    is_blocked: bool,
}

impl Adopted {
    fn of(desired: &StatefulSet, roll: bool, full: &Value, manager: &str) -> Self {
        let immutable = immutable(full, desired);
        let provenance =
            Provenance::on(&desired.metadata).map(|found| found.of_the_go_operator(&immutable, roll));
        let provenance = provenance.as_ref().map(Provenance::text).unwrap_or_default();
        let entries = full.pointer("/metadata/managedFields").cloned().unwrap_or_default();
        Self {
            entries: ours(entries, manager),
            annotations: [(RENDERED_HASH, MADE_BY_GO_OPERATOR.to_owned()), (RENDERED_FROM, provenance)],
            is_blocked: !immutable.is_empty(),
        }
    }
}

/// The list with all fields below `spec` given to `manager`, whichever manager wrote them, as if `manager` had applied them.
fn ours(entries: Value, manager: &str) -> Vec<ManagedFieldsEntry> {
    let takes = |entry: &ManagedFieldsEntry| {
        let is_main = entry.subresource.as_deref().unwrap_or_default().is_empty();
        let writes_spec = entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:spec").is_some());
        if is_main && writes_spec { Takes::All } else { Takes::Nothing }
    };
    let entries = serde_json::from_value(entries).unwrap_or_default();
    take_over(entries, manager, "apps/v1", None, takes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_spec_are_taken_over_and_those_of_the_status_are_not() {
        let entries = json!([
            {"manager": "manager", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}, "f:spec": {"f:a": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {"f:c": {}}}}},
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        ]);
        let entries = json!(ours(entries, "function-controller"));
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
