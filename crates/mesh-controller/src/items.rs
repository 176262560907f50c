//! Converts the items of a mesh to the desired components. Pure.
//!
//! Items are kept as JSON, so that every field reaches its component unchanged.

use functionmesh_api::constants::{ANNOTATION_MESH_ITEM_HASH, API_VERSION, LABEL_MESH};
use functionmesh_api::{MeshItem, mesh_items, mesh_label};
use functionmesh_objects::hash::hash_of;
use functionmesh_objects::managed_fields::Owners;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

pub(crate) use functionmesh_api::Kind;

/// A desired component.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DesiredComponent {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Name of the object.
    pub(crate) name: String,
    /// Name in the mesh.
    pub(crate) item: String,
    /// The item, as text: decoded it is ten times the size.
    text: Box<str>,
    /// Hash of the item.
    pub(crate) hash: String,
    /// Whether the mesh sets the number of replicas. Otherwise an autoscaler, `kubectl scale` or another client scales the
    /// component, and the number in the item, if any, is the initial one.
    pub(crate) states_replicas: bool,
}

/// A problem with an item, for the status.
pub(crate) type Problem = String;

/// Reads all items. An invalid item is a problem and does not affect the others; its component still counts as desired.
pub(crate) fn items(mesh: &str, spec: &Value) -> (Vec<DesiredComponent>, Vec<Problem>) {
    let (found, problems) = mesh_items(mesh, spec);
    let desired = |MeshItem { kind, name, item, spec }| {
        // Keys are sorted; encoding maps with string keys cannot fail.
        let text = serde_json::to_string(&spec).unwrap_or_default().into_boxed_str();
        let states_replicas =
            spec.get("replicas").is_some_and(|number| !number.is_null()) && !autoscaled(&spec);
        DesiredComponent { kind, name, item, hash: hash_of(text.as_bytes()), text, states_replicas }
    };
    (found.into_iter().map(desired).collect(), problems)
}

/// Metadata of a component.
pub(crate) fn metadata(desired: &DesiredComponent, namespace: &str, owner: &OwnerReference) -> ObjectMeta {
    ObjectMeta {
        name: Some(desired.name.clone()),
        namespace: Some(namespace.to_owned()),
        labels: Some([(LABEL_MESH.to_owned(), mesh_label(&owner.name))].into()),
        annotations: Some([(ANNOTATION_MESH_ITEM_HASH.to_owned(), desired.hash.clone())].into()),
        owner_references: Some(vec![owner.clone()]),
        ..ObjectMeta::default()
    }
}

impl DesiredComponent {
    /// The item.
    pub(crate) fn spec(&self) -> Map<String, Value> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Whether the field ownership is correct: no other manager shares the fields that the item states, and the mesh does not own
    /// the number of replicas unless the item states it.
    pub(crate) fn is_settled(&self, owners: Owners) -> bool {
        !owners.shared && (!owners.mesh_owns_replicas || self.states_replicas)
    }
}

/// The object to apply. The mesh does not set a number of replicas that the item does not state once the component exists. `live`
/// is the uid of that component: if another one of that name replaced it, the API server refuses the write.
pub(crate) fn object(
    desired: &DesiredComponent,
    namespace: &str,
    owner: &OwnerReference,
    live: Option<String>,
) -> Value {
    let mut spec = desired.spec();
    if live.is_some() && !desired.states_replicas {
        spec.remove("replicas");
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": desired.kind.name(),
        "metadata": ObjectMeta { uid: live, ..metadata(desired, namespace, owner) },
        "spec": spec,
    })
}

/// Whether a live `spec` still contains everything that the item states. Additional fields, such as defaults, do not matter.
pub(crate) fn contained(item: &Map<String, Value>, live: &Value) -> bool {
    item.iter().all(|(key, value)| {
        (key == "replicas" && autoscaled(item)) || live.get(key).is_some_and(|live| within(value, live))
    })
}

fn autoscaled(item: &Map<String, Value>) -> bool {
    item.get("maxReplicas").is_some_and(|v| !v.is_null())
}

fn within(desired: &Value, live: &Value) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            desired.iter().all(|(key, value)| live.get(key).is_some_and(|live| within(value, live)))
        }
        (Value::Array(desired), Value::Array(live)) => {
            desired.len() == live.len()
                && desired.iter().zip(live).all(|(desired, live)| within(desired, live))
        }
        _ => desired == live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_becomes_a_component_and_invalid_ones_are_reported() {
        let spec = json!({
            "functions": [{"name": "a", "className": "A"}, {"name": "a"}, {"className": "B"}],
            "sinks": [{"name": "a"}, {"name": "x".repeat(60)}],
        });
        let (desired, problems) = items("m", &spec);
        let names: Vec<_> = desired.iter().map(|w| (w.kind, w.name.as_str())).collect();
        assert_eq!(names, [(Kind::Function, "m-a"), (Kind::Sink, "m-a")]);
        assert_eq!(problems.len(), 3);
        assert!(problems[0].starts_with("spec.functions[1].name: \"a\" is used twice"), "{problems:?}");
        assert!(problems[1].starts_with("spec.functions[2].name: must be set"), "{problems:?}");
        assert!(problems[2].starts_with("spec.sinks[1].name: the component's name"), "{problems:?}");
    }

    #[test]
    fn what_is_no_list_of_objects_with_names_is_a_problem() {
        for (spec, problem) in [
            (json!({"functions": {"name": "a"}}), "spec.functions: must be a list"),
            (json!({"sinks": "a"}), "spec.sinks: must be a list"),
            (json!({"sources": [5]}), "spec.sources[0].name: must be set"),
            (json!({"sources": [{"name": "a.b"}]}), "spec.sources[0].name: must be lowercase letters"),
            (json!({"sources": [{"name": "-a"}]}), "spec.sources[0].name: must be lowercase letters"),
            (json!({"sources": [{"name": "A"}]}), "spec.sources[0].name: must be lowercase letters"),
        ] {
            let (desired, problems) = items("m", &spec);
            assert!(desired.is_empty() && problems.len() == 1, "{spec}: {problems:?}");
            assert!(problems[0].starts_with(problem), "{problems:?}");
        }
        assert_eq!(items("m", &json!({"functions": null})), (vec![], vec![]));
    }

    #[test]
    fn a_live_spec_may_say_more_but_not_less() {
        let item = json!({"a": {"b": [1, {"c": 2}]}, "replicas": 1}).as_object().cloned().unwrap();
        assert!(contained(
            &item,
            &json!({"a": {"b": [1, {"c": 2, "d": 0}], "e": 1}, "replicas": 1, "minReplicas": 1})
        ));
        assert!(!contained(&item, &json!({"a": {"b": [1]}, "replicas": 1})));
        assert!(!contained(&item, &json!({"a": {"b": [1, {"c": 2}]}, "replicas": 2})));
    }

    #[test]
    fn the_autoscaler_s_replicas_are_not_the_mesh_s() {
        let spec = json!({"functions": [{"name": "a", "replicas": 1, "maxReplicas": 5}]});
        let desired = items("m", &spec).0.remove(0);
        let owner = OwnerReference::default();
        assert_eq!(object(&desired, "ns", &owner, None)["spec"]["replicas"], 1);
        let live = object(&desired, "ns", &owner, Some("u".to_owned()));
        assert_eq!((live["spec"].get("replicas"), &live["metadata"]["uid"]), (None, &json!("u")));
        assert!(contained(&desired.spec(), &json!({"name": "a", "replicas": 4, "maxReplicas": 5})));
    }
}
