//! An API server that is unavailable, slow or returns errors occasionally, and clients that overload the controller
//! (docs/reliability.md, T3, T11, T34, T40, T41): every object converges, with the minimum number of writes.

use anyhow::{Result, ensure};
use e2e::scenarios::edits::{until_image, want_image};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::shell::progress;
use e2e::testing::objects::{AVAILABLE, merge, until_ready};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Child, Proxy, TestEnv};
use futures::{StreamExt, stream};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const NUMBER: usize = 20;

/// Functions behind a proxy, optionally ready.
async fn fleet(env: &TestEnv, namespace: &str, ready: bool) -> Result<Fleet> {
    let mut fleet = Fleet::start(env, namespace, &FUNCTION, NUMBER).await?;
    fleet.replace(Some(Proxy::start(env).await?)).await?;
    if ready {
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;
        fleet.controller.until_idle(env).await?;
    }
    Ok(fleet)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_api_server_is_waited_for() -> Result<()> {
    const AWAY: Duration = Duration::from_secs(20);
    const IMAGE: &str = "example.com/image:after";
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("away", |env, namespace| async move {
        let fleet = fleet(&env, &namespace, true).await?;
        let counts = fleet
            .measure(async |fleet| {
                let outage = outage(fleet, IMAGE, Duration::ZERO, AWAY).await?;
                ensure!(outage.cpu < AWAY / 20 && outage.memory < 4096, "too much for waiting: {outage:?}");
                // Watches are retried within half a minute (35 s in the table; the rest is for a slow machine).
                ensure!(outage.recovery < Duration::from_secs(60), "too late: {outage:?}");
                Ok(())
            })
            .await?;
        ensure!(counts.count("patch statefulsets") == NUMBER, "{:?}", counts.requests);
        Ok(())
    })
    .await
}

/// The cost of an outage for the controller.
#[derive(Debug)]
struct Outage {
    /// Time on a CPU.
    cpu: Duration,
    /// Growth of the memory, in KiB.
    memory: u64,
    /// From the end of the outage until everything was ready.
    recovery: Duration,
}

/// Makes the API server unavailable, requests an image, and waits for the recovery. Measures for `length`, `settling` after the
/// beginning.
async fn outage(fleet: &Fleet, image: &str, settling: Duration, length: Duration) -> Result<Outage> {
    fleet.proxy()?.add(Rule::new(Action::CutBefore));
    fleet.proxy()?.end_watches();
    want_image(fleet, image).await?;
    tokio::time::sleep(settling).await;
    let (cpu, memory) = (fleet.controller.cpu()?, fleet.controller.memory()?.resident);
    tokio::time::sleep(length).await;
    let cpu = fleet.controller.cpu()?.saturating_sub(cpu);
    let memory = fleet.controller.memory()?.resident.saturating_sub(memory);
    fleet.proxy()?.clear();
    let back = Instant::now();
    until_image(fleet, image).await?;
    fleet.until_ready().await?;
    Ok(Outage { cpu, memory, recovery: back.elapsed() })
}

/// For `AWAY_MINUTES` minutes: memory does not grow, CPU stays low, and everything recovers.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn a_long_outage_of_the_api_server_is_waited_for() -> Result<()> {
    const IMAGE: &str = "example.com/image:long-after";
    let minutes = std::env::var("AWAY_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let away = Duration::from_secs(60 * minutes);
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("long-away", |env, namespace| async move {
        let fleet = fleet(&env, &namespace, true).await?;
        let counts = fleet
            .measure(async |fleet| {
                // Failures cost more at the beginning than in the long run.
                let outage = outage(fleet, IMAGE, Duration::from_secs(30), away).await?;
                progress(&format!("unavailable for {minutes} minutes: {outage:?}"));
                ensure!(outage.cpu < away / 100 && outage.memory < 1024, "too much for waiting: {outage:?}");
                // A watch waits for 24 seconds at most.
                ensure!(outage.recovery < Duration::from_secs(35), "too late: {outage:?}");
                Ok(())
            })
            .await?;
        ensure!(counts.count("patch statefulsets") == NUMBER, "{:?}", counts.requests);
        Ok(())
    })
    .await
}

/// Conflicts: one after the other for some objects, endless for one.
async fn conflicts(name: &'static str, times: usize, timeout: Duration) -> Result<()> {
    const FOREVER: &str = "o3";
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    let env = env.with_timeout(timeout);
    env.test(name, |env, namespace| async move {
        let fleet = fleet(&env, &namespace, true).await?;
        let conflict = |resource: &str, name: &str| {
            Rule::new(Action::Answer(409)).verb("patch").resource(resource).name(name)
        };
        fleet.proxy()?.add(conflict("statefulsets", "o0-function").times(times));
        fleet.proxy()?.add(conflict("services", "o1-function-headless").times(times));
        fleet.proxy()?.add(conflict("functions/status", "o2").times(times));
        fleet.proxy()?.add(conflict("statefulsets", "o3-function"));
        // Fields of other managers stay as they are.
        let theirs = json!({"metadata": {"labels": {"example.com/theirs": "yes"}}});
        for (kind, name) in [("StatefulSet", "o0-function"), ("Service", "o1-function-headless")] {
            let child = Child::of(&env, &namespace, kind, name)?;
            child.patch(&theirs).await?;
            child.patch(&json!({"metadata": {"labels": {"component": "foreign"}}})).await?;
        }
        let before = fleet.proxy()?.writes().len();
        let started = Instant::now();
        want_image(&fleet, "example.com/image:conflict").await?;
        for name in fleet.names.iter().filter(|name| *name != FOREVER) {
            until_ready(&env, &fleet.objects, name, AVAILABLE).await?;
        }
        env.until("the end of the conflicts", || async {
            let left = fleet.proxy()?.rules_left();
            ensure!(left == 1, "{left} rules are left");
            Ok(())
        })
        .await?;
        let message = until_ready(&env, &fleet.objects, FOREVER, ("False", "ApplyFailed")).await?;
        ensure!(message.contains("o3-function"), "{message}");
        let writes = fleet.proxy()?.writes();
        let tries =
            writes.iter().skip(before).filter(|w| w.resource == "statefulsets" && w.name == "o3-function");
        let (tries, took) = (tries.count(), started.elapsed());
        // At once, and then after 1, 2, 4 seconds and so on, with a jitter of a fifth.
        let most = (took.as_secs_f64() / 0.8 + 1.0).log2().ceil() + took.as_secs_f64() / 240.0 + 2.0;
        ensure!(f64::from(u32::try_from(tries)?) <= most, "{tries} tries in {took:?}");
        for (kind, name) in [("StatefulSet", "o0-function"), ("Service", "o1-function-headless")] {
            let labels = Child::of(&env, &namespace, kind, name)?.state().await?["labels"].clone();
            ensure!(
                labels["example.com/theirs"] == json!("yes"),
                "{name}: the label of others is gone: {labels}"
            );
            ensure!(labels["component"] != json!("foreign"), "{name} was not repaired: {labels}");
        }
        fleet.proxy()?.clear();
        merge(&fleet.objects, FOREVER, json!({"spec": {"image": "example.com/image:end"}})).await?;
        until_ready(&env, &fleet.objects, FOREVER, AVAILABLE).await?;
        fleet.controller.until_idle(&env).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_are_retried_until_they_end() -> Result<()> {
    conflicts("conflicts", 4, Duration::from_secs(120)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn ten_conflicts_are_retried_until_they_end() -> Result<()> {
    conflicts("ten-conflicts", 10, Duration::from_secs(20 * 60)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_api_server_costs_time_and_nothing_else() -> Result<()> {
    slow("slow", Duration::from_secs(2), Duration::ZERO).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn an_api_server_that_is_slow_for_long_costs_time_and_nothing_else() -> Result<()> {
    slow("slow-long", Duration::from_secs(3), Duration::from_secs(600)).await
}

/// Every request is slow, including lease renewals, while objects are created, and then changed for some time.
async fn slow(name: &'static str, delay: Duration, time: Duration) -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test(name, |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, NUMBER).await?;
        fleet.flags = vec![
            format!("--watched-namespace={namespace}"),
            "--lease-namespace=function-mesh-system".to_owned(),
        ];
        let proxy = Proxy::start(&env).await?;
        proxy.add(Rule::new(Action::Delay(delay)));
        fleet.replace(Some(proxy)).await?;
        let leases: Api<Lease> = Api::namespaced(env.client.clone(), "function-mesh-system");
        fleet.controller.leads(&env).await?;
        let before = leases.get("function-controller").await?.spec;
        let started = Instant::now();
        let mut changes = 0;
        let counts = fleet
            .measure(async |fleet| {
                fleet.create(&FUNCTION.spec()).await?;
                fleet.until_ready().await?;
                while started.elapsed() < time {
                    changes += 1;
                    let image = format!("example.com/image:slow-{changes}");
                    want_image(fleet, &image).await?;
                    until_image(fleet, &image).await?;
                    fleet.until_ready().await?;
                }
                Ok(())
            })
            .await?;
        for (what, times) in [("patch statefulsets", 1 + changes), ("patch services", 1)] {
            ensure!(counts.count(what) == times * NUMBER, "{what}: {:?}", counts.requests);
        }
        ensure!(fleet.controller.metric("function_mesh_leader")? == 1, "the lease is lost");
        let after = leases.get("function-controller").await?.spec;
        let transitions = |spec: &Option<LeaseSpec>| spec.as_ref().map(|spec| spec.lease_transitions);
        ensure!(transitions(&before) == transitions(&after), "lost and taken again: {after:?}");
        progress(&format!("{changes} changes of {NUMBER} objects in {:?}", started.elapsed()));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_changes_is_processed() -> Result<()> {
    const EDITS: usize = 2000;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("flood", |env, namespace| async move {
        let fleet = fleet(&env, &namespace, true).await?;
        let before = fleet.controller.memory()?.resident;
        let counts = fleet
            .measure(async |fleet| {
                stream::iter(0..EDITS)
                    .map(|i| {
                        merge(
                            &fleet.objects,
                            &fleet.names[i % NUMBER],
                            json!({"metadata": {"labels": {"i": format!("{i}")}}}),
                        )
                    })
                    .buffer_unordered(16)
                    .for_each(|edited| async { drop(edited) })
                    .await;
                want_image(fleet, "example.com/image:last").await?;
                until_image(fleet, "example.com/image:last").await?;
                fleet.until_ready().await
            })
            .await?;
        ensure!(counts.count("patch statefulsets") == NUMBER, "{:?}", counts.requests);
        let grown = fleet.controller.memory()?.resident.saturating_sub(before);
        ensure!(grown < 8192, "{grown} KiB more after {EDITS} edits");
        Ok(())
    })
    .await
}

/// More changes than the controller can process, without an end: no object starves.
#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_load_starves_no_object() -> Result<()> {
    const ROUNDS: usize = 3;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("load", |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, NUMBER).await?;
        fleet.flags.push("--concurrency=1".to_owned());
        fleet.replace(Some(Proxy::start(&env).await?)).await?;
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;
        fleet.controller.until_idle(&env).await?;
        fleet.proxy()?.add(Rule::new(Action::Delay(Duration::from_millis(50))).verb("patch"));
        let mark = env.mark().await?;
        let (mut round, mut times) = (0, Vec::new());
        while times.iter().sum::<usize>() < ROUNDS * NUMBER {
            round += 1;
            want_image(&fleet, &format!("example.com/image:{round}")).await?;
            let writes = env.audit_since(&mark)?.by(&fleet.controller.user).writes();
            let of = |name: &String| writes.writes_to("statefulsets", &format!("{name}-function"));
            times = fleet.names.iter().map(of).collect();
        }
        progress(&format!("writes of each set in {round} rounds: {times:?}"));
        ensure!(times.iter().all(|times| *times > 0), "some were left out: {times:?}");
        fleet.proxy()?.clear();
        until_image(&fleet, &format!("example.com/image:{round}")).await?;
        fleet.until_ready().await
    })
    .await
}

/// Endless scrapes, and connections that never send a request.
#[tokio::test(flavor = "multi_thread")]
async fn scrapes_of_metrics_block_no_reconcile() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("scraped", |env, namespace| async move {
        let fleet = Fleet::start(&env, &namespace, &FUNCTION, NUMBER).await?;
        let address = fleet.controller.address();
        let mut idle = Vec::new();
        for _ in 0..200 {
            let mut connection = TcpStream::connect(&address)?;
            connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")?;
            idle.push(connection);
        }
        let scrapes = stream::iter(0..1000)
            .map(|_| async { fleet.controller.get("metrics").is_ok() })
            .buffer_unordered(8)
            .filter(|answered| std::future::ready(*answered))
            .count();
        let work = async {
            fleet.create(&FUNCTION.spec()).await?;
            fleet.until_ready().await
        };
        let (answered, worked) = tokio::join!(scrapes, work);
        worked?;
        ensure!(answered == 1000, "{answered} of 1000 scrapes answered");
        drop(idle);
        Ok(())
    })
    .await
}
