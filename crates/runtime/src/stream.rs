//! Caches and the streams that wake a controller. Everything that uses kube's unstable stream control is here.

use crate::Process;
use crate::admin::{Readiness, ReadyHandle};
use crate::args::WatchArgs;
use crate::denied::Denied;
use crate::error_text;
use crate::line::places;
use crate::merge::merged;
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::vanished::with_deletions;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
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
use tracing::{debug, warn};

/// After how long without a word a watch is dead (kube adds five). The API server sends a bookmark every minute, but only once
/// it has heard of the kind since it started: of a kind without any change it hears by etcd's progress notifications, every ten
/// minutes unless set otherwise. So a watch of such a kind is silent although it lives, and to begin it anew costs a request:
/// seven caches may cost 75 an hour. How long a watch lasts is in `client`.
pub(crate) const SILENCE_SECONDS: u32 = 340;
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
    /// Namespaces, of several, that may not be watched.
    pub denied: Denied,
}

/// A cache and the changes that fill it. The cache is filled only while the stream is polled.
pub type Cached<K> = (Store<K>, Changes<K>);

/// Changes of objects.
pub type Changes<K> = BoxStream<'static, Result<K, watcher::Error>>;

/// Which objects of a kind.
#[derive(Default)]
struct Selection {
    labels: Option<String>,
    fields: Option<String>,
    namespaces: Vec<String>,
    /// Whether the process is ready without.
    optional: bool,
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
        }
    }

    /// The objects that users declare: wakes on a new generation, label, annotation or finalizer, never on a status.
    pub fn primary<K>(&self) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let labels = self.args.watch_label_selector.clone();
        let trim = |object: &mut K| object.meta_mut().managed_fields = None;
        let (store, changes) = self.cache(Selection { labels, ..self.everywhere() }, trim);
        let meaningful = predicates::generation
            .combine(predicates::labels)
            .combine(predicates::annotations)
            .combine(predicates::finalizers);
        (store, changes.predicate_filter(meaningful, PredicateConfig::default()).boxed())
    }

    /// Objects that belong to others, trimmed before they are kept: wakes on every change. What is not dropped by `trim`
    /// is kept, `managedFields` included.
    pub fn owned<K>(&self, selector: &str, trim: impl FnMut(&mut K) + Send + 'static) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let selection = Selection { labels: Some(selector.to_owned()), ..self.everywhere() };
        let (store, changes) = self.cache(selection, trim);
        (store, changes.boxed())
    }

    /// The same for a kind that the cluster may not have: the process is ready without, and nothing is asked before the
    /// stream is polled.
    pub fn optional<K>(&self, selector: &str, trim: impl FnMut(&mut K) + Send + 'static) -> Cached<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let selection = Selection { labels: Some(selector.to_owned()), optional: true, ..self.everywhere() };
        let (store, changes) = self.cache(selection, trim);
        (store, changes.boxed())
    }

    /// Objects of one name, in one namespace or in all that are watched: wakes on every change.
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
        let (store, changes) = self.cache(selection, |_: &mut K| {});
        (store, changes.boxed())
    }

    fn everywhere(&self) -> Selection {
        let namespaces = self.args.namespaces().into_iter().map(str::to_owned).collect();
        Selection { namespaces, ..Selection::default() }
    }

    fn cache<K, F>(
        &self,
        selection: Selection,
        trim: F,
    ) -> (Store<K>, impl Stream<Item = Result<K, watcher::Error>> + Send + use<K, F>)
    where
        F: FnMut(&mut K) + Send + 'static,
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
        ObjectRef<K>: Hash + Eq,
    {
        let config = watcher::Config {
            label_selector: selection.labels,
            field_selector: selection.fields.clone(),
            timeout: Some(SILENCE_SECONDS),
            page_size: Some(PAGE),
            ..watcher::Config::default()
        };
        let (store, writer) = reflector::store::<K>();
        let kind = K::kind(&()).into_owned();
        // The same kind may be cached twice.
        let which =
            selection.fields.iter().flat_map(|f| [" ".to_owned(), selection.namespaces.join(","), f.clone()]);
        let name = format!("cache of {kind}{}", which.collect::<String>());
        let ready = (!selection.optional).then(|| Arc::new(self.readiness.register(&name)));
        let metrics = self.metrics.clone();
        let several = selection.namespaces.len() > 1;
        let mut told = None;
        let called = ready.clone().map(|ready| (name, ready));
        let events = self.events(&config, &selection.namespaces, &store, called.as_ref()).modify(trim);
        let changes = with_deletions(events, store.clone(), writer)
            .inspect(move |event| match event {
                Err(error) => {
                    metrics.watch_errors.with_label_values(&[kind.as_str()]).inc();
                    let denial = denial(error);
                    // A denial lasts until somebody grants the permission, and is tried again all the time.
                    if denial.is_some() && denial == told {
                        debug!(kind, error = error_text::of_watch(error), "watch interrupted");
                    } else {
                        warn!(kind, error = error_text::of_watch(error), "watch interrupted");
                    }
                    // One of several namespaces is told about where it is known which.
                    if let (Some(ready), Some(reason), false) = (&ready, &denial, several) {
                        ready.set_missing(reason.clone());
                    }
                    told = denial;
                }
                Ok(watcher::Event::InitDone) => {
                    told = None;
                    if let Some(ready) = &ready {
                        ready.set_ready();
                    }
                }
                Ok(_) => {}
            })
            .touched_objects()
            // Told above, and paced by each watch for itself. kube's Controller would stop polling all watches for an error
            // of one, up to most of a minute when all have one, as after a restart of the API server.
            .filter(|change| std::future::ready(change.is_ok()));
        (store, changes)
    }

    /// The changes in some namespaces, or in all.
    fn events<K>(
        &self,
        config: &watcher::Config,
        namespaces: &[String],
        store: &Store<K>,
        needed: Option<&(String, Arc<ReadyHandle>)>,
    ) -> BoxStream<'static, Result<watcher::Event<K>, watcher::Error>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
        K: Send + Sync + 'static,
    {
        let watch = |api: Api<K>| watched(api, config.clone()).boxed();
        match namespaces {
            [] => watch(Api::all(self.client.clone())),
            [one] => watch(Api::namespaced(self.client.clone(), one)),
            many => {
                let api = |namespace: &String| {
                    let events = watch(Api::namespaced(self.client.clone(), namespace));
                    let one = Namespace {
                        denied: self.denied.clone(),
                        needed: needed.cloned(),
                        name: namespace.clone(),
                        of: many.len(),
                    };
                    (namespace.clone(), events.inspect(move |event| one.note(event)).boxed())
                };
                merged(many.iter().map(api).collect(), store.clone())
            }
        }
    }

    /// Settings of the controller's queue. What it hands out has to wait for its turn ([`crate::line`]).
    pub fn queue(&self) -> Config {
        Config::default().concurrency(places(self.args.concurrency)).debounce(DEBOUNCE)
    }
}

/// One of several namespaces of a cache.
struct Namespace {
    denied: Denied,
    /// Name and readiness of the cache, when it is needed.
    needed: Option<(String, Arc<ReadyHandle>)>,
    name: String,
    /// Number of the namespaces.
    of: usize,
}

impl Namespace {
    /// Notes whether it may be watched. Only a cache that may be filled in no namespace makes the process unready.
    fn note<K>(&self, event: &Result<watcher::Event<K>, watcher::Error>) {
        let Some((cache, ready)) = &self.needed else { return };
        match event {
            Err(error) => {
                let Some(reason) = denial(error) else { return };
                self.denied.note(&self.name, cache, Some(reason.clone()));
                if self.denied.count(cache) == self.of {
                    ready.set_missing(reason);
                }
            }
            Ok(watcher::Event::InitDone) => {
                let everywhere = self.denied.count(cache) == self.of;
                self.denied.note(&self.name, cache, None);
                if everywhere {
                    ready.set_ready();
                }
            }
            Ok(_) => {}
        }
    }
}

/// The objects of an API, listed and then watched. When it is gone, or its use is denied, it is listed anew once that is
/// over: what kube's watcher would go on watching, without a word, may be another API of that name, and readiness has to
/// hear of the return.
fn watched<K>(
    api: Api<K>,
    config: watcher::Config,
) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    stream::unfold((None, Pace::default(), Duration::ZERO), move |(open, mut pace, pause)| {
        let watch = || watcher::watcher(api.clone(), config.clone()).boxed();
        let mut open = open.unwrap_or_else(watch);
        async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let event = open.next().await?;
            let ended =
                matches!(&event, Err(error @ watcher::Error::WatchStartFailed(_)) if denial(error).is_some());
            let pause = pace.after(&event);
            Some((event, ((!ended).then_some(open), pace, pause)))
        }
    })
}

/// Why a kind cannot be watched until somebody does something about it; none when trying again may help.
pub(crate) fn denial(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return None;
    };
    match error {
        kube::Error::Api(status) if status.code == 404 => Some("the kind is not installed".to_owned()),
        kube::Error::Api(status) if status.code == 403 => Some(status.message.clone()),
        _ => None,
    }
}
