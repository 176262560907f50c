//! Who owns which fields of an object, as the API server lists it in `metadata.managedFields`.
//!
//! The caches do not keep this list, which is larger than the object, but a few flags derived from it ([`Owners`]). Changing
//! owners takes one read of the whole list.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, Time};
use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Field manager of the components of a mesh.
pub const MESH_CONTROLLER: &str = "mesh-controller";
/// Field manager of the Go operator: the name of its program, for all of its controllers.
pub const GO_OPERATOR: &str = "manager";
/// The API server gives all fields of an object without a list of owners to this manager, at the first server-side apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

const APPLY: &str = "Apply";
const SPEC: &str = "f:spec";
const REPLICAS: &str = "f:replicas";
const MIN_REPLICAS: &str = "f:minReplicas";

/// The owners of the fields of a Function, Source or Sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// The Go operator also owns fields that the mesh-controller applied: they would remain after they leave the mesh.
    pub shared: bool,
    /// The mesh-controller owns `spec.replicas`: an apply without the field would remove it.
    pub mesh_owns_replicas: bool,
    /// A user or a scaler set `spec.replicas`: its value is not the default of the schema.
    pub replicas_chosen: bool,
}

impl Owners {
    /// Reads the list of owners.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let entries = metadata.managed_fields.as_deref().unwrap_or_default();
        let applied = entries.iter().find(|entry| is_applied_by(entry, MESH_CONTROLLER));
        let shares = |applied: &ManagedFieldsEntry| {
            let ours = spec_of(applied);
            entries.iter().filter(|entry| is_of_the_go_operator(entry)).any(|go| spec_of(go).meets(&ours))
        };
        Self {
            shared: applied.is_some_and(shares),
            mesh_owns_replicas: applied.is_some_and(|entry| owns(entry, REPLICAS)),
            replicas_chosen: entries.iter().any(chose_replicas),
        }
    }
}

/// Whether an entry records a write that chose the number. For writes other than server-side apply, the API server also lists
/// defaults: the manager that created the object owns both numbers, whether they were in the manifest or not.
fn chose_replicas(entry: &ManagedFieldsEntry) -> bool {
    let with_the_rest = || {
        entry.operation.as_deref() != Some(APPLY) && entry.subresource.is_none() && owns(entry, MIN_REPLICAS)
    };
    owns(entry, REPLICAS) && !with_the_rest()
}

/// Whether the Go operator owns fields of the `spec` of a child that it wrote before our last apply. Fields that another program
/// of that name adds later are not taken over: both would write forever.
pub fn is_inherited(metadata: &ObjectMeta, manager: &str) -> bool {
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let applied = entries.iter().find(|entry| is_applied_by(entry, manager));
    let time = |entry: &ManagedFieldsEntry| entry.time.as_ref().map(|time| time.0);
    let before = |entry: &ManagedFieldsEntry| applied.is_none_or(|applied| time(entry) <= time(applied));
    entries.iter().any(|entry| is_of_the_go_operator(entry) && before(entry))
}

/// The part of another manager's entry that a manager takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// All fields.
    All,
    /// The fields below `spec`.
    Spec,
    /// No field.
    Nothing,
}

/// The list with the Go operator's fields given to `manager`, as if `manager` had applied them: its next apply removes those that
/// it does not contain.
pub fn inherit(
    entries: Vec<ManagedFieldsEntry>,
    manager: &str,
    api_version: &str,
    now: Time,
) -> Vec<ManagedFieldsEntry> {
    let takes = |entry: &ManagedFieldsEntry| match () {
        () if is_applied_by(entry, manager) => Takes::All,
        () if !is_of_the_go_operator(entry) => Takes::Nothing,
        () if is_tracked(entry) => Takes::All,
        // Without a list of owners, a user may have added labels, annotations and finalizers.
        () => Takes::Spec,
    };
    take_over(entries, manager, api_version, Some(now), takes)
}

/// The list with the fields of other managers given to `manager`, as if `manager` had applied them. client-go's `csaupgrade` does
/// the same for clients that migrate to server-side apply.
pub fn take_over(
    entries: Vec<ManagedFieldsEntry>,
    manager: &str,
    api_version: &str,
    time: Option<Time>,
    takes: impl Fn(&ManagedFieldsEntry) -> Takes,
) -> Vec<ManagedFieldsEntry> {
    let (mut ours, mut left) = (Fields::default(), Vec::new());
    for mut entry in entries {
        match takes(&entry) {
            Takes::All => ours = ours.with(fields_of(&entry)),
            Takes::Spec => {
                let (spec, rest) = fields_of(&entry).split(SPEC);
                ours = ours.with(spec);
                entry.fields_v1 = Some(FieldsV1(rest.to_value()));
                left.extend((!rest.is_empty()).then_some(entry));
            }
            Takes::Nothing => left.push(entry),
        }
    }
    left.push(ManagedFieldsEntry {
        manager: Some(manager.to_owned()),
        operation: Some(APPLY.to_owned()),
        api_version: Some(api_version.to_owned()),
        fields_type: Some("FieldsV1".to_owned()),
        fields_v1: Some(FieldsV1(ours.to_value())),
        time,
        ..ManagedFieldsEntry::default()
    });
    left
}

/// The list of a component in which the mesh-controller is the only owner of the fields that it applied. It does not own the
/// number of replicas, unless that is to be kept. The defaults that the Go operator's webhook had filled in remain the Go
/// operator's, and so remain in the component: without them the spec would change, and the pods would restart.
pub fn settle(entries: Vec<ManagedFieldsEntry>, keep_replicas: bool) -> Vec<ManagedFieldsEntry> {
    let ours = |entry: &ManagedFieldsEntry| is_applied_by(entry, MESH_CONTROLLER);
    let applied = entries.iter().find(|entry| ours(entry)).map(fields_of).unwrap_or_default();
    let (applied, _) = applied.split(SPEC);
    let replicas = Fields::at(&[SPEC, REPLICAS]);
    let change = |mut entry: ManagedFieldsEntry| {
        let before = fields_of(&entry);
        let after = match () {
            () if ours(&entry) && !keep_replicas => before.without(&replicas),
            () if is_of_the_go_operator(&entry) => before.without(&applied),
            () => return Some(entry),
        };
        entry.fields_v1 = Some(FieldsV1(after.to_value()));
        (!after.is_empty()).then_some(entry)
    };
    entries.into_iter().filter_map(change).collect()
}

fn is_applied_by(entry: &ManagedFieldsEntry, manager: &str) -> bool {
    entry.manager.as_deref() == Some(manager)
        && entry.operation.as_deref() == Some(APPLY)
        && entry.subresource.is_none()
}

/// Whether the Go operator wrote fields of the `spec`. Its entry for a `status` is never changed.
fn is_of_the_go_operator(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref().is_some_and(|name| [GO_OPERATOR, BEFORE_FIRST_APPLY].contains(&name))
        && entry.operation.as_deref() != Some(APPLY)
        && entry.subresource.is_none()
        && entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get(SPEC).is_some())
}

/// Whether everything in an entry was written by the manager that it names.
fn is_tracked(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() != Some(BEFORE_FIRST_APPLY)
}

fn owns(entry: &ManagedFieldsEntry, field: &str) -> bool {
    entry.fields_v1.as_ref().and_then(|fields| fields.0.get(SPEC)?.get(field)).is_some()
}

fn fields_of(entry: &ManagedFieldsEntry) -> Fields {
    let below = entry.fields_v1.iter().filter_map(|fields| fields.0.as_object()).flatten();
    // The object itself has no owner.
    Fields { itself: false, below: below.map(|(key, value)| (key.clone(), Fields::of(value))).collect() }
}

fn spec_of(entry: &ManagedFieldsEntry) -> Fields {
    fields_of(entry).below.remove(SPEC).unwrap_or_default()
}

/// A set of fields in the API server's form: whether a field itself is in the set, and which fields below it are. In JSON, a
/// field that is in the set and has nothing below it is `{}`; one with fields below it has the member `.`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields {
    itself: bool,
    below: BTreeMap<String, Fields>,
}

impl Fields {
    fn of(tree: &Value) -> Self {
        let Value::Object(tree) = tree else { return Self { itself: true, below: BTreeMap::new() } };
        let below = tree.iter().filter(|(key, _)| *key != ".");
        Self {
            itself: tree.is_empty() || tree.contains_key("."),
            below: below.map(|(key, value)| (key.clone(), Self::of(value))).collect(),
        }
    }

    /// The set that consists of one field.
    fn at(path: &[&str]) -> Self {
        let leaf = Self { itself: true, below: BTreeMap::new() };
        let under = |fields, key: &&str| Self { itself: false, below: [((*key).to_owned(), fields)].into() };
        path.iter().rev().fold(leaf, under)
    }

    fn to_value(&self) -> Value {
        let below = self.below.iter().map(|(key, fields)| (key.clone(), fields.to_value()));
        let itself = (self.itself && !self.below.is_empty()).then(|| (".".to_owned(), json!({})));
        Value::Object(itself.into_iter().chain(below).collect::<Map<_, _>>())
    }

    fn is_empty(&self) -> bool {
        !self.itself && self.below.is_empty()
    }

    /// Whether a field is in both sets.
    fn meets(&self, other: &Self) -> bool {
        let both = |(key, fields): (&String, &Self)| other.below.get(key).is_some_and(|o| fields.meets(o));
        (self.itself && other.itself) || self.below.iter().any(both)
    }

    fn with(mut self, other: Self) -> Self {
        self.itself |= other.itself;
        for (key, fields) in other.below {
            let known = self.below.remove(&key).unwrap_or_default();
            self.below.insert(key, known.with(fields));
        }
        self
    }

    fn without(mut self, other: &Self) -> Self {
        self.itself &= !other.itself;
        self.below = std::mem::take(&mut self.below)
            .into_iter()
            .map(|(key, fields)| match other.below.get(&key) {
                Some(other) => (key, fields.without(other)),
                None => (key, fields),
            })
            .filter(|(_, fields)| !fields.is_empty())
            .collect();
        self
    }

    /// The fields below one field of the set, and the rest.
    fn split(mut self, key: &str) -> (Self, Self) {
        let found = self.below.remove_entry(key);
        (Self { itself: false, below: found.into_iter().collect() }, self)
    }
}

#[cfg(test)]
#[path = "managed_fields/tests.rs"]
mod tests;
