//! What a hundred objects cost: exact numbers of requests, by the API server's audit log, and of real writes, by etcd.

use anyhow::{Result, ensure};
use e2e::scenarios::{FUNCTION, Fleet, Kind, SINK, SOURCE, Tally, edits, lives};
use e2e::testing::TestEnv;
use serde_json::json;

const N: usize = 100;

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

/// What happens to objects, one after the other with the same ones. The kinds share their loop, so that not `all` of it has to
/// be shown for each.
async fn life(kind: &'static Kind, all: bool) -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test(kind.plural, |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, kind, N).await?;
        created(&lives::create(&fleet).await?, kind)?;

        let restarted = lives::restart(&mut fleet).await?;
        silent("restart", &restarted)?;
        ensure!(restarted.direct() == 0 && restarted.verb("list") == WATCHES, "restart: {restarted}");
        if all {
            let (relisted, watches) = lives::relist(&mut fleet).await?;
            silent("relist", &relisted)?;
            ensure!(watches == WATCHES, "{watches} watches");
            ensure!((relisted.verb("list"), relisted.direct()) == (WATCHES, 0), "relist: {relisted}");
            silent("resync", &lives::resync(&mut fleet).await?)?;
            edits_that_change_nothing(&fleet).await?;
        }
        let image = edits::image(&fleet, "example.com/image:2").await?;
        rolled_out("image", &image, kind)?;
        if all {
            backend_config(&fleet, kind).await?;
            silent("restart", &lives::restart(&mut fleet).await?)?;
        }
        let deleted = lives::delete(&fleet).await?;
        println!("{} delete: {deleted}", kind.kind);
        ensure!(deleted.writes() == 0 && deleted.direct() == 0, "delete: {deleted}");
        Ok(())
    })
    .await
}

/// Caches of a controller: objects, StatefulSets, Services, autoscalers, Jobs, Pods, BackendConfigs.
const WATCHES: usize = 7;

fn created(tally: &Tally, kind: &Kind) -> Result<()> {
    println!("{} create: {tally}", kind.kind);
    let status = format!("patch {}/status", kind.plural);
    ensure!(tally.refused.is_empty(), "refused: {tally}");
    ensure!(tally.verb("get") == 0 && tally.verb("list") == 0, "reads: {tally}");
    ensure!(
        (tally.count("patch statefulsets"), tally.count("patch services")) == (N, N),
        "children: {tally}"
    );
    let known = tally.count("patch statefulsets") + tally.count("patch services") + tally.count(&status);
    ensure!(tally.writes() == known, "something else was written: {tally}");
    for (what, most) in [("patch statefulsets", 1), ("patch services", 1), (status.as_str(), 2)] {
        ensure!(tally.most.get(what).is_some_and(|number| *number <= most), "{what} of one object: {tally}");
    }
    exact(tally, kind)
}

/// No write changed nothing.
fn exact(tally: &Tally, kind: &Kind) -> Result<()> {
    for resource in [kind.plural, "statefulsets", "services"] {
        ensure!(tally.is_exact(resource), "a write of {resource} was in vain: {tally}");
    }
    Ok(())
}

/// Nothing was asked but by watches, and nothing was written.
fn silent(what: &str, tally: &Tally) -> Result<()> {
    println!("{what}: {tally}");
    ensure!(tally.writes() == 0 && tally.verb("get") == 0, "{what}: {tally}");
    // A watch that is cut off in the middle is noted with the answer that it began with.
    ensure!(tally.refused.is_empty(), "{what}: refused: {tally}");
    for (resource, written) in &tally.written {
        let others = tally.others.get(resource).copied().unwrap_or_default();
        ensure!(*written <= u64::try_from(others)?, "{what}: {resource} was written: {tally}");
    }
    Ok(())
}

/// Every StatefulSet was written once, and no Service.
fn rolled_out(what: &str, tally: &Tally, kind: &Kind) -> Result<()> {
    println!("{} {what}: {tally}", kind.kind);
    let status = format!("patch {}/status", kind.plural);
    ensure!(tally.refused.is_empty() && tally.verb("get") == 0, "{what}: {tally}");
    ensure!((tally.count("patch statefulsets"), tally.count("patch services")) == (N, 0), "{what}: {tally}");
    ensure!(tally.writes() == N + tally.count(&status), "{what}: something else was written: {tally}");
    for (request, most) in [("patch statefulsets", 1), (status.as_str(), 2)] {
        ensure!(tally.most.get(request).is_none_or(|number| *number <= most), "{what}: {request}: {tally}");
    }
    exact(tally, kind)
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
    rolled_out("BackendConfig", &edits::backend_config(fleet, "A", "1").await?, kind)?;
    silent("BackendConfig touched", &edits::touch_backend_config(fleet).await?)?;
    rolled_out("value", &edits::change_backend_config(fleet, "A", "2").await?, kind)?;
    rolled_out("variable", &edits::change_backend_config(fleet, "B", "1").await?, kind)?;
    fleet.until_sets(|set| set.metadata.generation == Some(5)).await
}
