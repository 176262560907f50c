//! Metadata and references that the objects of a component share.

use crate::resource::labels::selector_labels;
use crate::workload::Workload;
use functionmesh_api::constants::API_VERSION;
use k8s_openapi::api::autoscaling::v2::CrossVersionObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// Metadata of an object that is owned by the component.
pub(crate) fn metadata(workload: &Workload, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(workload.namespace.clone()),
        labels: Some(selector_labels(workload)),
        owner_references: Some(vec![OwnerReference {
            api_version: API_VERSION.to_owned(),
            kind: workload.kind.name().to_owned(),
            name: workload.owner.name.clone(),
            uid: workload.owner.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    }
}

/// The custom resource as scale target of an autoscaler.
pub(crate) fn scale_target(workload: &Workload) -> CrossVersionObjectReference {
    CrossVersionObjectReference {
        api_version: Some(API_VERSION.to_owned()),
        kind: workload.kind.name().to_owned(),
        name: workload.owner.name.clone(),
    }
}
