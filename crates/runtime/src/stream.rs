//! Caches, and the streams that trigger reconciles. All uses of kube's unstable stream control are here.

use crate::admin::{Readiness, ReadyHandle};
use crate::args::WatchArgs;
use crate::client::SILENCE_SECONDS;
use crate::denial::denial;
use crate::denied::Denied;
use crate::error_text;
use crate::fair_queue::places;
use crate::index::{Index, Indexed, Keys};
use crate::metrics::Metrics;
use crate::optional::Optional;
use crate::pages::Pages;
use crate::presence::Presence;
use crate::process::Process;
use crate::shard::Keep;
use crate::source::{Need, Source};
use crate::vanished::with_deletions;
use functionmesh_objects::shard::Shard;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::core::{NamespaceResourceScope, ObjectMeta};
use kube::runtime::controller::Config;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Sender;
use tracing::{debug, warn};

/// Small, because a decoded page is held in memory in addition to the cache. Only API servers without streaming lists send pages.
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
    /// The selected objects.
    pub args: WatchArgs,
    /// Namespaces, of several, that may not be watched.
    pub denied: Denied,
    /// Whether the API server lists in pages.
    pages: Pages,
}

/// A cache and the changes that fill it. The cache is filled only while the stream is polled.
pub type Cached<K> = (Store<K>, Changes<K>);

/// Changes of objects.
pub type Changes<K> = BoxStream<'static, Result<K, watcher::Error>>;

/// The objects of this kind that a child with these metadata belongs to, whether or not they exist.
pub type Owners<O> = fn(&ObjectMeta) -> Vec<ObjectRef<O>>;

/// What a watch fills.
struct Cache<K: Resource<DynamicType = ()> + Clone + 'static> {
    store: Store<K>,
    writer: Writer<K>,
    index: Option<Arc<Index<K>>>,
}

/// The selection of objects of a kind.
#[derive(Default)]
struct Selection {
    labels: Option<String>,
    fields: Option<String>,
    namespaces: Vec<String>,
}

impl Selection {
    /// Name of the cache: the same kind may be cached twice.
    fn name<K: Resource<DynamicType = ()>>(&self) -> String {
        let which = self.fields.iter().flat_map(|f| [" ".to_owned(), self.namespaces.join(","), f.clone()]);
        format!("cache of {}{}", K::kind(&()), which.collect::<String>())
    }
}

/// What a cache that is not filled affects.
enum Filled {
    /// The process, which is not ready while the watch is denied.
    One(Arc<ReadyHandle>),
    /// The process; denials are recorded for each namespace.
    Several(Arc<ReadyHandle>),
    /// Only objects that use an optional kind.
    Optional,
}

impl Watches {
    /// Prepares the watches of a process.
    pub fn of(process: &Process, args: &WatchArgs) -> Self {
        Self {
            client: process.client.clone(),
            metrics: process.metrics.clone(),
            readiness: process.readiness.clone(),
            args: args.clone(),
            denied: Denied::new(process.readiness.clone(), process.metrics.clone()),
            pages: Pages::default(),
        }
    }

    /// Users' objects: triggers on a new generation, label, annotation or finalizer, never on a status.
    pub fn primary<K>(&self) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let labels = self.args.watch_label_selector.clone();
        let trim = |object: &mut K| object.meta_mut().managed_fields = None;
        let keep = self.keep::<K>(|object| {
            let name = ObjectRef::new(object.name.as_deref().unwrap_or_default());
            vec![name.within(object.namespace.as_deref().unwrap_or_default())]
        });
        let (store, changes) = self.cache(Selection { labels, ..self.everywhere() }, trim, None, keep);
        let meaningful = predicates::generation
            .combine(predicates::labels)
            .combine(predicates::annotations)
            .combine(predicates::finalizers);
        (store, changes.predicate_filter(meaningful, PredicateConfig::default()).boxed())
    }

    /// Other objects that belong to one of the users' objects, pruned before they are cached: triggers on every change.
    /// Everything that `trim` does not drop is kept, `managedFields` included.
    pub fn owned<K, O>(
        &self,
        selector: &str,
        trim: impl FnMut(&mut K) + Send + 'static,
        owners: Owners<O>,
    ) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
        O: Resource<DynamicType = ()> + 'static,
    {
        let selection = Selection { labels: Some(selector.to_owned()), ..self.everywhere() };
        let (store, changes) = self.cache(selection, trim, None, self.keep(owners));
        (store, changes.boxed())
    }

    /// The same with an index.
    pub fn indexed<K, O>(
        &self,
        selector: &str,
        trim: impl FnMut(&mut K) + Send + 'static,
        owners: Owners<O>,
        keys: Keys<K>,
    ) -> (Indexed<K>, Changes<K>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
        O: Resource<DynamicType = ()> + 'static,
    {
        let selection = Selection { labels: Some(selector.to_owned()), ..self.everywhere() };
        let index = Arc::new(Index::by(keys));
        let (store, changes) = self.cache(selection, trim, Some(index.clone()), self.keep(owners));
        (Indexed::new(store, index), changes.boxed())
    }

    /// The same for a kind that the cluster may not have: the process is ready without. `wanted` says whether any object
    /// asks for it, so that a cluster without it is asked again.
    pub fn optional<K, O, F, W>(
        &self,
        selector: &str,
        trim: F,
        owners: Owners<O>,
        wanted: W,
    ) -> (Arc<Optional<K>>, Changes<K>)
    where
        O: Resource<DynamicType = ()> + 'static,
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
        F: FnMut(&mut K) + Send + 'static,
        W: Fn() -> bool + Send + Sync + 'static,
    {
        let selection = Selection { labels: Some(selector.to_owned()), ..self.everywhere() };
        let (store, writer) = reflector::store::<K>();
        let (presence, name) = (Arc::new(Sender::new(Presence::Unknown)), selection.name::<K>());
        let need = Need::Optional(presence.clone());
        let source = self.source(selection, name.clone(), &store, self.keep(owners), need);
        let optional = Optional::new(store.clone(), name, self.denied.clone(), presence);
        let events = optional.changes(self.client.clone(), source, wanted);
        let cache = Cache { store, writer, index: None };
        let changes = self.filled(events, cache, trim, Filled::Optional).boxed();
        (Arc::new(optional), changes)
    }

    /// Objects of one name, in one namespace or in all that are watched: triggers on every change.
    pub fn named<K>(&self, namespace: Option<&str>, name: &str) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let all = self.everywhere();
        let selection = Selection {
            fields: Some(format!("metadata.name={name}")),
            namespaces: namespace.map_or(all.namespaces, |namespace| vec![namespace.to_owned()]),
            ..Selection::default()
        };
        let (store, changes) = self.cache(selection, |_: &mut K| {}, None, None);
        (store, changes.boxed())
    }

    /// Which objects are cached: with several shards, those of users' objects of this one.
    fn keep<O>(&self, owners: Owners<O>) -> Option<Keep>
    where
        O: Resource<DynamicType = ()> + 'static,
    {
        let shard = self.args.shard;
        let has = move |owner: &ObjectRef<O>| {
            shard.has(owner.namespace.as_deref().unwrap_or_default(), &owner.name)
        };
        let keep = move |object: &ObjectMeta| owners(object).iter().any(has);
        (shard != Shard::WHOLE).then(|| Arc::new(keep) as Keep)
    }

    fn everywhere(&self) -> Selection {
        let namespaces = self.args.namespaces().into_iter().map(str::to_owned).collect();
        Selection { namespaces, ..Selection::default() }
    }

    fn cache<K, F>(
        &self,
        selection: Selection,
        trim: F,
        index: Option<Arc<Index<K>>>,
        keep: Option<Keep>,
    ) -> (Store<K>, impl Stream<Item = Result<K, watcher::Error>> + Send + use<K, F>)
    where
        F: FnMut(&mut K) + Send + 'static,
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let (store, writer) = reflector::store::<K>();
        let name = selection.name::<K>();
        let ready = Arc::new(self.readiness.register(&name));
        let source = self.source(selection, name, &store, keep, Need::Ready(ready.clone()));
        let ready = if source.several() == 0 { Filled::One(ready) } else { Filled::Several(ready) };
        let cache = Cache { store: store.clone(), writer, index };
        let changes = self.filled(source.open(), cache, trim, ready);
        (store, changes)
    }

    fn source<K>(
        &self,
        selection: Selection,
        cache: String,
        store: &Store<K>,
        keep: Option<Keep>,
        need: Need,
    ) -> Source<K>
    where
        K: Resource<DynamicType = ()> + 'static,
    {
        let config = watcher::Config {
            label_selector: selection.labels,
            field_selector: selection.fields,
            timeout: Some(SILENCE_SECONDS),
            page_size: Some(PAGE),
            ..watcher::Config::default()
        };
        let (client, denied) = (self.client.clone(), self.denied.clone());
        let (pages, namespaces) = (self.pages.clone(), selection.namespaces);
        Source { client, config, pages, keep, namespaces, store: store.clone(), cache, denied, need }
    }

    /// Fills a cache.
    fn filled<K, F, E>(
        &self,
        events: E,
        cache: Cache<K>,
        trim: F,
        ready: Filled,
    ) -> impl Stream<Item = Result<K, watcher::Error>> + Send + use<K, F, E>
    where
        F: FnMut(&mut K) + Send + 'static,
        E: Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send + 'static,
        K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
        ObjectRef<K>: Hash + Eq,
    {
        let kind = K::kind(&()).into_owned();
        let metrics = self.metrics.clone();
        metrics.watch_errors.with_label_values(&[kind.as_str()]);
        let mut reported = None;
        with_deletions(events.modify(trim), cache.store, cache.writer, cache.index)
            .inspect(move |event| match event {
                Err(error) => {
                    metrics.watch_errors.with_label_values(&[kind.as_str()]).inc();
                    let denial = denial(error);
                    // A denial lasts until a user grants the permission, and is retried all the time.
                    if denial.is_some() && denial == reported {
                        debug!(kind, error = error_text::of_watch(error), "watch interrupted");
                    } else {
                        warn!(kind, error = error_text::of_watch(error), "watch interrupted");
                    }
                    if let (Filled::One(ready), Some(reason)) = (&ready, &denial) {
                        ready.set_missing(reason.clone());
                    }
                    reported = denial;
                }
                Ok(watcher::Event::InitDone) => {
                    reported = None;
                    if let Filled::One(ready) | Filled::Several(ready) = &ready {
                        ready.set_ready();
                    }
                }
                Ok(_) => {}
            })
            .touched_objects()
            // Errors are logged above, and each watch has its own backoff. After an error, kube's Controller would stop polling
            // all watches, for up to most of a minute if all of them fail, as after a restart of the API server.
            .filter(|change| std::future::ready(change.is_ok()))
    }

    /// Settings of the controller's queue. Objects that it returns have to wait for their turn.
    pub fn queue(&self) -> Config {
        Config::default().concurrency(places(self.args.concurrency)).debounce(DEBOUNCE)
    }
}
