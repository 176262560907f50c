//! Condition messages about a pending update.

use crate::health::reason::Reason;
use functionmesh_api::constants::{ANNOTATION_APPROVE_UPDATE, ANNOTATION_PAUSE_ROLLOUT, ANNOTATION_RECREATE};

/// Most differences that a message names.
pub const NAMED: usize = 24;

/// What is pending, why, and how to approve it. `fixed` names the changed fields that are immutable.
pub fn message(reason: Reason, hash: &str, changes: &str, fixed: &str) -> String {
    let approve = if fixed.is_empty() {
        format!("to approve it, annotate the object with {ANNOTATION_APPROVE_UPDATE}={hash}")
    } else {
        format!(
            "{fixed} of a StatefulSet cannot be changed: to approve it, annotate the object with \
             {ANNOTATION_RECREATE}={hash}, which deletes the StatefulSet without its pods and recreates it"
        )
    };
    let changes = if changes.is_empty() { "no rendered difference" } else { changes };
    match reason {
        Reason::AdoptedFromGoOperator => {
            format!("the Go operator created the pods, which stay unchanged; pending: {changes}; {approve}")
        }
        Reason::OperatorConfigChanged => {
            format!("the operator's configuration changed; pending: {changes}; {approve}")
        }
        Reason::BackendConfigChanged => format!(
            "a BackendConfig without autoUpdate changed; included in the next rollout: {changes}; {approve}"
        ),
        Reason::RolloutPaused => format!(
            "the rollout is paused by the annotation {ANNOTATION_PAUSE_ROLLOUT} or the flag --pause-rollout; pending: \
             {changes}; {approve}"
        ),
        _ => format!("a newer release renders the pods differently; pending: {changes}; {approve}"),
    }
}

/// The message about a change of immutable fields. `hash` is that of the pending rendering.
pub fn blocked(fields: &str, hash: &str) -> String {
    format!(
        "{fields} of a StatefulSet cannot be changed; revert the change, or annotate the object with \
         {ANNOTATION_RECREATE}={hash}: the StatefulSet is deleted without its pods and recreated, and the pods are \
         replaced one by one where they differ"
    )
}
