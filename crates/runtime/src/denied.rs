//! Namespaces that may not be watched at present.
//!
//! A controller that watches some namespaces one by one may lose one of them: its Role goes with the namespace, or was never
//! created. That must not stop the work in the others. In the namespace itself nothing is done while any of its caches
//! is denied: a plan against a cache that misses objects would write them again.

use crate::admin::Readiness;
use crate::metrics::Metrics;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

/// After how long an object of such a namespace is looked at again. Costs no request.
const AGAIN: Duration = Duration::from_secs(10);

/// Which caches are denied in which namespace, and why.
#[derive(Clone)]
pub struct Denied {
    reasons: Arc<Mutex<BTreeMap<String, BTreeMap<String, String>>>>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

impl Denied {
    /// Starts with no namespace denied.
    pub fn new(readiness: Readiness, metrics: Arc<Metrics>) -> Self {
        Self { reasons: Arc::default(), readiness, metrics }
    }

    /// How long to leave the objects of a namespace alone; none when all of its caches are watched.
    pub fn hold(&self, namespace: &str) -> Option<Duration> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.contains_key(namespace).then_some(AGAIN)
    }

    /// Notes that a cache may not be filled in a namespace, or that it was.
    pub(crate) fn note(&self, namespace: &str, cache: &str, reason: Option<String>) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let caches = reasons.entry(namespace.to_owned()).or_default();
        let before = caches.len();
        match reason {
            Some(reason) => drop(caches.insert(cache.to_owned(), reason)),
            None => drop(caches.remove(cache)),
        }
        let told = caches.iter().next().map(|(cache, reason)| format!("{cache}: {reason}"));
        // Once for a namespace, not for each of its caches and each attempt.
        match (before, &told) {
            (0, Some(reason)) => {
                warn!(
                    namespace,
                    reason, "namespace cannot be watched; its objects are not reconciled until it can"
                );
            }
            (1.., None) => info!(namespace, "namespace is watched again"),
            _ => {}
        }
        self.readiness.note(&format!("namespace {namespace}"), told);
        reasons.retain(|_, caches| !caches.is_empty());
        self.metrics.unwatched_namespaces.set(i64::try_from(reasons.len()).unwrap_or(i64::MAX));
    }

    /// In how many namespaces a cache is denied.
    pub(crate) fn count(&self, cache: &str) -> usize {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.values().filter(|caches| caches.contains_key(cache)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_held_while_any_of_its_caches_is_denied() {
        let metrics = Arc::new(Metrics::new("c", "1").unwrap());
        let readiness = Readiness::default();
        let denied = Denied::new(readiness.clone(), metrics.clone());
        assert_eq!(denied.hold("b"), None);
        denied.note("a", "pods", None);
        denied.note("b", "pods", Some("no".to_owned()));
        denied.note("b", "services", Some("no".to_owned()));
        assert_eq!((denied.hold("a"), denied.hold("b")), (None, Some(AGAIN)));
        assert_eq!((denied.count("pods"), denied.count("jobs")), (1, 0));
        assert_eq!(metrics.unwatched_namespaces.get(), 1);
        assert!(readiness.pending().is_empty(), "the process is ready for the other namespaces");
        assert_eq!(readiness.notes(), ["namespace b: pods: no"]);
        denied.note("b", "pods", None);
        assert_eq!(denied.hold("b"), Some(AGAIN));
        denied.note("b", "services", None);
        assert_eq!((denied.hold("b"), metrics.unwatched_namespaces.get()), (None, 0));
        assert!(readiness.notes().is_empty());
    }
}
