//! Deletions that happened while a watch was interrupted.
//!
//! After an interruption kube's watcher may list everything again. Objects that are missing in the new list were deleted
//! meanwhile, but there is no `Delete` event: the cache drops the object, and its owner is not reconciled until the next resync.
//! So the cache before the list is compared with the cache after it (docs/decisions/0042-deletions-during-a-gap.md).

use crate::index::Index;
use futures::{Stream, StreamExt, stream};
use kube::Resource;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{Error, Event};
use std::sync::Arc;

/// Fills `store` by `writer`, and adds a `Delete` event after a new list for each object that is missing in it. An object that
/// was recreated under the same name counts as deleted: the old one may have had another owner. The index follows the cache.
pub(crate) fn with_deletions<K>(
    events: impl Stream<Item = Result<Event<K>, Error>> + Send,
    store: Store<K>,
    mut writer: Writer<K>,
    index: Option<Arc<Index<K>>>,
) -> impl Stream<Item = Result<Event<K>, Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    events.flat_map(move |event| {
        // Pointers only: the deleted objects alone are kept after the list.
        let before = if matches!(event, Ok(Event::InitDone)) { store.state() } else { Vec::new() };
        if let Ok(event) = &event {
            match &index {
                Some(index) => index.follow(event, &store, || writer.apply_watcher_event(event)),
                None => writer.apply_watcher_event(event),
            }
        }
        let gone: Vec<_> = before.into_iter().filter(|object| is_gone(object.as_ref(), &store)).collect();
        let deletions = gone.into_iter().map(|object| Ok(Event::Delete(Arc::unwrap_or_clone(object))));
        stream::iter(std::iter::once(event).chain(deletions))
    })
}

fn is_gone<K: Resource<DynamicType = ()> + Clone + 'static>(object: &K, store: &Store<K>) -> bool {
    store.get(&ObjectRef::from_obj(object)).is_none_or(|listed| listed.meta().uid != object.meta().uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::runtime::reflector;

    fn object(name: &str, uid: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.uid = Some(uid.to_owned());
        object
    }

    /// The resulting events as text, and the content of the cache at the end.
    async fn through(events: Vec<Event<ConfigMap>>) -> (Vec<String>, Vec<String>) {
        let (store, writer) = reflector::store();
        let events = stream::iter(events.into_iter().map(Ok));
        let seen = with_deletions(events, store.clone(), writer, None).collect::<Vec<_>>().await;
        let text = seen.into_iter().flatten().filter_map(|event| match event {
            Event::Delete(object) => {
                Some(format!("-{}/{}", object.name_any(), object.uid().unwrap_or_default()))
            }
            Event::InitDone => Some("list".to_owned()),
            Event::Init | Event::InitApply(_) | Event::Apply(_) => None,
        });
        let mut cached: Vec<_> = store.state().iter().map(|object| object.name_any()).collect();
        cached.sort();
        (text.collect(), cached)
    }

    #[tokio::test]
    async fn what_a_new_list_does_not_have_was_deleted() {
        let (text, cached) = through(vec![
            Event::Init,
            Event::InitApply(object("a", "1")),
            Event::InitApply(object("b", "1")),
            Event::InitApply(object("c", "1")),
            Event::InitDone,
            Event::Delete(object("a", "1")),
            Event::Apply(object("d", "1")),
            Event::Init,
            Event::InitApply(object("b", "2")),
            Event::InitApply(object("d", "1")),
            Event::InitDone,
        ])
        .await;
        assert_eq!(text[..3], ["list", "-a/1", "list"], "the watch's own deletions stay as they are");
        let mut gone = text[3..].to_vec();
        gone.sort();
        assert_eq!(gone, ["-b/1", "-c/1"], "b was recreated, c was deleted");
        assert_eq!(cached, ["b", "d"]);
    }

    #[tokio::test]
    async fn a_list_that_is_interrupted_says_nothing() {
        let (text, cached) = through(vec![
            Event::Init,
            Event::InitApply(object("a", "1")),
            Event::InitDone,
            Event::Init,
            Event::Init,
            Event::InitApply(object("a", "1")),
            Event::InitDone,
        ])
        .await;
        assert_eq!((text, cached), (vec!["list".to_owned(), "list".to_owned()], vec!["a".to_owned()]));
    }
}
