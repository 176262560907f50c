//! Creation and deletion of objects, and restarts of their controller.

use crate::scenarios::fleet::Fleet;
use crate::scenarios::request_counts::{RequestCounts, count, storage};
use crate::testing::Proxy;
use crate::testing::many::{each, until_none};
use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams};
use std::time::Instant;

/// Creates all objects and waits until they are ready.
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

/// Kills the controller and starts it again.
///
/// # Errors
/// When it does not reconcile all objects.
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
    controller.until_idle(&fleet.env).await?;
    let after = storage(&fleet.env, &fleet.namespace, fleet.kind.plural)?;
    let audit = fleet.env.audit_since(&mark)?;
    Ok(RequestCounts {
        reconciles: controller.reconciles()?,
        cpu: controller.cpu()?,
        drained,
        ..count(audit, &controller.user, &fleet.namespace, &before, &after)
    })
}

/// Every watch of the controller expires (410 Gone), so the controller lists everything again. Also returns the number of watches.
///
/// # Errors
/// When a watch does not restart.
pub async fn relist(fleet: &mut Fleet) -> Result<(RequestCounts, usize)> {
    if fleet.proxy.is_none() {
        let proxy = Proxy::start(&fleet.env).await?;
        fleet.replace(Some(proxy)).await?;
        fleet.until_reconciled(0, fleet.number()).await?;
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

/// Every unchanged object is resynced at least twice: with a resync interval of one second instead of the default. The controller
/// is restarted afterwards.
///
/// # Errors
/// When they are not reconciled.
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
    fleet.until_reconciled(0, fleet.number()).await?;
    Ok(counts)
}

/// Deletes all objects; the garbage collector removes their children.
///
/// # Errors
/// When something remains.
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
