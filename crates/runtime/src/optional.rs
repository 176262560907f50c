//! Kinds that a cluster may not have (docs/decisions/0035-optional-kinds.md).
//!
//! Such a kind may be installed and removed at any time, and listing it may be denied; neither delays objects that do not need
//! it. It is looked up once at startup. While it is absent and an object asks for it, it is looked up again from time to time;
//! without such an object there are no further requests.

use crate::denial::denial;
use crate::denied::Denied;
use crate::mutation_cache::MutationCache;
use crate::presence::{Absence, Presence};
use crate::source::Source;
use futures::{Stream, StreamExt, stream};
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{Error, Event};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// Interval at which an absent kind is looked up again; doubles up to the longest.
const AGAIN: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);
/// After this time without interruption the interval starts over.
const CALM: Duration = Duration::from_secs(60);
/// Interval after a lookup without a response.
const SOON: Duration = Duration::from_secs(3);
/// How long a lookup without a response may delay startup.
const PATIENCE: Duration = Duration::from_secs(30);

/// An optional kind: its cache, and whether the kind exists.
pub struct Optional<V: Resource<DynamicType = ()> + 'static> {
    /// The objects; empty while the kind is absent.
    pub cache: MutationCache<V>,
    /// Name of the cache.
    name: String,
    denied: Denied,
    presence: Arc<watch::Sender<Presence>>,
    lost: Arc<Notify>,
}

impl<V: Resource<DynamicType = ()> + Clone + 'static> Optional<V> {
    pub(crate) fn new(
        store: Store<V>,
        name: String,
        denied: Denied,
        presence: Arc<watch::Sender<Presence>>,
    ) -> Self {
        Self { cache: MutationCache::over(store), name, denied, presence, lost: Arc::default() }
    }

    /// Why the kind cannot be used in a namespace; none when it can.
    pub fn absence(&self, namespace: &str) -> Option<Absence> {
        match &*self.presence.borrow() {
            Presence::Unknown => Some(Absence::Unavailable),
            Presence::Absent(absence) => Some(absence.clone()),
            Presence::Present => self.denied.reason(namespace, &self.name).map(Absence::Forbidden),
        }
    }

    /// Waits until it is known whether the kind exists, and if so until its cache was filled.
    pub async fn known(&self) {
        // This struct owns the sender: the channel cannot be closed.
        let _ = self.presence.subscribe().wait_for(|presence| *presence != Presence::Unknown).await;
    }

    /// Records that the response to a write was that the kind does not exist.
    pub fn lost(&self) {
        // At once, for the current reconcile; the watch follows.
        let was_there = self.presence.send_if_modified(|presence| {
            let was_there = *presence == Presence::Present;
            if was_there {
                *presence = Presence::Absent(Absence::Missing);
            }
            was_there
        });
        if was_there {
            self.lost.notify_one();
        }
    }

    /// Notifies each time the kind appears or disappears; then every object has to be reconciled. The result of the first lookup
    /// is not a change.
    pub fn turns(&self) -> impl Stream<Item = ()> + Send + use<V> {
        stream::unfold(self.presence.subscribe(), |mut presence| async move {
            loop {
                let known = *presence.borrow_and_update() != Presence::Unknown;
                presence.changed().await.ok()?;
                if known {
                    return Some(((), presence));
                }
            }
        })
    }

    /// The changes of the kind while it exists.
    pub(crate) fn changes<W>(
        &self,
        client: Client,
        source: Source<V>,
        wanted: W,
    ) -> impl Stream<Item = Result<Event<V>, Error>> + Send + use<V, W>
    where
        V: Resource<Scope = NamespaceResourceScope> + Debug + DeserializeOwned + Send + Sync,
        W: Fn() -> bool + Send + Sync + 'static,
    {
        let guard = Guard {
            client,
            source,
            wanted,
            name: self.name.clone(),
            denied: self.denied.clone(),
            presence: self.presence.clone(),
            lost: self.lost.clone(),
            began: Instant::now(),
            open: None,
            queue: VecDeque::new(),
            then: None,
            filled: None,
            pause: Duration::ZERO,
        };
        stream::unfold(guard, Guard::next)
    }
}

/// Watches a kind while it exists.
struct Guard<V: Resource<DynamicType = ()> + 'static, W> {
    client: Client,
    source: Source<V>,
    /// Whether any object uses the kind.
    wanted: W,
    name: String,
    denied: Denied,
    presence: Arc<watch::Sender<Presence>>,
    lost: Arc<Notify>,
    began: Instant,
    open: Option<stream::BoxStream<'static, Result<Event<V>, Error>>>,
    /// What is reported before any event.
    queue: VecDeque<Event<V>>,
    /// What is known when the cache contains everything that was reported.
    then: Option<Presence>,
    /// Since when the cache is filled.
    filled: Option<Instant>,
    /// Time until the next lookup.
    pause: Duration,
}

impl<V, W> Guard<V, W>
where
    V: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
    W: Fn() -> bool + Send + Sync + 'static,
{
    async fn next(mut self) -> Option<(Result<Event<V>, Error>, Self)> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((Ok(event), self));
            }
            if let Some(presence) = self.then.take() {
                self.tell(presence);
            }
            let lost = self.lost.clone();
            let Some(open) = &mut self.open else {
                self.ask().await;
                continue;
            };
            let event = tokio::select! {
                event = open.next() => event,
                () = lost.notified() => {
                    self.close(Absence::Missing);
                    continue;
                }
            };
            match event {
                Some(event) => {
                    self.see(&event);
                    return Some((event, self));
                }
                None => self.open = None,
            }
        }
    }

    /// Opens the watch if the kind exists.
    async fn ask(&mut self) {
        if !self.pause.is_zero() {
            sleep(self.pause).await;
            while !(self.wanted)() {
                sleep(LONGEST).await;
            }
        }
        match is_served::<V>(&self.client).await {
            Ok(true) => self.start(),
            // A controller that may not look it up may still be allowed to list the kind.
            Err(kube::Error::Api(status)) if status.code == 403 => self.start(),
            Ok(false) => {
                self.wait_longer();
                self.tell(Presence::Absent(Absence::Missing));
            }
            Err(error) => {
                warn!(error = %error, "cannot ask for the API groups");
                self.give_up_waiting();
                sleep(SOON).await;
            }
        }
    }

    fn start(&mut self) {
        self.denied.forget(&self.name);
        self.open = Some(self.source.open());
    }

    fn see(&mut self, event: &Result<Event<V>, Error>) {
        match event {
            Ok(Event::InitDone) => {
                self.filled.get_or_insert_with(Instant::now);
                self.then = Some(Presence::Present);
            }
            Ok(_) => {}
            Err(error) => match denial(error) {
                // One of several namespaces.
                Some(_) if self.denied.count(&self.name) < self.source.several() => {}
                Some(reason) => self.close(absence(error, reason)),
                None => self.give_up_waiting(),
            },
        }
    }

    /// Ends the watch and empties the cache.
    fn close(&mut self, absence: Absence) {
        self.open = None;
        if let Some(since) = self.filled.take() {
            self.queue.extend([Event::Init, Event::InitDone]);
            if since.elapsed() > CALM {
                self.pause = Duration::ZERO;
            }
        }
        self.wait_longer();
        self.then = Some(Presence::Absent(absence));
    }

    fn wait_longer(&mut self) {
        self.pause = self.pause.saturating_mul(2).clamp(AGAIN, LONGEST);
    }

    /// Waits a limited time for an API server that fails; then startup continues without the kind.
    fn give_up_waiting(&self) {
        if *self.presence.borrow() == Presence::Unknown && self.began.elapsed() > PATIENCE {
            self.tell(Presence::Absent(Absence::Unavailable));
        }
    }

    fn tell(&self, presence: Presence) {
        self.presence.send_if_modified(|known| {
            let news = *known != presence;
            if news {
                info!(kind = %V::kind(&()), ?presence, "optional kind");
                *known = presence;
            }
            news
        });
    }
}

/// Requests the list of groups, which exists on every cluster, instead of the kind itself, whose absence would count as an error.
async fn is_served<V: Resource<DynamicType = ()>>(client: &Client) -> kube::Result<bool> {
    let kind = (V::group(&()), V::api_version(&()));
    let groups = client.list_api_groups().await?.groups;
    let versions = groups.iter().filter(|group| group.name == kind.0).flat_map(|group| &group.versions);
    Ok(versions.into_iter().any(|version| version.group_version == kind.1))
}

fn absence(error: &Error, reason: String) -> Absence {
    let (Error::InitialListFailed(error) | Error::WatchStartFailed(error)) = error else {
        return Absence::Unavailable;
    };
    match error {
        kube::Error::Api(status) if status.code == 404 => Absence::Missing,
        _ => Absence::Forbidden(reason),
    }
}
