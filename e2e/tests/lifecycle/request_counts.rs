//! The cost of a hundred objects: exact numbers of requests, from the API server's audit log, and of effective writes, from etcd.

use anyhow::{Result, ensure};
use e2e::scenarios::{FUNCTION, Fleet, Kind, RequestCounts, SINK, SOURCE, edits, restarts};
use e2e::testing::TestEnv;
use serde_json::json;

const N: usize = 100;
/// Of the kinds that share the reconcile loop of the first.
const FEW: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn functions() -> Result<()> {
    life(&FUNCTION, true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sources() -> Result<()> {
    life(&SOURCE, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks() -> Result<()> {
    life(&SINK, false).await
}

/// A sequence of actions on the same objects. The kinds share their reconcile loop, so that only one of them runs `all`.
async fn life(kind: &'static Kind, all: bool) -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test(kind.plural, |env, namespace| async move {
        let number = if all { N } else { FEW };
        let mut fleet = Fleet::start(&env, &namespace, kind, number).await?;
        created(&restarts::create(&fleet).await?, kind, number)?;

        let restarted = restarts::restart(&mut fleet).await?;
        silent("restart", &restarted)?;
        ensure!(restarted.direct() == 0 && restarted.verb("list") == WATCHES, "restart: {restarted}");
        if all {
            let (relisted, watches) = restarts::relist(&mut fleet).await?;
            silent("relist", &relisted)?;
            ensure!(watches == WATCHES, "{watches} watches");
            ensure!((relisted.verb("list"), relisted.direct()) == (WATCHES, 0), "relist: {relisted}");
            silent("resync", &restarts::resync(&mut fleet).await?)?;
            edits_that_change_nothing(&fleet).await?;
        }
        let image = edits::image(&fleet, "example.com/image:2").await?;
        rolled_out("image", &image, kind, number)?;
        if all {
            backend_config(&fleet, kind).await?;
            silent("restart", &restarts::restart(&mut fleet).await?)?;
        }
        let deleted = restarts::delete(&fleet).await?;
        println!("{} delete: {deleted}", kind.kind);
        ensure!(deleted.writes() == 0 && deleted.direct() == 0, "delete: {deleted}");
        Ok(())
    })
    .await
}

/// Caches of a controller: objects, StatefulSets, Services, autoscalers, Jobs, Pods, BackendConfigs.
const WATCHES: usize = 7;

fn created(counts: &RequestCounts, kind: &Kind, number: usize) -> Result<()> {
    println!("{} create: {counts}", kind.kind);
    let status = format!("patch {}/status", kind.plural);
    ensure!(counts.refused.is_empty(), "refused: {counts}");
    ensure!(counts.verb("get") == 0 && counts.verb("list") == 0, "reads: {counts}");
    ensure!(
        (counts.count("patch statefulsets"), counts.count("patch services")) == (number, number),
        "children: {counts}"
    );
    let known = counts.count("patch statefulsets") + counts.count("patch services") + counts.count(&status);
    ensure!(counts.writes() == known, "something else was written: {counts}");
    for (what, most) in [("patch statefulsets", 1), ("patch services", 1), (status.as_str(), 2)] {
        ensure!(
            counts.most.get(what).is_some_and(|number| *number <= most),
            "{what} of one object: {counts}"
        );
    }
    exact(counts, kind)
}

/// Every write changed something.
fn exact(counts: &RequestCounts, kind: &Kind) -> Result<()> {
    for resource in [kind.plural, "statefulsets", "services"] {
        ensure!(counts.is_exact(resource), "a write of {resource} was in vain: {counts}");
    }
    Ok(())
}

/// Only watches were requested, and nothing was written.
fn silent(what: &str, counts: &RequestCounts) -> Result<()> {
    println!("{what}: {counts}");
    ensure!(counts.writes() == 0 && counts.verb("get") == 0, "{what}: {counts}");
    // A watch that is cut off is logged with the response that it began with.
    ensure!(counts.refused.is_empty(), "{what}: refused: {counts}");
    for (resource, written) in &counts.written {
        let others = counts.others.get(resource).copied().unwrap_or_default();
        ensure!(*written <= u64::try_from(others)?, "{what}: {resource} was written: {counts}");
    }
    Ok(())
}

/// Every StatefulSet was written once, and no Service.
fn rolled_out(what: &str, counts: &RequestCounts, kind: &Kind, number: usize) -> Result<()> {
    println!("{} {what}: {counts}", kind.kind);
    let status = format!("patch {}/status", kind.plural);
    ensure!(counts.refused.is_empty() && counts.verb("get") == 0, "{what}: {counts}");
    ensure!(
        (counts.count("patch statefulsets"), counts.count("patch services")) == (number, 0),
        "{what}: {counts}"
    );
    ensure!(
        counts.writes() == number + counts.count(&status),
        "{what}: something else was written: {counts}"
    );
    for (request, most) in [("patch statefulsets", 1), (status.as_str(), 2)] {
        ensure!(counts.most.get(request).is_none_or(|number| *number <= most), "{what}: {request}: {counts}");
    }
    exact(counts, kind)
}

async fn edits_that_change_nothing(fleet: &Fleet) -> Result<()> {
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    silent("labels", &edits::edit(fleet, &labels).await?)?;
    let annotations = json!({"metadata": {"annotations": {"c": "d"}}});
    silent("annotations", &edits::edit(fleet, &annotations).await?)?;
    silent("status", &edits::edit_status(fleet).await?)?;
    silent("the same again", &edits::repeat(fleet, &fleet.kind.spec()).await?)
}

async fn backend_config(fleet: &Fleet, kind: &Kind) -> Result<()> {
    rolled_out("BackendConfig", &edits::backend_config(fleet, "A", "1").await?, kind, N)?;
    silent("BackendConfig touched", &edits::touch_backend_config(fleet).await?)?;
    rolled_out("value", &edits::change_backend_config(fleet, "A", "2").await?, kind, N)?;
    rolled_out("variable", &edits::change_backend_config(fleet, "B", "1").await?, kind, N)?;
    fleet.until_sets(|set| set.metadata.generation == Some(5)).await
}
