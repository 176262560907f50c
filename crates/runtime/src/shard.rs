//! The events of the objects of one shard.

use futures::{Stream, StreamExt};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{Error, Event};

/// Keeps the events of objects for which `keep` holds. An object for which it holds no longer, because a label or an owner
/// changed, leaves the cache.
pub(crate) fn only<K>(
    events: impl Stream<Item = Result<Event<K>, Error>> + Send + 'static,
    store: Store<K>,
    keep: impl Fn(&K) -> bool + Send + 'static,
) -> impl Stream<Item = Result<Event<K>, Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    events.filter_map(move |event| {
        let event = match event {
            Ok(Event::InitApply(object)) => keep(&object).then_some(Event::InitApply(object)),
            Ok(Event::Apply(object)) if keep(&object) => Some(Event::Apply(object)),
            Ok(Event::Apply(object) | Event::Delete(object)) => {
                store.get(&ObjectRef::from_obj(&object)).map(|_| Event::Delete(object))
            }
            Ok(event @ (Event::Init | Event::InitDone)) => Some(event),
            Err(error) => return std::future::ready(Some(Err(error))),
        };
        std::future::ready(event.map(Ok))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::runtime::reflector;

    #[tokio::test]
    async fn an_object_that_leaves_the_shard_leaves_the_cache() {
        let object = |name: &str, label: &str| {
            let mut object = ConfigMap::default();
            object.metadata.name = Some(name.to_owned());
            object.labels_mut().insert("of".to_owned(), label.to_owned());
            object
        };
        let (store, mut writer) = reflector::store::<ConfigMap>();
        let events = [
            Event::Init,
            Event::InitApply(object("a", "ours")),
            Event::InitApply(object("b", "other")),
            Event::InitDone,
            Event::Apply(object("c", "other")),
            Event::Apply(object("d", "ours")),
            Event::Delete(object("b", "other")),
            Event::Apply(object("a", "other")),
            Event::Delete(object("d", "other")),
        ];
        let ours = |object: &ConfigMap| object.labels().get("of").is_some_and(|of| of == "ours");
        let kept = only(stream::iter(events.into_iter().map(Ok)), store.clone(), ours);
        let seen: Vec<String> = kept
            .map(|event| {
                let event = event.unwrap();
                writer.apply_watcher_event(&event);
                match event {
                    Event::Init => "list".to_owned(),
                    Event::InitDone => "listed".to_owned(),
                    Event::InitApply(object) | Event::Apply(object) => format!("+{}", object.name_any()),
                    Event::Delete(object) => format!("-{}", object.name_any()),
                }
            })
            .collect()
            .await;
        assert_eq!(seen, ["list", "+a", "listed", "+d", "-a", "-d"]);
        assert!(store.is_empty());
    }
}
