//! Which deleted objects may run their cleanup Job: a bounded number at a time, in the order of their deletion.
//!
//! The deletion of a thousand objects must neither start a thousand pods at once nor overtake objects that were deleted
//! before. The number of running Jobs comes from their cache; this module has the objects that wait, and those about to create one.

use functionmesh_api::constants::FINALIZER_CLEANUP;
use kube::{Resource, ResourceExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a slot is reserved for an object that was triggered for it.
const INVITED: Duration = Duration::from_secs(5);

/// A deleted object: when it was deleted, its namespace and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    deleted: i64,
    /// Namespace of the object.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

impl Place {
    /// Of a deleted object.
    pub(crate) fn of(object: &impl Resource<DynamicType = ()>) -> Self {
        let deleted = object.meta().deletion_timestamp.as_ref().map(|time| time.0.as_second());
        Self {
            deleted: deleted.unwrap_or_default(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        }
    }

    /// Whether this object still waits for its cleanup.
    pub(crate) fn is_of(&self, object: &impl Resource<DynamicType = ()>) -> bool {
        object.finalizers().iter().any(|name| name == FINALIZER_CLEANUP) && *self == Self::of(object)
    }
}

/// Queries of the caches.
pub(crate) trait Known {
    /// Number of Jobs that run.
    fn running(&self) -> usize;
    /// Whether an object still waits for its cleanup.
    fn waits(&self, place: &Place) -> bool;
}

/// The objects that wait, and those whose turn it is.
#[derive(Debug)]
pub(crate) struct Turns {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: BTreeSet<Place>,
    /// Triggered because a slot became free, and when: the slot is reserved until they are reconciled.
    invited: BTreeMap<Place, Instant>,
    /// Their Job is being created and may not be in the cache yet.
    creating: BTreeSet<Place>,
}

impl Turns {
    /// For this maximum number of concurrent Jobs.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), state: Mutex::default() }
    }

    /// Maximum number of Jobs at a time.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Grants a turn if a slot is free for this object; otherwise the object waits for one.
    pub(crate) fn take(&self, place: &Place, known: &impl Known) -> Option<Turn<'_>> {
        let mut state = self.state();
        state.invited.remove(place);
        state.waiting.insert(place.clone());
        let free = self.free(&mut state, known);
        if !state.front(free, known).contains(place) {
            return None;
        }
        state.waiting.remove(place);
        state.creating.insert(place.clone());
        Some(Turn { turns: self, place: place.clone() })
    }

    /// Number of objects that wait, or whose turn it is.
    pub(crate) fn entries(&self) -> usize {
        let state = self.state();
        state.waiting.len() + state.invited.len() + state.creating.len()
    }

    /// Removes an object that needs no turn, or no longer.
    pub(crate) fn leave(&self, place: &Place) {
        let mut state = self.state();
        state.waiting.remove(place);
        state.invited.remove(place);
    }

    /// The objects to trigger because a slot is free. Each is triggered once: an object whose attempt fails does not block the
    /// others, and is not triggered before its retry.
    pub(crate) fn next(&self, known: &impl Known) -> Vec<Place> {
        let mut state = self.state();
        if state.waiting.is_empty() {
            return Vec::new();
        }
        let free = self.free(&mut state, known);
        let next = state.front(free, known);
        for place in &next {
            state.waiting.remove(place);
            state.invited.insert(place.clone(), Instant::now());
        }
        next
    }

    fn free(&self, state: &mut State, known: &impl Known) -> usize {
        state.invited.retain(|_, since| since.elapsed() < INVITED);
        let taken = known.running() + state.creating.len() + state.invited.len();
        self.limit.saturating_sub(taken)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first object that waits. Entries of deleted objects before it are dropped.
    fn front(&mut self, number: usize, known: &impl Known) -> Vec<Place> {
        let mut front = Vec::new();
        while front.len() < number
            && let Some(place) = self.waiting.iter().find(|place| !front.contains(*place)).cloned()
        {
            if known.waits(&place) {
                front.push(place);
            } else {
                self.waiting.remove(&place);
            }
        }
        front
    }
}

/// The turn of one object, until its Job is in the cache.
#[must_use]
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    place: Place,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.state().creating.remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    #[derive(Default)]
    struct Caches {
        running: Cell<usize>,
        gone: RefCell<Vec<i64>>,
    }

    impl Known for Caches {
        fn running(&self) -> usize {
            self.running.get()
        }

        fn waits(&self, place: &Place) -> bool {
            !self.gone.borrow().contains(&place.deleted)
        }
    }

    fn place(deleted: i64) -> Place {
        Place { deleted, namespace: "n".to_owned(), name: format!("f{deleted}") }
    }

    #[test]
    fn the_number_is_bounded_and_the_first_come_first() {
        let (turns, caches) = (Turns::new(2), Caches::default());
        let first = turns.take(&place(1), &caches);
        let second = turns.take(&place(2), &caches);
        assert!(first.is_some() && second.is_some());
        assert!(turns.take(&place(5), &caches).is_none() && turns.take(&place(4), &caches).is_none());
        caches.running.set(2);
        drop((first, second));
        assert!(turns.take(&place(3), &caches).is_none());
        assert_eq!(turns.next(&caches), [], "both run");
        caches.running.set(1);
        assert!(turns.take(&place(5), &caches).is_none(), "two were deleted before it");
        assert_eq!(turns.next(&caches), [place(3)]);
        assert_eq!(turns.next(&caches), [], "the slot is kept for the one that was woken");
        assert!(turns.take(&place(4), &caches).is_none());
        let third = turns.take(&place(3), &caches);
        assert!(third.is_some());
        drop(third);
        // It failed and is retried later; until then the others have their turn.
        assert_eq!(turns.next(&caches), [place(4)]);
    }

    #[test]
    fn deleted_objects_block_no_other() {
        let (turns, caches) = (Turns::new(1), Caches::default());
        caches.running.set(1);
        for deleted in [1, 2, 3] {
            assert!(turns.take(&place(deleted), &caches).is_none());
        }
        caches.gone.borrow_mut().push(1);
        turns.leave(&place(2));
        caches.running.set(0);
        assert_eq!(turns.next(&caches), [place(3)]);
        assert!(turns.take(&place(3), &caches).is_some());
        assert_eq!(turns.next(&caches), []);
    }
}
