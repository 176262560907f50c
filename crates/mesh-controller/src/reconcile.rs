//! One reconcile of a mesh.

use crate::apply::{Applied, rotated};
use crate::children::ObservedComponent;
use crate::context::Context;
use crate::decoded::Decoded;
use crate::items::{DesiredComponent, Kind};
use crate::mesh::Mesh;
use crate::plan::{Plan, plan};
use crate::reason::Reason;
use crate::status::{Problems, status};
use functionmesh_api::condition;
use functionmesh_api::condition::RECONCILE_FAILED;
use functionmesh_api::constants::ANNOTATION_MANAGED;
use functionmesh_api::status::MeshStatus;
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::clock;
use functionmesh_runtime::mutation_cache::GRACE;
use functionmesh_runtime::observe::Done;
use functionmesh_runtime::terminating_namespaces::HOLD;
use kube::{Resource, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Makes the components match the mesh, and reports their readiness in its status.
///
/// # Errors
/// If the API server refused a write or failed; the other components were written nevertheless.
pub(crate) async fn reconcile(mesh: Arc<Mesh>, cx: Arc<Context>) -> Result<Done, ApplyError> {
    let unmanaged = mesh.annotations().get(ANNOTATION_MANAGED).is_some_and(|v| v == "false");
    if unmanaged || mesh.meta().deletion_timestamp.is_some() {
        // Components are deleted with their mesh.
        return Ok(Done::unchanged());
    }
    if let Some(wait) = cx.terminating_namespaces.hold(mesh.meta()) {
        return Ok(Done::unchanged().again_in(wait));
    }
    let decoded = match cx.decoded.of(&mesh) {
        Ok(decoded) => decoded,
        // Not treated as an empty spec, which would delete everything.
        Err(error) => {
            let invalid = vec![error.to_string()];
            let problems = Problems { invalid, unreadable: true, ..Problems::default() };
            let (writes, _) = cx.report(&mesh, &[], &[], &problems).await?;
            return Ok(Done::refused(writes));
        }
    };
    let Decoded { items: desired, invalid, .. } = decoded.as_ref();
    let labels = cx.passed_on(&mesh);
    let observed = cx.observed(&mesh, &decoded);
    let Plan { steps, conflicts, kept } = plan(desired, &observed, &labels, invalid.is_empty());
    let steps = if cx.failed_before(&mesh) { rotated(steps) } else { steps };
    let done = cx.carry_out(&mesh, steps, &labels).await;
    let Applied { writes, conflicts: found, mut failures, unwritten, unfinished, terminating } = done;
    if terminating {
        // The mesh is about to be deleted with its namespace: a status would be lost.
        cx.terminating_namespaces.record(mesh.meta());
        return Ok(Done::unchanged().again_in(HOLD));
    }
    let conflicts = [conflicts, found].concat();
    let invalid = invalid.clone();
    let mut problems = Problems { invalid, kept, conflicts, unwritten, ..Problems::default() };
    let lasts = !failures.is_empty() && cx.failing.failed(mesh.meta());
    // Failures that a retry may fix are not reported.
    let reported = failures.iter().filter(|error| lasts || !error.is_transient());
    problems.failures = reported.map(ApplyError::user_message).collect();
    problems.stopped = failures.iter().any(|error| !error.is_transient());
    let failed = failures.pop();
    let observed = cx.observed(&mesh, &decoded);
    let (reported, wait) = cx.report(&mesh, desired, &observed, &problems).await?;
    let writes = writes + reported;
    let done = match failed {
        Some(error) => return Err(error),
        None if unfinished => Done::applied(writes).again_in(Duration::ZERO),
        None => succeeded(&problems, writes, &mesh, &cx),
    };
    let wait = wait.into_iter().chain(cx.awaits_components(&mesh, &decoded).then_some(GRACE));
    Ok(wait.fold(done, Done::again_in))
}

fn succeeded(problems: &Problems, writes: u32, mesh: &Mesh, cx: &Context) -> Done {
    cx.failing.succeeded(mesh.meta());
    if !problems.invalid.is_empty() || !problems.conflicts.is_empty() {
        Done::refused(writes)
    } else if writes == 0 {
        Done::unchanged()
    } else {
        Done::applied(writes)
    }
}

impl Context {
    /// All cached objects that belong to the mesh or have the name of one of its components.
    fn observed(&self, mesh: &Mesh, decoded: &Decoded) -> Vec<ObservedComponent> {
        let mut observed = self.functions.observed(Kind::Function, mesh, decoded);
        observed.extend(self.sources.observed(Kind::Source, mesh, decoded));
        observed.extend(self.sinks.observed(Kind::Sink, mesh, decoded));
        observed
    }

    /// The labels by which the mesh was selected.
    fn passed_on(&self, mesh: &Mesh) -> BTreeMap<String, String> {
        let labels = mesh.labels();
        let selected = self.selected_by.iter().filter_map(|key| labels.get_key_value(key));
        selected.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Whether writes failed in the previous reconcile, by the status.
    fn failed_before(&self, mesh: &Mesh) -> bool {
        let status = self.statuses.newest(mesh, |mesh| mesh.status.clone());
        status.conditions.list().iter().any(|condition| condition.reason == Reason::ApplyFailed.as_str())
    }

    /// Whether a component was written that its cache does not show yet, or no longer.
    fn awaits_components(&self, mesh: &Mesh, decoded: &Decoded) -> bool {
        self.functions.awaits(Kind::Function, mesh, decoded)
            || self.sources.awaits(Kind::Source, mesh, decoded)
            || self.sinks.awaits(Kind::Sink, mesh, decoded)
    }

    /// Writes the status if it differs and is due. Returns the number of writes, and how long it has to wait otherwise.
    async fn report(
        &self,
        mesh: &Mesh,
        desired: &[DesiredComponent],
        observed: &[ObservedComponent],
        problems: &Problems,
    ) -> Result<(u32, Option<Duration>), ApplyError> {
        let stored = self.statuses.newest(mesh, |mesh| mesh.status.clone());
        let ours = condition::managed(stored.conditions.list(), &Reason::ALL.map(Reason::docs));
        let before = MeshStatus { conditions: stored.conditions.with(ours), ..stored };
        let after = status(&before, desired, observed, problems, mesh.meta().generation, &clock::now());
        if after == before {
            return Ok((0, None));
        }
        if let Some(wait) = self.reports.wait(mesh.meta().uid.as_deref(), &before, &after) {
            return Ok((0, Some(wait)));
        }
        let stored = (!before.conditions.is_legacy()).then_some(before.conditions.list());
        let answered = self.writer.patch_status(mesh, self.statuses.version(mesh), &after, stored).await?;
        let (known, new) = (before.conditions.list(), after.conditions.list());
        self.events.on_change(mesh, known, new, Reason::ComponentsNotReady.as_str()).await;
        self.events.on_trouble(mesh, known, new, RECONCILE_FAILED).await;
        self.statuses.wrote(mesh, answered, after);
        self.reports.wrote(mesh.uid());
        Ok((1, None))
    }
}
