//! What applying a newly rendered `StatefulSet` would change on the live one, as short texts.
//!
//! The live object comes from the API server, which fills in fields and rewrites quantities. So only fields of the rendered
//! object are compared, lists by the keys with which Kubernetes merges them. A field that is only in the live object counts as
//! removed if the operator's field manager owns it and no other does; all other fields were added by others and stay.
//!
//! Values of variables, commands and annotations may be secrets and are never shown: only names, image names, and numbers and
//! booleans of fields that are known to be harmless.

pub mod change;
mod held;
mod same;
mod shape;
mod walk;

#[cfg(test)]
mod tests;

use crate::rollout::diff::change::Change;
use crate::rollout::diff::held::Held;
use crate::rollout::diff::walk::Walk;
use k8s_openapi::api::apps::v1::StatefulSet;
use serde_json::Value;

/// The changes that applying `desired` as the field manager `manager` would make to `live`, an object from the API server with
/// its `managedFields`. Empty if there are none. First the `StatefulSet`, then its containers and init containers in their order,
/// then the rest of the pod; within each by field and name.
///
/// The number of pods is never a difference, because an autoscaler may set it, nor are the operator's own annotations. If
/// `manager` never applied the object, as with one that the Go operator created, the whole pod template counts as owned, except
/// for the defaults of the API server.
pub fn difference(live: &Value, desired: &StatefulSet, manager: &str) -> Vec<Change> {
    let desired = serde_json::to_value(desired).unwrap_or_default();
    let applied = Held::by(manager, live);
    let template = applied.as_ref().map_or(Held::All, |applied| applied.field("spec").field("template"));
    let mut walk = Walk::default();
    walk.set(&desired, live, &applied.unwrap_or(Held::Nothing));
    walk.pods(desired.pointer("/spec/template"), live.pointer("/spec/template"), &template);
    walk.changes
}

/// The names of the immutable fields that differ, without duplicates.
pub fn immutable(live: &Value, desired: &StatefulSet) -> Vec<&'static str> {
    let desired = serde_json::to_value(desired).unwrap_or_default();
    let mut walk = Walk::default();
    // Regardless of the field manager that owns them.
    walk.set(&desired, live, &Held::All);
    let mut names: Vec<_> = walk.changes.iter().filter_map(Change::immutable).collect();
    names.dedup();
    names
}

/// The changes sorted by importance to a reader, those of one place together.
pub fn by_weight(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(Change::rank);
    changes
}

/// At most `most` changes on one line, and the number of further ones: `container a: env X added; image changed from a:1 to a:2;
/// and 3 more`. Empty if there are none.
pub fn summary(changes: &[Change], most: usize) -> String {
    let mut parts = Vec::new();
    let mut before = None;
    for change in changes.iter().take(most) {
        parts.push(change.text(before));
        before = Some(&change.place);
    }
    match changes.len().saturating_sub(parts.len()) {
        0 => {}
        rest if parts.is_empty() => parts.push(format!("{rest} changes")),
        rest => parts.push(format!("and {rest} more")),
    }
    parts.join("; ")
}
