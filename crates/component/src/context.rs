//! What every reconcile of one controller shares.

use crate::children::{ServiceView, StatefulSetView};
use crate::pods::{Cause, PodView};
use crate::reconcile::Object;
use crate::recent::Recent;
use functionmesh_api::constants::LABEL_NAME;
use functionmesh_api::status::ComponentStatus;
use functionmesh_render::{Component, Environment};
use functionmesh_runtime::apply::Writer;
use functionmesh_runtime::event::Events;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Caches, the way to write, and the operator's configuration.
pub struct Context<K: Component> {
    /// Writes in the name of this controller.
    pub writer: Writer,
    /// Publishes Events.
    pub events: Events,
    /// The operator's configuration.
    pub environment: Environment,
    /// The pods' sets.
    pub stateful_sets: Recent<StatefulSetView>,
    /// The headless Services.
    pub services: Recent<ServiceView>,
    /// The pods, for what is wrong with them.
    pub pods: Store<PodView>,
    /// The last status written of each object, until the cache shows it.
    pub statuses: Statuses<K>,
}

impl<K: Component> Context<K> {
    /// The newest known status of an object: our own write when the cache is behind.
    pub fn current_status(&self, object: &Object<K>) -> ComponentStatus {
        self.statuses.newer_than(object).unwrap_or_else(|| object.status.clone())
    }

    /// The worst thing known about the pods of an object.
    pub fn cause(&self, object: &Object<K>) -> Option<Cause> {
        let (name, namespace) = (object.name_any(), object.namespace());
        let belongs = |pod: &PodView| {
            pod.metadata.namespace == namespace && pod.labels().get(LABEL_NAME) == Some(&name)
        };
        self.pods.state().iter().filter(|pod| belongs(pod)).filter_map(|pod| pod.cause.clone()).min()
    }

    /// Waits until every cache was filled once: a plan against an empty cache would write everything again.
    ///
    /// # Errors
    /// When a watch ended for good, which only the end of the process explains.
    pub async fn caches_filled(&self) -> Result<(), kube::runtime::reflector::store::WriterDropped> {
        self.stateful_sets.filled().await?;
        self.services.filled().await?;
        self.pods.wait_until_ready().await
    }
}

/// Our own status writes, until the cache shows them.
pub struct Statuses<K: Component> {
    store: Store<Object<K>>,
    written: Mutex<HashMap<ObjectRef<Object<K>>, (u64, ComponentStatus)>>,
}

impl<K: Component> Statuses<K> {
    /// Lays an empty memory over the cache of the objects themselves.
    pub fn over(store: Store<Object<K>>) -> Self {
        Self { store, written: Mutex::default() }
    }

    /// Remembers what was written, with the resource version of the answer.
    pub fn wrote(&self, object: &Object<K>, answered: u64, status: ComponentStatus) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // What the cache shows by now, or shows no more, needs no remembering: only a handful is ever left.
        written.retain(|key, (ours, _)| self.store.get(key).is_some_and(|cached| version(&cached) < *ours));
        written.insert(ObjectRef::from_obj(object), (answered, status));
    }

    /// The last written status, when the object in hand is older than the write.
    fn newer_than(&self, object: &Object<K>) -> Option<ComponentStatus> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (ours, status) = written.get(&ObjectRef::from_obj(object))?;
        (*ours > version(object)).then(|| status.clone())
    }
}

/// Resource versions of one resource can be compared as numbers (KEP-5504).
fn version<K: Component>(object: &Object<K>) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).unwrap_or_default()
}
