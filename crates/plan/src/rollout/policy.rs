//! The rollout policy of an object: approvals and pauses, by its annotations and the operator's flags.

use functionmesh_api::constants::{ANNOTATION_APPROVE_UPDATE, ANNOTATION_PAUSE_ROLLOUT, ANNOTATION_RECREATE};
use kube::core::ObjectMeta;

/// What the user, or the administrator for all, said about rollouts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutPolicy {
    /// The rendering that may replace what runs.
    pub approved: Option<String>,
    /// Every rendering may.
    pub approve_all: bool,
    /// Only a change of the object's own spec may reach its pods.
    pub paused: bool,
    /// The rendering for which the `StatefulSet` may be deleted and recreated.
    pub recreate: Option<String>,
}

impl RolloutPolicy {
    /// Reads them from the object, beside those for all.
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
