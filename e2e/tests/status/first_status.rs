//! The first status of a new object, or of a roll-out, is delayed for a moment: one write less if the object is ready by then, and
//! it is never lost.

use anyhow::{Result, ensure};
use e2e::scenarios::fleet::{FUNCTION, Fleet};
use e2e::testing::many::each;
use e2e::testing::objects::{api, create, merge, until_ready};
use e2e::testing::{Child, Controller, TestEnv};
use serde_json::json;

const N: usize = 100;
const STATUS: &str = "patch functions/status";

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_ready_at_once_needs_one_status() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("deferred", |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, N).await?;
        // Long enough for a slow machine.
        fleet.flags.push("--first-status-delay=60".to_owned());
        fleet.replace(None).await?;
        let counts = fleet
            .measure(async |fleet| {
                fleet.create(&FUNCTION.spec()).await?;
                fleet.until_ready().await
            })
            .await?;
        for what in ["patch statefulsets", "patch services", STATUS] {
            ensure!(counts.count(what) == N, "{what}: {counts}");
        }
        ensure!(counts.writes() == 3 * N && counts.refused.is_empty(), "{counts}");
        Ok(())
    })
    .await
}

/// The same for a new image: a roll-out that ends within the delay.
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_rollout_needs_one_status() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("rollout", |env, namespace| async move {
        let mut fleet = Fleet::start(&env, &namespace, &FUNCTION, N).await?;
        fleet.flags.push("--first-status-delay=60".to_owned());
        fleet.replace(None).await?;
        fleet.create(&FUNCTION.spec()).await?;
        fleet.until_ready().await?;
        let counts = fleet
            .measure(async |fleet| {
                each(&fleet.names, |name| {
                    let objects = fleet.objects.clone();
                    async move { merge(&objects, &name, json!({"spec": {"image": "newer"}})).await }
                })
                .await?;
                fleet.until_ready().await
            })
            .await?;
        for what in ["patch statefulsets", STATUS] {
            ensure!(counts.count(what) == N, "{what}: {counts}");
        }
        ensure!(counts.writes() == 2 * N && counts.refused.is_empty(), "{counts}");
        Ok(())
    })
    .await
}

/// A process that ends while the status of a roll-out is delayed: the next one rolls nothing out again and repairs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_during_a_rollout_costs_no_restart() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("halfway", |env, namespace| async move {
        let watched = format!("--watched-namespace={namespace}");
        let start = |delay: &str| {
            Controller::spawn(&env, FUNCTION.controller, &[watched.as_str(), "--leader-elect=false", delay])
        };
        let functions = api(&env, &namespace, FUNCTION.kind, FUNCTION.plural);
        let set = Child::of(&env, &namespace, "StatefulSet", "f-function")?;
        let mut first = start("--first-status-delay=0")?;
        first.ready(&env).await?;
        create(&functions, FUNCTION.kind, "f", &FUNCTION.spec()).await?;
        until_ready(&env, &functions, "f", ("False", "WaitingForPods")).await?;
        first.kill();
        let mut second = start("--first-status-delay=600")?;
        second.ready(&env).await?;
        merge(&functions, "f", json!({"spec": {"image": "newer"}})).await?;
        env.until("the new template", || async {
            let image = set.whole().await?.pointer("/spec/template/spec/containers/0/image").cloned();
            ensure!(image == Some(json!("newer")), "{image:?}");
            Ok(())
        })
        .await?;
        second.until_idle(&env).await?;
        second.kill();
        let stored = functions.get("f").await?.data["status"]["observedGeneration"].clone();
        ensure!(stored == json!(1), "a status of generation {stored} was written");
        let before = set.state().await?;
        let third = start("--first-status-delay=0")?;
        third.ready(&env).await?;
        until_ready(&env, &functions, "f", ("False", "WaitingForPods")).await?;
        third.until_idle(&env).await?;
        ensure!(set.state().await? == before, "{} instead of {before}", set.state().await?);
        let counts = env.audit()?.by(&third.user).writes().counts();
        let events = counts.keys().filter(|what| what.contains("events")).count();
        ensure!(counts[STATUS] == 1 && events == 0, "{counts:?}");
        Ok(())
    })
    .await
}

/// No pods are created: after a second, the default of the flag, the status reports what the object waits for.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_is_reported_after_a_second() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("waiting", |env, namespace| async move {
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--leader-elect=false", "--first-status-delay=1"];
        let controller = Controller::spawn(&env, FUNCTION.controller, &flags)?;
        controller.ready(&env).await?;
        let functions = api(&env, &namespace, FUNCTION.kind, FUNCTION.plural);
        create(&functions, FUNCTION.kind, "f", &FUNCTION.spec()).await?;
        until_ready(&env, &functions, "f", ("False", "WaitingForPods")).await?;
        controller.until_idle(&env).await?;
        let counts = env.audit()?.by(&controller.user).writes().counts();
        ensure!(counts[STATUS] == 1 && counts["patch statefulsets"] == 1, "{counts:?}");
        Ok(())
    })
    .await
}

/// Killed while the status is delayed: the next process finds the children unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_it_is_written_costs_no_child() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("kept", |env, namespace| async move {
        let watched = format!("--watched-namespace={namespace}");
        let flags =
            |delay: &'static str| [watched.clone(), "--leader-elect=false".to_owned(), delay.to_owned()];
        let start = |delay: &'static str| {
            let flags = flags(delay);
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            Controller::spawn(&env, FUNCTION.controller, &flags)
        };
        let mut first = start("--first-status-delay=600")?;
        first.ready(&env).await?;
        let functions = api(&env, &namespace, FUNCTION.kind, FUNCTION.plural);
        create(&functions, FUNCTION.kind, "f", &FUNCTION.spec()).await?;
        for (kind, name) in [("Service", "f-function-headless"), ("StatefulSet", "f-function")] {
            let child = Child::of(&env, &namespace, kind, name)?;
            env.until(name, || async { child.whole().await.map(drop) }).await?;
        }
        first.until_idle(&env).await?;
        first.kill();
        let status = functions.get("f").await?.data["status"].clone();
        ensure!(status["conditions"].is_null(), "a status was written: {status}");
        let second = start("--first-status-delay=0")?;
        second.ready(&env).await?;
        until_ready(&env, &functions, "f", ("False", "WaitingForPods")).await?;
        second.until_idle(&env).await?;
        let counts = env.audit()?.by(&second.user).writes().counts();
        ensure!(counts[STATUS] == 1 && counts.len() == 1, "{counts:?}");
        Ok(())
    })
    .await
}
