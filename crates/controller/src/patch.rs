//! Patches of a `StatefulSet` that apply no rendering.

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
    /// What the status records of it.
    pub(crate) recorded: Option<StatefulSetStatusRef>,
}

/// The patch of an adjustment. It tests the generation it was planned for, and records the resulting generation: if this process
/// ends before it writes the status, the next one does not mistake the change for that of another field manager.
///
/// # Errors
/// If the API server refuses or fails; a concurrent change causes a conflict.
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
        // Drift that is still to be reverted must remain detectable as drift.
        generation: generation
            .filter(|_| adjustment.changes_spec() && adjustment.settles)
            .unwrap_or(left.generation),
        ..left
    });
    Ok(Adjusted { live, recorded })
}

/// Adopts a `StatefulSet` that the Go operator created. Returns also whether immutable fields prevent the rendering.
///
/// # Errors
/// If the API server refuses or fails.
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
