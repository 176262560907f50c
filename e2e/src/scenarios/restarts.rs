//! Objects come and go, and so do controllers.

use crate::scenarios::fleet::Fleet;
use crate::scenarios::request_counts::{RequestCounts, count, storage};
use crate::testing::Proxy;
use crate::testing::many::{each, until_none};
use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams};
use std::time::Instant;

/// All objects are created, and become ready.
///
/// # Errors
/// When they do not.
pub async fn create(fleet: &Fleet) -> Result<RequestCounts> {
    let spec = fleet.kind.spec();
    fleet
        .measure(async |fleet| {
            fleet.create(&spec).await?;
            fleet.until_ready().await
        })
        .await
}

/// The controller is killed and starts again.
///
/// # Errors
/// When it does not look at all objects.
pub async fn restart(fleet: &mut Fleet) -> Result<RequestCounts> {
    let before = storage(&fleet.env, &fleet.namespace, fleet.kind.plural)?;
    let mark = fleet.env.mark().await?;
    let started = Instant::now();
    fleet.replace(None).await?;
    let number = u64::try_from(fleet.number())?;
    let controller = &fleet.controller;
    fleet
        .env
        .until("a first look at all objects", || async {
            let running = controller.metric("function_mesh_reconciles_running")?;
            ensure!(controller.reconciles()? >= number && running == 0, "not at all of them");
            Ok(())
        })
        .await?;
    let drained = started.elapsed();
    controller.quiet(&fleet.env).await?;
    let after = storage(&fleet.env, &fleet.namespace, fleet.kind.plural)?;
    let audit = fleet.env.audit_since(&mark)?;
    Ok(RequestCounts {
        reconciles: controller.reconciles()?,
        cpu: controller.cpu()?,
        drained,
        ..count(audit, &controller.user, &fleet.namespace, &before, &after)
    })
}

/// Every watch of the controller is told that it is too old, and lists everything anew. Returns the number of watches as
/// well.
///
/// # Errors
/// When a watch does not begin again.
pub async fn relist(fleet: &mut Fleet) -> Result<(RequestCounts, usize)> {
    if fleet.proxy.is_none() {
        let proxy = Proxy::start(&fleet.env).await?;
        fleet.replace(Some(proxy)).await?;
        fleet.until_looked_at(0, fleet.number()).await?;
    }
    let mut watches = 0;
    let counts = fleet
        .measure(async |fleet| {
            let Some(proxy) = &fleet.proxy else { return Ok(()) };
            watches = proxy.expire_watches();
            fleet
                .env
                .until("watches begin again", || async {
                    let (left, open) = (proxy.rules_left(), proxy.watches());
                    ensure!(left == 0 && open == watches, "{left} not expired, {open} of {watches} open");
                    Ok(())
                })
                .await
        })
        .await?;
    Ok((counts, watches))
}

/// Every object is looked at again, twice at least, although nothing happened to it: what happens to others after most of
/// an hour happens to these after a second. The controller is another one afterwards.
///
/// # Errors
/// When they are not looked at.
pub async fn resync(fleet: &mut Fleet) -> Result<RequestCounts> {
    let flags = fleet.flags.clone();
    fleet.flags.push("--resync-period=1".to_owned());
    let before = storage(&fleet.env, &fleet.namespace, fleet.kind.plural)?;
    let mark = fleet.env.mark().await?;
    fleet.replace(None).await?;
    fleet.controller.reconciled(&fleet.env, 3 * u64::try_from(fleet.number())?).await?;
    let after = storage(&fleet.env, &fleet.namespace, fleet.kind.plural)?;
    let audit = fleet.env.audit_since(&mark)?;
    let counts = count(audit, &fleet.controller.user, &fleet.namespace, &before, &after);
    fleet.flags = flags;
    fleet.replace(None).await?;
    fleet.until_looked_at(0, fleet.number()).await?;
    Ok(counts)
}

/// All objects are deleted, and their children go by their owners.
///
/// # Errors
/// When something stays.
pub async fn delete(fleet: &Fleet) -> Result<RequestCounts> {
    fleet
        .measure(async |fleet| {
            each(&fleet.names, |name| async move {
                fleet.objects.delete(&name, &DeleteParams::background()).await?;
                Ok(())
            })
            .await?;
            until_none(&fleet.env, &fleet.objects).await?;
            until_none(&fleet.env, &fleet.sets).await?;
            let services: Api<Service> = Api::namespaced(fleet.env.client.clone(), &fleet.namespace);
            until_none(&fleet.env, &services).await
        })
        .await
}
