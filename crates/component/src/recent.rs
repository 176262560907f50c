//! Our own latest writes, until the caches show them.
//!
//! A cache lags behind our writes. Acting on it would repeat them, so the answer to each write is kept and used while
//! the cache is older (the guard of Kubernetes 1.36's controllers, operator-style pitfall 31).

use kube::ResourceExt;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer outranks a cache that does not show the object at all: longer than a watch lags, short enough
/// that an object deleted right after our write is missed for seconds only.
pub const GRACE: Duration = Duration::from_secs(10);

/// A cache of one kind with our own writes laid over it.
pub struct Recent<V>
where
    V: kube::Resource<DynamicType = ()> + 'static,
{
    store: Store<V>,
    written: Mutex<HashMap<ObjectRef<V>, (Instant, V)>>,
}

/// What is known of an object.
pub struct Seen<V> {
    /// The newest known form.
    pub object: V,
    /// Whether it is our own write, which the cache does not show yet.
    pub ahead: bool,
}

impl<V> Recent<V>
where
    V: kube::Resource<DynamicType = ()> + Clone + 'static,
    ObjectRef<V>: Hash + Eq,
{
    /// Lays an empty memory over a cache.
    pub fn over(store: Store<V>) -> Self {
        Self { store, written: Mutex::default() }
    }

    /// Waits until the cache was filled once.
    ///
    /// # Errors
    /// When the watch ended for good.
    pub async fn filled(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }

    /// The newest known form of an object.
    pub fn get(&self, key: &ObjectRef<V>) -> Option<Seen<V>> {
        let cached: Option<Arc<V>> = self.store.get(key);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, ours)) = written.get(key) {
            let ahead = match &cached {
                Some(cached) => version(ours) > version(cached.as_ref()),
                None => at.elapsed() < GRACE,
            };
            if ahead {
                return Some(Seen { object: ours.clone(), ahead });
            }
            written.remove(key);
        }
        cached.map(|cached| Seen { object: V::clone(&cached), ahead: false })
    }

    /// Remembers the answer to a write.
    pub fn wrote(&self, key: ObjectRef<V>, object: V) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // Entries of objects that were deleted before they were ever looked at again.
        written.retain(|_, (at, _)| at.elapsed() < GRACE * 6);
        written.insert(key, (Instant::now(), object));
    }
}

/// Resource versions of one resource can be compared as numbers (KEP-5504).
fn version<V: kube::Resource>(object: &V) -> u64 {
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
        let recent = Recent::over(store);
        let key = ObjectRef::<ConfigMap>::new("x").within("ns");
        let seen = |recent: &Recent<ConfigMap>| {
            recent.get(&key).map(|s| (s.object.metadata.resource_version.unwrap_or_default(), s.ahead))
        };
        assert_eq!(seen(&recent), None);
        recent.wrote(key.clone(), config_map("10"));
        assert_eq!(seen(&recent), Some(("10".to_owned(), true)), "not in the cache yet");
        writer.apply_watcher_event(&watcher::Event::Apply(config_map("9")));
        assert_eq!(seen(&recent), Some(("10".to_owned(), true)), "the cache is older; 10 > 9 as numbers");
        writer.apply_watcher_event(&watcher::Event::Apply(config_map("10")));
        assert_eq!(seen(&recent), Some(("10".to_owned(), false)));
        writer.apply_watcher_event(&watcher::Event::Delete(config_map("11")));
        assert_eq!(seen(&recent), None, "gone is gone once the cache had caught up");
    }
}
