//! The Job that cleans up after a deleted object.

use crate::context::Context;
use crate::object::Object;
use functionmesh_api::constants::{
    ANNOTATION_NEED_CLEANUP, LABEL_PULSAR_CLUSTER, LABEL_PULSAR_CLUSTER_SHORT,
};
use functionmesh_plan::rollout::backend_config::Backend;
use functionmesh_render::{Component, Workload, cleanup};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

/// The Job to run after the deletion of the object; none if there is nothing to remove, or the cleanup is disabled.
pub(crate) fn job<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    backend: &Backend,
    cx: &Context<K>,
) -> Option<Job> {
    if is_skipped(object) {
        return None;
    }
    let mut job = cleanup(workload, &cx.environment, &backend.defaults)?;
    // A foreground deletion waits for, and deletes, children that block it: the Job must not.
    for owner in job.metadata.owner_references.iter_mut().flatten() {
        owner.block_owner_deletion = Some(false);
    }
    Some(job)
}

/// Whether no cleanup runs: the user disabled it, or Pulsar's worker service does it.
pub(super) fn is_skipped<K: Component>(object: &Object<K>) -> bool {
    let labelled = [LABEL_PULSAR_CLUSTER, LABEL_PULSAR_CLUSTER_SHORT];
    labelled.iter().any(|label| object.labels().contains_key(*label))
        || object.annotations().get(ANNOTATION_NEED_CLEANUP).is_some_and(|value| value == "false")
}
