//! Merges the watches of several namespaces into one, for a controller that may not watch all namespaces.
//!
//! A list replaces the content of a cache. So the first lists of all watches become one list, and a later list of one namespace
//! becomes single changes, including deletions of objects that are missing in it. A namespace that may not be listed does not
//! delay the others: it counts as empty until access is granted.

use crate::denial::denial;
use futures::stream::{self, BoxStream, StreamExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{Error, Event};
use kube::{Resource, ResourceExt};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

type Watch<K> = BoxStream<'static, Result<Event<K>, Error>>;

/// Merges the watches of namespaces into one that fills `store`.
pub(crate) fn merged<K>(watches: Vec<(String, Watch<K>)>, store: Store<K>) -> Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let mut merge = Merge::new(watches.len(), store);
    let tagged = watches
        .into_iter()
        .map(|(namespace, watch)| watch.map(move |event| (namespace.clone(), event)).boxed());
    stream::select_all(tagged)
        .flat_map(move |(namespace, event)| {
            stream::iter(match event {
                Ok(event) => merge.translate(&namespace, event).into_iter().map(Ok).collect(),
                Err(error) => {
                    let done = denial(&error).map(|_| merge.without(&namespace)).unwrap_or_default();
                    std::iter::once(Err(error)).chain(done.into_iter().map(Ok)).collect::<Vec<_>>()
                }
            })
        })
        .boxed()
}

struct Merge<K: Resource<DynamicType = ()> + 'static> {
    store: Store<K>,
    begun: bool,
    /// Namespaces whose first list is not complete.
    waiting: usize,
    listed: HashSet<String>,
    /// Names seen in a later list that is not complete.
    relisting: HashMap<String, HashSet<String>>,
    /// Deleted while other namespaces were listed for the first time.
    deleted: Vec<K>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Merge<K> {
    fn new(waiting: usize, store: Store<K>) -> Self {
        let (listed, relisting) = (HashSet::new(), HashMap::new());
        Self { store, begun: false, waiting, listed, relisting, deleted: Vec::new() }
    }

    fn translate(&mut self, namespace: &str, event: Event<K>) -> Vec<Event<K>> {
        let first = !self.listed.contains(namespace);
        match event {
            Event::Init if first => {
                let begins = !std::mem::replace(&mut self.begun, true);
                if begins { vec![Event::Init] } else { Vec::new() }
            }
            Event::Init => {
                self.relisting.insert(namespace.to_owned(), HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) | Event::Apply(object) => self.apply(namespace, object),
            Event::Delete(object) if self.waiting > 0 => {
                self.deleted.push(object);
                Vec::new()
            }
            Event::Delete(object) => vec![Event::Delete(object)],
            Event::InitDone if first => {
                self.listed.insert(namespace.to_owned());
                self.waiting = self.waiting.saturating_sub(1);
                if self.waiting > 0 {
                    return Vec::new();
                }
                let deleted = std::mem::take(&mut self.deleted);
                std::iter::once(Event::InitDone).chain(deleted.into_iter().map(Event::Delete)).collect()
            }
            Event::InitDone => self.missing(namespace).into_iter().map(Event::Delete).collect(),
        }
    }

    fn apply(&mut self, namespace: &str, object: K) -> Vec<Event<K>> {
        let mut events = Vec::new();
        if let Some(seen) = self.relisting.get_mut(namespace) {
            seen.insert(object.name_any());
            // Recreated while it was not watched: the old object may have had another owner.
            let before = self.store.get(&ObjectRef::from_obj(&object));
            let gone = before.filter(|before| before.meta().uid != object.meta().uid);
            events.extend(gone.map(|gone| Event::Delete(Arc::unwrap_or_clone(gone))));
        }
        if self.waiting > 0 {
            let same =
                |other: &K| other.name_any() == object.name_any() && other.namespace() == object.namespace();
            self.deleted.retain(|other| !same(other));
            events.push(Event::InitApply(object));
        } else {
            events.push(Event::Apply(object));
        }
        events
    }

    /// Continues without the first list of a namespace; later objects of it are changes.
    fn without(&mut self, namespace: &str) -> Vec<Event<K>> {
        if self.listed.contains(namespace) { Vec::new() } else { self.translate(namespace, Event::InitDone) }
    }

    /// Objects of a namespace that are in the cache but not in the new list.
    fn missing(&mut self, namespace: &str) -> Vec<K> {
        let seen = self.relisting.remove(namespace).unwrap_or_default();
        let state = self.store.state();
        let cached = state.iter().filter(|o| o.namespace().as_deref() == Some(namespace));
        cached.filter(|o| !seen.contains(&o.name_any())).map(|o| K::clone(o)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::runtime::reflector;

    #[test]
    fn a_namespace_that_may_not_be_listed_holds_up_no_other() {
        let (store, mut writer) = reflector::store::<ConfigMap>();
        let mut merge = Merge::new(2, store.clone());
        let mut feed = |events: Vec<Event<ConfigMap>>| {
            for event in events {
                writer.apply_watcher_event(&event);
            }
        };
        feed(merge.translate("a", Event::Init));
        feed(merge.translate("b", Event::Init));
        feed(merge.translate("a", Event::InitApply(object("a", "a1"))));
        feed(merge.translate("a", Event::InitDone));
        assert_eq!(cached(&store), [""; 0]);
        feed(merge.without("b"));
        assert_eq!(cached(&store), ["a1"]);
        assert!(merge.without("b").is_empty(), "denied again");
        feed(merge.translate("b", Event::Init));
        feed(merge.translate("b", Event::InitApply(object("b", "b1"))));
        feed(merge.translate("b", Event::InitDone));
        assert_eq!(cached(&store), ["a1", "b1"], "what is allowed later is a change");
    }

    fn object(namespace: &str, name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some(namespace.to_owned());
        object.metadata.name = Some(name.to_owned());
        object
    }

    fn cached(store: &Store<ConfigMap>) -> Vec<String> {
        let mut names: Vec<String> = store.state().iter().map(|o| o.name_any()).collect();
        names.sort();
        names
    }

    #[test]
    fn lists_of_namespaces_become_one_and_later_ones_become_changes() {
        let (store, mut writer) = reflector::store::<ConfigMap>();
        let mut merge = Merge::new(2, store.clone());
        let mut feed = |namespace: &str, event: Event<ConfigMap>| {
            for event in merge.translate(namespace, event) {
                writer.apply_watcher_event(&event);
            }
        };
        feed("a", Event::Init);
        feed("b", Event::Init);
        feed("a", Event::InitApply(object("a", "a1")));
        feed("a", Event::InitApply(object("a", "a2")));
        feed("a", Event::InitDone);
        feed("a", Event::Delete(object("a", "a2")));
        feed("b", Event::InitApply(object("b", "b1")));
        assert_eq!(cached(&store), [""; 0], "nothing is known before everything is");
        feed("b", Event::InitDone);
        assert_eq!(cached(&store), ["a1", "b1"]);
        feed("a", Event::Apply(object("a", "a3")));
        feed("a", Event::Init);
        feed("a", Event::InitApply(object("a", "a3")));
        assert_eq!(cached(&store), ["a1", "a3", "b1"]);
        feed("a", Event::InitDone);
        assert_eq!(cached(&store), ["a3", "b1"], "a1 was deleted while there was no watch");
        let mut recreated = object("a", "a3");
        recreated.metadata.uid = Some("another".to_owned());
        merge.translate("a", Event::Init);
        let events = merge.translate("a", Event::InitApply(recreated));
        assert!(matches!(&events[..], [Event::Delete(_), Event::Apply(_)]), "{} events", events.len());
    }
}
