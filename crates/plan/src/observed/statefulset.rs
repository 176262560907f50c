//! The cached form of a `StatefulSet`.

use crate::observed::metadata::{ADJUSTED, pruned_metadata};
use crate::observed::owned_fields::OwnedFields;
use crate::observed::packed::{Packed, owner};
use crate::observed::view::{Labelled, View};
use crate::rollout::provenance::Provenance;
use crate::takeover::marks::changed_by_go_operator;
use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_objects::bounded_json::metadata;
use functionmesh_render::RENDERED_HASH;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Resource;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

/// The cached parts of a `StatefulSet`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, Resource)]
#[resource(inherit = StatefulSet)]
pub struct StatefulSetView {
    /// Name, owner, generation and the hash of its rendering.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// The desired number of pods.
    #[serde(default)]
    pub spec: StatefulSetSpecView,
    /// The status of the pods.
    #[serde(default)]
    pub status: StatefulSetStatusView,
    /// Hash of the list of applied fields below `spec`, except for the number of replicas.
    #[serde(skip)]
    pub fields: Option<Box<str>>,
    /// The field manager that changed it last, if it is another one.
    #[serde(skip)]
    pub editor: Option<Box<str>>,
    /// Whether the Go operator changed the pod template after the last write of this operator. Set by [`View::prune`].
    #[serde(skip)]
    pub changed_by_go_operator: bool,
    #[serde(skip)]
    pub(crate) packed: Packed,
}

/// The part of the `spec` that is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetSpecView {
    /// Number of pods.
    pub replicas: i32,
    /// The template of the pods.
    pub template: TemplateView,
}

/// The part of the pod template that is cached: the annotation of a restart on request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct TemplateView {
    metadata: Option<TemplateMetadata>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct TemplateMetadata {
    annotations: Option<TemplateAnnotations>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct TemplateAnnotations {
    #[serde(rename = "compute.functionmesh.io/restarted-at")]
    restarted_at: Option<Box<str>>,
}

/// The part of the `status` that is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetStatusView {
    /// Generation that the other numbers describe.
    pub observed_generation: i64,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that were ready for `minReadySeconds`.
    pub available_replicas: i32,
    /// Pods of the newest template.
    pub updated_replicas: i32,
    /// The revision of the newest template, as in the label of its pods.
    pub update_revision: Option<Box<str>>,
}

/// Whether the live `StatefulSet` is in the state that the last write left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Unchanged.
    Untouched,
    /// Another field manager changed its spec.
    Edited,
    /// There is no record of the last write: it was lost, or the process ended before it was written.
    Unknown,
}

impl View for StatefulSetView {
    fn prune(&mut self, manager: &str) {
        let owned = OwnedFields::of(&self.metadata, manager);
        (self.fields, self.editor) = (owned.fields, owned.editor);
        let entries = self.metadata.managed_fields.as_deref().unwrap_or_default();
        self.changed_by_go_operator = changed_by_go_operator(entries, manager);
        self.metadata = pruned_metadata(std::mem::take(&mut self.metadata), manager);
    }

    fn pack(&mut self) {
        self.packed = Packed::take(&mut self.metadata);
    }

    fn unpacked(mut self) -> Self {
        self.packed.put_back(&mut self.metadata);
        self
    }
}

impl Labelled for StatefulSetView {
    fn owner(&self) -> Option<&str> {
        owner(&self.metadata, &self.packed)
    }
}

impl StatefulSetView {
    /// The record of it in the owner's status, by which edits of other field managers are detected.
    pub fn reference(&self) -> Option<StatefulSetStatusRef> {
        let rendered_hash = self.rendered_hash()?.to_owned();
        let inputs_hash =
            Provenance::on(&self.metadata).and_then(|provenance| provenance.spec_hash().map(str::to_owned));
        let generation = self.metadata.generation?;
        let fields_hash = self.fields.as_deref().map(str::to_owned);
        Some(StatefulSetStatusRef { generation, rendered_hash, inputs_hash, pending_hash: None, fields_hash })
    }

    /// The generation after the last write that left the template unchanged, if there was one.
    fn adjusted_generation(&self) -> Option<i64> {
        self.metadata.annotations.as_ref()?.get(ADJUSTED)?.parse().ok()
    }

    /// The record of the last write, if it describes the live rendering.
    pub fn record<'a>(&self, recorded: Option<&'a StatefulSetStatusRef>) -> Option<&'a StatefulSetStatusRef> {
        recorded.filter(|recorded| Some(recorded.rendered_hash.as_str()) == self.rendered_hash())
    }

    /// Whether the live `StatefulSet` is in the state of the last write, according to its record.
    pub fn trace(&self, recorded: Option<&StatefulSetStatusRef>) -> Trace {
        let generation = self.metadata.generation;
        match self.record(recorded) {
            // Its spec is unchanged since it was created with that hash: the process ended before the status recorded it.
            None if generation == Some(1) && self.rendered_hash().is_some() => Trace::Untouched,
            None => Trace::Unknown,
            Some(recorded) if Some(recorded.generation) == generation => Trace::Untouched,
            Some(_) if self.adjusted_generation() == generation => Trace::Untouched,
            // Another field manager changed the replicas, or added a field that the operator does not own, as `kubectl rollout
            // restart` and Reloader do.
            Some(recorded) if self.holds(recorded) == Some(true) => Trace::Untouched,
            Some(_) => Trace::Edited,
        }
    }

    /// Whether the operator still owns every field that it applied, if that is known. A manager that changes or removes one
    /// takes over its ownership; a manager that adds a field does not.
    pub fn holds(&self, recorded: &StatefulSetStatusRef) -> Option<bool> {
        Some(recorded.fields_hash.as_deref()? == self.fields.as_deref()?)
    }

    /// Whether its spec was changed since the last write.
    pub fn moved(&self, recorded: Option<&StatefulSetStatusRef>) -> bool {
        let generation = self.metadata.generation;
        self.record(recorded).is_some_and(|recorded| Some(recorded.generation) != generation)
            && self.adjusted_generation() != generation
    }

    /// The time of the last restart on request that its pods carry.
    pub fn restarted_at(&self) -> Option<&str> {
        self.spec.template.metadata.as_ref()?.annotations.as_ref()?.restarted_at.as_deref()
    }

    /// Whether its pods have annotations.
    pub(crate) fn has_pod_annotations(&self) -> bool {
        self.spec.template.metadata.as_ref().is_some_and(|metadata| metadata.annotations.is_some())
    }

    /// The hash of its rendering.
    pub fn rendered_hash(&self) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(RENDERED_HASH).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A StatefulSet in a generation, with the applied fields and those that another field manager owns.
    fn set(generation: i64, ours: &serde_json::Value, other: &str, at: &str) -> StatefulSetView {
        let mut set: StatefulSetView = serde_json::from_value(json!({"metadata": {
            "generation": generation, "annotations": {RENDERED_HASH: "h"}, "managedFields": [
                {"manager": "ours", "operation": "Apply", "time": "2026-01-01T00:00:10Z", "fieldsV1": {"f:spec": ours}},
                {"manager": other, "operation": "Update", "time": at, "fieldsV1": {"f:spec": {"f:template": {}}}},
                {"manager": "kcm", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:01:00Z",
                    "fieldsV1": {"f:status": {}}},
            ]}}))
        .unwrap();
        set.prune("ours");
        set
    }

    #[test]
    fn an_edit_is_a_change_of_a_field_that_we_applied() {
        let fields =
            json!({"f:replicas": {}, "f:template": {"f:spec": {"f:a": {}}}, "f:minReadySeconds": {}});
        let recorded = set(1, &fields, "other", "2026-01-01T00:00:00Z").reference();
        let trace = |fields: &serde_json::Value| {
            let set = set(2, fields, "other", "2026-01-01T00:00:20Z");
            assert!(set.moved(recorded.as_ref()));
            set.trace(recorded.as_ref())
        };
        assert_eq!(trace(&fields), Trace::Untouched, "something was added");
        let mut scaled = fields.clone();
        scaled.as_object_mut().unwrap().remove("f:replicas");
        assert_eq!(trace(&scaled), Trace::Untouched, "the number of replicas is compared by itself");
        let mut edited = fields.clone();
        edited.as_object_mut().unwrap().remove("f:minReadySeconds");
        assert_eq!(trace(&edited), Trace::Edited);
        // A record of an earlier release has no hash.
        let old = recorded.map(|recorded| StatefulSetStatusRef { fields_hash: None, ..recorded });
        assert_eq!(set(2, &fields, "other", "2026-01-01T00:00:20Z").trace(old.as_ref()), Trace::Edited);
    }

    #[test]
    fn the_editor_is_the_last_other_manager_after_us() {
        let editor = |at: &str| set(2, &json!({"f:template": {}}), "kubectl-edit", at).editor;
        assert_eq!(editor("2026-01-01T00:00:20Z").as_deref(), Some("kubectl-edit"));
        assert_eq!(editor("2026-01-01T00:00:00Z"), None, "before our own write");
    }
}
