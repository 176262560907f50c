//! One reconcile of a mesh.

use crate::children::{Child, Seen};
use crate::items::{Kind, Wanted, items, object};
use crate::plan::{Plan, Step, plan};
use crate::reason::{RECONCILE_FAILED, Reason};
use crate::status::{Findings, status};
use functionmesh_api::constants::ANNOTATION_MANAGED;
use functionmesh_api::status::MeshStatus;
use functionmesh_api::{Function, FunctionMesh, Sink, Source};
use functionmesh_runtime::apply::{ApplyError, ApplyMode, Writer};
use functionmesh_runtime::condition;
use functionmesh_runtime::declared::Declared;
use functionmesh_runtime::event::Events;
use functionmesh_runtime::failing::Failing;
use functionmesh_runtime::observe::Done;
use functionmesh_runtime::recent::{GRACE, Recent, Written};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use serde_json::Value;
use std::sync::Arc;

/// A mesh as it is cached.
pub type Mesh = Declared<FunctionMesh, MeshStatus>;

/// What every reconcile shares.
pub struct Context {
    /// Writes in the name of this controller.
    pub writer: Writer,
    /// Publishes Events.
    pub events: Events,
    /// Components by kind.
    pub functions: Recent<Child<Function>>,
    /// See above.
    pub sources: Recent<Child<Source>>,
    /// See above.
    pub sinks: Recent<Child<Sink>>,
    /// Our own status writes, until the cache shows them.
    pub statuses: Written<Mesh, MeshStatus>,
    /// Meshes whose writes fail.
    pub failing: Failing,
}

/// Brings the components to what the mesh says and tells in its status how they are.
///
/// # Errors
/// When the API server refused or did not answer a write; the other components were done all the same.
pub async fn reconcile(mesh: Arc<Mesh>, cx: Arc<Context>) -> Result<Done, ApplyError> {
    let unmanaged = mesh.annotations().get(ANNOTATION_MANAGED).is_some_and(|v| v == "false");
    if unmanaged || mesh.meta().deletion_timestamp.is_some() {
        // Components go with their mesh.
        return Ok(Done::unchanged());
    }
    let spec: Value = match mesh.spec() {
        Ok(spec) => spec,
        // What cannot be read is not empty: nothing is created, changed or deleted.
        Err(problem) => {
            let findings = Findings { invalid: vec![problem.to_string()], ..Findings::default() };
            let writes = cx.report(&mesh, &[], &cx.seen(&mesh, &[]), &findings).await?;
            return Ok(Done::refused(writes));
        }
    };
    let (wanted, invalid) = items(&mesh.name_any(), &spec);
    let uid = mesh.uid().unwrap_or_default();
    let seen = cx.seen(&mesh, &wanted);
    let Plan { steps, conflicts } = plan(&wanted, &seen, &uid);
    let mut findings = Findings { invalid, conflicts, ..Findings::default() };
    let (mut writes, mut failures) = (0, Vec::new());
    for (kind, step) in steps {
        let written = step.written().map(|name| (kind, name.to_owned()));
        match cx.execute(&mesh, kind, step).await {
            Ok(()) => writes += 1,
            Err(ApplyError::NameConflict { kind, name }) => findings.conflicts.push(format!("{kind} {name}")),
            Err(error) => {
                // One component's trouble is not the others'.
                findings.unwritten.extend(written);
                failures.push(error);
            }
        }
    }
    let lasts = !failures.is_empty() && cx.failing.failed(mesh.meta());
    // What may succeed in a moment is not told.
    let told = failures.iter().filter(|error| lasts || !error.is_transient());
    findings.failures = told.map(ApplyError::told).collect();
    findings.stopped = failures.iter().any(|error| !error.is_transient());
    let failed = failures.pop();
    let seen = cx.seen(&mesh, &wanted);
    writes += cx.report(&mesh, &wanted, &seen, &findings).await?;
    let again = |done: Done| if cx.awaits_components(&mesh) { done.again_in(GRACE) } else { done };
    match failed {
        Some(error) => Err(error),
        None => Ok(again(succeeded(&findings, writes, &mesh, &cx))),
    }
}

fn succeeded(findings: &Findings, writes: u32, mesh: &Mesh, cx: &Context) -> Done {
    cx.failing.succeeded(mesh.meta());
    if !findings.invalid.is_empty() || !findings.conflicts.is_empty() {
        Done::refused(writes)
    } else if writes == 0 {
        Done::unchanged()
    } else {
        Done::applied(writes)
    }
}

impl Context {
    /// Everything in the caches that belongs to the mesh or has the name of one of its components.
    fn seen(&self, mesh: &Mesh, wanted: &[Wanted]) -> Vec<Seen> {
        let mut seen = Vec::new();
        collect(&self.functions, Kind::Function, mesh, wanted, &mut seen);
        collect(&self.sources, Kind::Source, mesh, wanted, &mut seen);
        collect(&self.sinks, Kind::Sink, mesh, wanted, &mut seen);
        seen
    }

    /// Whether a component was written that its cache does not show yet, or no more.
    fn awaits_components(&self, mesh: &Mesh) -> bool {
        let uid = mesh.uid();
        let ours = |owners: &[OwnerReference]| owners.iter().any(|r| Some(&r.uid) == uid.as_ref());
        self.functions.unconfirmed(|c| ours(c.owner_references()))
            || self.sources.unconfirmed(|c| ours(c.owner_references()))
            || self.sinks.unconfirmed(|c| ours(c.owner_references()))
    }

    async fn execute(&self, mesh: &Mesh, kind: Kind, step: Step) -> Result<(), ApplyError> {
        match kind {
            Kind::Function => self.write(&self.functions, mesh, step).await,
            Kind::Source => self.write(&self.sources, mesh, step).await,
            Kind::Sink => self.write(&self.sinks, mesh, step).await,
        }
    }

    async fn write<K>(&self, cache: &Recent<Child<K>>, mesh: &Mesh, step: Step) -> Result<(), ApplyError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
    {
        let namespace = mesh.namespace().unwrap_or_default();
        let (item, mode) = match step {
            Step::Create(item) => (item, ApplyMode::Create),
            Step::Update(item) => (item, ApplyMode::Update),
            Step::Delete(name) => {
                let key = ObjectRef::new(&name).within(&namespace);
                return match cache.get(&key) {
                    Some(child) => self.writer.delete(&child).await,
                    None => Ok(()),
                };
            }
        };
        let owner = mesh.controller_owner_ref(&()).unwrap_or_default();
        let key = ObjectRef::new(&item.name).within(&namespace);
        let live = cache.get(&key).filter(|_| mode == ApplyMode::Update).and_then(|child| child.uid());
        let body = object(&item, &namespace, &owner, live);
        let answer: Child<K> = self.writer.apply_json(&namespace, mode, &item.name, &body).await?;
        cache.wrote(key, answer);
        Ok(())
    }

    /// Writes the status if it differs. Returns the number of writes.
    async fn report(
        &self,
        mesh: &Mesh,
        wanted: &[Wanted],
        seen: &[Seen],
        findings: &Findings,
    ) -> Result<u32, ApplyError> {
        let stored = self.statuses.newest(mesh, |mesh| mesh.status.clone());
        let ours = condition::ours(stored.conditions.list(), &Reason::ALL.map(Reason::explained));
        let before = MeshStatus { conditions: stored.conditions.with(ours), ..stored };
        let after = status(&before, wanted, seen, findings, mesh.meta().generation, &condition::now());
        if after == before {
            return Ok(0);
        }
        let legacy = before.conditions.is_legacy();
        let answered = self.writer.patch_status(mesh, self.statuses.version(mesh), &after, legacy).await?;
        let (known, new) = (before.conditions.list(), after.conditions.list());
        self.events.on_change(mesh, known, new, Reason::ComponentsNotReady.as_str()).await;
        self.events.on_trouble(mesh, known, new, RECONCILE_FAILED).await;
        self.statuses.wrote(mesh, answered, after);
        Ok(1)
    }
}

fn collect<K>(cache: &Recent<Child<K>>, kind: Kind, mesh: &Mesh, wanted: &[Wanted], seen: &mut Vec<Seen>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
{
    let (uid, namespace) = (mesh.uid(), mesh.namespace());
    let named = |name: &str| wanted.iter().any(|w| w.kind == kind && w.name == name);
    let related = |child: &Child<K>| {
        child.namespace() == namespace
            && (named(&child.name_any())
                || child.owner_references().iter().any(|r| Some(&r.uid) == uid.as_ref()))
    };
    seen.extend(cache.newest(related).iter().map(|child| Seen::of(kind, child)));
}
