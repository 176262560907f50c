//! The cached form of a user's object (docs/decisions/0033-raw-objects.md).
//!
//! An object that fails to decode gets an `Invalid` condition; other objects are unaffected. kube's `DeserializeGuard` would keep
//! the error but lose the status, so that every reconcile would write it again; and a decoded `spec` is ten times the size of its
//! text. Here the `spec` stays text until a reconcile decodes it.

use functionmesh_objects::bounded_json::{LEVELS, Shallow, metadata};
use functionmesh_objects::managed_fields::Owners;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::Resource;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Annotation in which `kubectl apply` keeps a copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object of kind `K` with a status of type `S`.
pub struct RawObject<K, S> {
    metadata: ObjectMeta,
    spec: Result<Box<str>, Box<Undecodable>>,
    /// The status; the default when what is stored does not decode.
    pub status: S,
    /// Who owns its fields.
    pub owners: Owners,
    kind: PhantomData<fn() -> K>,
}

/// A `spec` that is not of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Undecodable {
    /// The field, as far as it is known.
    pub field: String,
    /// The error.
    pub problem: String,
}

impl<K, S> RawObject<K, S> {
    /// Decodes the `spec`.
    ///
    /// # Errors
    /// If it does not match its type: the API server's schema accepts some invalid values, such as numbers that are too large.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T, Undecodable> {
        let text = self.spec.as_deref().map_err(|problem| Undecodable::clone(problem))?;
        serde_json::from_str(text).map_err(|error| {
            let problem = format!("cannot be read: {}", explain(text, &error));
            Undecodable { field: "spec".to_owned(), problem }
        })
    }

    /// The `spec` as it was written; empty if it is nested too deeply, which [`RawObject::spec`] reports.
    pub fn spec_text(&self) -> &str {
        self.spec.as_deref().unwrap_or_default()
    }
}

impl<K, S: Default> RawObject<K, S> {
    /// Drops what an object of others has: `spec`, status, labels and annotations. Who it is remains.
    pub fn drop_content(&mut self) {
        (self.spec, self.status) = (Ok("{}".into()), S::default());
        (self.metadata.labels, self.metadata.annotations) = (None, None);
    }
}

/// Positions in the compact copy mean nothing to the user; the quoted text does.
fn explain(spec: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    match spec.get(..error.column()).and_then(|before| before.rsplit('"').nth(1)) {
        Some(near) if error.column() > 0 => format!("{message}, near {near:?}"),
        _ => message.to_owned(),
    }
}

/// The text of a `spec`, with its fields in order.
fn text(spec: &Shallow) -> Result<Box<str>, Box<Undecodable>> {
    match spec.path() {
        Some(path) => Err(Box::new(Undecodable {
            field: format!("spec.{path}"),
            problem: format!("is nested more than {LEVELS} levels deep; make it flatter"),
        })),
        None if spec.value.is_null() => Ok("{}".into()),
        None => Ok(spec.value.to_string().into_boxed_str()),
    }
}

/// The parts of an object. A part that does not decode does not affect the others.
#[derive(Deserialize)]
struct Parts {
    #[serde(default, deserialize_with = "metadata")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Shallow,
    #[serde(default)]
    status: Shallow,
}

impl<'de, K, S: DeserializeOwned + Default> Deserialize<'de> for RawObject<K, S> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Parts { mut metadata, spec, status } = Parts::deserialize(from)?;
        let owners = Owners::of(&metadata);
        // The list makes up most of an object's bytes.
        metadata.managed_fields = applied(&metadata);
        if let Some(annotations) = &mut metadata.annotations {
            annotations.remove(LAST_APPLIED);
        }
        let status = serde_json::from_value(status.value).unwrap_or_default();
        Ok(Self { metadata, spec: text(&spec), status, owners, kind: PhantomData })
    }
}

/// The manager that applied an object without a controller, as recorded by the API server: this entry of `managedFields` is kept,
/// without the fields. An object that lost its owner reference may belong to this operator.
fn applied(metadata: &ObjectMeta) -> Option<Vec<ManagedFieldsEntry>> {
    let controlled = metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true));
    let applied = |entry: &&ManagedFieldsEntry| {
        entry.operation.as_deref() == Some("Apply") && entry.subresource.is_none() && !controlled
    };
    let entries = metadata.managed_fields.iter().flatten().filter(applied);
    let kept: Vec<_> = entries
        .map(|entry| ManagedFieldsEntry { manager: entry.manager.clone(), ..ManagedFieldsEntry::default() })
        .collect();
    (!kept.is_empty()).then_some(kept)
}

impl<K, S: Clone> Clone for RawObject<K, S> {
    fn clone(&self) -> Self {
        Self {
            metadata: self.metadata.clone(),
            spec: self.spec.clone(),
            status: self.status.clone(),
            owners: self.owners,
            kind: PhantomData,
        }
    }
}

impl<K, S: fmt::Debug> fmt::Debug for RawObject<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the spec: it may hold credentials.
        f.debug_struct("RawObject")
            .field("name", &self.metadata.name)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl<K: Resource<DynamicType = ()>, S> Resource for RawObject<K, S> {
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
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::{Value, json};

    #[derive(Debug, Deserialize)]
    struct Spec {
        count: i32,
    }

    fn declared(spec: &Value) -> RawObject<Pod, Option<String>> {
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
    fn who_applied_an_object_is_kept_when_nobody_controls_it() {
        let entry = |operation: &str, manager: &str, subresource: Option<&str>| json!({"manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": {"f:spec": {}}});
        let managed = [
            entry("Apply", "ours", None),
            entry("Update", "kubectl", None),
            entry("Apply", "ours-status", Some("status")),
        ];
        let object = |owners: &Value| -> RawObject<Pod, Option<String>> {
            serde_json::from_value(
                json!({"metadata": {"name": "a", "managedFields": managed, "ownerReferences": owners}}),
            )
            .unwrap()
        };
        let mut owner = json!({"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u"});
        let only_ours =
            ManagedFieldsEntry { manager: Some("ours".to_owned()), ..ManagedFieldsEntry::default() };
        assert_eq!(object(&json!([owner])).meta().managed_fields, Some(vec![only_ours]));
        owner["controller"] = json!(true);
        assert_eq!(object(&json!([owner])).meta().managed_fields, None);
    }

    #[test]
    fn anything_decodes() {
        let object: RawObject<Pod, Option<String>> =
            serde_json::from_value(json!({"metadata": 5, "status": {"odd": true}})).unwrap();
        assert_eq!((object.spec_text(), &object.status), ("{}", &None));
    }

    #[test]
    fn an_object_that_is_nested_too_deeply_stops_no_other() {
        type Object = RawObject<Pod, Option<String>>;
        for levels in [125, 9_000, 100_000] {
            let deep = format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
            let odd = format!(
                r#"{{"metadata":{{"name":"deep","resourceVersion":"5","managedFields":[{{"fieldsV1":{deep}}}]}},
                    "spec":{{"config":{deep}}},"status":"known"}}"#
            );
            let fine = r#"{"metadata":{"name":"fine"},"spec":{"count":1}}"#;
            let list =
                format!(r#"{{"apiVersion":"v1","kind":"L","metadata":{{}},"items":[{fine},{odd},{fine}]}}"#);
            let list: ObjectList<Object> = serde_json::from_str(&list).unwrap();
            let names: Vec<_> = list.items.iter().map(|o| o.meta().name.as_deref().unwrap()).collect();
            assert_eq!(names, ["fine", "deep", "fine"]);
            let event = format!(r#"{{"type":"MODIFIED","object":{odd}}}"#);
            let WatchEvent::Modified(object) = serde_json::from_str::<WatchEvent<Object>>(&event).unwrap()
            else {
                panic!("another event")
            };
            assert_eq!(object.meta().resource_version.as_deref(), Some("5"));
            assert_eq!((object.status.as_deref(), object.spec_text()), (Some("known"), ""));
            let problem = object.spec::<Value>().unwrap_err().to_string();
            assert!(problem.starts_with("spec.config.a.a.a.a: is nested more than 100 levels"), "{problem}");
        }
    }
}
