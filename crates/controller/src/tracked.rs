//! The sizes of what a controller keeps beside its caches.

use crate::context::Context;
use crate::fan_out::FanOut;
use functionmesh_render::Component;
use functionmesh_runtime::tracked::{Entries, TrackedEntries};
use std::hash::Hash;
use std::sync::Arc;

/// The collections of a controller.
///
/// # Errors
/// Never in practice: the name of the metric is valid.
pub(crate) fn tracked<K: Component, Key: Hash + Eq + Send + Sync + 'static>(
    context: &Arc<Context<K>>,
    fan_out: &Arc<FanOut<Key>>,
) -> anyhow::Result<TrackedEntries> {
    let of = |entries: fn(&Context<K>) -> usize| -> Entries {
        let context = context.clone();
        Box::new(move || entries(&context))
    };
    let fan_out = fan_out.clone();
    Ok(TrackedEntries::new()?.with(vec![
        ("pending_children", of(Context::pending_children)),
        ("pending_statuses", of(|cx| cx.statuses.entries())),
        ("pending_finalizers", of(|cx| cx.finalizers.entries())),
        ("deferred_statuses", of(|cx| cx.deferred_statuses.entries())),
        ("pods_by_object", of(|cx| cx.pods.entries())),
        ("cleanups", of(|cx| cx.cleanups.turns.entries() + cx.cleanups.clock.entries())),
        ("failing_objects", of(|cx| cx.failing.entries())),
        ("terminating_namespaces", of(|cx| cx.terminating_namespaces.entries())),
        ("fan_out", Box::new(move || fan_out.entries())),
    ]))
}

impl<K: Component> Context<K> {
    /// Number of children whose last write the caches do not show yet.
    fn pending_children(&self) -> usize {
        self.stateful_sets.entries()
            + self.services.entries()
            + self.horizontal_autoscalers.entries()
            + self.vertical_autoscalers.cache.entries()
            + self.jobs.entries()
    }
}
