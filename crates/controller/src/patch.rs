//! Patches of a `StatefulSet` that do not change its pod template, and so restart no pod.

use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_plan::observed::statefulset::StatefulSetView;
use functionmesh_plan::observed::view::View;
use functionmesh_plan::patch::patch;
use functionmesh_plan::plan::Adjustment;
use functionmesh_plan::takeover::adoption::{Adoption, adoption};
use functionmesh_runtime::apply::Writer;
use functionmesh_runtime::apply_error::ApplyError;
use k8s_openapi::api::apps::v1::StatefulSet;

/// The StatefulSet after an adjustment.
#[derive(Debug)]
pub(crate) struct Adjusted {
    /// Its newest form.
    pub(crate) live: StatefulSetView,
    /// What the status is to say of it.
    pub(crate) recorded: Option<StatefulSetStatusRef>,
}

/// Changes what an adjustment says. The patch tests the generation, so that it applies to what was seen only, and notes
/// the generation it leads to: should this process end before the status says so, the next one does not take the change
/// for one by another field manager.
///
/// # Errors
/// When the API server refuses or fails; a concurrent change is a conflict.
pub(crate) async fn adjust(
    adjustment: &Adjustment,
    live: &StatefulSetView,
    left: Option<StatefulSetStatusRef>,
    writer: &Writer,
) -> Result<Adjusted, ApplyError> {
    let mut live: StatefulSetView = writer.patch(live, patch(adjustment, live)).await?;
    live.prune(writer.manager());
    let generation = live.metadata.generation;
    let recorded = left.map(|left| StatefulSetStatusRef {
        // A change by others that is still to be reverted must stay one.
        generation: generation
            .filter(|_| adjustment.replicas.is_some() && adjustment.settles)
            .unwrap_or(left.generation),
        ..left
    });
    Ok(Adjusted { live, recorded })
}

/// Takes over a set that the Go operator made. Says besides whether fields that cannot change stand in the way of what is
/// rendered.
///
/// # Errors
/// When the API server refuses or fails.
pub(crate) async fn adopt(
    desired: &StatefulSet,
    roll: bool,
    live: &StatefulSetView,
    writer: &Writer,
) -> Result<(StatefulSetView, bool), ApplyError> {
    let full = writer.read(live).await?;
    let Adoption { patch, is_blocked } = adoption(desired, roll, &full, writer.manager());
    let mut live: StatefulSetView = writer.patch(live, patch).await?;
    live.prune(writer.manager());
    Ok((live, is_blocked))
}
