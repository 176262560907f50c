//! Changes the owners of the fields of an object, in its `metadata.managedFields`.

use crate::apply::Writer;
use crate::apply_error::ApplyError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

/// Changes the owners of the fields of an object. Nothing else changes, except for an annotation that is removed in the same
/// write.
///
/// # Errors
/// See [`ApplyError`]; a concurrent change causes a conflict.
pub async fn reassign<V>(
    writer: &Writer,
    object: &V,
    dropped: Option<&str>,
    change: impl FnOnce(Vec<ManagedFieldsEntry>) -> Vec<ManagedFieldsEntry>,
) -> Result<V, ApplyError>
where
    V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let full = writer.read(object).await?;
    let at = |path: &str| full.pointer(path).cloned().unwrap_or_default();
    let entries = serde_json::from_value(at("/metadata/managedFields")).unwrap_or_default();
    let mut steps = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": object.uid()}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": at("/metadata/resourceVersion")}),
        json!({"op": "add", "path": "/metadata/managedFields", "value": change(entries)}),
    ];
    let pointer = |key: &str| format!("/metadata/annotations/{}", key.replace('~', "~0").replace('/', "~1"));
    let dropped = dropped.map(pointer).filter(|path| full.pointer(path).is_some());
    steps.extend(dropped.map(|path| json!({"op": "remove", "path": path})));
    writer.patch(object, Value::Array(steps)).await
}
