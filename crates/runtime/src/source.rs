//! The source of a cache: one watch, or one for each of several namespaces.

use crate::admin::ReadyHandle;
use crate::denial::denial;
use crate::denied::Denied;
use crate::multi_namespace::merged;
use crate::presence::Presence;
use crate::watch_backoff::WatchBackoff;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Sender;

/// The objects of one kind in some namespaces, or in all.
pub(crate) struct Source<K: Resource<DynamicType = ()> + 'static> {
    pub(crate) client: Client,
    pub(crate) config: watcher::Config,
    pub(crate) namespaces: Vec<String>,
    /// The cache that is filled from it.
    pub(crate) store: Store<K>,
    /// Name of that cache.
    pub(crate) cache: String,
    pub(crate) denied: Denied,
    pub(crate) need: Need,
}

/// The consequence of a cache that cannot be filled.
#[derive(Clone)]
pub(crate) enum Need {
    /// The process is ready when it was filled.
    Ready(Arc<ReadyHandle>),
    /// The kind is optional; listeners are notified when what is denied changes.
    Optional(Arc<Sender<Presence>>),
}

impl<K: Resource<DynamicType = ()> + 'static> Source<K> {
    /// Number of watches if there are several, else none.
    pub(crate) fn several(&self) -> usize {
        if self.namespaces.len() > 1 { self.namespaces.len() } else { 0 }
    }

    /// Lists and watches the objects.
    pub(crate) fn open(&self) -> BoxStream<'static, Result<watcher::Event<K>, watcher::Error>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + Sync,
    {
        let watch = |api: Api<K>| watched(api, self.config.clone()).boxed();
        match self.namespaces.as_slice() {
            [] => watch(Api::all(self.client.clone())),
            [one] => watch(Api::namespaced(self.client.clone(), one)),
            many => {
                let api = |namespace: &String| {
                    let events = watch(Api::namespaced(self.client.clone(), namespace));
                    let one = Namespace {
                        denied: self.denied.clone(),
                        cache: self.cache.clone(),
                        need: self.need.clone(),
                        name: namespace.clone(),
                        of: many.len(),
                    };
                    (namespace.clone(), events.inspect(move |event| one.record(event)).boxed())
                };
                merged(many.iter().map(api).collect(), self.store.clone())
            }
        }
    }
}

/// One of several namespaces of a cache.
struct Namespace {
    denied: Denied,
    cache: String,
    need: Need,
    name: String,
    /// Number of the namespaces.
    of: usize,
}

impl Namespace {
    /// Records whether the namespace may be watched. The process becomes unready only if the cache may be filled in no namespace.
    fn record<K>(&self, event: &Result<watcher::Event<K>, watcher::Error>) {
        let reason = match event {
            Err(error) => match denial(error) {
                None => return,
                reason => reason,
            },
            Ok(watcher::Event::InitDone) => None,
            Ok(_) => return,
        };
        let everywhere = || self.denied.count(&self.cache) == self.of;
        let before = everywhere();
        let needed = matches!(self.need, Need::Ready(_));
        let news = self.denied.record(&self.name, &self.cache, needed, reason.clone());
        match (&self.need, reason) {
            (Need::Ready(ready), Some(reason)) if everywhere() => ready.set_missing(reason),
            (Need::Ready(ready), None) if before => ready.set_ready(),
            (Need::Optional(presence), _) if news => presence.send_modify(|_| {}),
            (Need::Ready(_) | Need::Optional(_), _) => {}
        }
    }
}

/// The objects of an API, listed and then watched. If the API disappears, or access to it is denied, the objects are listed again
/// afterwards: kube's watcher would silently continue a watch of what may be another API of that name, and readiness has to be
/// informed of the recovery.
fn watched<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    stream::unfold((None, WatchBackoff::default(), Duration::ZERO), move |(open, mut backoff, pause)| {
        let watch = || watcher::watcher(api.clone(), config.clone()).boxed();
        let mut open = open.unwrap_or_else(watch);
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let event = open.next().await?;
            let ended =
                matches!(&event, Err(error @ watcher::Error::WatchStartFailed(_)) if denial(error).is_some());
            let pause = backoff.after(&event);
            Some((event, ((!ended).then_some(open), backoff, pause)))
        }
    })
}
