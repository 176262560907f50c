//! The cached form of autoscalers, which have no meaningful generation (docs/decisions/0009-autoscalers-are-compared-by-ownership.md).
//!
//! The rendered object cannot be compared with the live one: the API server fills in fields and rewrites quantities. Two other
//! things show whether the live object is as it was applied: the hash of the rendering, in an annotation, and the fields that
//! the operator's field manager owns (`managedFields`). A manager that changes or removes one of these fields takes over its
//! ownership. Defaults, and changes by admission plugins during the apply, affect neither.

use crate::observed::metadata::{has_labels, has_owner, pruned_metadata};
use crate::observed::owned_fields::editor;
use crate::observed::view::{Labelled, View};
use functionmesh_objects::bounded_json::metadata;
use functionmesh_objects::hash::hash_of;
use functionmesh_objects::managed_fields;
use functionmesh_render::RENDERED_HASH;
use kube::Resource;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The cached parts of a child of kind `K`.
pub struct AutoscalerView<K> {
    /// Name, owner, labels and the hash it was rendered with.
    pub metadata: ObjectMeta,
    /// The fields below `spec` that the operator owns, as the API server lists them: one tree for each kind of write.
    held: Vec<Value>,
    /// The field manager that changed it last, if it is another one.
    pub editor: Option<Box<str>>,
    inherited: bool,
    kind: PhantomData<fn() -> K>,
}

impl<K> AutoscalerView<K> {
    /// Whether the last apply is the one that would be sent now, regardless of later edits.
    pub fn was_rendered_as(&self, metadata: &ObjectMeta) -> bool {
        let hash = |of: &ObjectMeta| of.annotations.as_ref()?.get(RENDERED_HASH).cloned();
        !self.inherited && hash(metadata).is_some() && hash(&self.metadata) == hash(metadata)
    }

    /// Whether the object is unchanged since it was applied, and would be applied unchanged.
    pub fn is<T: Serialize>(&self, desired: &T, metadata: &ObjectMeta) -> bool {
        let desired = serde_json::to_value(desired).unwrap_or_default();
        self.was_rendered_as(metadata)
            && has_owner(&self.metadata, metadata)
            && has_labels(&self.metadata, metadata)
            && desired.get("spec").is_none_or(|spec| hold(&self.held.iter().collect::<Vec<_>>(), true, spec))
    }
}

/// Whether every field of a value is in one of the trees. An empty tree stands for everything below: a single value, or a list or
/// object with one owner. Where the schema does not declare the fields (`free`), an object is listed in addition to its fields,
/// as `.`, and an empty tree is one that lost its fields.
fn hold(trees: &[&Value], free: bool, value: &Value) -> bool {
    let Value::Object(fields) = value else { return !trees.is_empty() };
    let whole = |tree: &&Value| !free && tree.as_object().is_some_and(serde_json::Map::is_empty);
    let free_below = trees.iter().any(|tree| tree.get(".").is_some());
    let all = || {
        fields.iter().all(|(key, value)| {
            let key = format!("f:{key}");
            let below: Vec<_> = trees.iter().filter_map(|tree| tree.get(&key)).collect();
            hold(&below, free_below, value)
        })
    };
    trees.iter().any(whole) || (!trees.is_empty() && all())
}

/// Annotates an object with the hash of its own bytes.
pub fn stamped<K: Resource<DynamicType = ()> + Serialize>(mut object: K) -> K {
    let bytes = serde_json::to_vec(&object).unwrap_or_default();
    object.meta_mut().annotations.get_or_insert_default().insert(RENDERED_HASH.to_owned(), hash_of(&bytes));
    object
}

impl<K: Resource<DynamicType = ()> + 'static> Labelled for AutoscalerView<K> {}

impl<K: Resource<DynamicType = ()> + 'static> View for AutoscalerView<K> {
    fn is_inherited(&self) -> bool {
        self.inherited
    }

    fn prune(&mut self, manager: &str) {
        self.editor = editor(&self.metadata, manager);
        self.inherited = managed_fields::is_inherited(&self.metadata, manager);
        // Only an object from the API server has the list.
        let entries = self.metadata.managed_fields.iter_mut().flatten();
        self.held = entries
            .filter(|entry| entry.manager.as_deref() == Some(manager) && entry.subresource.is_none())
            .filter_map(|entry| entry.fields_v1.as_mut()?.0.get_mut("f:spec").map(Value::take))
            .collect();
        self.metadata = pruned_metadata(std::mem::take(&mut self.metadata), manager);
    }
}

impl<'de, K> Deserialize<'de> for AutoscalerView<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read {
            #[serde(deserialize_with = "metadata")]
            metadata: ObjectMeta,
        }
        let Read { metadata } = Read::deserialize(from)?;
        Ok(Self { metadata, held: Vec::new(), editor: None, inherited: false, kind: PhantomData })
    }
}

impl<K> Clone for AutoscalerView<K> {
    fn clone(&self) -> Self {
        let Self { metadata, held, editor, inherited, kind } = self;
        let (metadata, held, editor) = (metadata.clone(), held.clone(), editor.clone());
        Self { metadata, held, editor, inherited: *inherited, kind: *kind }
    }
}

impl<K> fmt::Debug for AutoscalerView<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AutoscalerView")
            .field("metadata", &self.metadata)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl<K: Resource<DynamicType = ()>> Resource for AutoscalerView<K> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
    use serde_json::json;

    fn owner(uid: &str) -> Value {
        json!([{"apiVersion": "v1", "kind": "Function", "name": "f", "uid": uid, "controller": true}])
    }

    fn desired(max: i32) -> HorizontalPodAutoscaler {
        let object = json!({
            "metadata": {"name": "f-function", "labels": {"a": "b"}, "ownerReferences": owner("u")},
            "spec": {"scaleTargetRef": {"kind": "Function", "name": "f"}, "minReplicas": 1, "maxReplicas": max,
                     "behavior": {"scaleUp": {"stabilizationWindowSeconds": 5}}},
        });
        stamped(serde_json::from_value(object).unwrap())
    }

    fn live(manager: &str, spec: &Value) -> AutoscalerView<HorizontalPodAutoscaler> {
        let mut view: AutoscalerView<HorizontalPodAutoscaler> = serde_json::from_value(json!({
            "metadata": {"labels": {"a": "b"}, "annotations": desired(3).metadata.annotations, "ownerReferences": owner("u"),
                "managedFields": [
                {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": spec}},
                {"manager": "ours", "operation": "Update", "subresource": "status", "fieldsV1": {"f:spec": {}}},
            ]},
            "spec": {"maxReplicas": 3, "minReplicas": 1, "metrics": [{"type": "filled in"}]},
        }))
        .unwrap();
        view.prune("ours");
        view
    }

    #[test]
    fn a_child_is_unchanged_while_its_hash_and_field_owners_match() {
        let all = json!({"f:scaleTargetRef": {}, "f:minReplicas": {}, "f:maxReplicas": {},
            "f:behavior": {"f:scaleUp": {"f:stabilizationWindowSeconds": {}}}});
        let is =
            |live: &AutoscalerView<_>, desired: &HorizontalPodAutoscaler| live.is(desired, &desired.metadata);
        assert!(is(&live("ours", &all), &desired(3)));
        assert!(!is(&live("ours", &all), &desired(4)), "something else is rendered");
        assert!(!is(&live("other", &all), &desired(3)), "never ours");
        let taken = json!({"f:scaleTargetRef": {}, "f:minReplicas": {}, "f:maxReplicas": {}, "f:behavior": {"f:scaleUp": {"f:x": {}}}});
        assert!(!is(&live("ours", &taken), &desired(3)), "another manager changed a field of ours");
        let free = json!({".": {}, "f:scaleTargetRef": {".": {}, "f:kind": {}, "f:name": {}}, "f:minReplicas": {}, "f:maxReplicas": {},
            "f:behavior": {".": {}, "f:scaleUp": {".": {}, "f:stabilizationWindowSeconds": {}}}});
        assert!(is(&live("ours", &free), &desired(3)));
        let mut hollow = free.clone();
        hollow["f:behavior"]["f:scaleUp"] = json!({});
        assert!(!is(&live("ours", &hollow), &desired(3)), "another manager changed all fields of an object");
        let mut relabelled = live("ours", &all);
        relabelled.metadata.labels = None;
        assert!(!is(&relabelled, &desired(3)));
        let mut alone = live("ours", &all);
        alone.metadata.owner_references = None;
        assert!(!is(&alone, &desired(3)) && alone.was_rendered_as(&desired(3).metadata));
    }

    #[test]
    fn a_child_with_fields_of_the_go_operator_is_to_be_applied_again() {
        let entry = |manager: &str, operation: &str| {
            json!({"manager": manager, "operation": operation,
            "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:maxReplicas": {}}}})
        };
        let live = |entries: &[Value]| {
            let metadata = json!({"annotations": desired(3).metadata.annotations, "managedFields": entries});
            let mut view: AutoscalerView<HorizontalPodAutoscaler> =
                serde_json::from_value(json!({"metadata": metadata})).unwrap();
            view.prune("ours");
            (view.is_inherited(), view.was_rendered_as(&desired(3).metadata))
        };
        assert_eq!(live(&[entry("ours", "Apply")]), (false, true));
        assert_eq!(live(&[entry("ours", "Apply"), entry("manager", "Update")]), (true, false));
    }

    #[test]
    fn only_the_fields_of_the_operator_are_kept() {
        let view = live("other", &json!({"f:maxReplicas": {}}));
        assert!(view.held.is_empty() && view.metadata.managed_fields.is_none());
    }
}
