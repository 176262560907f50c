//! Which fields of a child the operator owns, and which manager changed it last, by `managedFields`.

use functionmesh_objects::hash::hash_of;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::ObjectMeta;

/// The annotation of a restart on request in a list of fields.
const RESTARTED_AT: &str = "f:compute.functionmesh.io/restarted-at";

/// The owners of a child's fields, as the API server records them.
pub(crate) struct OwnedFields {
    /// Hash of the list of applied fields below `spec`, except for the number of replicas and the time of a restart on request,
    /// which are written separately.
    pub(crate) fields: Option<Box<str>>,
    /// The last field manager to change a field that the operator writes, if it is another one.
    pub(crate) editor: Option<Box<str>>,
}

impl OwnedFields {
    pub(crate) fn of(metadata: &ObjectMeta, manager: &str) -> Self {
        let entries = || metadata.managed_fields.iter().flatten().filter(|entry| entry.subresource.is_none());
        let is_ours = |entry: &&ManagedFieldsEntry| entry.manager.as_deref() == Some(manager);
        let time = |entry: &ManagedFieldsEntry| entry.time.as_ref().map(|time| time.0);
        let ours = entries().filter(is_ours).find(|entry| entry.operation.as_deref() == Some("Apply"));
        let fields = ours.and_then(|entry| {
            let mut fields = entry.fields_v1.as_ref()?.0.get("f:spec")?.clone();
            if let Some(fields) = fields.as_object_mut() {
                fields.remove("f:replicas");
            }
            if let Some(annotations) = fields.pointer_mut("/f:template/f:metadata/f:annotations") {
                annotations.as_object_mut()?.remove(RESTARTED_AT);
            }
            Some(hash_of(&serde_json::to_vec(&fields).ok()?).into_boxed_str())
        });
        let last = entries().filter(is_ours).filter_map(time).max();
        let writes_ours = |entry: &&ManagedFieldsEntry| {
            let held = |path: &str| entry.fields_v1.as_ref().is_some_and(|f| f.0.pointer(path).is_some());
            ["/f:spec", "/f:metadata/f:labels", "/f:metadata/f:ownerReferences"].into_iter().any(held)
        };
        let others = entries().filter(|entry| !is_ours(entry) && time(entry) >= last).filter(writes_ours);
        let editor = others.max_by_key(|entry| time(entry)).and_then(|entry| entry.manager.as_deref());
        Self { fields, editor: editor.map(Into::into) }
    }
}

/// The last field manager to change a child, if it is another one.
pub(crate) fn editor(metadata: &ObjectMeta, manager: &str) -> Option<Box<str>> {
    OwnedFields::of(metadata, manager).editor
}
