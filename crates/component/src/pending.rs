//! Tells of a rendering that waits: the condition `UpdateAvailable`, with what it would change.

use crate::children::StatefulSetView;
use crate::context::Context;
use crate::difference::{by_weight, difference, immutable, summary};
use crate::execute::Progress;
use crate::plan::Pending;
use crate::reason::Reason;
use crate::status::UPDATE_AVAILABLE;
use functionmesh_api::condition::Wanted;
use functionmesh_api::constants::{ANNOTATION_APPROVE_UPDATE, ANNOTATION_PAUSE_ROLLOUT, ANNOTATION_RECREATE};
use functionmesh_api::status::ComponentStatus;
use functionmesh_render::{Component, rendered_hash};

/// Stands for the differences when the live object could not be read.
const UNREAD: &str = "the differences could not be read yet";

/// Most differences that are named.
const NAMED: usize = 24;

/// The condition. The live object is read only when it is not the one that `known`, the status so far, tells of already; a
/// read that fails leaves the differences out of the text, and is in `progress`.
pub async fn notice<K: Component>(
    waiting: &Pending,
    live: &StatefulSetView,
    known: &ComponentStatus,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Wanted {
    let hash = rendered_hash(&waiting.desired).unwrap_or_default();
    let told = known.conditions.get(UPDATE_AVAILABLE).filter(|told| {
        let pending = known.stateful_set.as_ref().and_then(|set| set.pending_hash.as_deref());
        pending == Some(hash) && told.reason == waiting.reason.as_str() && !told.message.contains(UNREAD)
    });
    let message = if let Some(told) = told {
        told.message.clone()
    } else {
        let (changes, fixed) = match cx.writer.read(live).await {
            Ok(live) => {
                let changes = by_weight(difference(&live, &waiting.desired, cx.writer.manager()));
                (summary(&changes, NAMED), immutable(&live, &waiting.desired).join(", "))
            }
            Err(error) => {
                progress.unread = Some(error);
                (UNREAD.to_owned(), String::new())
            }
        };
        message(waiting.reason, hash, &changes, &fixed)
    };
    Wanted { type_: UPDATE_AVAILABLE, status: true, reason: waiting.reason.to_string(), message }
}

/// What waits, for what, and what to do. `fixed` names the fields among the changes that cannot change.
fn message(reason: Reason, hash: &str, changes: &str, fixed: &str) -> String {
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
        Reason::MadeByOriginal => {
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
