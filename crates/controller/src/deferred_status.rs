//! Delays the first status of a new object whose pods are still starting (docs/decisions/0031-first-status-after-a-second.md).
//!
//! A status write costs the API server as much as a StatefulSet and a Service together, because the rules of the CRD are
//! evaluated with it. In a burst of new objects the children come first, and an object that is ready by then needs one status
//! instead of two. Until the status is written, the result of the reconcile is recorded here. A process that ends before finds
//! the children and writes only the status.
//!
//! A status whose write failed, for example because of a concurrent change of the object, is recorded in the same way, so that
//! its children are not applied again.

use functionmesh_api::status::ComponentStatus;
use kube::core::ObjectMeta;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after they are due entries of deleted objects are dropped: longer than the longest backoff of a failed write.
const KEPT: Duration = Duration::from_secs(600);

/// Statuses that are not written yet, or could not be, by the uid of their object.
#[derive(Debug)]
pub(crate) struct DeferredStatuses {
    delay: Duration,
    waiting: Mutex<HashMap<String, (Instant, ComponentStatus)>>,
}

impl DeferredStatuses {
    /// With this delay; zero writes every status at once.
    pub(crate) fn by(delay: Duration) -> Self {
        Self { delay, waiting: Mutex::default() }
    }

    /// Delays a status. Returns the remaining delay; none when it is due.
    pub(crate) fn defer(&self, object: &ObjectMeta, status: &ComponentStatus) -> Option<Duration> {
        let uid = object.uid.clone().filter(|_| !self.delay.is_zero())?;
        let mut waiting = self.without_leftovers();
        let entry = waiting.entry(uid).or_insert_with(|| (Instant::now(), status.clone()));
        let left = self.delay.checked_sub(entry.0.elapsed()).filter(|left| !left.is_zero())?;
        entry.1 = status.clone();
        Some(left)
    }

    /// Records a status that is about to be written, whether or not the write succeeds.
    pub(crate) fn remember(&self, object: &ObjectMeta, status: &ComponentStatus) {
        let Some(uid) = object.uid.clone() else { return };
        let mut waiting = self.without_leftovers();
        waiting.insert(uid, (Instant::now(), status.clone()));
    }

    /// Number of statuses.
    pub(crate) fn entries(&self) -> usize {
        self.without_leftovers().len()
    }

    fn without_leftovers(&self) -> MutexGuard<'_, HashMap<String, (Instant, ComponentStatus)>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (since, _)| since.elapsed() < self.delay.saturating_add(KEPT));
        waiting
    }

    /// Drops the entry of an object whose status is written.
    pub(crate) fn remove(&self, object: &ObjectMeta) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(object.uid.as_deref().unwrap_or_default());
    }

    /// The status of an object once written, if the write is delayed or failed.
    pub(crate) fn of(&self, object: &ObjectMeta) -> Option<ComponentStatus> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(object.uid.as_deref()?).map(|(_, status)| status.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_deferred_until_it_is_due() {
        let object = ObjectMeta { uid: Some("u".to_owned()), ..ObjectMeta::default() };
        let status =
            |replicas: i32| ComponentStatus { replicas: Some(replicas), ..ComponentStatus::default() };
        let long = DeferredStatuses::by(Duration::from_secs(3600));
        assert!(long.defer(&object, &status(1)).is_some_and(|left| left <= Duration::from_secs(3600)));
        assert!(long.defer(&object, &status(2)).is_some());
        assert_eq!(long.of(&object), Some(status(2)), "the newest");
        long.remove(&object);
        assert_eq!(long.of(&object), None);
        let since = Instant::now().checked_sub(Duration::from_secs(120)).unwrap();
        long.waiting.lock().unwrap().insert("u".to_owned(), (since, status(1)));
        let left = long.defer(&object, &status(1)).unwrap();
        assert!(left <= Duration::from_secs(3480), "its time goes on: {left:?}");
        let short = DeferredStatuses::by(Duration::from_nanos(1));
        while short.defer(&object, &status(1)).is_some() {}
        let none = DeferredStatuses::by(Duration::ZERO);
        assert_eq!(none.defer(&object, &status(1)), None);
        none.remember(&object, &status(3));
        assert_eq!(none.of(&object), Some(status(3)), "its write failed");
        none.remove(&object);
        assert_eq!(none.of(&object), None);
        assert_eq!(DeferredStatuses::by(KEPT).defer(&ObjectMeta::default(), &status(1)), None);
    }
}
