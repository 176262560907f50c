//! Namespaces that may not be watched at present.
//!
//! A controller with a list of namespaces may lose access to one of them: its Role is deleted with the namespace, or was never
//! created. That must not delay the others. In the namespace itself nothing is reconciled while any of its caches is denied:
//! planning with an incomplete cache would write objects again (docs/decisions/0036-unwatched-namespaces.md).

use crate::admin::Readiness;
use crate::metrics::Metrics;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

/// When an object of such a namespace is checked again. Costs no request.
const AGAIN: Duration = Duration::from_secs(10);

/// Which caches are denied in which namespace, and why.
#[derive(Clone)]
pub struct Denied {
    reasons: Arc<Mutex<BTreeMap<String, BTreeMap<String, Reason>>>>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
}

/// Why a cache may not be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    /// As reported by the API server.
    message: String,
    /// Whether no object can be reconciled without the cache.
    needed: bool,
}

impl Denied {
    /// Starts with no namespace denied.
    pub fn new(readiness: Readiness, metrics: Arc<Metrics>) -> Self {
        Self { reasons: Arc::default(), readiness, metrics }
    }

    /// How long the objects of a namespace are not reconciled; none if all caches that they need are watched.
    pub fn hold(&self, namespace: &str) -> Option<Duration> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.get(namespace).is_some_and(blocks).then_some(AGAIN)
    }

    /// Why a cache may not be filled in a namespace; none if it may.
    pub(crate) fn reason(&self, namespace: &str, cache: &str) -> Option<String> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        Some(reasons.get(namespace)?.get(cache)?.message.clone())
    }

    /// Drops the record of a cache.
    pub(crate) fn forget(&self, cache: &str) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.values_mut().for_each(|caches| drop(caches.remove(cache)));
        reasons.retain(|_, caches| !caches.is_empty());
    }

    /// Records that a cache may not be filled in a namespace, or that it was filled. Returns whether that changed.
    pub(crate) fn record(&self, namespace: &str, cache: &str, needed: bool, message: Option<String>) -> bool {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let caches = reasons.entry(namespace.to_owned()).or_default();
        let before = blocks(caches);
        let news = caches.get(cache).map(|reason| &reason.message) != message.as_ref();
        match message {
            Some(message) => drop(caches.insert(cache.to_owned(), Reason { message, needed })),
            None => drop(caches.remove(cache)),
        }
        // Once for each namespace, not for each of its caches and attempts.
        let first = caches.iter().find(|(_, reason)| reason.needed);
        let reported = first.map(|(cache, reason)| format!("{cache}: {}", reason.message));
        match (before, &reported) {
            (false, Some(reason)) => {
                warn!(
                    namespace,
                    reason, "namespace cannot be watched; its objects are not reconciled until it can"
                );
            }
            (true, None) => info!(namespace, "namespace is watched again"),
            _ => {}
        }
        self.readiness.record(&format!("namespace {namespace}"), reported);
        reasons.retain(|_, caches| !caches.is_empty());
        let blocked = reasons.values().filter(|caches| blocks(caches)).count();
        self.metrics.unwatched_namespaces.set(i64::try_from(blocked).unwrap_or(i64::MAX));
        news
    }

    /// The number of namespaces in which a cache is denied.
    pub(crate) fn count(&self, cache: &str) -> usize {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.values().filter(|caches| caches.contains_key(cache)).count()
    }
}

/// Whether a cache that all objects need is missing in a namespace.
fn blocks(caches: &BTreeMap<String, Reason>) -> bool {
    caches.values().any(|reason| reason.needed)
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
        denied.record("a", "pods", true, None);
        assert!(denied.record("b", "pods", true, Some("no".to_owned())));
        assert!(!denied.record("b", "pods", true, Some("no".to_owned())));
        denied.record("b", "services", true, Some("no".to_owned()));
        assert_eq!((denied.hold("a"), denied.hold("b")), (None, Some(AGAIN)));
        assert_eq!((denied.count("pods"), denied.count("jobs")), (1, 0));
        assert_eq!(metrics.unwatched_namespaces.get(), 1);
        assert!(readiness.pending().is_empty(), "the process is ready for the other namespaces");
        assert_eq!(readiness.notes(), ["namespace b: pods: no"]);
        denied.record("b", "pods", true, None);
        assert_eq!(denied.hold("b"), Some(AGAIN));
        denied.record("b", "services", true, None);
        assert_eq!((denied.hold("b"), metrics.unwatched_namespaces.get()), (None, 0));
        assert!(readiness.notes().is_empty());
        // Objects never wait for an optional kind.
        denied.record("b", "autoscalers", false, Some("no".to_owned()));
        assert_eq!((denied.hold("b"), readiness.notes().len()), (None, 0));
        assert_eq!(denied.reason("b", "autoscalers").as_deref(), Some("no"));
        denied.forget("autoscalers");
        assert_eq!(denied.reason("b", "autoscalers"), None);
    }
}
