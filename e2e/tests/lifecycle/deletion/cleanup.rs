//! The cleanup of deleted objects.

use super::{FINALIZER, cleaning, ended, job_of, job_status};
use anyhow::{Context, Result, ensure};
use e2e::testing::fake_statefulset_controller::FakeStatefulSetController;
use e2e::testing::objects::{AVAILABLE, create, functions, until_condition, until_gone, until_ready};
use e2e::testing::proxy::rule::{Action, Rule};
use e2e::testing::{Child, Controller, Proxy, TestEnv};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::ResourceExt;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy,
};
use serde_json::json;
use std::time::Duration;

const RUNNING: (&str, &str) = ("True", "CleanupRunning");

fn orphan() -> DeleteParams {
    DeleteParams { propagation_policy: Some(PropagationPolicy::Orphan), ..DeleteParams::default() }
}

fn flags<'a>(watched: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[watched, "--leader-elect=false"], more].concat()
}

async fn made(env: &TestEnv, api: &Api<DynamicObject>, names: &[&str]) -> Result<()> {
    for name in names {
        create(api, "Function", name, &cleaning()).await?;
    }
    for name in names {
        until_ready(env, api, name, AVAILABLE).await?;
        ensure!(api.get(name).await?.finalizers() == [FINALIZER], "{name} has no finalizer");
    }
    Ok(())
}

/// `kubectl delete --cascade=orphan` keeps the pods, and so their subscription; also if the controller reconciles the object only
/// after the garbage collector has finished.
#[tokio::test(flavor = "multi_thread")]
async fn an_orphaned_statefulset_keeps_running_and_its_subscription() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("orphan", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let mut controller = Controller::start(&env, "function-controller", &namespace).await?;
        let api = functions(&env, &namespace);
        made(&env, &api, &["f", "g"]).await?;
        let sets = ["f", "g"].map(|name| format!("{name}-function"));
        let set = |name: &str| Child::of(&env, &namespace, "StatefulSet", name);
        let before =
            [set(&sets[0])?.api.get(&sets[0]).await?.uid(), set(&sets[1])?.api.get(&sets[1]).await?.uid()];

        api.delete("f", &orphan()).await?;
        until_gone(&env, &api, "f").await?;

        controller.kill();
        let mut users = vec![controller.user.clone()];
        api.delete("g", &orphan()).await?;
        env.until("the garbage collector", || async {
            let finalizers = api.get("g").await?.finalizers().to_vec();
            ensure!(finalizers == [FINALIZER], "{finalizers:?}");
            Ok(())
        })
        .await?;
        let controller = Controller::start(&env, "function-controller", &namespace).await?;
        users.push(controller.user.clone());
        until_gone(&env, &api, "g").await?;

        for (name, uid) in sets.iter().zip(before) {
            let live = set(name)?.api.get_opt(name).await?.with_context(|| format!("{name} was deleted"))?;
            ensure!(live.uid() == uid && live.metadata.deletion_timestamp.is_none(), "{:?}", live.metadata);
            ensure!(live.owner_references().is_empty(), "{:?}", live.owner_references());
            let service = format!("{name}-headless");
            Child::of(&env, &namespace, "Service", &service)?.whole().await?;
        }
        for user in users {
            let writes = env.audit()?.by(&user).writes();
            let wrong = writes.only(|r| r.verb == "delete" || r.resource() == "jobs");
            ensure!(wrong.requests().is_empty(), "{:?}", wrong.counts());
        }
        Ok(())
    })
    .await
}

/// No cleanup is abandoned before an attempt: neither the time since the deletion counts, nor the time for which a Job waits for
/// a node. The time limit starts with the first attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_is_attempted_however_late_it_is() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("late", |env, namespace| async move {
        let watched = format!("--watched-namespace={namespace}");
        let api = functions(&env, &namespace);
        {
            let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
            let controller = Controller::start(&env, "function-controller", &namespace).await?;
            made(&env, &api, &["f"]).await?;
            controller.signal("TERM")?;
        }
        let quotas: Api<ResourceQuota> = Api::namespaced(env.client.clone(), &namespace);
        let none = json!({"count/jobs.batch": "0"});
        let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": none}});
        quotas.create(&PostParams::default(), &serde_json::from_value(quota)?).await?;
        // Plays the quota controller, which does not run here.
        let status = json!({"spec": {"hard": none}, "status": {"hard": none, "used": none}});
        quotas.patch_status("few", &PatchParams::default(), &Patch::Merge(status)).await?;
        api.delete("f", &DeleteParams::default()).await?;
        // Longer than the time limit of a cleanup.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let controller =
            Controller::spawn(&env, "function-controller", &flags(&watched, &["--cleanup-timeout=1s"]))?;
        controller.ready(&env).await?;
        // A quota that other objects have used up is no attempt either.
        let message = until_condition(&env, &api, "f", "CleanupPending", RUNNING).await?;
        ensure!(message.starts_with("waiting for the quota of the namespace"), "{message}");
        let tries = || {
            Ok::<_, anyhow::Error>(
                env.audit()?.by(&controller.user).only(|r| r.code() == 403).requests().len(),
            )
        };
        env.until("tries", || async {
            ensure!(tries()? > 2, "not tried again");
            Ok(())
        })
        .await?;
        quotas.delete("few", &DeleteParams::default()).await?;
        let jobs: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        let name = job_of("f");
        let job = env.until("Job", || async { Ok(jobs.get(&name).await?) }).await?;
        let spec = job.spec.context("no spec")?;
        ensure!(
            spec.active_deadline_seconds.is_none(),
            "the clock of the Job runs while it waits for a node"
        );
        let pod = spec.template.spec.context("no pod")?;
        ensure!(pod.active_deadline_seconds.is_some(), "an attempt has no end");
        let requests = pod.containers[0].resources.clone().and_then(|r| r.requests).unwrap_or_default();
        ensure!(requests["memory"].0 == "256Mi" && requests["cpu"].0 == "50m", "{requests:?}");
        job_status(&jobs, &name, json!({"active": 1, "ready": 0, "startTime": "2026-01-01T00:00:00Z"}))
            .await?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        controller.until_idle(&env).await?;
        until_condition(&env, &api, "f", "CleanupPending", RUNNING).await?;
        job_status(&jobs, &name, json!({"active": 1, "ready": 1})).await?;
        until_gone(&env, &api, "f").await?;
        said(&env, &namespace, "did not finish within 1 minutes of its first attempt").await
    })
    .await
}

/// Waits for an Event about a failed cleanup.
async fn said(env: &TestEnv, namespace: &str, text: &str) -> Result<()> {
    env.until("Event", || async {
        let events = format!(
            "-n {namespace} get events -o jsonpath={{.items[?(@.reason==\"CleanupFailed\")].message}}"
        );
        let found = e2e::shell::output(&mut env.kubectl.with(events.splitn(6, ' ')))?;
        ensure!(found.contains(text), "{found}");
        Ok(())
    })
    .await
}

/// A mass deletion runs a bounded number of Jobs, in the order of deletion, and reports which objects wait.
#[tokio::test(flavor = "multi_thread")]
async fn cleanup_jobs_wait_for_their_turn() -> Result<()> {
    const NAMES: [&str; 5] = ["c", "a", "e", "b", "d"];
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("turns", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let watched = format!("--watched-namespace={namespace}");
        let flags = flags(&watched, &["--cleanup-concurrency=2"]);
        let controller = Controller::spawn(&env, "function-controller", &flags)?;
        controller.ready(&env).await?;
        let api = functions(&env, &namespace);
        let jobs: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        made(&env, &api, &NAMES).await?;
        let running = || async {
            let all = jobs.list(&ListParams::default()).await?.items;
            let open = all.iter().filter(|job| job.status.as_ref().is_none_or(|s| s.conditions.is_none()));
            let mut names: Vec<String> = open.map(ResourceExt::name_any).collect();
            names.sort();
            Ok::<_, anyhow::Error>(names)
        };
        let run = |wanted: Vec<String>| {
            let (env, running) = (&env, &running);
            async move {
                env.until(&format!("{wanted:?}"), || async {
                    let there = running().await?;
                    ensure!(there == wanted, "{there:?}");
                    Ok(())
                })
                .await
            }
        };
        api.delete("c", &DeleteParams::default()).await?;
        run(vec![job_of("c")]).await?;
        api.delete("a", &DeleteParams::default()).await?;
        run(vec![job_of("a"), job_of("c")]).await?;
        for name in ["e", "b", "d"] {
            api.delete(name, &DeleteParams::default()).await?;
            let message = until_condition(&env, &api, name, "CleanupPending", RUNNING).await?;
            ensure!(message.starts_with("waiting for its turn: at most 2 "), "{message}");
        }
        // By name, b would be first; objects deleted within the same second are ordered by name.
        let mut deleted = Vec::new();
        for name in ["e", "b", "d"] {
            deleted.push((api.get(name).await?.metadata.deletion_timestamp.map(|t| t.0.as_second()), name));
        }
        deleted.sort_unstable();
        let mut open = vec!["a", "c"];
        for next in deleted.into_iter().map(|(_, name)| Some(name)).chain([None, None]) {
            let first = open.remove(0);
            job_status(&jobs, &job_of(first), ended(true)).await?;
            until_gone(&env, &api, first).await?;
            open.extend(next);
            let mut wanted: Vec<String> = open.iter().map(|name| job_of(name)).collect();
            wanted.sort();
            run(wanted).await?;
        }
        let created = env.audit()?.by(&controller.user).writes().counts();
        ensure!(created["patch jobs"] == NAMES.len(), "{created:?}");
        Ok(())
    })
    .await
}

/// The status cannot report the remains: the object is deleted nevertheless, with an Event.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_denied_keeps_no_finalizer() -> Result<()> {
    let env = TestEnv::connect().await?;
    env.prepare().await?;
    env.test("denied", |env, namespace| async move {
        let _statefulset_controller = FakeStatefulSetController::start(&env, &namespace);
        let watched = format!("--watched-namespace={namespace}");
        let proxy = Proxy::start(&env).await?;
        let controller =
            Controller::spawn_behind(&env, Some(&proxy), "function-controller", &flags(&watched, &[]))?;
        controller.ready(&env).await?;
        let api = functions(&env, &namespace);
        made(&env, &api, &["f", "g"]).await?;
        let jobs: Api<Job> = Api::namespaced(env.client.clone(), &namespace);
        proxy.add(Rule::new(Action::Answer(403)).verb("patch").resource("functions/status"));
        for (name, complete) in [("f", false), ("g", true)] {
            api.delete(name, &DeleteParams::default()).await?;
            env.until("Job", || async { Ok(jobs.get(&job_of(name)).await?) }).await?;
            job_status(&jobs, &job_of(name), ended(complete)).await?;
            until_gone(&env, &api, name).await?;
        }
        said(&env, &namespace, "BackoffLimitExceeded").await
    })
    .await
}
