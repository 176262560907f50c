//! Objects of which only the metadata are decoded: most objects that a shard receives belong to other shards.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::watcher::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// An object of kind `K` as text, with what decides its shard: its name, its labels and its owners.
pub(crate) struct Undecoded<K> {
    metadata: ObjectMeta,
    text: Box<RawValue>,
    kind: PhantomData<fn() -> K>,
}

impl<K: DeserializeOwned> Undecoded<K> {
    /// Decodes the rest.
    ///
    /// # Errors
    /// If it is not an object of this kind: the same error as that of a watch of decoded objects.
    pub(crate) fn decode(&self) -> Result<K, Error> {
        serde_json::from_str(self.text.get())
            .map_err(|error| Error::WatchFailed(kube::Error::SerdeError(error)))
    }
}

#[derive(Deserialize)]
struct Parts {
    metadata: Metadata,
}

/// Everything else is skipped, `managedFields` above all.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl<'de, K> Deserialize<'de> for Undecoded<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(from)?;
        let Parts { metadata } = serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
        let Metadata { name, namespace, resource_version, labels, owner_references } = metadata;
        let metadata = ObjectMeta {
            name,
            namespace,
            resource_version,
            labels,
            owner_references,
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, text, kind: PhantomData })
    }
}

impl<K> Clone for Undecoded<K> {
    fn clone(&self) -> Self {
        Self { metadata: self.metadata.clone(), text: self.text.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for Undecoded<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undecoded").field("name", &self.metadata.name).finish_non_exhaustive()
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Undecoded<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::{ObjectList, WatchEvent};

    const OBJECT: &str = r#"{"metadata":{"name":"a","namespace":"ns","resourceVersion":"7","labels":{"l":"v"},"managedFields":[{"x":1}]},"data":{"k":"v"}}"#;

    #[test]
    fn an_object_is_decoded_later() {
        let event: WatchEvent<Undecoded<ConfigMap>> =
            serde_json::from_str(&format!(r#"{{"type":"ADDED","object":{OBJECT}}}"#)).unwrap();
        let WatchEvent::Added(object) = event else { panic!("{event:?}") };
        assert_eq!(object.meta().labels, Some([("l".to_owned(), "v".to_owned())].into()));
        assert_eq!(object.meta().resource_version.as_deref(), Some("7"));
        assert_eq!(object.decode().unwrap().data, Some([("k".to_owned(), "v".to_owned())].into()));
        let list: ObjectList<Undecoded<ConfigMap>> = serde_json::from_str(&format!(
            r#"{{"kind":"ConfigMapList","apiVersion":"v1","metadata":{{}},"items":[{OBJECT}]}}"#
        ))
        .unwrap();
        assert_eq!(list.items[0].decode().unwrap().data.unwrap()["k"], "v");
        let odd: Undecoded<ConfigMap> =
            serde_json::from_str(r#"{"metadata":{"name":"a"},"data":5}"#).unwrap();
        assert!(odd.decode().is_err());
    }
}
