//! What the conditions say of a rendering that waits.

use crate::health::reason::Reason;
use functionmesh_api::constants::{ANNOTATION_APPROVE_UPDATE, ANNOTATION_PAUSE_ROLLOUT, ANNOTATION_RECREATE};

/// What waits, for what, and what to do. `fixed` names the fields among the changes that cannot change.
pub fn message(reason: Reason, hash: &str, changes: &str, fixed: &str) -> String {
    let approve = if fixed.is_empty() {
        format!("to let it through, annotate the object with {ANNOTATION_APPROVE_UPDATE}={hash}")
    } else {
        format!(
            "{fixed} of a StatefulSet cannot be changed: to let it through, annotate the object with \
             {ANNOTATION_RECREATE}={hash}, which deletes the StatefulSet without its pods and makes it anew"
        )
    };
    let changes = if changes.is_empty() { "no difference that is rendered" } else { changes };
    match reason {
        Reason::AdoptedFromGoOperator => {
            format!(
                "the Go Function Mesh made the pods, which are left as they are; waiting: {changes}; {approve}"
            )
        }
        Reason::OperatorConfigChanged => {
            format!("the operator's configuration changed; waiting: {changes}; {approve}")
        }
        Reason::BackendConfigChanged => format!(
            "a BackendConfig without autoUpdate changed; waiting for the next change of the pods: {changes}; {approve}"
        ),
        Reason::RolloutPaused => format!(
            "the roll-out is paused by the annotation {ANNOTATION_PAUSE_ROLLOUT} or the flag --pause-rollout; waiting: \
             {changes}; {approve}"
        ),
        _ => format!("a newer release renders the pods differently; waiting: {changes}; {approve}"),
    }
}

/// What to say of fields that cannot change. `hash` is that of the rendering which waits for them.
pub fn blocked(fields: &str, hash: &str) -> String {
    format!(
        "{fields} of a StatefulSet cannot be changed; take the change back, or annotate the object with \
         {ANNOTATION_RECREATE}={hash}: the StatefulSet is deleted without its pods and made anew, and the pods are \
         replaced one by one where they differ"
    )
}
