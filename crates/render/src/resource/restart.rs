//! The restart that a user asks for: an annotation of the pods, which no hash covers
//! (docs/decisions/0055-restarts-on-request.md).

use functionmesh_api::constants::ANNOTATION_RESTARTED_AT;
use k8s_openapi::api::apps::v1::StatefulSet;

/// The time of the last restart on request that the pods carry.
pub fn restarted_at(stateful_set: &StatefulSet) -> Option<&str> {
    let annotations = stateful_set.spec.template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(ANNOTATION_RESTARTED_AT).map(String::as_str)
}

/// Gives the pods the time of a restart: other pods than those that carry another one.
pub fn request(stateful_set: &mut StatefulSet, time: &str) {
    let metadata = stateful_set.spec.template.metadata.get_or_insert_default();
    metadata.annotations.get_or_insert_default().insert(ANNOTATION_RESTARTED_AT.to_owned(), time.to_owned());
}

/// Takes the time out.
pub(super) fn take(stateful_set: &mut StatefulSet) -> Option<String> {
    let metadata = stateful_set.spec.template.metadata.as_mut()?;
    metadata.annotations.as_mut()?.remove(ANNOTATION_RESTARTED_AT)
}
