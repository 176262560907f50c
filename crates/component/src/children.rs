//! Trimmed views of the objects a component owns: what is compared is kept, nothing else.

use crate::note::{Note, RENDERED_FROM};
use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_objects::bounded_json::metadata;
use functionmesh_objects::managed_fields;
use functionmesh_render::{RENDERED_HASH, hash_of};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, OwnerReference};
use kube::Resource;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Annotation of a `StatefulSet`: its generation after a change that left its template alone, such as of its replicas.
/// It is part of that change, so that the change cannot be taken for somebody else's.
pub const ADJUSTED: &str = "compute.functionmesh.io/adjusted-generation";

/// Field manager of the Go operator: the name of its program.
const GO_OPERATOR: &str = "manager";

/// A trimmed view of a child that we write.
pub trait View:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Drops what is not compared. `manager` is the field manager under which we write.
    fn trim(&mut self, manager: &str);

    /// Whether the Go operator still owns fields of it, which have to be taken over before it is applied: otherwise what is
    /// no longer rendered would stay.
    fn is_inherited(&self) -> bool {
        false
    }
}

/// What is kept of a `StatefulSet`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, Resource)]
#[resource(inherit = StatefulSet)]
pub struct StatefulSetView {
    /// Name, owner, generation and the hash it was rendered with.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// The desired number of pods.
    #[serde(default)]
    pub spec: StatefulSetSpecView,
    /// What became of the pods.
    #[serde(default)]
    pub status: StatefulSetStatusView,
    /// Hash of the list of fields below `spec` that we applied, the number of replicas left out.
    #[serde(skip)]
    pub fields: Option<Box<str>>,
    /// The field manager that changed it last, when that is another one.
    #[serde(skip)]
    pub editor: Option<Box<str>>,
    /// Whether the Go operator changed the pods' template after our last write of it. Set by [`View::trim`].
    #[serde(skip)]
    pub changed_by_go_operator: bool,
}

/// The part of the `spec` that is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetSpecView {
    /// Number of pods.
    pub replicas: i32,
}

/// The part of the `status` that is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatefulSetStatusView {
    /// Generation that the other numbers speak of.
    pub observed_generation: i64,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that were ready for `minReadySeconds`.
    pub available_replicas: i32,
    /// Pods of the newest template.
    pub updated_replicas: i32,
    /// The newest template, in the words of the label of its pods.
    pub update_revision: Option<Box<str>>,
}

/// Whether the live set is in the state that the last write left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// It is.
    Untouched,
    /// Somebody changed its spec.
    Edited,
    /// There is no record of the last write: it was lost, or the process ended before it was made.
    Unknown,
}

impl View for StatefulSetView {
    fn trim(&mut self, manager: &str) {
        let holders = Holders::of(&self.metadata, manager);
        (self.fields, self.editor) = (holders.fields, holders.editor);
        let entries = self.metadata.managed_fields.as_deref().unwrap_or_default();
        self.changed_by_go_operator = changed_by_go_operator(entries, manager);
        self.metadata = slim(std::mem::take(&mut self.metadata), manager);
    }
}

/// Whether the Go operator, which writes whole objects by PUT, holds a field of the pods' template that it wrote after our
/// last apply. Taking the object over gives us its fields, so that this is true once for each switch.
fn changed_by_go_operator(entries: &[ManagedFieldsEntry], manager: &str) -> bool {
    let time = |by: &str, operation: &str| {
        let found = entries.iter().filter(|entry| {
            entry.manager.as_deref() == Some(by)
                && entry.operation.as_deref() == Some(operation)
                && entry.subresource.as_deref().unwrap_or_default().is_empty()
        });
        found.filter(|entry| holds_template(entry)).map(|entry| entry.time.as_ref()).max()
    };
    // Times have seconds only. Within one it counts as theirs: that costs an approval, the other way round a restart.
    time(GO_OPERATOR, "Update").is_some_and(|theirs| time(manager, "Apply").is_none_or(|ours| theirs >= ours))
}

fn holds_template(entry: &ManagedFieldsEntry) -> bool {
    entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer("/f:spec/f:template").is_some())
}

impl StatefulSetView {
    /// What the status of the owner says of it, so that foreign edits are seen.
    pub fn reference(&self) -> Option<StatefulSetStatusRef> {
        let rendered_hash = self.rendered_hash()?.to_owned();
        let inputs_hash = Note::on(&self.metadata).map(|note| note.inputs);
        let generation = self.metadata.generation?;
        let fields_hash = self.fields.as_deref().map(str::to_owned);
        Some(StatefulSetStatusRef { generation, rendered_hash, inputs_hash, pending_hash: None, fields_hash })
    }

    /// The generation in which our last change of anything but the template left it, if there was one.
    fn adjusted_generation(&self) -> Option<i64> {
        self.metadata.annotations.as_ref()?.get(ADJUSTED)?.parse().ok()
    }

    /// The record of our last write, when it speaks of the rendering that is live.
    pub fn record<'a>(&self, recorded: Option<&'a StatefulSetStatusRef>) -> Option<&'a StatefulSetStatusRef> {
        recorded.filter(|recorded| Some(recorded.rendered_hash.as_str()) == self.rendered_hash())
    }

    /// Whether it is in the state that our last write left, by the record of that.
    pub fn trace(&self, recorded: Option<&StatefulSetStatusRef>) -> Trace {
        let generation = self.metadata.generation;
        match self.record(recorded) {
            // Its spec was never changed since it was made with that hash: the process ended before the status said so.
            None if generation == Some(1) && self.rendered_hash().is_some() => Trace::Untouched,
            None => Trace::Unknown,
            Some(recorded) if Some(recorded.generation) == generation => Trace::Untouched,
            Some(_) if self.adjusted_generation() == generation => Trace::Untouched,
            // Others changed the number of replicas, or added something that is not ours to remove: what `kubectl rollout
            // restart` and Reloader do.
            Some(recorded) if self.holds(recorded) == Some(true) => Trace::Untouched,
            Some(_) => Trace::Edited,
        }
    }

    /// Whether every field that we applied is still ours, as far as that is known: whoever changes or removes one takes it
    /// from us, whoever adds one does not.
    pub fn holds(&self, recorded: &StatefulSetStatusRef) -> Option<bool> {
        Some(recorded.fields_hash.as_deref()? == self.fields.as_deref()?)
    }

    /// Whether its spec was changed since our last write, in whatever way.
    pub fn moved(&self, recorded: Option<&StatefulSetStatusRef>) -> bool {
        let generation = self.metadata.generation;
        self.record(recorded).is_some_and(|recorded| Some(recorded.generation) != generation)
            && self.adjusted_generation() != generation
    }

    /// The hash of the object it was rendered as.
    pub fn rendered_hash(&self) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(RENDERED_HASH).map(String::as_str)
    }
}

/// What is kept of a headless Service: it has no generation, so its content is compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, Resource)]
#[resource(inherit = Service)]
pub struct ServiceView {
    /// Name, owner and labels.
    #[serde(deserialize_with = "metadata")]
    pub metadata: ObjectMeta,
    /// The fields that are rendered; [`View::trim`] leaves their digest only.
    #[serde(default, skip_serializing)]
    spec: ServiceSpecView,
    /// Stands for the fields that are rendered but the ports: they are compared as a whole.
    #[serde(skip)]
    content: u64,
    /// Stands for each of the ports. Others may add some, which a server-side apply of ours does not remove.
    #[serde(skip)]
    ports: Box<[u64]>,
    /// The field manager that changed it last, when that is another one.
    #[serde(skip)]
    pub editor: Option<Box<str>>,
    /// The hash of what was rendered, which tells a foreign edit from another rendering. Out of the annotations: a map
    /// for one text is ten times its size.
    #[serde(skip)]
    pub hash: Option<Box<str>>,
    #[serde(skip)]
    inherited: bool,
}

/// The part of the `spec` that is rendered.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceSpecView {
    /// `None` in words, for a headless Service.
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    /// Ports in order.
    ports: Option<Vec<ServicePort>>,
    /// Labels of the pods.
    selector: Option<BTreeMap<String, String>>,
}

/// Digest of a value. It never leaves the process.
fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Digests of ports, which can be serialised but not hashed; their fields come in one order.
fn digests(ports: Option<&Vec<ServicePort>>) -> Box<[u64]> {
    let text = |port: &ServicePort| serde_json::to_string(port).unwrap_or_default();
    ports.into_iter().flatten().map(|port| digest(text(port))).collect()
}

/// Who holds which fields of a child, in the words of the API server.
struct Holders {
    /// Hash of the list of those below `spec` that we applied, the number of replicas left out.
    fields: Option<Box<str>>,
    /// The last field manager to change something that we write, when that is another one.
    editor: Option<Box<str>>,
}

impl Holders {
    fn of(metadata: &ObjectMeta, manager: &str) -> Self {
        let entries = || metadata.managed_fields.iter().flatten().filter(|entry| entry.subresource.is_none());
        let is_ours = |entry: &&ManagedFieldsEntry| entry.manager.as_deref() == Some(manager);
        let time = |entry: &ManagedFieldsEntry| entry.time.as_ref().map(|time| time.0);
        let ours = entries().filter(is_ours).find(|entry| entry.operation.as_deref() == Some("Apply"));
        let fields = ours.and_then(|entry| {
            let mut fields = entry.fields_v1.as_ref()?.0.get("f:spec")?.clone();
            if let Some(fields) = fields.as_object_mut() {
                fields.remove("f:replicas");
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

/// The last field manager to change a child of ours, when that is another one.
pub(crate) fn editor(metadata: &ObjectMeta, manager: &str) -> Option<Box<str>> {
    Holders::of(metadata, manager).editor
}

impl View for ServiceView {
    fn is_inherited(&self) -> bool {
        self.inherited
    }

    fn trim(&mut self, manager: &str) {
        self.editor = editor(&self.metadata, manager);
        self.inherited = managed_fields::is_inherited(&self.metadata, manager);
        self.metadata = slim(std::mem::take(&mut self.metadata), manager);
        let ServiceSpecView { cluster_ip, ports, selector } = std::mem::take(&mut self.spec);
        self.content = digest((cluster_ip, selector));
        self.ports = digests(ports.as_ref());
        let annotations = self.metadata.annotations.take();
        self.hash = annotations.and_then(|mut all| all.remove(RENDERED_HASH)).map(String::into_boxed_str);
    }
}

impl ServiceView {
    /// Whether the last one to write it as a whole were we, with what is rendered now.
    pub fn was_rendered_as(&self, desired: &Service) -> bool {
        let hash = desired.metadata.annotations.as_ref().and_then(|all| all.get(RENDERED_HASH));
        !self.inherited && hash.is_some() && self.hash.as_deref() == hash.map(String::as_str)
    }

    /// Whether the live object is what was rendered.
    pub fn matches(&self, desired: &Service) -> bool {
        let Some(spec) = &desired.spec else { return false };
        self.was_rendered_as(desired)
            && self.content == digest((&spec.cluster_ip, &spec.selector))
            && digests(spec.ports.as_ref()).iter().all(|port| self.ports.contains(port))
            && has_owner(&self.metadata, &desired.metadata)
            && has_labels(&self.metadata, &desired.metadata)
    }
}

/// Whether the controller of the live object is the one it was rendered with.
pub fn has_owner(live: &ObjectMeta, desired: &ObjectMeta) -> bool {
    controller(live).is_some_and(|r| controller(desired).is_some_and(|wanted| r.uid == wanted.uid))
}

/// Whether the live object still has every label it was rendered with.
pub fn has_labels(live: &ObjectMeta, desired: &ObjectMeta) -> bool {
    let empty = BTreeMap::new();
    let live = live.labels.as_ref().unwrap_or(&empty);
    desired.labels.iter().flatten().all(|(key, value)| live.get(key) == Some(value))
}

/// To whom a child belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// To the object in hand.
    Ours,
    /// To an object of the same kind and name that is gone: garbage collection is about to remove the child.
    Predecessor,
    /// To somebody else, or to nobody.
    Foreign,
}

/// Finds out to whom a child of the object's name belongs; the uid decides, since names are used again. A child that lost
/// its owner is ours when we applied it, which the API server says. Labels do not count: its name says for which object it
/// was applied.
pub fn ownership(child: &ObjectMeta, owner: &OwnerReference) -> Ownership {
    match controller(child) {
        Some(r) if r.uid == owner.uid => Ownership::Ours,
        Some(r) if r.kind == owner.kind && r.name == owner.name => Ownership::Predecessor,
        None if child.managed_fields.is_some() => Ownership::Ours,
        _ => Ownership::Foreign,
    }
}

fn controller(of: &ObjectMeta) -> Option<&OwnerReference> {
    of.owner_references.iter().flatten().find(|r| r.controller == Some(true))
}

/// The one entry of `managedFields` that is kept, without its list of fields: that we applied an object that has no
/// controller any more. It costs nothing for the others.
fn mark(metadata: &ObjectMeta, manager: &str) -> Option<Vec<ManagedFieldsEntry>> {
    let ours = |entry: &&ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.is_none()
    };
    let found = metadata.managed_fields.iter().flatten().find(ours);
    found.filter(|_| controller(metadata).is_none()).map(|entry| {
        vec![ManagedFieldsEntry { manager: entry.manager.clone(), ..ManagedFieldsEntry::default() }]
    })
}

/// The metadata that is read anywhere. `manager` is the field manager under which we write.
pub(crate) fn slim(metadata: ObjectMeta, manager: &str) -> ObjectMeta {
    ObjectMeta {
        managed_fields: mark(&metadata, manager),
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        deletion_timestamp: metadata.deletion_timestamp,
        labels: metadata.labels,
        // Made by growing, with room for more.
        owner_references: metadata.owner_references.map(|owners| owners.into_boxed_slice().into_vec()),
        annotations: metadata
            .annotations
            .map(|mut annotations| {
                annotations.retain(|key, _| [RENDERED_HASH, RENDERED_FROM, ADJUSTED].contains(&key.as_str()));
                annotations
            })
            .filter(|annotations| !annotations.is_empty()),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owner() -> OwnerReference {
        OwnerReference {
            kind: "Function".to_owned(),
            name: "f".to_owned(),
            uid: "u".to_owned(),
            ..OwnerReference::default()
        }
    }

    /// Found by `manager` as the field manager of a write.
    fn child(owners: &serde_json::Value, manager: &str, operation: &str) -> Ownership {
        let metadata = json!({
            "ownerReferences": owners,
            "managedFields": [{"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {}}}],
        });
        let metadata = slim(serde_json::from_value(metadata).unwrap(), "ours");
        for entry in metadata.managed_fields.iter().flatten() {
            assert!(
                entry.fields_v1.is_none() && controller(&metadata).is_none(),
                "more is kept than is read"
            );
        }
        ownership(&metadata, &owner())
    }

    #[test]
    fn the_go_operator_wrote_last_when_it_holds_a_field_of_the_template_since_later() {
        let changed = |entries: serde_json::Value| {
            let mut set: StatefulSetView =
                serde_json::from_value(json!({"metadata": {"managedFields": entries}})).unwrap();
            set.trim("ours");
            set.changed_by_go_operator
        };
        let entry = |manager: &str, operation: &str, time: Option<&str>| {
            json!({"manager": manager, "operation": operation, "time": time,
                "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}})
        };
        let (early, late) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-01T00:00:01Z"));
        let go = |time| entry("manager", "Update", time);
        let ours = |time| entry("ours", "Apply", time);
        assert!(changed(json!([go(early)])), "never ours");
        assert!(changed(json!([ours(None), go(early)])), "taken over, then changed");
        assert!(changed(json!([ours(early), go(late)])));
        assert!(!changed(json!([ours(late), go(early)])), "applied since");
        assert!(!changed(json!([ours(early)])) && !changed(json!([])));
        assert!(!changed(json!([ours(early), entry("kubectl-edit", "Update", late)])), "a person");
        assert!(!changed(json!([ours(early), entry("manager", "Apply", late)])), "it does not apply");
        let replicas = json!({"manager": "manager", "operation": "Update", "time": late,
            "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        assert!(!changed(json!([ours(early), replicas])), "scaling leaves the template alone");
        let mut status = go(late);
        status["subresource"] = json!("status");
        assert!(!changed(json!([ours(early), status])));
    }

    #[test]
    fn a_service_is_compared_by_its_digest() {
        let rendered = |port: i32, app: &str| -> Service {
            serde_json::from_value(json!({
                "metadata": {"name": "s", "annotations": {RENDERED_HASH: "h"}, "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Function", "name": "f", "uid": "u", "controller": true}]},
                "spec": {"clusterIP": "None", "ports": [{"port": port}], "selector": {"app": app}},
            }))
            .unwrap()
        };
        let mut live: ServiceView =
            serde_json::from_value(serde_json::to_value(rendered(1, "a")).unwrap()).unwrap();
        live.trim("ours");
        assert_eq!(live.spec, ServiceSpecView::default(), "more is kept than is compared");
        assert!(live.matches(&rendered(1, "a")));
        assert!(!live.matches(&rendered(2, "a")) && !live.matches(&rendered(1, "b")));
        let mut more = rendered(1, "a");
        let ports = more.spec.as_mut().and_then(|spec| spec.ports.as_mut());
        ports.unwrap().push(ServicePort { port: 7, ..ServicePort::default() });
        let mut live: ServiceView = serde_json::from_value(serde_json::to_value(more).unwrap()).unwrap();
        live.trim("ours");
        assert!(live.matches(&rendered(1, "a")), "what others add stays, whatever is applied");
    }

    /// A set in a generation, with what we applied of it and what another field manager holds.
    fn set(generation: i64, ours: &serde_json::Value, other: &str, at: &str) -> StatefulSetView {
        let mut set: StatefulSetView = serde_json::from_value(json!({"metadata": {
            "generation": generation, "annotations": {RENDERED_HASH: "h"}, "managedFields": [
                {"manager": "ours", "operation": "Apply", "time": "2026-01-01T00:00:10Z", "fieldsV1": {"f:spec": ours}},
                {"manager": other, "operation": "Update", "time": at, "fieldsV1": {"f:spec": {"f:template": {}}}},
                {"manager": "kcm", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:01:00Z",
                    "fieldsV1": {"f:status": {}}},
            ]}}))
        .unwrap();
        set.trim("ours");
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

    #[test]
    fn a_child_without_an_owner_is_ours_when_we_applied_it() {
        let none = json!([]);
        assert_eq!(child(&none, "ours", "Apply"), Ownership::Ours);
        assert_eq!(child(&none, "ours", "Update"), Ownership::Foreign);
        assert_eq!(child(&none, "kubectl", "Apply"), Ownership::Foreign);
        let mut reference = json!({"apiVersion": "v1", "kind": "Function", "name": "f", "uid": "u"});
        assert_eq!(child(&json!([reference]), "ours", "Apply"), Ownership::Ours, "no controller");
        reference["controller"] = json!(true);
        assert_eq!(child(&json!([reference]), "kubectl", "Apply"), Ownership::Ours);
        reference["uid"] = json!("old");
        assert_eq!(child(&json!([reference]), "ours", "Apply"), Ownership::Predecessor);
        reference["name"] = json!("g");
        assert_eq!(child(&json!([reference]), "ours", "Apply"), Ownership::Foreign);
    }
}
