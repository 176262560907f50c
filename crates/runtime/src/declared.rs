//! The cached form of an object that users declare.
//!
//! One object that does not decode must not stop the others, and must be told so in its own status. kube's
//! `DeserializeGuard` would keep the error but lose the status, so that every pass would write again; and a decoded
//! `spec` is ten times the size of its text. Here the `spec` stays text until a reconcile decodes it.

use kube::Resource;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Annotation in which `kubectl apply` keeps a copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object of kind `K` with a status of type `S`.
pub struct Declared<K, S> {
    metadata: ObjectMeta,
    spec: Box<str>,
    /// The status; the default when what is stored does not decode.
    pub status: S,
    kind: PhantomData<fn() -> K>,
}

/// A `spec` that is not of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec: cannot be read: {problem}")]
pub struct Undecodable {
    /// What is wrong, in the words of the decoder.
    pub problem: String,
}

impl<K, S> Declared<K, S> {
    /// Decodes the `spec`.
    ///
    /// # Errors
    /// When it is not of its type: the API server's schema lets some values through, such as too large numbers.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T, Undecodable> {
        serde_json::from_str(&self.spec).map_err(|error| Undecodable { problem: self.explain(&error) })
    }

    /// The `spec` as it was written.
    pub fn spec_text(&self) -> &str {
        &self.spec
    }

    /// Positions in our compact copy mean nothing to the user; the text there does.
    fn explain(&self, error: &serde_json::Error) -> String {
        let text = error.to_string();
        let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
        match self.spec.get(..error.column()).and_then(|before| before.rsplit('"').nth(1)) {
            Some(near) if error.column() > 0 => format!("{words}, near {near:?}"),
            _ => words.to_owned(),
        }
    }
}

impl<'de, K, S: DeserializeOwned + Default> Deserialize<'de> for Declared<K, S> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut object = match Value::deserialize(from)? {
            Value::Object(object) => object,
            _ => serde_json::Map::new(),
        };
        let mut take = |key: &str| object.remove(key).unwrap_or_default();
        let mut metadata: ObjectMeta = serde_json::from_value(take("metadata")).unwrap_or_default();
        metadata.managed_fields = None;
        if let Some(annotations) = &mut metadata.annotations {
            annotations.remove(LAST_APPLIED);
        }
        let spec = take("spec");
        let spec = if spec.is_null() { "{}".into() } else { spec.to_string().into_boxed_str() };
        let status = serde_json::from_value(take("status")).unwrap_or_default();
        Ok(Self { metadata, spec, status, kind: PhantomData })
    }
}

impl<K, S: Clone> Clone for Declared<K, S> {
    fn clone(&self) -> Self {
        Self {
            metadata: self.metadata.clone(),
            spec: self.spec.clone(),
            status: self.status.clone(),
            kind: PhantomData,
        }
    }
}

impl<K, S: fmt::Debug> fmt::Debug for Declared<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the spec: it may hold credentials.
        f.debug_struct("Declared")
            .field("name", &self.metadata.name)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl<K: Resource<DynamicType = ()>, S> Resource for Declared<K, S> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

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
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    struct Spec {
        count: i32,
    }

    fn declared(spec: &Value) -> Declared<Pod, Option<String>> {
        serde_json::from_value(json!({
            "metadata": {"name": "a", "managedFields": [{"manager": "m"}], "annotations": {LAST_APPLIED: "{}", "b": "c"}},
            "spec": spec,
            "status": "known",
        }))
        .unwrap()
    }

    #[test]
    fn an_object_that_does_not_decode_keeps_its_status() {
        let object = declared(&json!({"name": "x", "count": 3_000_000_000_u64}));
        let problem = object.spec::<Spec>().unwrap_err().to_string();
        assert!(problem.contains("3000000000") && problem.contains("count"), "{problem}");
        assert_eq!(object.status.as_deref(), Some("known"));
    }

    #[test]
    fn what_is_not_compared_is_not_kept() {
        let object = declared(&json!({"count": 3}));
        assert_eq!(object.spec::<Spec>().unwrap().count, 3);
        assert!(object.meta().managed_fields.is_none());
        assert_eq!(object.meta().annotations.as_ref().unwrap().len(), 1);
    }

    #[test]
    fn anything_decodes() {
        let object: Declared<Pod, Option<String>> =
            serde_json::from_value(json!({"metadata": 5, "status": {"odd": true}})).unwrap();
        assert_eq!((object.spec_text(), &object.status), ("{}", &None));
    }
}
