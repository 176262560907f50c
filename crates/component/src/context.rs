//! What every reconcile of one controller shares.

use crate::Render;
use crate::applied::Applied;
use crate::backend::BackendConfigs;
use crate::children::{ServiceView, StatefulSetView};
use crate::cleanup::Cleanups;
use crate::execute::Keys;
use crate::jobs::JobView;
use crate::pinned::Wishes;
use crate::plan::Observed;
use crate::pods::{PodView, Pods};
use crate::postponed::Postponed;
use crate::reason::Reason;
use crate::reconcile::Object;
use crate::vertical;
use functionmesh_api::condition;
use functionmesh_api::constants::LABEL_NAME;
use functionmesh_api::status::ComponentStatus;
use functionmesh_render::{Component, Environment, Workload};
use functionmesh_runtime::apply::Writer;
use functionmesh_runtime::denied::Denied;
use functionmesh_runtime::event::Events;
use functionmesh_runtime::failing::Failing;
use functionmesh_runtime::leaving::Leaving;
use functionmesh_runtime::optional::Optional;
use functionmesh_runtime::recent::{Recent, Written};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::WriterDropped;
use kube::{Resource, ResourceExt};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Caches, the way to write, and the operator's configuration.
pub struct Context<K: Component> {
    /// Writes in the name of this controller.
    pub writer: Writer,
    /// Publishes Events.
    pub events: Events,
    /// The renderer.
    pub render: Render,
    /// The operator's configuration.
    pub environment: Environment,
    /// Its hash.
    pub operator: String,
    /// What the administrator said about the roll-outs of all objects.
    pub wishes: Wishes,
    /// Defaults for the components of a namespace, or of all.
    pub backend_configs: BackendConfigs,
    /// The pods' sets.
    pub stateful_sets: Recent<StatefulSetView>,
    /// The headless Services.
    pub services: Recent<ServiceView>,
    /// What scales the objects.
    pub horizontal_autoscalers: Recent<Applied<HorizontalPodAutoscaler>>,
    /// What adjusts the resources of pods, on clusters that have it.
    pub vertical_autoscalers: Arc<Optional<vertical::View>>,
    /// What cleans up after objects that are deleted.
    pub jobs: Recent<JobView>,
    /// The pods, for what is wrong with them.
    pub pods: Store<PodView>,
    /// The last status written of each object, until the cache shows it.
    pub statuses: Written<Object<K>, ComponentStatus>,
    /// The first statuses that are kept back.
    pub postponed: Postponed,
    /// Objects whose writes fail.
    pub failing: Failing,
    /// Whether we added the finalizer to an object or removed it, until the cache shows it.
    pub finalizers: Written<Object<K>, bool>,
    /// The deleted objects that are cleaned up.
    pub cleanups: Cleanups<K>,
    /// Namespaces that are being deleted.
    pub leaving: Leaving,
    /// Namespaces that may not be watched.
    pub denied: Denied,
    /// Whether every cache was filled once.
    pub filled: OnceCell<()>,
}

impl<K: Component> Context<K> {
    /// The newest known status of an object: our own write when the cache is behind. Conditions that others keep in it are
    /// left out.
    pub fn current_status(&self, object: &Object<K>) -> ComponentStatus {
        let status = self.statuses.newest(object, |object| object.status.clone());
        let ours = condition::ours(status.conditions.list(), &Reason::ALL.map(Reason::explained));
        ComponentStatus { conditions: status.conditions.with(ours), ..status }
    }

    /// The same with what is kept back: what we did, written or not.
    pub fn recorded_status(&self, object: &Object<K>) -> ComponentStatus {
        self.postponed.of(object.meta()).unwrap_or_else(|| self.current_status(object))
    }

    /// The newest known resource version of an object, our own writes of it included.
    pub fn known_version(&self, object: &Object<K>) -> u64 {
        self.statuses.version(object).max(self.finalizers.version(object))
    }

    /// The children of a workload as they are known.
    pub fn observed(&self, workload: &Workload) -> Observed {
        let keys = Keys::of(workload);
        Observed {
            service: self.services.get(&keys.service()),
            stateful_set: self.stateful_sets.get(&keys.same()),
            horizontal_autoscaler: self.horizontal_autoscalers.get(&keys.same()),
            vertical_autoscaler: self.vertical_autoscalers.cache.get(&keys.same()),
        }
    }

    /// Whether a child was written that its cache does not show yet, or no more.
    pub fn awaits_children(&self, workload: &Workload) -> bool {
        let keys = Keys::of(workload);
        self.services.awaits(&keys.service())
            || self.stateful_sets.awaits(&keys.same())
            || self.horizontal_autoscalers.awaits(&keys.same())
            || self.vertical_autoscalers.cache.awaits(&keys.same())
    }

    /// What the pods of an object tell now. `newest` is the revision of the newest template, when it is known.
    pub fn pods_of(&self, object: &Object<K>, newest: Option<&str>, now: Timestamp) -> Pods {
        let pods = self.pods.state();
        Pods::of(pods.iter().map(Arc::as_ref).filter(|pod| belongs(pod, object)), newest, now)
    }

    /// Whether pods of an object are left.
    pub fn has_pods(&self, object: &Object<K>) -> bool {
        self.pods.state().iter().any(|pod| belongs(pod, object))
    }

    /// Waits until every cache was filled once: a plan against an empty cache would write everything again. One task waits
    /// for the caches, the others for it: of several that wait for a cache, kube wakes only the last one.
    ///
    /// # Errors
    /// When a watch ended for good, which only the end of the process explains.
    pub async fn caches_filled(&self) -> Result<(), WriterDropped> {
        self.filled.get_or_try_init(|| self.wait()).await.copied()
    }

    async fn wait(&self) -> Result<(), WriterDropped> {
        self.backend_configs.filled().await?;
        self.stateful_sets.filled().await?;
        self.services.filled().await?;
        self.horizontal_autoscalers.filled().await?;
        self.jobs.filled().await?;
        self.vertical_autoscalers.known().await;
        self.pods.wait_until_ready().await
    }
}

fn belongs<K: Component>(pod: &PodView, object: &Object<K>) -> bool {
    let (metadata, name) = (object.meta(), pod.labels().get(LABEL_NAME));
    pod.metadata.namespace == metadata.namespace && name.is_some() && name == metadata.name.as_ref()
}
