//! The watches of the mesh controller and the queue they fill.

use crate::children::{Child, prune};
use crate::components::{Components, keys};
use crate::context::Context;
use crate::decoded::DecodedMeshes;
use crate::items::Kind;
use crate::mesh::Mesh;
use crate::reconcile::reconcile;
use crate::reports::Reports;
use functionmesh_api::condition::READY;
use functionmesh_api::{Function, FunctionMesh, Sink, Source};
use functionmesh_runtime::Process;
use functionmesh_runtime::apply::Writer;
use functionmesh_runtime::args::WatchArgs;
use functionmesh_runtime::event::Events;
use functionmesh_runtime::failing::Failing;
use functionmesh_runtime::index::Indexed;
use functionmesh_runtime::metrics::ObjectsByReadiness;
use functionmesh_runtime::mutation_cache::PendingWrites;
use functionmesh_runtime::reconciler::Reconciler;
use functionmesh_runtime::stream::{Changes, Watches};
use functionmesh_runtime::terminating_namespaces::TerminatingNamespaces;
use functionmesh_runtime::tracked::{Entries, TrackedEntries};
use futures::StreamExt;
use kube::core::ObjectMeta;
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

/// The controller's work: runs until the process is asked to stop.
///
/// # Errors
/// If a metric cannot be registered.
pub fn run(process: &Process, args: &WatchArgs) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let watches = Watches::of(process, args);
    let writer = Writer::new(process.client.clone(), process.name, process.metrics.clone());
    let events = Events::new(process.client.clone(), process.name);
    let manager = process.name;
    let shutdown = process.shutdown.clone();
    async move {
        let (meshes, changed) = watches.primary::<Mesh>();
        for kind in Kind::ALL {
            watches.metrics.begin_writes(kind.name());
        }
        // All components, including those of other owners: name conflicts have to be observed.
        let (functions, functions_changed) = components::<Function>(&watches, manager);
        let (sources, sources_changed) = components::<Source>(&watches, manager);
        let (sinks, sinks_changed) = components::<Sink>(&watches, manager);
        watches.metrics.register(&ObjectsByReadiness::of(meshes.clone(), is_ready)?)?;
        let context = Arc::new(Context {
            writer,
            events,
            functions: Components::over(functions),
            sources: Components::over(sources),
            sinks: Components::over(sinks),
            statuses: PendingWrites::over(meshes.clone()),
            decoded: DecodedMeshes::default(),
            reports: Reports::default(),
            failing: Failing::default(),
            terminating_namespaces: TerminatingNamespaces::default(),
            selected_by: watches.args.selected_by(),
        });
        watches.metrics.register(&tracked(&context)?)?;
        let reconciler = Reconciler::new(&watches, shutdown.clone());
        let (ends, shared) = (reconciler.clone(), context.clone());
        let known = [meshes.clone(), meshes.clone(), meshes.clone()];
        let [of_functions, of_sources, of_sinks] = known;
        Controller::for_stream(changed, meshes)
            .with_config(watches.queue())
            .watches_stream(functions_changed, move |child: Child<Function>| concerned(&child, &of_functions))
            .watches_stream(sources_changed, move |child: Child<Source>| concerned(&child, &of_sources))
            .watches_stream(sinks_changed, move |child: Child<Sink>| concerned(&child, &of_sinks))
            .graceful_shutdown_on(shutdown.cancelled_owned())
            .run(
                move |mesh, context| observed(mesh, context, reconciler.clone()),
                |_, error: &Infallible, _| match *error {},
                context,
            )
            .for_each(|result| {
                if let Some((namespace, name)) = ends.forget_missing(result) {
                    shared.decoded.forget(&ObjectRef::new(&name).within(&namespace));
                }
                std::future::ready(())
            })
            .await;
        Ok(())
    }
}

/// The sizes of what is kept beside the caches.
fn tracked(context: &Arc<Context>) -> anyhow::Result<TrackedEntries> {
    let of = |entries: fn(&Context) -> usize| -> Entries {
        let context = context.clone();
        Box::new(move || entries(&context))
    };
    Ok(TrackedEntries::new()?.with(vec![
        ("components", of(|cx| cx.functions.entries() + cx.sources.entries() + cx.sinks.entries())),
        ("pending_statuses", of(|cx| cx.statuses.entries())),
        ("decoded_meshes", of(|cx| cx.decoded.entries())),
        ("reported_meshes", of(|cx| cx.reports.entries())),
        ("failing_objects", of(|cx| cx.failing.entries())),
        ("terminating_namespaces", of(|cx| cx.terminating_namespaces.entries())),
    ]))
}

/// The components of one kind.
fn components<K>(watches: &Watches, manager: &'static str) -> (Indexed<Child<K>>, Changes<Child<K>>)
where
    K: Resource<DynamicType = ()> + 'static,
{
    let shard = watches.args.shard;
    watches.indexed("", move |child: &mut Child<K>| prune(child, manager, shard), meshes_of, keys)
}

/// The meshes that a component affects: its owner, and meshes that may have an item of its name. A name that another object used
/// becomes free when that object is deleted; no owner reference leads to the mesh that needs it.
fn concerned<K>(child: &Child<K>, meshes: &Store<Mesh>) -> Vec<ObjectRef<Mesh>>
where
    K: Resource<DynamicType = ()>,
{
    let mut all = meshes_of(child.meta());
    let kind = FunctionMesh::kind(&());
    let owns = |mesh: &ObjectRef<Mesh>| {
        child.owner_references().iter().any(|r| r.kind == kind && r.name == mesh.name)
    };
    all.retain(|mesh| owns(mesh) || meshes.get(mesh).is_some());
    all
}

/// The same whether or not there is a mesh of that name.
fn meshes_of(child: &ObjectMeta) -> Vec<ObjectRef<Mesh>> {
    let (name, namespace) = (child.name.as_deref().unwrap_or_default(), child.namespace.as_deref());
    let mesh = |name: &str| ObjectRef::<Mesh>::new(name).within(namespace.unwrap_or_default());
    let kind = FunctionMesh::kind(&());
    let references = child.owner_references.iter().flatten().filter(|r| r.kind == kind);
    let owners = references.map(|r| mesh(&r.name));
    let named = name.match_indices('-').filter_map(|(at, _)| name.get(..at)).map(mesh);
    let mut all: Vec<_> = owners.chain(named).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.dedup();
    all
}

/// One observed reconcile; the queue sees no errors of it.
async fn observed(
    mesh: Arc<Mesh>,
    context: Arc<Context>,
    reconciler: Reconciler,
) -> Result<Action, Infallible> {
    let Some(turn) = reconciler.turn(mesh.as_ref(), &context.statuses).await else {
        return Ok(Action::await_change());
    };
    let (functions, sources, sinks) =
        (context.functions.cache.filled(), context.sources.cache.filled(), context.sinks.cache.filled());
    if futures::try_join!(functions, sources, sinks).is_err() {
        return Ok(Action::await_change());
    }
    let work = reconcile(turn.object.clone(), context.clone());
    Ok(reconciler.run(turn.object.as_ref(), work).await)
}

fn is_ready(mesh: &Mesh) -> bool {
    mesh.status.conditions.get(READY).is_some_and(|condition| condition.status == "True")
}
