//! The source of a cache: one watch, or one for each of several namespaces.

use crate::admin::ReadyHandle;
use crate::denial::denial;
use crate::denied::Denied;
use crate::multi_namespace::merged;
use crate::pages::Pages;
use crate::presence::Presence;
use crate::shard::{Keep, only};
use crate::undecoded::Undecoded;
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
    pub(crate) pages: Pages,
    /// None if every object is cached.
    pub(crate) keep: Option<Keep>,
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
        match self.namespaces.as_slice() {
            [] => self.events(None),
            [one] => self.events(Some(one)),
            many => {
                let api = |namespace: &String| {
                    let events = self.events(Some(namespace));
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

    /// The objects of a namespace, or of all. Those of other shards are not decoded.
    fn events(&self, namespace: Option<&str>) -> BoxStream<'static, Result<watcher::Event<K>, watcher::Error>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + Sync,
    {
        match &self.keep {
            None => watched(self.api::<K>(namespace), self.config.clone(), self.pages.clone()).boxed(),
            Some(keep) => {
                let all = self.api::<Undecoded<K>>(namespace);
                let events = watched(all, self.config.clone(), self.pages.clone());
                only(events, self.store.clone(), keep.clone()).boxed()
            }
        }
    }

    fn api<T>(&self, namespace: Option<&str>) -> Api<T>
    where
        T: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match namespace {
            None => Api::all(self.client.clone()),
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
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
///
/// The list is a streaming list, whose objects arrive one by one, or one in pages if the API server has none: a page is in memory
/// as text and decoded, in addition to the cache.
fn watched<K>(
    api: Api<K>,
    config: watcher::Config,
    pages: Pages,
) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    stream::unfold((None, WatchBackoff::default(), Duration::ZERO), move |(open, mut backoff, pause)| {
        let (api, config, pages) = (api.clone(), config.clone(), pages.clone());
        let known = pages.clone();
        let watch = move || watcher::watcher(api.clone(), known.strategy(config.clone())).boxed();
        let mut open = open.unwrap_or_else(&watch);
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let mut event = open.next().await?;
            if matches!(&event, Err(error) if pages.needed_by(error)) {
                open = watch();
                event = open.next().await?;
            }
            let ended =
                matches!(&event, Err(error @ watcher::Error::WatchStartFailed(_)) if denial(error).is_some());
            let pause = backoff.after(&event);
            Some((event, ((!ended).then_some(open), backoff, pause)))
        }
    })
}
