//! Terminating namespaces, in which nothing can be created (docs/decisions/0011-terminating-namespaces.md).
//!
//! The contents of a namespace are deleted in any order, children often before the objects that own them. Each object would try
//! to recreate its children, be refused, write a status and retry, until it is deleted itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::ObjectMeta;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a refusal counts: most namespaces are deleted by then.
pub const HOLD: Duration = Duration::from_secs(60);

/// The namespaces that the API server reported as terminating.
#[derive(Debug, Default)]
pub struct TerminatingNamespaces(Mutex<HashMap<String, (Instant, Time)>>);

impl TerminatingNamespaces {
    /// Records that the API server refused a creation because the namespace is being deleted.
    pub fn record(&self, object: &ObjectMeta) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| at.elapsed() < HOLD);
        let namespace = object.namespace.clone().unwrap_or_default();
        known.insert(namespace, (Instant::now(), crate::clock::now()));
    }

    /// Number of namespaces.
    pub fn entries(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How long the objects of a namespace are not reconciled; none if they are. An object that is younger than the refusal is in
    /// a new namespace of the same name.
    pub fn hold(&self, object: &ObjectMeta) -> Option<Duration> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, time) = known.get(object.namespace.as_deref()?)?;
        let older = object.creation_timestamp.as_ref().is_some_and(|created| created <= time);
        HOLD.checked_sub(at.elapsed()).filter(|_| older)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::{SignedDuration, Timestamp};

    #[test]
    fn what_was_there_is_held_and_what_comes_later_is_not() {
        let object = |namespace: &str, seconds: i64| ObjectMeta {
            namespace: Some(namespace.to_owned()),
            creation_timestamp: Some(Time(Timestamp::now() + SignedDuration::from_secs(seconds))),
            ..ObjectMeta::default()
        };
        let namespaces = TerminatingNamespaces::default();
        assert_eq!(namespaces.hold(&object("a", -10)), None);
        namespaces.record(&object("a", -20));
        assert!(namespaces.hold(&object("a", -10)).is_some_and(|wait| wait <= HOLD));
        assert_eq!(namespaces.hold(&object("b", -10)), None);
        assert_eq!(namespaces.hold(&object("a", 10)), None, "the namespace was recreated");
    }
}
