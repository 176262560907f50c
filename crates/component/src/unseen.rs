//! Children that exist and that no cache shows: without the label by which its kind is watched a child is out of sight.

use crate::children::{Ownership, View, ownership};
use crate::context::Context;
use crate::execute::Keys;
use functionmesh_render::{Component, Workload};
use functionmesh_runtime::apply::ApplyError;
use functionmesh_runtime::recent::Recent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::reflector::ObjectRef;

impl<K: Component> Context<K> {
    /// Reads a child of a kind once, and shows it to whoever asks the caches when it belongs to the object. Returns whether
    /// it does.
    ///
    /// # Errors
    /// When the API server refuses or fails.
    pub async fn find(
        &self,
        kind: &str,
        workload: &Workload,
        owner: &OwnerReference,
    ) -> Result<bool, ApplyError> {
        let keys = Keys::of(workload);
        match kind {
            "StatefulSet" => self.look(&self.stateful_sets, keys.same(), owner).await,
            "Service" => self.look(&self.services, keys.service(), owner).await,
            "HorizontalPodAutoscaler" => self.look(&self.horizontal_autoscalers, keys.same(), owner).await,
            "VerticalPodAutoscaler" => self.look(&self.vertical_autoscalers.cache, keys.same(), owner).await,
            "Job" => self.look(&self.jobs, keys.cleanup(), owner).await,
            _ => Ok(false),
        }
    }

    async fn look<V: View>(
        &self,
        cache: &Recent<V>,
        key: ObjectRef<V>,
        owner: &OwnerReference,
    ) -> Result<bool, ApplyError> {
        let namespace = key.namespace.clone().unwrap_or_default();
        let Some(mut live) = self.writer.find::<V>(&namespace, &key.name).await? else { return Ok(false) };
        live.trim(self.writer.manager());
        if ownership(live.meta(), owner) != Ownership::Ours {
            return Ok(false);
        }
        cache.wrote(key, live);
        Ok(true)
    }
}
