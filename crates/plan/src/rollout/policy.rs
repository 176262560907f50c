//! The rollout policy of an object: approvals and pauses, by its annotations and the operator's flags.

use functionmesh_api::constants::{ANNOTATION_APPROVE_UPDATE, ANNOTATION_PAUSE_ROLLOUT, ANNOTATION_RECREATE};
use kube::core::ObjectMeta;

/// The rollout policy of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutPolicy {
    /// Hash of the approved rendering.
    pub approved: Option<String>,
    /// Every rendering is approved.
    pub approve_all: bool,
    /// Only a change of the object's own spec may reach its pods.
    pub paused: bool,
    /// Hash of the rendering for which the `StatefulSet` may be deleted and recreated.
    pub recreate: Option<String>,
}

impl RolloutPolicy {
    /// The policy of an object: its annotations, and the flags for all objects.
    pub fn of(object: &ObjectMeta, for_all: &Self) -> Self {
        let annotation = |key: &str| object.annotations.as_ref()?.get(key).cloned();
        Self {
            approved: annotation(ANNOTATION_APPROVE_UPDATE),
            approve_all: for_all.approve_all,
            paused: for_all.paused || annotation(ANNOTATION_PAUSE_ROLLOUT).as_deref() == Some("true"),
            recreate: annotation(ANNOTATION_RECREATE),
        }
    }
}
