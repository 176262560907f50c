//! The share of one process in the objects of a kind (docs/decisions/0057-shards.md).

use functionmesh_objects::hash::number_of;
use futures::{Stream, StreamExt};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{Error, Event};
use std::fmt;
use std::str::FromStr;

/// The largest number of shards: each of them receives every event of its kinds. The roles of the controllers name the leases of
/// so many.
pub const MOST: u16 = 16;

/// One of several shards. Every object belongs to exactly one of them, by a hash of its namespace and name.
///
/// The hash is part of the contract between releases: while an upgrade replaces one shard after the other, both have to agree on
/// which shard an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u16,
    count: u16,
}

impl Shard {
    /// The only shard, to which every object belongs.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Number of shards.
    pub fn count(self) -> u16 {
        self.count
    }

    /// Whether an object belongs to this shard.
    pub fn has(self, namespace: &str, name: &str) -> bool {
        self == Self::WHOLE
            || number_of(format!("{namespace}/{name}").as_bytes()) % u64::from(self.count)
                == u64::from(self.index)
    }

    /// The same for a reference to an object.
    pub fn has_object<K: Resource<DynamicType = ()>>(self, object: &ObjectRef<K>) -> bool {
        self.has(object.namespace.as_deref().unwrap_or_default(), &object.name)
    }

    /// Name of the Lease of this shard, given the name of that of a controller without shards.
    pub(crate) fn lease(self, base: &str) -> String {
        if self == Self::WHOLE { base.to_owned() } else { format!("{base}-{}", self.index) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = || {
            let (index, count) = text.split_once('/')?;
            Some((index.parse().ok()?, count.parse().ok()?))
        };
        match numbers() {
            Some((index, count)) if index < count && count <= MOST => Ok(Self { index, count }),
            _ => Err(format!("not a shard such as 0/3, 1/3 or 2/3 of three; there may be {MOST} at most")),
        }
    }
}

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

    fn shards(count: u16) -> Vec<Shard> {
        (0..count).map(|index| Shard { index, count }).collect()
    }

    #[test]
    fn every_object_belongs_to_one_shard_and_shards_are_of_one_size() {
        for count in [1, 2, 3, 7] {
            let mut sizes = vec![0; usize::from(count)];
            for number in 0..3000 {
                let of: Vec<_> =
                    shards(count).into_iter().filter(|s| s.has("ns", &format!("fn-{number}"))).collect();
                let [shard] = of[..] else { panic!("{number} belongs to {of:?}") };
                sizes[usize::from(shard.index)] += 1;
            }
            let even = 3000 / i32::from(count);
            assert!(sizes.iter().all(|size| (size - even).abs() < even / 8), "{sizes:?}");
        }
    }

    #[test]
    fn other_releases_agree_on_the_shard_of_an_object() {
        let of = |namespace: &str, name: &str| {
            shards(5).into_iter().find(|shard| shard.has(namespace, name)).unwrap().to_string()
        };
        let objects = [("default", "exclamation"), ("default", "f"), ("a", "b/c"), ("", "")];
        assert_eq!(objects.map(|(namespace, name)| of(namespace, name)), ["0/5", "4/5", "3/5", "0/5"]);
    }

    #[test]
    fn a_shard_is_an_index_and_a_number() {
        for text in ["0/1", "0/3", "2/3", "15/16"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in ["", "1", "3/3", "1/0", "0/0", "-1/3", "0/17", "1/2/3", "a/3", " 0/3"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("0/3"), "{text}");
        }
    }

    #[test]
    fn each_shard_has_a_lease() {
        assert_eq!(Shard::WHOLE.lease("c"), "c");
        assert_eq!(shards(3).into_iter().map(|s| s.lease("c")).collect::<Vec<_>>(), ["c-0", "c-1", "c-2"]);
    }

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
