//! The default number of replicas.

use functionmesh_render::{Component, decode};
use serde_json::Value;

/// The spec without a number of replicas that the API server filled in, if another number applies instead. `text` is the stored
/// spec; `chosen` tells whether a user or a scaler set the number (`managed_fields::Owners`).
pub fn without_default<K: Component>(spec: K::Spec, text: &str, chosen: bool) -> K::Spec {
    let common = K::common(&spec);
    let more = common.replicas == Some(1) && common.min_replicas.is_some_and(|min| min > 1);
    if !more || chosen {
        return spec;
    }
    let text: Option<Value> = serde_json::from_str(text).ok();
    let stated = text.and_then(|mut text| {
        text.as_object_mut()?.remove("replicas");
        decode::<K::Spec>(&text).ok()
    });
    stated.unwrap_or(spec)
}
