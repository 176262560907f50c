//! The events of the objects of one shard.

use crate::undecoded::Undecoded;
use futures::{Stream, StreamExt};
use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{Error, Event};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Whether an object with these metadata is cached by this process.
pub(crate) type Keep = Arc<dyn Fn(&ObjectMeta) -> bool + Send + Sync>;

/// Keeps and decodes the events of objects for which `keep` holds. An object for which it holds no longer, because a label or an
/// owner changed, leaves the cache.
pub(crate) fn only<K>(
    events: impl Stream<Item = Result<Event<Undecoded<K>>, Error>> + Send + 'static,
    store: Store<K>,
    keep: Keep,
) -> impl Stream<Item = Result<Event<K>, Error>> + Send
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Send + Sync + 'static,
{
    events.filter_map(move |event| std::future::ready(translate(event, &store, &keep)))
}

fn translate<K>(
    event: Result<Event<Undecoded<K>>, Error>,
    store: &Store<K>,
    keep: &Keep,
) -> Option<Result<Event<K>, Error>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + 'static,
{
    let decode = |object: Undecoded<K>, event: fn(K) -> Event<K>| Some(object.decode().map(event));
    match event {
        Ok(Event::Init) => Some(Ok(Event::Init)),
        Ok(Event::InitDone) => Some(Ok(Event::InitDone)),
        Ok(Event::InitApply(object)) if keep(object.meta()) => decode(object, Event::InitApply),
        Ok(Event::InitApply(_)) => None,
        Ok(Event::Apply(object)) if keep(object.meta()) => decode(object, Event::Apply),
        Ok(Event::Apply(object) | Event::Delete(object)) => {
            let (name, namespace) = (object.meta().name.as_deref()?, object.meta().namespace.as_deref()?);
            store.get(&ObjectRef::new(name).within(namespace)).and_then(|_| decode(object, Event::Delete))
        }
        Err(error) => Some(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::runtime::reflector;
    use serde_json::json;

    #[tokio::test]
    async fn an_object_that_leaves_the_shard_leaves_the_cache() {
        let object = |name: &str, label: &str| -> Undecoded<ConfigMap> {
            let metadata = json!({"name": name, "namespace": "ns", "labels": {"of": label}});
            serde_json::from_str(&json!({"metadata": metadata}).to_string()).unwrap()
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
        let ours: Keep =
            Arc::new(|object| object.labels.as_ref().is_some_and(|labels| labels["of"] == "ours"));
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
