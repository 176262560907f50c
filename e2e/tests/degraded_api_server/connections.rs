//! Failures of one request or watch affect nothing else (docs/reliability.md, T5, T6, T17).

use anyhow::{Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, create, function_spec, functions, merge, ready, until_ready};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Child, Controller, Proxy, TestEnv};
use kube::api::{Api, DynamicObject};
use serde_json::json;

async fn behind(env: &TestEnv, namespace: &str) -> Result<(Proxy, Controller, Api<DynamicObject>)> {
    let proxy = Proxy::start(env).await?;
    let watched = format!("--watched-namespace={namespace}");
    let flags = [watched.as_str(), "--leader-elect=false"];
    let controller = Controller::spawn_behind(env, Some(&proxy), "function-controller", &flags)?;
    controller.ready(env).await?;
    Ok((proxy, controller, functions(env, namespace)))
}

/// Sets another image of the function, and waits until its pods have it.
async fn image(env: &TestEnv, namespace: &str, number: usize) -> Result<()> {
    let image = format!("example.com/image:new-{number}");
    merge(&functions(env, namespace), "f", json!({"spec": {"image": image}})).await?;
    let set = Child::of(env, namespace, "StatefulSet", "f-function")?;
    env.until("image", || async {
        ensure!(set.state().await?.to_string().contains(&image), "no {image}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_never_answered_holds_up_one_object() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("swallowed", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let (proxy, controller, api) = behind(&env, &namespace).await?;
        for (resource, name) in
            [("statefulsets", "a-function"), ("services", "b-function-headless"), ("functions/status", "c")]
        {
            proxy.add(Rule::new(Action::Swallow).verb("patch").resource(resource).name(name).times(1));
        }
        for name in ["a", "b", "c"] {
            create(&api, "Function", name, &function_spec()).await?;
        }
        env.until("requests that are swallowed", || async {
            ensure!(proxy.rules_left() == 0, "not yet");
            Ok(())
        })
        .await?;
        for name in ["x", "y", "z"] {
            create(&api, "Function", name, &function_spec()).await?;
            until_ready(&env, &api, name, AVAILABLE).await?;
        }
        // A request times out after 15 seconds; all others took less than that.
        for name in ["a", "b", "c"] {
            let state = ready(&api, name).await.map(|(status, ..)| status).unwrap_or_default();
            ensure!(state != "True", "{name} is ready although its request was not answered");
        }
        for name in ["a", "b", "c"] {
            until_ready(&env, &api, name, AVAILABLE).await?;
        }
        controller.until_idle(&env).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_cut_misses_nothing_and_writes_nothing() -> Result<()> {
    const EDITS: usize = 5;
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("cut", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let (proxy, controller, api) = behind(&env, &namespace).await?;
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        for number in 0..EDITS {
            ensure!(proxy.end_watches() > 0, "no watch was open");
            image(&env, &namespace, number).await?;
        }
        until_ready(&env, &api, "f", AVAILABLE).await?;
        controller.until_idle(&env).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        ensure!(writes.writes_to("statefulsets", "f-function") == 1 + EDITS, "{:?}", writes.counts());
        ensure!(writes.writes_to("services", "f-function-headless") == 1, "{:?}", writes.counts());
        Ok(())
    })
    .await
}

/// The status records what was applied; if it cannot be written, the record is kept nevertheless.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_not_written_applies_nothing_twice() -> Result<()> {
    let failures = [Action::Answer(409), Action::Answer(500), Action::CutBefore, Action::CutAfter];
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("unsaid", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let (proxy, controller, api) = behind(&env, &namespace).await?;
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        for (number, failure) in failures.iter().cloned().enumerate() {
            proxy.add(Rule::new(failure).verb("patch").resource("functions/status").times(1));
            image(&env, &namespace, number).await?;
            until_ready(&env, &api, "f", AVAILABLE).await?;
            ensure!(proxy.rules_left() == 0, "no status was written");
        }
        // The user's edit is faster than the status, which is refused as a conflict; no watch event arrives for now.
        let late = Action::Delay(std::time::Duration::from_secs(1));
        proxy.add(Rule::new(late.clone()).verb("patch").resource("functions/status").times(1));
        image(&env, &namespace, failures.len()).await?;
        ensure!(proxy.end_watches() > 0, "no watch was open");
        image(&env, &namespace, failures.len() + 1).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        // The same, and the edited spec cannot run: the record is still known when the edit is reverted.
        proxy.add(Rule::new(late).verb("patch").resource("functions/status").times(1));
        image(&env, &namespace, failures.len() + 2).await?;
        merge(&api, "f", json!({"spec": {"timeout": 3_000_000_000_u64}})).await?;
        until_ready(&env, &api, "f", ("False", "Invalid")).await?;
        merge(&api, "f", json!({"spec": {"timeout": null}})).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        controller.until_idle(&env).await?;
        let writes = env.audit()?.by(&controller.user).writes();
        let sets = writes.writes_to("statefulsets", "f-function");
        ensure!(sets == 1 + failures.len() + 3, "{:?}", writes.counts());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make faults`"]
async fn a_watch_without_events_is_restarted() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("frozen-watch", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let (proxy, controller, api) = behind(&env, &namespace).await?;
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        controller.until_idle(&env).await?;
        let frozen = std::time::Instant::now();
        proxy.freeze_watches(true);
        merge(&api, "f", json!({"spec": {"image": "example.com/image:late"}})).await?;
        // Longer than any wait of a test: a silent watch ends after 345 seconds. Here it is restarted at once.
        let before = proxy.watches_begun();
        while proxy.watches_begun() == before && frozen.elapsed().as_secs() < 400 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        ensure!(proxy.watches_begun() > before, "no watch was given up in {} s", frozen.elapsed().as_secs());
        // The new watches use another connection.
        proxy.freeze_watches(false);
        image(&env, &namespace, 0).await?;
        eprintln!("a watch without events was restarted after {} s", frozen.elapsed().as_secs());
        until_ready(&env, &api, "f", AVAILABLE).await?;
        Ok(())
    })
    .await
}

/// Lists and watches time out and are retried as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_or_watch_without_a_response_is_retried() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("silent-list", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let proxy = Proxy::start(&env).await?;
        for (verb, resource) in [("list", "statefulsets"), ("watch", "services"), ("create", "events")] {
            proxy.add(Rule::new(Action::Swallow).verb(verb).resource(resource).times(1));
        }
        let watched = format!("--watched-namespace={namespace}");
        let flags = [watched.as_str(), "--leader-elect=false"];
        let controller = Controller::spawn_behind(&env, Some(&proxy), "function-controller", &flags)?;
        controller.ready(&env).await?;
        let api = functions(&env, &namespace);
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await?;
        // By now the Service is watched as well: its deletion is noticed, and an Event reports it.
        let service = Child::of(&env, &namespace, "Service", "f-function-headless")?;
        service.delete().await?;
        env.until("the Service again", || service.state()).await?;
        env.until("the swallowed requests", || async {
            ensure!(proxy.rules_left() == 0, "not all were made");
            Ok(())
        })
        .await?;
        controller.until_idle(&env).await
    })
    .await
}

/// A kind that may be listed but not watched is not listed in a tight loop.
#[tokio::test(flavor = "multi_thread")]
async fn a_denied_watch_is_retried_with_backoff() -> Result<()> {
    const LOOK: std::time::Duration = std::time::Duration::from_secs(10);
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("no-watch", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let (proxy, controller, api) = behind(&env, &namespace).await?;
        let mark = env.mark().await?;
        proxy.add(Rule::new(Action::Answer(403)).verb("watch").resource("services"));
        proxy.end_watches();
        tokio::time::sleep(LOOK).await;
        let lists = env.audit_since(&mark)?.by(&controller.user).only(|r| r.what() == "list services");
        // After one, two, four and eight seconds.
        ensure!(lists.requests().len() <= 5, "{} lists in {LOOK:?}", lists.requests().len());
        ensure!(controller.get("readyz").is_err(), "it is ready without a watch");
        proxy.clear();
        controller.ready(&env).await?;
        create(&api, "Function", "f", &function_spec()).await?;
        until_ready(&env, &api, "f", AVAILABLE).await.map(drop)
    })
    .await
}
