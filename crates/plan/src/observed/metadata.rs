//! The metadata of children: which parts are cached, and which are compared.

use crate::observed::ownership::controller;
use crate::rollout::provenance::RENDERED_FROM;
use functionmesh_render::RENDERED_HASH;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::ObjectMeta;
use std::collections::BTreeMap;

/// Annotation of a `StatefulSet`: its generation after a change that left its template unchanged, such as of its replicas. The
/// same patch writes it, so that the change is not mistaken for one by another field manager.
pub(crate) const ADJUSTED: &str = "compute.functionmesh.io/adjusted-generation";

/// Whether the live object has the controller reference of the rendering.
pub(crate) fn has_owner(live: &ObjectMeta, desired: &ObjectMeta) -> bool {
    controller(live).is_some_and(|r| controller(desired).is_some_and(|wanted| r.uid == wanted.uid))
}

/// Whether the live object has every label of the rendering.
pub(crate) fn has_labels(live: &ObjectMeta, desired: &ObjectMeta) -> bool {
    let empty = BTreeMap::new();
    let live = live.labels.as_ref().unwrap_or(&empty);
    desired.labels.iter().flatten().all(|(key, value)| live.get(key) == Some(value))
}

/// The one entry of `managedFields` that is kept, without its fields: it records that the operator applied an object that has no
/// controller reference any more. Other objects keep no entry.
fn mark(metadata: &ObjectMeta, manager: &str) -> Option<Vec<ManagedFieldsEntry>> {
    let ours = |entry: &&ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.is_none()
    };
    let found = metadata.managed_fields.iter().flatten().find(ours);
    found.filter(|_| controller(metadata).is_none()).map(|entry| {
        vec![ManagedFieldsEntry { manager: entry.manager.clone(), ..ManagedFieldsEntry::default() }]
    })
}

/// The metadata that is read anywhere. `manager` is the operator's field manager.
pub(crate) fn pruned_metadata(metadata: ObjectMeta, manager: &str) -> ObjectMeta {
    ObjectMeta {
        managed_fields: mark(&metadata, manager),
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        deletion_timestamp: metadata.deletion_timestamp,
        labels: metadata.labels,
        // The vector has grown, and has spare capacity.
        owner_references: metadata.owner_references.map(|owners| owners.into_boxed_slice().into_vec()),
        annotations: metadata
            .annotations
            .map(|mut annotations| {
                annotations.retain(|key, _| [RENDERED_HASH, RENDERED_FROM, ADJUSTED].contains(&key.as_str()));
                annotations
            })
            .filter(|annotations| !annotations.is_empty()),
        ..ObjectMeta::default()
    }
}
