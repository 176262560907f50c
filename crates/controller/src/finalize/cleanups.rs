//! State about the deleted objects of a controller that the caches do not have.

use crate::args::CleanupArgs;
use crate::finalize::clock::Clock;
use crate::finalize::turns::{Known, Turns};
use crate::object::Object;
use functionmesh_render::Component;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::ObjectRef;

/// State about the deleted objects of a controller that the caches do not have.
pub(crate) struct Cleanups<K: Component> {
    /// The order in which they run their Jobs.
    pub(crate) turns: Turns,
    /// How long each cleanup has been attempted.
    pub(crate) clock: Clock,
    woken: UnboundedSender<ObjectRef<Object<K>>>,
}

impl<K: Component> Cleanups<K> {
    /// An empty state, and the stream of objects to reconcile when it is their turn.
    pub(crate) fn new(args: &CleanupArgs) -> (Self, UnboundedReceiver<ObjectRef<Object<K>>>) {
        let (woken, wake) = unbounded();
        let turns = Turns::new(args.cleanup_concurrency.into());
        (Self { turns, clock: Clock::new(args.cleanup_timeout), woken }, wake)
    }

    /// Triggers the objects whose Job may start.
    pub(crate) fn wake_next(&self, known: &impl Known) {
        for place in self.turns.next(known) {
            // The controller owns the receiver: the channel cannot be closed.
            let _ = self.woken.unbounded_send(ObjectRef::new(&place.name).within(&place.namespace));
        }
    }
}
