//! Failures of the API server and its storage themselves (docs/reliability.md, T7, T12): compaction while the controller is
//! suspended, an etcd that is frozen, an etcd without space. Each test has its own API server.

use anyhow::{Result, ensure};
use e2e::cluster::ApiOnly;
use e2e::scenarios::edits::{until_image, want_image};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::scenarios::restarts;
use e2e::testing::TestEnv;
use kube::api::ListParams;
use serde_json::json;
use std::time::{Duration, Instant};

const NUMBER: usize = 20;
/// The longest interval between two attempts to watch is half a minute; the rest is for a slow machine.
const BACK: Duration = Duration::from_secs(60);

async fn ready(env: &TestEnv, namespace: &str) -> Result<Fleet> {
    let fleet = Fleet::start(env, namespace, &FUNCTION, NUMBER).await?;
    fleet.create(&FUNCTION.spec()).await?;
    fleet.until_ready().await?;
    fleet.controller.until_idle(env).await?;
    Ok(fleet)
}

/// Whether each StatefulSet was changed this often since it was created.
async fn changed(fleet: &Fleet, times: i64) -> Result<()> {
    for set in fleet.sets.list(&ListParams::default()).await? {
        let (name, generation) = (set.metadata.name, set.metadata.generation);
        ensure!(generation == Some(1 + times), "{name:?} is of generation {generation:?}, not {}", 1 + times);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_while_the_controller_is_stopped_costs_no_write() -> Result<()> {
    const IMAGE: &str = "example.com/image:compacted";
    let mut server = ApiOnly::up("compact")?;
    let env = TestEnv::dedicated(&server).await?;
    let server = &mut server;
    env.test("compaction", |env, namespace| async move {
        let fleet = ready(&env, &namespace).await?;
        let before = fleet.controller.memory()?.resident;
        // No relevant change happened in the meantime, then one did.
        for changes in [false, true] {
            fleet.controller.send("STOP")?;
            let mark = env.mark().await?;
            if changes {
                want_image(&fleet, IMAGE).await?;
            }
            // Later than what the controller may still read from its connections: it cannot resume from there.
            for i in 0..3 {
                let label = json!({"metadata": {"annotations": {"example.com/i": format!("{i}")}}});
                let namespaces: kube::api::Api<k8s_openapi::api::core::v1::Namespace> =
                    kube::api::Api::all(env.client.clone());
                namespaces.patch(&namespace, &<_>::default(), &kube::api::Patch::Merge(label)).await?;
            }
            env.etcd()?.compact()?;
            // Otherwise it would resume from the version that it remembers.
            server.restart()?;
            fleet.controller.send("CONT")?;
            env.until("lists of all kinds", || async {
                let lists = env
                    .audit_since(&mark)?
                    .by(&fleet.controller.user)
                    .with_lists()
                    .only(|r| r.verb == "list");
                let listed: std::collections::BTreeSet<String> =
                    lists.requests().iter().map(e2e::testing::audit::Request::resource).collect();
                for resource in ["functions", "statefulsets", "services", "pods", "backendconfigs"] {
                    ensure!(listed.contains(resource), "only {listed:?} were listed again");
                }
                Ok(())
            })
            .await?;
            if changes {
                until_image(&fleet, IMAGE).await?;
                fleet.until_ready().await?;
            }
            fleet.controller.until_idle(&env).await?;
            let writes = env.audit_since(&mark)?.by(&fleet.controller.user).within(&namespace).writes();
            let sets = writes.clone().only(|r| r.resource() == "statefulsets" && r.code() < 300);
            let want = if changes { NUMBER } else { 0 };
            ensure!(sets.requests().len() == want, "{:?}", writes.counts());
            ensure!(changes || writes.requests().is_empty(), "{:?}", writes.counts());
        }
        changed(&fleet, 1).await?;
        let after = fleet.controller.memory()?.resident;
        ensure!(after < before * 2, "memory from {before} to {after} KiB");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_without_streaming_lists_is_asked_for_pages() -> Result<()> {
    let server = ApiOnly::up_without_streaming_lists("pages")?;
    let env = TestEnv::dedicated(&server).await?;
    env.test("pages", |env, namespace| async move {
        // More than a page.
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, 120).await?;
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;
        let mark = env.mark().await?;
        let counts = restarts::restart(&mut fleet).await?;
        ensure!(counts.writes() == 0, "{counts}");
        let lists =
            env.audit_since(&mark)?.by(&fleet.controller.user).with_lists().only(|r| r.verb == "list");
        let (streams, pages): (Vec<_>, Vec<_>) =
            lists.requests().iter().partition(|request| request.is_streaming_list());
        ensure!(!streams.is_empty() && streams.iter().all(|request| request.code() == 422), "{streams:?}");
        // Functions, StatefulSets and Services in two pages each, and four kinds without objects.
        ensure!(pages.len() == 10, "{} pages", pages.len());
        ensure!(fleet.controller.metric("function_mesh_watch_errors_total")? == 0, "it is no error");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn a_storage_that_is_frozen_or_full_is_waited_for() -> Result<()> {
    const FROZEN: Duration = Duration::from_secs(30);
    let server = ApiOnly::up("etcd")?;
    let env = TestEnv::dedicated(&server).await?;
    let server = &server;
    env.test("storage", |env, namespace| async move {
        let fleet = ready(&env, &namespace).await?;
        let before = fleet.controller.memory()?.resident;

        // There is work to do when the storage stops responding.
        fleet.controller.send("STOP")?;
        want_image(&fleet, "example.com/image:frozen").await?;
        server.signal("etcd", "STOP")?;
        fleet.controller.send("CONT")?;
        let cpu = fleet.controller.cpu()?;
        tokio::time::sleep(FROZEN).await;
        let spent = fleet.controller.cpu()?.saturating_sub(cpu);
        ensure!(spent < FROZEN / 20, "{spent:?} of CPU for waiting");
        fleet.controller.get("healthz")?;
        server.signal("etcd", "CONT")?;
        let back = Instant::now();
        until_image(&fleet, "example.com/image:frozen").await?;
        fleet.until_ready().await?;
        ensure!(back.elapsed() < BACK, "only after {:?}", back.elapsed());
        changed(&fleet, 1).await?;

        // There is work to do when the storage refuses writes.
        fleet.controller.until_idle(&env).await?;
        fleet.controller.send("STOP")?;
        want_image(&fleet, "example.com/image:full").await?;
        env.etcd()?.full(true)?;
        let mark = env.mark().await?;
        fleet.controller.send("CONT")?;
        env.until("refusals of all", || async {
            let waiting = fleet.controller.metric("function_mesh_backoff_objects")?;
            ensure!(waiting == u64::try_from(NUMBER)?, "{waiting} wait");
            Ok(())
        })
        .await?;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let tries = env.audit_since(&mark)?.by(&fleet.controller.user).writes();
        // After one, two, four and eight seconds, each time for the StatefulSet and for the status.
        ensure!(tries.requests().len() <= NUMBER * 2 * 6, "{:?} in ten seconds", tries.counts());
        env.etcd()?.full(false)?;
        let back = Instant::now();
        until_image(&fleet, "example.com/image:full").await?;
        fleet.until_ready().await?;
        ensure!(back.elapsed() < BACK, "only after {:?}", back.elapsed());
        changed(&fleet, 2).await?;
        fleet.controller.until_idle(&env).await?;
        let after = fleet.controller.memory()?.resident;
        ensure!(after < before + 4096, "memory from {before} to {after} KiB");
        ensure!(fleet.controller.metric("function_mesh_reconcile_errors_total")? > 0, "no error is counted");
        Ok(())
    })
    .await
}
