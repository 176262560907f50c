//! The Job that cleans up after a deleted object.

use crate::context::Context;
use crate::object::Object;
use functionmesh_plan::deletion::is_skipped;
use functionmesh_plan::rollout::backend_config::Backend;
use functionmesh_render::{Component, Workload, cleanup};
use k8s_openapi::api::batch::v1::Job;
use kube::Resource;

/// The Job to run after the deletion of the object; none if there is nothing to remove, or the cleanup is disabled.
pub(crate) fn job<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    backend: &Backend,
    cx: &Context<K>,
) -> Option<Job> {
    if is_skipped(object.meta()) {
        return None;
    }
    let mut job = cleanup(workload, &cx.environment, &backend.defaults)?;
    // A foreground deletion waits for, and deletes, children that block it: the Job must not.
    for owner in job.metadata.owner_references.iter_mut().flatten() {
        owner.block_owner_deletion = Some(false);
    }
    Some(job)
}
