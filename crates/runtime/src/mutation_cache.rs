//! The controller's own latest writes, until the caches show them (docs/decisions/0003-own-writes-outrank-caches.md).
//!
//! A cache lags behind the writes of its own process. Acting on it would repeat them, so the response to each write is kept
//! and used while the cache is older. client-go calls this a mutation cache.

use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long a response outranks a cache that does not show the object at all: longer than a watch lags, and short enough that a
/// deletion right after the write is noticed within seconds.
pub const GRACE: Duration = Duration::from_secs(10);

/// The response to a write, and when it came.
type Written<V> = (Instant, Arc<V>);

/// A cache of objects that the controller writes, overlaid with its own writes.
pub struct MutationCache<V: Resource<DynamicType = ()> + 'static> {
    store: Store<V>,
    written: Mutex<HashMap<ObjectRef<V>, Written<V>>>,
    /// Uids of objects that the controller deleted and the cache may still show.
    removed: Mutex<HashMap<ObjectRef<V>, Option<String>>>,
    filled: OnceCell<()>,
}

impl<V: Resource<DynamicType = ()> + Clone + 'static> MutationCache<V> {
    /// Wraps a cache, without writes yet.
    pub fn over(store: Store<V>) -> Self {
        Self { store, written: Mutex::default(), removed: Mutex::default(), filled: OnceCell::new() }
    }

    /// Waits until the cache was filled once. Any number of tasks may wait: kube's own future wakes only the last one.
    ///
    /// # Errors
    /// If the watch ended permanently.
    pub async fn filled(&self) -> Result<(), WriterDropped> {
        self.filled.get_or_try_init(|| self.store.wait_until_ready()).await.copied()
    }

    /// The newest known form of an object.
    pub fn get(&self, key: &ObjectRef<V>) -> Option<V> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match written.get(key) {
            Some(entry) if self.ahead(key, entry) => Some(V::clone(&entry.1)),
            _ => {
                // The cache caught up: if the object is missing from now on, it was deleted.
                written.remove(key);
                self.store
                    .get(key)
                    .filter(|cached| !self.is_removed(key, cached))
                    .map(|cached| V::clone(&cached))
            }
        }
    }

    /// Records a deletion, so that it is not repeated while the cache is behind.
    pub fn removed(&self, key: ObjectRef<V>, object: &V) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        removed.retain(|key, uid| self.store.get(key).is_some_and(|cached| cached.uid() == *uid));
        removed.insert(key, object.uid());
    }

    /// Whether the cached object is the deleted one. An object that waits for its finalizers still exists.
    fn is_removed(&self, key: &ObjectRef<V>, cached: &V) -> bool {
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        removed.get(key).is_some_and(|uid| *uid == cached.uid()) && cached.meta().deletion_timestamp.is_none()
    }

    /// Whether an object that matches `matches` is known only by the controller's own writes: the cache does not show it yet, or
    /// no longer. It has to be checked again after [`GRACE`].
    pub fn unconfirmed(&self, matches: impl Fn(&V) -> bool) -> bool {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.iter().any(|(key, (_, object))| matches(object) && self.store.get(key).is_none())
    }

    /// The same for one object.
    pub fn awaits(&self, key: &ObjectRef<V>) -> bool {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.contains_key(key) && self.store.get(key).is_none()
    }

    /// The newest known form of all objects that match: of the given cached ones, and of those that the controller wrote.
    pub fn newest(
        &self,
        cached: impl IntoIterator<Item = Arc<V>>,
        matches: impl Fn(&V) -> bool,
    ) -> Vec<Arc<V>> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|key, entry| self.ahead(key, entry));
        let mut newest: HashMap<ObjectRef<V>, Arc<V>> = cached
            .into_iter()
            .filter(|object| matches(object))
            .map(|object| (ObjectRef::from_obj(object.as_ref()), object))
            .collect();
        for (key, entry) in written.iter().filter(|(_, entry)| matches(&entry.1)) {
            newest.insert(key.clone(), entry.1.clone());
        }
        newest.into_values().collect()
    }

    /// Number of objects that match, in their newest known form.
    pub fn count(&self, matches: impl Fn(&V) -> bool) -> usize {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|key, entry| self.ahead(key, entry));
        let cached = self.store.state();
        let cached = cached.iter().filter(|object| {
            let key = ObjectRef::from_obj(object.as_ref());
            !written.contains_key(&key) && !self.is_removed(&key, object) && matches(object)
        });
        cached.count() + written.values().filter(|(_, object)| matches(object)).count()
    }

    /// Number of writes and deletions that the cache does not show yet.
    pub fn entries(&self) -> usize {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|key, entry| self.ahead(key, entry));
        let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        removed.retain(|key, uid| self.store.get(key).is_some_and(|cached| cached.uid() == *uid));
        written.len() + removed.len()
    }

    /// Records the response to a write.
    pub fn wrote(&self, key: ObjectRef<V>, object: V) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // Writes that the cache shows by now are dropped: only a few entries ever remain.
        written.retain(|key, entry| self.ahead(key, entry));
        written.insert(key, (Instant::now(), Arc::new(object)));
    }

    /// Whether a write is not in the cache yet.
    fn ahead(&self, key: &ObjectRef<V>, (at, ours): &Written<V>) -> bool {
        match self.store.get(key) {
            Some(cached) => version(ours.as_ref()) > version(cached.as_ref()),
            None => at.elapsed() < GRACE,
        }
    }
}

/// The last writes to users' objects, such as their status, until the cache of those objects shows them.
pub struct PendingWrites<O: Resource<DynamicType = ()> + 'static, T> {
    store: Store<O>,
    written: Mutex<HashMap<ObjectRef<O>, (u64, T)>>,
}

impl<O: Resource<DynamicType = ()> + Clone + 'static, T: Clone> PendingWrites<O, T> {
    /// Wraps a cache, without writes yet.
    pub fn over(store: Store<O>) -> Self {
        Self { store, written: Mutex::default() }
    }

    /// Records a write, with the resource version of the response.
    pub fn wrote(&self, object: &O, answered: u64, what: T) {
        self.unconfirmed().insert(ObjectRef::from_obj(object), (answered, what));
    }

    /// Number of writes that the cache does not show yet.
    pub fn entries(&self) -> usize {
        self.unconfirmed().len()
    }

    /// The writes that the cache does not show yet.
    fn unconfirmed(&self) -> MutexGuard<'_, HashMap<ObjectRef<O>, (u64, T)>> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|key, (ours, _)| {
            self.store.get(key).is_some_and(|cached| version(cached.as_ref()) < *ours)
        });
        written
    }

    /// The newest known form: of the given object, the cached one, which may be newer, and the controller's own writes.
    pub fn newest(&self, object: &O, of: impl Fn(&O) -> T) -> T {
        let key = ObjectRef::from_obj(object);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = self.cached(&key, object);
        let known = cached.as_deref().unwrap_or(object);
        match written.get(&key) {
            Some((ours, what)) if *ours > version(known) => what.clone(),
            _ => of(known),
        }
    }

    /// The newest known resource version of the given object: a write that is based on [`PendingWrites::newest`] was decided with
    /// this version in view.
    pub fn version(&self, object: &O) -> u64 {
        let key = ObjectRef::from_obj(object);
        let known = version(self.cached(&key, object).as_deref().unwrap_or(object));
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.get(&key).map_or(known, |(ours, _)| known.max(*ours))
    }

    /// The cached object, whatever form was given; none if there is no object of that name.
    pub fn latest(&self, object: &O) -> Option<Arc<O>> {
        self.store.get(&ObjectRef::from_obj(object))
    }

    /// The object of a name as the cache shows it.
    pub fn at(&self, key: &ObjectRef<O>) -> Option<Arc<O>> {
        self.store.get(key)
    }

    /// The cached object, if it is newer than the given one.
    fn cached(&self, key: &ObjectRef<O>, object: &O) -> Option<Arc<O>> {
        let newer = |cached: &Arc<O>| {
            version(cached.as_ref()) > version(object) && cached.meta().uid == object.meta().uid
        };
        self.store.get(key).filter(newer)
    }
}

/// The resource version as a number: versions of one resource can be compared this way (KEP-5504). 0 if there is none.
pub fn version<V: Resource>(object: &V) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::runtime::{reflector, watcher};

    fn config_map(version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some("x".to_owned());
        object.metadata.namespace = Some("ns".to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        object
    }

    #[test]
    fn our_write_counts_until_the_cache_is_as_new() {
        let (store, mut writer) = reflector::store::<ConfigMap>();
        let cache = MutationCache::over(store);
        let key = ObjectRef::<ConfigMap>::new("x").within("ns");
        let newest = |cache: &MutationCache<ConfigMap>| {
            let one = cache.get(&key).and_then(|o| o.metadata.resource_version);
            let all: Vec<_> = cache
                .newest(cache.store.state(), |_| true)
                .into_iter()
                .filter_map(|o| o.resource_version())
                .collect();
            assert_eq!(one.clone().into_iter().collect::<Vec<_>>(), all);
            one
        };
        assert_eq!(newest(&cache), None);
        cache.wrote(key.clone(), config_map("10"));
        assert_eq!(newest(&cache).as_deref(), Some("10"), "not in the cache yet");
        writer.apply_watcher_event(&watcher::Event::Apply(config_map("9")));
        assert_eq!(newest(&cache).as_deref(), Some("10"), "the cache is older; 10 > 9 as numbers");
        writer.apply_watcher_event(&watcher::Event::Apply(config_map("11")));
        assert_eq!(newest(&cache).as_deref(), Some("11"));
        assert!(!cache.unconfirmed(|_| true));
        writer.apply_watcher_event(&watcher::Event::Delete(config_map("12")));
        assert_eq!(newest(&cache), None, "what the cache had shown and shows no more is gone");
        cache.wrote(key.clone(), config_map("13"));
        assert_eq!((cache.count(|_| true), cache.count(|_| false)), (1, 0));
        assert!(cache.unconfirmed(|_| true) && cache.awaits(&key), "made again, and not seen yet");
    }

    #[tokio::test]
    async fn everybody_who_waits_for_a_cache_is_woken() {
        let (store, mut writer) = reflector::store::<ConfigMap>();
        let cache = std::sync::Arc::new(MutationCache::over(store));
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let cache = cache.clone();
                tokio::spawn(async move { cache.filled().await })
            })
            .collect();
        tokio::task::yield_now().await;
        writer.apply_watcher_event(&watcher::Event::Init);
        writer.apply_watcher_event(&watcher::Event::InitDone);
        for task in waiting {
            tokio::time::timeout(Duration::from_secs(5), task).await.unwrap().unwrap().unwrap();
        }
    }

    #[test]
    fn a_deleted_object_is_gone_although_the_cache_shows_it() {
        let (store, mut writer) = reflector::store();
        let cache = MutationCache::over(store);
        let key = ObjectRef::<ConfigMap>::new("x").within("ns");
        let with_uid = |uid: &str| {
            let mut object = config_map("10");
            object.metadata.uid = Some(uid.to_owned());
            object
        };
        writer.apply_watcher_event(&watcher::Event::Apply(with_uid("a")));
        assert!(cache.get(&key).is_some());
        cache.removed(key.clone(), &with_uid("a"));
        assert!(cache.get(&key).is_none());
        let mut terminating = with_uid("a");
        terminating.metadata.deletion_timestamp = Some(crate::clock::now());
        writer.apply_watcher_event(&watcher::Event::Apply(terminating));
        assert!(cache.get(&key).is_some(), "held by a finalizer");
        writer.apply_watcher_event(&watcher::Event::Apply(with_uid("b")));
        assert!(cache.get(&key).is_some(), "made again");
    }

    #[test]
    fn a_status_counts_until_the_object_shows_it() {
        let (store, mut writer) = reflector::store::<ConfigMap>();
        let statuses = PendingWrites::<ConfigMap, String>::over(store);
        writer.apply_watcher_event(&watcher::Event::Apply(config_map("9")));
        let newest = |statuses: &PendingWrites<ConfigMap, String>, in_hand: &str| {
            statuses.newest(&config_map(in_hand), |o| o.metadata.resource_version.clone().unwrap_or_default())
        };
        statuses.wrote(&config_map("9"), 10, "written".to_owned());
        assert_eq!(newest(&statuses, "9"), "written");
        assert_eq!(newest(&statuses, "10"), "10");
        assert_eq!(statuses.version(&config_map("9")), 10, "our own write is known");
        writer.apply_watcher_event(&watcher::Event::Apply(config_map("11")));
        assert_eq!(newest(&statuses, "9"), "11", "the cache moved on while the object was in hand");
        assert_eq!(statuses.version(&config_map("9")), 11);
        let mut other = config_map("12");
        other.metadata.uid = Some("another".to_owned());
        writer.apply_watcher_event(&watcher::Event::Apply(other));
        assert_eq!(newest(&statuses, "11"), "11", "another object has its name");
        assert_eq!(statuses.version(&config_map("11")), 11);
    }
}
