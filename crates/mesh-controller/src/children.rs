//! The components as the caches show them.

use crate::items::Kind;
use crate::reason::{PROGRESSING, READY, Reason};
use functionmesh_api::constants::ANNOTATION_MESH_ITEM_HASH;
use functionmesh_api::status::ComponentStatus;
use functionmesh_runtime::declared::Declared;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, ResourceExt};
use serde_json::Value;

/// A Function, Source or Sink as it is cached.
pub type Child<K> = Declared<K, ComponentStatus>;

/// What is read of a component.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its kind.
    pub kind: Kind,
    /// Name of the object.
    pub name: String,
    /// Uid of the object that controls it, if any.
    pub controller: Option<String>,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// Hash of the item it was made from.
    pub hash: Option<String>,
    /// Its `spec`; null when it cannot be read.
    pub spec: Value,
    /// Its `Ready` condition, when that speaks of the newest `spec`.
    pub ready: Option<Condition>,
    /// Its `Progressing` condition, in the same way.
    pub progressing: Option<Condition>,
}

impl Seen {
    /// Reads a cached component.
    pub fn of<K: Resource<DynamicType = ()>>(kind: Kind, child: &Child<K>) -> Self {
        let metadata = child.meta();
        let current = child.status.observed_generation >= metadata.generation;
        let condition = |type_| child.status.conditions.get(type_).filter(|_| current).cloned();
        let controllers = metadata.owner_references.iter().flatten();
        Self {
            kind,
            name: child.name_any(),
            controller: controllers.filter(|r| r.controller == Some(true)).map(|r| r.uid.clone()).next(),
            leaving: metadata.deletion_timestamp.is_some(),
            hash: child.annotations().get(ANNOTATION_MESH_ITEM_HASH).cloned(),
            spec: child.spec().unwrap_or_default(),
            ready: condition(READY),
            progressing: condition(PROGRESSING),
        }
    }

    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.ready.as_ref().is_some_and(|c| c.status == "True")
    }

    /// Whether it may become ready without help; so may what says nothing yet.
    pub fn progresses(&self) -> bool {
        self.progressing.as_ref().is_none_or(|c| c.status == "True")
    }

    /// Whether it had its time to become ready.
    pub fn is_overdue(&self) -> bool {
        self.progressing
            .as_ref()
            .is_some_and(|c| c.status == "False" && c.reason == Reason::ProgressDeadlineExceeded.as_str())
    }
}
