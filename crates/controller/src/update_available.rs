//! The condition `UpdateAvailable` of a pending update, with its differences.

use crate::apply::Progress;
use crate::context::Context;
use functionmesh_api::condition::DesiredCondition;
use functionmesh_api::status::ComponentStatus;
use functionmesh_plan::conditions::UPDATE_AVAILABLE;
use functionmesh_plan::observed::statefulset::StatefulSetView;
use functionmesh_plan::plan::Pending;
use functionmesh_plan::rollout::diff::{by_weight, difference, immutable, summary};
use functionmesh_plan::rollout::update_message::{NAMED, message};
use functionmesh_render::{Component, rendered_hash};

/// Stands for the differences when the live object could not be read.
const UNREAD: &str = "the differences could not be read yet";

/// The condition. The live object is read only if `known`, the previous status, does not report this update yet. If the read
/// fails, the text has no differences, and the error is in `progress`.
pub(crate) async fn notice<K: Component>(
    waiting: &Pending,
    live: &StatefulSetView,
    known: &ComponentStatus,
    cx: &Context<K>,
    progress: &mut Progress,
) -> DesiredCondition {
    let hash = rendered_hash(&waiting.desired).unwrap_or_default();
    let reported = known.conditions.get(UPDATE_AVAILABLE).filter(|reported| {
        let pending = known.stateful_set.as_ref().and_then(|set| set.pending_hash.as_deref());
        pending == Some(hash)
            && reported.reason == waiting.reason.as_str()
            && !reported.message.contains(UNREAD)
    });
    let message = if let Some(reported) = reported {
        reported.message.clone()
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
    DesiredCondition { type_: UPDATE_AVAILABLE, status: true, reason: waiting.reason.to_string(), message }
}
