//! State that all reconciles of a controller share.

use crate::backend_configs::BackendConfigs;
use crate::child_names::ChildNames;
use crate::deferred_status::DeferredStatuses;
use crate::finalize::cleanups::Cleanups;
use crate::object::Object;
use crate::optional_api;
use functionmesh_api::condition;
use functionmesh_api::status::ComponentStatus;
use functionmesh_plan::health::pods::Pods;
use functionmesh_plan::health::reason::Reason;
use functionmesh_plan::observed::autoscaler::AutoscalerView;
use functionmesh_plan::observed::job::JobView;
use functionmesh_plan::observed::pod::PodView;
use functionmesh_plan::observed::service::ServiceView;
use functionmesh_plan::observed::statefulset::StatefulSetView;
use functionmesh_plan::observed::view::{Labelled, View};
use functionmesh_plan::plan::Observed;
use functionmesh_plan::rollout::policy::RolloutPolicy;
use functionmesh_plan::rollout::provenance::OperatorHash;
use functionmesh_render::{Component, Defaults, Desired, Environment, Workload};
use functionmesh_runtime::apply::Writer;
use functionmesh_runtime::event::Events;
use functionmesh_runtime::failing::Failing;
use functionmesh_runtime::index::{Indexed, Key};
use functionmesh_runtime::mutation_cache::{MutationCache, PendingWrites};
use functionmesh_runtime::optional::Optional;
use functionmesh_runtime::terminating_namespaces::TerminatingNamespaces;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::WriterDropped;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The renderer: a value, so that tests can use another one.
pub type Render = fn(&Workload, &Environment, &Defaults) -> Desired;

/// Caches, API access and the operator's configuration.
pub(crate) struct Context<K: Component> {
    /// Writes with the field manager of this controller.
    pub(crate) writer: Writer,
    /// Publishes Events.
    pub(crate) events: Events,
    /// The renderer.
    pub(crate) render: Render,
    /// The operator's configuration.
    pub(crate) environment: Environment,
    /// Its hash.
    pub(crate) operator: OperatorHash,
    /// The rollout policy for all objects.
    pub(crate) policy: RolloutPolicy,
    /// Defaults for the components of a namespace, or of all.
    pub(crate) backend_configs: BackendConfigs,
    /// The `StatefulSet`s.
    pub(crate) stateful_sets: MutationCache<StatefulSetView>,
    /// The headless Services.
    pub(crate) services: MutationCache<ServiceView>,
    /// The `HorizontalPodAutoscaler`s.
    pub(crate) horizontal_autoscalers: MutationCache<AutoscalerView<HorizontalPodAutoscaler>>,
    /// The `VerticalPodAutoscaler`s, in clusters that have the kind.
    pub(crate) vertical_autoscalers: Arc<Optional<optional_api::View>>,
    /// The cleanup Jobs.
    pub(crate) jobs: MutationCache<JobView>,
    /// The pods by the object they belong to, for their diagnosis.
    pub(crate) pods: Indexed<PodView>,
    /// The last status written of each object, until the cache shows it.
    pub(crate) statuses: PendingWrites<Object<K>, ComponentStatus>,
    /// The delayed first statuses.
    pub(crate) deferred_statuses: DeferredStatuses,
    /// Objects whose writes fail.
    pub(crate) failing: Failing,
    /// Finalizers that this controller added or removed, until the cache shows it.
    pub(crate) finalizers: PendingWrites<Object<K>, bool>,
    /// The deleted objects that are cleaned up.
    pub(crate) cleanups: Cleanups<K>,
    /// Terminating namespaces.
    pub(crate) terminating_namespaces: TerminatingNamespaces,
    /// Whether every cache was filled once.
    pub(crate) filled: OnceCell<()>,
}

impl<K: Component> Context<K> {
    /// The newest known status of an object: the controller's own write if the cache is behind. Conditions of other writers are
    /// left out.
    pub(crate) fn current_status(&self, object: &Object<K>) -> ComponentStatus {
        let status = self.statuses.newest(object, |object| object.status.clone());
        let ours = condition::managed(status.conditions.list(), &Reason::ALL.map(Reason::docs));
        ComponentStatus { conditions: status.conditions.with(ours), ..status }
    }

    /// The same including a delayed status that is not written yet.
    pub(crate) fn recorded_status(&self, object: &Object<K>) -> ComponentStatus {
        self.deferred_statuses.of(object.meta()).unwrap_or_else(|| self.current_status(object))
    }

    /// The newest known resource version of an object, including the controller's own writes.
    pub(crate) fn known_version(&self, object: &Object<K>) -> u64 {
        self.statuses.version(object).max(self.finalizers.version(object))
    }

    /// The newest known children of a workload.
    pub(crate) fn observed(&self, workload: &Workload) -> Observed {
        let names = ChildNames::of(workload);
        Observed {
            service: self.services.get(&names.service()).map(View::unpacked),
            stateful_set: self.stateful_set(&names.same()),
            horizontal_autoscaler: self.horizontal_autoscalers.get(&names.same()),
            vertical_autoscaler: self.vertical_autoscalers.cache.get(&names.same()),
        }
    }

    /// The newest known `StatefulSet` of a name.
    pub(crate) fn stateful_set(&self, name: &ObjectRef<StatefulSetView>) -> Option<StatefulSetView> {
        self.stateful_sets.get(name).map(View::unpacked)
    }

    /// Whether a write or deletion of a child is not in its cache yet.
    pub(crate) fn awaits_children(&self, workload: &Workload) -> bool {
        let names = ChildNames::of(workload);
        self.services.awaits(&names.service())
            || self.stateful_sets.awaits(&names.same())
            || self.horizontal_autoscalers.awaits(&names.same())
            || self.vertical_autoscalers.cache.awaits(&names.same())
    }

    /// The current combined diagnosis of the pods of an object. `newest` is the revision of the newest template, if it is known.
    pub(crate) fn pods_of(&self, object: &Object<K>, newest: Option<&str>, now: Timestamp) -> Pods {
        let pods = self.pods.with(key_of(object.meta()));
        Pods::of(pods.iter().map(Arc::as_ref).filter(|pod| belongs(pod, object)), newest, now)
    }

    /// Whether pods of an object are left.
    pub(crate) fn has_pods(&self, object: &Object<K>) -> bool {
        self.pods.with(key_of(object.meta())).iter().any(|pod| belongs(pod, object))
    }

    /// Waits until every cache was filled once: a plan against an empty cache would write everything again. One task waits for
    /// the caches, and all others for that task: of several tasks that wait for a cache, kube wakes only the last one.
    ///
    /// # Errors
    /// If a watch ended permanently, which happens only when the process ends.
    pub(crate) async fn caches_filled(&self) -> Result<(), WriterDropped> {
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

/// The key of the pods of an object.
fn key_of(object: &ObjectMeta) -> Key {
    Key::of(object.namespace.as_deref(), object.name.as_deref().unwrap_or_default())
}

/// The key by which the object of a pod finds it: that of [`key_of`].
pub(crate) fn keys_of_pod(pod: &PodView) -> Vec<Key> {
    let namespace = pod.metadata.namespace.as_deref();
    pod.owner().map(|name| Key::of(namespace, name)).into_iter().collect()
}

fn belongs<K: Component>(pod: &PodView, object: &Object<K>) -> bool {
    let (metadata, name) = (object.meta(), pod.owner());
    pod.metadata.namespace == metadata.namespace && name.is_some() && name == metadata.name.as_deref()
}
