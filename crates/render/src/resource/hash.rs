//! The hash and renderer version that a rendered `StatefulSet` carries, by which the controllers detect whether it is
//! current.

use crate::resource::restart;
use functionmesh_objects::hash::hash_of;
use k8s_openapi::api::apps::v1::StatefulSet;

/// Annotation with the hash of the rendered object without its replicas.
pub const RENDERED_HASH: &str = "compute.functionmesh.io/rendered-hash";
/// Annotation with the version of the renderer.
pub const RENDERER_VERSION_ANNOTATION: &str = "compute.functionmesh.io/renderer-version";
/// Version of this renderer, incremented when the same input renders to other bytes.
pub const RENDERER_VERSION: &str = "4";

/// The hash that a rendered `StatefulSet` carries, if it carries one.
pub fn rendered_hash(stateful_set: &StatefulSet) -> Option<&str> {
    stateful_set.metadata.annotations.as_ref()?.get(RENDERED_HASH).map(String::as_str)
}

/// The version of the renderer that a rendered `StatefulSet` carries, if it carries one.
pub fn renderer_version(stateful_set: &StatefulSet) -> Option<&str> {
    stateful_set.metadata.annotations.as_ref()?.get(RENDERER_VERSION_ANNOTATION).map(String::as_str)
}

/// Annotates the object with the hash of its own bytes and the version of its renderer, replacing earlier ones.
///
/// The hash covers neither the replicas nor the time of a restart on request: both are written separately, whatever else waits.
pub fn stamp(stateful_set: &mut StatefulSet, version: &str) {
    let replicas = stateful_set.spec.replicas.take();
    let restarted_at = restart::take(stateful_set);
    let mut annotations = stateful_set.metadata.annotations.take().unwrap_or_default();
    annotations.retain(|key, _| key != RENDERED_HASH && key != RENDERER_VERSION_ANNOTATION);
    stateful_set.metadata.annotations = (!annotations.is_empty()).then(|| annotations.clone());
    // Encoding maps with string keys cannot fail.
    let hash = hash_of(&serde_json::to_vec(&stateful_set).unwrap_or_default());
    annotations.insert(RENDERED_HASH.to_owned(), hash);
    annotations.insert(RENDERER_VERSION_ANNOTATION.to_owned(), version.to_owned());
    stateful_set.metadata.annotations = Some(annotations);
    stateful_set.spec.replicas = replicas;
    if let Some(time) = restarted_at {
        restart::request(stateful_set, &time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_of_everything_but_replicas_and_stamps() {
        let hash = |set: &StatefulSet| rendered_hash(set).unwrap().to_owned();
        let mut set = StatefulSet::default();
        stamp(&mut set, "1");
        let first = hash(&set);
        set.spec.replicas = Some(3);
        stamp(&mut set, "2");
        assert_eq!(
            (hash(&set), renderer_version(&set), set.spec.replicas),
            (first.clone(), Some("2"), Some(3))
        );
        set.spec.template.metadata.get_or_insert_default().annotations = Some([].into());
        stamp(&mut set, "2");
        let before = hash(&set);
        restart::request(&mut set, "2026-01-01T00:00:00Z");
        stamp(&mut set, "2");
        assert_eq!((hash(&set), restart::restarted_at(&set)), (before, Some("2026-01-01T00:00:00Z")));
        set.spec.service_name = Some("x".to_owned());
        stamp(&mut set, "2");
        assert_ne!(hash(&set), first);
        assert_eq!(set.metadata.annotations.unwrap().len(), 2);
    }
}
