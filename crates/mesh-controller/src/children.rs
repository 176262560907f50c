//! The components as the caches show them.

use crate::items::Kind;
use crate::reason::Reason;
use functionmesh_api::condition::{PROGRESSING, READY};
use functionmesh_api::constants::{ANNOTATION_MESH_ITEM_HASH, LABEL_MESH};
use functionmesh_api::mesh_label;
use functionmesh_api::status::ComponentStatus;
use functionmesh_objects::managed_fields::Owners;
use functionmesh_runtime::raw_object::RawObject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference};
use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde_json::Value;
use std::collections::BTreeMap;

/// A Function, Source or Sink as it is cached.
pub(crate) type Child<K> = RawObject<K, ComponentStatus>;

/// Drops everything that is not read. `manager` is the field manager of this controller.
pub(crate) fn prune<K: Resource<DynamicType = ()>>(child: &mut Child<K>, manager: &str) {
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
    /// Hash of the item that it was created from.
    pub(crate) hash: Option<String>,
    /// Its `spec`; none if it does not decode, which is different from an empty one.
    pub(crate) spec: Option<Value>,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// The owners of its fields.
    pub(crate) owners: Owners,
    /// Its `Ready` condition, if it describes the newest `spec`.
    pub(crate) ready: Option<Condition>,
    /// Its `Progressing` condition, under the same rule.
    pub(crate) progressing: Option<Condition>,
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

impl ObservedComponent {
    /// Reads a cached component. `mesh` is the mesh that has an item of this name.
    pub(crate) fn of<K: Resource<DynamicType = ()>>(
        kind: Kind,
        child: &Child<K>,
        mesh: &OwnerReference,
    ) -> Self {
        let metadata = child.meta();
        let current = child.status.observed_generation >= metadata.generation;
        let condition = |type_| child.status.conditions.get(type_).filter(|_| current).cloned();
        Self {
            kind,
            name: child.name_any(),
            owner: Owner::of(metadata, mesh),
            terminating: metadata.deletion_timestamp.is_some(),
            hash: child.annotations().get(ANNOTATION_MESH_ITEM_HASH).cloned(),
            spec: child.spec().ok(),
            labels: metadata.labels.clone().unwrap_or_default(),
            owners: child.owners,
            ready: condition(READY),
            progressing: condition(PROGRESSING),
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
