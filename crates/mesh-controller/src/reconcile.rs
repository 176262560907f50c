//! One reconcile of a mesh.

use crate::apply::{Applied, rotated};
use crate::children::{Child, ObservedComponent};
use crate::context::{Context, Mesh};
use crate::items::{DesiredComponent, Kind, items};
use crate::plan::{Plan, plan};
use crate::reason::Reason;
use crate::status::{Problems, status};
use functionmesh_api::condition;
use functionmesh_api::condition::RECONCILE_FAILED;
use functionmesh_api::constants::ANNOTATION_MANAGED;
use functionmesh_api::status::MeshStatus;
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::clock;
use functionmesh_runtime::mutation_cache::{GRACE, MutationCache};
use functionmesh_runtime::observe::Done;
use functionmesh_runtime::terminating_namespaces::HOLD;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde_json::Value;
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
    let spec: Value = match mesh.spec() {
        Ok(spec) => spec,
        // Not treated as an empty spec, which would delete everything.
        Err(error) => {
            let invalid = vec![error.to_string()];
            let problems = Problems { invalid, unreadable: true, ..Problems::default() };
            return Ok(Done::refused(cx.report(&mesh, &[], &[], &problems).await?));
        }
    };
    let (desired, invalid) = items(&mesh.name_any(), &spec);
    let labels = cx.passed_on(&mesh);
    let observed = cx.observed(&mesh, &desired);
    let Plan { steps, conflicts, kept } = plan(&desired, &observed, &labels, invalid.is_empty());
    let steps = if cx.failed_before(&mesh) { rotated(steps) } else { steps };
    let done = cx.carry_out(&mesh, steps, &labels).await;
    let Applied { mut writes, conflicts: found, mut failures, unwritten, unfinished, terminating } = done;
    if terminating {
        // The mesh is about to be deleted with its namespace: a status would be lost.
        cx.terminating_namespaces.record(mesh.meta());
        return Ok(Done::unchanged().again_in(HOLD));
    }
    let conflicts = [conflicts, found].concat();
    let mut problems = Problems { invalid, kept, conflicts, unwritten, ..Problems::default() };
    let lasts = !failures.is_empty() && cx.failing.failed(mesh.meta());
    // Failures that a retry may fix are not reported.
    let reported = failures.iter().filter(|error| lasts || !error.is_transient());
    problems.failures = reported.map(ApplyError::user_message).collect();
    problems.stopped = failures.iter().any(|error| !error.is_transient());
    let failed = failures.pop();
    let observed = cx.observed(&mesh, &desired);
    writes += cx.report(&mesh, &desired, &observed, &problems).await?;
    let again = |done: Done| if cx.awaits_components(&mesh) { done.again_in(GRACE) } else { done };
    match failed {
        Some(error) => Err(error),
        None if unfinished => Ok(Done::applied(writes).again_in(Duration::ZERO)),
        None => Ok(again(succeeded(&problems, writes, &mesh, &cx))),
    }
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
    fn observed(&self, mesh: &Mesh, desired: &[DesiredComponent]) -> Vec<ObservedComponent> {
        let mut observed = Vec::new();
        collect(&self.functions, Kind::Function, mesh, desired, &mut observed);
        collect(&self.sources, Kind::Source, mesh, desired, &mut observed);
        collect(&self.sinks, Kind::Sink, mesh, desired, &mut observed);
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
    fn awaits_components(&self, mesh: &Mesh) -> bool {
        let uid = mesh.uid();
        let ours = |owners: &[OwnerReference]| owners.iter().any(|r| Some(&r.uid) == uid.as_ref());
        self.functions.unconfirmed(|c| ours(c.owner_references()))
            || self.sources.unconfirmed(|c| ours(c.owner_references()))
            || self.sinks.unconfirmed(|c| ours(c.owner_references()))
    }

    /// Writes the status if it differs. Returns the number of writes.
    async fn report(
        &self,
        mesh: &Mesh,
        desired: &[DesiredComponent],
        observed: &[ObservedComponent],
        problems: &Problems,
    ) -> Result<u32, ApplyError> {
        let stored = self.statuses.newest(mesh, |mesh| mesh.status.clone());
        let ours = condition::managed(stored.conditions.list(), &Reason::ALL.map(Reason::docs));
        let before = MeshStatus { conditions: stored.conditions.with(ours), ..stored };
        let after = status(&before, desired, observed, problems, mesh.meta().generation, &clock::now());
        if after == before {
            return Ok(0);
        }
        let stored = (!before.conditions.is_legacy()).then_some(before.conditions.list());
        let answered = self.writer.patch_status(mesh, self.statuses.version(mesh), &after, stored).await?;
        let (known, new) = (before.conditions.list(), after.conditions.list());
        self.events.on_change(mesh, known, new, Reason::ComponentsNotReady.as_str()).await;
        self.events.on_trouble(mesh, known, new, RECONCILE_FAILED).await;
        self.statuses.wrote(mesh, answered, after);
        Ok(1)
    }
}

fn collect<K>(
    cache: &MutationCache<Child<K>>,
    kind: Kind,
    mesh: &Mesh,
    desired: &[DesiredComponent],
    observed: &mut Vec<ObservedComponent>,
) where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
{
    let (uid, namespace) = (mesh.uid(), mesh.namespace());
    let owner = mesh.controller_owner_ref(&()).unwrap_or_default();
    let named = |name: &str| desired.iter().any(|w| w.kind == kind && w.name == name);
    let related = |child: &Child<K>| {
        child.namespace() == namespace
            && (named(&child.name_any())
                || child.owner_references().iter().any(|r| Some(&r.uid) == uid.as_ref()))
    };
    observed.extend(cache.newest(related).iter().map(|child| ObservedComponent::of(kind, child, &owner)));
}
