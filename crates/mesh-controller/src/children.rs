//! The components as the caches show them.

use crate::items::{DesiredComponent, Kind, contained};
use crate::reason::Reason;
use functionmesh_api::condition::{PROGRESSING, READY};
use functionmesh_api::constants::{ANNOTATION_MESH_ITEM_HASH, LABEL_MESH};
use functionmesh_api::status::ComponentStatus;
use functionmesh_api::{FunctionMesh, mesh_label};
use functionmesh_objects::managed_fields::Owners;
use functionmesh_objects::shard::Shard;
use functionmesh_runtime::raw_object::RawObject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference};
use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

/// A Function, Source or Sink as it is cached.
pub(crate) type Child<K> = RawObject<K, ComponentStatus>;

/// Drops everything that is not read. `manager` is the field manager of this controller. The spec is compared only with that of
/// an item, and most components of a cluster may belong to no mesh, or to a mesh of another shard.
pub(crate) fn prune<K: Resource<DynamicType = ()>>(child: &mut Child<K>, manager: &str, shard: Shard) {
    let namespace = child.meta().namespace.as_deref().unwrap_or_default();
    let of_mesh = |owner: &&OwnerReference| owner.kind == FunctionMesh::kind(&());
    let mut meshes = child.owner_references().iter().filter(of_mesh).peekable();
    let is_read = match meshes.peek() {
        Some(_) => meshes.any(|mesh| shard.has(namespace, &mesh.name)),
        // Its mesh may have been deleted without it.
        None => child.labels().contains_key(LABEL_MESH),
    };
    if !is_read {
        child.drop_content();
    }
    let entries = &mut child.meta_mut().managed_fields;
    if let Some(applied) = entries {
        applied.retain(|entry| entry.manager.as_deref() == Some(manager));
    }
    *entries = entries.take().filter(|applied| !applied.is_empty());
}

/// The parts of a component that are read.
#[derive(Clone, Debug)]
pub(crate) struct ObservedComponent {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Name of the object.
    pub(crate) name: String,
    /// Its owner.
    pub(crate) owner: Owner,
    /// Whether it is being deleted.
    pub(crate) terminating: bool,
    /// How its `spec` compares with its item.
    pub(crate) spec: LiveSpec,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// The owners of its fields.
    pub(crate) owners: Owners,
    /// Its `Ready` condition, if it describes the newest `spec`.
    pub(crate) ready: Option<Condition>,
    /// Its `Progressing` condition, under the same rule.
    pub(crate) progressing: Option<Condition>,
    /// Whether it was ready when an earlier `spec` was its newest; false once the newest has been reported on.
    pub(crate) was_ready: bool,
}

/// How the `spec` of a component compares with its item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveSpec {
    /// It was made from the current item, and still contains everything that the item states.
    Current,
    /// It was made from another item, was changed, or has no item.
    Different,
    /// It was made from the current item and does not decode, which is no difference.
    Unreadable,
}

/// The owner of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The mesh.
    Ours,
    /// No object any more; this controller applied it for a mesh of this name. `kubectl delete --cascade=orphan` leaves it in
    /// this state.
    Orphan,
    /// A deleted mesh of the same name: the garbage collector is about to delete the component.
    Predecessor,
    /// Another object, or none.
    Foreign,
}

impl Owner {
    /// Determines the owner of a component by uid, because names are reused. Without a controller reference, the field managers
    /// that the API server records decide, because labels can be forged. The label only tells which mesh it was applied for: two
    /// pairs of mesh and item names may result in the same component name.
    pub(crate) fn of(component: &ObjectMeta, mesh: &OwnerReference) -> Self {
        let controller = component.owner_references.iter().flatten().find(|r| r.controller == Some(true));
        let labelled = || component.labels.as_ref().and_then(|all| all.get(LABEL_MESH));
        match controller {
            Some(r) if r.uid == mesh.uid => Self::Ours,
            Some(r) if r.kind == mesh.kind && r.name == mesh.name => Self::Predecessor,
            None if component.managed_fields.is_some() && labelled() == Some(&mesh_label(&mesh.name)) => {
                Self::Orphan
            }
            _ => Self::Foreign,
        }
    }
}

/// Results of comparisons of the components of a mesh with their items, by kind and name, for a uid and a generation of the
/// component: a status, which changes more often than any `spec`, needs no other comparison.
#[derive(Debug, Default)]
pub(crate) struct Compared(Mutex<HashMap<(Kind, String), (Version, LiveSpec)>>);

/// The uid and the generation of a component: they determine its `spec`.
type Version = (Option<String>, Option<i64>);

impl Compared {
    fn known(&self, item: &DesiredComponent, version: &Version) -> Option<LiveSpec> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (compared, result) = known.get(&(item.kind, item.name.clone()))?;
        (compared == version).then_some(*result)
    }

    fn remember(&self, item: &DesiredComponent, version: Version, result: LiveSpec) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((item.kind, item.name.clone()), (version, result));
    }
}

fn compare<K: Resource<DynamicType = ()>>(
    child: &Child<K>,
    item: &DesiredComponent,
    compared: &Compared,
) -> LiveSpec {
    if child.annotations().get(ANNOTATION_MESH_ITEM_HASH) != Some(&item.hash) {
        return LiveSpec::Different;
    }
    let version = (child.uid(), child.meta().generation);
    compared.known(item, &version).unwrap_or_else(|| {
        let result = match child.spec::<Value>() {
            Ok(spec) if contained(&item.spec(), &spec) => LiveSpec::Current,
            Ok(_) => LiveSpec::Different,
            Err(_) => LiveSpec::Unreadable,
        };
        compared.remember(item, version, result);
        result
    })
}

impl ObservedComponent {
    /// Reads a cached component. `mesh` is the mesh that has `item`.
    pub(crate) fn of<K: Resource<DynamicType = ()>>(
        kind: Kind,
        child: &Child<K>,
        mesh: &OwnerReference,
        item: Option<&DesiredComponent>,
        compared: &Compared,
    ) -> Self {
        let metadata = child.meta();
        let current = child.status.observed_generation >= metadata.generation;
        let condition = |type_| child.status.conditions.get(type_).filter(|_| current).cloned();
        let earlier = child.status.conditions.get(READY).filter(|_| !current);
        Self {
            kind,
            name: child.name_any(),
            owner: Owner::of(metadata, mesh),
            terminating: metadata.deletion_timestamp.is_some(),
            spec: item.map_or(LiveSpec::Different, |item| compare(child, item, compared)),
            labels: metadata.labels.clone().unwrap_or_default(),
            owners: child.owners,
            ready: condition(READY),
            progressing: condition(PROGRESSING),
            was_ready: earlier.is_some_and(|condition| condition.status == "True"),
        }
    }

    /// Whether it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.as_ref().is_some_and(|c| c.status == "True")
    }

    /// Whether it may become ready without a user; true if it has no condition yet.
    pub(crate) fn progresses(&self) -> bool {
        self.progressing.as_ref().is_none_or(|c| c.status == "True")
    }

    /// Whether it timed out.
    pub(crate) fn is_overdue(&self) -> bool {
        self.progressing
            .as_ref()
            .is_some_and(|c| c.status == "False" && c.reason == Reason::ProgressDeadlineExceeded.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::items;
    use functionmesh_api::Function;
    use serde_json::json;

    fn child(uid: &str, generation: i64, hash: &str, spec: &Value) -> Child<Function> {
        let owner =
            json!({"apiVersion": "v1", "kind": "FunctionMesh", "name": "m", "uid": "1", "controller": true});
        serde_json::from_value(json!({
            "metadata": {"name": "m-a", "namespace": "ns", "uid": uid, "generation": generation,
                "annotations": {ANNOTATION_MESH_ITEM_HASH: hash}, "ownerReferences": [owner]},
            "spec": spec,
        }))
        .unwrap()
    }

    #[test]
    fn a_spec_is_compared_once_for_each_generation() {
        let (desired, _) = items("m", &json!({"functions": [{"name": "a", "className": "A"}]}));
        let (item, compared) = (&desired[0], Compared::default());
        let (same, other) =
            (json!({"name": "a", "className": "A", "replicas": 1}), json!({"name": "a", "className": "B"}));
        let result = |uid: &str, generation: i64, spec: &Value| {
            compare(&child(uid, generation, &item.hash, spec), item, &compared)
        };
        assert_eq!(result("u", 1, &same), LiveSpec::Current);
        assert_eq!(
            result("u", 1, &other),
            LiveSpec::Current,
            "a generation has one spec: it is not decoded again"
        );
        assert_eq!(result("u", 2, &other), LiveSpec::Different);
        assert_eq!(result("v", 2, &same), LiveSpec::Current, "another object of this name");
        assert_eq!(compared.0.lock().unwrap().len(), 1, "as many as there are items");
        assert_eq!(compare(&child("v", 2, "of an older item", &same), item, &compared), LiveSpec::Different);
    }

    #[test]
    fn the_content_of_a_component_without_a_mesh_is_dropped() {
        let spec = json!({"className": "A"});
        let text = |shard: Shard, change: fn(&mut ObjectMeta)| {
            let mut child = child("u", 1, "h", &spec);
            change(child.meta_mut());
            prune(&mut child, "mesh-controller", shard);
            child.spec_text().to_owned()
        };
        assert_eq!(text(Shard::WHOLE, |_| {}), spec.to_string());
        assert_eq!(text(Shard::WHOLE, |metadata| metadata.owner_references = None), "{}");
        let mut foreign = child("u", 1, "h", &spec);
        foreign.meta_mut().owner_references = None;
        foreign.meta_mut().labels = Some([("a".to_owned(), "b".to_owned())].into());
        foreign.status.replicas = Some(1);
        prune(&mut foreign, "mesh-controller", Shard::WHOLE);
        let ObjectMeta { labels, annotations, name, .. } = foreign.meta().clone();
        assert_eq!((labels, annotations, name.as_deref()), (None, None, Some("m-a")), "who it is remains");
        assert_eq!(foreign.status, ComponentStatus::default());
        let label = |metadata: &mut ObjectMeta| {
            metadata.owner_references = None;
            metadata.labels = Some([(LABEL_MESH.to_owned(), "m".to_owned())].into());
        };
        assert_eq!(text(Shard::WHOLE, label), spec.to_string(), "an orphan of a mesh may be adopted");
        for shard in ["0/2", "1/2"] {
            let shard: Shard = shard.parse().unwrap();
            assert_eq!(text(shard, |_| {}) != "{}", shard.has("ns", "m"), "{shard}");
        }
    }
}
