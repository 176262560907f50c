//! The components as the caches show them.

use crate::items::{Kind, label};
use crate::reason::Reason;
use functionmesh_api::condition::{PROGRESSING, READY};
use functionmesh_api::constants::{ANNOTATION_MESH_ITEM_HASH, LABEL_MESH};
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

/// Drops what is not read. `manager` is the field manager under which we write.
pub(crate) fn prune<K: Resource<DynamicType = ()>>(child: &mut Child<K>, manager: &str) {
    let entries = &mut child.meta_mut().managed_fields;
    if let Some(applied) = entries {
        applied.retain(|entry| entry.manager.as_deref() == Some(manager));
    }
    *entries = entries.take().filter(|applied| !applied.is_empty());
}

/// What is read of a component.
#[derive(Clone, Debug)]
pub(crate) struct ObservedComponent {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Name of the object.
    pub(crate) name: String,
    /// To whom it belongs.
    pub(crate) owner: Owner,
    /// Whether it is being deleted.
    pub(crate) terminating: bool,
    /// Hash of the item it was made from.
    pub(crate) hash: Option<String>,
    /// Its `spec`; none when that cannot be read, which is not the same as an empty one.
    pub(crate) spec: Option<Value>,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Who owns its fields.
    pub(crate) owners: Owners,
    /// Its `Ready` condition, when that speaks of the newest `spec`.
    pub(crate) ready: Option<Condition>,
    /// Its `Progressing` condition, in the same way.
    pub(crate) progressing: Option<Condition>,
}

/// To whom a component belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// To the mesh.
    Ours,
    /// To no object any more; we applied it for a mesh of this name. `kubectl delete --cascade=orphan` leaves it so.
    Orphan,
    /// To a deleted mesh of the same name: the garbage collector is about to delete it.
    Predecessor,
    /// To another object, or to none.
    Foreign,
}

impl Owner {
    /// Finds out to whom a component belongs; the uid decides, since names are used again. Without a controller it is
    /// the API server's word on who applied it that counts, which labels cannot forge; for which mesh says the label,
    /// as two names of a mesh and an item may come to the same name of a component.
    pub(crate) fn of(component: &ObjectMeta, mesh: &OwnerReference) -> Self {
        let controller = component.owner_references.iter().flatten().find(|r| r.controller == Some(true));
        let labelled = || component.labels.as_ref().and_then(|all| all.get(LABEL_MESH));
        match controller {
            Some(r) if r.uid == mesh.uid => Self::Ours,
            Some(r) if r.kind == mesh.kind && r.name == mesh.name => Self::Predecessor,
            None if component.managed_fields.is_some() && labelled() == Some(&label(&mesh.name)) => {
                Self::Orphan
            }
            _ => Self::Foreign,
        }
    }
}

impl ObservedComponent {
    /// Reads a cached component. `mesh` is the one that wants it.
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

    /// Whether it may become ready without help; so may what says nothing yet.
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
