//! The common part of every reconcile, whatever the kind: its turn, the newest form of the object, denied namespaces, and the
//! [`Observer`].

use crate::denied::Denied;
use crate::fair_queue::FairQueue;
use crate::mutation_cache::PendingWrites;
use crate::observe::{Done, Failure, Observer};
use crate::stream::Watches;
use kube::runtime::controller::{self, Action};
use kube::{Resource, ResourceExt};
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// The common part of the reconciles of one controller.
#[derive(Clone)]
pub struct Reconciler {
    observer: Arc<Observer<String>>,
    fair_queue: FairQueue,
    denied: Denied,
}

/// The turn of an object, which lasts until this is dropped.
#[must_use]
pub struct Turn<O> {
    /// The object as currently cached.
    pub object: Arc<O>,
    _permit: OwnedSemaphorePermit,
}

impl Reconciler {
    /// For the objects of some watches. No turn is granted once the shutdown has begun.
    pub fn new(watches: &Watches, shutdown: CancellationToken) -> Self {
        Self {
            observer: Arc::new(Observer::new(watches.metrics.clone(), watches.args.resync_period)),
            fair_queue: FairQueue::new(watches.args.concurrency, shutdown, watches.metrics.clone()),
            denied: watches.denied.clone(),
        }
    }

    /// Waits for the turn of an object; none if the process ends, or if the object was deleted in the meantime, which the watch
    /// has reported to the queue.
    pub async fn turn<O, T>(&self, object: &O, statuses: &PendingWrites<O, T>) -> Option<Turn<O>>
    where
        O: Resource<DynamicType = ()> + Clone + 'static,
        T: Clone,
    {
        let permit = self.fair_queue.turn().await?;
        // The object may have changed while it waited.
        let object = statuses.latest(object)?;
        Some(Turn { object, _permit: permit })
    }

    /// Runs the reconcile of an object, unless its namespace may not be watched.
    pub async fn run<O, E>(&self, object: &O, reconcile: impl Future<Output = Result<Done, E>>) -> Action
    where
        O: Resource<DynamicType = ()>,
        E: Failure,
    {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        match self.denied.hold(&namespace) {
            Some(wait) => Action::requeue(wait),
            None => {
                self.observer.run(format!("{namespace}/{name}"), object.meta().generation, reconcile).await
            }
        }
    }

    /// Drops the records of an object that the queue no longer found; returns its namespace and name.
    pub fn forget_missing<T, E, Q>(
        &self,
        result: Result<T, controller::Error<E, Q>>,
    ) -> Option<(String, String)>
    where
        E: Error + 'static,
        Q: Error + 'static,
    {
        let Err(controller::Error::ObjectNotFound(missing)) = result else { return None };
        let (namespace, name) = (missing.namespace.clone().unwrap_or_default(), missing.name.clone());
        self.observer.gone(&format!("{namespace}/{name}"));
        Some((namespace, name))
    }
}
