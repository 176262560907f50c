//! Children that exist but are in no cache, because they lost the label that the watch selects
//! (docs/decisions/0005-children-without-label.md).

use crate::child_names::ChildNames;
use crate::context::Context;
use crate::object::Object;
use functionmesh_api::status::ComponentStatus;
use functionmesh_plan::observed::ownership::{Ownership, ownership};
use functionmesh_plan::observed::view::View;
use functionmesh_plan::plan::Observed;
use functionmesh_render::WorkloadName;
use functionmesh_render::{Component, Desired, Workload};
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::mutation_cache::MutationCache;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;

/// Kind of the autoscaler that changes the number of pods.
const HORIZONTAL: &str = "HorizontalPodAutoscaler";
/// Kind of the autoscaler that changes their resources.
const VERTICAL: &str = "VerticalPodAutoscaler";

impl<K: Component> Context<K> {
    /// Reads a child of a kind once, and adds it to the caches if it belongs to the object. Returns whether
    /// it does.
    ///
    /// # Errors
    /// If the API server refuses or fails.
    pub(crate) async fn find(
        &self,
        kind: &str,
        workload: &Workload,
        owner: &OwnerReference,
    ) -> Result<bool, ApplyError> {
        let names = ChildNames::of(workload);
        match kind {
            "StatefulSet" => self.look(&self.stateful_sets, names.same(), owner).await,
            "Service" => self.look(&self.services, names.service(), owner).await,
            HORIZONTAL => self.look(&self.horizontal_autoscalers, names.same(), owner).await,
            VERTICAL => self.look(&self.vertical_autoscalers.cache, names.same(), owner).await,
            "Job" => self.look(&self.jobs, names.cleanup(), owner).await,
            _ => Ok(false),
        }
    }

    /// Reads recorded autoscalers that are no longer desired and that no cache shows. Returns whether it found one.
    ///
    /// # Errors
    /// If the API server refuses or fails.
    pub(crate) async fn find_leftovers(
        &self,
        workload: &Workload,
        desired: &Desired,
        observed: &Observed,
        status: &ComponentStatus,
        owner: &OwnerReference,
    ) -> Result<bool, ApplyError> {
        let unseen = [
            (HORIZONTAL, desired.horizontal_autoscaler.is_none() && observed.horizontal_autoscaler.is_none()),
            (VERTICAL, desired.vertical_autoscaler.is_none() && observed.vertical_autoscaler.is_none()),
        ];
        let mut found = false;
        for (kind, unseen) in unseen {
            let on_record = status.autoscalers.iter().flatten().any(|known| known == kind);
            let exists = kind != VERTICAL || self.vertical_autoscalers.absence(&workload.namespace).is_none();
            if unseen && on_record && exists {
                found |= self.find(kind, workload, owner).await?;
            }
        }
        Ok(found)
    }

    /// Kinds of the autoscalers of an object that the caches show.
    pub(crate) fn autoscalers_of(&self, object: &Object<K>) -> Vec<String> {
        let metadata = object.meta();
        let name = metadata.name.as_deref().and_then(|name| WorkloadName::new(name, K::KIND).ok());
        let (Some(name), Some(namespace)) = (name, metadata.namespace.as_deref()) else { return Vec::new() };
        let name = name.as_str();
        let horizontal = self.horizontal_autoscalers.get(&ObjectRef::new(name).within(namespace)).is_some();
        let vertical = self.vertical_autoscalers.cache.get(&ObjectRef::new(name).within(namespace)).is_some();
        let kinds = [(horizontal, HORIZONTAL), (vertical, VERTICAL)];
        kinds.into_iter().filter(|(exists, _)| *exists).map(|(_, kind)| kind.to_owned()).collect()
    }

    async fn look<V: View>(
        &self,
        cache: &MutationCache<V>,
        key: ObjectRef<V>,
        owner: &OwnerReference,
    ) -> Result<bool, ApplyError> {
        let namespace = key.namespace.clone().unwrap_or_default();
        let Some(mut live) = self.writer.find::<V>(&namespace, &key.name).await? else { return Ok(false) };
        live.prune(self.writer.manager());
        if ownership(live.meta(), owner) != Ownership::Ours {
            return Ok(false);
        }
        cache.wrote(key, live);
        Ok(true)
    }
}
