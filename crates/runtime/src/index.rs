//! A cache that also finds objects by something else than their name: what belongs to one owner, without looking at all others.

use kube::Resource;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::Event;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

/// An index key. It is a hash (8 bytes), and two values may have the same one: callers filter the objects that they get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The key of a value, such as a uid or the name of an owner, in a namespace.
    pub fn of(namespace: Option<&str>, value: &str) -> Self {
        // Without random keys: an index compares keys that were made at different times.
        let mut hasher = DefaultHasher::new();
        (namespace, value).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Derives the keys of an object.
pub type Keys<K> = fn(&K) -> Vec<Key>;

/// The objects of a cache by key.
pub(crate) struct Index<K> {
    keys: Keys<K>,
    objects: RwLock<HashMap<Key, Vec<Arc<K>>>>,
}

impl<K: Resource<DynamicType = ()>> Index<K> {
    /// Without objects yet.
    pub(crate) fn by(keys: Keys<K>) -> Self {
        Self { keys, objects: RwLock::default() }
    }

    /// Follows one change of a cache, which `apply` makes.
    pub(crate) fn follow(&self, event: &Event<K>, store: &Store<K>, apply: impl FnOnce())
    where
        K: Clone + 'static,
    {
        match event {
            Event::Apply(object) | Event::Delete(object) => {
                let name = ObjectRef::from_obj(object);
                let before = store.get(&name);
                apply();
                self.replace(before.as_ref(), store.get(&name).as_ref());
            }
            Event::InitDone => {
                apply();
                self.rebuild(&store.state());
            }
            Event::Init | Event::InitApply(_) => apply(),
        }
    }

    fn replace(&self, before: Option<&Arc<K>>, after: Option<&Arc<K>>) {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = before {
            for key in (self.keys)(before) {
                if let Entry::Occupied(mut entry) = objects.entry(key) {
                    entry.get_mut().retain(|listed| !Arc::ptr_eq(listed, before));
                    if entry.get().is_empty() {
                        entry.remove();
                    }
                }
            }
        }
        if let Some(after) = after {
            add(&mut objects, (self.keys)(after), after);
        }
    }

    fn rebuild(&self, all: &[Arc<K>]) {
        let mut objects = HashMap::new();
        for object in all {
            add(&mut objects, (self.keys)(object), object);
        }
        *self.objects.write().unwrap_or_else(PoisonError::into_inner) = objects;
    }

    fn get(&self, key: Key) -> Vec<Arc<K>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.get(&key).cloned().unwrap_or_default()
    }
}

fn add<K>(objects: &mut HashMap<Key, Vec<Arc<K>>>, keys: Vec<Key>, object: &Arc<K>) {
    for key in keys {
        objects.entry(key).or_default().push(object.clone());
    }
}

/// A cache with an index.
pub struct Indexed<K: Resource<DynamicType = ()> + 'static> {
    store: Store<K>,
    index: Arc<Index<K>>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Indexed<K> {
    pub(crate) fn new(store: Store<K>, index: Arc<Index<K>>) -> Self {
        Self { store, index }
    }

    /// The objects with a key, and rarely some with another.
    pub fn with(&self, key: Key) -> Vec<Arc<K>> {
        self.index.get(key)
    }

    /// The object of a name.
    pub fn get(&self, name: &ObjectRef<K>) -> Option<Arc<K>> {
        self.store.get(name)
    }

    /// Number of keys.
    pub fn entries(&self) -> usize {
        self.index.objects.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The cache itself.
    pub fn store(&self) -> &Store<K> {
        &self.store
    }

    /// Waits until the cache was filled once. Only one task may wait: kube wakes only the last one.
    ///
    /// # Errors
    /// If the watch ended permanently.
    pub async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::runtime::reflector;

    /// By a label.
    fn keys(object: &ConfigMap) -> Vec<Key> {
        object.labels().values().map(|owner| Key::of(object.metadata.namespace.as_deref(), owner)).collect()
    }

    fn object(name: &str, owner: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.namespace = Some("ns".to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        object.metadata.labels = Some([("owner".to_owned(), owner.to_owned())].into());
        object
    }

    fn of(indexed: &Indexed<ConfigMap>, owner: &str) -> Vec<String> {
        let found = indexed.with(Key::of(Some("ns"), owner));
        let text =
            |o: &Arc<ConfigMap>| format!("{}@{}", o.name_any(), o.resource_version().unwrap_or_default());
        let mut found: Vec<String> = found.iter().map(text).collect();
        found.sort();
        found
    }

    #[test]
    fn objects_are_found_by_their_newest_key() {
        let (store, mut writer) = reflector::store();
        let index = Arc::new(Index::by(keys));
        let indexed = Indexed::new(store.clone(), index.clone());
        let mut feed =
            |event: Event<ConfigMap>| index.follow(&event, &store, || writer.apply_watcher_event(&event));
        feed(Event::Init);
        feed(Event::InitApply(object("a", "x", "1")));
        feed(Event::InitApply(object("b", "x", "2")));
        assert!(of(&indexed, "x").is_empty(), "a list is not complete before its end");
        feed(Event::InitDone);
        assert_eq!(of(&indexed, "x"), ["a@1", "b@2"]);
        feed(Event::Apply(object("c", "y", "3")));
        feed(Event::Apply(object("a", "y", "4")));
        assert_eq!(
            (of(&indexed, "x"), of(&indexed, "y")),
            (vec!["b@2".to_owned()], vec!["a@4".to_owned(), "c@3".to_owned()])
        );
        feed(Event::Delete(object("c", "y", "5")));
        feed(Event::Delete(object("b", "x", "6")));
        feed(Event::Delete(object("unknown", "x", "7")));
        assert_eq!(of(&indexed, "y"), ["a@4"]);
        assert_eq!(index.objects.read().unwrap().len(), 1, "no key without objects is left");
        for event in [Event::Init, Event::InitApply(object("d", "x", "8")), Event::InitDone] {
            feed(event);
        }
        assert_eq!(
            (of(&indexed, "x"), of(&indexed, "y")),
            (vec!["d@8".to_owned()], vec![]),
            "a new list replaces all"
        );
    }

    #[test]
    fn a_key_is_of_one_namespace() {
        assert_eq!(Key::of(Some("a"), "x"), Key::of(Some("a"), "x"));
        assert_ne!(Key::of(Some("a"), "x"), Key::of(Some("b"), "x"));
        assert_ne!(Key::of(Some("a"), "x"), Key::of(None, "ax"));
    }
}
