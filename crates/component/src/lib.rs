//! The one loop that Function, Source and Sink share.
//!
//! ```text
//!  watch K ────────┐
//!  StatefulSets ───┤                   lower ─> render ─> plan ─> apply ─> status
//!  Services ───────┼─> queue ─> one reconcile: ^ all pure until apply; reads caches only
//!  Pods (trimmed) ─┘
//! ```
//!
//! [`run`] wires the watches, [`reconcile::reconcile`] is the story of one object. Nothing is read from the API server
//! but by the watches, and nothing is written that is there already: a restart writes nothing.

pub mod args;
pub mod children;
pub mod context;
pub mod explained;
pub mod plan;
pub mod pods;
pub mod reason;
pub mod reconcile;
pub mod report;
pub mod status;

use crate::args::ComponentArgs;
use crate::children::{ServiceView, StatefulSetView};
use crate::context::Context;
use crate::pods::PodView;
use crate::reconcile::Object;
use crate::status::READY;
use functionmesh_api::constants::{LABEL_COMPONENT, LABEL_NAME};
use functionmesh_render::Component;
use functionmesh_runtime::Process;
use functionmesh_runtime::apply::Writer;
use functionmesh_runtime::event::Events;
use functionmesh_runtime::metrics::ObjectsByReadiness;
use functionmesh_runtime::observe::Observer;
use functionmesh_runtime::recent::{Recent, Written};
use functionmesh_runtime::stream::Watches;
use futures::StreamExt;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

/// The controller's work: runs until the process is told to stop.
///
/// # Errors
/// When a metric cannot be registered.
pub fn run<K: Component>(
    process: &Process,
    args: &ComponentArgs,
) -> impl Future<Output = anyhow::Result<()>> + use<K> {
    let watches = Watches {
        client: process.client.clone(),
        metrics: process.metrics.clone(),
        readiness: process.readiness.clone(),
        args: args.watch.clone(),
    };
    let writer = Writer::new(process.client.clone(), process.name, process.metrics.clone());
    let events = Events::new(process.client.clone(), process.name);
    let environment = args.render.environment();
    let shutdown = process.shutdown.clone();
    let metrics = process.metrics.clone();
    // Nothing is watched before the lease is held: a replica that stands by costs nothing.
    async move {
        let environment = environment?;
        let selector = format!("{LABEL_COMPONENT}={}", K::ROLE.word());
        let (objects, changed) = watches.primary::<Object<K>>();
        let (sets, sets_changed) = watches.owned(&selector, StatefulSetView::trim);
        let (services, services_changed) = watches.owned(&selector, ServiceView::trim);
        let (pods, pods_changed) = watches.owned(&selector, PodView::trim);
        let counted = objects.clone();
        metrics.register(&ObjectsByReadiness::new(move || {
            let ready = |o: &Object<K>| o.status.conditions.get(READY).is_some_and(|c| c.status == "True");
            let all = counted.state();
            let ready = all.iter().filter(|o| ready(o)).count();
            (ready, all.len() - ready)
        })?)?;
        let context = Arc::new(Context {
            writer,
            events,
            environment,
            stateful_sets: Recent::over(sets),
            services: Recent::over(services),
            pods,
            statuses: Written::over(objects.clone()),
        });
        let observer = Arc::new(Observer::new(metrics));
        let forgetful = observer.clone();
        Controller::for_stream(changed, objects)
            .with_config(watches.queue())
            .owns_stream(sets_changed)
            .owns_stream(services_changed)
            .watches_stream(pods_changed, |pod: PodView| owner_of::<K>(&pod))
            .graceful_shutdown_on(shutdown.cancelled_owned())
            .run(
                move |object, context| observed(object, context, observer.clone()),
                |_, error: &Infallible, _| match *error {},
                context,
            )
            .for_each(|result| {
                if let Err(controller::Error::ObjectNotFound(gone)) = result {
                    forgetful.gone(&format!("{}/{}", gone.namespace.unwrap_or_default(), gone.name));
                }
                std::future::ready(())
            })
            .await;
        Ok(())
    }
}

/// The object that a pod belongs to, by its label.
fn owner_of<K: Component>(pod: &PodView) -> Option<ObjectRef<Object<K>>> {
    let name = pod.labels().get(LABEL_NAME)?;
    Some(ObjectRef::new(name).within(&pod.namespace()?))
}

/// One reconcile, observed: infallible toward the queue.
async fn observed<K: Component>(
    object: Arc<Object<K>>,
    context: Arc<Context<K>>,
    observer: Arc<Observer<String>>,
) -> Result<Action, Infallible> {
    let key = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
    let generation = object.meta().generation;
    if context.caches_filled().await.is_err() {
        return Ok(Action::await_change());
    }
    // On the heap: it holds rendered objects while it waits.
    let reconcile = Box::pin(reconcile::reconcile(object, context));
    Ok(observer.run(key, generation, reconcile).await)
}
