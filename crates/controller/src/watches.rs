//! The watches that trigger reconciles, and how a change of another object maps to the objects it affects.

use crate::args::ComponentArgs;
use crate::backend_configs::{BackendConfigs, Config, warn_of_old_place};
use crate::context::{Context, Render, keys_of_pod};
use crate::deferred_status::DeferredStatuses;
use crate::fan_out::FanOut;
use crate::finalize::cleanups::Cleanups;
use crate::object::Object;
use crate::optional_api;
use crate::reconcile::reconcile;
use crate::tracked::tracked;
use functionmesh_api::condition::READY;
use functionmesh_api::constants::{LABEL_COMPONENT, LABEL_NAME};
use functionmesh_plan::conditions::MISSING;
use functionmesh_plan::observed::autoscaler::AutoscalerView;
use functionmesh_plan::observed::job::JobView;
use functionmesh_plan::observed::pod::PodView;
use functionmesh_plan::observed::service::ServiceView;
use functionmesh_plan::observed::statefulset::StatefulSetView;
use functionmesh_plan::observed::view::{Labelled, View};
use functionmesh_plan::rollout::provenance::OperatorHash;
use functionmesh_render::Component;
use functionmesh_render::RenderArgs;
use functionmesh_runtime::Process;
use functionmesh_runtime::apply::Writer;
use functionmesh_runtime::event::Events;
use functionmesh_runtime::failing::Failing;
use functionmesh_runtime::metrics::ObjectsByReadiness;
use functionmesh_runtime::mutation_cache::{MutationCache, PendingWrites};
use functionmesh_runtime::reconciler::Reconciler;
use functionmesh_runtime::stream::{Cached, Changes, Owners, Watches};
use functionmesh_runtime::terminating_namespaces::TerminatingNamespaces;
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::core::ObjectMeta;
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The controller's work: runs until the process is asked to stop.
///
/// # Errors
/// When a metric cannot be registered.
pub fn run<K: Component>(
    process: &Process,
    args: &ComponentArgs,
    render: Render,
) -> impl Future<Output = anyhow::Result<()>> + use<K> {
    let watches = Watches::of(process, &args.watch);
    let writer = Writer::new(process.client.clone(), process.name, process.metrics.clone());
    let events = Events::new(process.client.clone(), process.name);
    let manager = process.name;
    let flags = args.render.clone();
    let own_namespace = process.namespace();
    let policy = args.rollout.policy();
    let deferred_statuses = DeferredStatuses::by(args.status.first_status_delay);
    let (cleanups, deleted) = Cleanups::new(&args.cleanup);
    let environment = flags.environment();
    let shutdown = process.shutdown.clone();
    // Nothing is watched before the lease is held: a replica that stands by costs nothing.
    async move {
        let environment = environment?;
        let selector = format!("{LABEL_COMPONENT}={}", K::KIND.singular());
        let (objects, changed) = watches.primary::<Object<K>>();
        let (sets, sets_changed) = children::<StatefulSetView, K>(&watches, &selector, manager, owners_of);
        let (services, services_changed) =
            children::<ServiceView, K>(&watches, &selector, manager, owners_of);
        let (horizontal, horizontal_changed) =
            children::<AutoscalerView<HorizontalPodAutoscaler>, K>(&watches, &selector, manager, owners_of);
        let (jobs, jobs_changed) = children::<JobView, K>(&watches, &selector, manager, owners_of);
        let missed = objects.clone();
        let (vertical, vertical_changed) = watches.optional(
            &selector,
            move |view: &mut optional_api::View| view.prune(manager),
            owners_of::<K>,
            move || missed.state().iter().any(|o| o.status.conditions.get(MISSING).is_some()),
        );
        let (pods, pods_changed) = watches.indexed(&selector, PodView::prune, owners_of::<K>, keys_of_pod);
        let (backend_configs, backend_changes) = backend_configs(&watches, &flags, &own_namespace);
        if let Some((None, name)) = flags.global() {
            tokio::spawn(warn_of_old_place(watches.client.clone(), name.to_owned(), own_namespace));
        }
        watches.metrics.register(&ObjectsByReadiness::of(objects.clone(), is_ready::<K>)?)?;
        let context = Arc::new(Context {
            writer,
            events,
            render,
            operator: OperatorHash::of(&environment),
            environment,
            policy,
            backend_configs,
            stateful_sets: MutationCache::over(sets),
            services: MutationCache::over(services),
            horizontal_autoscalers: MutationCache::over(horizontal),
            vertical_autoscalers: vertical.clone(),
            jobs: MutationCache::over(jobs),
            pods,
            filled: OnceCell::new(),
            cleanups,
            terminating_namespaces: TerminatingNamespaces::default(),
            finalizers: PendingWrites::over(objects.clone()),
            statuses: PendingWrites::over(objects.clone()),
            deferred_statuses,
            failing: Failing::default(),
        });
        let reconciler = Reconciler::new(&watches, shutdown.clone());
        let fan_out = Arc::new(FanOut::new(watches.args.concurrency));
        watches.metrics.register(&tracked(&context, &fan_out)?)?;
        let (ends, gone) = (reconciler.clone(), fan_out.clone());
        Controller::for_stream(changed, objects.clone())
            .with_config(watches.queue())
            .reconcile_on(fan_out.released(concerned(objects, backend_changes)))
            .reconcile_on(deleted)
            .watches_stream(sets_changed, |set| of(&set))
            .watches_stream(services_changed, |service| of(&service))
            .watches_stream(horizontal_changed, |scaler| of(&scaler))
            .watches_stream(vertical_changed, |scaler| of(&scaler))
            .reconcile_all_on(vertical.turns())
            .watches_stream(jobs_changed, |job| of(&job))
            .watches_stream(pods_changed, |pod| of(&pod))
            .graceful_shutdown_on(shutdown.cancelled_owned())
            .run(
                move |object, context| observed(object, context, reconciler.clone(), fan_out.clone()),
                |_, error: &Infallible, _| match *error {},
                context,
            )
            .for_each(|result| {
                if let Some((namespace, name)) = ends.forget_missing(result) {
                    gone.gone(&ObjectRef::new(&name).within(&namespace));
                }
                std::future::ready(())
            })
            .await;
        Ok(())
    }
}

/// The children of one kind, selected by their label.
fn children<V: View, K: Component>(
    watches: &Watches,
    selector: &str,
    manager: &'static str,
    owners: Owners<Object<K>>,
) -> Cached<V> {
    watches.metrics.begin_writes(&V::kind(&()));
    let trim = move |view: &mut V| {
        view.prune(manager);
        view.pack();
    };
    watches.owned(selector, trim, owners)
}

/// The caches of the configured `BackendConfig`s, and their changes; true for the one of all namespaces. If no namespace is
/// configured for it, it is read from the namespace `own`.
fn backend_configs(
    watches: &Watches,
    args: &RenderArgs,
    own: &str,
) -> (BackendConfigs, Vec<(bool, Changes<Config>)>) {
    let (mut configs, mut streams) = (BackendConfigs::default(), Vec::new());
    if let Some((namespace, name)) = args.global() {
        let namespace = namespace.unwrap_or(own);
        let (store, changed) = watches.named(Some(namespace), name);
        configs.global = Some((namespace.to_owned(), name.to_owned(), store));
        streams.push((true, changed));
    }
    if let Some(name) = args.namespaced() {
        let (store, changed) = watches.named(None, name);
        configs.namespaced = Some((name.to_owned(), store));
        streams.push((false, changed));
    }
    (configs, streams)
}

/// The objects that a change of a `BackendConfig` affects: those of its namespace, or all. Objects whose rendering does not
/// change write nothing.
fn concerned<K: Component>(
    objects: Store<Object<K>>,
    changes: Vec<(bool, Changes<Config>)>,
) -> impl Stream<Item = Vec<ObjectRef<Object<K>>>> + Send + use<K> {
    let namespaces = changes.into_iter().map(|(everywhere, changes)| {
        // An interruption of a watch is logged and counted by the watch itself.
        let configs = changes.filter_map(|config| std::future::ready(config.ok()));
        configs.map(move |config| config.meta().namespace.clone().filter(|_| !everywhere))
    });
    stream::select_all(namespaces).map(move |namespace| {
        let all = objects.state();
        let there = all.iter().filter(|o| namespace.is_none() || o.meta().namespace == namespace);
        there.map(|o| ObjectRef::new(&o.name_any()).within(&o.namespace().unwrap_or_default())).collect()
    })
}

/// The object that a child belongs to, by its owner reference and by its label: a user may have removed one of them, and Jobs of the
/// Go operator never had a reference.
fn owners<K: Component>(child: &ObjectMeta, label: Option<&str>) -> Vec<ObjectRef<Object<K>>> {
    let kind = K::kind(&());
    let references = child.owner_references.iter().flatten().filter(|r| r.kind == kind);
    let names = references.map(|r| r.name.as_str()).chain(label);
    let mut owners: Vec<_> =
        names.filter_map(|name| Some(ObjectRef::new(name).within(child.namespace.as_deref()?))).collect();
    owners.dedup();
    owners
}

/// The object of a child as it is received.
fn owners_of<K: Component>(child: &ObjectMeta) -> Vec<ObjectRef<Object<K>>> {
    owners(child, child.labels.as_ref().and_then(|labels| labels.get(LABEL_NAME)).map(String::as_str))
}

/// The object of a child as it is cached.
fn of<K: Component, C: Labelled>(child: &C) -> Vec<ObjectRef<Object<K>>> {
    owners(child.meta(), child.owner())
}

/// One observed reconcile; the queue sees no errors of it.
async fn observed<K: Component>(
    object: Arc<Object<K>>,
    context: Arc<Context<K>>,
    reconciler: Reconciler,
    fan_out: Arc<FanOut<ObjectRef<Object<K>>>>,
) -> Result<Action, Infallible> {
    let Some(turn) = reconciler.turn(object.as_ref(), &context.statuses).await else {
        return Ok(Action::await_change());
    };
    let _run = fan_out.begin(ObjectRef::from_obj(turn.object.as_ref()));
    if context.caches_filled().await.is_err() {
        return Ok(Action::await_change());
    }
    // On the heap: it contains rendered objects while it waits.
    let work = Box::pin(reconcile(turn.object.clone(), context));
    Ok(reconciler.run(turn.object.as_ref(), work).await)
}

fn is_ready<K: Component>(object: &Object<K>) -> bool {
    object.status.conditions.get(READY).is_some_and(|condition| condition.status == "True")
}
