//! A Function, Source or Sink as it is cached, and how it is decoded and checked.

use functionmesh_api::constants::ANNOTATION_MANAGED;
use functionmesh_api::status::ComponentStatus;
use functionmesh_plan::health::reason::Reason;
use functionmesh_plan::outcome::Outcome;
use functionmesh_plan::replicas::without_default;
use functionmesh_render::{Component, Workload, decode};
use functionmesh_runtime::raw_object::RawObject;
use kube::{Resource, ResourceExt};

/// A Function, Source or Sink as it is cached.
pub(crate) type Object<K> = RawObject<K, ComponentStatus>;

/// Whether the user opted the object out (annotation `managed: "false"`).
pub(crate) fn is_unmanaged<K: Component>(object: &Object<K>) -> bool {
    object.annotations().get(ANNOTATION_MANAGED).is_some_and(|value| value == "false")
}

/// Decodes and checks the object.
pub(crate) fn lower<K: Component>(object: &Object<K>) -> Result<Workload, Outcome> {
    let invalid = |message: String| Outcome::refused(Reason::Invalid, message);
    let spec = object.spec::<K::Spec>().map_err(|error| {
        // A second, slower pass finds the field. Without an error there is no text.
        let text = serde_json::from_str(object.spec_text()).ok();
        let located = text.and_then(|spec| decode::<K::Spec>(&spec).err());
        invalid(located.map_or_else(|| error.to_string(), |located| located.to_string()))
    })?;
    let spec = without_default::<K>(spec, object.spec_text(), object.owners.replicas_chosen);
    K::lower(object.meta(), spec).map_err(|e| invalid(e.to_string()))
}
