//! An Event for each change by another field manager that was reverted.

use crate::apply::Progress;
use crate::context::Context;
use crate::object::Object;
use functionmesh_plan::drift::{Drift, DriftKind};
use functionmesh_render::Component;

/// Publishes an Event for each repair that was written, even if a later write failed. If the write changed nothing, the edit was
/// not one of the operator's fields.
pub(crate) async fn publish<K: Component>(
    object: &Object<K>,
    drifts: Vec<Drift>,
    progress: &Progress,
    cx: &Context<K>,
) {
    for Drift { child, found, by } in drifts {
        let is_written = child.kind.as_ref().is_some_and(|kind| progress.kinds.contains(kind));
        let is_of_set = child.kind.as_deref() == Some("StatefulSet");
        let changed_nothing = found == DriftKind::Edited && is_of_set && progress.set_was_same;
        if is_written && !changed_nothing {
            let note = found.message(&child, by.as_deref());
            cx.events.repaired(object, child, found.action(), &note).await;
        }
    }
}
