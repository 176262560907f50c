//! Caches and the streams that wake a controller. Everything that uses kube's unstable stream control is here.

use crate::admin::Readiness;
use crate::args::WatchArgs;
use crate::merge::merged;
use crate::metrics::Metrics;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::Config;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Below the idle limit of common load balancers (240 s).
const WATCH_SECONDS: u32 = 200;
/// Small, because a page is held decoded beside the cache.
const PAGE: u32 = 100;
/// Merges bursts of changes of one object.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// What all watches of a process share.
#[derive(Clone)]
pub struct Watches {
    /// Connection to the API server.
    pub client: Client,
    /// Counts errors.
    pub metrics: Arc<Metrics>,
    /// Is ready when all caches were filled once.
    pub readiness: Readiness,
    /// Which objects.
    pub args: WatchArgs,
}

/// A cache and the changes that fill it. The cache is filled only while the stream is polled.
pub type Cached<K> = (Store<K>, BoxStream<'static, Result<K, watcher::Error>>);

impl Watches {
    /// The objects that users declare: wakes on a new generation, label, annotation or finalizer, never on a status.
    pub fn primary<K>(&self) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let selector = self.args.watch_label_selector.clone();
        let (store, changes) = self.cache(selector, |_: &mut K| {});
        let meaningful = predicates::generation
            .combine(predicates::labels)
            .combine(predicates::annotations)
            .combine(predicates::finalizers);
        (store, changes.predicate_filter(meaningful, PredicateConfig::default()).boxed())
    }

    /// Objects that belong to others, trimmed before they are kept: wakes on every change.
    pub fn owned<K>(&self, selector: &str, trim: impl FnMut(&mut K) + Send + 'static) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let (store, changes) = self.cache(Some(selector.to_owned()), trim);
        (store, changes.boxed())
    }

    fn cache<K, F>(
        &self,
        selector: Option<String>,
        mut trim: F,
    ) -> (Store<K>, impl Stream<Item = Result<K, watcher::Error>> + Send + use<K, F>)
    where
        F: FnMut(&mut K) + Send + 'static,
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
        ObjectRef<K>: Hash + Eq,
    {
        let config = watcher::Config {
            label_selector: selector,
            timeout: Some(WATCH_SECONDS),
            page_size: Some(PAGE),
            ..watcher::Config::default()
        };
        let (store, writer) = reflector::store::<K>();
        let kind = K::kind(&()).into_owned();
        let ready = self.readiness.register(&format!("cache of {kind}"));
        let mut ready = Some(ready);
        let metrics = self.metrics.clone();
        let changes = self
            .events(&config, &store)
            .modify(move |object: &mut K| {
                trim(object);
                object.meta_mut().managed_fields = None;
            })
            .reflect(writer)
            .inspect(move |event| match event {
                Err(error) => {
                    metrics.watch_errors.with_label_values(&[kind.as_str()]).inc();
                    warn!(kind, error = %error, "watch interrupted");
                }
                Ok(watcher::Event::InitDone) => {
                    if let Some(ready) = ready.take() {
                        ready.set_ready();
                    }
                }
                Ok(_) => {}
            })
            .touched_objects();
        (store, changes)
    }

    /// The changes of all watched namespaces.
    fn events<K>(
        &self,
        config: &watcher::Config,
        store: &Store<K>,
    ) -> BoxStream<'static, Result<watcher::Event<K>, watcher::Error>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let watch = |api: Api<K>| watcher::watcher(api, config.clone()).default_backoff().boxed();
        match self.args.namespaces().as_slice() {
            [] => watch(Api::all(self.client.clone())),
            [one] => watch(Api::namespaced(self.client.clone(), one)),
            many => {
                let api = |n: &&str| ((*n).to_owned(), watch(Api::namespaced(self.client.clone(), n)));
                merged(many.iter().map(api).collect(), store.clone())
            }
        }
    }

    /// Settings of the controller's queue.
    pub fn queue(&self) -> Config {
        Config::default().concurrency(self.args.concurrency).debounce(DEBOUNCE)
    }
}
